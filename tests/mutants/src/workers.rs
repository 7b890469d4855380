//! Programs that judge one change after the other, each ended when it hangs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result};

/// A change that makes a program eat more is not worth its machine; in KiB, of addresses.
const MEMORY: &str = "8000000";

/// How long a program may be silent while it loads the cases.
const LOADING: Duration = Duration::from_mins(5);

/// How long the cases of one change may take; many times what they take without it, and on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// What became of each change.
pub type Fates = BTreeMap<u32, String>;

/// Runs a job for each number with several at a time, and notes each fate as soon as it is known.
pub fn each<W>(
    numbers: &[u32],
    workers: usize,
    start: impl Fn() -> W + Sync,
    job: impl Fn(&mut W, u32) -> Result<String> + Sync,
    note: impl Fn(u32, &str) -> Result<()> + Sync,
) -> Result<()> {
    let queue = Mutex::new(numbers.iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next().copied());
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            let mut worker = start();
            while let Some(number) = next() {
                note(number, &job(&mut worker, number)?)?;
            }
            Ok(())
        };
        let all: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        all.into_iter()
            .try_for_each(|one| one.join().map_err(|_panic| anyhow::anyhow!("a worker panicked"))?)
    })
}

/// The program that knows all cases; started when it is needed.
#[derive(Default)]
pub struct Judge {
    running: Option<Running>,
}

struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Judge {
    /// What the cases say to one change.
    pub fn ask(&mut self, copy: &Path, number: u32) -> Result<String> {
        if self.running.is_none() {
            let running = start(limited(&copy.join("target/debug/mutants"), copy))?;
            println!("{}", running.lines.recv_timeout(LOADING).context("the judge does not start")?);
            self.running = Some(running);
        }
        let running = self.running.as_mut().context("started above")?;
        writeln!(running.child.stdin.as_mut().context("a pipe")?, "{number}").context("ask the judge")?;
        let fate = match running.lines.recv_timeout(PATIENCE) {
            Ok(fate) => return Ok(fate),
            Err(RecvTimeoutError::Timeout) => "killed (timeout)",
            Err(RecvTimeoutError::Disconnected) => "killed (abort)",
        };
        drop(self.running.take());
        Ok(fate.to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What the tests of one program say to one change.
pub fn test(copy: &Path, program: &Path, filters: &[String], number: u32) -> Result<String> {
    let mut command = limited(program, copy);
    command.args(filters).arg("--test-threads=1").env("DNS_DRIFT_MUTANT", number.to_string());
    let running = start(command)?;
    loop {
        match running.lines.recv_timeout(PATIENCE) {
            // The first is enough.
            Ok(line) if line.ends_with("... FAILED") => {
                let test = line.trim_start_matches("test ").trim_end_matches(" ... FAILED");
                return Ok(format!("killed {test}"));
            }
            Ok(line) if line.starts_with("test result: ok") => return Ok("survived".to_owned()),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => return Ok("killed (timeout)".to_owned()),
            Err(RecvTimeoutError::Disconnected) => return Ok("killed (abort)".to_owned()),
        }
    }
}

fn limited(program: &Path, copy: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"")]).arg(program).current_dir(copy);
    command
}

fn start(mut command: Command) -> Result<Running> {
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = streams.spawn().context("start a program")?;
    let (sender, lines) = sync_channel(1000);
    let output = child.stdout.take().context("a pipe")?;
    std::thread::spawn(move || forward(output, |line| sender.send(line).is_ok()));
    Ok(Running { child, lines })
}

fn forward(output: impl Read, send: impl Fn(String) -> bool) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if !send(line) {
            break;
        }
    }
}

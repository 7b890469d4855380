//! `dns-drift demo` as a user starts it, and what it says.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

pub(crate) struct Demo {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dns-drift"))
            .args(["demo", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// The first line that holds the words. The demo itself bounds how long it may take.
    pub(crate) fn line(&mut self, words: &str) -> String {
        for line in &mut self.lines {
            let line = line.expect("text");
            if line.contains(words) {
                return line;
            }
        }
        panic!("the demo ended before it said {words:?}");
    }

    /// Sends a signal, named as `kill` names it.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().expect("kill runs").success());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

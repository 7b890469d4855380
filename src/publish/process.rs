//! Metrics of the process itself, in the names that every Prometheus client uses.
//!
//! Read from `/proc` at each scrape. What cannot be read is left out; on another system than
//! Linux that is everything. Source: proc(5).

use std::fmt;
use std::path::{Path, PathBuf};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::publish::family::{Family, Number};

/// Clock ticks in a second of the times in `/proc`. `USER_HZ` is 100 on all platforms that we
/// build for; asking the system would need an unsafe call.
const TICKS_PER_SECOND: f64 = 100.0;

/// Renders the files of one process.
#[derive(Debug)]
pub struct ProcessCollector {
    proc: PathBuf,
}

/// The fields of `/proc/self/stat` that are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: u64,
    /// Since the system started.
    start_seconds: f64,
    virtual_bytes: u64,
}

// === impl ProcessCollector ===

impl ProcessCollector {
    /// Watches the running process.
    #[must_use]
    pub fn of_this_process() -> Self {
        Self { proc: PathBuf::from("/proc") }
    }

    fn families(&self) -> Vec<Family> {
        let own = self.proc.join("self");
        let stat = read(&own.join("stat")).and_then(|text| parse_stat(&text));
        let boot = read(&self.proc.join("stat")).and_then(|text| field(&text, "btime"));
        let resident = read(&own.join("status")).and_then(|text| field(&text, "VmRSS:"));
        let max_fds = read(&own.join("limits")).and_then(|text| field(&text, "Max open files"));
        // Reading the folder opens a descriptor of its own.
        let open_fds = std::fs::read_dir(own.join("fd")).ok().map(|fds| fds.count().saturating_sub(1));
        let start = stat.zip(boot.and_then(real)).map(|(stat, boot)| boot + stat.start_seconds);
        let samples = [
            ("process_cpu_seconds_total", stat.map(|stat| Number::Real(stat.cpu_seconds))),
            ("process_resident_memory_bytes", resident.map(|kib| Number::Whole(kib.saturating_mul(1024)))),
            ("process_virtual_memory_bytes", stat.map(|stat| Number::Whole(stat.virtual_bytes))),
            ("process_open_fds", open_fds.map(Number::from)),
            ("process_max_fds", max_fds.map(Number::Whole)),
            ("process_start_time_seconds", start.map(Number::Real)),
            ("process_threads", stat.map(|stat| Number::Whole(stat.threads))),
        ];
        samples.into_iter().filter_map(|(name, number)| Some(Family::single(name, number?))).collect()
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in self.families() {
            family.encode(&mut encoder)?;
        }
        Ok(())
    }
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The first number behind a word at the start of a line.
fn field(text: &str, word: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The second field is the program's name in brackets, which may hold blanks and brackets itself:
/// the last closing one ends it.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // `rest` begins with field 3.
    let number = |index: usize| fields.get(index.checked_sub(3)?)?.parse::<u64>().ok();
    let ticks = number(14)?.checked_add(number(15)?)?;
    Some(Stat {
        cpu_seconds: real(ticks)? / TICKS_PER_SECOND,
        threads: number(20)?,
        start_seconds: real(number(22)?)? / TICKS_PER_SECOND,
        virtual_bytes: number(23)?,
    })
}

/// Exact up to 2^32, enough for ticks of 497 days of CPU time; past that the high part is added.
fn real(number: u64) -> Option<f64> {
    let high = u32::try_from(number >> 32).ok()?;
    let low = u32::try_from(number & u64::from(u32::MAX)).ok()?;
    Some(f64::from(high) * 4_294_967_296.0 + f64::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line_of_proc() {
        let line = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 7 0 1000 2048 12 \
                    18446744073709551615 0 0";
        let stat = parse_stat(line).unwrap();
        assert_eq!(stat, Stat { cpu_seconds: 2.0, threads: 7, start_seconds: 10.0, virtual_bytes: 2048 });
        assert_eq!(parse_stat("42 (a) S 1"), None);
        assert_eq!(field("cpu 1\nbtime 1700000000\n", "btime"), Some(1_700_000_000));
        assert_eq!(field("Max open files            unlimited\n", "Max open files"), None);
    }

    #[test]
    fn shows_nothing_without_proc() {
        assert!(ProcessCollector { proc: PathBuf::from("/nowhere") }.families().is_empty());
    }
}

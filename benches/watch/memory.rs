//! The memory of this process, as Linux counts it.

use std::fs;

/// In MiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) peak: f64,
}

pub(crate) fn memory() -> Memory {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let mib = |member: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(member)).expect("a member of the status");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1024.0
    };
    Memory { resident: mib("VmRSS:"), peak: mib("VmHWM:") }
}

/// The next peak counts from here.
pub(crate) fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("one's own peak");
}

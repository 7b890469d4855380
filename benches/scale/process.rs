//! What another process uses, as Linux counts it.

use std::fs;

/// Ticks of a second in `/proc`. Source: proc(5); `USER_HZ` is 100 on all architectures in use.
const TICKS: f64 = 100.0;

pub(crate) struct Usage {
    /// Seconds of the processors, for the program and for the kernel on its behalf.
    pub(crate) cpu: f64,
    /// MiB.
    pub(crate) resident: f64,
    pub(crate) peak: f64,
}

impl Usage {
    pub(crate) fn of(process: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("Linux, and it runs");
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux, and it runs");
        // The name of the program, in parentheses, may hold blanks; user and system time are the
        // twelfth and thirteenth member after it.
        let (_, members) = stat.rsplit_once(')').expect("a name in parentheses");
        let ticks = members.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.map(|text| text.parse::<f64>().expect("a number")).sum();
        let mib = |member: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(member)).expect("a member");
            let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
            kib / 1024.0
        };
        Self { cpu: ticks / TICKS, resident: mib("VmRSS:"), peak: mib("VmHWM:") }
    }
}

//! What a long command is doing: one line on standard error that renews itself, on a terminal only.
//!
//! Not a progress bar: how many pages Route 53 has is known only at the end.

use std::io::{self, IsTerminal, Write};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, interval};

use crate::recorded::stats::{ApiStats, Operation, Outcome};

/// Between two versions of the line.
const EVERY: Duration = Duration::from_millis(200);

/// Work that is done sooner needs no line.
const SILENT_FOR: Duration = Duration::from_millis(500);

/// Takes the line away, whatever it says.
const CLEAR: &[u8] = b"\r\x1b[K";

/// True while a line stands.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// Standard error for the log: its lines do not run into that of the progress.
pub(super) fn stderr() -> impl Write {
    clear();
    io::stderr()
}

/// Does the work and says meanwhile what is being done and how far Route 53 has been read.
pub(super) async fn shown<T>(what: &str, route53: Arc<ApiStats>, work: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let start = Instant::now();
    let (mut work, mut ticks) = (pin!(work), interval(EVERY));
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            _ = ticks.tick() => {}
        }
        if SILENT_FOR <= start.elapsed() {
            draw(&line(what, &route53, start.elapsed()));
        }
    };
    clear();
    done
}

fn line(what: &str, route53: &ApiStats, took: Duration) -> String {
    let answered = route53.totals().into_iter().filter(|(operation, outcome, _)| {
        *operation == Operation::ListResourceRecordSets && *outcome == Outcome::Ok
    });
    let pages: u64 = answered.map(|(_, _, totals)| totals.attempts).sum();
    let throttled = route53.throttles();
    let told =
        |count: u64, words: &str| if count == 0 { String::new() } else { format!(", {count} {words}") };
    let (pages, throttled) = (told(pages, "pages of record sets"), told(throttled, "requests throttled"));
    format!("{what}: {} s{pages}{throttled}", took.as_secs())
}

/// A terminal that has gone away is no reason to stop.
fn draw(line: &str) {
    SHOWN.store(true, Ordering::Relaxed);
    let text = [CLEAR, line.as_bytes()].concat();
    let mut stderr = io::stderr().lock();
    drop(stderr.write_all(&text).and_then(|()| stderr.flush()));
}

fn clear() {
    if SHOWN.swap(false, Ordering::Relaxed) {
        drop(io::stderr().lock().write_all(CLEAR));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_only_what_there_is() {
        let stats = ApiStats::default();
        let said = |stats: &ApiStats| line("reading Route 53", stats, Duration::from_secs(3));
        assert_eq!(said(&stats), "reading Route 53: 3 s");
        for outcome in [Outcome::Ok, Outcome::Ok, Outcome::Throttled] {
            stats.count(Operation::ListResourceRecordSets, outcome, Duration::from_millis(80));
        }
        stats.count(Operation::GetHostedZone, Outcome::Ok, Duration::from_millis(80));
        assert_eq!(said(&stats), "reading Route 53: 3 s, 2 pages of record sets, 1 requests throttled");
    }
}

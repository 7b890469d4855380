//! The change feed: what was tried on Route 53, by whom, and how it ended.
//!
//! Two writers tell: the logs of ExternalDNS and CloudTrail; the metrics of ExternalDNS say how its
//! loop fares. Everything below is pure decoding, but [`follow`], which reads the logs of Pods,
//! [`lookup`] and [`queue`], which read CloudTrail live, [`scrape::live`] and [`notices::live`].
//!
//! ```text
//! log line --> framing --> log (per stream) --\
//!                            \-> refusal       +--> feed --> ChangeFeed
//! CloudTrail record --> cloudtrail -----------/      \-> tally (sums for metrics)
//! /metrics of a Pod --> scrape --------------/
//! ```
//!
//! [`tail`] decides which lines are new, [`storm`] how many are read. [`notices`] reads the Events of
//! Kubernetes, which prove nothing.

mod aws;
pub mod cloudtrail;
pub mod feed;
pub mod follow;
pub mod framing;
pub mod inbox;
pub mod log;
pub mod lookup;
pub mod notices;
pub mod queue;
pub mod refusal;
pub mod scrape;
pub mod storm;
pub mod tail;
pub mod tally;

use regex::Regex;

/// Compiles a constant pattern: any case, `.` matches newlines, one blank stands for any number.
#[expect(clippy::expect_used, reason = "constant patterns; the tests of each module run every one")]
fn pattern(text: &str) -> Regex {
    Regex::new(&format!("(?is){}", text.replace(' ', r"\s+"))).expect("a constant pattern")
}

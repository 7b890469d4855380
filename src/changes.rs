//! The change feed: what was tried on Route 53, by whom, and how it ended.
//!
//! Two writers tell: the logs of ExternalDNS and CloudTrail. Everything below is pure decoding,
//! but [`follow`], which reads the logs of Pods.
//!
//! ```text
//! log line --> framing --> log (per stream) --\
//!                            \-> refusal       +--> feed --> ChangeFeed
//! CloudTrail record --> cloudtrail -----------/
//! ```
//!
//! [`tail`] decides which lines are new.

pub mod cloudtrail;
pub mod feed;
pub mod follow;
pub mod framing;
pub mod log;
pub mod refusal;
pub mod scrape;
pub mod tail;

use regex::Regex;

/// Compiles a constant pattern: any case, `.` matches newlines, one blank stands for any number.
#[expect(clippy::expect_used, reason = "constant patterns; the tests of each module run every one")]
fn pattern(text: &str) -> Regex {
    Regex::new(&format!("(?is){}", text.replace(' ', r"\s+"))).expect("a constant pattern")
}

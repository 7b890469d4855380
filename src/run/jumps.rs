//! Notices that the wall clock was set, or that the machine slept.
//!
//! Whatever was written before looks old then although nobody was late. Most verdicts rest on two looks
//! and come right by themselves; that a log has fallen silent is told by its age alone.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::finding::Reason;
use crate::snapshot::{Problem, Snapshot, ViewState};

/// A clock that runs away from the other by so much between two rounds was set; less is steering.
const JUMP: SignedDuration = SignedDuration::from_secs(30);

/// For so long the age of log lines says nothing: longer than any healthy log is silent.
const QUIET: Duration = Duration::from_mins(15);

/// Compares the wall clock with the time that really passed.
#[derive(Debug, Default)]
pub(super) struct Jumps {
    last: Option<(Timestamp, Instant)>,
    seen: Option<(Instant, SignedDuration)>,
}

// === impl Jumps ===

impl Jumps {
    /// Tells the round of a jump that is not long ago.
    pub(super) fn apply(&mut self, snapshot: &mut Snapshot) {
        let now = Instant::now();
        if let Some((at, instant)) = self.last.replace((snapshot.at, now)) {
            let passed = SignedDuration::try_from(now.duration_since(instant)).unwrap_or(SignedDuration::MAX);
            let jump = snapshot.at.duration_since(at).saturating_sub(passed);
            if JUMP < jump.abs() {
                tracing::warn!(jump = format!("{jump:#}"), "the clock was set, or the machine slept");
                self.seen = Some((now, jump));
            }
        }
        self.seen.take_if(|(seen, _)| QUIET <= now.duration_since(*seen));
        if let Some((_, jump)) = self.seen.as_ref().filter(|_| snapshot.changes.state != ViewState::Off) {
            snapshot.changes.problems.push(Problem {
                scope: "clock".to_owned(),
                code: Reason::Unreachable,
                message: format!("the clock jumped by {jump:#}: the age of log lines says nothing for now"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Reading;

    #[tokio::test(start_paused = true)]
    async fn a_jump_is_told_for_a_while_and_a_pause_is_none() {
        let mut jumps = Jumps::default();
        let mut round = |at: i64| {
            let mut snapshot = Snapshot {
                at: Timestamp::from_second(at).unwrap(),
                kubernetes: Reading::off(),
                route53: Reading::off(),
                dns: Reading::off(),
                changes: Reading::unread(Vec::new()),
            };
            jumps.apply(&mut snapshot);
            snapshot.changes.problems.len()
        };
        let minutes = |count| tokio::time::advance(Duration::from_mins(count));
        assert_eq!(round(1_000), 0);
        minutes(30).await;
        assert_eq!(round(1_000 + 30 * 60), 0, "a pause is no jump");
        minutes(1).await;
        assert_eq!(round(10_000), 1, "it was set forward");
        minutes(14).await;
        assert_eq!(round(10_000 + 14 * 60), 1);
        minutes(1).await;
        assert_eq!(round(10_000 + 15 * 60), 0, "it is over");
        minutes(1).await;
        assert_eq!(round(5_000), 1, "it was set back");
    }
}

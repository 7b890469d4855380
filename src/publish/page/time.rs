//! Times as people read them.

use jiff::Timestamp;

use crate::publish::words::span;

/// A moment, to the second, and how long it was before the round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct When {
    /// For programs.
    pub(super) machine: String,
    /// For people.
    pub(super) human: String,
    /// `5 min`.
    pub(super) age: String,
}

// === impl When ===

impl When {
    pub(super) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self {
            machine: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            human: at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            age: span(now.duration_since(at).as_secs()),
        }
    }

    /// `5 min ago`, `in 5 min`.
    pub(super) fn relative(at: Timestamp, now: Timestamp) -> String {
        match now.duration_since(at).as_secs() {
            past @ 0.. => format!("{} ago", span(past)),
            future => format!("in {}", span(future.saturating_neg())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_nanoseconds() {
        let at: Timestamp = "2026-11-23T09:00:00.123456789Z".parse().expect("a time");
        let now: Timestamp = "2026-11-23T09:05:01Z".parse().expect("a time");
        let when = When::new(at, now);
        assert_eq!(when.machine, "2026-11-23T09:00:00Z");
        assert_eq!(when.human, "2026-11-23 09:00:00 UTC");
        assert_eq!(when.age, "5 min");
        assert_eq!(When::relative(at, now), "5 min ago");
        assert_eq!(When::relative(now, at), "in 5 min");
    }
}

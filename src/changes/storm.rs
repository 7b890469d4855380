//! How many lines of a stream are read: a storm is counted, not parsed.

use jiff::{SignedDuration, Timestamp};

use crate::limits::MAX_LINES_A_MINUTE;

/// Length of the window that is counted.
const WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// Counts the lines of one stream.
#[derive(Clone, Debug, Default)]
pub struct LineBudget {
    began: Option<Timestamp>,
    taken: u32,
    /// Lines were dropped since the last that was taken.
    gap: bool,
}

/// What to do with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Read it.
    Take,
    /// Read it, and know that lines before it are missing.
    TakeAfterGap,
    /// Count it.
    Drop,
}

// === impl LineBudget ===

impl LineBudget {
    /// Decides about one line that came at `now`.
    pub fn line(&mut self, now: Timestamp) -> Verdict {
        // A clock that was set back begins a new window too.
        let within = |began: Timestamp| began <= now && now.duration_since(began) < WINDOW;
        if !self.began.is_some_and(within) {
            (self.began, self.taken) = (Some(now), 0);
        }
        if MAX_LINES_A_MINUTE <= self.taken {
            self.gap = true;
            return Verdict::Drop;
        }
        self.taken = self.taken.saturating_add(1);
        if std::mem::take(&mut self.gap) { Verdict::TakeAfterGap } else { Verdict::Take }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_lines_and_the_gap_is_told_once() {
        let at = |second| Timestamp::from_second(second).expect("in range");
        let mut budget = LineBudget::default();
        let taken = (0..100_000).filter(|_| budget.line(at(59)) != Verdict::Drop).count();
        assert_eq!(u32::try_from(taken).expect("small"), MAX_LINES_A_MINUTE);
        assert_eq!(budget.line(at(118)), Verdict::Drop);
        assert_eq!(budget.line(at(119)), Verdict::TakeAfterGap);
        assert_eq!(budget.line(at(120)), Verdict::Take);
        assert_eq!(budget.line(at(10)), Verdict::Take, "set back");
    }
}

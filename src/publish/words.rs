//! Words for vocabulary that has no text of its own in the model.

use crate::model::instance::{Origin, Policy};
use crate::report::baseline::Against;
use crate::snapshot::ViewState;

/// As the report spells it.
pub(crate) const fn view_state(state: ViewState) -> &'static str {
    match state {
        ViewState::Read => "read",
        ViewState::Stale => "stale",
        ViewState::Unread => "unread",
        ViewState::Off => "off",
    }
}

/// As the report spells it.
pub(crate) const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Discovered => "discovered",
        Origin::Departed => "departed",
        Origin::Configured => "configured",
        Origin::Assumed => "assumed",
    }
}

/// As the report spells it.
pub(crate) const fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Sync => "sync",
        Policy::UpsertOnly => "upsert-only",
        Policy::CreateOnly => "create-only",
        Policy::Missing => "missing",
    }
}

/// A span in at most two units: `3 d 4 h`, `5 min`, `12 s`. A negative one is `0 s`.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// One line: how much was left out, and what is no more.
pub(crate) fn against(against: &Against) -> String {
    let Against { at, known, gone } = against;
    format!("Against the report of {at}: {known} known left out, {gone} gone.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        let check = |seconds: i64, expected: &str| assert_eq!(span(seconds), expected);
        check(-5, "0 s");
        check(59, "59 s");
        check(60, "1 min");
        check(3_600, "1 h");
        check(3_660, "1 h 1 min");
        check(86_400, "1 d");
        check(90_061, "1 d 1 h");
    }
}

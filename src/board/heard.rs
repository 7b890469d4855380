//! What DNS says about names, each in one word.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::board::Board;
use crate::model::DomainName;
use crate::model::observation::{Observation, Outcome, Vantage};
use crate::model::table::Table;

/// What the servers say about a name, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Heard {
    /// All that say anything have records.
    Answered,
    /// Some have records, others deny it: servers do not agree, or views differ on purpose.
    Mixed,
    /// All that say anything deny it.
    Denied,
    /// Servers were asked, and none said anything about it.
    Silence,
}

/// The best that one server said: to ask for IPv4 and for IPv6 is to ask about one name.
type Said = Option<bool>;

impl Heard {
    /// Every word.
    pub const ALL: [Self; 4] = [Self::Answered, Self::Mixed, Self::Denied, Self::Silence];

    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Mixed => "mixed",
            Self::Denied => "denied",
            Self::Silence => "silence",
        }
    }

    fn of(servers: impl Iterator<Item = Said>) -> Self {
        let (mut yes, mut no) = (false, false);
        for has_records in servers.flatten() {
            yes |= has_records;
            no |= !has_records;
        }
        match (yes, no) {
            (true, false) => Self::Answered,
            (true, true) => Self::Mixed,
            (false, true) => Self::Denied,
            (false, false) => Self::Silence,
        }
    }
}

/// What is heard of each of the names; those that nobody asked for are not in it. One pass over all
/// observations, however many names there are.
pub(super) fn heard<'a>(
    board: &'a Board,
    names: impl Iterator<Item = &'a DomainName>,
) -> Table<&'a DomainName, Heard> {
    let mut servers: Table<&DomainName, BTreeMap<(&str, &str), Said>> =
        names.map(|name| (name, BTreeMap::new())).collect();
    let wildcards = servers.keys().any(|name| name.is_wildcard());
    let about_names = |one: &&Observation| {
        // Without validation a resolver says what it keeps from its users.
        matches!(one.vantage, Vantage::Authoritative | Vantage::Recursive) && !one.cd
    };
    for one in board.snapshot.dns.value().into_iter().flatten().map(|one| &**one).filter(about_names) {
        let rows = if servers.contains_key(&one.name) {
            servers.get_mut(&one.name)
        } else if wildcards {
            // A wildcard is asked for by a name that nobody wants, and that stands nowhere.
            let wildcard = one.name.wildcard_sibling().filter(|wildcard| servers.contains_key(wildcard));
            wildcard
                .filter(|_| !has_records_of_its_own(board, &one.name))
                .and_then(|wildcard| servers.get_mut(&wildcard))
        } else {
            None
        };
        let Some(rows) = rows else { continue };
        let said = rows.entry((&one.view, &one.server)).or_default();
        *said = (*said).max(said_by(one.outcome));
    }
    let asked = servers.into_iter().filter(|(_, rows)| !rows.is_empty());
    asked.map(|(name, rows)| (name, Heard::of(rows.into_values()))).collect()
}

fn has_records_of_its_own(board: &Board, name: &DomainName) -> bool {
    board.wants_of(name).next().is_some() || board.zones().any(|zone| !zone.at(name).is_empty())
}

const fn said_by(outcome: Outcome) -> Said {
    match outcome {
        Outcome::Answer => Some(true),
        Outcome::Nodata | Outcome::Nxdomain => Some(false),
        Outcome::Servfail
        | Outcome::Refused
        | Outcome::Timeout
        | Outcome::Unreachable
        | Outcome::Malformed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_servers_say_nothing_about_the_name() {
        let check = |outcomes: &[Outcome], expected| {
            let said = outcomes.iter().map(|outcome| said_by(*outcome));
            assert_eq!(Heard::of(said), expected, "{outcomes:?}");
        };
        check(&[Outcome::Answer, Outcome::Timeout], Heard::Answered);
        check(&[Outcome::Answer, Outcome::Nodata], Heard::Mixed);
        check(&[Outcome::Nxdomain, Outcome::Servfail], Heard::Denied);
        check(&[Outcome::Refused, Outcome::Unreachable], Heard::Silence);
        assert!(Some(true) > Some(false) && Some(false) > None, "the best word of a server counts");
    }
}

//! Several AWS accounts as one view.
//!
//! Each account has its own role, budget and reader, so that one that fails holds up no other.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::finding::Reason;
use crate::model::zone::Zones;
use crate::snapshot::{ACCOUNT_SCOPE, Problem, Reading, ViewState};

/// How one account is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountSettings {
    /// Role that is assumed with the credentials of the default chain; `None` uses those as they are.
    pub role_arn: Option<String>,
    /// External id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Requests per second; above 0, at most [`MAX_RATE`](crate::recorded::budget::MAX_RATE).
    pub requests_per_second: f64,
}

/// The newest reading of each account, and the way out.
#[derive(Clone)]
pub(crate) struct Merger {
    names: Arc<[String]>,
    parts: Arc<Mutex<Vec<Reading<Zones>>>>,
    out: watch::Sender<Reading<Zones>>,
}

// === impl AccountSettings ===

impl AccountSettings {
    /// How messages call it: the role, or `default`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.role_arn.as_deref().unwrap_or("default")
    }

    /// Two roles of one account share its bucket, and so share a budget.
    pub(crate) fn account_id(&self) -> Option<&str> {
        self.role_arn.as_deref()?.split(':').nth(4).filter(|id| !id.is_empty())
    }
}

// === impl Merger ===

impl Merger {
    pub(crate) fn new(accounts: &[AccountSettings], out: watch::Sender<Reading<Zones>>) -> Self {
        Self {
            names: accounts.iter().map(|account| account.name().to_owned()).collect(),
            parts: Arc::new(Mutex::new(vec![Reading::unread(Vec::new()); accounts.len()])),
            out,
        }
    }

    /// Takes the reading of one account; publishes once every account has spoken.
    pub(crate) fn publish(&self, index: usize, reading: Reading<Zones>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = parts.get_mut(index) {
            *part = reading;
        }
        let spoke = |part: &Reading<Zones>| part.state != ViewState::Unread || !part.problems.is_empty();
        if parts.iter().all(spoke) {
            self.out.send_replace(merge(&self.names, &parts));
        }
    }
}

/// One reading of all: what an account lacks becomes a problem of that account and of its zones.
pub(crate) fn merge(names: &[String], parts: &[Reading<Zones>]) -> Reading<Zones> {
    if let [only] = parts {
        return only.clone();
    }
    let any = |state| parts.iter().any(|part| part.state == state);
    let mut merged = Reading::unread(Vec::new());
    merged.read_at = parts.iter().filter_map(|part| part.read_at).min();
    merged.state = if any(ViewState::Read) {
        ViewState::Read
    } else if any(ViewState::Stale) {
        ViewState::Stale
    } else {
        ViewState::Unread
    };
    let mut zones = Zones::default();
    for (name, part) in names.iter().zip(parts) {
        let of_account = |problem: &Problem| {
            let mut problem = problem.clone();
            if problem.scope == "all" {
                problem.message = format!("{name}: {}", problem.message);
                problem.scope = format!("{ACCOUNT_SCOPE}{name}");
            }
            problem
        };
        merged.problems.extend(part.problems.iter().map(of_account));
        if part.state != ViewState::Read && !part.problems.iter().any(|problem| problem.scope == "all") {
            merged.problems.push(Problem {
                scope: format!("{ACCOUNT_SCOPE}{name}"),
                code: part.problems.first().map_or(Reason::Unreachable, |problem| problem.code),
                message: format!("{name}: no zone of the account could be read"),
            });
        }
        let Some(value) = part.value() else { continue };
        for (id, reading) in &value.zones {
            // Two roles may see one zone: the newer reading counts.
            let known = zones.zones.get(id).and_then(|known| known.read_at);
            if known < reading.read_at || !zones.zones.contains_key(id) {
                zones.zones.insert(id.clone(), reading.clone());
            }
        }
        zones.health.extend(value.health.iter().map(|(id, votes)| (Arc::clone(id), *votes)));
        zones.tested.extend(value.tested.clone());
        zones.changes.extend(value.changes.iter().cloned());
    }
    merged.problems.sort();
    merged.problems.dedup();
    merged.value = merged.read_at.map(|_| Arc::new(zones));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::zone::ZoneReading;
    use crate::recorded::decode::RawHostedZone;
    use jiff::Timestamp;

    fn read(id: &str, second: i64) -> Reading<Zones> {
        let raw = RawHostedZone { id: id.to_owned(), name: "example.com.".to_owned(), ..Default::default() };
        let zone = raw.decode().expect("a zone");
        let at = Timestamp::from_second(second).expect("in range");
        let reading = ZoneReading {
            zone: zone.clone(),
            record_sets: Some(Arc::default()),
            read_at: Some(at),
            names_read: std::collections::BTreeMap::new(),
            list_failed: false,
            above: None,
        };
        Reading::read(
            at,
            Zones { zones: [(zone.id, reading)].into(), changes: Vec::new(), ..Zones::default() },
        )
    }

    fn denied() -> Problem {
        Problem { scope: "all".to_owned(), code: Reason::Forbidden, message: "no".to_owned() }
    }

    fn names() -> Vec<String> {
        ["one", "two"].map(str::to_owned).to_vec()
    }

    #[test]
    fn an_account_that_fails_leaves_the_others_read() {
        let merged = merge(&names(), &[read("Z1", 10), Reading::unread(vec![denied()])]);
        assert_eq!((merged.state, merged.problems.len()), (ViewState::Read, 1));
        assert_eq!(merged.problems[0].scope, "account two");
        assert_eq!(merged.value().map(|zones| zones.zones.len()), Some(1));
        let merged = merge(&names(), &[read("Z1", 10), read("Z2", 5)]);
        assert!(merged.is_whole());
        assert_eq!(merged.read_at, Timestamp::from_second(5).ok(), "as old as its oldest part");
        assert_eq!(merged.value().map(|zones| zones.zones.len()), Some(2));
        let merged = merge(&names(), &[Reading::unread(vec![denied()]), Reading::unread(vec![denied()])]);
        assert_eq!((merged.state, merged.value.is_none()), (ViewState::Unread, true));
    }

    #[test]
    fn nothing_is_published_before_every_account_has_spoken() {
        let accounts: Vec<AccountSettings> =
            ["arn:aws:iam::111122223333:role/a", "arn:aws:iam::444455556666:role/b"]
                .map(|arn| AccountSettings {
                    role_arn: Some(arn.to_owned()),
                    external_id: None,
                    requests_per_second: 1.0,
                })
                .to_vec();
        assert_eq!(accounts[0].account_id(), Some("111122223333"));
        let (out, latest) = watch::channel(Reading::unread(Vec::new()));
        let merger = Merger::new(&accounts, out);
        merger.publish(0, read("Z1", 10));
        assert_eq!(latest.borrow().state, ViewState::Unread, "half of the zones would look like all");
        merger.publish(1, Reading::unread(vec![denied()]));
        assert_eq!(latest.borrow().state, ViewState::Read);
        assert!(latest.borrow().problems[0].scope.contains("444455556666"));
    }
}

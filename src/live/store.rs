//! The newest observations of everything that is planned. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::finding::Reason;
use crate::live::plan::Subject;
use crate::live::probe::{Group, Harvest, Slot};
use crate::model::DomainName;
use crate::model::observation::{Observation, Outcome, Respondent, Vantage};
use crate::model::table::{Table, TableSet};
use crate::snapshot::Problem;

/// Questions in a row without any word after which a server counts as silent, whatever it said of other
/// names before: each was asked several times, over both transports.
const SILENT_AFTER: u32 = 3;

/// Respondents that are remembered beyond those that have said something: servers come and go.
const SPARE_RESPONDENTS: usize = 1_024;

/// Silent servers that are counted; those that nobody asks any more stay among them.
const MAX_SILENT: usize = 4_096;

/// Observations by what they are about.
#[derive(Debug, Default)]
pub(crate) struct Store {
    kept: BTreeMap<Arc<Subject>, Kept>,
    respondents: Respondents,
    /// Questions in a row that a server, in a view, has said nothing to.
    silence: BTreeMap<(Arc<str>, Arc<str>), u32>,
}

/// Who was asked, each held once.
#[derive(Debug, Default)]
struct Respondents {
    known: TableSet<Arc<Respondent>>,
    /// How many there may be before those that nothing is kept of are forgotten.
    room: usize,
}

#[derive(Debug, Default)]
struct Kept {
    /// Sorted by slot, those of one slot in the order in which they were made. A name has a handful; the
    /// node of a tree has room for eleven, and there are as many of these as names.
    observations: Vec<Arc<Observation>>,
    problems: Box<[Problem]>,
}

/// What an observation is about, as far as it replaces another one.
fn place(one: &Observation) -> (Vantage, &str, &str, &DomainName, &str) {
    (one.vantage, &one.view, &one.server, &one.name, &one.record_type)
}

/// The same of a question.
fn asked(slot: &Slot) -> (Vantage, &str, &str, &DomainName, &str) {
    (slot.vantage, &slot.view, &slot.server, &slot.name, slot.record_type.as_str())
}

impl Respondents {
    fn share(&mut self, one: &mut Arc<Respondent>) {
        if let Some(known) = self.known.get(one) {
            one.clone_from(known);
            return;
        }
        if self.room <= self.known.len() {
            self.known.retain(|known| 1 < Arc::strong_count(known));
            self.room = self.known.len() * 2 + SPARE_RESPONDENTS;
        }
        self.known.insert(Arc::clone(one));
    }
}

impl Kept {
    fn take(&mut self, Group { slot, observations, withheld, .. }: Group) {
        let start = self.observations.partition_point(|one| place(one) < asked(&slot));
        let rest = self.observations.get(start..).unwrap_or_default();
        let end = start + rest.iter().take_while(|one| place(one) == asked(&slot)).count();
        // A control name tells whether its resolver works now: an old answer would vouch for one that is
        // left alone because it is silent.
        if start == end || !withheld || slot.vantage == Vantage::Control {
            let new: Vec<Arc<Observation>> =
                observations.into_iter().map(|one| Arc::new(self.sharing(one))).collect();
            self.observations.splice(start..end, new);
        }
    }

    /// The observation, with records that were seen before as the same value: the servers of a zone say the
    /// same, pass after pass.
    fn sharing(&self, mut one: Observation) -> Observation {
        for known in &self.observations {
            for (new, old) in [(&mut one.answers, &known.answers), (&mut one.authority, &known.authority)] {
                if *new == *old {
                    new.clone_from(old);
                }
            }
        }
        one
    }
}

impl Store {
    /// Takes in what a job brought. What another server said earlier stays; what nobody sent
    /// because the server is unreachable does not replace what it said while it was there.
    pub(crate) fn keep(&mut self, subject: Arc<Subject>, harvest: Harvest) {
        // A name's harvest may leave servers out whose turn it is not; a zone's never does, and a
        // server that the parent no longer names must go.
        let is_complete = matches!(*subject, Subject::Zone(_) | Subject::Control(_));
        // The servers of a foreign name may be others each time.
        let is_foreign = matches!(*subject, Subject::Name(_, None));
        for group in &harvest.groups {
            let server = (Arc::clone(&group.slot.server), Arc::clone(&group.slot.view));
            if !group.is_silent() {
                self.silence.remove(&server);
            } else if self.silence.len() < MAX_SILENT || self.silence.contains_key(&server) {
                let run = self.silence.entry(server).or_default();
                *run = run.saturating_add(1);
            }
        }
        let kept = self.kept.entry(subject).or_default();
        kept.problems = harvest.problems.into();
        if is_complete {
            kept.observations
                .retain(|one| harvest.groups.iter().any(|group| asked(&group.slot) == place(one)));
        }
        if is_foreign {
            kept.observations.retain(|one| {
                let again = |group: &Group| {
                    let slot = &group.slot;
                    slot.vantage == one.vantage && *slot.record_type.as_str() == *one.record_type
                };
                one.vantage != Vantage::Authoritative
                    || harvest.groups.iter().any(|group| asked(&group.slot) == place(one))
                    || !harvest.groups.iter().any(again)
            });
        }
        for mut group in harvest.groups {
            for one in &mut group.observations {
                self.respondents.share(&mut one.respondent);
            }
            kept.take(group);
        }
        kept.observations.shrink_to_fit();
    }

    /// Drops the observations that no question of the present work can replace: of types, servers
    /// and views that are no longer planned.
    pub(crate) fn retain(&mut self, subject: &Subject, still_asked: impl Fn(&Observation) -> bool) {
        if let Some(kept) = self.kept.get_mut(subject) {
            kept.observations.retain(|one| still_asked(one));
        }
    }

    pub(crate) fn forget(&mut self, subject: &Subject) {
        self.kept.remove(subject);
    }

    /// The resolver questions about a subject that had an answer the last time.
    pub(crate) fn answered_by_resolvers(&self, subject: &Subject) -> BTreeSet<Slot> {
        let observations = self.kept.get(subject).into_iter().flat_map(|kept| &kept.observations);
        let answered = |one: &&Arc<Observation>| {
            one.vantage == Vantage::Recursive && one.outcome == Outcome::Answer && !one.cd
        };
        observations.filter(answered).map(|one| Slot::of(one)).collect()
    }

    /// All observations, in the order of their subjects; shared, not copied.
    pub(crate) fn observations(&self) -> Vec<Arc<Observation>> {
        self.kept.values().flat_map(|kept| &kept.observations).cloned().collect()
    }

    /// What could not be asked, and the servers that answer nothing. Where nobody does, it is said of
    /// the whole view.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut silent: Table<(&Arc<str>, &Arc<str>), bool> = Table::default();
        for one in self.kept.values().flat_map(|kept| &kept.observations) {
            let is_silent = matches!(one.outcome, Outcome::Timeout | Outcome::Unreachable);
            silent.entry((&one.server, &one.view)).and_modify(|all| *all &= is_silent).or_insert(is_silent);
        }
        for ((server, view), run) in &self.silence {
            // A server that nobody asks any more is no trouble.
            if let Some(all) = silent.get_mut(&(server, view)) {
                *all |= SILENT_AFTER <= *run;
            }
        }
        let nobody = (!silent.is_empty() && silent.values().all(|all| *all)).then(|| Problem {
            scope: "all".to_owned(),
            code: Reason::Unreachable,
            message: format!("none of {} DNS servers answers", silent.len()),
        });
        let dead = silent.into_iter().filter(|(_, all)| *all).map(|((server, view), _)| Problem {
            scope: server.to_string(),
            code: Reason::Unreachable,
            message: format!("no answer from DNS server {server} (view {view})"),
        });
        let mut problems: Vec<Problem> =
            self.kept.values().flat_map(|kept| &kept.problems).cloned().chain(dead).chain(nobody).collect();
        problems.sort();
        problems.dedup();
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::live::endpoint::Endpoint;
    use crate::live::plan::Subject;
    use crate::model::RecordType;

    fn asks(store: &mut Store, server: &str, name: &str, outcome: Outcome, withheld: bool) {
        let (slot, seen) = observation(Vantage::Authoritative, server, name, outcome);
        let group = Group::of(slot, vec![seen], withheld);
        let harvest = Harvest { groups: vec![group], problems: Vec::new() };
        store.keep(Arc::new(Subject::Name(name.into(), None)), harvest);
    }

    fn observation(vantage: Vantage, server: &str, name: &str, outcome: Outcome) -> (Slot, Observation) {
        let slot = Slot {
            vantage,
            view: "public".into(),
            server: server.into(),
            name: name.into(),
            record_type: RecordType::A,
        };
        (slot, fixture::observation(vantage, server, name, outcome))
    }

    /// The control name says whether a resolver works now, so its answer does not outlive the resolver.
    #[test]
    fn a_resolver_that_is_left_alone_is_not_vouched_for_by_what_it_said() {
        let mut store = Store::default();
        let mut said = |vantage, outcome, withheld| {
            let endpoint = Endpoint::Plain("192.0.2.53:53".parse().expect("an address"));
            let (subject, name) = match vantage {
                Vantage::Control => (Subject::Control(Box::new(endpoint)), "control.test"),
                Vantage::Parent | Vantage::Authoritative | Vantage::Recursive => {
                    (Subject::Name("app.test".into(), None), "app.test")
                }
            };
            let (slot, seen) = observation(vantage, "192.0.2.53:53", name, outcome);
            let group = Group::of(slot, vec![seen], withheld);
            store.keep(Arc::new(subject), Harvest { groups: vec![group], problems: Vec::new() });
            let kept = store.observations();
            kept.iter().map(|one| (one.vantage, one.outcome)).collect::<Vec<_>>()
        };
        said(Vantage::Recursive, Outcome::Answer, false);
        said(Vantage::Control, Outcome::Answer, false);
        said(Vantage::Recursive, Outcome::Unreachable, true);
        let mut last = said(Vantage::Control, Outcome::Unreachable, true);
        last.sort();
        assert_eq!(last, [(Vantage::Recursive, Outcome::Answer), (Vantage::Control, Outcome::Unreachable)]);
    }

    fn scopes(store: &Store) -> Vec<String> {
        store.problems().into_iter().map(|problem| problem.scope).collect()
    }

    /// Old answers about other names do not hide that a server has died.
    #[test]
    fn a_server_that_fell_silent_is_told_and_all_of_them_make_the_view_blind() {
        let mut store = Store::default();
        for server in ["ns1", "ns2"] {
            asks(&mut store, server, &format!("well-{server}.test"), Outcome::Answer, false);
        }
        for _ in 0..2 {
            asks(&mut store, "ns1", "other.test", Outcome::Timeout, false);
        }
        assert_eq!(scopes(&store), [""; 0], "two lost questions are no silence");
        asks(&mut store, "ns1", "other.test", Outcome::Unreachable, true);
        assert_eq!(scopes(&store), ["ns1"]);
        for _ in 0..3 {
            asks(&mut store, "ns2", "another.test", Outcome::Timeout, false);
        }
        assert_eq!(scopes(&store), ["all", "ns1", "ns2"]);
        asks(&mut store, "ns2", "another.test", Outcome::Nxdomain, false);
        assert_eq!(scopes(&store), ["ns1"], "any word will do");
    }
}

//! Who asked for quiet: annotations on objects, rules of the configuration, maintenance. Pure.
//!
//! A muted finding stays in the report with its reason and its end. A mute that cannot be read
//! mutes nothing and is listed: silence by mistake is an outage that nobody sees.

use jiff::Timestamp;

use crate::compare::explain::names;
use crate::compare::verdict::Candidate;
use crate::compare::world::World;
use crate::finding::{Kind, SilentReason};
use crate::limits::MAX_MUTES;
use crate::model::TextMap;
use crate::model::text::{printable, truncate};
use crate::policy::{MuteRule, Policy};
use crate::report::{Mute, MuteReport, MuteState};
use crate::snapshot::Snapshot;

const KINDS: &str = "dns-drift/mute";
const UNTIL: &str = "dns-drift/mute-until";
const REASON: &str = "dns-drift/mute-reason";

/// Longest text that is taken from an annotation.
const MAX_TEXT: usize = 200;

/// The mute that applies to a statement, with the words for the list of silent reasons.
#[must_use]
pub fn of(world: &World<'_>, candidate: &Candidate) -> Option<(Mute, SilentReason, String)> {
    now(world.snapshot, world.policy, candidate)
}

/// The same for a statement of an earlier round.
#[must_use]
pub fn now(
    snapshot: &Snapshot,
    policy: &Policy,
    candidate: &Candidate,
) -> Option<(Mute, SilentReason, String)> {
    let blind = candidate.key.kind == Kind::ObserverBlind;
    let period = policy.maintenance.iter().find(|period| {
        let concerns = period.instance.as_ref().is_none_or(|id| Some(id) == candidate.key.instance.as_ref());
        !blind && concerns && period.from <= snapshot.at && snapshot.at < period.until
    });
    if let Some(period) = period {
        let mute = Mute { by: "maintenance".to_owned(), reason: None, until: Some(period.until) };
        return Some((mute, SilentReason::Maintenance, "a declared maintenance period".to_owned()));
    }
    let cluster = snapshot.kubernetes.value();
    let object = candidate.object.as_ref().and_then(|reference| cluster?.objects.get(reference));
    let asked = object.and_then(|object| read(&object.annotations));
    if let Some(asked) = asked.filter(|asked| asked.applies(candidate.key.kind, snapshot.at)) {
        let by = format!("annotation of {}", candidate.object.as_ref()?);
        let mute = Mute { by, reason: asked.reason, until: asked.until };
        return Some((mute, SilentReason::OptedOut, format!("the {KINDS} annotation of the object")));
    }
    let rules = policy.mutes.iter().enumerate();
    let (index, rule) = rules.into_iter().find(|(_, rule)| matches(rule, candidate, snapshot.at))?;
    let mute = Mute { by: format!("mutes[{index}]"), reason: rule.reason.clone(), until: rule.until };
    Some((mute, SilentReason::OptedOut, format!("mutes[{index}] of the configuration")))
}

/// Every mute that is declared, whether it applies to a finding or not.
#[must_use]
pub fn list(world: &World<'_>) -> Vec<MuteReport> {
    let rules = world.policy.mutes.iter().enumerate().map(|(index, rule)| MuteReport {
        by: format!("mutes[{index}]"),
        kinds: rule.kind.map(|kind| kind.to_string()).into_iter().collect(),
        until: rule.until,
        reason: rule.reason.clone(),
        state: state(rule.until, world.at()),
        problem: None,
    });
    let objects = world.snapshot.kubernetes.value().into_iter().flat_map(|cluster| cluster.objects.values());
    let asked = objects.filter_map(|object| {
        let asked = read(&object.annotations)?;
        Some(MuteReport {
            by: format!("annotation of {}", object.reference),
            kinds: asked.kinds,
            until: asked.until,
            reason: asked.reason,
            state: if asked.broken { MuteState::Malformed } else { state(asked.until, world.at()) },
            problem: asked.problem,
        })
    });
    rules.chain(asked).take(MAX_MUTES).collect()
}

fn state(until: Option<Timestamp>, now: Timestamp) -> MuteState {
    if until.is_some_and(|until| until <= now) { MuteState::Ended } else { MuteState::Active }
}

// === annotations ===

/// What the annotations of one object ask for.
struct Asked {
    kinds: Vec<String>,
    until: Option<Timestamp>,
    reason: Option<String>,
    /// It mutes nothing.
    broken: bool,
    /// What could not be understood.
    problem: Option<String>,
}

impl Asked {
    fn applies(&self, kind: Kind, now: Timestamp) -> bool {
        let named = self.kinds.iter().any(|word| is_all(word) || word == kind.as_str());
        named && !self.broken && state(self.until, now) == MuteState::Active
    }
}

/// `true` is what people write who have not read the manual, and can mean nothing else.
fn is_all(word: &str) -> bool {
    matches!(word, "all" | "true")
}

/// Reads the annotations of an object; `None` when they say nothing about muting.
fn read(annotations: &TextMap) -> Option<Asked> {
    let (kinds, until) = (annotations.get(KINDS), annotations.get(UNTIL));
    if kinds.is_none() && until.is_none() {
        return None;
    }
    let words = kinds.into_iter().flat_map(|kinds| kinds.split(',')).map(str::trim);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let known = |word: &&&str| is_all(word) || Kind::from_word(word).is_some();
    let mut problems: Vec<String> = words
        .iter()
        .filter(|word| !known(word))
        .map(|word| format!("{KINDS}: {:?} is neither a kind nor all", truncate(word, MAX_TEXT)))
        .collect();
    let kinds: Vec<String> = words.iter().filter(known).map(|word| (*word).to_owned()).collect();
    let mut broken = kinds.is_empty();
    if words.is_empty() {
        problems.push(format!("{KINDS} is missing or names no kind"));
    }
    let end = until.map(|text| text.trim().parse::<Timestamp>());
    if let (Some(Err(_)), Some(text)) = (&end, until) {
        broken = true;
        problems
            .push(format!("{UNTIL}: {:?} is no time like 2026-11-23T09:20:00Z", truncate(text, MAX_TEXT)));
    }
    Some(Asked {
        kinds,
        until: end.and_then(Result::ok),
        reason: annotations.get(REASON).map(|text| printable(&truncate(text, MAX_TEXT))),
        broken,
        problem: (!problems.is_empty()).then(|| printable(&problems.join("; "))),
    })
}

// === rules ===

fn matches(rule: &MuteRule, candidate: &Candidate, now: Timestamp) -> bool {
    let kind = match rule.kind {
        Some(kind) => kind == candidate.key.kind,
        // Whoever mutes names does not mean the sight of dns-drift itself.
        None => candidate.key.kind != Kind::ObserverBlind,
    };
    let namespace = rule.namespace.as_ref().is_none_or(|namespace| {
        candidate.object.as_ref().is_some_and(|object| *object.namespace == **namespace)
    });
    let name = rule.name.as_ref().is_none_or(|pattern| {
        let mut names = names(candidate).peekable();
        names.peek().is_some() && names.all(|name| pattern.matches(name.as_str()))
    });
    kind && namespace && name && state(rule.until, now) == MuteState::Active
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(rows: &[(&str, &str)]) -> Option<Asked> {
        read(&rows.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn an_unreadable_mute_mutes_nothing_and_says_so() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().expect("a time");
        let check = |rows: &[(&str, &str)], applies: bool, problem: bool| {
            let asked = asked(rows).expect("annotations");
            assert_eq!(asked.applies(Kind::MissingRecord, now), applies, "{rows:?}");
            assert_eq!(asked.problem.is_some(), problem, "{rows:?}: {:?}", asked.problem);
        };
        check(&[(KINDS, "all")], true, false);
        check(&[(KINDS, "true")], true, false);
        check(&[(KINDS, " missing_record , wrong_ttl ")], true, false);
        check(&[(KINDS, "wrong_ttl")], false, false);
        check(&[(KINDS, "missing_record,mising")], true, true);
        check(&[(KINDS, "")], false, true);
        check(&[(UNTIL, "2026-11-24T10:00:00Z")], false, true);
        check(&[(KINDS, "all"), (UNTIL, "tomorrow")], false, true);
        check(&[(KINDS, "all"), (UNTIL, "2026-11-23T10:00:00Z")], false, false);
        check(&[(KINDS, "all"), (UNTIL, "2026-11-23T10:00:01Z")], true, false);
        assert!(asked(&[("team", "shop")]).is_none());
    }
}

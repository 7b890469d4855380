//! Views that cannot be read. Pure.

use std::collections::BTreeSet;

use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::world::World;
use crate::finding::{FindingKey, Impact, Kind, Reason, Subject};
use crate::model::text::printable;
use crate::model::zone::HostedZone;
use crate::past::{Blind, Past};
use crate::report::Fix;
use crate::snapshot::{Problem, Snapshot, ViewName};

/// States each view that has been blind for longer than the policy allows.
pub fn judge_views(world: &World<'_>, out: &mut Verdicts) {
    for view in ViewName::ALL {
        let rows = world.past.blind.iter().filter(|((of, _), _)| *of == view);
        let mut tired: Vec<&Blind> =
            rows.map(|(_, blind)| blind).filter(|blind| blind.is_stated(world.policy.blind_cycles)).collect();
        tired.retain(|blind| concerns_view(view, blind, world.snapshot));
        tired.sort_by_key(|blind| blind.since);
        let Some(first) = tired.first() else { continue };
        out.candidates.push(candidate(world, view, first, &tired));
    }
}

/// Views that could not be read in this round, whether that is stated yet or not.
#[must_use]
pub fn dim_views(past: &Past, snapshot: &Snapshot) -> BTreeSet<ViewName> {
    let rows = past.blind.iter().filter(|((view, _), blind)| concerns_view(*view, blind, snapshot));
    rows.map(|((view, _), _)| *view).collect()
}

/// Views that have been unreadable for so long that they are stated as blind.
#[must_use]
pub fn stated_views(past: &Past, snapshot: &Snapshot, borne: u32) -> BTreeSet<ViewName> {
    // What is unread of a zone whose records were read until the whole view went dark is no reason to give them up.
    let is_dark = |view: ViewName| past.blind.contains_key(&(view, "all".to_owned()));
    let stated = past.blind.iter().filter(|((view, _), blind)| {
        blind.is_stated(borne) && concerns_view(*view, blind, snapshot) && !(blind.is_aside && is_dark(*view))
    });
    stated.map(|((view, _), _)| *view).collect()
}

/// A dead name server, one odd object or one log does not make a view blind; it is listed with the view. All
/// servers or all feeds together do: then nothing was read.
fn concerns_view(view: ViewName, blind: &Blind, snapshot: &Snapshot) -> bool {
    let scope = blind.problem.scope.as_str();
    match view {
        ViewName::Kubernetes => !scope.contains('/'),
        ViewName::Route53 => true,
        ViewName::Dns => scope == "all" || snapshot.dns.state.is_missed(),
        ViewName::Changes => scope == "all" || snapshot.changes.state.is_missed(),
    }
}

/// Findings that rest on a fact of a zone that this round has not read: its VPCs, its limit. Source: Route 53
/// API, `GetHostedZone`, `GetHostedZoneLimit`.
pub fn without_facts<'a>(snapshot: &Snapshot, known: impl Iterator<Item = &'a Candidate>) -> Vec<FindingKey> {
    let zones: Vec<&HostedZone> = snapshot
        .route53
        .value()
        .into_iter()
        .flat_map(|zones| zones.zones.values().map(|reading| &reading.zone))
        .collect();
    let hides_vpcs = |zone: &HostedZone| zone.private && zone.vpcs.is_none();
    let lacks = |one: &&Candidate| {
        let of = |zone: &HostedZone| one.key.zone_id.as_ref() == Some(&zone.id);
        let covers =
            |zone: &HostedZone| one.key.subject.record().is_some_and(|key| key.name.is_within(&zone.name));
        match (one.key.kind, one.reason) {
            (Kind::ZoneUnassociated, _) => zones.iter().any(|zone| of(zone) && hides_vpcs(zone)),
            (Kind::ZoneQuota, _) => zones.iter().any(|zone| of(zone) && zone.limit.is_none()),
            (Kind::WrongZone, Reason::ShadowedByPrivateZone) => {
                zones.iter().any(|zone| covers(zone) && hides_vpcs(zone))
            }
            (Kind::WrongZone, Reason::ParentZone) => {
                let is_private = zones.iter().any(|zone| of(zone) && zone.private);
                is_private && zones.iter().any(|zone| covers(zone) && hides_vpcs(zone))
            }
            (_, _) => false,
        }
    };
    known.filter(lacks).map(|one| one.key.clone()).collect()
}

fn candidate(world: &World<'_>, view: ViewName, first: &Blind, all: &[&Blind]) -> Candidate {
    let key = FindingKey {
        subject: Subject::Source(view),
        zone_id: None,
        instance: None,
        kind: Kind::ObserverBlind,
    };
    let mut candidate = Candidate::new(key, first.problem.code, Impact::None, world.at());
    candidate.certain = true;
    candidate.onset = Some(first.since);
    candidate.rests_on = &[];
    candidate.evidence =
        all.iter().map(|blind| format!("{}: {}", blind.problem.scope, blind.problem.message)).collect();
    candidate.summary = format!(
        "dns-drift cannot read {} ({}): verdicts that rest on it are frozen since {}.",
        view.as_str(),
        first.problem.scope,
        first.since
    );
    candidate.fix = fix(view, &first.problem);
    candidate
}

fn fix(view: ViewName, problem: &Problem) -> Fix {
    let summary = match (view, problem.code) {
        (ViewName::Kubernetes, Reason::Forbidden) => {
            let kind = printable(&problem.scope);
            let summary =
                format!("Give the service account of dns-drift the verbs list and watch on {kind}.");
            return Fix { summary, ..Fix::default() };
        }
        (ViewName::Route53, Reason::Forbidden) => {
            "Give the role of dns-drift the read action that the message names."
        }
        (_, Reason::Throttled) => "Lower the request rate, or find out who else uses the account's budget.",
        (_, Reason::EmptySuspicious) => {
            "The list came back empty and was full before: check it by hand before you believe it."
        }
        _ => "See the message; dns-drift tries again by itself.",
    };
    Fix { summary: summary.to_owned(), ..Fix::default() }
}

//! What DNS is to be asked, from what is wanted and what the zones hold. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::finding::State;
use crate::live::plan::{ProbeName, ProbePlan, ProbeZone};
use crate::live::settings::PUBLIC_VIEW;
use crate::model::want::InstanceWants;
use crate::model::zone::{HostedZone, ZoneReading, Zones};
use crate::model::{Content, DomainName, RecordType, Value, ZoneId};
use crate::policy::Policy;
use crate::publish::api::waiters::Waited;
use crate::report::Report;

/// Recorded names that nobody wants and that are asked too: their targets may be gone. A bound,
/// because each costs queries and a zone may hold tens of thousands.
const MAX_UNWANTED: usize = 5_000;

/// A name is in doubt for so long after its object changed.
const NEW_FOR: SignedDuration = SignedDuration::from_mins(15);

/// Types whose answers are compared.
const ASKED: [RecordType; 3] = [RecordType::A, RecordType::Aaaa, RecordType::Cname];

/// What the plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// What the instances want.
    pub wants: &'a [InstanceWants],
    /// The hosted zones.
    pub zones: &'a Zones,
    /// The last report; `None` before the first.
    pub report: Option<&'a Report>,
    /// The rules, for the network views.
    pub policy: &'a Policy,
    /// The views of the resolvers that can be asked.
    pub resolver_views: &'a BTreeSet<Arc<str>>,
    /// Names that somebody waits for.
    pub waited: &'a Waited,
    /// The time of the round.
    pub at: Timestamp,
}

#[derive(Default)]
struct Asked {
    types: BTreeSet<RecordType>,
    doubtful: bool,
    /// Nobody wants it and no zone holds it; only somebody who waits asks for it.
    unheard_of: bool,
}

/// Makes the plan: the names that are wanted, the recorded ones in the zones of the instances, and
/// the foreign names that either points at.
#[must_use]
pub fn probe_plan(input: PlanInput<'_>) -> ProbePlan {
    let mut names: BTreeMap<(ZoneId, DomainName), Asked> = BTreeMap::new();
    let mut foreign: BTreeSet<DomainName> = BTreeSet::new();
    let in_trouble = in_trouble(input.report);
    let fresh_from = input.at.saturating_sub(NEW_FOR).unwrap_or(Timestamp::MIN);
    for want in input.wants.iter().flat_map(|instance| &instance.wants) {
        let Some(reading) = want.zone_id().and_then(|id| input.zones.zones.get(id)) else { continue };
        if !ASKED.contains(&want.record_type) {
            continue;
        }
        let key = (reading.zone.id.clone(), want.name.clone());
        let asked = names.entry(key).or_default();
        asked.types.insert(want.record_type.clone());
        let changed = want.changed_at.max(want.status_changed_at).max(want.created_at);
        asked.doubtful |= in_trouble.contains(&want.name) || changed.is_some_and(|at| fresh_from < at);
        foreign.extend(target(&want.content, input.zones));
    }
    add_recorded(&input, &mut names, &mut foreign);
    add_waited(&input, &mut names);
    let servers = input.zones.zones.iter().map(|(id, reading)| (id, name_servers(reading))).collect();
    ProbePlan {
        names: named(&input, names, &servers).chain(outside(&input, foreign)).collect(),
        zones: input
            .zones
            .zones
            .values()
            .filter(|reading| {
                input.policy.shard.as_ref().is_none_or(|shard| shard.owns_zone(&reading.zone.id))
            })
            .map(|reading| probe_zone(&reading.zone, &servers))
            .collect(),
    }
}

/// Names with a finding that is not settled.
fn in_trouble(report: Option<&Report>) -> BTreeSet<DomainName> {
    let findings = report.into_iter().flat_map(|report| &report.findings);
    findings
        .filter(|finding| matches!(finding.state, State::Open | State::Pending))
        .filter_map(|finding| finding.subject.record().map(|key| key.name.clone()))
        .collect()
}

/// Types that stand at wanted names, and further names up to the bound.
fn add_recorded(
    input: &PlanInput<'_>,
    names: &mut BTreeMap<(ZoneId, DomainName), Asked>,
    foreign: &mut BTreeSet<DomainName>,
) {
    let handled: BTreeSet<&ZoneId> = input.wants.iter().flat_map(|instance| &instance.zones).collect();
    let mut room = MAX_UNWANTED;
    for id in handled {
        let Some(reading) = input.zones.zones.get(id) else { continue };
        let own = reading.records().iter().filter(|set| input.policy.owns_record(Some(id), &set.name));
        for set in own.filter(|set| ASKED.contains(&set.record_type)) {
            let key = (id.clone(), set.name.clone());
            if !names.contains_key(&key) {
                if room == 0 {
                    continue;
                }
                room -= 1;
            }
            names.entry(key).or_default().types.insert(set.record_type.clone());
            foreign.extend(target(&set.content, input.zones));
        }
    }
}

/// Names that somebody waits for and that neither an object nor a zone has: their zones' own servers
/// are asked, and nobody who would remember the denial.
fn add_waited(input: &PlanInput<'_>, names: &mut BTreeMap<(ZoneId, DomainName), Asked>) {
    for name in input.waited.keys() {
        let zones = input.zones.zones.values().map(|reading| &reading.zone);
        for zone in zones.filter(|zone| !zone.private && name.is_within(&zone.name)) {
            names.entry((zone.id.clone(), name.clone())).or_insert_with(|| Asked {
                types: [RecordType::A, RecordType::Aaaa].into(),
                doubtful: true,
                unheard_of: true,
            });
        }
    }
}

/// The name outside of our zones that a CNAME or alias leads to.
fn target(content: &Content, zones: &Zones) -> Option<DomainName> {
    let name = match content {
        Content::Values { values, .. } => values.iter().find_map(Value::host).cloned(),
        Content::Alias(target) => Some(target.dns_name.clone()),
        Content::TrafficPolicy(_) => None,
    }?;
    let ours = zones.zones.values().any(|reading| name.is_within(&reading.zone.name));
    (!ours && name.defect().is_none() && !name.is_wildcard()).then_some(name)
}

/// The delegation set, or where it was not told the NS records at the apex.
fn name_servers(reading: &ZoneReading) -> Arc<[DomainName]> {
    let zone = &reading.zone;
    if zone.private {
        return Arc::default();
    }
    if !zone.delegation_set.is_empty() {
        return zone.delegation_set.clone().into();
    }
    let apex = reading.at(&zone.name).iter().filter(|set| set.record_type == RecordType::Ns);
    apex.flat_map(|set| set.content.plain_values()).filter_map(Value::host).cloned().collect()
}

fn probe_zone(zone: &HostedZone, servers: &BTreeMap<&ZoneId, Arc<[DomainName]>>) -> ProbeZone {
    ProbeZone {
        id: zone.id.clone(),
        name: zone.name.clone(),
        name_servers: servers.get(&zone.id).cloned().unwrap_or_default(),
        private: zone.private,
    }
}

fn named(
    input: &PlanInput<'_>,
    names: BTreeMap<(ZoneId, DomainName), Asked>,
    servers: &BTreeMap<&ZoneId, Arc<[DomainName]>>,
) -> impl Iterator<Item = ProbeName> {
    let views: BTreeMap<&ZoneId, Arc<[Arc<str>]>> =
        input.zones.zones.iter().map(|(id, reading)| (id, views_of(input, &reading.zone))).collect();
    let mut all = Vec::new();
    for ((zone, name), asked) in names {
        if name.defect().is_some() {
            continue;
        }
        let waited = input.waited.contains_key(&name);
        let known_views = if asked.unheard_of { None } else { views.get(&zone) };
        all.push(ProbeName {
            record_types: asked.types.into_iter().collect(),
            name_servers: servers.get(&zone).cloned().unwrap_or_default(),
            views: known_views.cloned().unwrap_or_default(),
            doubtful: asked.doubtful || waited,
            waited,
            zone_id: Some(zone),
            name,
        });
    }
    all.into_iter()
}

/// Whose resolvers may be asked about a zone: of a private one those in its VPCs; of a public one
/// all that see it, and those that are only shown.
fn views_of(input: &PlanInput<'_>, zone: &HostedZone) -> Arc<[Arc<str>]> {
    let sees = |name: &&Arc<str>| {
        if name.as_ref() == PUBLIC_VIEW {
            return !zone.private;
        }
        let Some(view) = input.policy.view(name) else { return !zone.private };
        let inside =
            |zone: &HostedZone| zone.vpcs.iter().flatten().any(|vpc| Some(&vpc.id) == view.vpc_id.as_ref());
        if zone.private {
            return inside(zone);
        }
        // The private twin answers there.
        let twin = input.zones.zones.values().map(|reading| &reading.zone);
        let hidden = twin.filter(|other| other.private && other.name == zone.name).any(inside);
        (view.resolves_public || view.internal) && !hidden
    };
    input.resolver_views.iter().filter(sees).cloned().collect()
}

/// Names outside of our zones: only public resolvers know them for everybody.
fn outside(input: &PlanInput<'_>, foreign: BTreeSet<DomainName>) -> impl Iterator<Item = ProbeName> + use<> {
    let views: Arc<[Arc<str>]> =
        input.resolver_views.iter().filter(|view| ***view == *PUBLIC_VIEW).cloned().collect();
    foreign.into_iter().take(MAX_UNWANTED).map(move |name| ProbeName {
        name,
        record_types: vec![RecordType::A, RecordType::Aaaa],
        zone_id: None,
        name_servers: Arc::default(),
        views: Arc::clone(&views),
        doubtful: false,
        waited: false,
    })
}

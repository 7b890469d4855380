//! What DNS is to be asked, from what is wanted and what the zones hold. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::finding::State;
use crate::live::plan::{ExpectedAnswer, ProbeName, ProbePlan, ProbeZone};
use crate::live::settings::PUBLIC_VIEW;
use crate::model::observation::Observation;
use crate::model::record::RecordSet;
use crate::model::want::{InstanceWants, Want};
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

/// Types of records whose answers are compared.
const ASKED: [RecordType; 3] = [RecordType::A, RecordType::Aaaa, RecordType::Cname];

/// Labels between a wildcard and a name below it that are looked at; real ones are a few.
const MAX_DEPTH: usize = 8;

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
    /// The addresses that were seen behind names; see [`resolved`].
    pub resolved: &'a BTreeMap<DomainName, BTreeSet<IpAddr>>,
    /// The time of the round.
    pub at: Timestamp,
    /// The names of the plan before; none for the first.
    pub before: &'a [Arc<ProbeName>],
}

/// Types that a name is asked for. Whatever stands there shows itself in the answer to one of the two; a set
/// of types would take half a kilobyte for each name.
#[derive(Clone, Copy, Default)]
struct Types {
    a: bool,
    aaaa: bool,
}

#[derive(Default)]
struct Asked {
    types: Types,
    doubtful: bool,
    /// Nobody wants it and no zone holds it; only somebody who waits asks for it.
    unheard_of: bool,
}

type Names = BTreeMap<(ZoneId, DomainName), Asked>;

/// Makes the plan: the names that are wanted, the recorded ones in the zones of the instances, what
/// either points at, and the names that hide a wanted wildcard.
#[must_use]
pub fn probe_plan(input: PlanInput<'_>) -> ProbePlan {
    let mut names = Names::new();
    let mut targets: BTreeSet<DomainName> = BTreeSet::new();
    let in_trouble = in_trouble(input.report);
    let fresh_from = input.at.saturating_sub(NEW_FOR).unwrap_or(Timestamp::MIN);
    for want in input.wants.iter().flat_map(|instance| &instance.wants) {
        let Some(reading) = want.zone_id().and_then(|id| input.zones.zones.get(id)) else { continue };
        if !ASKED.contains(&want.record_type) {
            continue;
        }
        let key = (reading.zone.id.clone(), want.name.clone());
        let asked = names.entry(key).or_default();
        asked.types.add(&want.record_type);
        let is_new = changed_at(want).is_some_and(|at| fresh_from < at);
        asked.doubtful |= in_trouble.contains(&want.name) || is_new;
        targets.extend(targets_of(&want.content));
    }
    add_recorded(&input, &mut names, &mut targets);
    add_waited(&input, &mut names);
    let foreign = add_targets(&input, &mut names, targets);
    add_holes(&input, &mut names);
    let servers = input.zones.zones.iter().map(|(id, reading)| (id, name_servers(reading))).collect();
    ProbePlan {
        names: shared(named(input, names, &servers).chain(outside(&input, foreign)), input.before),
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

/// A name that is as it was is the same value as before: most are, and a plan is large.
fn shared(names: impl Iterator<Item = ProbeName>, before: &[Arc<ProbeName>]) -> Vec<Arc<ProbeName>> {
    let mut before = before.iter().peekable();
    let share = |name: ProbeName| {
        while before.next_if(|old| place(old) < place(&name)).is_some() {}
        before.next_if(|old| ***old == name).map_or_else(|| Arc::new(name), Arc::clone)
    };
    names.map(share).collect()
}

/// The order of a plan: by zone and name, and at the end what lies in no zone.
fn place(name: &ProbeName) -> (bool, Option<&ZoneId>, &DomainName) {
    (name.zone_id.is_none(), name.zone_id.as_ref(), &name.name)
}

/// The plan for one name alone, whether anybody wants it or not: every server that could know it.
#[must_use]
pub fn plan_for(input: PlanInput<'_>, name: &DomainName) -> ProbePlan {
    let mut plan = probe_plan(input);
    plan.names.retain(|one| one.name == *name);
    if plan.names.is_empty() {
        let mut names = Names::new();
        let targets = BTreeSet::from([name.clone()]);
        let foreign = add_targets(&input, &mut names, targets);
        let servers = input.zones.zones.iter().map(|(id, reading)| (id, name_servers(reading))).collect();
        plan.names = named(input, names, &servers).chain(outside(&input, foreign)).map(Arc::new).collect();
    }
    for one in plan.names.iter_mut().map(Arc::make_mut) {
        one.doubtful = true;
        one.record_types = vec![RecordType::A, RecordType::Aaaa];
    }
    let zones: BTreeSet<&ZoneId> = plan.names.iter().filter_map(|one| one.zone_id.as_ref()).collect();
    plan.zones.retain(|zone| zones.contains(&zone.id));
    plan
}

/// Until when the plan stays what it is, although names cease to be new; `None` when none is.
pub(super) fn new_until(wants: &[InstanceWants], at: Timestamp) -> Option<Timestamp> {
    let news = wants.iter().flat_map(|one| &one.wants).filter_map(changed_at);
    news.map(|changed| changed.saturating_add(NEW_FOR).unwrap_or(Timestamp::MAX))
        .filter(|end| at < *end)
        .min()
}

/// The newest change of what makes the wish.
fn changed_at(want: &Want) -> Option<Timestamp> {
    want.changed_at.max(want.status_changed_at).max(want.created_at)
}

/// Names with a finding that is not settled.
pub(super) fn in_trouble(report: Option<&Report>) -> BTreeSet<DomainName> {
    let findings = report.into_iter().flat_map(|report| &report.findings);
    findings
        .filter(|finding| matches!(finding.state, State::Open | State::Pending))
        .filter_map(|finding| finding.subject.record().map(|key| key.name.clone()))
        .collect()
}

/// Types that stand at wanted names, and further names up to the bound.
fn add_recorded(input: &PlanInput<'_>, names: &mut Names, targets: &mut BTreeSet<DomainName>) {
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
            names.entry(key).or_default().types.add(&set.record_type);
            targets.extend(targets_of(&set.content));
        }
    }
}

/// Names that somebody waits for and that neither an object nor a zone has: their zones' own servers
/// are asked, and nobody who would remember the denial.
fn add_waited(input: &PlanInput<'_>, names: &mut Names) {
    for name in input.waited.keys() {
        let zones = input.zones.zones.values().map(|reading| &reading.zone);
        for zone in zones.filter(|zone| !zone.private && name.is_within(&zone.name)) {
            names.entry((zone.id.clone(), name.clone())).or_insert_with(|| Asked {
                types: Types { a: true, aaaa: true },
                doubtful: true,
                unheard_of: true,
            });
        }
    }
}

// === impl Types ===

impl Types {
    /// Adds what is asked to see a record of a type: a CNAME shows itself, and where it leads, in the answer
    /// to a question for addresses.
    fn add(&mut self, record_type: &RecordType) {
        let asked = if *record_type == RecordType::Aaaa { &mut self.aaaa } else { &mut self.a };
        *asked = true;
    }

    fn iter(self) -> impl Iterator<Item = RecordType> {
        let a = self.a.then_some(RecordType::A);
        a.into_iter().chain(self.aaaa.then_some(RecordType::Aaaa))
    }
}

/// The names that a CNAME or alias leads to. Aliases are compared by the bare name, and answered
/// with the addresses of the other.
fn targets_of(content: &Content) -> BTreeSet<DomainName> {
    let spelled = content.alias().map(|target| target.dns_name.clone());
    content.hosts().into_iter().chain(spelled).collect()
}

/// Targets in public zones of ours are asked there; those outside are returned.
fn add_targets(
    input: &PlanInput<'_>,
    names: &mut Names,
    targets: BTreeSet<DomainName>,
) -> BTreeSet<DomainName> {
    let mut foreign = BTreeSet::new();
    for name in targets.into_iter().filter(|name| name.defect().is_none() && !name.is_wildcard()) {
        let ours = input.zones.zones.values().filter(|reading| name.is_within(&reading.zone.name));
        let Some(depth) = ours.clone().map(|reading| reading.zone.name.labels().count()).max() else {
            foreign.insert(name);
            continue;
        };
        for reading in ours.filter(|reading| reading.zone.name.labels().count() == depth) {
            let asked = names.entry((reading.zone.id.clone(), name.clone())).or_default();
            asked.types.a = true;
        }
    }
    foreign
}

/// Names between a wanted wildcard and a wanted name below it: they exist because the deeper one
/// does, and the wildcard does not answer for them.
fn add_holes(input: &PlanInput<'_>, names: &mut Names) {
    let wildcards: BTreeMap<(ZoneId, DomainName), RecordType> = names
        .iter()
        .filter(|((_, name), _)| name.is_wildcard())
        .filter_map(|((zone, name), asked)| {
            Some(((zone.clone(), name.parent()?), asked.types.iter().next()?))
        })
        .collect();
    if wildcards.is_empty() {
        return;
    }
    let mut holes = Names::new();
    for want in input.wants.iter().flat_map(|instance| &instance.wants) {
        let Some(zone) = want.zone_id() else { continue };
        let mut name = want.name.clone();
        let mut between = Vec::new();
        // A wildcard makes the name above it exist, and does not answer for it.
        if let Some(base) = name.parent().filter(|_| name.is_wildcard()) {
            between.push(base.clone());
            name = base;
        }
        for _ in 0..MAX_DEPTH {
            let Some(above) = name.parent() else { break };
            if let Some(record_type) = wildcards.get(&(zone.clone(), above.clone())) {
                for hole in between {
                    let asked = holes.entry((zone.clone(), hole)).or_default();
                    asked.types.add(record_type);
                }
                break;
            }
            between.push(above.clone());
            name = above;
        }
    }
    for (key, asked) in holes {
        names.entry(key).or_insert(asked);
    }
}

/// What the zone answers at the name, by itself or by a wildcard: one for each type of question.
fn expected(input: &PlanInput<'_>, reading: &ZoneReading, name: &DomainName) -> Box<[ExpectedAnswer]> {
    let mut at = reading.at(name);
    let mut below = name.clone();
    while at.is_empty() && below != reading.zone.name {
        let (Some(wildcard), Some(above)) = (below.wildcard_sibling(), below.parent()) else { break };
        at = reading.at(&wildcard);
        below = above;
    }
    let questions = [RecordType::A, RecordType::Aaaa];
    questions.iter().filter_map(|record_type| expected_of(input, at, record_type)).collect()
}

fn expected_of(input: &PlanInput<'_>, at: &[RecordSet], record_type: &RecordType) -> Option<ExpectedAnswer> {
    let sets =
        at.iter().filter(|set| set.record_type == *record_type || set.record_type == RecordType::Cname);
    let (mut addresses, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    let (mut any, mut partial, mut free) = (false, false, true);
    for set in sets {
        any = true;
        free &= is_free(&set.content);
        partial |= set.set_identifier.is_some() || matches!(set.content, Content::TrafficPolicy(_));
        addresses.extend(set.content.plain_values().iter().filter_map(Value::ip));
        hosts.extend(targets_of(&set.content));
    }
    if !hosts.is_empty() {
        // Where a host leads is known as far as it was asked for.
        partial = true;
        let wants_six = *record_type == RecordType::Aaaa;
        let seen = hosts.iter().filter_map(|host| input.resolved.get(host)).flatten();
        addresses.extend(seen.filter(|ip| ip.is_ipv6() == wants_six));
    }
    any.then(|| ExpectedAnswer {
        record_type: record_type.clone(),
        addresses: addresses.into_iter().collect(),
        hosts: hosts.into_iter().collect(),
        partial,
        free,
    })
}

/// Queries for an alias to an AWS resource are not billed; the alias of a record is.
/// Source: Amazon Route 53 pricing, "Alias queries".
fn is_free(content: &Content) -> bool {
    content.alias().is_some_and(|target| {
        target.dns_name.is_within(&DomainName::new("amazonaws.com"))
            || target.dns_name.is_within(&DomainName::new("cloudfront.net"))
            || target.dns_name.is_within(&DomainName::new("awsglobalaccelerator.com"))
    })
}

/// The addresses that were seen behind names, for aliases: their answers show nothing else.
#[must_use]
pub fn resolved(observations: &[Arc<Observation>]) -> BTreeMap<DomainName, BTreeSet<IpAddr>> {
    let mut out: BTreeMap<DomainName, BTreeSet<IpAddr>> = BTreeMap::new();
    for seen in observations.iter().filter(|seen| seen.zone_id.is_none()) {
        let addresses = seen.answers.iter().filter(|one| matches!(&*one.record_type, "A" | "AAAA"));
        let addresses = addresses.filter_map(|one| one.data.parse::<IpAddr>().ok());
        out.entry(seen.name.clone()).or_default().extend(addresses);
    }
    out
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

fn named<'a>(
    input: PlanInput<'a>,
    names: Names,
    servers: &'a BTreeMap<&ZoneId, Arc<[DomainName]>>,
) -> impl Iterator<Item = ProbeName> + 'a {
    let views: BTreeMap<&ZoneId, Arc<[Arc<str>]>> =
        input.zones.zones.iter().map(|(id, reading)| (id, views_of(&input, &reading.zone))).collect();
    names.into_iter().filter(|((_, name), _)| name.defect().is_none()).map(move |((zone, name), asked)| {
        let waited = input.waited.contains_key(&name);
        let known_views = if asked.unheard_of { None } else { views.get(&zone) };
        let reading = input.zones.zones.get(&zone);
        ProbeName {
            expected: reading.map(|reading| expected(&input, reading, &name)).unwrap_or_default(),
            record_types: asked.types.iter().collect(),
            name_servers: servers.get(&zone).cloned().unwrap_or_default(),
            views: known_views.cloned().unwrap_or_default(),
            doubtful: asked.doubtful || waited,
            waited,
            zone_id: Some(zone),
            name,
        }
    })
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
        expected: Box::default(),
        zone_id: None,
        name_servers: Arc::default(),
        views: Arc::clone(&views),
        doubtful: false,
        waited: false,
    })
}

#[cfg(test)]
mod tests;

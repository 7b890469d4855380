//! Does one job: asks everything about a name, a zone or a resolver, once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::join_all;

use crate::clock::Clock;
use crate::finding::Reason;
use crate::live::answer::{Answer, type_word};
use crate::live::endpoint::Endpoint;
use crate::live::plan::{Job, ProbeName, ProbeZone, Subject, Work, hashed};
use crate::live::prober::{Prober, Reply, Silence};
use crate::live::question::Question;
use crate::live::servers::Servers;
use crate::live::settings::{LiveSettings, PUBLIC_VIEW, ResolverSettings, public_view};
use crate::model::observation::{AnswerRecord, Observation, Outcome, Respondent, Transport, Vantage};
use crate::model::{DomainName, RecordType, ZoneId};
use crate::snapshot::Problem;

/// Servers of the parent that are asked for a delegation: one more than needed, for one may be
/// silent or behind.
const PARENTS_ASKED: usize = 2;

/// Name servers that are asked of one zone. Route 53 gives four; a parent may name anything.
const MAX_NAME_SERVERS: usize = 13;

/// Servers that are asked for a foreign name: two, because one may be silent or behind.
const FOREIGN_ASKED: usize = 2;

/// One question at one server. Its observations replace those of the pass before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) vantage: Vantage,
    pub(crate) view: Arc<str>,
    pub(crate) server: Arc<str>,
    pub(crate) name: DomainName,
    pub(crate) record_type: RecordType,
}

/// What one question brought: over UDP, and where that was no plain answer, over TCP and with
/// checking disabled.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) slot: Slot,
    pub(crate) observations: Vec<Observation>,
    /// True if nothing was sent because the server is unreachable: says nothing new of the name.
    pub(crate) withheld: bool,
    /// True if the first look was an answer as expected.
    right: bool,
}

/// What a job brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Harvest {
    pub(crate) groups: Vec<Group>,
    pub(crate) problems: Vec<Problem>,
}

/// What jobs need. Shared by all of them.
pub(crate) struct Probe {
    settings: LiveSettings,
    prober: Prober,
    servers: Servers,
    clock: Arc<dyn Clock>,
    // Makes the labels under wildcards: the same all the time, so that answers replace each other,
    // and of this run only, so that nobody can have prepared for them.
    salt: u64,
    /// What observations call the resolvers, made once.
    labels: BTreeMap<Endpoint, Arc<str>>,
}

/// Whom a question goes to.
struct Target<'a> {
    vantage: Vantage,
    view: Arc<str>,
    label: Arc<str>,
    /// `None` for a name server without an address.
    endpoint: Option<Endpoint>,
    zone_id: Option<&'a ZoneId>,
}

// === impl Probe ===

impl Probe {
    pub(crate) fn new(settings: LiveSettings, prober: Prober, clock: Arc<dyn Clock>) -> Self {
        let servers = Servers::new(settings.server_map.clone(), settings.bootstrap.clone(), prober.clone());
        let label = |resolver: &ResolverSettings| {
            (resolver.endpoint.clone(), Arc::from(resolver.endpoint.to_string()))
        };
        let labels = settings.resolvers.iter().map(label).collect();
        Self { settings, prober, servers, clock, salt: rand::random(), labels }
    }

    /// `had` holds the resolver questions that were answered before; `names` is the size of the
    /// plan, for sampling.
    pub(crate) async fn run(&self, job: &Job, had: &BTreeSet<Slot>, names: usize) -> Harvest {
        match &job.work {
            Work::Control => self.control(&job.subject).await,
            Work::Zone(zone) => self.zone(zone).await,
            Work::Name(name) => self.name(name, job.pass, had, names).await,
        }
    }

    async fn control(&self, subject: &Subject) -> Harvest {
        let is_subject =
            |resolver: &&ResolverSettings| *subject == Subject::Control(Box::new(resolver.endpoint.clone()));
        let mut harvest = Harvest::default();
        for resolver in self.settings.resolvers.iter().filter(is_subject) {
            let target = self.resolver(Vantage::Control, resolver);
            let name = resolver.control_name.as_ref().unwrap_or(&self.settings.control_name);
            harvest.groups.push(self.question(&target, name, &self.settings.control_type, &is_answer).await);
        }
        harvest
    }

    /// The delegation at the parent, then the SOA at every server that the parent or Route 53 name.
    async fn zone(&self, zone: &ProbeZone) -> Harvest {
        let mut harvest = Harvest::default();
        let parents = self.servers.parents(&zone.name).await;
        if parents.is_empty() {
            let message = format!("no server of the zone above {} was found", zone.name);
            harvest.problems.push(Problem {
                scope: zone.id.as_str().to_owned(),
                code: Reason::Unreachable,
                message,
            });
        }
        let mut name_servers: BTreeSet<DomainName> = zone.name_servers.iter().cloned().collect();
        let mut is_delegated = false;
        let is_ours = |seen: &Observation| {
            is_answer(seen)
                && seen
                    .delegation()
                    .is_some_and(|(servers, _)| zone.name_servers.iter().any(|own| servers.contains(own)))
        };
        for parent in parents.into_iter().take(PARENTS_ASKED) {
            let target = Target {
                vantage: Vantage::Parent,
                view: public_view(),
                label: parent.label,
                endpoint: Some(parent.address.into()),
                zone_id: Some(&zone.id),
            };
            let (delegation, signer) = futures::join!(
                self.question(&target, &zone.name, &RecordType::Ns, &is_ours),
                self.question(&target, &zone.name, &RecordType::Ds, &is_answer),
            );
            let delegated = delegated_to(&delegation, &zone.name);
            is_delegated |= !delegated.is_empty();
            name_servers.extend(delegated);
            harvest.groups.extend([delegation, signer]);
        }
        let asking = name_servers.iter().take(MAX_NAME_SERVERS).map(|server| async {
            let target = self.authoritative(server, Some(&zone.id)).await;
            self.question(&target, &zone.name, &RecordType::Soa, &is_answer).await
        });
        harvest.groups.extend(join_all(asking).await);
        // A resolver that still follows a former delegation. Never asked for a zone that the parent
        // does not have yet.
        let public = self.settings.resolvers.iter().filter(|one| is_delegated && *one.view == *PUBLIC_VIEW);
        let asking = public.map(|resolver| async {
            let target = self.resolver(Vantage::Recursive, resolver);
            self.question(&target, &zone.name, &RecordType::Ns, &is_ours).await
        });
        harvest.groups.extend(join_all(asking).await);
        harvest
    }

    async fn name(&self, name: &ProbeName, pass: u64, had: &BTreeSet<Slot>, names: usize) -> Harvest {
        let asked = self.asked_name(&name.name);
        let sampled = self.is_sampled(name, pass, names);
        let mut harvest = Harvest::default();
        for record_type in &name.record_types {
            let groups = match &name.zone_id {
                Some(_) => self.at_name_servers(name, &name.name_servers, &asked, record_type, pass).await,
                None => self.at_foreign_servers(name, &asked, record_type, pass).await,
            };
            let harmless = is_harmless(name, record_type, &groups);
            let resolvers = self.settings.resolvers.iter().filter(|resolver| {
                let target = self.resolver(Vantage::Recursive, resolver);
                let knew = || had.contains(&target.slot(&asked, record_type));
                name.views.contains(&resolver.view) && sampled && (harmless || knew())
            });
            let asking = resolvers.map(|resolver| async {
                let target = self.resolver(Vantage::Recursive, resolver);
                self.question(&target, &asked, record_type, &|seen| name.expects(seen)).await
            });
            let recursive = join_all(asking).await;
            harvest.groups.extend(groups);
            harvest.groups.extend(recursive);
        }
        harvest
    }

    /// The servers that hold a name outside of our zones; none if they cannot be found.
    async fn at_foreign_servers(
        &self,
        name: &ProbeName,
        asked: &DomainName,
        record_type: &RecordType,
        pass: u64,
    ) -> Vec<Group> {
        let known = self.servers.own(asked).await;
        let known = known.get(..FOREIGN_ASKED).unwrap_or(&known);
        let groups = self.at_name_servers(name, known, asked, record_type, pass).await;
        if !groups.iter().any(|group| group.refers_below(asked)) {
            return groups;
        }
        let below = self.servers.own_below(asked).await;
        let below = below.get(..FOREIGN_ASKED).unwrap_or(&below);
        self.at_name_servers(name, below, asked, record_type, pass).await
    }

    /// All servers when the name is new or in doubt, else one after the other, a pass each; if
    /// that one has no plain answer, the others too.
    async fn at_name_servers(
        &self,
        name: &ProbeName,
        servers: &[DomainName],
        asked: &DomainName,
        record_type: &RecordType,
        pass: u64,
    ) -> Vec<Group> {
        let servers: Vec<&DomainName> = servers.iter().take(MAX_NAME_SERVERS).collect();
        let ask = |server: &DomainName| {
            let server = server.clone();
            async move {
                let target = self.authoritative(&server, name.zone_id.as_ref()).await;
                self.question(&target, asked, record_type, &|seen| name.expects(seen)).await
            }
        };
        let turn = u64::try_from(servers.len())
            .ok()
            .and_then(|count| hashed(&name.name).wrapping_add(pass).checked_rem(count))
            .and_then(|turn| usize::try_from(turn).ok());
        let alone = name.zone_id.is_none() || 0 < pass || self.settings.one_server;
        let (true, Some(turn)) = (alone && !name.doubtful, turn) else {
            return join_all(servers.into_iter().map(ask)).await;
        };
        let mut groups = Vec::new();
        if let Some(server) = servers.get(turn) {
            groups.push(ask(server).await);
        }
        if !groups.iter().any(|group| group.right) {
            let others = servers.into_iter().enumerate().filter(|(index, _)| *index != turn);
            groups.extend(join_all(others.map(|(_, server)| ask(server))).await);
        }
        groups
    }

    fn resolver(&self, vantage: Vantage, resolver: &ResolverSettings) -> Target<'static> {
        let label = self.labels.get(&resolver.endpoint).map(Arc::clone);
        Target {
            vantage,
            view: Arc::clone(&resolver.view),
            label: label.unwrap_or_else(|| resolver.endpoint.to_string().into()),
            endpoint: Some(resolver.endpoint.clone()),
            zone_id: None,
        }
    }

    async fn authoritative<'a>(&self, server: &DomainName, zone_id: Option<&'a ZoneId>) -> Target<'a> {
        Target {
            vantage: Vantage::Authoritative,
            view: public_view(),
            label: server.shared(),
            endpoint: self.servers.address(server).await.map(Endpoint::Plain),
            zone_id,
        }
    }

    /// Asks over UDP; confirms what is no plain answer over TCP, and a resolver's failure without
    /// validation.
    ///
    /// An answer is plain if `is_expected` says so.
    async fn question(
        &self,
        target: &Target<'_>,
        name: &DomainName,
        record_type: &RecordType,
        is_expected: &(dyn Fn(&Observation) -> bool + Sync),
    ) -> Group {
        let mut question = Question::authoritative(name.clone(), record_type.clone());
        question.recursion_desired = target.is_resolver();
        let mut group = Group {
            slot: target.slot(name, record_type),
            observations: Vec::with_capacity(1),
            withheld: false,
            right: false,
        };
        let Some(endpoint) = &target.endpoint else {
            let nowhere = Reply { transport: Transport::Udp, answer: Err(Silence::Unreachable), rtt: None };
            group.observations.push(self.observation(target, &question, &nowhere));
            return group;
        };
        let first = self.prober.ask_at(endpoint, &question, Transport::Udp).await;
        group.withheld = first.answer == Err(Silence::CircuitOpen);
        let seen = self.observation(target, &question, &first);
        group.right = is_expected(&seen);
        group.observations.push(seen);
        let is_pointless = matches!(first.answer, Err(Silence::NotAskable | Silence::CircuitOpen));
        if group.right || is_pointless {
            return group;
        }
        // The second look; after a truncated answer over the same transport as the first.
        let second = self.prober.ask_at(endpoint, &question, Transport::Tcp).await;
        group.observations.push(self.observation(target, &question, &second));
        if target.is_resolver() && first.answer.as_ref().is_ok_and(Answer::is_servfail) {
            question.checking_disabled = true;
            let unchecked = self.prober.ask_at(endpoint, &question, Transport::Udp).await;
            group.observations.push(self.observation(target, &question, &unchecked));
        }
        group
    }

    fn observation(&self, target: &Target<'_>, question: &Question, reply: &Reply) -> Observation {
        let answer = reply.answer.as_ref().ok();
        Observation {
            at: self.clock.now(),
            respondent: Arc::new(Respondent {
                vantage: target.vantage,
                view: Arc::clone(&target.view),
                server: Arc::clone(&target.label),
                zone_id: target.zone_id.map(ZoneId::shared),
            }),
            transport: reply.transport,
            name: question.name.clone(),
            record_type: type_word(&question.record_type),
            outcome: reply.outcome(target.vantage),
            rcode: answer.map(|answer| Arc::clone(&answer.rcode)),
            answers: answer.map(|answer| of_question(&answer.answers, question)).unwrap_or_default(),
            authority: answer.map(|answer| of_question(&answer.authority, question)).unwrap_or_default(),
            aa: answer.is_some_and(|answer| answer.authoritative),
            ad: answer.is_some_and(|answer| answer.authentic),
            cd: question.checking_disabled,
            ede: answer.and_then(|answer| answer.ede.clone()).map(Box::new),
            rtt_ms: reply.rtt.map(|rtt| (rtt.as_secs_f64() * 100_000.0).round() / 100.0),
        }
    }

    /// The name itself; for a wildcard a made-up label below it, for a star is never asked.
    fn asked_name(&self, name: &DomainName) -> DomainName {
        match name.parent() {
            Some(parent) if name.is_wildcard() => {
                let label = format!("{:016x}", hashed(&(self.salt, name)));
                DomainName::new(&format!("{label}.{parent}"))
            }
            _ordinary => name.clone(),
        }
    }

    /// Whether resolvers are asked for the name in this pass.
    fn is_sampled(&self, name: &ProbeName, pass: u64, names: usize) -> bool {
        if name.doubtful || names <= self.settings.recursive_budget {
            return true;
        }
        let (Ok(names), Ok(budget)) = (u64::try_from(names), u64::try_from(self.settings.recursive_budget))
        else {
            return false;
        };
        hashed(&(self.salt, &name.name, pass)) % names.max(1) < budget
    }
}

// === impl Slot ===

impl Slot {
    /// The question that brought the observation.
    pub(crate) fn of(one: &Observation) -> Self {
        Self {
            vantage: one.vantage,
            view: Arc::clone(&one.view),
            server: Arc::clone(&one.server),
            name: one.name.clone(),
            record_type: RecordType::new(&one.record_type),
        }
    }
}

// === impl Group ===

impl Group {
    #[cfg(test)]
    pub(crate) fn of(slot: Slot, observations: Vec<Observation>, withheld: bool) -> Self {
        Self { slot, observations, withheld, right: false }
    }

    /// True if at least one way of asking brought records.
    pub(crate) fn is_answered(&self) -> bool {
        self.observations.iter().any(|one| one.outcome == Outcome::Answer && !one.cd)
    }

    /// True if the server could not be asked, or did not say anything.
    pub(crate) fn is_silent(&self) -> bool {
        let silent = |one: &Observation| matches!(one.outcome, Outcome::Timeout | Outcome::Unreachable);
        self.observations.iter().all(silent)
    }

    /// True if the server knows servers that are closer to the name.
    fn refers_below(&self, name: &DomainName) -> bool {
        self.observations.iter().filter_map(Observation::referral).any(|zone| name.is_within(zone))
    }
}

// === impl Target ===

impl Target<'_> {
    fn is_resolver(&self) -> bool {
        matches!(self.vantage, Vantage::Recursive | Vantage::Control)
    }

    fn slot(&self, name: &DomainName, record_type: &RecordType) -> Slot {
        Slot {
            vantage: self.vantage,
            view: Arc::clone(&self.view),
            server: Arc::clone(&self.label),
            name: name.clone(),
            record_type: record_type.clone(),
        }
    }
}

/// True if asking resolvers for the name takes it away from nobody.
///
/// A resolver that is asked too early keeps the denial for as long as the SOA says. So the name must
/// be there already: at its own servers, or where these cannot be asked, in the zone itself. Of a
/// foreign name whose servers cannot be asked nothing is known, and it is most likely there.
fn is_harmless(name: &ProbeName, record_type: &RecordType, groups: &[Group]) -> bool {
    if groups.iter().any(Group::is_answered) {
        return true;
    }
    let nobody_could_be_asked = groups.iter().all(Group::is_silent);
    nobody_could_be_asked && (name.zone_id.is_none() || name.is_held(record_type))
}

fn is_answer(seen: &Observation) -> bool {
    seen.outcome == Outcome::Answer
}

/// The name servers that a parent's answer names for the zone.
fn delegated_to(delegation: &Group, zone: &DomainName) -> Vec<DomainName> {
    let records = delegation.observations.iter().flat_map(|one| one.authority.iter().chain(&*one.answers));
    records
        .filter(|record| &*record.record_type == "NS" && record.name == *zone)
        .map(|record| DomainName::from_route53(&record.data))
        .take(MAX_NAME_SERVERS)
        .collect()
}

/// The records of an answer. Most are those of the name that was asked for, and share its text.
fn of_question(records: &[AnswerRecord], question: &Question) -> Arc<[AnswerRecord]> {
    if records.is_empty() {
        // That one takes no memory.
        return Arc::default();
    }
    let name = |record: &AnswerRecord| {
        if record.name == question.name { question.name.clone() } else { record.name.clone() }
    };
    records.iter().map(|record| AnswerRecord { name: name(record), ..record.clone() }).collect()
}

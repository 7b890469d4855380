//! Judging a recording: its rounds through the same engine as the live program, with the recorded
//! time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::changes::cloudtrail;
use crate::changes::feed::FeedBuilder;
use crate::changes::log::LogParser;
use crate::changes::notices;
use crate::changes::scrape;
use crate::changes::tail::TailMerger;
use crate::config::{self, Config, ConfigError};
use crate::desired::discover::discover;
use crate::desired::kinds::{Kind, Row};
use crate::desired::needs::{idle_kinds, needed_kinds};
use crate::desired::rbac::Roles;
use crate::desired::sources::roster;
use crate::engine::Engine;
use crate::finding::Reason;
use crate::model::change::{ChangeFeed, FeedSource};
use crate::model::custom::{Custom, NamespaceRule};
use crate::model::instance::Instance;
use crate::model::object::{Body, KubeObject};
use crate::model::observation::Observation;
use crate::model::text::printable;
use crate::model::zone::Zones;
use crate::policy::Policy;
use crate::recorded::error::ReadError;
use crate::recording::config_maps::ConfigMaps;
use crate::recording::index::{Index, IndexError, read_index};
use crate::recording::round::{RawRound, read_round};
use crate::report::Report;
use crate::snapshot::{Cluster, Problem, Reading, Snapshot, ViewName, ViewState};

/// Why a recording cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The folder is no recording.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Its configuration is not valid.
    #[error("the config of the recording is not valid")]
    Config(#[source] ConfigError),
    /// It has no round.
    #[error("the recording has no round")]
    Empty,
}

/// Feeds the rounds of a recording in order; the report is that after the last one.
///
/// # Errors
///
/// See [`ReplayError`]. What a round lacks is a problem of a view, never an error.
pub fn replay(dir: &Path) -> Result<Report, ReplayError> {
    replay_over(dir, &Json::Null)
}

/// As [`replay`], with the recording's configuration laid over that of the user: what the recording
/// does not say is as the user wants it, and what was in force when it was taken stays in force.
///
/// # Errors
///
/// See [`ReplayError`].
pub fn replay_over(dir: &Path, user: &Json) -> Result<Report, ReplayError> {
    let mut engine = None;
    let mut report = None;
    each_round_over(dir, user, |policy, snapshot| {
        let engine = engine.get_or_insert_with(|| Engine::new(policy.clone()));
        report = Some(engine.round(snapshot));
    })?;
    report.ok_or(ReplayError::Empty)
}

/// Gives each round of a recording as the engine would see it, with the rules in force.
///
/// # Errors
///
/// See [`ReplayError`].
pub fn each_round(dir: &Path, judge: impl FnMut(&Policy, &Snapshot)) -> Result<(), ReplayError> {
    each_round_over(dir, &Json::Null, judge)
}

/// The words that we have for what a problem names: a kind without its group may be one of several.
fn words_of(scope: &str) -> Vec<String> {
    let is_meant = |kind: &Kind| kind.as_str().split('.').next() == Some(scope);
    let kinds = Kind::ALL.into_iter().filter(is_meant).map(|kind| kind.as_str().to_owned());
    let mut words: Vec<String> = kinds.collect();
    if !words.iter().any(|word| word == scope) {
        words.push(scope.to_owned());
    }
    words
}

fn each_round_over(
    dir: &Path,
    user: &Json,
    mut judge: impl FnMut(&Policy, &Snapshot),
) -> Result<(), ReplayError> {
    let index = read_index(dir)?;
    let config = config_of(&index, user)?;
    let policy = config.policy();
    let mut player = Player { assumed: Some(config.assumed()), ..Player::default() };
    for round in &index.rounds {
        judge(&policy, &player.snapshot(read_round(&round.dir, round.at)));
    }
    Ok(())
}

/// The views after the last round of a recording, not judged, with its configuration over the user's.
///
/// # Errors
///
/// As [`replay_over`].
pub fn last_snapshot(dir: &Path, user: &Json) -> Result<Snapshot, ReplayError> {
    let index = read_index(dir)?;
    let config = config_of(&index, user)?;
    let mut player = Player { assumed: Some(config.assumed()), ..Player::default() };
    let rounds = index.rounds.iter().map(|round| player.snapshot(read_round(&round.dir, round.at)));
    rounds.last().ok_or(ReplayError::Empty)
}

fn config_of(index: &Index, user: &Json) -> Result<Config, ReplayError> {
    let mut value = user.clone();
    config::merge(&mut value, &index.config);
    Config::from_value(&value).map_err(ReplayError::Config)
}

/// What is kept between the rounds of a recording.
#[derive(Default)]
struct Player {
    /// Stands in where no ExternalDNS was recorded.
    assumed: Option<Arc<Instance>>,
    kubernetes: Option<(Timestamp, Arc<Cluster>)>,
    /// Kinds of which an object was in this round or an earlier one.
    seen: BTreeSet<Kind>,
    route53: Option<(Timestamp, Arc<Zones>)>,
    dns: Option<(Timestamp, Arc<Vec<Arc<Observation>>>)>,
    logs: BTreeMap<FeedSource, (TailMerger, LogParser)>,
    feed: FeedBuilder,
    feed_seen: bool,
    /// The latest round with a feed.
    feed_read_at: Option<Timestamp>,
}

impl Player {
    fn snapshot(&mut self, round: RawRound) -> Snapshot {
        let at = round.at;
        let mut problems: BTreeMap<ViewName, Vec<Problem>> = BTreeMap::new();
        for (view, problem) in &round.problems {
            problems.entry(*view).or_default().push(problem.clone());
        }
        let mut take = |view: ViewName| problems.remove(&view).unwrap_or_default();
        let changes = self.changes(&round, at, take(ViewName::Changes));
        let kubernetes = self.kubernetes(round.kubernetes, at, take(ViewName::Kubernetes));
        let route53 = self.route53(round.route53, at, take(ViewName::Route53));
        let dns = keep(&mut self.dns, round.dns, at, take(ViewName::Dns));
        Snapshot { at, kubernetes, route53, dns, changes }
    }

    fn kubernetes(
        &mut self,
        objects: Option<Vec<Json>>,
        at: Timestamp,
        mut problems: Vec<Problem>,
    ) -> Reading<Cluster> {
        let scopes = problems.iter().map(|problem| &*problem.scope).filter(|scope| !scope.contains('/'));
        let refused: Vec<String> = scopes.flat_map(words_of).collect();
        let mut cluster = objects.map(|objects| decode(objects, self.assumed.as_ref(), &mut problems));
        let mut kept = BTreeSet::new();
        if let Some(cluster) = &mut cluster {
            let needed = needed(cluster);
            kept = self.fill_in(cluster, &needed, &refused);
            cluster.watched_kinds = self.watched_kinds(cluster, &needed, &refused);
            let is_missing = |kind: &Kind| self.is_missing(*kind, cluster);
            let unread = needed
                .iter()
                .filter(|kind| !kept.contains(kind))
                .filter(|kind| refused.iter().any(|scope| scope == kind.as_str()) || is_missing(kind));
            cluster.unread_kinds = unread.map(|kind| Arc::from(kind.as_str())).collect();
            cluster.idle_kinds = idle_kinds(&cluster.instances);
        }
        let needed = cluster.as_ref().map(needed).unwrap_or_default();
        let is_kept = |scope: &str| kept.iter().any(|kind| kind.as_str() == scope);
        let blind = refused.iter().any(|scope| !is_kept(scope) && self.concerns_objects(scope, &needed));
        match cluster {
            Some(cluster) if !blind => keep(&mut self.kubernetes, Some(cluster), at, problems),
            Some(_) | None => keep(&mut self.kubernetes, None, at, problems),
        }
    }

    /// A kind that may not be listed is missing from the folder: its objects are not gone, and stand as they were
    /// last read. Gives these kinds.
    fn fill_in(&self, cluster: &mut Cluster, needed: &BTreeSet<Kind>, refused: &[String]) -> BTreeSet<Kind> {
        let Some((_, last)) = &self.kubernetes else { return BTreeSet::new() };
        let is_refused = |kind: &Kind| refused.iter().any(|scope| scope == kind.as_str());
        let counts = |kind: &Kind| {
            kind.holds_objects()
                && self.concerns_objects(kind.as_str(), needed)
                && !roster::is_relied_on(*kind, needed.iter().copied())
        };
        let kinds: BTreeSet<Kind> = Kind::ALL.into_iter().filter(is_refused).filter(counts).collect();
        for object in kinds.iter().flat_map(|kind| last.objects.of_kind(kind.as_str())) {
            if !cluster.objects.contains(&object.reference) {
                cluster.objects.insert(Arc::clone(object));
            }
        }
        kinds
    }

    /// The kinds whose objects count as gone when they are not in the round. A recording does not say
    /// what was listed: Ingresses always are; other kinds when an instance reads them and one was
    /// seen, now or before.
    fn watched_kinds(
        &mut self,
        cluster: &Cluster,
        needed: &BTreeSet<Kind>,
        refused: &[String],
    ) -> Vec<Arc<str>> {
        // Every recording has Pods; their addresses count only where an instance reads them.
        let counts =
            |kind: &Kind| kind.holds_objects() && (*kind != Kind::PodAddresses || needed.contains(kind));
        let words: BTreeSet<&str> = cluster.objects.keys().map(|reference| &*reference.kind).collect();
        let present = Kind::ALL.into_iter().filter(|kind| counts(kind) && words.contains(kind.as_str()));
        self.seen.extend(present);
        let refused = |kind: &Kind| refused.iter().any(|scope| scope == kind.as_str());
        let read = |kind: &Kind| self.seen.contains(kind) && !refused(kind);
        let by_labels = selects_namespaces(cluster);
        let decides = |need: &&Kind| **need != Kind::Namespace || by_labels;
        let held = |kind: &Kind| {
            roster::needs(*kind).iter().filter(decides).all(|need| need.is_vital() || read(need))
        };
        let kinds = needed.iter().filter(|kind| kind.is_vital() || (read(kind) && held(kind)));
        let vital = Kind::ALL.into_iter().filter(|kind| kind.is_vital());
        let kinds: BTreeSet<Kind> = kinds.copied().chain(vital).collect();
        kinds.into_iter().map(|kind| Arc::from(kind.as_str())).collect()
    }

    /// No cluster is without Nodes or, where a headless Service has addresses, their slices, nor a Gateway of
    /// Istio without the Service of its proxies: a recording that never had any was made without them.
    fn is_missing(&self, kind: Kind, cluster: &Cluster) -> bool {
        let is_node_port = |object: &Arc<KubeObject>| matches!(&object.body, Body::Service(service) if service.service_type == "NodePort");
        let is_istio =
            |object: &Arc<KubeObject>| matches!(&object.body, Body::Custom(Custom::IstioGateway(_)));
        let any = |counts: &dyn Fn(&Arc<KubeObject>) -> bool| cluster.objects.values().any(counts);
        let counts = kind == Kind::EndpointSlice
            || kind == Kind::Node && any(&is_node_port)
            || kind == Kind::Service && any(&is_istio)
            || kind == Kind::Namespace && selects_namespaces(cluster);
        counts && !self.seen.contains(&kind)
    }

    /// True if without the kind the last value must stand: a vital one, or one that was read before.
    /// Namespaces that no source reads only lend their labels.
    fn concerns_objects(&self, scope: &str, needed: &BTreeSet<Kind>) -> bool {
        let lends = |kind: Kind| kind == Kind::Namespace && !needed.contains(&kind);
        let stands = |kind: Kind| {
            kind.is_vital() || (kind.holds_objects() && self.seen.contains(&kind) && !lends(kind))
        };
        scope == "all" || Kind::ALL.into_iter().any(|kind| kind.as_str() == scope && stands(kind))
    }

    /// A list without any zone after one with zones is not believed. No round shows the deletion of a
    /// zone, and without one the live reader does not believe it either.
    fn route53(&mut self, zones: Option<Zones>, at: Timestamp, mut problems: Vec<Problem>) -> Reading<Zones> {
        let listed = zones.as_ref().map(|zones| zones.zones.len());
        let known = self.route53.as_ref().map_or(0, |(_, known)| known.zones.len());
        let suspicion = listed.and_then(|listed| ReadError::emptied(listed, known));
        problems.extend(suspicion.as_ref().map(ReadError::problem));
        keep(&mut self.route53, zones.filter(|_| suspicion.is_none()), at, problems)
    }

    fn changes(&mut self, round: &RawRound, at: Timestamp, problems: Vec<Problem>) -> Reading<ChangeFeed> {
        let events = round.kubernetes.iter().flatten().filter_map(notices::read);
        self.feed.noticed(events, at);
        if !round.changes_present() && problems.is_empty() {
            if self.feed_seen {
                // What was refused stays refused.
                let kept = Reading::read(at, self.feed.feed(at));
                return Reading { state: ViewState::Stale, read_at: self.feed_read_at, ..kept };
            }
            // Events alone are no feed: they only add to what other views show.
            let feed = self.feed.feed(at);
            let value = (!feed.notices.is_empty()).then(|| Arc::new(feed));
            return Reading { value, ..Reading::off() };
        }
        if !round.changes_read() {
            // No feed that there is could be read.
            if !self.feed_seen {
                return Reading::unread(problems);
            }
            let kept = Reading::read(at, self.feed.feed(at));
            return Reading { state: ViewState::Stale, read_at: self.feed_read_at, problems, ..kept };
        }
        self.feed_seen = true;
        self.feed_read_at = Some(at);
        for file in &round.logs.logs {
            let source = FeedSource::Log {
                namespace: file.namespace.as_str().into(),
                pod: file.pod.as_str().into(),
                container: file.container.as_str().into(),
            };
            let (merger, parser) = self
                .logs
                .entry(source.clone())
                .or_insert_with(|| (TailMerger::default(), LogParser::new(source, at)));
            let text = file.lines.join("\n");
            let events: Vec<_> =
                merger.advance(&text).into_iter().flat_map(|line| parser.push(line)).collect();
            self.feed.add(events, at);
            self.feed.follow(&parser.stream(), parser.counts(), at);
        }
        for file in &round.logs.scrapes {
            let (namespace, pod) = (file.namespace.as_str().into(), file.pod.as_str().into());
            self.feed.scraped(scrape::read(&file.text, &namespace, &pod, at));
        }
        let mut problems = problems;
        if let Some(text) = &round.cloudtrail {
            let trail = cloudtrail::read(text);
            self.feed.add(trail.events, at);
            problems.extend(trail.problems);
        }
        with(Reading::read(at, self.feed.feed(at)), problems)
    }
}

/// True if a listener takes the routes of Namespaces with certain labels; few recordings have Namespaces.
fn selects_namespaces(cluster: &Cluster) -> bool {
    cluster.objects.values().any(|object| {
        let Body::Custom(Custom::Gateway(gateway)) = &object.body else { return false };
        let mut rules = gateway.listeners.iter().map(|listener| &listener.namespaces);
        rules.any(|rule| matches!(rule, NamespaceRule::Selector(Some(_))))
    })
}

/// Keeps the last value of a view that a round lacks.
fn keep<T>(
    last: &mut Option<(Timestamp, Arc<T>)>,
    value: Option<T>,
    at: Timestamp,
    problems: Vec<Problem>,
) -> Reading<T> {
    if let Some(value) = value {
        let value = Arc::new(value);
        *last = Some((at, value.clone()));
        return Reading { state: ViewState::Read, read_at: Some(at), value: Some(value), problems };
    }
    match last {
        Some((read_at, value)) => {
            Reading { state: ViewState::Stale, read_at: Some(*read_at), value: Some(value.clone()), problems }
        }
        None => Reading::unread(problems),
    }
}

/// The kinds that the instances and their Services read.
fn needed(cluster: &Cluster) -> BTreeSet<Kind> {
    let services =
        cluster.objects.values().filter(|object| &*object.reference.kind == Kind::Service.as_str());
    needed_kinds(&cluster.instances, &services)
}

fn with<T>(mut reading: Reading<T>, problems: Vec<Problem>) -> Reading<T> {
    reading.problems = problems;
    reading
}

/// The cluster that raw objects make. What does not decode becomes a problem.
pub fn decode(objects: Vec<Json>, assumed: Option<&Arc<Instance>>, problems: &mut Vec<Problem>) -> Cluster {
    let (mut cluster, mut workloads, mut pods) = (Cluster::default(), Vec::new(), Vec::new());
    let (mut roles, mut rows) = (Roles::default(), Vec::new());
    let config_maps = ConfigMaps::of(&objects);
    for mut object in objects {
        config_maps.fill(&mut object);
        let text = |key: &str| object.get(key).and_then(Json::as_str).unwrap_or_default();
        let (version, word) = (text("apiVersion").to_owned(), text("kind").to_owned());
        let name = name_of(&object);
        let Some(kind) = Kind::of(&version, &word) else {
            if let Err(error) = roles.take(&word, &object) {
                let message = printable(&error.to_string());
                problems.push(Problem { scope: format!("{word}/{name}"), code: Reason::Parse, message });
            }
            continue;
        };
        // A Pod may run ExternalDNS, and its addresses may get names.
        if kind == Kind::Pod
            && let Ok(Some(Row::Object(row))) = Kind::PodAddresses.decode(object.clone())
        {
            rows.push(row);
        }
        match kind.decode(object) {
            Ok(Some(Row::Object(row))) => rows.push(row),
            Ok(Some(Row::Workload(row))) => workloads.push((*row).clone()),
            Ok(Some(Row::Pod(row))) => pods.push((*row).clone()),
            Ok(None) => {}
            Err(error) => problems.push(Problem {
                scope: format!("{}/{name}", kind.as_str()),
                code: Reason::Parse,
                message: printable(&error.to_string()),
            }),
        }
    }
    cluster.objects = rows.into_iter().collect();
    let found = discover(&workloads, &pods);
    cluster.has_other_providers = !found.ignored.is_empty();
    cluster.instances = found.instances.into_iter().map(Arc::new).collect();
    if let Some(assumed) = assumed.filter(|one| cluster.lacks(one)) {
        cluster.instances.push(Arc::clone(assumed));
    }
    cluster.grants = roles.grants();
    cluster
}

fn name_of(object: &Json) -> String {
    let word = |key: &str| object.pointer(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    printable(&format!("{}/{}", word("/metadata/namespace"), word("/metadata/name")))
}

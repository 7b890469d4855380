//! Judging a recording: its rounds through the same engine as the live program, with the recorded
//! time.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::changes::cloudtrail;
use crate::changes::feed::FeedBuilder;
use crate::changes::log::LogParser;
use crate::changes::tail::TailMerger;
use crate::config::{Config, ConfigError};
use crate::desired::discover::discover;
use crate::desired::kinds::{Kind, Row};
use crate::engine::Engine;
use crate::finding::Reason;
use crate::model::change::{ChangeFeed, FeedSource};
use crate::model::instance::Instance;
use crate::model::text::printable;
use crate::recording::index::{IndexError, read_index};
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
    let index = read_index(dir)?;
    let config = Config::from_value(&index.config).map_err(ReplayError::Config)?;
    let mut engine = Engine::new(config.policy());
    let mut player = Player { assumed: Some(config.assumed()), ..Player::default() };
    let mut report = None;
    for round in &index.rounds {
        let snapshot = player.snapshot(read_round(&round.dir, round.at));
        report = Some(engine.round(&snapshot));
    }
    report.ok_or(ReplayError::Empty)
}

/// The views after the last round of a recording, not judged.
///
/// # Errors
///
/// As [`replay`].
pub fn last_snapshot(dir: &Path) -> Result<Snapshot, ReplayError> {
    let index = read_index(dir)?;
    let config = Config::from_value(&index.config).map_err(ReplayError::Config)?;
    let mut player = Player { assumed: Some(config.assumed()), ..Player::default() };
    let rounds = index.rounds.iter().map(|round| player.snapshot(read_round(&round.dir, round.at)));
    rounds.last().ok_or(ReplayError::Empty)
}

/// What is kept between the rounds of a recording.
#[derive(Default)]
struct Player {
    /// Stands in where no ExternalDNS was recorded.
    assumed: Option<Arc<Instance>>,
    kubernetes: Option<(Timestamp, Arc<Cluster>)>,
    route53: Option<(Timestamp, Arc<crate::model::zone::Zones>)>,
    logs: BTreeMap<FeedSource, (TailMerger, LogParser)>,
    feed: FeedBuilder,
    feed_seen: bool,
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
        let route53 = keep(&mut self.route53, round.route53, at, take(ViewName::Route53));
        let dns = match round.dns {
            Some(observations) => with(Reading::read(at, observations), take(ViewName::Dns)),
            None => Reading::unread(take(ViewName::Dns)),
        };
        Snapshot { at, kubernetes, route53, dns, changes }
    }

    fn kubernetes(
        &mut self,
        objects: Option<Vec<Json>>,
        at: Timestamp,
        mut problems: Vec<Problem>,
    ) -> Reading<Cluster> {
        let mut cluster = objects.map(|objects| decode(objects, self.assumed.as_ref(), &mut problems));
        // A kind that may not be listed is missing from the folder: its objects are not gone.
        let mut blind = false;
        for problem in problems.iter().filter(|problem| !problem.scope.contains('/')) {
            let kind = Kind::from_word(&problem.scope).filter(|kind| kind.asks_for_names());
            match (kind, &mut cluster) {
                (Some(kind), Some(cluster)) if !kind.is_vital() && !self.has_seen(kind) => {
                    cluster.unread_kinds.push(kind.as_str().into());
                }
                (Some(_), _) => blind = true,
                (None, _) => blind |= problem.scope == "all",
            }
        }
        match cluster {
            Some(cluster) if !blind => keep(&mut self.kubernetes, Some(cluster), at, problems),
            Some(_) | None => keep(&mut self.kubernetes, None, at, problems),
        }
    }

    /// True if objects of the kind were there in an earlier round.
    fn has_seen(&self, kind: Kind) -> bool {
        let objects = self.kubernetes.iter().flat_map(|(_, cluster)| cluster.objects.keys());
        objects.into_iter().any(|reference| &*reference.kind == kind.as_str())
    }

    fn changes(&mut self, round: &RawRound, at: Timestamp, problems: Vec<Problem>) -> Reading<ChangeFeed> {
        if !round.changes_present() && problems.is_empty() {
            return if self.feed_seen { Reading::unread(problems) } else { Reading::off() };
        }
        self.feed_seen = true;
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
            self.feed.follow(&parser.stream(), parser.counts());
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

fn with<T>(mut reading: Reading<T>, problems: Vec<Problem>) -> Reading<T> {
    reading.problems = problems;
    reading
}

/// The cluster that raw objects make. What does not decode becomes a problem.
pub fn decode(objects: Vec<Json>, assumed: Option<&Arc<Instance>>, problems: &mut Vec<Problem>) -> Cluster {
    let (mut cluster, mut workloads, mut pods) = (Cluster::default(), Vec::new(), Vec::new());
    for object in objects {
        let word = object.get("kind").and_then(Json::as_str).unwrap_or_default().to_owned();
        let Some(kind) = Kind::from_word(&word) else { continue };
        let name = name_of(&object);
        // A Pod may run ExternalDNS, and its addresses may get names.
        if kind == Kind::Pod
            && let Ok(Some(Row::Object(row))) = Kind::PodAddresses.decode(object.clone())
        {
            cluster.objects.insert(row.reference.clone(), row);
        }
        match kind.decode(object) {
            Ok(Some(Row::Object(row))) => {
                cluster.objects.insert(row.reference.clone(), row);
            }
            Ok(Some(Row::Workload(row))) => workloads.push((*row).clone()),
            Ok(Some(Row::Pod(row))) => pods.push((*row).clone()),
            Ok(None) => {}
            Err(error) => problems.push(Problem {
                scope: format!("{word}/{name}"),
                code: Reason::Parse,
                message: printable(&error.to_string()),
            }),
        }
    }
    cluster.instances = discover(&workloads, &pods).instances.into_iter().map(Arc::new).collect();
    if cluster.instances.is_empty() {
        cluster.instances.extend(assumed.cloned());
    }
    cluster.watched_kinds = vec!["Ingress".into()];
    // Of the others nobody knows whether they were asked for, unless some are there.
    for (kind, source) in [("Service", "service"), ("Node", "node")] {
        let asked = cluster.instances.iter().any(|one| one.flags.sources.iter().any(|given| given == source));
        if asked && cluster.objects.keys().any(|reference| &*reference.kind == kind) {
            cluster.watched_kinds.push(kind.into());
        }
    }
    cluster
}

fn name_of(object: &Json) -> String {
    let word = |key: &str| object.pointer(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    printable(&format!("{}/{}", word("/metadata/namespace"), word("/metadata/name")))
}

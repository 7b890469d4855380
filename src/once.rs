//! One look at the live sources: for a single verdict, and for recordings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use crate::changes::follow::{LogLine, read_tail};
use crate::changes::notices::live as notices;
use crate::changes::scrape::live::read_text;
use crate::changes::{cloudtrail, lookup, scrape};
use crate::clock::Clock;
use crate::config::is_secret;
use crate::desired;
use crate::desired::client::{ClientError, Connection, connect};
use crate::desired::read::{list_raw, read_once};
use crate::engine::Engine;
use crate::error_chain::ErrorChain;
use crate::limits::{KEEP_CHANGE_EVENTS, MAX_LOG_FOLLOWERS};
use crate::live::plan::ProbePlan;
use crate::live::prober::Prober;
use crate::live::task::sweep;
use crate::model::DomainName;
use crate::model::change::ChangeFeed;
use crate::model::observation::Observation;
use crate::model::text::printable;
use crate::model::workload::LogTarget;
use crate::model::zone::Zones;
use crate::publish::api::waiters::Waited;
use crate::recorded::route53;
use crate::recording::logs::{LogFile, Logs, Scrape};
use crate::recording::round::RawRound;
use crate::report::Report;
use crate::run::RunSettings;
use crate::run::logs::Streams;
use crate::run::plan::{PlanInput, plan_for, probe_plan, resolved};
use crate::run::rounds::Assumption;
use crate::snapshot::{Cluster, Problem, Reading, Snapshot, ViewName};

/// How far one look reaches back in CloudTrail: a refused change is tried again every minute.
const LOOKED_BACK: Duration = Duration::from_hours(1);

/// Reads all sources, again and again.
pub struct Observer {
    settings: RunSettings,
    connection: Connection,
    prober: Prober,
    assumed: Assumption,
    /// The last look.
    last: Option<Snapshot>,
    /// What it has seen behind names.
    resolved: BTreeMap<DomainName, BTreeSet<IpAddr>>,
    clock: Arc<dyn Clock>,
}

/// What one look has brought: the snapshot, and what told of changes as it was.
struct Look {
    snapshot: Snapshot,
    told: Told,
}

/// What told of changes, as it was.
#[derive(Default)]
struct Told {
    logs: Logs,
    cloudtrail: Option<String>,
}

// === impl Observer ===

impl Observer {
    /// Prepares the clients. Nothing is read yet.
    ///
    /// # Errors
    ///
    /// When there is no way to the Kubernetes API.
    pub async fn new(settings: RunSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let connection = connect(&settings.kube, Arc::clone(&clock)).await?;
        let prober = Prober::new(settings.live.prober.clone());
        let assumed = Assumption::new(settings.assumed.clone());
        Ok(Self { settings, connection, prober, assumed, last: None, resolved: BTreeMap::new(), clock })
    }

    /// Looks twice with a pause between, because one look cannot tell drift from a change under
    /// way, and returns the second verdict.
    pub async fn check(&mut self, settle: Duration) -> Report {
        // Two looks that are a pause apart are two cycles, however short the pause is.
        let mut policy = self.settings.policy.clone();
        policy.interval = policy.interval.min(settle.saturating_mul(2)).max(Duration::from_secs(1));
        let mut engine = Engine::new(policy);
        let start = Instant::now();
        let first = engine.round(&self.look().await.snapshot);
        tracing::info!(open = first.summary.open, pending = first.summary.pending, "first look taken");
        sleep_until(start + settle).await;
        engine.round(&self.look().await.snapshot)
    }

    /// Takes one round of a recording.
    pub async fn record(&mut self) -> RawRound {
        let (raw, _) = list_raw(&self.connection, &self.settings.watch).await;
        let Look { snapshot, told } = self.look().await;
        let mut round = RawRound::empty(snapshot.at);
        let views = [
            (ViewName::Kubernetes, &snapshot.kubernetes.problems),
            (ViewName::Route53, &snapshot.route53.problems),
            (ViewName::Dns, &snapshot.dns.problems),
            (ViewName::Changes, &snapshot.changes.problems),
        ];
        for (view, problems) in views {
            round.problems.extend(problems.iter().map(|problem| (view, problem.clone())));
        }
        // Not read is never the same as empty.
        round.kubernetes =
            snapshot.kubernetes.value().map(|_| raw.into_iter().map(without_secrets).collect());
        round.route53 = snapshot.route53.value().cloned();
        round.dns = snapshot.dns.value().cloned();
        round.logs = told.logs;
        round.cloudtrail = told.cloudtrail;
        round
    }

    async fn look(&mut self) -> Look {
        let (kubernetes, route53) = tokio::join!(
            read_once(&self.connection, &self.settings.watch, &*self.clock),
            route53::read_once(self.settings.route53.clone(), Arc::clone(&self.clock)),
        );
        let (kubernetes, targets) = kubernetes;
        let mut snapshot = Snapshot {
            at: self.clock.now(),
            kubernetes,
            route53,
            dns: Reading::unread(Vec::new()),
            changes: Reading::off(),
        };
        self.assumed.apply(&mut snapshot);
        let plan = self.plan(&snapshot, None);
        let (dns, (changes, told)) = tokio::join!(self.dns(&plan), self.changes(&targets));
        self.resolved = resolved(dns.value().map(Vec::as_slice).unwrap_or_default());
        snapshot.dns = dns;
        snapshot.changes = changes;
        snapshot.at = self.clock.now();
        self.remember(snapshot.kubernetes.value());
        self.last = Some(snapshot.clone());
        Look { snapshot, told }
    }

    /// What an instance reads is read in the looks that follow, too: one that is gone then is missed.
    fn remember(&mut self, cluster: Option<&Cluster>) {
        let mut known = self.settings.watch.known.to_vec();
        for one in cluster.into_iter().flat_map(|cluster| &cluster.instances) {
            known.retain(|old| (&old.workload, &old.container) != (&one.workload, &one.container));
            known.push(Arc::clone(one));
        }
        self.settings.watch.known = known.into();
    }

    fn plan(&self, snapshot: &Snapshot, only: Option<&DomainName>) -> ProbePlan {
        let nothing = Zones::default();
        let zones = match (snapshot.route53.value(), only) {
            (Some(zones), _) => zones,
            // A name can be asked for without knowing any zone.
            (None, Some(_)) => &nothing,
            (None, None) => return ProbePlan::default(),
        };
        let wants = wants(snapshot.kubernetes.value(), snapshot);
        let resolver_views: BTreeSet<Arc<str>> =
            self.settings.live.resolvers.iter().map(|one| Arc::clone(&one.view)).collect();
        let input = PlanInput {
            resolved: &self.resolved,
            wants: &wants,
            zones,
            report: None,
            policy: &self.settings.policy,
            resolver_views: &resolver_views,
            waited: &Waited::default(),
            at: snapshot.at,
            before: &[],
        };
        match only {
            Some(name) => plan_for(input, name),
            None => probe_plan(input),
        }
    }

    /// What every server that could know the name answers now. Asks once more, for the last look may
    /// not have asked for the name at all; nothing else is read again.
    pub async fn trace(&mut self, name: &DomainName) -> Vec<Arc<Observation>> {
        let Some(mut snapshot) = self.last.take() else { return Vec::new() };
        snapshot.at = self.clock.now();
        let plan = self.plan(&snapshot, Some(name));
        let (observations, _) =
            sweep(self.settings.live.clone(), &plan, Arc::clone(&self.clock), self.prober.clone()).await;
        self.last = Some(snapshot);
        observations
    }

    async fn dns(&self, plan: &ProbePlan) -> Reading<Vec<Arc<Observation>>> {
        let sweeping = sweep(self.settings.live.clone(), plan, Arc::clone(&self.clock), self.prober.clone());
        let (observations, problems) = sweeping.await;
        let mut reading = Reading::read(self.clock.now(), observations);
        reading.problems = problems;
        reading
    }

    async fn changes(&self, targets: &[LogTarget]) -> (Reading<ChangeFeed>, Told) {
        let feeds = &self.settings.feeds;
        if targets.is_empty() && feeds.lookup.is_none() {
            return (Reading::off(), Told::default());
        }
        let (mut streams, mut told, mut problems) = (Streams::default(), Told::default(), Vec::new());
        for target in targets {
            match read_tail(&self.connection.logs, target, KEEP_CHANGE_EVENTS).await {
                Ok(lines) => {
                    for line in &lines {
                        streams.read(line, &*self.clock);
                    }
                    told.logs.logs.push(log_file(target, &lines));
                }
                Err(error) => problems.push(Problem {
                    scope: format!("log {}/{}/{}", target.namespace, target.pod, target.container),
                    code: error.code(),
                    message: printable(&ErrorChain(&error).to_string()),
                }),
            }
        }
        let mut any = !told.logs.logs.is_empty();
        any |= self.scrapes(targets, &mut streams, &mut told, &mut problems).await;
        any |= self.trail(&mut streams, &mut told, &mut problems).await;
        if feeds.events.is_some() {
            // They prove nothing, so they do not make the view read either.
            match notices::read_once(&self.connection.client).await {
                Ok(notices) => streams.builder.noticed(notices, self.clock.now()),
                Err(problem) => {
                    tracing::warn!(problem = problem.message, "the Events of ExternalDNS cannot be read");
                }
            }
        }
        if !any {
            return (Reading::unread(problems), told);
        }
        streams.finish(&*self.clock);
        streams.follow(targets, &*self.clock);
        let now = self.clock.now();
        let mut reading = Reading::read(now, streams.builder.feed(now));
        reading.problems = problems;
        (reading, told)
    }

    /// Reads the metrics of the Pods, if asked for; true if one answered.
    async fn scrapes(
        &self,
        targets: &[LogTarget],
        streams: &mut Streams,
        told: &mut Told,
        problems: &mut Vec<Problem>,
    ) -> bool {
        let Some(settings) = &self.settings.feeds.scrape else { return false };
        for target in targets.iter().take(MAX_LOG_FOLLOWERS) {
            match read_text(&self.connection.client, target, settings.port).await {
                Ok(text) => {
                    let metrics = scrape::read(&text, &target.namespace, &target.pod, self.clock.now());
                    streams.builder.scraped(metrics);
                    let (namespace, pod) = (target.namespace.to_string(), target.pod.to_string());
                    told.logs.scrapes.push(Scrape { namespace, pod, text });
                }
                Err(problem) => problems.push(problem),
            }
        }
        !told.logs.scrapes.is_empty()
    }

    /// Asks CloudTrail, if asked to; true if it answered.
    async fn trail(&self, streams: &mut Streams, told: &mut Told, problems: &mut Vec<Problem>) -> bool {
        let Some(settings) = &self.settings.feeds.lookup else { return false };
        let (text, problem) = lookup::read_once(settings.clone(), LOOKED_BACK, &*self.clock).await;
        let whole = problem.is_none();
        problems.extend(problem);
        let reading = cloudtrail::read(&text);
        problems.extend(reading.problems);
        streams.builder.add(reading.events, self.clock.now());
        if whole {
            told.cloudtrail = Some(text);
        }
        whole
    }
}

fn wants(cluster: Option<&Cluster>, snapshot: &Snapshot) -> Vec<crate::model::want::InstanceWants> {
    cluster
        .map(|cluster| desired::compute(cluster, snapshot.route53.value(), snapshot.at))
        .unwrap_or_default()
}

/// In the form of `kubectl logs --timestamps`.
fn log_file(target: &LogTarget, lines: &[LogLine]) -> LogFile {
    let text = |line: &LogLine| match line.at {
        Some(at) => format!("{at} {}", line.text),
        None => line.text.clone(),
    };
    LogFile {
        namespace: target.namespace.to_string(),
        pod: target.pod.to_string(),
        container: target.container.to_string(),
        lines: lines.iter().map(text).collect(),
    }
}

/// Masks the values of environment variables whose name promises a secret, wherever containers
/// stand in the object.
fn without_secrets(mut object: Value) -> Value {
    mask(&mut object);
    object
}

fn mask(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                if key == "env"
                    && let Value::Array(variables) = inner
                {
                    variables.iter_mut().for_each(mask_variable);
                } else {
                    mask(inner);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn mask_variable(variable: &mut Value) {
    let secret = variable.get("name").and_then(Value::as_str).is_some_and(is_secret);
    if let Some(value) = variable.get_mut("value").filter(|_| secret) {
        *value = Value::String(crate::config::MASKED.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_of_containers_are_masked() {
        let pod = json!({"spec": {"containers": [{"env": [
            {"name": "AWS_SECRET_ACCESS_KEY", "value": "hunter2"},
            {"name": "EXTERNAL_DNS_TXT_OWNER_ID", "value": "gke-prod"},
            {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "x"}}}]}]}});
        let masked = without_secrets(pod);
        let env = &masked["spec"]["containers"][0]["env"];
        assert_eq!(env[0]["value"], "***");
        assert_eq!(env[1]["value"], "gke-prod");
        assert_eq!(env[2]["valueFrom"]["secretKeyRef"]["name"], "x");
    }
}

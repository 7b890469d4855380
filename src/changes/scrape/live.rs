//! Reading the metrics of ExternalDNS Pods through the proxy of the Kubernetes API.
//!
//! The way through the API works from outside of the cluster and past network policies. It needs
//! `get` on `pods/proxy`, so it is off unless asked for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::changes::inbox::{Delivery, SourceHealth};
use crate::changes::scrape::read;
use crate::clock::Clock;
use crate::error_chain::ErrorChain;
use crate::finding::Reason;
use crate::limits::MAX_LOG_FOLLOWERS;
use crate::model::change::ControllerMetrics;
use crate::model::text::printable;
use crate::model::workload::LogTarget;
use crate::snapshot::Problem;

/// The name in problems.
pub const SOURCE: &str = "metrics";

/// A scrape of a small program; the kubelet's own probes allow a second.
const WITHIN: Duration = Duration::from_secs(10);

/// How the Pods are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrapeSettings {
    /// Port of `--metrics-address`.
    pub port: u16,
    /// Time between two readings.
    pub interval: Duration,
}

impl Default for ScrapeSettings {
    fn default() -> Self {
        Self { port: 7979, interval: Duration::from_mins(1) }
    }
}

/// Reads the metrics of all Pods again and again, until stopped.
pub async fn run(
    client: kube::Client,
    mut targets: watch::Receiver<Arc<Vec<LogTarget>>>,
    settings: ScrapeSettings,
    clock: Arc<dyn Clock>,
    out: mpsc::Sender<Delivery>,
    health: SourceHealth,
    stop: CancellationToken,
) {
    let mut ticks = interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // A Pod that has just appeared is not left for the next turn.
        let turn = async {
            tokio::select! {
                _ = ticks.tick() => {}
                Ok(()) = targets.changed() => ticks.reset(),
            }
        };
        if stop.run_until_cancelled(turn).await.is_none() {
            return;
        }
        let pods = Arc::clone(&targets.borrow_and_update());
        let reading = read_all(&client, &pods, settings.port, &*clock, &out, &health);
        if stop.run_until_cancelled(reading).await.is_none() {
            return;
        }
    }
}

async fn read_all(
    client: &kube::Client,
    pods: &[LogTarget],
    port: u16,
    clock: &dyn Clock,
    out: &mpsc::Sender<Delivery>,
    health: &SourceHealth,
) {
    let mut problems = Vec::new();
    for target in pods.iter().take(MAX_LOG_FOLLOWERS) {
        match read_one(client, target, port, clock).await {
            // Nobody listens: the program stops.
            Ok(metrics) => drop(out.send(Delivery::Metrics(metrics)).await),
            Err(problem) => problems.push(problem),
        }
    }
    let all_failed = !pods.is_empty() && pods.len() <= problems.len();
    let first = problems.first().filter(|_| all_failed);
    let whole = first.map(|one| Problem { scope: SOURCE.to_owned(), ..one.clone() });
    health.ended(SOURCE, whole);
    health.replace_parts(SOURCE, if all_failed { Vec::new() } else { problems });
}

async fn read_one(
    client: &kube::Client,
    target: &LogTarget,
    port: u16,
    clock: &dyn Clock,
) -> Result<ControllerMetrics, Problem> {
    let text = read_text(client, target, port).await?;
    Ok(read(&text, &target.namespace, &target.pod, clock.now()))
}

/// The exposition of one Pod.
///
/// # Errors
///
/// The Pod does not answer, or the API refuses the way to it.
pub async fn read_text(client: &kube::Client, target: &LogTarget, port: u16) -> Result<String, Problem> {
    let (namespace, pod) = (&target.namespace, &target.pod);
    let scope = format!("{SOURCE} {namespace}/{pod}");
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/metrics");
    let fail = |code: Reason, text: &str| Problem {
        scope: scope.clone(),
        code,
        message: printable(&format!("read metrics of {namespace}/{pod} on port {port}: {text}")),
    };
    let request =
        http::Request::get(path).body(Vec::new()).map_err(|error| fail(Reason::Parse, &error.to_string()))?;
    match timeout(WITHIN, client.request_text(request)).await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => {
            let denied = matches!(&error, kube::Error::Api(status) if matches!(status.code, 401 | 403));
            let code = if denied { Reason::Forbidden } else { Reason::Unreachable };
            let hint = if denied { "get on pods/proxy is missing: " } else { "" };
            Err(fail(code, &format!("{hint}{}", ErrorChain(&error))))
        }
        Err(_) => Err(fail(Reason::Unreachable, "no answer in time")),
    }
}

//! Who of several replicas judges: the holder of a Lease.
//!
//! The Lease is the only object that the program ever writes, and only where it is told to elect. As in
//! client-go the time of others is never trusted: a Lease is over when this process has seen it
//! unchanged for as long as it lasts. Source: kubernetes/client-go `tools/leaderelection`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, ObjectMeta, PostParams};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::error_chain::ErrorChain;
use crate::publish::role::Role;

/// How long a Lease lasts without being renewed.
const LASTS: Duration = Duration::from_secs(10);

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// A leader that could not renew for so long steps down, before others may take over.
const RENEW_WITHIN: Duration = Duration::from_secs(6);

/// How long one request may take.
const CALL_WITHIN: Duration = Duration::from_secs(2);

const _: () = assert!(
    RENEW_WITHIN.as_secs() + CALL_WITHIN.as_secs() < LASTS.as_secs(),
    "a leader is gone before the next one comes"
);
const _: () = assert!(LASTS.as_secs() + 2 * EVERY.as_secs() < 15, "a dead leader is replaced within 15 s");

/// How the leader is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderSettings {
    /// The Lease.
    pub lease_name: String,
    /// Its namespace; `None` for that of the kubeconfig or the Pod.
    pub namespace: Option<String>,
    /// What this process calls itself: no other one may use the same.
    pub identity: String,
}

/// What was seen of the Lease, and since when it looks like that.
struct Seen {
    spec: LeaseSpec,
    since: Instant,
}

struct Elector {
    leases: Api<Lease>,
    settings: LeaderSettings,
    clock: Arc<dyn Clock>,
    seen: Option<Seen>,
}

/// Takes part in the election until `stop`; then gives the Lease back.
pub(super) async fn run(
    client: kube::Client,
    settings: LeaderSettings,
    clock: Arc<dyn Clock>,
    role: watch::Sender<Role>,
    stop: CancellationToken,
) {
    let namespace = settings.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
    let leases = Api::namespaced(client, &namespace);
    let mut elector = Elector { leases, settings, clock, seen: None };
    let mut renewed: Option<Instant> = None;
    loop {
        let start = Instant::now();
        match timeout(CALL_WITHIN, elector.attempt()).await {
            Ok(Ok(true)) => renewed = Some(start),
            Ok(Ok(false)) => renewed = None,
            Ok(Err(error)) => {
                tracing::warn!(error = %ErrorChain(&error), "election: the Lease cannot be read or written");
            }
            Err(_elapsed) => tracing::warn!("election: no answer about the Lease"),
        }
        let leads = renewed.is_some_and(|at| at.elapsed() < RENEW_WITHIN);
        renewed = renewed.filter(|_| leads);
        let now = if leads { Role::Leader } else { Role::Standby };
        role.send_if_modified(|current| {
            let changed = *current != now;
            if changed {
                tracing::info!(role = now.as_str(), lease = elector.settings.lease_name, "election");
                *current = now;
            }
            changed
        });
        if stop.run_until_cancelled(sleep(EVERY)).await.is_none() {
            break;
        }
    }
    if renewed.is_some() {
        role.send_replace(Role::Standby);
        match timeout(CALL_WITHIN, elector.release()).await {
            Ok(Ok(())) => tracing::info!("election: the Lease is given back"),
            Ok(Err(error)) => {
                tracing::warn!(error = %ErrorChain(&error), "election: the Lease is not given back");
            }
            Err(_elapsed) => tracing::warn!("election: the Lease is not given back in time"),
        }
    }
}

// === impl Elector ===

impl Elector {
    /// One look, and a write if the Lease is ours or free; true if it is ours now.
    async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let name = self.settings.lease_name.clone();
        let Some(mut lease) = self.leases.get_opt(&name).await? else {
            let metadata = ObjectMeta { name: Some(name), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.held(None)) };
            return won(self.leases.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.take().unwrap_or_default();
        let mine = self.holds(&spec);
        if !mine && !self.is_over(&spec) {
            return Ok(false);
        }
        lease.spec = Some(self.held(Some(&spec)));
        // The version that was read goes with it: who comes second is refused.
        won(self.leases.replace(&name, &PostParams::default(), &lease).await)
    }

    async fn release(&self) -> Result<(), kube::Error> {
        let name = &self.settings.lease_name;
        let mut lease = self.leases.get(name).await?;
        let spec = lease.spec.take().unwrap_or_default();
        if !self.holds(&spec) {
            return Ok(());
        }
        let free =
            LeaseSpec { holder_identity: Some(String::new()), lease_duration_seconds: Some(1), ..spec };
        lease.spec = Some(free);
        self.leases.replace(name, &PostParams::default(), &lease).await.map(|_lease| ())
    }

    fn holds(&self, spec: &LeaseSpec) -> bool {
        spec.holder_identity.as_deref() == Some(self.settings.identity.as_str())
    }

    /// True if nobody holds it, or if its holder has not renewed it while this process looked on.
    fn is_over(&mut self, spec: &LeaseSpec) -> bool {
        if spec.holder_identity.as_deref().unwrap_or_default().is_empty() {
            return true;
        }
        let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let lasts = lasts.map_or(LASTS, Duration::from_secs);
        match &self.seen {
            Some(seen) if seen.spec == *spec => lasts <= seen.since.elapsed(),
            Some(_) | None => {
                self.seen = Some(Seen { spec: spec.clone(), since: Instant::now() });
                false
            }
        }
    }

    fn held(&self, old: Option<&LeaseSpec>) -> LeaseSpec {
        let now: Timestamp = self.clock.now();
        let mine = old.filter(|spec| self.holds(spec));
        let changes = old.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
            acquire_time: mine.and_then(|spec| spec.acquire_time.clone()).or(Some(MicroTime(now))),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(changes.saturating_add(i32::from(old.is_some() && mine.is_none()))),
            ..LeaseSpec::default()
        }
    }
}

/// A conflict means that another process was faster.
fn won(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_lease) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

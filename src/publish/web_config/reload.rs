//! Reading the file again: certificates are renewed and logins change without a restart.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::error_chain::ErrorChain;
use crate::publish::family::{Family, Number};
use crate::publish::web_config::WebConfig;

/// How often the files are read again. They are small; the kubelet itself takes a minute to bring a
/// changed Secret.
pub const RELOAD_EVERY: Duration = Duration::from_secs(5);

/// Whether the file could be read the last time. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct WebConfigHealth(Arc<Mutex<Option<Health>>>);

#[derive(Clone, Copy, Debug)]
struct Health {
    ok: bool,
    last_ok: Timestamp,
}

/// Reads the files again and again, and publishes what changed. What cannot be used changes nothing:
/// it is logged once, and the metric says so until it is mended.
pub async fn follow(
    path: PathBuf,
    out: watch::Sender<Arc<WebConfig>>,
    health: WebConfigHealth,
    clock: Arc<dyn Clock>,
    every: Duration,
    stop: CancellationToken,
) {
    health.note(true, clock.now());
    let mut last_error = None;
    let mut next = Instant::now() + every;
    while stop.run_until_cancelled(sleep_until(next)).await.is_some() {
        next = Instant::now() + every;
        let file = path.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || WebConfig::load(&file)).await else { continue };
        match read {
            Ok(config) => {
                health.note(true, clock.now());
                last_error = None;
                out.send_if_modified(|current| {
                    let changed = !current.is_same(&config);
                    if changed {
                        tracing::info!("web configuration: taken over");
                        *current = Arc::new(config);
                    }
                    changed
                });
            }
            Err(error) => {
                health.note(false, clock.now());
                let text = ErrorChain(&error).to_string();
                if last_error.as_ref() != Some(&text) {
                    tracing::error!(error = text, "web configuration: not taken over; the last one stays");
                }
                last_error = Some(text);
            }
        }
    }
}

// === impl WebConfigHealth ===

impl WebConfigHealth {
    fn note(&self, ok: bool, now: Timestamp) {
        let mut health = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last_ok = health.filter(|_| !ok).map_or(now, |health| health.last_ok);
        *health = Some(Health { ok, last_ok });
    }
}

impl Collector for WebConfigHealth {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let health = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(health) = health else { return Ok(()) };
        let ok = Number::Whole(u64::from(health.ok));
        Family::single("dns_drift_web_config_last_reload_successful", ok).encode(&mut encoder)?;
        let at = health.last_ok.into();
        Family::single("dns_drift_web_config_last_reload_success_timestamp_seconds", at)
            .encode(&mut encoder)
            .map(|_dropped| ())
    }
}

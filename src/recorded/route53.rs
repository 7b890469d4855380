//! Reading Route 53 live: settings, and the two ways to do it.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::config::Credentials;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::finding::Reason;
use crate::model::ZoneId;
use crate::model::zone::Zones;
use crate::recorded::budget::{BudgetError, DEFAULT_RATE};
use crate::recorded::client::Client;
use crate::recorded::stats::ApiStats;
use crate::recorded::task::Reader;
use crate::snapshot::{Problem, Reading, ViewState};

/// How Route 53 is read.
#[derive(Clone, Debug)]
pub struct Route53Settings {
    /// Region that requests are signed for. Route 53 is global, but the SDK insists on one.
    pub region: Arc<str>,
    /// Requests per second, for the whole account; above 0, at most
    /// [`MAX_RATE`](crate::recorded::budget::MAX_RATE).
    pub requests_per_second: f64,
    /// From the start of one full listing to the start of the next. When the budget allows less,
    /// the listings follow each other without a pause.
    pub interval: Duration,
    /// Only these zones, read without `ListHostedZones`; empty means all.
    pub zone_ids: Vec<ZoneId>,
    /// Instead of the real service; `None` leaves it to the environment
    /// (`AWS_ENDPOINT_URL_ROUTE_53`).
    pub endpoint_url: Option<String>,
    /// Instead of the default chain (environment, profile, web identity, instance); for emulators.
    pub credentials: Option<Credentials>,
    /// Where attempts are counted; share it with whoever publishes the numbers.
    pub stats: Arc<ApiStats>,
}

/// Keeps the recorded view fresh until `stop`: the first listing at once, then one each interval,
/// and one soon after each change of `wake`.
///
/// Publishes after each listing and, once the first one is complete, after each zone that changed.
/// What fails becomes a problem in the published reading; the task itself ends only with `stop`.
pub async fn run(
    settings: Route53Settings,
    wake: watch::Receiver<u64>,
    clock: Arc<dyn Clock>,
    publish: watch::Sender<Reading<Zones>>,
    stop: CancellationToken,
) {
    match stop.run_until_cancelled(Client::connect(&settings)).await {
        Some(Ok(client)) => {
            let reader = Reader::new(client, settings.zone_ids, clock);
            stop.run_until_cancelled(reader.keep_reading(settings.interval, wake, publish)).await;
        }
        Some(Err(error)) => {
            publish.send_replace(unusable(&error));
            stop.cancelled().await;
        }
        None => {}
    }
}

/// Reads everything once.
pub async fn read_once(settings: Route53Settings, clock: Arc<dyn Clock>) -> Reading<Zones> {
    match Client::connect(&settings).await {
        Ok(client) => {
            let mut reader = Reader::new(client, settings.zone_ids, clock);
            reader.read_all(|_| ()).await;
            if reader.reading().state == ViewState::Read {
                reader.read_extras(u32::MAX).await;
            }
            reader.reading()
        }
        Err(error) => unusable(&error),
    }
}

fn unusable(error: &BudgetError) -> Reading<Zones> {
    let problem = Problem { scope: "all".to_owned(), code: Reason::Parse, message: error.to_string() };
    Reading::unread(vec![problem])
}

impl Default for Route53Settings {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            requests_per_second: DEFAULT_RATE,
            interval: Duration::from_mins(1),
            zone_ids: Vec::new(),
            endpoint_url: None,
            credentials: None,
            stats: Arc::default(),
        }
    }
}

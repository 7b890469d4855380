//! The optional sources of the change feed: CloudTrail, its queue, the metrics of ExternalDNS and
//! its Events.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::changes::inbox::{Delivery, SourceHealth};
use crate::changes::lookup::{self, LookupSettings};
use crate::changes::notices::live::{self as notices, NoticeSettings};
use crate::changes::queue::{self, QueueSettings};
use crate::changes::scrape::live::{self as scrape, ScrapeSettings};
use crate::clock::Clock;
use crate::model::workload::LogTarget;

/// Which of them are in use; none unless asked for.
#[derive(Clone, Debug, Default)]
pub struct FeedSettings {
    /// `LookupEvents`.
    pub lookup: Option<LookupSettings>,
    /// The queue that an `EventBridge` rule fills.
    pub queue: Option<QueueSettings>,
    /// `/metrics` of the Pods.
    pub scrape: Option<ScrapeSettings>,
    /// Kubernetes Events.
    pub events: Option<NoticeSettings>,
}

/// What the sources have in common.
pub(super) struct Feeds {
    pub(super) client: kube::Client,
    pub(super) targets: watch::Receiver<Arc<Vec<LogTarget>>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) out: mpsc::Sender<Delivery>,
    pub(super) health: SourceHealth,
    pub(super) stop: CancellationToken,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Feeds {
    /// The tasks of the sources in use, with their names. Each is expected to speak from now on.
    pub(super) fn tasks(self, settings: FeedSettings) -> Vec<(&'static str, Running)> {
        let Self { client, targets, clock, out, health, stop } = self;
        let mut tasks: Vec<(&'static str, Running)> = Vec::new();
        if let Some(settings) = settings.lookup {
            health.expect(lookup::SOURCE);
            let asking = lookup::run(settings, Arc::clone(&clock), out.clone(), health.clone(), stop.clone());
            tasks.push(("cloudtrail", Box::pin(asking)));
        }
        if let Some(settings) = settings.queue {
            health.expect(queue::SOURCE);
            let reading = queue::run(settings, out.clone(), health.clone(), stop.clone());
            tasks.push(("queue", Box::pin(reading)));
        }
        if let Some(settings) = settings.events {
            let reading = notices::run(client.clone(), settings, out.clone(), stop.clone());
            tasks.push(("events", Box::pin(reading)));
        }
        if let Some(settings) = settings.scrape {
            health.expect(scrape::SOURCE);
            tasks
                .push(("scrape", Box::pin(scrape::run(client, targets, settings, clock, out, health, stop))));
        }
        tasks
    }
}

//! CloudTrail records in near real time: an SQS queue that an EventBridge rule fills.
//!
//! A message is deleted once its events are handed on. One that cannot be understood is left to
//! the queue's redrive policy, which moves it to the dead-letter queue after a few deliveries;
//! where there is none, it is deleted after [`MAX_DELIVERIES`]. Source: SQS Developer Guide.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
pub use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::changes::inbox::{Delivery, SourceHealth};
use crate::changes::{aws, cloudtrail};
use crate::limits::MAX_TRAIL_RECORD;
use crate::model::text::printable;
use crate::snapshot::Problem;

/// The name in problems.
pub const SOURCE: &str = "queue";

const RECEIVE: &str = "sqs:ReceiveMessage";
const DELETE: &str = "sqs:DeleteMessage";

/// Deliveries after which a message that nobody understands is deleted.
pub const MAX_DELIVERIES: u32 = 10;

/// How long the first request waits. Not zero, which would ask only a part of the service.
const FIRST_WAIT_SECONDS: i32 = 1;

/// Longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// How the queue is read.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// URL of the queue.
    pub url: String,
    /// Region of the queue.
    pub region: Arc<str>,
    /// Instead of the real service; `None` leaves it to the environment.
    pub endpoint_url: Option<String>,
    /// Instead of the default chain; for emulators.
    pub credentials: Option<Credentials>,
    /// How long a request waits for a message, in seconds; the service's own bound is 20.
    pub wait_seconds: i32,
    /// First pause after a failure; doubles with each further one.
    pub first_pause: Duration,
}

// === impl QueueSettings ===

impl QueueSettings {
    /// The settings for a queue in `us-east-1`, where the events of Route 53 are, or in the region
    /// that its URL names.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let host = url.split("://").nth(1).unwrap_or_default();
        let named = host.strip_prefix("sqs.").and_then(|rest| rest.split('.').next());
        Self {
            url: url.to_owned(),
            region: named.filter(|region| region.contains('-')).unwrap_or("us-east-1").into(),
            endpoint_url: None,
            credentials: None,
            wait_seconds: 20,
            first_pause: Duration::from_secs(5),
        }
    }
}

/// Reads the queue until stopped.
pub async fn run(
    settings: QueueSettings,
    out: mpsc::Sender<Delivery>,
    health: SourceHealth,
    stop: CancellationToken,
) {
    let Some(client) = stop.run_until_cancelled(connect(&settings)).await else { return };
    let mut pause = settings.first_pause;
    // What happened while nobody read is there at once; verdicts wait for it.
    let mut wait_seconds = settings.wait_seconds.min(FIRST_WAIT_SECONDS);
    loop {
        // A message is deleted after it was handed on; a stop in between delivers it again, and
        // the feed knows its event by id.
        let taking = take(&client, &settings, wait_seconds, &out, &health);
        let Some(result) = stop.run_until_cancelled(taking).await else { return };
        wait_seconds = settings.wait_seconds;
        let failed = result.is_err();
        health.ended(SOURCE, result.err());
        if !failed {
            pause = settings.first_pause;
            continue;
        }
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

async fn connect(settings: &QueueSettings) -> Client {
    let shared = aws::load(&settings.region, settings.credentials.as_ref()).await;
    // Longer than a long poll, or every quiet poll would end as a timeout.
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_mins(1))
        .build();
    let mut config = aws_sdk_sqs::config::Builder::from(&shared)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    if let Some(url) = &settings.endpoint_url {
        config = config.endpoint_url(url.as_str());
    }
    Client::from_conf(config.build())
}

/// One long poll.
async fn take(
    client: &Client,
    settings: &QueueSettings,
    wait_seconds: i32,
    out: &mpsc::Sender<Delivery>,
    health: &SourceHealth,
) -> Result<(), Problem> {
    let received = client
        .receive_message()
        .queue_url(&settings.url)
        .max_number_of_messages(10)
        .wait_time_seconds(wait_seconds)
        .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
        .send()
        .await
        .map_err(|error| counted(health, "ReceiveMessage", aws::problem(&error, SOURCE, RECEIVE)))?;
    health.count("ReceiveMessage", "ok");
    for message in received.messages.unwrap_or_default() {
        if !is_done(&message, out, health).await {
            continue;
        }
        let delete =
            client.delete_message().queue_url(&settings.url).set_receipt_handle(message.receipt_handle);
        delete
            .send()
            .await
            .map_err(|error| counted(health, "DeleteMessage", aws::problem(&error, SOURCE, DELETE)))?;
        health.count("DeleteMessage", "ok");
    }
    Ok(())
}

fn counted(health: &SourceHealth, operation: &'static str, problem: Problem) -> Problem {
    health.count(operation, aws::outcome(&problem));
    problem
}

/// True if the message is to be deleted.
async fn is_done(message: &Message, out: &mpsc::Sender<Delivery>, health: &SourceHealth) -> bool {
    let body = message.body.as_deref().unwrap_or_default();
    let reading = if body.len() <= MAX_TRAIL_RECORD { cloudtrail::read(body) } else { cloudtrail::read("") };
    if !reading.events.is_empty() && out.send(Delivery::Trail(reading.events)).await.is_err() {
        return false;
    }
    let Some(problem) = reading.problems.first() else { return true };
    let attributes = message.attributes.as_ref();
    let deliveries = attributes
        .and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount)?.parse::<u32>().ok())
        .unwrap_or(1);
    if deliveries == 1 {
        health.set_aside();
        let id = printable(message.message_id.as_deref().unwrap_or_default());
        tracing::warn!(message = id, problem = problem.message, "a queue message is set aside");
    }
    MAX_DELIVERIES <= deliveries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_names_the_region() {
        let region = |url: &str| QueueSettings::new(url).region.to_string();
        assert_eq!(region("https://sqs.eu-west-1.amazonaws.com/111122223333/dns-drift"), "eu-west-1");
        assert_eq!(region("http://127.0.0.1:5000/111122223333/dns-drift"), "us-east-1");
        assert_eq!(region("https://queue.amazonaws.com/111122223333/dns-drift"), "us-east-1");
    }
}

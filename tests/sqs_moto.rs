//! The queue of CloudTrail records against an SQS that other people wrote.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/moto.rs"]
mod moto;

use std::time::Duration;

use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_sdk_sqs::types::QueueAttributeName;
use dns_drift::changes::feed::FeedBuilder;
use dns_drift::changes::inbox::{Delivery, SourceHealth};
use dns_drift::changes::queue::{self, Credentials, QueueSettings};
use dns_drift::finding::Reason;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::moto::Moto;

const SOON: Duration = Duration::from_mins(1);

fn record(id: &str, name: &str) -> Value {
    json!({"eventID": id, "eventTime": "2026-11-23T09:00:00Z", "eventName": name,
           "eventSource": "route53.amazonaws.com", "errorCode": "InvalidChangeBatch",
           "errorMessage": "[Number of records limit of 10000 exceeded.]",
           "requestParameters": {"hostedZoneId": "Z1", "changeBatch": {"changes": []}}})
}

/// As `EventBridge` writes it.
fn envelope(id: &str, name: &str) -> String {
    json!({"version": "0", "id": "x", "detail-type": "AWS API Call via CloudTrail", "source": "aws.route53",
           "detail": record(id, name)})
    .to_string()
}

#[tokio::test]
async fn messages_are_taken_once_and_poison_is_set_aside() {
    let moto = Moto::start().await;
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials.clone())
        .endpoint_url(&moto.url)
        .build();
    let sqs = aws_sdk_sqs::Client::from_conf(config);
    // Without a redrive policy, and a message that is not deleted comes again at once.
    let created = sqs
        .create_queue()
        .queue_name("dns-drift")
        .attributes(QueueAttributeName::VisibilityTimeout, "0")
        .send()
        .await
        .expect("queue");
    let url = created.queue_url.expect("URL");
    let sns =
        json!({"Type": "Notification", "Message": envelope("2", "ChangeResourceRecordSets")}).to_string();
    let bodies = [
        envelope("1", "ChangeResourceRecordSets"),
        sns,
        envelope("1", "ChangeResourceRecordSets"),
        envelope("3", "CreateHostedZone"),
        "no JSON at all".to_owned(),
    ];
    for body in bodies {
        sqs.send_message().queue_url(&url).message_body(body).send().await.expect("sent");
    }
    let settings = QueueSettings {
        endpoint_url: Some(moto.url.clone()),
        credentials: Some(credentials),
        wait_seconds: 0,
        first_pause: Duration::from_millis(50),
        ..QueueSettings::new(&url)
    };
    let (out, mut deliveries) = mpsc::channel(16);
    let (health, stop, mut tasks) = (SourceHealth::default(), CancellationToken::new(), JoinSet::new());
    tasks.spawn(queue::run(settings, out, health.clone(), stop.clone()));
    let left = async || {
        let attributes = sqs
            .get_queue_attributes()
            .queue_url(&url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .send()
            .await
            .expect("attributes");
        attributes.attributes.expect("some")[&QueueAttributeName::ApproximateNumberOfMessages].clone()
    };
    let emptied = async {
        while left().await != "0" {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, emptied).await.expect("the queue is emptied");
    assert_eq!(health.messages_set_aside(), 1, "one message, however often it came");
    assert_eq!((health.problems(), health.sources()), (vec![], (1, 1)));

    let now = "2026-11-23T09:01:00Z".parse().unwrap();
    let mut builder = FeedBuilder::default();
    while let Ok(Delivery::Trail(events)) = deliveries.try_recv() {
        builder.add(events, now);
    }
    assert_eq!(builder.feed(now).events.len(), 2, "the same event twice is one");

    sqs.delete_queue().queue_url(&url).send().await.expect("deleted");
    let told = async {
        while health.problems().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, told).await.expect("a queue that is gone is told");
    let problem = &health.problems()[0];
    assert_eq!((problem.scope.as_str(), problem.code), ("queue", Reason::Unreachable), "{problem:?}");
    stop.cancel();
    timeout(SOON, tasks.join_next()).await.expect("stops").expect("task").expect("no panic");
}

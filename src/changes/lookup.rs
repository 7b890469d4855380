//! CloudTrail's event history, asked again and again (`LookupEvents`).
//!
//! Needs no trail, only the permission. Events appear minutes late and out of order, so each
//! question reaches back over the last one and known events are left out.
//! Source: CloudTrail User Guide, event history; CloudTrail API, `LookupEvents`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudtrail::Client;
pub use aws_sdk_cloudtrail::config::Credentials;
use aws_sdk_cloudtrail::config::retry::RetryConfig;
use aws_sdk_cloudtrail::config::timeout::TimeoutConfig;
use aws_sdk_cloudtrail::operation::lookup_events::LookupEventsOutput;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::changes::inbox::{Delivery, SourceHealth};
use crate::changes::{aws, cloudtrail};
use crate::clock::Clock;
use crate::finding::Reason;
use crate::limits::{MAX_CHANGE_EVENTS, MAX_LOOKUP_PAGES};
use crate::model::change::ChangeEvent;
use crate::snapshot::Problem;

/// The name in problems.
pub const SOURCE: &str = "cloudtrail";

const ACTION: &str = "cloudtrail:LookupEvents";

/// Events of one page; the service gives no more.
const PAGE: i32 = 50;

/// Nobody grants a permission within minutes; asking on would only fill the trail with refusals.
const DENIED_PAUSE: u32 = 5;

/// How CloudTrail is asked.
#[derive(Clone, Debug)]
pub struct LookupSettings {
    /// Route 53 is global and its events lie in `us-east-1` (in China `cn-northwest-1`).
    pub region: Arc<str>,
    /// Instead of the real service; `None` leaves it to the environment.
    pub endpoint_url: Option<String>,
    /// Instead of the default chain; for emulators.
    pub credentials: Option<Credentials>,
    /// Time between two questions.
    pub interval: Duration,
    /// How late an event may appear: each question reaches back so far.
    pub overlap: Duration,
    /// How far back the first question reaches.
    pub first_window: Duration,
    /// Pause between two requests. The account shares two a second.
    pub pause: Duration,
}

/// Asks and remembers what is known.
struct Lookup {
    client: Client,
    settings: LookupSettings,
    /// The start of the last question that was answered completely.
    complete_at: Option<Timestamp>,
    /// Ids of events by the time that they carry.
    known: BTreeSet<(Timestamp, String)>,
}

impl Default for LookupSettings {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            endpoint_url: None,
            credentials: None,
            interval: Duration::from_mins(2),
            overlap: Duration::from_mins(20),
            first_window: Duration::from_hours(1),
            pause: Duration::from_secs(1),
        }
    }
}

/// Asks until stopped, and hands new events on.
pub async fn run(
    settings: LookupSettings,
    clock: Arc<dyn Clock>,
    out: mpsc::Sender<Delivery>,
    health: SourceHealth,
    stop: CancellationToken,
) {
    let interval = settings.interval;
    let Some(mut lookup) = stop.run_until_cancelled(Lookup::connect(settings)).await else { return };
    loop {
        let asking = lookup.ask(&*clock, &out, &health);
        let Some(problem) = stop.run_until_cancelled(asking).await else { return };
        let denied = problem.as_ref().is_some_and(|problem| problem.code == Reason::Forbidden);
        health.ended(SOURCE, problem);
        let pause = if denied { interval.saturating_mul(DENIED_PAUSE) } else { interval };
        if stop.run_until_cancelled(sleep(pause)).await.is_none() {
            return;
        }
    }
}

/// Asks once: what the event history shows of the last `window`, in the form that
/// `aws cloudtrail lookup-events` prints, and what kept it from being complete.
pub async fn read_once(
    settings: LookupSettings,
    window: Duration,
    clock: &dyn Clock,
) -> (String, Option<Problem>) {
    let lookup = Lookup::connect(LookupSettings { first_window: window, ..settings }).await;
    let now = clock.now();
    let mut entries = Vec::new();
    let mut token = None;
    for page in 0..MAX_LOOKUP_PAGES {
        if 0 < page {
            sleep(lookup.settings.pause).await;
        }
        let answer = match lookup.page((lookup.since(now), now), token.take()).await {
            Ok(answer) => answer,
            Err(problem) => return (listed(&entries), Some(problem)),
        };
        let events = answer.events.unwrap_or_default().into_iter();
        entries.extend(events.map(|event| {
            json!({"EventId": event.event_id, "EventName": event.event_name,
                   "CloudTrailEvent": event.cloud_trail_event})
        }));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    (listed(&entries), None)
}

fn listed(entries: &[serde_json::Value]) -> String {
    json!({"Events": entries}).to_string()
}

// === impl Lookup ===

impl Lookup {
    async fn connect(settings: LookupSettings) -> Self {
        let shared = aws::load(&settings.region, settings.credentials.as_ref()).await;
        // Answers for us-east-1 have been seen to take half a minute.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(Duration::from_mins(1))
            .operation_timeout(Duration::from_mins(2))
            .build();
        let mut config = aws_sdk_cloudtrail::config::Builder::from(&shared)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(url) = &settings.endpoint_url {
            config = config.endpoint_url(url.as_str());
        }
        let client = Client::from_conf(config.build());
        Self { client, settings, complete_at: None, known: BTreeSet::new() }
    }

    /// Reads all pages of one window. What came before a failure is handed on; the next question
    /// reaches back to the last complete one.
    async fn ask(
        &mut self,
        clock: &dyn Clock,
        out: &mpsc::Sender<Delivery>,
        health: &SourceHealth,
    ) -> Option<Problem> {
        let started = clock.now();
        let since = self.since(started);
        let mut token = None;
        let mut broken = None;
        for page in 0..MAX_LOOKUP_PAGES {
            if 0 < page {
                sleep(self.settings.pause).await;
            }
            let answer = match self.page((since, started), token.take()).await {
                Ok(answer) => answer,
                Err(problem) => {
                    health.count("LookupEvents", aws::outcome(&problem));
                    return Some(problem);
                }
            };
            health.count("LookupEvents", "ok");
            let (events, trouble) = self.new_events(answer.events.unwrap_or_default());
            broken = broken.or(trouble);
            if !events.is_empty() && out.send(Delivery::Trail(events)).await.is_err() {
                return None;
            }
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        self.complete_at = Some(started);
        self.forget(since);
        if token.is_some() {
            let message =
                format!("{ACTION}: more than {MAX_LOOKUP_PAGES} pages of changes; the oldest are left out");
            return Some(Problem { scope: SOURCE.to_owned(), code: Reason::LimitsExceeded, message });
        }
        broken
    }

    async fn page(
        &self,
        (from, until): (Timestamp, Timestamp),
        token: Option<String>,
    ) -> Result<LookupEventsOutput, Problem> {
        let filter = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventName)
            .attribute_value("ChangeResourceRecordSets")
            .build();
        let request = self
            .client
            .lookup_events()
            .set_lookup_attributes(filter.ok().map(|filter| vec![filter]))
            .start_time(DateTime::from_secs(from.as_second()))
            .end_time(DateTime::from_secs(until.as_second().saturating_add(1)))
            .max_results(PAGE)
            .set_next_token(token);
        request.send().await.map_err(|error| aws::problem(&error, SOURCE, ACTION))
    }

    fn since(&self, now: Timestamp) -> Timestamp {
        let (from, by) = match self.complete_at {
            // The clock may have been set back since.
            Some(at) => (at.min(now), self.settings.overlap),
            None => (now, self.settings.first_window),
        };
        from.saturating_sub(SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX))
            .unwrap_or(Timestamp::MIN)
    }

    fn new_events(&mut self, events: Vec<Event>) -> (Vec<ChangeEvent>, Option<Problem>) {
        let mut new = Vec::new();
        let mut trouble = None;
        for event in events {
            let at = event
                .event_time
                .and_then(|at| Timestamp::from_second(at.secs()).ok())
                .unwrap_or(Timestamp::MIN);
            let Some(record) = event.cloud_trail_event else { continue };
            let id = event.event_id.unwrap_or_default();
            if self.known.len() < MAX_CHANGE_EVENTS && !self.known.insert((at, id)) {
                continue;
            }
            let reading = cloudtrail::read(&record);
            new.extend(reading.events);
            trouble = trouble.or(reading.problems.into_iter().next());
        }
        (new, trouble)
    }

    /// Events before the window will not come again.
    fn forget(&mut self, since: Timestamp) {
        let edge = since.saturating_sub(SignedDuration::from_mins(1)).unwrap_or(Timestamp::MIN);
        self.known = self.known.split_off(&(edge, String::new()));
    }
}

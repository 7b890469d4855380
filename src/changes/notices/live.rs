//! Reading the Events of ExternalDNS from the Kubernetes API. Off unless asked for.
//!
//! Asked again and again instead of watched: Events are many, live an hour, and prove nothing, so a
//! minute of delay costs nothing and the server filters by reason.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::changes::inbox::Delivery;
use crate::changes::notices::{RECORD_ERROR, read};
use crate::error_chain::ErrorChain;
use crate::finding::Reason;
use crate::limits::MAX_NOTICES;
use crate::model::change::Notice;
use crate::model::text::printable;
use crate::snapshot::Problem;

/// The name in problems.
pub const SOURCE: &str = "events";

/// A list of at most a thousand small objects.
const WITHIN: Duration = Duration::from_secs(15);

/// How the Events are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeSettings {
    /// Time between two readings.
    pub interval: Duration,
}

impl Default for NoticeSettings {
    fn default() -> Self {
        Self { interval: Duration::from_mins(1) }
    }
}

/// Reads the Events again and again, until stopped.
///
/// A reading that fails is logged once and no problem of the view: nothing is judged by Events, so
/// without them nothing is unknown.
pub async fn run(
    client: kube::Client,
    settings: NoticeSettings,
    out: mpsc::Sender<Delivery>,
    stop: CancellationToken,
) {
    let mut ticks = interval(settings.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told: Option<Problem> = None;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let Some(reading) = stop.run_until_cancelled(read_once(&client)).await else { return };
        match reading {
            Ok(notices) => {
                told = None;
                // Nobody listens: the program stops.
                drop(out.send(Delivery::Notices(notices)).await);
            }
            Err(problem) if told.as_ref() == Some(&problem) => {}
            Err(problem) => {
                tracing::warn!(problem = problem.message, "the Events of ExternalDNS cannot be read");
                told = Some(problem);
            }
        }
    }
}

/// The Events that are there now, at most [`MAX_NOTICES`].
///
/// # Errors
///
/// The API does not answer, or refuses.
pub async fn read_once(client: &kube::Client) -> Result<Vec<Notice>, Problem> {
    let fail = |code: Reason, text: &str| Problem {
        scope: format!("{SOURCE} all"),
        code,
        message: printable(&format!("list events of reason {RECORD_ERROR}: {text}")),
    };
    let path = format!("/api/v1/events?fieldSelector=reason%3D{RECORD_ERROR}&limit={MAX_NOTICES}");
    let request =
        http::Request::get(path).body(Vec::new()).map_err(|error| fail(Reason::Parse, &error.to_string()))?;
    match timeout(WITHIN, client.request::<Value>(request)).await {
        Ok(Ok(list)) => Ok(notices(list)),
        Ok(Err(error)) => {
            let denied = matches!(&error, kube::Error::Api(status) if matches!(status.code, 401 | 403));
            let code = if denied { Reason::Forbidden } else { Reason::Unreachable };
            let hint = if denied { "list on events is missing: " } else { "" };
            Err(fail(code, &format!("{hint}{}", ErrorChain(&error))))
        }
        Err(_) => Err(fail(Reason::Unreachable, "no answer in time")),
    }
}

/// The items of a list leave out their kind.
fn notices(mut list: Value) -> Vec<Notice> {
    let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    let with_kind = items.into_iter().take(MAX_NOTICES).map(|mut item| {
        if let Some(fields) = item.as_object_mut() {
            fields.entry("kind").or_insert_with(|| "Event".into());
        }
        item
    });
    with_kind.filter_map(|item| read(&item)).collect()
}

//! Reading the cluster once, by plain lists: for a single verdict and for recordings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::Api;
use kube::api::ListParams;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::clock::Clock;
use crate::desired::client::Connection;
use crate::desired::contact::Contact;
use crate::desired::health::{Change, Failure, Heard, Listing, Patience, Stage};
use crate::desired::intern::Interner;
use crate::desired::kinds::{Kind, ServedKind, Watched};
use crate::desired::view::View;
use crate::desired::watch::{WatchSettings, request_failure};
use crate::finding::Reason;
use crate::model::text::printable;
use crate::model::workload::LogTarget;
use crate::snapshot::{Cluster, Problem, Reading};

/// Pages of one list; with 500 objects each far beyond what a cluster can hold. A server that
/// always promises one more page must not keep us for ever.
const MAX_PAGES: usize = 10_000;

/// Reads everything once. What could not be read is a problem of the reading.
pub async fn read_once(
    connection: &Connection,
    settings: &WatchSettings,
    clock: &dyn Clock,
) -> (Reading<Cluster>, Vec<LogTarget>) {
    let mut view = View::new(&settings.kinds());
    view.remember(Arc::clone(&settings.known));
    each_kind(connection, settings, &mut view, |_, _| {}).await;
    // Each list has just been heard; how long that took does not count.
    let now = Instant::now();
    let heard = Heard { last: Some(Contact { at: clock.now(), instant: now }), watch: None };
    let patience = Patience { stale_after: Duration::from_secs(1), calm: settings.calm };
    let reading = view.reading(|_| heard, now, patience);
    (reading.unwrap_or_else(|| Reading::unread(Vec::new())), view.log_targets())
}

/// The objects that count, as served, with kind and API version: all that may ask for names, and
/// the workloads and Pods that run ExternalDNS. The field sets of managers and kubectl's copy of
/// an object are left out. With the problems of what could not be read.
pub async fn list_raw(connection: &Connection, settings: &WatchSettings) -> (Vec<Value>, Vec<Problem>) {
    let (mut values, mut problems, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut view = View::new(&settings.kinds());
    view.remember(Arc::clone(&settings.known));
    each_kind(connection, settings, &mut view, |kind, result| match result {
        Ok(Some((served, objects))) => {
            // A Pod may be listed twice, for its instance and for its addresses.
            let new = objects.iter().filter(|object| seen.insert(object.reference(kind)));
            values.extend(new.map(|object| with_type(*served, object.value.clone())));
        }
        Ok(None) => {}
        Err(failure) => problems.push(Problem {
            scope: kind.as_str().to_owned(),
            code: failure.code,
            message: failure.message.clone(),
        }),
    })
    .await;
    // Pods may be refused twice.
    problems.sort();
    problems.dedup();
    (values, problems)
}

/// Lists kind after kind, those included that only the instances and Services that were found need.
async fn each_kind(
    connection: &Connection,
    settings: &WatchSettings,
    view: &mut View,
    mut take: impl FnMut(Kind, &Listed),
) {
    let mut asked = BTreeSet::new();
    loop {
        let kinds = wanted(view, settings);
        view.require(&kinds);
        let new: Vec<Kind> = kinds.into_iter().filter(|kind| asked.insert(*kind)).collect();
        if new.is_empty() {
            return;
        }
        for kind in new {
            let result = list(connection, settings, kind).await;
            take(kind, &result);
            let change = match result {
                Ok(Some((_, objects))) => Change::Replaced(listing(kind, objects)),
                Ok(None) => Change::Absent,
                Err(failure) => Change::Failed(failure),
            };
            view.apply(kind, change, Instant::now());
        }
    }
}

/// The kinds that always count, and those of the instances' sources as far as these are known.
fn wanted(view: &mut View, settings: &WatchSettings) -> BTreeSet<Kind> {
    settings.kinds().into_iter().chain(view.needed().into_iter().flatten()).collect()
}

/// The objects of a kind and the version in which they came; `None` for a kind that the cluster does
/// not have.
type Listed = Result<Option<(ServedKind, Vec<Watched>)>, Failure>;

/// All objects of a kind that count, in the first version that is served.
async fn list(connection: &Connection, settings: &WatchSettings, kind: Kind) -> Listed {
    for served in ServedKind::ways(kind) {
        match list_version(connection, settings, served).await {
            Ok(objects) => return Ok(Some((served, objects))),
            Err(Refusal::NotServed) => {}
            Err(refusal) => return Err(refusal.failure()),
        }
    }
    if kind.may_be_absent() { Ok(None) } else { Err(Refusal::NotServed.failure()) }
}

/// A list that expires between two pages is begun again once.
async fn list_version(
    connection: &Connection,
    settings: &WatchSettings,
    served: ServedKind,
) -> Result<Vec<Watched>, Refusal> {
    match list_from_start(connection, settings, served).await {
        Err(Refusal::Expired) => list_from_start(connection, settings, served).await,
        other => other,
    }
}

enum Refusal {
    Expired,
    NotServed,
    Other(Failure),
}

impl Refusal {
    fn failure(self) -> Failure {
        let message = match self {
            Self::Other(failure) => return failure,
            Self::Expired => "the list expired between two pages, twice",
            Self::NotServed => "HTTP 404: the server does not have the resource",
        };
        Failure { stage: Stage::List, code: Reason::Unreachable, message: message.to_owned() }
    }
}

async fn list_from_start(
    connection: &Connection,
    settings: &WatchSettings,
    served: ServedKind,
) -> Result<Vec<Watched>, Refusal> {
    let kind = served.kind;
    let api = Api::<Watched>::all_with(connection.client.clone(), &served);
    let mut kept = Vec::new();
    let mut params = ListParams::default().limit(settings.page_size);
    for _ in 0..MAX_PAGES {
        let page = match timeout(settings.page_timeout, api.list(&params)).await {
            Ok(Ok(page)) => page,
            Ok(Err(kube::Error::Api(status))) if status.code == 410 && params.continue_token.is_some() => {
                return Err(Refusal::Expired);
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 404 && params.continue_token.is_none() => {
                return Err(Refusal::NotServed);
            }
            Ok(Err(error)) => return Err(Refusal::Other(request_failure(Stage::List, &error))),
            Err(_) => {
                let message = format!("no page within {} s", settings.page_timeout.as_secs());
                return Err(Refusal::Other(Failure {
                    stage: Stage::List,
                    code: Reason::Unreachable,
                    message,
                }));
            }
        };
        kept.extend(page.items.into_iter().filter(|object| counts(kind, object)));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(kept),
        }
    }
    let message = format!("more than {MAX_PAGES} pages");
    Err(Refusal::Other(Failure { stage: Stage::List, code: Reason::Unreachable, message }))
}

/// Objects that do not parse count, so that they are reported.
fn counts(kind: Kind, object: &Watched) -> bool {
    kind.holds_objects() || !matches!(kind.decode(object.value.clone()), Ok(None))
}

fn listing(kind: Kind, objects: Vec<Watched>) -> Listing {
    let (mut rows, mut broken, mut interner) = (BTreeMap::new(), BTreeMap::new(), Interner::default());
    for object in objects {
        let reference = object.reference(kind);
        match kind.decode(object.value) {
            Ok(Some(row)) => {
                let (reference, row) = interner.share_row(reference, row);
                rows.insert(reference, row);
            }
            Ok(None) => {}
            Err(error) => drop(broken.insert(reference, printable(&error.to_string()))),
        }
    }
    Listing { rows, broken }
}

/// Items of a list carry neither.
fn with_type(served: ServedKind, mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.insert("apiVersion".to_owned(), Value::String(served.api_version()));
        object.insert("kind".to_owned(), Value::String(served.kind.api_kind().to_owned()));
    }
    value
}

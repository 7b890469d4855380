//! The JSON API: what a round knows, for programs. Read-only, bounded, in pages.
//!
//! Each answer is made from one round, so what is in it agrees; its `ETag` names the round.

mod findings;
mod hosts;
mod lists;
pub mod openapi;
mod problem;
mod query;
pub mod wait;
pub mod waiters;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde::Serialize;

use crate::board::Board;
use crate::clock::{Clock, SystemClock};
use crate::publish::api::problem::Problem;
use crate::publish::api::wait::Boards;
use crate::publish::api::waiters::Waiters;
use crate::publish::metrics::Latest;
use crate::publish::rendering::{Edition, Renderings};
use crate::publish::rounds::Rounds;

/// Where the API lives.
pub const BASE: &str = "/api/v1";

/// The word in `format`.
pub const FORMAT: &str = "dns-drift-api/1";

/// All paths below [`BASE`].
pub const PATHS: [&str; 10] = [
    "/report",
    "/findings",
    "/findings/{id}",
    "/hosts",
    "/hosts/{name}",
    "/hosts/{name}/wait",
    "/zones",
    "/instances",
    "/silent",
    "/openapi.json",
];

/// What the API answers from.
#[derive(Clone)]
pub struct Api {
    rounds: Rounds,
    waiters: Waiters,
    clock: Arc<dyn Clock>,
    renderings: Renderings,
}

/// A part of a list.
#[derive(Serialize)]
struct Page<'a, T> {
    format: &'static str,
    at: Timestamp,
    /// Rows that pass the filter, on all pages; absent where counting would read everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<usize>,
    /// What `after` is for the next page; `null` on the last one.
    next: Option<String>,
    #[serde(flatten)]
    rows: Rows<'a, T>,
}

/// The rows under the name of what they are.
struct Rows<'a, T>(&'static str, &'a [T]);

impl<T: Serialize> Serialize for Rows<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, self.1)])
    }
}

/// The routes below [`BASE`], but for those that wait.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/report", get(lists::report))
        .route("/findings", get(findings::list))
        .route("/findings/{id}", get(findings::one))
        .route("/hosts", get(hosts::list))
        .route("/hosts/{name}", get(hosts::one))
        .route("/zones", get(lists::zones))
        .route("/instances", get(lists::instances))
        .route("/silent", get(lists::silent))
        .route("/openapi.json", get(openapi::serve))
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::read_only())
        .with_state(api)
}

/// The routes that answer late.
pub fn waiting(api: Api) -> Router {
    Router::new()
        .route("/api/v1/hosts/{name}/wait", get(hosts::wait))
        .method_not_allowed_fallback(async || Problem::read_only())
        .with_state(api)
}

// === impl Api ===

impl Api {
    /// Answers from the rounds; `waiters` is what they look at.
    #[must_use]
    pub fn of_boards(boards: Boards, waiters: Waiters, clock: Arc<dyn Clock>) -> Self {
        Self { rounds: Rounds::Boards(boards), waiters, clock, renderings: Renderings::new() }
    }

    /// Answers from reports alone: names without a finding are not known then.
    #[must_use]
    pub fn of_reports(latest: Latest) -> Self {
        let (waiters, _nobody_reads_sooner) = Waiters::new();
        Self {
            rounds: Rounds::Reports(latest),
            waiters,
            clock: Arc::new(SystemClock),
            renderings: Renderings::new(),
        }
    }

    pub(super) fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// Shared by all bodies: what is bounded is the memory of the process.
    pub(super) fn renderings(&self) -> &Renderings {
        &self.renderings
    }

    /// Makes an answer from the latest round, away from the threads that serve connections and a
    /// few at a time; none when the client has that of this round.
    async fn answer<F>(&self, headers: &HeaderMap, make: F) -> Response
    where
        F: FnOnce(&Board) -> Result<String, Problem> + Send + 'static,
    {
        let Some(board) = self.rounds.latest() else { return Problem::not_ready().into_response() };
        let edition = Edition::new(board.report.at.as_nanosecond());
        if edition.is_known(headers) {
            return (StatusCode::NOT_MODIFIED, edition.headers()).into_response();
        }
        match self.renderings.run(move || make(&board)).await {
            Some(Ok(body)) => (edition.headers(), json_body(body)).into_response(),
            Some(Err(problem)) => problem.into_response(),
            None => Problem::broken().into_response(),
        }
    }
}

fn json_body(body: String) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

fn json(value: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(|error| {
        tracing::error!(%error, "an answer of the API has no JSON form");
        Problem::broken()
    })
}

/// Those of the sorted rows that come after a cursor, and what the next one is.
fn page<'a, T, K: Ord + ToString>(
    rows: &'a [T],
    key: impl Fn(&T) -> K,
    after: Option<&K>,
    limit: usize,
) -> (&'a [T], Option<String>) {
    let start = after.map_or(0, |after| rows.partition_point(|row| key(row) <= *after));
    let rest = rows.get(start..).unwrap_or_default();
    let shown = rest.get(..limit).unwrap_or(rest);
    let next = shown.last().filter(|_| shown.len() < rest.len()).map(|row| key(row).to_string());
    (shown, next)
}

//! The routes of the status page, and what all its answers have in common.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::limits::{MAX_LISTENERS, MAX_NAME};
use crate::model::DomainName;
use crate::publish::api::Api;
use crate::publish::cost::CostSource;
use crate::publish::metrics::Latest;
use crate::publish::page::filter::Filter;
use crate::publish::page::frame::{Frame, Scene, round};
use crate::publish::page::hosts::Words;
use crate::publish::page::overview::Starting;
use crate::publish::page::{assets, events, host, hosts, instance, list, overview, single, state, zone};
use crate::publish::rendering::{Edition, Renderings};
use crate::publish::role::Role;
use crate::publish::rounds::Rounds;

/// What the pages are made from.
#[derive(Clone)]
pub(crate) struct Pages {
    /// Tells of each round.
    pub(super) latest: Latest,
    rounds: Rounds,
    costs: Arc<dyn CostSource>,
    renderings: Renderings,
    /// Browsers that may still listen.
    pub(super) listeners: Arc<Semaphore>,
}

/// A page, or why there is none.
type Made = askama::Result<Option<String>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageNumber {
    page: String,
}

/// The routes of the page.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(pages: Pages) -> Router<S> {
    Router::new()
        .route("/", get(first))
        .route("/hosts", get(all_hosts))
        .route("/hosts/{name}", get(one_host))
        .route("/findings/{id}", get(one_finding))
        .route("/zones", get(zones))
        .route("/zones/{zone}", get(one_zone))
        .route("/instances", get(instances))
        .route("/instances/{id}", get(one_instance))
        .route("/state", get(watch_state))
        .route("/events", get(events::serve))
        .route("/assets/{name}", get(assets::serve))
        .with_state(pages)
}

async fn first(
    State(pages): State<Pages>,
    asked: Asked,
    query: Result<Query<Filter>, QueryRejection>,
) -> Response {
    let Ok(Query(filter)) = query else { return bad_query(asked.role) };
    pages.answer(&asked, move |scene| overview::render(scene, &filter.tidy()).map(Some)).await
}

/// The list; the form on top of each page asks it for one host and is led to that host's page.
async fn all_hosts(
    State(pages): State<Pages>,
    asked: Asked,
    query: Result<Query<Words>, QueryRejection>,
) -> Response {
    let Ok(Query(words)) = query else { return bad_query(asked.role) };
    let name = words.host.trim();
    if name.is_empty() {
        let words = words.tidy();
        return pages.answer(&asked, move |scene| hosts::render(scene, &words).map(Some)).await;
    }
    Redirect::to(&list::host_href(DomainName::new(name).as_str())).into_response()
}

async fn one_host(State(pages): State<Pages>, Path(text): Path<String>, asked: Asked) -> Response {
    if MAX_NAME < text.len() {
        return failure(
            asked.role,
            StatusCode::NOT_FOUND,
            "No such page",
            "No host has a name as long as that.",
        );
    }
    let name = DomainName::new(&text);
    pages.answer(&asked, move |scene| host::render(scene, &name).map(Some)).await
}

async fn one_finding(State(pages): State<Pages>, Path(id): Path<String>, asked: Asked) -> Response {
    pages.answer(&asked, move |scene| single::render(scene, &id)).await
}

async fn zones(
    State(pages): State<Pages>,
    asked: Asked,
    query: Result<Query<PageNumber>, QueryRejection>,
) -> Response {
    let Ok(Query(PageNumber { page })) = query else { return bad_query(asked.role) };
    pages.answer(&asked, move |scene| zone::render_all(scene, &page).map(Some)).await
}

async fn one_zone(State(pages): State<Pages>, Path(word): Path<String>, asked: Asked) -> Response {
    pages.answer(&asked, move |scene| zone::render(scene, &word)).await
}

async fn instances(
    State(pages): State<Pages>,
    asked: Asked,
    query: Result<Query<PageNumber>, QueryRejection>,
) -> Response {
    let Ok(Query(PageNumber { page })) = query else { return bad_query(asked.role) };
    pages.answer(&asked, move |scene| instance::render_all(scene, &page).map(Some)).await
}

async fn one_instance(State(pages): State<Pages>, Path(id): Path<String>, asked: Asked) -> Response {
    pages.answer(&asked, move |scene| instance::render(scene, &id)).await
}

async fn watch_state(State(pages): State<Pages>, asked: Asked) -> Response {
    let costs = pages.costs.snapshot();
    pages.answer(&asked, move |scene| state::render(scene, &costs).map(Some)).await
}

// === impl Pages ===

impl Pages {
    pub(crate) fn new(latest: Latest, api: &Api, costs: Arc<dyn CostSource>) -> Self {
        Self {
            latest,
            rounds: api.rounds().clone(),
            costs,
            renderings: api.renderings().clone(),
            listeners: Arc::new(Semaphore::new(MAX_LISTENERS)),
        }
    }

    /// A page of the latest round, made away from the threads that serve connections and a few at a
    /// time; none when the browser has that of this round.
    async fn answer<F>(&self, asked: &Asked, make: F) -> Response
    where
        F: FnOnce(Scene<'_>) -> Made + Send + 'static,
    {
        let Some(board) = self.rounds.latest() else { return starting(asked.role) };
        let role = asked.role;
        let part = if role == Role::Standby { "-standby" } else { "" };
        let edition = Edition::new(format_args!("{}{part}", round(&board.report)));
        if edition.is_known(&asked.headers) {
            return (StatusCode::NOT_MODIFIED, edition.headers()).into_response();
        }
        match self.renderings.run(move || make(Scene { board: &board, role })).await {
            Some(Ok(Some(body))) => (edition.headers(), html(body)).into_response(),
            Some(Ok(None)) => failure(
                role,
                StatusCode::NOT_FOUND,
                "Not known",
                "The last round knows nothing of that name. It may be over: findings that are resolved stay for a quarter of an hour.",
            ),
            Some(Err(error)) => {
                tracing::error!(%error, "render a page");
                broken()
            }
            None => broken(),
        }
    }
}

fn html(body: String) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

/// What a page has to know of the request.
struct Asked {
    headers: HeaderMap,
    /// The part of this replica.
    role: Role,
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let role = parts.extensions.get().copied().unwrap_or(Role::Alone);
        Ok(Self { headers: parts.headers.clone(), role })
    }
}

fn starting(role: Role) -> Response {
    let page = Starting { frame: Frame::bare(role, String::from("dns-drift: starting"), "/") };
    askama::Template::render(&page).map_or_else(|_unwritable| broken(), html)
}

fn bad_query(role: Role) -> Response {
    failure(
        role,
        StatusCode::BAD_REQUEST,
        "Not understood",
        "The address has a filter that cannot be read. Each filter may come once.",
    )
}

fn failure(role: Role, status: StatusCode, title: &str, message: &str) -> Response {
    match single::failure(role, title, message) {
        Ok(body) => (status, html(body)).into_response(),
        Err(_unwritable) => broken(),
    }
}

fn broken() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made\n").into_response()
}

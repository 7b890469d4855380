//! The HTTP surface: metrics, health, the JSON API, the status page. Read-only by design.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use prometheus_client::registry::Registry;
use serde_json::json;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::limits::{MAX_REQUEST_BODY, REQUEST_WITHIN};
use crate::publish::api::{self, Api};
use crate::publish::cost::CostSource;
use crate::publish::exposition::Format;
use crate::publish::metrics::Latest;
use crate::publish::page::{self, Pages};
use crate::publish::rendering::Renderings;
use crate::publish::role::Role;
use crate::report::Report;

/// Our own files only; no frame, nothing inline, nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const NOT_READY: &str = "not ready: the first round has not ended yet";

/// What the pages render.
#[derive(Clone)]
pub struct WebState {
    /// The last report; `None` before the first.
    pub latest: Latest,
    /// What `/metrics` shows.
    pub registry: Arc<Registry>,
    /// What watching costs, for the page.
    pub costs: Arc<dyn CostSource>,
    /// The effective configuration, secrets masked, as `/config` shows it.
    pub config_text: Arc<str>,
}

#[derive(Clone)]
struct App {
    web: WebState,
    renderings: Renderings,
}

/// All routes, with the limits and headers that apply to each of them.
pub fn router(state: WebState) -> Router {
    let api = Api::of_reports(state.latest.clone());
    router_with(state, api)
}

/// The same, with an API that knows more than reports.
pub fn router_with(state: WebState, api: Api) -> Router {
    let pages = Pages::new(state.latest.clone(), &api, Arc::clone(&state.costs));
    let app = App { web: state, renderings: api.renderings().clone() };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let routes = page::routes(pages)
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(async || "healthy\n"))
        .route("/-/ready", get(ready))
        .route("/config", get(config))
        .fallback(async || failure(StatusCode::NOT_FOUND, "no such page"))
        .method_not_allowed_fallback(async || {
            failure(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served")
        })
        .with_state(app)
        .nest(api::BASE, api::router(api.clone()))
        // The fastest level: label sets repeat so much that a better one costs CPU and saves little.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(RequestBodyLimitLayer::new(MAX_REQUEST_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_WITHIN))
        // Who waits is not held to the time of a request.
        .merge(api::waiting(api));
    headers.into_iter().fold(routes, |routes, (name, value)| routes.layer(default_header(name, value)))
}

fn default_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn metrics(State(app): State<App>, headers: HeaderMap) -> Response {
    // A client may send several Accept lines; they mean one list.
    let accept: Vec<&str> =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let format = Format::accepted(&accept.join(","));
    let body =
        app.render(move |_latest, registry| format.encode(registry).map_err(|_nothing_to_tell| Broken)).await;
    content(format.content_type(), body)
}

fn is_standby(role: Option<Extension<Role>>) -> bool {
    role.is_some_and(|Extension(role)| role == Role::Standby)
}

async fn ready(State(app): State<App>, role: Option<Extension<Role>>) -> Response {
    // Whoever waits is ready to take over; else a roll-out would wait for it in vain.
    if is_standby(role) {
        return "standby\n".into_response();
    }
    if app.web.latest.borrow().is_some() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{NOT_READY}\n")).into_response()
}

async fn config(State(app): State<App>) -> Response {
    content("text/plain; charset=utf-8", Ok(String::from(&*app.web.config_text)))
}

/// A body could not be made.
#[derive(Debug)]
struct Broken;

// === impl App ===

impl App {
    /// Makes a body away from the threads that serve connections, a few at a time.
    async fn render<F>(&self, make: F) -> Result<String, Broken>
    where
        F: FnOnce(Option<&Report>, &Registry) -> Result<String, Broken> + Send + 'static,
    {
        let (latest, registry) = (self.web.latest.borrow().clone(), self.web.registry.clone());
        self.renderings.run(move || make(latest.as_deref(), &registry)).await.unwrap_or(Err(Broken))
    }
}

fn content(content_type: &'static str, body: Result<String, Broken>) -> Response {
    match body {
        Ok(body) => ([(header::CONTENT_TYPE, content_type)], body).into_response(),
        Err(Broken) => failure(StatusCode::INTERNAL_SERVER_ERROR, "the body could not be made"),
    }
}

fn failure(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

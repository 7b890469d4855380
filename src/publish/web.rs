//! The HTTP surface: metrics, health, the JSON API, the status page. Read-only by design.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::finding::{Kind, Severity, State as FindingState};
use crate::limits::{MAX_RENDERINGS, MAX_REQUEST_BODY, REQUEST_WITHIN};
use crate::publish::cost::LatestCost;
use crate::publish::exposition::Format;
use crate::publish::metrics::Latest;
use crate::publish::page;
use crate::report::{Finding, Report};

/// No script, no frame, no form, nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const NOT_READY: &str = "not ready: the first round has not ended yet";

/// What the pages render.
#[derive(Clone, Debug)]
pub struct WebState {
    /// The last report; `None` before the first.
    pub latest: Latest,
    /// What `/metrics` shows.
    pub registry: Arc<Registry>,
    /// The effective configuration, secrets masked, as `/config` shows it.
    pub config_text: Arc<str>,
    /// What the DNS questions cost.
    pub live_cost: LatestCost,
}

#[derive(Clone, Debug)]
struct App {
    web: WebState,
    /// Renderings at once; each may hold megabytes.
    renderings: Arc<Semaphore>,
}

/// Words that narrow down `/api/v1/findings`; absent means all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    state: Option<String>,
    kind: Option<String>,
    severity: Option<String>,
}

#[derive(Debug, Default)]
struct Wanted {
    state: Option<FindingState>,
    kind: Option<Kind>,
    severity: Option<Severity>,
}

#[derive(Serialize)]
struct Selection<'a> {
    format: &'static str,
    at: jiff::Timestamp,
    findings: Vec<&'a Finding>,
}

/// All routes, with the limits and headers that apply to each of them.
pub fn router(state: WebState) -> Router {
    let app = App { web: state, renderings: Arc::new(Semaphore::new(MAX_RENDERINGS)) };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let routes = Router::new()
        .route("/", get(landing))
        .route("/style.css", get(style))
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(async || "healthy\n"))
        .route("/-/ready", get(ready))
        .route("/api/v1/report", get(report))
        .route("/api/v1/findings", get(findings))
        .route("/config", get(config))
        .fallback(async || failure(StatusCode::NOT_FOUND, "no such page"))
        .method_not_allowed_fallback(async || {
            failure(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served")
        })
        .with_state(app)
        // The fastest level: label sets repeat so much that a better one costs CPU and saves little.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(RequestBodyLimitLayer::new(MAX_REQUEST_BODY))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, REQUEST_WITHIN));
    headers.into_iter().fold(routes, |routes, (name, value)| routes.layer(default_header(name, value)))
}

fn default_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn landing(State(app): State<App>) -> Response {
    let cost = *app.web.live_cost.borrow();
    let body = app.render(move |latest, _registry| Ok(page::render(latest, cost))).await;
    content("text/html; charset=utf-8", body)
}

async fn style() -> Response {
    let cached = (header::CACHE_CONTROL, "public, max-age=3600");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), cached], page::STYLE).into_response()
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

async fn ready(State(app): State<App>) -> Response {
    if app.web.latest.borrow().is_some() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{NOT_READY}\n")).into_response()
}

async fn report(State(app): State<App>) -> Response {
    app.json(serde_json::to_string).await
}

async fn findings(State(app): State<App>, Query(filter): Query<Filter>) -> Response {
    match filter.read() {
        Err(message) => failure(StatusCode::BAD_REQUEST, &message),
        Ok(wanted) => {
            app.json(move |report| {
                let findings = report.findings.iter().filter(|finding| wanted.takes(finding)).collect();
                serde_json::to_string(&Selection { format: report.format, at: report.at, findings })
            })
            .await
        }
    }
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
        let permit = self.renderings.clone().acquire_owned().await.map_err(|_closed| Broken)?;
        let (latest, registry) = (self.web.latest.borrow().clone(), self.web.registry.clone());
        let rendering = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            make(latest.as_deref(), &registry)
        });
        rendering.await.map_err(|_panicked_or_stopping| Broken)?
    }

    async fn json<F>(&self, make: F) -> Response
    where
        F: FnOnce(&Report) -> serde_json::Result<String> + Send + 'static,
    {
        if self.web.latest.borrow().is_none() {
            return failure(StatusCode::SERVICE_UNAVAILABLE, NOT_READY);
        }
        let make = move |latest: Option<&Report>, _registry: &Registry| {
            latest.ok_or(Broken).and_then(|report| make(report).map_err(|_unserialisable| Broken))
        };
        content("application/json", self.render(make).await)
    }
}

// === impl Filter ===

impl Filter {
    fn read(&self) -> Result<Wanted, String> {
        Ok(Wanted {
            state: word("state", self.state.as_deref(), FindingState::from_word)?,
            kind: word("kind", self.kind.as_deref(), Kind::from_word)?,
            severity: word("severity", self.severity.as_deref(), Severity::from_word)?,
        })
    }
}

fn word<T>(name: &str, text: Option<&str>, read: fn(&str) -> Option<T>) -> Result<Option<T>, String> {
    match text {
        None => Ok(None),
        Some(text) => read(text).map(Some).ok_or_else(|| format!("{name} has no such value")),
    }
}

impl Wanted {
    fn takes(&self, finding: &Finding) -> bool {
        self.state.is_none_or(|state| state == finding.state)
            && self.kind.is_none_or(|kind| kind == finding.kind)
            && self.severity.is_none_or(|severity| severity == finding.severity)
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

//! The guard before the routes: rate limit, login, headers, as the file that is in force says.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use crate::publish::role::{Role, Roles, alone};
use crate::publish::web_config::WebConfig;
use crate::publish::web_config::users::Checks;

/// Probes of the kubelet cannot log in, and these two pages say nothing but yes or no.
const OPEN: [&str; 2] = ["/-/healthy", "/-/ready"];

/// Tells on every answer which replica gave it.
const ROLE: HeaderName = HeaderName::from_static("dns-drift-role");

/// Knows the web configuration that is in force.
#[derive(Clone, Debug)]
pub struct WebGuard {
    current: watch::Receiver<Arc<WebConfig>>,
    checks: Arc<Checks>,
    roles: Roles,
}

// === impl WebGuard ===

impl Default for WebGuard {
    /// Plain HTTP for everybody.
    fn default() -> Self {
        Self::new(watch::channel(Arc::default()).1, alone())
    }
}

impl WebGuard {
    /// Guards as the latest value says, and marks answers with the part that this replica plays.
    #[must_use]
    pub fn new(current: watch::Receiver<Arc<WebConfig>>, roles: Roles) -> Self {
        Self { current, checks: Arc::default(), roles }
    }

    pub(crate) fn current(&self) -> Arc<WebConfig> {
        Arc::clone(&self.current.borrow())
    }

    /// Puts the guard before the routes.
    pub(crate) fn before(&self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self.clone(), admit))
    }
}

async fn admit(State(guard): State<WebGuard>, mut request: Request, next: Next) -> Response {
    let (config, role) = (guard.current(), *guard.roles.borrow());
    request.extensions_mut().insert(role);
    let mut response = answer(&guard, &config, request, next).await;
    if role != Role::Alone {
        response.headers_mut().insert(ROLE, HeaderValue::from_static(role.as_str()));
    }
    for (name, value) in &config.headers {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

async fn answer(guard: &WebGuard, config: &WebConfig, request: Request, next: Next) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    if config.limiter.as_ref().is_some_and(|limiter| limiter.check().is_err()) {
        return (StatusCode::TOO_MANY_REQUESTS, "too many requests\n").into_response();
    }
    if !config.users.is_empty() {
        let login = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
        if !guard.checks.admits(&config.users, login.as_deref()).await {
            let asked = [(header::WWW_AUTHENTICATE, "Basic")];
            return (StatusCode::UNAUTHORIZED, asked, "unauthorized\n").into_response();
        }
    }
    next.run(request).await
}

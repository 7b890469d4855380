//! Errors of the API: RFC 9457, with a sentence that says what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::board::progress::Progress;
use crate::model::text::printable;

/// Why there is no result. Source: RFC 9457.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Problem {
    /// Names the kind of problem for programs.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind for people.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// What happened here.
    detail: String,
    /// What to do about it.
    advice: &'static str,
    /// How far a name has come that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Box<Progress>>,
    /// Seconds to wait before the next attempt.
    #[serde(skip)]
    retry_after: Option<u16>,
}

impl Problem {
    fn new(kind: &'static str, title: &'static str, status: StatusCode, advice: &'static str) -> Self {
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail: String::from(title),
            advice,
            progress: None,
            retry_after: None,
        }
    }

    fn detailed(mut self, detail: &str) -> Self {
        self.detail = printable(detail);
        self
    }

    pub(super) fn not_ready() -> Self {
        let advice = "Ask again in a few seconds; /-/ready tells when.";
        let mut problem = Self::new(
            "urn:dns-drift:problem:not-ready",
            "The first round has not ended yet",
            StatusCode::SERVICE_UNAVAILABLE,
            advice,
        );
        problem.retry_after = Some(2);
        problem
    }

    pub(super) fn stopping() -> Self {
        let mut problem = Self::new(
            "urn:dns-drift:problem:stopping",
            "The program is stopping",
            StatusCode::SERVICE_UNAVAILABLE,
            "Ask again once it has started.",
        );
        problem.retry_after = Some(10);
        problem
    }

    pub(super) fn bad_query(detail: &str) -> Self {
        Self::new(
            "urn:dns-drift:problem:bad-query",
            "The query is not understood",
            StatusCode::BAD_REQUEST,
            "Mend the parameter; /api/v1/openapi.json lists all of them with their values.",
        )
        .detailed(detail)
    }

    pub(super) fn unknown_host(name: &str) -> Self {
        Self::new(
            "urn:dns-drift:problem:unknown-host",
            "No view has ever heard of the host",
            StatusCode::NOT_FOUND,
            "Mind the spelling. No object asks for it in a way that ExternalDNS reads, and no hosted zone \
             that can be read holds it. /api/v1/hosts lists all names.",
        )
        .detailed(&format!("nothing is known about {name:?}"))
    }

    pub(super) fn unknown_finding(id: &str) -> Self {
        Self::new(
            "urn:dns-drift:problem:unknown-finding",
            "There is no such finding",
            StatusCode::NOT_FOUND,
            "It may be over: a resolved finding is kept for a while only. /api/v1/findings lists all.",
        )
        .detailed(&format!("no finding has the id {id:?}"))
    }

    pub(super) fn no_such_path() -> Self {
        Self::new(
            "urn:dns-drift:problem:no-such-path",
            "There is no such path",
            StatusCode::NOT_FOUND,
            "/api/v1/openapi.json lists all paths.",
        )
    }

    pub(super) fn read_only() -> Self {
        Self::new(
            "urn:dns-drift:problem:read-only",
            "Only GET and HEAD are served",
            StatusCode::METHOD_NOT_ALLOWED,
            "dns-drift changes nothing; a finding carries the commands that do.",
        )
    }

    pub(super) fn broken() -> Self {
        Self::new(
            "urn:dns-drift:problem:broken",
            "The answer could not be made",
            StatusCode::INTERNAL_SERVER_ERROR,
            "This is a mistake of dns-drift: please report it with its log.",
        )
    }

    pub(super) fn too_many_waiters() -> Self {
        let mut problem = Self::new(
            "urn:dns-drift:problem:too-many-waiters",
            "Too many requests wait for hosts",
            StatusCode::TOO_MANY_REQUESTS,
            "Ask again later, or ask /api/v1/hosts/NAME without waiting.",
        );
        problem.retry_after = Some(10);
        problem
    }

    /// The time is over. Without anybody who wants the name, waiting longer would not help.
    pub(super) fn waited_in_vain(progress: Option<Progress>, nobody: bool) -> Self {
        let (kind, title, status, advice) = if nobody {
            (
                "urn:dns-drift:problem:nobody-wants-it",
                "Nobody wants the host",
                StatusCode::NOT_FOUND,
                "Has the object been applied, and does an instance of ExternalDNS read it? \
                 /api/v1/hosts/NAME says why not.",
            )
        } else {
            (
                "urn:dns-drift:problem:not-in-time",
                "The host is not there in time",
                StatusCode::GATEWAY_TIMEOUT,
                "Ask again to wait longer; progress says what is missing, /api/v1/findings/ID what to do.",
            )
        };
        let problem = Self::new(kind, title, status, advice);
        let detail = progress.as_ref().map(|progress| progress.missing.join("; "));
        let detail = detail.unwrap_or_else(|| String::from("the first round has not ended yet"));
        Self { progress: progress.map(Box::new), ..problem.detailed(&detail) }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

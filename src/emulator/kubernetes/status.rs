//! Errors as the API server words them: `Status` objects.

use axum::response::Response;
use serde_json::{Value, json};

use super::kinds::ResourceKind;
use crate::emulator::http;

/// The account that every client seems to be.
const USER: &str = "system:serviceaccount:dns-drift:dns-drift";

/// A `Status` of a failure.
pub(super) fn object(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

/// The same as an HTTP answer.
pub(super) fn failure(code: u16, reason: &str, message: &str) -> Response {
    http::answer(code, "application/json", object(code, reason, message).to_string())
}

pub(super) fn success(body: &Value) -> Response {
    http::answer(200, "application/json", body.to_string())
}

pub(super) fn forbidden(
    verb: &str,
    kind: &ResourceKind,
    subresource: &str,
    namespace: Option<&str>,
) -> Response {
    let place = namespace.map_or_else(
        || "at the cluster scope".to_owned(),
        |namespace| format!("in the namespace \"{namespace}\""),
    );
    let message = format!(
        "{}{subresource} is forbidden: User \"{USER}\" cannot {verb} resource \"{}{subresource}\" in API group \"{}\" {place}",
        kind.qualified(),
        kind.plural,
        kind.group,
    );
    failure(403, "Forbidden", &message)
}

pub(super) fn unauthorized() -> Response {
    failure(401, "Unauthorized", "Unauthorized")
}

pub(super) fn unknown_path() -> Response {
    http::answer(404, "text/plain; charset=utf-8", "404 page not found\n")
}

pub(super) fn unknown_resource() -> Response {
    failure(404, "NotFound", "the server could not find the requested resource")
}

pub(super) fn not_found(kind: &ResourceKind, name: &str) -> Response {
    failure(404, "NotFound", &format!("{} \"{name}\" not found", kind.qualified()))
}

pub(super) fn conflict(kind: &ResourceKind, name: &str) -> Response {
    let text = "the object has been modified; please apply your changes to the latest version and try again";
    failure(
        409,
        "Conflict",
        &format!("Operation cannot be fulfilled on {} \"{name}\": {text}", kind.qualified()),
    )
}

pub(super) fn exists(kind: &ResourceKind, name: &str) -> Response {
    failure(409, "AlreadyExists", &format!("{} \"{name}\" already exists", kind.qualified()))
}

/// The text of a version that the history no longer reaches.
pub(super) fn too_old(asked: u64, oldest: u64) -> Value {
    object(410, "Expired", &format!("too old resource version: {asked} ({oldest})"))
}

/// An ordered failure, with the words of the real server for its code.
pub(super) fn ordered(code: u16, retry_after: Option<u32>) -> Response {
    let (reason, message) = match code {
        429 => (
            "TooManyRequests",
            "the server has received too many requests and has asked us to try again later",
        ),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "the server was unable to return a response in the time allotted"),
        _ => ("InternalError", "Internal error occurred: ordered by the test"),
    };
    let mut response = failure(code, reason, message);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(::http::header::RETRY_AFTER, seconds.into());
    }
    response
}

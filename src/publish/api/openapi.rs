//! The description of the API: `OpenAPI` 3.1, with the closed vocabularies as the code has them.

use std::sync::LazyLock;

use axum::response::Response;
use serde_json::{Value as Json, json};

use crate::board::hosts::HostState;
use crate::board::progress::Goal;
use crate::finding::{Impact, Kind, Reason, Severity, SilentReason, State};
use crate::publish::api::json_body;

/// What is written by hand; a test holds it to the routes and to real answers.
const WRITTEN: &str = include_str!("openapi.json");

static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// The description.
///
/// `null` if the written part were no JSON, which a test excludes.
#[must_use]
pub fn document() -> Json {
    let mut document: Json = serde_json::from_str(WRITTEN).unwrap_or_default();
    let words = [
        ("Kind", Kind::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>()),
        ("Reason", Reason::ALL.iter().map(|one| one.as_str()).collect()),
        ("Impact", Impact::ALL.iter().map(|one| one.as_str()).collect()),
        ("Severity", Severity::ALL.iter().map(|one| one.as_str()).collect()),
        ("State", State::ALL.iter().map(|one| one.as_str()).collect()),
        ("SilentReason", SilentReason::ALL.iter().map(|one| one.as_str()).collect()),
        ("HostState", HostState::ALL.iter().map(|one| one.as_str()).collect()),
        ("Goal", Goal::ALL.iter().map(|one| one.as_str()).collect()),
    ];
    if let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Json::as_object_mut) {
        for (name, words) in words {
            schemas.insert(name.to_owned(), json!({ "type": "string", "enum": words }));
        }
    }
    if let Some(info) = document.get_mut("info").and_then(Json::as_object_mut) {
        info.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    }
    document
}

pub(super) async fn serve() -> Response {
    json_body(TEXT.clone())
}

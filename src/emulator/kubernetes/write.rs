//! Create, replace, merge patch and delete over HTTP, so that tests write as they would to a real server.
//!
//! No fault and no permission concerns a write: the faults are for the program under test, and that
//! never writes.

use axum::body::{Body, to_bytes};
use axum::response::Response;
use http::Method;
use http::request::Parts;
use serde_json::{Map, Value};

use super::kinds::ResourceKind;
use super::store::ObjectKey;
use super::{Shared, status};
use crate::emulator::http as wire;

const MERGE_PATCH: &str = "application/merge-patch+json";

/// Where a write goes.
pub(super) struct Place<'a> {
    pub(super) index: usize,
    pub(super) kind: &'a ResourceKind,
    pub(super) namespace: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) subresource: Option<&'a str>,
}

/// Answers a write.
pub(super) async fn answer(shared: &Shared, place: &Place<'_>, parts: &Parts, body: Body) -> Response {
    let answer = match (&parts.method, place.name, place.subresource) {
        (&Method::POST, None, None) => match decoded(body).await {
            Ok(object) => create(shared, place, object),
            Err(refusal) => refusal,
        },
        (&Method::PATCH, Some(name), None | Some("status")) => {
            if parts.headers.get(http::header::CONTENT_TYPE).is_none_or(|value| value != MERGE_PATCH) {
                return status::failure(415, "UnsupportedMediaType", "only merge patches are supported");
            }
            match decoded(body).await {
                Ok(change) => patch(shared, place, name, &change),
                Err(refusal) => refusal,
            }
        }
        (&Method::PUT, Some(name), None) => match decoded(body).await {
            Ok(object) => replace(shared, place, name, object),
            Err(refusal) => refusal,
        },
        (&Method::DELETE, Some(name), None) => delete(shared, place, name),
        _ => status::failure(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        ),
    };
    shared.wake();
    answer
}

async fn decoded(body: Body) -> Result<Value, Response> {
    let bad = |text: &str| status::failure(400, "BadRequest", text);
    let Ok(bytes) = to_bytes(body, wire::MAX_BODY).await else {
        return Err(bad("the body cannot be read or is too long"));
    };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(Value::Object(object)),
        Ok(_) | Err(_) => Err(bad("the body is no JSON object")),
    }
}

fn create(shared: &Shared, place: &Place<'_>, mut object: Value) -> Response {
    let now = shared.clock.now();
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    if name.is_empty() {
        return status::failure(422, "Invalid", "metadata.name: Required value: name is required");
    }
    place.settle(&mut object);
    let key = place.key(&name);
    let mut store = shared.store();
    if store.objects.contains_key(&key) {
        return status::exists(place.kind, &name);
    }
    store.apply(object, now);
    stored(201, store.objects.get(&key).map(AsRef::as_ref))
}

fn patch(shared: &Shared, place: &Place<'_>, name: &str, change: &Value) -> Response {
    let now = shared.clock.now();
    let key = place.key(name);
    let mut store = shared.store();
    let Some(old) = store.objects.get(&key) else { return status::not_found(place.kind, name) };
    let mut object = Value::clone(old);
    if place.subresource.is_some() {
        let mut status = object.get("status").cloned().unwrap_or_else(|| Value::Object(Map::new()));
        merge(&mut status, change.get("status").unwrap_or(&Value::Object(Map::new())));
        store.set_status(&place.kind.kind, &key.1, name, status, now);
    } else {
        merge(&mut object, change);
        place.settle(&mut object);
        store.apply(object, now);
    }
    stored(200, store.objects.get(&key).map(AsRef::as_ref))
}

/// With a version in the object only that version is replaced: who comes second is refused.
fn replace(shared: &Shared, place: &Place<'_>, name: &str, mut object: Value) -> Response {
    let now = shared.clock.now();
    let key = place.key(name);
    let version = |object: &Value| {
        let text = object.pointer("/metadata/resourceVersion").and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let mut store = shared.store();
    let Some(old) = store.objects.get(&key) else { return status::not_found(place.kind, name) };
    if version(&object).is_some_and(|asked| Some(asked) != version(old)) {
        return status::conflict(place.kind, name);
    }
    place.settle(&mut object);
    store.apply(object, now);
    stored(200, store.objects.get(&key).map(AsRef::as_ref))
}

fn delete(shared: &Shared, place: &Place<'_>, name: &str) -> Response {
    let key = place.key(name);
    let mut store = shared.store();
    if !store.delete(&place.kind.kind, &key.1, name) {
        return status::not_found(place.kind, name);
    }
    if place.kind.kind == "Namespace" {
        store.empty(name);
    }
    status::success(&serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
    }))
}

fn stored(code: u16, object: Option<&Value>) -> Response {
    wire::answer(code, "application/json", object.unwrap_or(&Value::Null).to_string())
}

/// RFC 7386: `null` removes a member, maps are merged, everything else replaces.
fn merge(target: &mut Value, change: &Value) {
    let Value::Object(changes) = change else {
        *target = change.clone();
        return;
    };
    let mut members = match std::mem::take(target) {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    for (key, change) in changes {
        if change.is_null() {
            members.remove(key);
        } else {
            merge(members.entry(key.clone()).or_insert(Value::Null), change);
        }
    }
    *target = Value::Object(members);
}

// === impl Place ===

impl Place<'_> {
    fn key(&self, name: &str) -> ObjectKey {
        (self.index, self.namespace.unwrap_or_default().to_owned(), name.to_owned())
    }

    /// What a writer of the object itself has no say in: its status, its kind, its namespace, and
    /// who wrote it when.
    fn settle(&self, object: &mut Value) {
        let Some(members) = object.as_object_mut() else { return };
        members.remove("status");
        members.insert("kind".to_owned(), self.kind.kind.clone().into());
        members.insert("apiVersion".to_owned(), self.kind.api_version().into());
        if let Some(meta) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            for key in ["managedFields", "resourceVersion", "generation"] {
                meta.remove(key);
            }
            match self.namespace {
                Some(namespace) => meta.insert("namespace".to_owned(), namespace.into()),
                None => meta.remove("namespace"),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The cases of RFC 7386, appendix A, that tell the rules apart.
    #[test]
    fn merge_patch() {
        for (target, change, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({"a": "b"}), json!({"a": {"b": {"c": null}}}), json!({"a": {"b": {}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, &change);
            assert_eq!(merged, expected, "{target} with {change}");
        }
    }
}

//! Lists, in pages.

use std::ops::Bound;
use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::kinds::ResourceKind;
use super::selector::Filter;
use super::store::{ObjectKey, Store};
use super::{KubeFaultKind, Shared, status};

/// What a list request asks for.
pub(super) struct Request {
    pub(super) index: usize,
    pub(super) kind: ResourceKind,
    pub(super) filter: Filter,
    /// `None` means everything in one page.
    pub(super) limit: Option<usize>,
    pub(super) token: Option<String>,
}

/// Where the next page starts, and the version of the first page.
struct Cursor {
    version: u64,
    after: (String, String),
}

/// Answers a list.
pub(super) fn answer(shared: &Shared, request: &Request) -> Response {
    let store = shared.store();
    let cursor = match request.token.as_deref().map(Cursor::parse) {
        None => None,
        Some(None) => return status::failure(400, "BadRequest", "continue key is not valid"),
        Some(Some(cursor)) => {
            let expired = cursor.version < store.forgotten
                || shared.takes(&request.kind.plural, &KubeFaultKind::ExpireContinue);
            if expired {
                return status::failure(
                    410,
                    "Expired",
                    "The provided continue parameter is too old to display a consistent list result.",
                );
            }
            Some(cursor)
        }
    };
    let version = cursor.as_ref().map_or(store.version, |cursor| cursor.version);
    let (mut items, rest) = page(&store, request, cursor);
    if shared.has(&request.kind.plural, &KubeFaultKind::UnparsableInList)
        && let Some(((_, _), first)) = items.first_mut()
        && shared.takes(&request.kind.plural, &KubeFaultKind::UnparsableInList)
    {
        *first = Arc::new(unparsable(first));
    }
    let mut meta = json!({"resourceVersion": version.to_string()});
    if 0 < rest
        && let Some(((namespace, name), _)) = items.last()
    {
        let token = Cursor { version, after: (namespace.clone(), name.clone()) }.write();
        meta = json!({"resourceVersion": version.to_string(), "continue": token, "remainingItemCount": rest});
    }
    let items: Vec<Value> = items.iter().map(|(_, object)| untyped(object)).collect();
    status::success(&json!({
        "kind": format!("{}List", request.kind.kind), "apiVersion": request.kind.api_version(),
        "metadata": meta, "items": items,
    }))
}

type Item = ((String, String), Arc<Value>);

/// The objects of a page and how many follow.
fn page(store: &Store, request: &Request, cursor: Option<Cursor>) -> (Vec<Item>, usize) {
    let start: Bound<ObjectKey> = match cursor {
        Some(Cursor { after: (namespace, name), .. }) => Bound::Excluded((request.index, namespace, name)),
        None => Bound::Included((request.index, String::new(), String::new())),
    };
    let mut matching = store
        .objects
        .range((start, Bound::Unbounded))
        .take_while(|((index, _, _), _)| *index == request.index)
        .filter(|(_, object)| request.filter.selects(object));
    let limit = request.limit.unwrap_or(usize::MAX);
    let items = matching
        .by_ref()
        .take(limit)
        .map(|((_, namespace, name), object)| ((namespace.clone(), name.clone()), Arc::clone(object)))
        .collect();
    (items, matching.count())
}

/// Objects of a list carry neither kind nor apiVersion.
fn untyped(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.remove("kind");
        members.remove("apiVersion");
    }
    object
}

/// The same object with members of types that no decoder accepts; its name stays readable.
pub(super) fn unparsable(object: &Value) -> Value {
    let mut broken = object.clone();
    if let Some(members) = broken.as_object_mut() {
        members.insert("spec".to_owned(), json!("neither a map nor null"));
        if let Some(meta) = members.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.insert("annotations".to_owned(), json!(7));
        }
    }
    broken
}

// === impl Cursor ===

impl Cursor {
    /// `<version>/<namespace>/<name>`; opaque to clients, and no part holds a slash.
    fn write(&self) -> String {
        format!("{}/{}/{}", self.version, self.after.0, self.after.1)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '/');
        let version = parts.next()?.parse().ok()?;
        Some(Self { version, after: (parts.next()?.to_owned(), parts.next()?.to_owned()) })
    }
}

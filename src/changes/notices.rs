//! Kubernetes Events in which ExternalDNS says that records of an object failed.
//!
//! Both forms of the API: `core/v1` and `events.k8s.io/v1`. Pure but for [`live`].
//! Source: kubernetes-sigs/external-dns:controller/events.go, pkg/events (v0.19.0 and later).

pub mod live;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::change::Notice;
use crate::model::text::printable;
use crate::model::{DomainName, ObjectRef, RecordType};

/// The only reason that tells of trouble.
pub const RECORD_ERROR: &str = "RecordError";

/// Reads one object; `None` if it is no such Event of ExternalDNS, or names no record.
#[must_use]
pub fn read(event: &Value) -> Option<Notice> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| text(pointer));
    if text("/kind") != Some("Event") || text("/reason") != Some(RECORD_ERROR) {
        return None;
    }
    let writer = first(&["/reportingController", "/reportingComponent", "/source/component"])?;
    if !writer.starts_with("external-dns") {
        return None;
    }
    let note = first(&["/note", "/message"])?;
    let part =
        |pointer: &str| first(&[&format!("/regarding{pointer}"), &format!("/involvedObject{pointer}")]);
    let object = ObjectRef {
        kind: printable(part("/kind")?).into(),
        namespace: printable(part("/namespace").unwrap_or_default()).into(),
        name: printable(part("/name")?).into(),
    };
    let times = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/deprecatedLastTimestamp",
        "/eventTime",
        "/metadata/creationTimestamp",
    ];
    let at = times.iter().find_map(|pointer| text(pointer)?.parse::<Timestamp>().ok())?;
    let record_type = field(note, "type:").map(RecordType::new);
    Some(Notice {
        at,
        object,
        name: DomainName::new(field(note, "record:")?),
        record_type,
        message: printable(note).into(),
    })
}

/// A field of `(external-dns) record:<name>,owner:<owner>,type:<type>,...`.
fn field<'a>(note: &'a str, key: &str) -> Option<&'a str> {
    let fields = note.split_once(' ').map_or(note, |(_, fields)| fields);
    fields.split(',').find_map(|field| field.trim().strip_prefix(key)).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOTE: &str =
        "(external-dns) record:App.example.com,owner:prod,type:CNAME,ttl:0,targets:lb.example.net";

    fn core() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Event", "type": "Normal", "reason": "RecordError",
            "reportingComponent": "external-dns", "message": NOTE, "eventTime": "2026-11-23T09:59:00.5Z",
            "involvedObject": {"kind": "Ingress", "namespace": "shop", "name": "web"}, "lastTimestamp": null
        })
    }

    #[test]
    fn both_forms_of_the_api() {
        let newer = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "reason": "RecordError",
            "reportingController": "external-dns", "note": NOTE, "eventTime": "2026-11-23T09:58:00Z",
            "series": {"count": 3, "lastObservedTime": "2026-11-23T09:59:00.5Z"},
            "regarding": {"kind": "Ingress", "namespace": "shop", "name": "web"}
        });
        let notice = read(&core()).expect("an event");
        assert_eq!(Some(&notice), read(&newer).as_ref());
        assert_eq!(notice.name, DomainName::new("app.example.com"));
        assert_eq!(notice.record_type, Some(RecordType::Cname));
        assert_eq!(&*notice.object.name, "web");
    }

    #[test]
    fn nothing_else_is_one() {
        let changed = |pointer: &str, value: Value| {
            let mut event = core();
            *event.pointer_mut(pointer).expect("there") = value;
            read(&event)
        };
        assert_eq!(changed("/reason", json!("RecordReady")), None);
        assert_eq!(changed("/reportingComponent", json!("kubelet")), None);
        assert_eq!(changed("/kind", json!("Pod")), None);
        assert_eq!(changed("/message", json!("no record here")), None);
        assert_eq!(changed("/eventTime", json!(7)), None);
        assert_eq!(changed("/involvedObject", json!([])), None);
        for odd in [json!(null), json!([1]), json!({"kind": "Event"})] {
            assert_eq!(read(&odd), None);
        }
    }
}

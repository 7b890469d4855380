//! CloudTrail records of `ChangeResourceRecordSets`: refused and accepted calls of any caller.
//!
//! One record arrives in several envelopes: as an entry of `LookupEvents` (the record is a JSON
//! string inside), in a trail's file (`Records`), as an `EventBridge` event (`detail`), and that
//! once more inside an SNS or SQS message. Keys are read in any case, because CloudTrail spells
//! API members as `tTL` and `dNSName`. Source: CloudTrail User Guide, record contents.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::changes::refusal;
use crate::finding::Reason;
use crate::limits::{MAX_BATCH_CHANGES, MAX_CHANGE_EVENTS, MAX_TRAIL_RECORD};
use crate::model::change::{
    Action, AppliedBatch, AttemptedChange, Caller, ChangeEvent, ChangeEventKind, FeedSource, RefusedBatch,
};
use crate::model::text::{printable, truncate};
use crate::model::{DomainName, RecordType, ZoneId};
use crate::snapshot::Problem;

/// The only write that a record set has.
const EVENT_NAME: &str = "ChangeResourceRecordSets";

/// Envelopes inside of envelopes: SQS, SNS, `EventBridge`, record.
const MAX_DEPTH: usize = 4;

/// Problems that are reported one by one.
const MAX_PROBLEMS: usize = 20;

/// Values of one record set. Source: Route 53 quotas, 400 values for each record.
const MAX_VALUES: usize = 400;

/// What a text of CloudTrail held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrailReading {
    /// In the order of the text. Other calls than `ChangeResourceRecordSets` are left out.
    pub events: Vec<ChangeEvent>,
    /// Records that could not be understood; the others are read nevertheless.
    pub problems: Vec<Problem>,
}

/// Reads a text in any of the envelopes. Total: what cannot be read is a problem.
#[must_use]
pub fn read(json: &str) -> TrailReading {
    let mut reading = TrailReading::default();
    match serde_json::from_str::<Value>(json) {
        Ok(value) => reading.open(&value, 0),
        Err(error) => reading.problem(None, &format!("parse CloudTrail events: {error}")),
    }
    reading
}

/// Removes CloudTrail events whose id came before; events of logs stay.
pub fn dedup(events: &mut Vec<ChangeEvent>) {
    let mut seen = BTreeSet::new();
    events.retain(|event| match &event.source {
        FeedSource::CloudTrail { event_id, principal: _ } => seen.insert(Arc::clone(event_id)),
        FeedSource::Log { .. } => true,
    });
}

// === impl TrailReading ===

impl TrailReading {
    /// Opens one envelope; what is none is a record.
    fn open(&mut self, value: &Value, depth: usize) {
        if MAX_DEPTH < depth {
            return self.problem(None, "parse CloudTrail events: too many envelopes in each other");
        }
        if let Some(list) = value.as_array() {
            return list.iter().for_each(|entry| self.open(entry, depth + 1));
        }
        for key in ["Events", "Records", "Messages"] {
            if let Some(list) = get(value, key).and_then(Value::as_array) {
                return list.iter().for_each(|entry| self.open(entry, depth + 1));
            }
        }
        if let Some(text) = get_str(value, "CloudTrailEvent") {
            return self.entry(value, text);
        }
        if let Some(detail) = get(value, "detail").filter(|detail| detail.is_object()) {
            return self.record(detail, None);
        }
        for key in ["Message", "Body"] {
            if let Some(text) = get_str(value, key) {
                return match parse(text) {
                    Ok(inner) => self.open(&inner, depth + 1),
                    Err(why) => self.problem(None, &why),
                };
            }
        }
        self.record(value, None);
    }

    /// An entry of `LookupEvents`. Its own fields stand in for those that the record lacks.
    fn entry(&mut self, entry: &Value, text: &str) {
        if get_str(entry, "EventName").is_some_and(|name| name != EVENT_NAME) {
            return;
        }
        match parse(text) {
            Ok(record) => self.record(&record, Some(entry)),
            Err(why) => self.problem(get_str(entry, "EventId"), &why),
        }
    }

    fn record(&mut self, record: &Value, entry: Option<&Value>) {
        let field = |key: &str| get(record, key).or_else(|| get(entry?, key));
        let text = |key: &str| field(key).and_then(Value::as_str);
        let event_id = text("eventID").filter(|id| !id.is_empty());
        let Some(name) = text("eventName") else {
            return self.problem(event_id, "parse CloudTrail record: no eventName");
        };
        let foreign = text("eventSource").is_some_and(|source| !source.starts_with("route53."));
        if name != EVENT_NAME || foreign {
            return;
        }
        let Some(id) = event_id else {
            return self.problem(None, "parse CloudTrail record: no eventID");
        };
        let Some(at) = field("eventTime").and_then(read_time) else {
            return self.problem(event_id, "parse CloudTrail record: no eventTime");
        };
        if MAX_CHANGE_EVENTS <= self.events.len() {
            return self.problem(None, "read CloudTrail events: too many at once");
        }
        let source = FeedSource::CloudTrail { event_id: short(id), principal: short(principal(record)) };
        self.events.push(ChangeEvent { at, source, kind: read_kind(record) });
    }

    fn problem(&mut self, event_id: Option<&str>, message: &str) {
        if self.problems.len() < MAX_PROBLEMS {
            let scope = event_id.map_or_else(
                || "cloudtrail".to_owned(),
                |id| format!("cloudtrail/{}", printable(&truncate(id, 100))),
            );
            self.problems.push(Problem { scope, code: Reason::Parse, message: printable(message) });
        }
    }
}

fn parse(text: &str) -> Result<Value, String> {
    if MAX_TRAIL_RECORD < text.len() {
        return Err(format!("parse CloudTrail record: {} bytes are too many", text.len()));
    }
    serde_json::from_str(text).map_err(|error| format!("parse CloudTrail record: {error}"))
}

fn read_kind(record: &Value) -> ChangeEventKind {
    let request = get(record, "requestParameters").unwrap_or(&Value::Null);
    let changes = read_changes(request);
    let zone_id = get_str(request, "hostedZoneId").filter(|id| id.len() <= 100).map(ZoneId::new);
    let code = get_str(record, "errorCode").unwrap_or_default();
    if code.is_empty() {
        let count = u64::try_from(changes.len()).ok().filter(|count| 0 < *count);
        return ChangeEventKind::Applied(AppliedBatch {
            zone_id,
            changes,
            count,
            caller: read_caller(record),
        });
    }
    let text = get_str(record, "errorMessage").unwrap_or_default();
    let refusal = refusal::read_with_code(code, text);
    ChangeEventKind::Refused(RefusedBatch {
        // A denied call is recorded without its parameters; the text names the zone's ARN.
        zone_id: zone_id.or_else(|| refusal::zones_named(text).into_iter().next()),
        zone_name: None,
        attempted: changes,
        errors: refusal.errors,
        code: refusal.code,
        message: refusal.message,
        request_id: get_str(record, "requestID").filter(|id| !id.is_empty()).map(short),
        alone: false,
        caller: read_caller(record),
    })
}

fn read_changes(request: &Value) -> Vec<AttemptedChange> {
    let batch = get(request, "changeBatch").unwrap_or(&Value::Null);
    let changes = get(batch, "changes").and_then(Value::as_array);
    changes.into_iter().flatten().filter_map(read_change).take(MAX_BATCH_CHANGES).collect()
}

fn read_change(change: &Value) -> Option<AttemptedChange> {
    let action = match get_str(change, "action")?.to_ascii_uppercase().as_str() {
        "CREATE" => Action::Create,
        "UPSERT" => Action::Upsert,
        "DELETE" => Action::Delete,
        _other => return None,
    };
    let set = get(change, "resourceRecordSet")?;
    let alias = get(set, "aliasTarget").filter(|alias| alias.is_object());
    let plain = get(set, "resourceRecords").and_then(Value::as_array);
    let targets = if let Some(alias) = alias {
        get_str(alias, "dnsName").map(short).into_iter().collect()
    } else {
        let values = plain.into_iter().flatten().filter_map(|value| get_str(value, "value"));
        values.take(MAX_VALUES).map(|value| printable(value).into()).collect()
    };
    Some(AttemptedChange {
        action,
        name: DomainName::from_route53(get_str(set, "name")?),
        record_type: RecordType::new(&truncate(get_str(set, "type")?, 20)),
        set_identifier: get_str(set, "setIdentifier").map(short),
        targets,
        alias: if alias.is_some() { Some(true) } else { plain.map(|_| false) },
    })
}

/// The role behind a session, else the caller itself.
fn principal(record: &Value) -> &str {
    let identity = get(record, "userIdentity").unwrap_or(&Value::Null);
    let issuer = get(identity, "sessionContext").and_then(|session| get(session, "sessionIssuer"));
    issuer.and_then(|issuer| get_str(issuer, "arn")).or_else(|| get_str(identity, "arn")).unwrap_or_default()
}

/// What tells a person from a machine: the session, the tool, the place.
fn read_caller(record: &Value) -> Option<Arc<Caller>> {
    let identity = get(record, "userIdentity").unwrap_or(&Value::Null);
    let text = |value: Option<&str>| short(value.unwrap_or_default());
    let caller = Caller {
        session: text(get_str(identity, "arn")),
        user_agent: text(get_str(record, "userAgent")),
        source: text(get_str(record, "sourceIPAddress")),
    };
    (caller != Caller::default()).then(|| Arc::new(caller))
}

/// RFC 3339, or the seconds of the epoch as the CloudTrail API writes them.
fn read_time(value: &Value) -> Option<Timestamp> {
    if let Some(text) = value.as_str() {
        return text.parse().ok();
    }
    let seconds = value.as_i64().or_else(|| value.to_string().split('.').next()?.parse().ok())?;
    Timestamp::from_second(seconds).ok()
}

fn get<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    let found = object
        .get(key)
        .or_else(|| object.iter().find_map(|(name, value)| name.eq_ignore_ascii_case(key).then_some(value)));
    found.filter(|value| !value.is_null())
}

fn get_str<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    get(value, key).and_then(Value::as_str)
}

fn short(text: &str) -> Arc<str> {
    printable(&truncate(text, crate::limits::MAX_NAME)).into()
}

#[cfg(test)]
mod tests;

//! The event history of CloudTrail: every batch that reached validation, refused or accepted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::fault::R53FaultKind;
use super::{ACCOUNT, Change, Refusal, SeenRequest, Shared, handler, lock, new_request_id};
use crate::emulator::http as wire;
use crate::emulator::zones::RecordSet;

const OPERATION: &str = "LookupEvents";

/// Events that are kept; the oldest go first.
const MAX_EVENTS: usize = 100_000;

/// Events of one page. Source: CloudTrail API, `LookupEvents`.
const PAGE: usize = 50;

/// What was recorded.
#[derive(Debug, Default)]
pub(super) struct Trail {
    events: VecDeque<TrailEvent>,
    /// How late an event can be looked up.
    pub(super) delay: Duration,
}

#[derive(Clone, Debug)]
struct TrailEvent {
    id: String,
    at: Timestamp,
    record: Value,
}

// === impl Trail ===

impl Trail {
    /// Records one call; `refused` is why it failed, with the id of its request.
    pub(super) fn note(
        &mut self,
        at: Timestamp,
        zone_id: &str,
        changes: &[Change],
        principal: &str,
        refused: Option<&Refusal>,
    ) {
        let id = new_request_id();
        let request_id = refused.map_or_else(new_request_id, |refusal| refusal.request_id.clone());
        let changes: Vec<Value> = changes.iter().map(change).collect();
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": {"type": "IAMUser", "arn": principal, "accountId": ACCOUNT},
            "eventTime": format!("{at:.0}"), "eventSource": "route53.amazonaws.com",
            "eventName": "ChangeResourceRecordSets", "awsRegion": "us-east-1",
            "sourceIPAddress": "127.0.0.1", "userAgent": "emulator",
            "requestParameters": {"hostedZoneId": zone_id, "changeBatch": {"changes": changes}},
            "responseElements": Value::Null, "requestID": request_id, "eventID": id, "readOnly": false,
            "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": ACCOUNT,
        });
        if let (Some(refusal), Some(map)) = (refused, record.as_object_mut()) {
            map.insert("errorCode".to_owned(), json!(refusal.code));
            // The service keeps one kilobyte.
            map.insert(
                "errorMessage".to_owned(),
                json!(crate::model::text::truncate(&refusal.message, 1_024)),
            );
        }
        self.events.push_back(TrailEvent { id, at, record });
        if MAX_EVENTS < self.events.len() {
            self.events.pop_front();
        }
    }

    /// The records that can be looked up at `now`, oldest first.
    pub(super) fn records(&self, now: Timestamp) -> Vec<Value> {
        self.visible(now).map(|event| event.record.clone()).collect()
    }

    fn visible(&self, now: Timestamp) -> impl DoubleEndedIterator<Item = &TrailEvent> {
        let delay = SignedDuration::try_from(self.delay).unwrap_or(SignedDuration::MAX);
        let edge = now.saturating_sub(delay).unwrap_or(Timestamp::MIN);
        self.events.iter().filter(move |event| event.at <= edge)
    }

    fn page(&self, request: &Value, now: Timestamp) -> Value {
        let seconds = |key: &str| request.get(key).and_then(Value::as_f64);
        let within = |event: &&TrailEvent| {
            let at = event.at.as_duration().as_secs_f64();
            seconds("StartTime").is_none_or(|start| start <= at)
                && seconds("EndTime").is_none_or(|end| at <= end)
        };
        let asked =
            request.get("MaxResults").and_then(Value::as_u64).and_then(|max| usize::try_from(max).ok());
        let page = asked.unwrap_or(PAGE).clamp(1, PAGE);
        let token = request.get("NextToken").and_then(Value::as_str);
        let skip = token.and_then(|token| token.parse::<usize>().ok()).unwrap_or(0);
        let matching: Vec<&TrailEvent> = self.visible(now).rev().filter(within).collect();
        let events: Vec<Value> = matching.iter().skip(skip).take(page).map(|event| entry(event)).collect();
        let next = skip.saturating_add(page);
        let mut answer = json!({"Events": events});
        if next < matching.len()
            && let Some(map) = answer.as_object_mut()
        {
            map.insert("NextToken".to_owned(), json!(next.to_string()));
        }
        answer
    }
}

fn entry(event: &TrailEvent) -> Value {
    json!({"EventId": event.id, "EventName": "ChangeResourceRecordSets", "ReadOnly": "false",
           "EventTime": event.at.as_duration().as_secs_f64().floor(), "EventSource": "route53.amazonaws.com",
           "Username": "emulator", "CloudTrailEvent": event.record.to_string()})
}

/// In CloudTrail's spelling: the first letter of every member is lower case.
fn change(change: &Change) -> Value {
    json!({"action": change.action, "resourceRecordSet": record_set(&change.resource_record_set)})
}

fn record_set(set: &RecordSet) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    };
    put("name", Some(json!(set.name)));
    put("type", Some(json!(set.kind)));
    put("setIdentifier", set.set_identifier.as_ref().map(|id| json!(id)));
    put("weight", set.weight.map(|weight| json!(weight)));
    put("tTL", set.ttl.map(|ttl| json!(ttl)));
    put(
        "resourceRecords",
        set.resource_records.as_ref().map(|values| {
            values.records.iter().map(|value| json!({"value": value.text})).collect::<Vec<_>>().into()
        }),
    );
    put(
        "aliasTarget",
        set.alias_target.as_ref().map(|alias| {
            json!({"hostedZoneId": alias.hosted_zone_id, "dNSName": alias.dns_name,
               "evaluateTargetHealth": alias.evaluate_target_health})
        }),
    );
    Value::Object(map)
}

/// Answers `LookupEvents`; `None` for any other request.
pub(super) async fn answer(shared: &Arc<Shared>, headers: &HeaderMap, body: &str) -> Option<Response> {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok())?;
    if !target.ends_with("CloudTrail_20131101.LookupEvents") {
        return None;
    }
    let principal = handler::principal(headers);
    let request =
        SeenRequest { operation: OPERATION, zone: None, at: Instant::now(), attempt: None, principal };
    shared.note_request(request);
    match shared.faults.take(|fault| fault.concerns(OPERATION, None)).map(|fault| fault.kind) {
        Some(R53FaultKind::AccessDenied) => {
            let message = format!(
                "User: arn:aws:sts::{ACCOUNT}:assumed-role/dns-drift/dns-drift is not authorized to perform: \
                 cloudtrail:LookupEvents because no identity-based policy allows the cloudtrail:LookupEvents action"
            );
            return Some(refuse("AccessDeniedException", &message));
        }
        Some(R53FaultKind::Throttle) => return Some(refuse("ThrottlingException", "Rate exceeded")),
        Some(R53FaultKind::Delay(delay)) => {
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = tokio::time::sleep(delay) => {}
            }
        }
        Some(_other) => return Some(wire::answer(503, "text/html", "<html>503 Service Unavailable</html>")),
        None => {}
    }
    let request: Value = serde_json::from_str(body).unwrap_or_default();
    let page = lock(&shared.trail).page(&request, shared.clock.now());
    Some(wire::answer(200, "application/x-amz-json-1.1", page.to_string()))
}

fn refuse(code: &str, message: &str) -> Response {
    wire::answer(400, "application/x-amz-json-1.1", json!({"__type": code, "message": message}).to_string())
}

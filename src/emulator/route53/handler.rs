//! From a request to its answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Method, Uri};
use tokio::time::Instant;

use super::bucket::Bucket;
use super::fault::R53FaultKind;
use super::listing::{self, bare};
use super::world::{ZoneOptions, no_such_zone};
use super::write::{Xml, refuse, respond, with_request_id};
use super::{ACCOUNT, Refusal, SeenRequest, Shared, lock, parse, probe, sts, trail};
use crate::emulator::http as wire;

/// Calls of another service at the same address.
const STS_CALLS: [&str; 3] = ["AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"];

/// What a request is, as far as its path tells.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    operation: &'static str,
    /// Zone id, change id, or nothing.
    subject: Option<String>,
    /// Second part of the path, of `GetHostedZoneLimit`.
    detail: String,
}

/// What else of a request decides its answer.
struct Incoming {
    query: BTreeMap<String, String>,
    body: String,
    principal: String,
}

/// Answers any request.
pub(super) async fn handle(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = String::from_utf8_lossy(&body).into_owned();
    if let Some(answer) = trail::answer(&shared, &headers, &body).await {
        return answer;
    }
    let query = wire::query(&uri);
    let call = call(&method, uri.path(), &body);
    let zone = call.zone();
    let attempt = headers.get("amz-sdk-request").and_then(|value| value.to_str().ok()).map(str::to_owned);
    shared.note_request(SeenRequest {
        operation: call.operation,
        zone: zone.clone(),
        at: Instant::now(),
        attempt,
        principal: principal(&headers),
    });
    // The SDK sends this call unsigned; every other one must look signed.
    if call.operation != "AssumeRoleWithWebIdentity" && !is_signed(&headers) {
        return refuse(&Refusal::new(403, "MissingAuthenticationToken", "Missing Authentication Token"));
    }
    if let Some(refusal) = exhausted(&shared, &call).or_else(|| expired(&shared, &headers)) {
        return refuse(&refusal);
    }
    let later_page = query.contains_key("name") || query.contains_key("marker");
    let fault = shared
        .faults
        .take(|fault| {
            fault.concerns(call.operation, zone.as_deref())
                && (later_page || !(fault.later_pages || fault.kind == R53FaultKind::ZoneVanishes))
        })
        .map(|fault| fault.kind);
    if let Some(refusal) = fault.as_ref().and_then(|kind| refusal_of(kind, &call)) {
        return refuse(&refusal);
    }
    if let Some(R53FaultKind::Delay(delay)) = &fault {
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = tokio::time::sleep(*delay) => {}
        }
    }
    let incoming = Incoming { query, body, principal: principal(&headers) };
    let answered = answer(&shared, &call, &incoming, fault.as_ref());
    let (status, text) = match answered {
        Ok(answered) => answered,
        Err(refusal) => return refuse(&refusal),
    };
    spoil(status, text, fault.as_ref())
}

/// The account's bucket is empty. STS has buckets of its own.
fn exhausted(shared: &Shared, call: &Call) -> Option<Refusal> {
    if STS_CALLS.contains(&call.operation) {
        return None;
    }
    let mut bucket = lock(&shared.bucket);
    let granted = bucket.as_mut().is_none_or(Bucket::take);
    if granted { None } else { refusal_of(&R53FaultKind::Throttle, call) }
}

/// The session that signed has ended.
fn expired(shared: &Shared, headers: &HeaderMap) -> Option<Refusal> {
    let key = access_key(headers);
    let number: u64 = key.strip_prefix(sts::SESSION)?.get(..sts::SESSION_DIGITS)?.parse().ok()?;
    let ended = number <= lock(&shared.sessions).ended;
    ended.then(|| Refusal::new(403, "ExpiredToken", "The security token included in the request is expired"))
}

/// The answer as it leaves, whole or damaged.
fn spoil(status: u16, text: String, fault: Option<&R53FaultKind>) -> Response {
    match fault {
        Some(R53FaultKind::UnavailableHtml) => {
            wire::answer(503, "text/html", "<html><body><h1>503 Service Unavailable</h1></body></html>")
        }
        Some(R53FaultKind::Empty) => respond(200, String::new()),
        Some(R53FaultKind::HalfBody) => {
            let half = text.len().div_euclid(2);
            let cut = (0..=half).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            respond(status, text.get(..cut).unwrap_or_default().to_owned())
        }
        Some(R53FaultKind::Cut) => {
            with_request_id(wire::cut_short(status, "text/xml", text.as_bytes()), &super::new_request_id())
        }
        _ => respond(status, text),
    }
}

/// The refusals among the faults.
fn refusal_of(kind: &R53FaultKind, call: &Call) -> Option<Refusal> {
    let (status, code, message) = match kind {
        R53FaultKind::Throttle => (400, "Throttling", "Rate exceeded".to_owned()),
        R53FaultKind::PriorRequestNotComplete => (
            400,
            "PriorRequestNotComplete",
            "The request was rejected because Route 53 was still processing a prior request.".to_owned(),
        ),
        R53FaultKind::AccessDenied => (403, "AccessDenied", denied(call)),
        R53FaultKind::ExpiredToken => {
            (403, "ExpiredToken", "The security token included in the request is expired".to_owned())
        }
        R53FaultKind::ClockSkew => (
            403,
            "SignatureDoesNotMatch",
            "Signature expired: 20261123T000000Z is now earlier than 20261123T000500Z (20261123T001000Z - 5 min.)"
                .to_owned(),
        ),
        R53FaultKind::NoSuchHostedZone | R53FaultKind::ZoneVanishes => {
            return Some(no_such_zone(call.subject.as_deref().unwrap_or_default()));
        }
        R53FaultKind::ServerError => (500, "InternalFailure", "An internal error occurred".to_owned()),
        R53FaultKind::UnavailableHtml
        | R53FaultKind::Empty
        | R53FaultKind::HalfBody
        | R53FaultKind::Cut
        | R53FaultKind::Delay(_)
        | R53FaultKind::RepeatCursor
        | R53FaultKind::TruncatedWithoutCursor
        | R53FaultKind::DuplicateRows
        | R53FaultKind::CountOff(_) => return None,
    };
    Some(Refusal::new(status, code, message))
}

fn denied(call: &Call) -> String {
    let operation = call.operation;
    let resource = call
        .zone()
        .map(|zone| format!(" on resource: arn:aws:route53:::hostedzone/{zone}"))
        .unwrap_or_default();
    format!(
        "User: arn:aws:sts::{ACCOUNT}:assumed-role/dns-drift/dns-drift is not authorized to perform: \
         route53:{operation}{resource} because no identity-based policy allows the route53:{operation} action"
    )
}

fn is_signed(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256 Credential="))
}

/// Who signed the request: only the access key is in it, and the emulator knows no users.
pub(super) fn principal(headers: &HeaderMap) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{}", access_key(headers))
}

fn access_key(headers: &HeaderMap) -> &str {
    headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once("Credential=")?.1.split('/').next())
        .unwrap_or("unknown")
}

fn call(method: &Method, path: &str, body: &str) -> Call {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (operation, subject, detail) = match (method.as_str(), parts.as_slice()) {
        ("GET", ["2013-04-01", "hostedzone"]) => ("ListHostedZones", None, ""),
        ("POST", ["2013-04-01", "hostedzone"]) => ("CreateHostedZone", None, ""),
        ("GET", ["2013-04-01", "hostedzonesbyname"]) => ("ListHostedZonesByName", None, ""),
        ("GET", ["2013-04-01", "hostedzone", id]) => ("GetHostedZone", Some(*id), ""),
        ("GET", ["2013-04-01", "hostedzone", id, "rrset"]) => ("ListResourceRecordSets", Some(*id), ""),
        ("POST", ["2013-04-01", "hostedzone", id, "rrset"]) => ("ChangeResourceRecordSets", Some(*id), ""),
        ("GET", ["2013-04-01", "hostedzone", id, "dnssec"]) => ("GetDNSSEC", Some(*id), ""),
        ("GET", ["2013-04-01", "hostedzonelimit", id, kind]) => ("GetHostedZoneLimit", Some(*id), *kind),
        ("GET", ["2013-04-01", "healthcheck", id, "status"]) => ("GetHealthCheckStatus", Some(*id), ""),
        ("GET", ["2013-04-01", "testdnsanswer"]) => ("TestDNSAnswer", None, ""),
        ("GET", ["2013-04-01", "change", id]) => ("GetChange", Some(*id), ""),
        ("GET", ["2013-04-01", "tags", "hostedzone", id]) => ("ListTagsForResource", Some(*id), ""),
        ("POST", ["2013-04-01", "tags", "hostedzone"]) => ("ListTagsForResources", None, ""),
        ("POST", []) if body.contains("Action=AssumeRoleWithWebIdentity") => {
            ("AssumeRoleWithWebIdentity", None, "")
        }
        ("POST", []) if body.contains("Action=AssumeRole&") => ("AssumeRole", None, ""),
        ("POST", []) if body.contains("Action=GetCallerIdentity") => ("GetCallerIdentity", None, ""),
        _ => ("Unknown", None, ""),
    };
    Call { operation, subject: subject.map(str::to_owned), detail: detail.to_owned() }
}

impl Call {
    fn zone(&self) -> Option<String> {
        self.subject.clone().filter(|_| !matches!(self.operation, "GetChange" | "GetHealthCheckStatus"))
    }
}

fn answer(
    shared: &Shared,
    call: &Call,
    incoming: &Incoming,
    fault: Option<&R53FaultKind>,
) -> Result<(u16, String), Refusal> {
    let Incoming { query, body, principal } = incoming;
    let count_off = match fault {
        Some(R53FaultKind::CountOff(by)) => *by,
        _ => 0,
    };
    let subject = call.subject.as_deref().unwrap_or_default();
    let text = match call.operation {
        "ListHostedZones" => listing::zones(&shared.world(), query, count_off, principal)?,
        "ListHostedZonesByName" => listing::zones_by_name(&shared.world(), query, count_off)?,
        "ListResourceRecordSets" => listing::record_sets(&shared.world(), subject, query, fault)?,
        "GetHostedZone" => get_zone(shared, subject, count_off)?,
        "GetHostedZoneLimit" => zone_limit(shared, subject, &call.detail)?,
        "GetHealthCheckStatus" => health_check_status(shared, subject)?,
        "TestDNSAnswer" => probe::test_answer(&shared.world(), query)?,
        "GetDNSSEC" => dnssec(shared, subject)?,
        "ListTagsForResource" => tags(shared, subject)?,
        "ListTagsForResources" => tags_of_many(shared, body)?,
        "GetChange" => get_change(shared, subject)?,
        "ChangeResourceRecordSets" => change(shared, subject, body, principal)?,
        "CreateHostedZone" => return create_zone(shared, body).map(|text| (201, text)),
        "AssumeRoleWithWebIdentity" => sts::assumed_role(shared, body)?,
        "AssumeRole" => sts::role(shared, body)?,
        "GetCallerIdentity" => sts::caller_identity(),
        _ => {
            return Err(Refusal::new(
                404,
                "UnknownOperationException",
                "The emulator does not know this operation",
            ));
        }
    };
    Ok((200, text))
}

fn get_zone(shared: &Shared, id: &str, count_off: i64) -> Result<String, Refusal> {
    let world = shared.world();
    let zone = world.zone(id).ok_or_else(|| no_such_zone(id))?;
    Ok(Xml::response("GetHostedZone", |xml| {
        xml.hosted_zone(zone, count_off);
        if !zone.private {
            xml.delegation_set(zone);
        }
        if !zone.vpcs.is_empty() {
            xml.within("VPCs", |xml| {
                for (region, id) in &zone.vpcs {
                    xml.within("VPC", |xml| {
                        xml.leaf("VPCRegion", region);
                        xml.leaf("VPCId", id);
                    });
                }
            });
        }
    }))
}

fn zone_limit(shared: &Shared, id: &str, kind: &str) -> Result<String, Refusal> {
    let world = shared.world();
    let zone = world.zone(id).ok_or_else(|| no_such_zone(id))?;
    let (limit, count) = match kind {
        "MAX_RRSETS_BY_ZONE" => (10_000, zone.records.len()),
        "MAX_VPCS_ASSOCIATED_BY_ZONE" if zone.private => (300, zone.vpcs.len()),
        "MAX_VPCS_ASSOCIATED_BY_ZONE" => {
            return Err(Refusal::new(400, "HostedZoneNotPrivate", "The specified hosted zone is public."));
        }
        _ => return Err(Refusal::new(400, "InvalidInput", "The input is not valid: unknown limit type")),
    };
    Ok(Xml::response("GetHostedZoneLimit", |xml| {
        xml.within("Limit", |xml| {
            xml.leaf("Type", kind);
            xml.leaf("Value", limit);
        });
        xml.leaf("Count", count);
    }))
}

/// Three checkers, of one opinion.
fn health_check_status(shared: &Shared, id: &str) -> Result<String, Refusal> {
    let healthy = shared.world().health_checks.get(id).copied().ok_or_else(|| {
        Refusal::new(404, "NoSuchHealthCheck", format!("A health check with id {id} does not exist."))
    })?;
    let status =
        if healthy { "Success: HTTP Status Code 200, OK" } else { "Failure: The endpoint did not respond" };
    Ok(Xml::response("GetHealthCheckStatus", |xml| {
        xml.within("HealthCheckObservations", |xml| {
            for region in ["us-east-1", "eu-west-1", "ap-southeast-1"] {
                xml.within("HealthCheckObservation", |xml| {
                    xml.leaf("Region", region);
                    xml.leaf("IPAddress", "198.51.100.1");
                    xml.within("StatusReport", |xml| xml.leaf("Status", status));
                });
            }
        });
    }))
}

fn dnssec(shared: &Shared, id: &str) -> Result<String, Refusal> {
    let world = shared.world();
    let (status, keys) = &world.zone(id).ok_or_else(|| no_such_zone(id))?.dnssec;
    Ok(Xml::response("GetDNSSEC", |xml| {
        xml.within("Status", |xml| xml.leaf("ServeSignature", status));
        xml.within("KeySigningKeys", |xml| {
            for key in keys {
                xml.within("member", |xml| {
                    xml.leaf("DSRecord", key);
                    xml.leaf("Status", "ACTIVE");
                });
            }
        });
    }))
}

fn tags(shared: &Shared, id: &str) -> Result<String, Refusal> {
    let world = shared.world();
    let zone = world.zone(id).ok_or_else(|| no_such_zone(id))?;
    Ok(Xml::response("ListTagsForResource", |xml| xml.tag_set(zone)))
}

fn tags_of_many(shared: &Shared, body: &str) -> Result<String, Refusal> {
    let ids = parse::resource_ids(body)?;
    if 10 < ids.len() {
        return Err(Refusal::new(400, "InvalidInput", "The input is not valid: more than 10 resource ids"));
    }
    let world = shared.world();
    let zones: Vec<_> = ids
        .iter()
        .map(|id| world.zone(bare(id)).ok_or_else(|| no_such_zone(bare(id))))
        .collect::<Result<_, _>>()?;
    Ok(Xml::response("ListTagsForResources", |xml| {
        xml.within("ResourceTagSets", |xml| zones.iter().for_each(|zone| xml.tag_set(zone)));
    }))
}

fn get_change(shared: &Shared, id: &str) -> Result<String, Refusal> {
    let change = shared.world().applied_change(id, Instant::now()).ok_or_else(|| {
        Refusal::new(
            404,
            "NoSuchChange",
            format!("A change with the specified change ID {id} does not exist."),
        )
    })?;
    Ok(Xml::response("GetChange", |xml| xml.change_info(&change)))
}

fn change(shared: &Shared, id: &str, body: &str, principal: &str) -> Result<String, Refusal> {
    let (changes, comment) = parse::change_batch(body)?.into_changes();
    let applied = shared.change(id, changes, principal, comment)?;
    Ok(Xml::response("ChangeResourceRecordSets", |xml| xml.change_info(&applied)))
}

fn create_zone(shared: &Shared, body: &str) -> Result<String, Refusal> {
    let request = parse::create_zone(body)?;
    let config = request.hosted_zone_config;
    let options = ZoneOptions {
        private: request.vpc.is_some() || config.as_ref().is_some_and(|config| config.private_zone),
        vpcs: request.vpc.into_iter().map(|vpc| (vpc.region, vpc.id)).collect(),
        comment: config.and_then(|config| config.comment),
        ..ZoneOptions::default()
    };
    let mut world = shared.world();
    let id = world.create_zone(&request.name, options);
    let submitted_at = shared.clock.now();
    let zone = world.zone(&id).ok_or_else(|| no_such_zone(&id))?;
    let text = Xml::response("CreateHostedZone", |xml| {
        xml.hosted_zone(zone, 0);
        xml.within("ChangeInfo", |xml| {
            xml.leaf("Id", format_args!("/change/C{id}"));
            xml.leaf("Status", "PENDING");
            xml.leaf("SubmittedAt", format_args!("{submitted_at:.3}"));
        });
        xml.delegation_set(zone);
    });
    drop(world);
    shared.note_change();
    Ok(text)
}

//! What the sources of custom resources yield, against what ExternalDNS itself computed where that
//! was executed, and against its code where it was read.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dns_drift::desired::discover::discover;
use dns_drift::desired::endpoint::Endpoint;
use dns_drift::desired::kinds::{Kind, Row};
use dns_drift::desired::source::{Yield, read_object, source_of};
use dns_drift::desired::sources::{Objects, SourceInput};
use dns_drift::model::instance::Instance;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Name, type, set identifier, TTL, targets, properties, resource.
type Line = (String, String, String, u64, Vec<String>, Vec<(String, String)>, String);

fn decode(objects: &[Value]) -> Objects {
    let mut out = Objects::new();
    for object in objects {
        let kind = Kind::of(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let Some(kind) = kind else { continue };
        if let Ok(Some(Row::Object(row))) = kind.decode(object.clone()) {
            out.insert(row.reference.clone(), row);
        }
    }
    out
}

fn instance(args: &[String], version: &str) -> Arc<Instance> {
    let deployment = json!({
        "metadata": {"name": "external-dns", "namespace": "external-dns"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "external-dns", "image": format!("r/external-dns:v{version}"), "args": args}]}}}});
    let Ok(Some(Row::Workload(workload))) = Kind::Deployment.decode(deployment) else {
        panic!("no workload")
    };
    let mut found = discover(&[workload.as_ref().clone()], &[]).instances;
    Arc::new(found.remove(0))
}

fn arguments(flags: &Value) -> Vec<String> {
    let one = |name: &str, value: &Value| match value {
        Value::Bool(true) => format!("--{name}"),
        Value::Bool(false) => format!("--no-{name}"),
        Value::String(text) => format!("--{name}={text}"),
        other => format!("--{name}={other}"),
    };
    let flags = flags.as_object().unwrap();
    flags
        .iter()
        .flat_map(|(name, value)| match value {
            Value::Array(values) => values.iter().map(|value| one(name, value)).collect(),
            value => vec![one(name, value)],
        })
        .collect()
}

fn read(objects: &Objects, instance: &Instance) -> Yield {
    let input = SourceInput { objects, instance };
    let mut all = Yield::default();
    for object in objects.values() {
        let source = source_of(&object.reference.kind);
        if source.is_none_or(|source| !instance.flags.sources.iter().any(|given| given == source)) {
            continue;
        }
        let one = read_object(object, &input, Timestamp::UNIX_EPOCH);
        all.endpoints.extend(one.endpoints);
        all.unwanted.extend(one.unwanted);
        all.without_target = all.without_target.or(one.without_target);
    }
    all
}

fn line(endpoint: &Endpoint) -> Line {
    let object = &endpoint.object;
    let targets: BTreeSet<String> = endpoint.targets.iter().map(|target| bare(target)).collect();
    (
        bare(&endpoint.name),
        endpoint.record_type.as_str().to_owned(),
        endpoint.set_identifier.as_deref().unwrap_or_default().to_owned(),
        u64::from(endpoint.ttl.unwrap_or(0)),
        targets.into_iter().collect(),
        endpoint.properties.clone().into_iter().collect(),
        format!("{}/{}/{}", object.registry_word(), object.namespace, object.name),
    )
}

fn bare(text: &str) -> String {
    text.trim_end_matches('.').to_lowercase()
}

fn expected(row: &Value) -> Line {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let targets: BTreeSet<String> = row["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|target| bare(target.as_str().unwrap()))
        .collect();
    let mut properties: Vec<(String, String)> = row["providerSpecific"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (text(&one["name"]), text(&one["value"])))
        .collect();
    properties.sort();
    (
        bare(&text(&row["dnsName"])),
        text(&row["recordType"]),
        text(&row["setIdentifier"]),
        row["recordTTL"].as_u64().unwrap_or(0),
        targets.into_iter().collect(),
        properties,
        text(&row["labels"]["resource"]),
    )
}

/// Unites the targets of equal endpoints, as the sources do before anybody sees them.
fn merged(lines: Vec<Line>) -> Vec<Line> {
    let mut out: BTreeMap<_, Line> = BTreeMap::new();
    for line in lines {
        let key = (line.0.clone(), line.1.clone(), line.2.clone(), line.3);
        match out.get_mut(&key) {
            Some(kept) if line.1 != "CNAME" && !line.6.starts_with("ingress/") => kept.4.extend(line.4),
            Some(_) => drop(out.insert((format!("{}+", key.0), key.1, key.2, key.3), line)),
            None => drop(out.insert(key, line)),
        }
    }
    let mut lines: Vec<Line> = out.into_values().collect();
    for line in &mut lines {
        line.4.sort();
        line.4.dedup();
    }
    lines.sort();
    lines
}

#[test]
fn executed_cases() {
    let text = std::fs::read_to_string("tests/conformance/executed.json").expect("read");
    let cases: Value = serde_json::from_str(&text).expect("parsed");
    let (mut judged, mut faults) = (0, Vec::new());
    for case in cases["cases"].as_array().unwrap() {
        let args = arguments(&case["flags"]);
        let custom = args.iter().any(|arg| arg.starts_with("--source=gateway-") || arg == "--source=crd");
        let mixed = args.iter().any(|arg| arg == "--source=ingress" || arg.starts_with("--fqdn-template"));
        if !custom || mixed || case["nondeterministic"].is_string() {
            continue;
        }
        judged += 1;
        let objects = decode(case["objects"].as_array().unwrap());
        let found = read(&objects, &instance(&args, "0.22.0"));
        let found = merged(found.endpoints.iter().map(line).collect());
        let wanted =
            merged(case["source_endpoints"].as_array().into_iter().flatten().map(expected).collect());
        if found != wanted {
            faults.push(format!("{}\n  found  {found:?}\n  wanted {wanted:?}", case["id"]));
        }
    }
    assert!(judged >= 45, "only {judged} cases");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

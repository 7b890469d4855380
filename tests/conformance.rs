//! The desired view against what ExternalDNS itself computed: `tests/conformance` holds inputs and
//! the results of running the code of ExternalDNS on them.
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
use std::path::Path;
use std::sync::Arc;

use dns_drift::config::Config;
use dns_drift::desired::adjust::adjust;
use dns_drift::desired::endpoint::{Endpoint, Origin};
use dns_drift::desired::submit::submit;
use dns_drift::model::instance::{Flags, Instance};
use dns_drift::model::record::Content;
use dns_drift::model::zone::{HostedZone, ZoneReading, Zones};
use dns_drift::model::{DomainName, ObjectRef, RecordType, Version, ZoneId};
use dns_drift::preview::{Input, Stage, listing_of};
use dns_drift::replay;
use jiff::Timestamp;
use serde_json::{Value, json};

fn file(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("read")).expect("JSON")
}

fn texts(value: &Value) -> Vec<String> {
    if let Some(list) = value.as_array() {
        return list.iter().flat_map(texts).collect();
    }
    vec![value.as_str().map_or_else(|| value.to_string(), str::to_owned)]
}

fn arguments(flags: &Value) -> Vec<String> {
    let flag = |name: &String, value: &Value| match value.as_bool() {
        Some(true) => vec![format!("--{name}")],
        Some(false) => vec![format!("--no-{name}")],
        None => texts(value).into_iter().map(|text| format!("--{name}={text}")).collect(),
    };
    flags.as_object().expect("flags").iter().flat_map(|(name, value)| flag(name, value)).collect()
}

fn zones(case: &Value) -> Zones {
    let rows = case["zones"].as_array().cloned().unwrap_or_default();
    let zone = |row: Value| {
        let id = ZoneId::new(row["id"].as_str().expect("id"));
        let zone = HostedZone {
            id: id.clone(),
            name: DomainName::new(row["name"].as_str().expect("name")),
            private: row["private"].as_bool().unwrap_or_default(),
            record_set_count: None,
            delegation_set: Vec::new(),
            vpcs: None,
            limit: None,
            dnssec: None,
            tags: Some(BTreeMap::new()),
        };
        (
            id,
            ZoneReading {
                zone,
                record_sets: Some(Arc::default()),
                read_at: None,
                names_read: BTreeMap::new(),
                list_failed: false,
                above: None,
            },
        )
    };
    Zones { zones: rows.into_iter().map(zone).collect(), ..Zones::default() }
}

fn input(case: &Value) -> Input {
    let mut objects = case["objects"].as_array().expect("objects").clone();
    objects.push(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "external-dns", "namespace": "external-dns"},
        "spec": {"template": {"spec": {"containers": [{"name": "external-dns",
            "image": "registry.k8s.io/external-dns/external-dns:v0.22.0", "args": arguments(&case["flags"])}]}}}}));
    let mut problems = Vec::new();
    let cluster = replay::decode(objects, None, &mut problems);
    assert_eq!(problems, [], "{}", case["id"]);
    assert_eq!(cluster.instances.len(), 1, "{}", case["id"]);
    Input { cluster, zones: Some(Arc::new(zones(case))), at: Timestamp::UNIX_EPOCH }
}

fn name(text: &str) -> String {
    text.trim_end_matches('.').to_lowercase().replace("\\052", "*")
}

fn text(row: &Value, member: &str) -> String {
    row[member].as_str().unwrap_or_default().to_owned()
}

fn list(row: &Value, member: &str) -> Vec<Value> {
    row[member].as_array().cloned().unwrap_or_default()
}

/// What counts of an endpoint, with the order of targets and properties taken out.
fn endpoint_key(row: &Value) -> String {
    let targets: BTreeSet<String> = texts(&json!(list(row, "targets"))).iter().map(|one| name(one)).collect();
    let properties: BTreeSet<(String, String)> =
        list(row, "providerSpecific").iter().map(|one| (text(one, "name"), text(one, "value"))).collect();
    format!(
        "{} {} {} {} {targets:?} {properties:?} {}",
        name(&text(row, "dnsName")),
        text(row, "recordType"),
        text(row, "setIdentifier"),
        row["recordTTL"].as_u64().unwrap_or_default(),
        row.pointer("/labels/resource").and_then(Value::as_str).unwrap_or_default()
    )
}

fn record_key(row: &Value) -> String {
    let content = if let Some(alias) = row.get("alias") {
        let health = alias["evaluate_target_health"].as_bool().unwrap_or_default();
        format!("alias {} {} {health}", name(&text(alias, "dns_name")), text(alias, "hosted_zone_id"))
    } else {
        let is_text = text(row, "type") == "TXT";
        let values = texts(&json!(list(row, "values")));
        let values: BTreeSet<String> =
            values.into_iter().map(|one| if is_text { one } else { name(&one) }).collect();
        format!("{} {values:?}", row["ttl"].as_u64().unwrap_or_default())
    };
    let routing = row.get("routing").cloned().unwrap_or_else(|| json!({}));
    format!(
        "{} {} {} {} {content} {routing}",
        text(row, "zone"),
        name(&text(row, "name")),
        text(row, "type"),
        text(row, "set_identifier")
    )
}

/// The stages of a case that can be compared, with what they should be.
fn stages(case: &Value) -> Vec<(Stage, Vec<Value>)> {
    if case.get("existing").is_some() {
        return Vec::new();
    }
    let changes = list(case, "expected_changes");
    let mut stages = vec![
        (Stage::Source, list(case, "source_endpoints")),
        (Stage::Provider, list(case, "expected_endpoints")),
    ];
    if changes.iter().all(|change| change["action"] == "CREATE") {
        stages.push((Stage::Route53, changes));
    }
    stages
}

fn faults(case: &Value) -> Vec<String> {
    let input = input(case);
    let mut faults = Vec::new();
    for (stage, expected) in stages(case) {
        let key = if stage == Stage::Route53 { record_key } else { endpoint_key };
        let listing = listing_of(&input, &input.cluster.instances, stage).expect("computed");
        let sorted = |rows: &[Value]| {
            let mut keys: Vec<String> = rows.iter().map(key).collect();
            keys.sort();
            keys
        };
        let (wanted, got) = (sorted(&expected), sorted(&listing.rows));
        if wanted != got {
            faults.push(format!("{} {stage:?}\n  wanted {wanted:#?}\n  got {got:#?}", case["id"]));
        }
    }
    faults
}

#[test]
fn every_executed_case_is_computed_alike() {
    let mut complaints = Vec::new();
    let mut compared = 0_usize;
    for case in list(&file("executed.json"), "cases") {
        // ExternalDNS itself gives several answers to these.
        if case.get("nondeterministic").is_some() {
            continue;
        }
        complaints.extend(faults(&case));
        compared += stages(&case).len();
    }
    assert!(compared > 500, "only {compared} comparisons");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The tables of ExternalDNS' own tests of its sources: what each yields for objects and flags.
#[test]
fn every_source_yields_what_its_own_tests_expect() {
    let mut complaints = Vec::new();
    let mut compared = BTreeMap::<String, usize>::new();
    for case in list(&file("sources.json"), "cases") {
        let input = input(&case);
        let listing = listing_of(&input, &input.cluster.instances, Stage::Source).expect("computed");
        let expected = list(&case, "source_endpoints");
        // Most tables leave the resource label out.
        let labelled = expected.iter().all(|row| row.get("labels").is_some());
        let keys = |rows: &[Value]| {
            let bare = |row: &Value| {
                let mut row = row.clone();
                if !labelled {
                    row.as_object_mut().expect("an endpoint").remove("labels");
                }
                endpoint_key(&row)
            };
            let mut keys: Vec<String> = rows.iter().map(bare).collect();
            keys.sort();
            keys
        };
        let (wanted, got) = (keys(&expected), keys(&listing.rows));
        if wanted != got {
            complaints.push(format!("{}\n  wanted {wanted:#?}\n  got {got:#?}", case["id"]));
        }
        *compared.entry(text(&case["flags"], "source")).or_default() += 1;
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    let sources = ["crd", "gateway-httproute", "ingress", "node", "pod", "service"];
    assert_eq!(compared.keys().map(String::as_str).collect::<Vec<_>>(), sources);
    assert!(300 < compared.values().sum::<usize>(), "{compared:?}");
}

fn instance(version: &str, prefer_cname: bool) -> Instance {
    let mut instance = (*Config::from_value(&json!({})).expect("configuration").assumed()).clone();
    let version: Version = if version == "HEAD" { "v0.22.0" } else { version }.parse().expect("version");
    let args = [format!("--aws-prefer-cname={prefer_cname}")];
    instance.flags = Flags::from_args(&args, &BTreeMap::new(), Some(version));
    instance.version = Some(version);
    instance
}

fn shown(endpoint: Endpoint, instance: &Instance) -> Vec<String> {
    let show = |endpoint: Endpoint| {
        let submitted = submit(endpoint, instance);
        let kind = submitted.record_type().clone();
        let targets = submitted.endpoint.targets.join(" ");
        match submitted.content {
            Content::Alias(alias) => {
                let zone =
                    alias.hosted_zone_id.as_ref().map_or_else(|| "same-zone".to_owned(), ToString::to_string);
                format!("ALIAS {kind} -> {} [{zone}]", submitted.endpoint.targets[0])
            }
            Content::Values { ttl, .. } => format!("{kind} ttl={ttl} {targets}"),
            Content::TrafficPolicy(_) => panic!("no traffic policy"),
        }
    };
    let mut rows: Vec<String> = adjust(endpoint, instance).into_iter().map(show).collect();
    rows.sort();
    rows
}

#[test]
fn the_alias_decision_of_every_release() {
    let mut compared = 0_usize;
    for row in list(&file("alias-by-version.json"), "rows") {
        let input = &row["input"];
        let property = input["alias_property"].as_str().filter(|word| !word.is_empty());
        let endpoint = Endpoint {
            name: "app.example.com".to_owned(),
            record_type: RecordType::new(input["recordType"].as_str().expect("type")),
            targets: texts(&input["targets"]),
            ttl: input["recordTTL"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()),
            set_identifier: None,
            properties: property.map(|word| ("alias".to_owned(), word.to_owned())).into_iter().collect(),
            object: ObjectRef::new("Ingress", "shop", "web"),
            origin: Origin::default(),
        };
        let prefer_cname = row["flags"]["aws-prefer-cname"].as_bool().expect("flag");
        for (version, expected) in row["result_by_version"].as_object().expect("results") {
            let mut expected = texts(expected);
            expected.sort();
            let found = shown(endpoint.clone(), &instance(version, prefer_cname));
            assert_eq!(found, expected, "{} {version}", row["id"]);
            compared += 1;
        }
    }
    assert!(compared > 400, "only {compared} comparisons");
}

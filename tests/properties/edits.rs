//! Changes of a recording that must not change its verdict.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use regex::Regex;
use serde_json::{Value, json};

use crate::case::{Case, Content};

pub(crate) fn in_folder(path: &Path, folder: &str) -> bool {
    path.components().any(|part| part.as_os_str() == folder)
}

/// Objects, zones, record sets, values, observations and arguments in another order.
pub(crate) fn shuffled(mut case: Case, seed: u64) -> Case {
    let mut random = StdRng::seed_from_u64(seed);
    case.each(&mut |path, content| match content {
        Content::Lines(lines) => {
            lines.shuffle(&mut random);
            for line in lines {
                for section in ["answers", "authority"] {
                    shuffle_rrset(&mut line[section], &mut random);
                }
            }
        }
        Content::Tree(value) if in_folder(path, "kubernetes") => {
            for list in ["/items", "/spec/rules", "/spec/tls"] {
                shuffle_at(value, list, &mut random);
            }
            for object in objects(value) {
                shuffle_at(object, "/status/loadBalancer/ingress", &mut random);
                shuffle_at(object, "/metadata/managedFields", &mut random);
                let containers = ["/spec/template/spec/containers", "/spec/containers"];
                for list in containers {
                    for container in
                        object.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
                    {
                        shuffle_at(container, "/args", &mut random);
                    }
                }
            }
        }
        Content::Tree(value) if in_folder(path, "route53") => {
            shuffle_at(value, "/HostedZones", &mut random);
            shuffle_at(value, "/ResourceRecordSets", &mut random);
            for set in value["ResourceRecordSets"].as_array_mut().into_iter().flatten() {
                shuffle_at(set, "/ResourceRecords", &mut random);
            }
            shuffle_at(value, "/DelegationSet/NameServers", &mut random);
        }
        Content::Tree(_) | Content::Text(_) => {}
    });
    case
}

fn shuffle_at(value: &mut Value, pointer: &str, random: &mut StdRng) {
    if let Some(list) = value.pointer_mut(pointer).and_then(Value::as_array_mut) {
        list.shuffle(random);
    }
}

/// A section of one type has no order; a CNAME chain has one.
fn shuffle_rrset(section: &mut Value, random: &mut StdRng) {
    let Some(records) = section.as_array_mut() else { return };
    if records.iter().all(|record| record["type"] != "CNAME") {
        records.shuffle(random);
    }
}

/// The objects of a file, whether it is a list or one object.
pub(crate) fn objects(value: &mut Value) -> Vec<&mut Value> {
    if value.get("items").is_some() {
        return value["items"].as_array_mut().map(|items| items.iter_mut().collect()).unwrap_or_default();
    }
    vec![value]
}

/// DNS names in another letter case, with and without the trailing dot.
pub(crate) fn respelled(mut case: Case, seed: u64) -> Case {
    let mut random = StdRng::seed_from_u64(seed);
    case.each(&mut |path, content| match content {
        Content::Lines(lines) => {
            for line in lines {
                respell(&mut line["name"], &mut random);
                for section in ["answers", "authority"] {
                    for record in line[section].as_array_mut().into_iter().flatten() {
                        respell(&mut record["name"], &mut random);
                        if record["type"] == "CNAME" || record["type"] == "NS" {
                            respell(&mut record["data"], &mut random);
                        }
                    }
                }
            }
        }
        Content::Tree(value) if in_folder(path, "kubernetes") => {
            for object in objects(value) {
                respell_object(object, &mut random);
            }
        }
        Content::Tree(value) if in_folder(path, "route53") => {
            for zone in value["HostedZones"].as_array_mut().into_iter().flatten() {
                respell(&mut zone["Name"], &mut random);
            }
            for set in value["ResourceRecordSets"].as_array_mut().into_iter().flatten() {
                respell(&mut set["Name"], &mut random);
                if let Some(target) = set.get_mut("AliasTarget") {
                    respell(&mut target["DNSName"], &mut random);
                }
                if set["Type"] == "CNAME" || set["Type"] == "NS" {
                    for value in set["ResourceRecords"].as_array_mut().into_iter().flatten() {
                        respell(&mut value["Value"], &mut random);
                    }
                }
            }
        }
        Content::Tree(_) | Content::Text(_) => {}
    });
    case
}

fn respell_object(object: &mut Value, random: &mut StdRng) {
    for row in
        object.pointer_mut("/status/loadBalancer/ingress").and_then(Value::as_array_mut).into_iter().flatten()
    {
        if let Some(host) = row.get_mut("hostname") {
            respell(host, random);
        }
    }
    for (key, value) in
        object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut).into_iter().flatten()
    {
        if key.ends_with("/hostname") {
            respell(value, random);
        }
    }
}

/// A name, or a list of names with commas.
fn respell(value: &mut Value, random: &mut StdRng) {
    let Some(text) = value.as_str() else { return };
    let names = text.split(',').map(|name| {
        // An escape is not a letter, and a name that ends in two dots is another (illegal) name.
        if name.contains('\\') || name.ends_with("..") || name.is_empty() {
            return name.to_owned();
        }
        let bare = name.strip_suffix('.').unwrap_or(name);
        let cased = if random.random() { bare.to_uppercase() } else { bare.to_lowercase() };
        if random.random() { format!("{cased}.") } else { cased }
    });
    *value = json!(names.collect::<Vec<_>>().join(","));
}

/// All objects of a round in one file, or each in its own, as YAML.
pub(crate) fn refiled(case: &Case, together: bool) -> Case {
    let mut out = case.clone();
    out.files.retain(|path, _| !in_folder(path, "kubernetes"));
    for (round, _) in case.rounds() {
        let folder = Path::new(&round).join("kubernetes");
        let mut all = Vec::new();
        for (_, content) in case.files.iter().filter(|(path, _)| path.starts_with(&folder)) {
            let Content::Tree(value) = content else { continue };
            all.extend(objects(&mut value.clone()).into_iter().map(|object| object.clone()));
        }
        if !case.files.keys().any(|path| path.starts_with(&folder)) {
            continue;
        }
        if together {
            let documents: Vec<String> =
                all.iter().map(|object| serde_saphyr::to_string(object).unwrap()).collect();
            out.files.insert(folder.join("all.yaml"), Content::Text(documents.join("\n---\n")));
            continue;
        }
        for (index, object) in all.iter().enumerate() {
            out.files.insert(folder.join(format!("{index:04}.json")), Content::Tree(object.clone()));
        }
    }
    out
}

/// Another company: hosts, namespaces, objects, owners, zone ids and addresses.
///
/// Labels keep their lengths, private addresses stay private. No pattern may match within the
/// outcome of another one.
const RENAMES: [(&str, &str); 9] = [
    (r"(?i)example\.com", "harbour.net"),
    (r"(?i)exmaple\.com", "hrabour.net"),
    (r"\bapp((?:-[a-z0-9]+)?)\.harbour", "hub${1}.harbour"),
    (r"\bshop\b", "till"),
    (r"\bgke-prod\b", "eks-live"),
    (r"ZPUB", "ZKRM"),
    (r"ZPRV", "ZQUX"),
    (r"\b203\.0\.113\.", "93.184.7."),
    (r"\b198\.51\.100\.", "91.198.44."),
];

/// The same world under other names.
pub(crate) fn renamed(case: &Case) -> Case {
    static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        RENAMES.iter().map(|(pattern, name)| (Regex::new(pattern).unwrap(), *name)).collect()
    });
    rewrite(case, &|text| {
        PATTERNS
            .iter()
            .fold(text.to_owned(), |text, (pattern, name)| pattern.replace_all(&text, *name).into_owned())
    })
}

/// The same world at another time.
pub(crate) fn shifted(case: &Case, by: SignedDuration) -> Case {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)").unwrap());
    static EPOCH: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^(\S*timestamp_seconds\S*) ([0-9.e+]+)$").unwrap());
    rewrite(case, &|text| {
        let text = TIME.replace_all(text, |found: &regex::Captures<'_>| {
            (found[0].parse::<Timestamp>().unwrap() + by).to_string()
        });
        EPOCH
            .replace_all(&text, |found: &regex::Captures<'_>| {
                format!("{} {}", &found[1], found[2].parse::<f64>().unwrap() + by.as_secs_f64())
            })
            .into_owned()
    })
}

/// Changes texts wherever they stand, file names included.
pub(crate) fn rewrite(case: &Case, edit: &dyn Fn(&str) -> String) -> Case {
    let files = case
        .files
        .iter()
        .map(|(path, content)| {
            let content = match content {
                Content::Tree(value) => Content::Tree(rewrite_tree(value, edit)),
                Content::Lines(lines) => {
                    Content::Lines(lines.iter().map(|line| rewrite_tree(line, edit)).collect())
                }
                Content::Text(text) => Content::Text(edit(text)),
            };
            (PathBuf::from(edit(&path.to_string_lossy())), content)
        })
        .collect();
    Case { id: format!("{}, rewritten", case.id), shared: case.shared, files }
}

fn rewrite_tree(value: &Value, edit: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(edit(text)),
        Value::Array(list) => list.iter().map(|value| rewrite_tree(value, edit)).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (edit(key), rewrite_tree(value, edit))).collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other.clone(),
    }
}

/// A healthy fleet with its own instance and zone, and hand-made records in every zone.
pub(crate) fn crowded(mut case: Case, size: usize) -> Case {
    for (round, _) in case.rounds() {
        let round = Path::new(&round);
        if case.files.keys().any(|path| path.starts_with(round.join("kubernetes"))) {
            let items = json!({ "apiVersion": "v1", "kind": "List", "items": fleet_objects(size) });
            case.files.insert(round.join("kubernetes/zz-fleet.json"), Content::Tree(items));
        }
        let list = round.join("route53/hosted-zones.json");
        let Some(Content::Tree(zones)) = case.files.get_mut(&list) else { continue };
        zones["HostedZones"].as_array_mut().unwrap().push(json!({
            "Id": "/hostedzone/ZFLEET", "Name": "fleet.example.org.", "CallerReference": "fleet",
            "Config": { "PrivateZone": false }, "ResourceRecordSetCount": 2 * size + 3,
        }));
        let records = json!({ "ResourceRecordSets": fleet_records(size) });
        case.files.insert(round.join("route53/ZFLEET/record-sets.json"), Content::Tree(records));
        for (path, content) in &mut case.files {
            if path.starts_with(round) && path.ends_with("record-sets.json") {
                let Content::Tree(value) = content else { continue };
                let sets = value["ResourceRecordSets"].as_array_mut().unwrap();
                let apex = sets.iter().find(|set| set["Type"] == "SOA").map(|set| set["Name"].clone());
                let Some(Value::String(apex)) = apex else { continue };
                sets.push(json!({
                    "Name": format!("_hand-made.{apex}"), "Type": "TXT", "TTL": 60,
                    "ResourceRecords": [{ "Value": "\"by hand\"" }],
                }));
            }
        }
    }
    case
}

const FLEET_ARGS: [&str; 7] = [
    "--source=ingress",
    "--provider=aws",
    "--policy=sync",
    "--registry=txt",
    "--txt-owner-id=fleet",
    "--namespace=fleet",
    "--domain-filter=fleet.example.org",
];

fn fleet_objects(size: usize) -> Vec<Value> {
    let container = json!({
        "name": "external-dns", "image": "registry.k8s.io/external-dns/external-dns:v0.21.0", "args": FLEET_ARGS,
    });
    let mut out: Vec<Value> = (0..size)
        .map(|index| {
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                "metadata": {
                    "name": format!("n{index}"), "namespace": "fleet", "uid": format!("fleet-{index}"),
                    "creationTimestamp": "2026-10-01T00:00:00Z",
                },
                "spec": { "rules": [{ "host": format!("h{index}.fleet.example.org") }] },
                "status": { "loadBalancer": { "ingress": [{ "ip": address(index) }] } },
            })
        })
        .collect();
    out.push(json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "fleet-dns", "namespace": "fleet", "creationTimestamp": "2026-10-01T00:00:00Z" },
        "spec": { "replicas": 1, "template": { "spec": { "containers": [container] } } },
    }));
    out.push(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "fleet-dns-1", "namespace": "fleet", "creationTimestamp": "2026-10-01T00:00:00Z",
            "ownerReferences": [{
                "kind": "ReplicaSet", "name": "fleet-dns-abc", "apiVersion": "apps/v1", "uid": "r", "controller": true,
            }],
        },
        "spec": { "containers": [container] },
        "status": {
            "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }],
            "containerStatuses": [{
                "name": "external-dns", "ready": true, "restartCount": 0,
                "state": { "running": { "startedAt": "2026-10-01T00:00:00Z" } },
            }],
        },
    }));
    out
}

fn fleet_records(size: usize) -> Vec<Value> {
    let mut out = vec![
        json!({ "Name": "fleet.example.org.", "Type": "NS", "TTL": 172_800, "ResourceRecords": [{ "Value": "ns-1.awsdns-01.com." }] }),
        json!({
            "Name": "fleet.example.org.", "Type": "SOA", "TTL": 900,
            "ResourceRecords": [{ "Value": "ns-1.awsdns-01.com. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400" }],
        }),
        json!({ "Name": "mail.fleet.example.org.", "Type": "MX", "TTL": 60, "ResourceRecords": [{ "Value": "10 a.example." }] }),
    ];
    for index in 0..size {
        out.push(json!({
            "Name": format!("h{index}.fleet.example.org."), "Type": "A", "TTL": 300,
            "ResourceRecords": [{ "Value": address(index) }],
        }));
        let owner = format!(
            "\"heritage=external-dns,external-dns/owner=fleet,external-dns/resource=ingress/fleet/n{index}\""
        );
        out.push(json!({
            "Name": format!("a-h{index}.fleet.example.org."), "Type": "TXT", "TTL": 300,
            "ResourceRecords": [{ "Value": owner }],
        }));
    }
    out
}

fn address(index: usize) -> String {
    format!("192.0.2.{}", index % 250 + 1)
}

//! What the chart's roles grant: exactly what the program reads and the page lists, and never a write.

use std::collections::{BTreeMap, BTreeSet};

use dns_drift::config::Config;
use dns_drift::desired::kinds::Kind;
use dns_drift::desired::sources::roster;
use serde_json::{Value, json};

use crate::chart::{CHART, Rendered, render, with};
use crate::{page, text, words, yaml};

type Kinds = BTreeMap<String, BTreeSet<String>>;

/// Kinds by API group that the `ClusterRole` of these sources grants; asserts that all of it is reading.
fn granted(rendered: &Rendered) -> Kinds {
    let mut kinds = BTreeMap::new();
    for rule in rendered.one("ClusterRole")["rules"].as_array().unwrap() {
        assert_eq!(words(&rule["verbs"]), BTreeSet::from(["list".to_owned(), "watch".to_owned()]));
        for group in words(&rule["apiGroups"]) {
            let group = if group.is_empty() { "core".to_owned() } else { group };
            assert!(kinds.insert(group, words(&rule["resources"])).is_none(), "one rule for each group");
        }
    }
    kinds
}

#[test]
fn the_role_grants_what_the_page_lists() {
    let page = text("docs/sources.md");
    let sources = page::sources(&page);
    assert!(sources.len() > 10, "the table was not found");
    let table = &yaml(&format!("{CHART}/files/sources.yaml"))[0]["sources"];
    assert_eq!(table.as_object().unwrap().keys().collect::<BTreeSet<_>>(), sources.keys().collect());
    let values: Vec<Value> = sources.keys().map(|source| json!({"sources": [source]})).collect();
    let always = granted(&with(json!({"sources": ["empty"]})));
    let flat = |kinds: &Kinds| kinds.values().flatten().cloned().collect::<BTreeSet<_>>();
    assert_eq!(flat(&always), page::always(&page));
    for (rendered, (source, needs)) in render(&values).iter().zip(&sources) {
        let granted = granted(rendered);
        let kinds: BTreeSet<String> = flat(&always).union(&needs.kinds).cloned().collect();
        assert_eq!(flat(&granted), kinds, "{source}");
        let groups: BTreeSet<String> = always.keys().chain(&needs.groups).cloned().collect();
        assert_eq!(granted.into_keys().collect::<BTreeSet<_>>(), groups, "{source}");
    }
}

/// Namespaces are read for their labels only where that is asked for, and then once.
#[test]
fn the_role_grants_namespaces_only_for_their_labels() {
    let labels = json!({"namespace_labels": true});
    let rendered = render(&[
        json!({"config": labels}),
        json!({"config": labels, "sources": ["gateway-httproute"]}),
        json!({"config": {"namespace_labels": false}}),
        json!({}),
    ]);
    let core = |one: &Rendered| granted(one).remove("core").unwrap();
    for (place, expected) in [(0, true), (1, true), (2, false), (3, false)] {
        assert_eq!(core(&rendered[place]).contains("namespaces"), expected, "{place}");
    }
    let mut without = granted(&rendered[0]);
    without.get_mut("core").unwrap().remove("namespaces");
    assert_eq!(without, granted(&rendered[3]), "nothing else changes");
}

/// Whatever is switched on, no rule writes, reads a Secret or says "all".
#[test]
fn no_rule_writes_or_reads_secrets() {
    let all: Vec<Value> = page::sources(&text("docs/sources.md")).into_keys().map(Value::from).collect();
    let rendered = render(&[
        json!({"sources": all, "config": {"changes": {"scrape": true}}, "externalDns": {"namespaces": ["a", "b"]}}),
        json!({"externalDns": {"namespaces": []}}),
        json!({"rbac": {"create": false}}),
    ]);
    let roles =
        |index: usize| rendered[index].objects().filter(|one| one.get("rules").is_some()).collect::<Vec<_>>();
    assert_eq!((roles(0).len(), roles(1).len(), roles(2).len()), (3, 1, 0));
    for role in roles(0) {
        for rule in role["rules"].as_array().unwrap() {
            assert!(
                words(&rule["verbs"]).iter().all(|verb| ["get", "list", "watch"].contains(&verb.as_str()))
            );
            for resource in words(&rule["resources"]) {
                assert!(resource != "secrets" && !resource.contains('*'), "{resource}");
            }
        }
    }
    let logs = roles(0)[1];
    assert_eq!(logs["metadata"]["namespace"], "a");
    assert_eq!(words(&logs["rules"][0]["resources"]), words(&json!(["pods/log", "pods/proxy"])));
    assert_eq!(words(&with(json!({})).one("Role")["rules"][0]["resources"]), words(&json!(["pods/log"])));
}

/// What the program watches for one source at most.
fn watched(source: &str) -> Kinds {
    let args = [format!("--source={source}"), "--gateway-listener-sets".to_owned()];
    let config = Config::from_value(&json!({"external_dns": {"args": args}})).unwrap();
    let instance = config.assumed();
    assert_eq!(roster::unmodelled(&instance), Vec::<String>::new());
    let always = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::Pod, Kind::Ingress];
    let behind_services: &[Kind] = match source {
        "service" => &[Kind::Node, Kind::PodAddresses, Kind::EndpointSlice],
        _ => &[],
    };
    let mut kinds = Kinds::new();
    for kind in always.into_iter().chain(roster::kinds_of(&instance)).chain(behind_services.iter().copied()) {
        let group = if kind.group().is_empty() { "core" } else { kind.group() };
        kinds.entry(group.to_owned()).or_default().insert(kind.plural().to_owned());
    }
    kinds
}

/// Neither a kind that would be forbidden, nor one that is granted and never read.
#[test]
fn the_role_grants_what_the_program_watches() {
    let sources: Vec<String> = page::sources(&text("docs/sources.md")).into_keys().collect();
    let values: Vec<Value> = sources.iter().map(|source| json!({"sources": [source]})).collect();
    for (rendered, source) in render(&values).iter().zip(&sources) {
        assert_eq!(granted(rendered), watched(source), "{source}");
    }
}

//! `/api`, `/apis` and the lists of resources.

use axum::response::Response;
use serde_json::{Value, json};

use super::kinds::ResourceKind;
use super::status;

/// Answers a discovery path; `None` if it is not one.
pub(super) fn answer(path: &[&str], kinds: &[ResourceKind]) -> Option<Response> {
    let body = match path {
        ["version"] => version(),
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}),
        ["apis"] => groups(kinds),
        ["api", version] => resources(kinds, "", version)?,
        ["apis", group] => one_group(kinds, group)?,
        ["apis", group, version] => resources(kinds, group, version)?,
        _ => return None,
    };
    Some(status::success(&body))
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.0-emulated", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "2025-04-23T13:00:00Z", "goVersion": "none", "compiler": "none", "platform": "linux/amd64",
    })
}

fn groups(kinds: &[ResourceKind]) -> Value {
    let mut names: Vec<&str> =
        kinds.iter().map(|kind| kind.group.as_str()).filter(|group| !group.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let rows: Vec<Value> = names.iter().filter_map(|name| one_group(kinds, name)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": rows})
}

fn one_group(kinds: &[ResourceKind], name: &str) -> Option<Value> {
    let mut versions: Vec<&str> =
        kinds.iter().filter(|kind| kind.group == name).map(|kind| kind.version.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    let row = |version: &&str| json!({"groupVersion": format!("{name}/{version}"), "version": version});
    let preferred = versions.first().map(row)?;
    let versions: Vec<Value> = versions.iter().map(row).collect();
    Some(json!({
        "kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": versions, "preferredVersion": preferred,
    }))
}

fn resources(kinds: &[ResourceKind], group: &str, version: &str) -> Option<Value> {
    let own: Vec<&ResourceKind> =
        kinds.iter().filter(|kind| kind.group == group && kind.version == version).collect();
    let group_version = own.first()?.api_version();
    let mut rows: Vec<Value> = own.iter().map(|kind| kind.discovery()).collect();
    if own.iter().any(|kind| kind.kind == "Pod") {
        rows.push(json!({
            "name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get"],
        }));
    }
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": rows,
    }))
}

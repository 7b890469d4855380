//! Variables of a container that stand in a `ConfigMap` of the same round: a recording made with kubectl may hold
//! it. Pure.
//!
//! Source: Kubernetes API, `EnvFromSource` and `ConfigMapKeySelector`: a variable of `env` wins over one of
//! `envFrom`, and the latest of `envFrom` over those before it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Where the spec of a Pod stands, in a Pod and in a workload.
const SPECS: [&str; 2] = ["/spec", "/spec/template/spec"];

/// What the `ConfigMap`s of a round hold, by namespace and name.
#[derive(Default)]
pub(crate) struct ConfigMaps(BTreeMap<(String, String), Map<String, Value>>);

// === impl ConfigMaps ===

impl ConfigMaps {
    /// Those among the objects.
    pub(crate) fn of(objects: &[Value]) -> Self {
        let maps = objects.iter().filter(|object| text(object, "/kind") == "ConfigMap");
        let data =
            |object: &Value| object.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        Self(maps.map(|map| ((namespace(map), text(map, "/metadata/name").to_owned()), data(map))).collect())
    }

    /// Gives the containers of a Pod or a workload the values that stand here.
    pub(crate) fn fill(&self, object: &mut Value) {
        if self.0.is_empty() {
            return;
        }
        let namespace = namespace(object);
        for path in SPECS {
            let containers = object.pointer_mut(path).and_then(|spec| spec.get_mut("containers"));
            for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
                self.fill_container(&namespace, container);
            }
        }
    }

    fn fill_container(&self, namespace: &str, container: &mut Value) {
        let find = |name: &str| self.0.get(&(namespace.to_owned(), name.to_owned()));
        let mut variables = Vec::new();
        if let Some(sources) = container.get_mut("envFrom").and_then(Value::as_array_mut) {
            sources.retain(|source| {
                let Some(data) = find(text(source, "/configMapRef/name")) else { return true };
                let prefix = text(source, "/prefix");
                variables.extend(data.iter().map(|(key, value)| (format!("{prefix}{key}"), value.clone())));
                false
            });
        }
        for variable in container.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
            let key = text(variable, "/valueFrom/configMapKeyRef/key").to_owned();
            let data = find(text(variable, "/valueFrom/configMapKeyRef/name"));
            if let Some(value) = data.and_then(|data| data.get(&key)) {
                *variable = json!({"name": text(variable, "/name"), "value": value});
            }
        }
        let Some(container) = container.as_object_mut().filter(|_| !variables.is_empty()) else { return };
        let own = container.entry("env").or_insert_with(|| json!([]));
        if let Some(own) = own.as_array_mut() {
            let rows = variables.into_iter().map(|(name, value)| json!({"name": name, "value": value}));
            own.splice(0..0, rows);
        }
    }
}

fn namespace(object: &Value) -> String {
    text(object, "/metadata/namespace").to_owned()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(container: &Value) -> Value {
        let map = |name: &str, data: &Value| json!({"kind": "ConfigMap", "metadata": {"namespace": "dns", "name": name}, "data": data});
        let maps =
            ConfigMaps::of(&[map("edns", &json!({"TXT_PREFIX": "x-"})), map("more", &json!({"A": "1"}))]);
        let spec = json!({"template": {"spec": {"containers": [container]}}});
        let mut object = json!({"kind": "Deployment", "metadata": {"namespace": "dns"}, "spec": spec});
        maps.fill(&mut object);
        object.pointer("/spec/template/spec/containers/0").cloned().expect("a container")
    }

    #[test]
    fn what_stands_in_a_config_map_is_a_value() {
        let container = json!({
            "envFrom": [{"configMapRef": {"name": "edns"}, "prefix": "EXTERNAL_DNS_"},
                {"secretRef": {"name": "aws"}}, {"configMapRef": {"name": "unknown"}}],
            "env": [{"name": "B", "valueFrom": {"configMapKeyRef": {"name": "more", "key": "A"}}},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "more", "key": "none"}}}],
        });
        let expected = json!({
            "envFrom": [{"secretRef": {"name": "aws"}}, {"configMapRef": {"name": "unknown"}}],
            "env": [{"name": "EXTERNAL_DNS_TXT_PREFIX", "value": "x-"}, {"name": "B", "value": "1"},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "more", "key": "none"}}}],
        });
        assert_eq!(filled(&container), expected);
    }

    #[test]
    fn odd_containers_stay() {
        for odd in [json!(null), json!(3), json!({"envFrom": {}, "env": "x"}), json!({"env": [null]})] {
            assert_eq!(filled(&odd), odd);
        }
    }
}

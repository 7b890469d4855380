//! The kinds that are read, and how an object of each becomes a row. Pure but for the trait that
//! lets kube list and watch them.

use std::borrow::Cow;
use std::sync::Arc;

use kube::api::ObjectMeta;
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::desired::addresses::{RawNode, RawPodAddresses, RawSlice};
use crate::desired::discover::runs_external_dns;
use crate::desired::objects::{RawIngress, RawService};
use crate::desired::workloads::{RawPod, RawWorkload};
use crate::limits::MAX_NAME;
use crate::model::ObjectRef;
use crate::model::object::KubeObject;
use crate::model::text::truncate;
use crate::model::workload::{Pod, Workload};

/// A kind of object that we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `v1` Service.
    Service,
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `v1` Pod, for the instances.
    Pod,
    /// `v1` Node.
    Node,
    /// `discovery.k8s.io/v1` `EndpointSlice`.
    EndpointSlice,
    /// `v1` Pod again, every one of them: for their addresses.
    PodAddresses,
}

/// What is kept of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    /// It may ask for names.
    Object(Arc<KubeObject>),
    /// It runs ExternalDNS.
    Workload(Arc<Workload>),
    /// It runs ExternalDNS.
    Pod(Arc<Pod>),
}

/// An object as kube sees it: the metadata that a watch needs, and the rest unparsed.
///
/// Parsing it later, one by one, keeps one odd object from hiding a whole list. The largest
/// useless parts are dropped while reading.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Name, namespace and resource version only.
    pub metadata: ObjectMeta,
    /// The object less the field sets of its managers and kubectl's copy of itself.
    pub value: Value,
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

// === impl Kind ===

impl Kind {
    /// As the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::Service => "Service",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Pod | Self::PodAddresses => "Pod",
            Self::Node => "Node",
            Self::EndpointSlice => "EndpointSlice",
        }
    }

    /// As it stands in paths.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Ingress => "ingresses",
            Self::Service => "services",
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulsets",
            Self::DaemonSet => "daemonsets",
            Self::Pod | Self::PodAddresses => "pods",
            Self::Node => "nodes",
            Self::EndpointSlice => "endpointslices",
        }
    }

    /// API group; empty for the core.
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self {
            Self::Ingress => "networking.k8s.io",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => "apps",
            Self::EndpointSlice => "discovery.k8s.io",
            Self::Service | Self::Pod | Self::Node | Self::PodAddresses => "",
        }
    }

    /// `networking.k8s.io/v1`, `apps/v1`, `v1`.
    #[must_use]
    pub fn api_version(self) -> String {
        if self.group().is_empty() { "v1".to_owned() } else { format!("{}/v1", self.group()) }
    }

    /// The kind of a word; `None` for one that we do not read.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Ingress,
            Self::Service,
            Self::Deployment,
            Self::StatefulSet,
            Self::DaemonSet,
            Self::Pod,
            Self::Node,
            Self::EndpointSlice,
        ];
        all.into_iter().find(|kind| kind.as_str() == word)
    }

    /// True if objects of the kind ask for names, or others hang on them.
    #[must_use]
    pub const fn asks_for_names(self) -> bool {
        matches!(self, Self::Ingress | Self::Service | Self::Node | Self::EndpointSlice | Self::PodAddresses)
    }

    /// True if the view is worth nothing without the kind. Of the others the names of some
    /// instances hang on, and those are then not known.
    #[must_use]
    pub const fn is_vital(self) -> bool {
        matches!(self, Self::Ingress)
    }

    /// Makes the row of an object; `None` for one that needs not be kept, because it neither
    /// asks for names nor runs ExternalDNS.
    ///
    /// # Errors
    ///
    /// A member has another type than the API says.
    pub fn decode(self, value: Value) -> Result<Option<Row>, serde_json::Error> {
        Ok(match self {
            Self::Ingress => Some(Row::Object(Arc::new(read::<RawIngress>(value)?.decode()))),
            Self::Service => Some(Row::Object(Arc::new(read::<RawService>(value)?.decode()))),
            Self::Deployment | Self::StatefulSet | Self::DaemonSet => {
                let workload = read::<RawWorkload>(value)?.decode(self.as_str());
                let kept = workload.containers.iter().any(runs_external_dns);
                kept.then(|| Row::Workload(Arc::new(workload)))
            }
            Self::Pod => {
                let pod = read::<RawPod>(value)?.decode();
                let kept = pod.containers.iter().any(runs_external_dns);
                kept.then(|| Row::Pod(Arc::new(pod)))
            }
            Self::Node => Some(Row::Object(Arc::new(read::<RawNode>(value)?.decode()))),
            Self::EndpointSlice => Some(Row::Object(Arc::new(read::<RawSlice>(value)?.decode()))),
            Self::PodAddresses => Some(Row::Object(Arc::new(read::<RawPodAddresses>(value)?.decode()))),
        })
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    T::deserialize(value)
}

// === impl Watched ===

impl Watched {
    /// Kind, namespace and name; a nameless object has an empty name.
    #[must_use]
    pub fn reference(&self, kind: Kind) -> ObjectRef {
        let text = |text: &Option<String>| truncate(text.as_deref().unwrap_or_default(), MAX_NAME);
        ObjectRef::new(kind.as_str(), &text(&self.metadata.namespace), &text(&self.metadata.name))
    }
}

impl<'de> Deserialize<'de> for Watched {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Value::deserialize(deserializer)?;
        prune(&mut value);
        let member =
            |name: &str| value.get("metadata").and_then(|meta| meta.get(name)?.as_str().map(str::to_owned));
        let metadata = ObjectMeta {
            name: member("name"),
            namespace: member("namespace"),
            resource_version: member("resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, value })
    }
}

fn prune(value: &mut Value) {
    let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove(LAST_APPLIED);
    }
    let managers = meta.get_mut("managedFields").and_then(Value::as_array_mut);
    for manager in managers.into_iter().flatten().filter_map(Value::as_object_mut) {
        manager.remove("fieldsV1");
    }
}

impl kube::Resource for Watched {
    type DynamicType = Kind;
    type Scope = NamespaceResourceScope;

    fn kind(kind: &Kind) -> Cow<'_, str> {
        kind.as_str().into()
    }

    fn group(kind: &Kind) -> Cow<'_, str> {
        kind.group().into()
    }

    fn version(_: &Kind) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural(kind: &Kind) -> Cow<'_, str> {
        kind.plural().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_odd_object_is_read_but_not_decoded() {
        let odd = json!({"metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7"},
                         "spec": {"rules": "none"}});
        let watched: Watched = serde_json::from_value(odd).expect("read");
        assert_eq!(watched.reference(Kind::Ingress).to_string(), "Ingress/shop/web");
        assert!(Kind::Ingress.decode(watched.value).is_err());
        let nonsense: Watched = serde_json::from_value(json!([1])).expect("read");
        assert!(Kind::Ingress.decode(nonsense.value).is_err());
    }

    #[test]
    fn the_largest_parts_are_dropped_and_times_kept() {
        let watched: Watched = serde_json::from_value(json!({"metadata": {
            "annotations": {LAST_APPLIED: "{}", "a": "b"},
            "managedFields": [{"time": "2026-11-22T10:01:00Z", "fieldsV1": {"f:spec": {}}}]}}))
        .expect("read");
        let expected = json!({"metadata": {"annotations": {"a": "b"}, "managedFields": [{"time": "2026-11-22T10:01:00Z"}]}});
        assert_eq!(watched.value, expected);
    }

    #[test]
    fn only_external_dns_is_kept_of_workloads_and_pods() {
        let nginx = json!({"spec": {"template": {"spec": {"containers": [{"image": "nginx"}]}}}});
        assert_eq!(Kind::Deployment.decode(nginx).expect("decoded"), None);
        let ours = json!({"spec": {"containers": [{"image": "r/external-dns:v0.14.2"}]}});
        assert!(Kind::Pod.decode(ours).expect("decoded").is_some());
    }
}

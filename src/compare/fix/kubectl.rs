//! Lines for `kubectl` about an object or a workload. Pure.

use crate::compare::fix::{edit, kind_word, quote};
use crate::model::ObjectRef;
use crate::model::instance::Instance;
use crate::model::text::printable;

/// Stops a workload without losing it. What has no replicas is left to an editor, a bare Pod to end.
#[must_use]
pub fn stop(workload: &ObjectRef) -> String {
    match (scale(workload, 0), &*workload.kind) {
        (Some(line), _) => line,
        (None, "Pod") => on(workload, "delete", "--wait=false"),
        (None, _) => edit(workload),
    }
}

/// Sets the number of Pods; `None` for what has no such number.
#[must_use]
pub fn scale(workload: &ObjectRef, replicas: u8) -> Option<String> {
    let scales = matches!(&*workload.kind, "Deployment" | "StatefulSet" | "ReplicaSet");
    scales.then(|| on(workload, "scale", &format!("--replicas={replicas}")))
}

/// The end of the log of a workload, and that of the container before the last restart where there was one.
#[must_use]
pub fn logs(instance: &Instance, workload: &ObjectRef) -> Vec<String> {
    let line = |more: &str| {
        let of = resource(workload);
        format!("kubectl{} logs {of} --all-containers --tail=100{more}", namespace(workload))
    };
    let restarted = instance.pods.iter().any(|pod| 0 < pod.restarts);
    [Some(line("")), restarted.then(|| line(" --previous"))].into_iter().flatten().collect()
}

/// Starts the Pods of a workload anew. A bare Pod has to be made again by its owner.
#[must_use]
pub fn restart(workload: &ObjectRef) -> Option<String> {
    matches!(&*workload.kind, "Deployment" | "StatefulSet" | "DaemonSet")
        .then(|| format!("kubectl{} rollout restart {}", namespace(workload), resource(workload)))
}

/// What is left where a workload was: others of its kind, and what the namespace tells of its end.
#[must_use]
pub fn around(workload: &ObjectRef) -> Vec<String> {
    let at = namespace(workload);
    vec![
        format!("kubectl{at} get deployments,statefulsets,daemonsets,pods"),
        format!("kubectl{at} get events --sort-by=.metadata.creationTimestamp"),
    ]
}

/// Moves the value of an annotation to another key; `edit` where the value does not fit into a line.
#[must_use]
pub fn rename_annotation(object: &ObjectRef, from: &str, to: &str, value: &str) -> String {
    if printable(value) != value {
        return edit(object);
    }
    on(object, "annotate", &format!("{} {}", quote(&format!("{to}={value}")), quote(&format!("{from}-"))))
}

/// Takes an annotation away.
#[must_use]
pub fn unannotate(object: &ObjectRef, key: &str) -> String {
    on(object, "annotate", &quote(&format!("{key}-")))
}

/// Gives an annotation that the object has another value.
#[must_use]
pub fn reannotate(object: &ObjectRef, key: &str, value: &str) -> String {
    on(object, "annotate", &format!("--overwrite {}", quote(&format!("{key}={value}"))))
}

/// One verb on one object.
#[must_use]
pub fn on(object: &ObjectRef, verb: &str, rest: &str) -> String {
    let (at, kind, name) = (namespace(object), kind_word(object), quote(&object.name));
    format!("kubectl{at} {verb} {kind} {name} {rest}").trim_end().to_owned()
}

/// A Node and its like live in none.
fn namespace(object: &ObjectRef) -> String {
    if object.namespace.is_empty() { String::new() } else { format!(" -n {}", quote(&object.namespace)) }
}

fn resource(workload: &ObjectRef) -> String {
    format!("{}/{}", workload.kind.to_lowercase(), quote(&workload.name))
}

#[cfg(test)]
mod tests {
    use super::{around, logs, reannotate, rename_annotation, restart, stop};
    use crate::compare::fix::edit;
    use crate::desired::kinds::Kind;
    use crate::fixture;
    use crate::model::ObjectRef;
    use crate::model::instance::PodHealth;

    fn object(kind: &str) -> ObjectRef {
        ObjectRef { kind: kind.into(), namespace: "shop".into(), name: "db".into() }
    }

    #[test]
    fn only_a_workload_with_replicas_is_scaled() {
        assert_eq!(stop(&object("Deployment")), "kubectl -n shop scale deployment db --replicas=0");
        assert_eq!(stop(&object("Pod")), "kubectl -n shop delete pod db --wait=false");
        assert_eq!(stop(&object("DaemonSet")), "kubectl -n shop edit daemonset db");
        assert_eq!(restart(&object("Pod")), None);
    }

    #[test]
    fn a_custom_kind_is_told_with_its_group() {
        let check = |kind: Kind, word: &str| {
            assert_eq!(edit(&object(kind.as_str())), format!("kubectl -n shop edit {word} db"));
        };
        check(Kind::IstioGateway, "gateways.networking.istio.io");
        check(Kind::Gateway, "gateways.gateway.networking.k8s.io");
        check(Kind::OpenshiftRoute, "routes.route.openshift.io");
        check(Kind::LegacyIngressRoute, "ingressroutes.traefik.containo.us");
        // The built-in ones win over the Services of Knative and the Ingresses of OpenShift.
        check(Kind::Ingress, "ingress");
        check(Kind::Service, "service");
        let node = ObjectRef { namespace: "".into(), ..object("Node") };
        assert_eq!(edit(&node), "kubectl edit node db");
        assert_eq!(
            reannotate(&object("Ingress"), "a/aws-weight", "10"),
            "kubectl -n shop annotate ingress db --overwrite 'a/aws-weight=10'"
        );
    }

    #[test]
    fn a_log_from_before_is_asked_for_where_there_was_a_restart() {
        let pod = PodHealth {
            name: "db-0".into(),
            namespace: "shop".into(),
            uid: "".into(),
            ready: true,
            restarts: 0,
            waiting: None,
            last_exit: None,
            last_run: None,
            started_at: None,
            created_at: None,
        };
        let mut instance = fixture::instance(&[], "v0.14.2");
        instance.pods = vec![pod];
        assert_eq!(logs(&instance, &object("Deployment")).len(), 1);
        instance.pods[0].restarts = 1;
        let lines = logs(&instance, &object("Deployment"));
        assert_eq!(lines[1], "kubectl -n shop logs deployment/db --all-containers --tail=100 --previous");
        assert_eq!(
            around(&object("Deployment"))[0],
            "kubectl -n shop get deployments,statefulsets,daemonsets,pods"
        );
    }

    #[test]
    fn a_renamed_annotation_keeps_its_value_or_is_left_to_an_editor() {
        let line = |value| rename_annotation(&object("Service"), "a/hostname", "b/hostname", value);
        assert_eq!(
            line("x.example.com"),
            "kubectl -n shop annotate service db 'b/hostname=x.example.com' a/hostname-"
        );
        assert!(line("$(reboot)").contains("'b/hostname=$(reboot)'"));
        assert_eq!(line("two\nlines"), "kubectl -n shop edit service db");
    }
}

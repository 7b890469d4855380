//! Lines for `kubectl` about an object or a workload. Pure.

use crate::compare::fix::{edit, kind_word, quote};
use crate::model::ObjectRef;
use crate::model::text::printable;

/// Stops a workload without losing it. What has no replicas is left to an editor, a bare Pod to end.
#[must_use]
pub fn stop(workload: &ObjectRef) -> String {
    match &*workload.kind {
        "Deployment" | "StatefulSet" | "ReplicaSet" => on(workload, "scale", "--replicas=0"),
        "Pod" => on(workload, "delete", "--wait=false"),
        _ => edit(workload),
    }
}

/// The end of the log of a workload, with that of the container before the last restart.
#[must_use]
pub fn logs(workload: &ObjectRef) -> Vec<String> {
    let line = |more: &str| {
        format!(
            "kubectl -n {} logs {}/{} --all-containers --tail=100{more}",
            quote(&workload.namespace),
            workload.kind.to_lowercase(),
            quote(&workload.name)
        )
    };
    vec![line(""), line(" --previous")]
}

/// Starts the Pods of a workload anew. A bare Pod has to be made again by its owner.
#[must_use]
pub fn restart(workload: &ObjectRef) -> Option<String> {
    matches!(&*workload.kind, "Deployment" | "StatefulSet" | "DaemonSet").then(|| {
        format!(
            "kubectl -n {} rollout restart {}/{}",
            quote(&workload.namespace),
            workload.kind.to_lowercase(),
            quote(&workload.name)
        )
    })
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

/// The command with the namespace of an object, if it lies in one.
#[must_use]
pub fn within(object: &ObjectRef) -> String {
    match &*object.namespace {
        "" => "kubectl".to_owned(),
        namespace => format!("kubectl -n {}", quote(namespace)),
    }
}

fn on(object: &ObjectRef, verb: &str, rest: &str) -> String {
    format!("{} {verb} {} {} {rest}", within(object), kind_word(object), quote(&object.name))
}

#[cfg(test)]
mod tests {
    use super::{rename_annotation, restart, stop};
    use crate::compare::fix::edit;
    use crate::model::ObjectRef;

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
    fn a_kind_that_several_groups_have_is_told_with_its_group() {
        let word = crate::desired::kinds::Kind::IstioGateway.as_str();
        assert_eq!(edit(&object(word)), "kubectl -n shop edit gateways.networking.istio.io db");
        assert_eq!(edit(&object("Ingress")), "kubectl -n shop edit ingress db");
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

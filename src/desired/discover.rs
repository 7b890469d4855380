//! Finds the running ExternalDNS instances among the cluster's workloads and Pods. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::desired::flags::references;
use crate::model::instance::{CommandLine, Flags, Instance, Origin, PodHealth};
use crate::model::workload::{Container, LogTarget, Pod, Workload};
use crate::model::{ObjectRef, Version};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    /// Instances that write to Route 53, or whose provider the object does not tell; sorted by
    /// owner id, then namespace and name of the workload, then container.
    pub instances: Vec<Instance>,
    /// ExternalDNS workloads of other providers, with the provider; sorted.
    pub ignored: Vec<(ObjectRef, String)>,
}

/// No release has such a major version: a tag may be a date, or number the builds of somebody's own.
const LEAST_FOREIGN_MAJOR: u16 = 1;

/// The label that carries the version where the image tag does not.
const VERSION_LABEL: &str = "app.kubernetes.io/version";

/// Finds the instances. Pods are matched with their workloads by their owner; a Pod whose
/// workload is not in the list stands for itself, together with those of the same owner.
#[must_use]
pub fn discover(workloads: &[Workload], pods: &[Pod]) -> Discovery {
    let mut by_owner: BTreeMap<ObjectRef, Vec<&Pod>> = BTreeMap::new();
    for pod in pods {
        by_owner.entry(workload_of(pod)).or_default().push(pod);
    }
    let mut found = Discovery::default();
    let mut seen = BTreeSet::new();
    for workload in workloads {
        seen.insert(&workload.reference);
        let pods = by_owner.get(&workload.reference).map(Vec::as_slice).unwrap_or_default();
        for container in workload.containers.iter().filter(|one| is_instance(one, &workload.containers)) {
            found.add(from_workload(workload, container, pods));
        }
    }
    for (owner, pods) in by_owner.iter().filter(|(owner, _)| !seen.contains(owner)) {
        let Some(newest) = pods.iter().filter(|pod| !pod.is_over()).max_by_key(|pod| pod.created_at) else {
            continue;
        };
        for container in newest.containers.iter().filter(|one| is_instance(one, &newest.containers)) {
            found.add(from_pods(owner, newest, container, pods));
        }
    }
    found.sort();
    found
}

/// True if the container runs ExternalDNS: by the name of its image, or by its arguments.
///
/// Companions such as `external-dns-unifi-webhook` carry the name without being it.
#[must_use]
pub fn runs_external_dns(container: &Container) -> bool {
    let arguments = container.arguments();
    let has = |flag: &str| {
        arguments.iter().any(|arg| {
            arg.strip_prefix(flag).is_some_and(|rest| matches!(rest.chars().next(), None | Some('=')))
        })
    };
    let (name, _) = name_and_tag(&container.image);
    let companion = ["webhook", "operator", "exporter"].iter().any(|word| name.contains(word));
    (has("--provider") && has("--source")) || (name.contains("external-dns") && !companion)
}

/// True if the container runs ExternalDNS and is not the provider that another container of the Pod asks.
fn is_instance(container: &Container, all: &[Container]) -> bool {
    let of_webhook = |one: &Container| one.arguments().iter().any(|arg| arg == "--provider=webhook");
    let is_bare = || !container.arguments().iter().any(|arg| arg.starts_with("--source"));
    let is_provider = all.iter().any(|one| one.name != container.name && of_webhook(one));
    runs_external_dns(container) && !(is_provider && is_bare())
}

/// The containers of the instances' Pods, whose logs tell what was tried. Sorted.
#[must_use]
pub fn log_targets(instances: &[Arc<Instance>]) -> Vec<LogTarget> {
    let mut targets: Vec<LogTarget> = instances
        .iter()
        .flat_map(|instance| {
            instance.pods.iter().map(|pod| LogTarget {
                namespace: Arc::clone(&pod.namespace),
                pod: Arc::clone(&pod.name),
                uid: Arc::clone(&pod.uid),
                container: Arc::clone(&instance.container),
                restarts: pod.restarts,
            })
        })
        .collect();
    targets.sort();
    targets.dedup();
    targets
}

/// The workload that made a Pod: a `ReplicaSet`'s name is that of its Deployment and a hash. A
/// bare Pod is its own.
fn workload_of(pod: &Pod) -> ObjectRef {
    let Some(owner) = &pod.owner else { return pod.reference.clone() };
    match owner.name.rsplit_once('-') {
        Some((deployment, _)) if &*owner.kind == "ReplicaSet" => {
            ObjectRef::new("Deployment", &owner.namespace, deployment)
        }
        _ => owner.clone(),
    }
}

fn from_workload(workload: &Workload, container: &Container, pods: &[&Pod]) -> Instance {
    let pod_labels = pods.iter().map(|pod| &pod.labels);
    let labels = [&workload.template_labels, &workload.labels].into_iter().chain(pod_labels);
    let container = still_running(container, pods).unwrap_or(container);
    let version = version_of(container, labels);
    Instance {
        replicas: workload.replicas,
        ready_replicas: workload.ready_replicas,
        service_account: Arc::clone(&workload.service_account),
        changed_at: workload.changed_at,
        pods: health(pods, &container.name),
        ..instance(container, version, &workload.reference)
    }
}

/// The container of an older Pod that goes on working while the one of the present template does not get
/// ready: what is wanted is what that one wants. `None` where the template runs, or nothing does.
fn still_running<'a>(container: &Container, pods: &[&'a Pod]) -> Option<&'a Container> {
    let of = |pod: &'a Pod| pod.containers.iter().find(|one| one.name == container.name);
    let arguments = |one: &Container| {
        let mut given = one.arguments();
        given.sort_unstable();
        given
    };
    let is_template =
        |one: &Container| one.image == container.image && arguments(one) == arguments(container);
    let is_ready = |pod: &Pod| {
        let status = pod.status(&container.name);
        status.and_then(|status| status.ready).unwrap_or(pod.ready)
    };
    let live = || pods.iter().copied().filter(|pod| !pod.is_over() && pod.deletion_at.is_none());
    let mut of_template = live().filter(|pod| of(pod).is_some_and(is_template)).peekable();
    let is_stuck = of_template.peek().is_some() && !of_template.any(is_ready);
    // A Pod that was written down without its arguments tells nothing.
    let runs = |one: &&Container| {
        !is_template(one) && one.arguments().is_empty() == container.arguments().is_empty()
    };
    let working = live().filter(|pod| is_ready(pod)).max_by_key(|pod| pod.created_at);
    working.filter(|_| is_stuck).and_then(of).filter(runs)
}

fn from_pods(owner: &ObjectRef, newest: &Pod, container: &Container, pods: &[&Pod]) -> Instance {
    Instance {
        changed_at: newest.created_at,
        service_account: Arc::clone(&newest.service_account),
        pods: health(pods, &container.name),
        ..instance(container, version_of(container, [&newest.labels]), owner)
    }
}

fn instance(container: &Container, version: Option<Version>, workload: &ObjectRef) -> Instance {
    of_command_line(command_line(container), &container.name, version, workload)
}

/// What decides where ownership stands; a wrong guess at it would make every record nobody's.
const AFFIXES: [&str; 3] =
    ["EXTERNAL_DNS_TXT_PREFIX", "EXTERNAL_DNS_TXT_SUFFIX", "EXTERNAL_DNS_TXT_WILDCARD_REPLACEMENT"];

/// What the container gives to ExternalDNS. Where nothing names a source, the unnamed variables do; those
/// that a script sets are as little known. A `ConfigMap` may hold any flag that is not given; a Secret holds
/// credentials.
fn command_line(container: &Container) -> CommandLine {
    let mut line = CommandLine { args: container.arguments(), env: container.env.clone() };
    let names_source = line.args.iter().any(|arg| arg.starts_with("--source"));
    if !container.more_env && !container.runs_script() {
        return line;
    }
    let mut unnamed: Vec<String> =
        line.args.iter().flat_map(|arg| references(arg)).map(str::to_owned).collect();
    if !names_source && container.more_env {
        unnamed.extend(["EXTERNAL_DNS_SOURCE", "EXTERNAL_DNS_TXT_OWNER_ID"].map(str::to_owned));
    }
    if container.more_flags {
        unnamed.extend(AFFIXES.map(str::to_owned));
    }
    for name in unnamed {
        let itself = format!("$({name})");
        line.env.entry(name).or_insert(itself);
    }
    line
}

/// What a container of the workload runs with this command line. An instance whose owner id nobody can
/// tell is named after its workload.
pub(crate) fn of_command_line(
    command_line: CommandLine,
    container: &Arc<str>,
    version: Option<Version>,
    workload: &ObjectRef,
) -> Instance {
    let flags = Flags::from_args(&command_line.args, &command_line.env, version);
    Instance {
        id: if flags.untold.contains(&"txt-owner-id") {
            Arc::clone(&workload.name)
        } else {
            flags.owner_id.as_str().into()
        },
        origin: Origin::Discovered,
        workload: Some(workload.clone()),
        container: Arc::clone(container),
        version,
        flags,
        command_line,
        replicas: None,
        ready_replicas: None,
        service_account: Arc::from(""),
        changed_at: None,
        pods: Vec::new(),
    }
}

/// The image tag tells best; labels of charts lag behind when somebody only changes the image.
fn version_of<'a>(
    container: &Container,
    labels: impl IntoIterator<Item = &'a BTreeMap<String, String>>,
) -> Option<Version> {
    let (_, tag) = name_and_tag(&container.image);
    let read = |text: &str| text.parse().ok().filter(|version: &Version| version.major < LEAST_FOREIGN_MAJOR);
    tag.and_then(read).or_else(|| labels.into_iter().find_map(|labels| read(labels.get(VERSION_LABEL)?)))
}

/// Last path part of an image without tag and digest, and the tag.
fn name_and_tag(image: &str) -> (&str, Option<&str>) {
    let (path, _digest) = image.split_once('@').unwrap_or((image, ""));
    let last = path.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        Some((name, tag)) => (name, Some(tag)),
        None => (last, None),
    }
}

/// Pods that are over or on their way out say nothing about the instance.
fn health(pods: &[&Pod], container: &str) -> Vec<PodHealth> {
    let mut health: Vec<PodHealth> = pods
        .iter()
        .filter(|pod| !pod.is_over() && pod.deletion_at.is_none())
        .map(|pod| {
            let status = pod.status(container);
            PodHealth {
                name: Arc::clone(&pod.reference.name),
                namespace: Arc::clone(&pod.reference.namespace),
                uid: Arc::clone(&pod.uid),
                // Another container that fails is none of ours.
                ready: status.and_then(|status| status.ready).unwrap_or(pod.ready),
                restarts: status.map_or(0, |status| status.restarts),
                waiting: status.and_then(|status| status.waiting.clone()),
                last_exit: status.and_then(|status| status.last_exit),
                last_run: status.and_then(|status| status.last_run),
                started_at: status.and_then(|status| status.started_at),
                created_at: pod.created_at,
            }
        })
        .collect();
    health.sort_by(|a, b| (&a.name, &a.uid).cmp(&(&b.name, &b.uid)));
    health
}

// === impl Discovery ===

impl Discovery {
    fn add(&mut self, instance: Instance) {
        match (instance.flags.provider.as_str(), &instance.workload) {
            ("" | "aws", _) | (_, None) => self.instances.push(instance),
            (provider, Some(workload)) => self.ignored.push((workload.clone(), provider.to_owned())),
        }
    }

    fn sort(&mut self) {
        self.instances.sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
        self.ignored.sort();
    }
}

fn sort_key(instance: &Instance) -> (&str, Option<(&str, &str, &str)>, &str) {
    let workload = instance.workload.as_ref();
    let place = workload.map(|object| (&*object.namespace, &*object.name, &*object.kind));
    (&instance.id, place, &instance.container)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::desired::workloads::{RawPod, RawWorkload};

    fn workload(kind: &str, name: &str, containers: &Value) -> Workload {
        let raw = json!({
            "metadata": {"name": name, "namespace": "dns"},
            "spec": {"template": {"metadata": {"labels": {"app.kubernetes.io/version": "0.13.6"}},
                                  "spec": {"containers": containers}}}});
        serde_json::from_value::<RawWorkload>(raw).expect("parses").decode(kind)
    }

    fn pod(name: &str, owner: Option<(&str, &str)>, status: &Value) -> Pod {
        let owners = owner.map(|(kind, name)| json!([{"kind": kind, "name": name, "controller": true}]));
        let raw = json!({
            "metadata": {"name": name, "namespace": "dns", "uid": format!("uid-{name}"), "ownerReferences": owners,
                         "creationTimestamp": "2026-11-22T10:00:00Z"},
            "spec": {"containers": [{"name": "external-dns", "image": "registry.k8s.io/external-dns/external-dns:v0.15.0",
                                     "args": ["--source=ingress", "--provider=aws"]}]},
            "status": status});
        serde_json::from_value::<RawPod>(raw).expect("parses").decode()
    }

    #[test]
    fn containers_that_run_it() {
        let check = |image: &str, args: &[&str], expected: bool| {
            let args = args.iter().map(|arg| (*arg).to_owned()).collect();
            let container = Container { image: image.into(), args, ..Container::default() };
            assert_eq!(runs_external_dns(&container), expected, "{image}");
        };
        check("registry.k8s.io/external-dns/external-dns:v0.14.2", &[], true);
        check("docker.io/bitnami/external-dns@sha256:00", &[], true);
        check(
            "123.dkr.ecr.eu-west-1.amazonaws.com:443/mirror/dns:1",
            &["--source=ingress", "--provider", "aws"],
            true,
        );
        check("registry.k8s.io/external-dns/other:v1", &[], false);
        check("ghcr.io/x/external-dns-unifi-webhook:v1", &["--provider-url=x"], false);
        check("quay.io/openshift/external-dns-operator:v1", &[], false);
        check("nginx", &["--provider=aws"], false);
        check("", &[], false);
    }

    #[test]
    fn versions() {
        let check = |image: &str, labels: &[&str], expected: Option<Version>| {
            let container = Container { image: image.into(), ..Container::default() };
            let labels: Vec<BTreeMap<String, String>> = labels
                .iter()
                .map(|text| BTreeMap::from([(VERSION_LABEL.to_owned(), (*text).to_owned())]))
                .collect();
            assert_eq!(version_of(&container, &labels), expected, "{image}");
        };
        check("r/external-dns:v0.14.2", &["0.13.6"], Some(Version::new(0, 14, 2)));
        check("r:5000/external-dns:0.15.1-debian-12-r2@sha256:00", &[], Some(Version::new(0, 15, 1)));
        check("r:5000/external-dns@sha256:00", &["0.13.6"], Some(Version::new(0, 13, 6)));
        check("external-dns:latest", &["main", "v0.20.0"], Some(Version::new(0, 20, 0)));
        check("external-dns", &[], None);
        check("external-dns:2026.11.05", &[], None);
    }

    #[test]
    fn instances_with_their_pods() {
        let official = workload(
            "Deployment",
            "external-dns",
            &json!([
                {"name": "proxy", "image": "envoy:v1"},
                {"name": "external-dns", "image": "registry.k8s.io/external-dns/external-dns:v0.14.2",
                 "args": ["--log-level=info", "--source=service", "--source=ingress", "--policy=upsert-only",
                          "--registry=txt", "--txt-owner-id=gke-prod", "--domain-filter=\"example.com\"",
                          "--provider=aws", "--dry-run"]}]),
        );
        let by_env = workload(
            "StatefulSet",
            "external-dns-private",
            &json!([{"name": "external-dns", "image": "bitnami/external-dns@sha256:00",
                    "env": [{"name": "EXTERNAL_DNS_PROVIDER", "value": "aws"},
                            {"name": "EXTERNAL_DNS_TXT_OWNER_ID", "value": "a-private"},
                            {"name": "EXTERNAL_DNS_SOURCE", "value": "service\ningress"}]}]),
        );
        let other = workload(
            "Deployment",
            "cf",
            &json!([{"image": "external-dns:v0.14.0", "args": ["--provider=cloudflare"]}]),
        );
        let web = workload("Deployment", "web", &json!([{"image": "nginx"}]));
        let crashing = json!({"phase": "Running", "containerStatuses": [
            {"name": "external-dns", "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
            {"name": "proxy", "restartCount": 99}]});
        let pods = [
            pod("external-dns-6d-b", Some(("ReplicaSet", "external-dns-6d")), &crashing),
            pod("external-dns-5c-x", Some(("ReplicaSet", "external-dns-5c")), &json!({"phase": "Failed"})),
            pod(
                "external-dns-private-0",
                Some(("StatefulSet", "external-dns-private")),
                &json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}),
            ),
        ];
        let found = discover(&[official, web, other, by_env], &pods);
        assert_eq!(found.ignored, [(ObjectRef::new("Deployment", "dns", "cf"), "cloudflare".to_owned())]);
        let ids: Vec<&str> = found.instances.iter().map(|instance| &*instance.id).collect();
        assert_eq!(ids, ["a-private", "gke-prod"]);
        let (private, prod) = (&found.instances[0], &found.instances[1]);
        assert_eq!(private.version, Some(Version::new(0, 13, 6)));
        assert_eq!(private.flags.sources, ["service", "ingress"]);
        assert!(private.pods[0].ready);
        assert_eq!(prod.flags.domain_filter, ["\"example.com\""]);
        assert!(prod.flags.dry_run);
        assert_eq!((prod.replicas, prod.pods.len()), (Some(1), 1), "{:?}", prod.pods);
        assert_eq!((prod.pods[0].restarts, prod.pods[0].waiting.as_deref()), (4, Some("CrashLoopBackOff")));
        let targets = log_targets(&found.instances.into_iter().map(Arc::new).collect::<Vec<_>>());
        assert_eq!(targets.len(), 2);
        assert_eq!(&*targets[0].pod, "external-dns-6d-b");
    }

    #[test]
    fn variables_of_a_config_map() {
        let of = |args: &Value| {
            let container = json!([{"image": "external-dns:v0.15.0", "args": args,
                "env": [{"name": "ZONE", "valueFrom": {"configMapKeyRef": {"name": "dns", "key": "zone"}}}],
                "envFrom": [{"configMapRef": {"name": "dns"}}]}]);
            let mut found = discover(&[workload("Deployment", "external-dns", &container)], &[]);
            found.instances.remove(0)
        };
        let named = of(&json!(["--source=ingress", "--txt-owner-id=$(OWNER)", "--domain-filter=$(ZONE)"]));
        let affixes = ["txt-prefix", "txt-suffix", "txt-wildcard-replacement"];
        assert_eq!(named.flags.untold[..2], ["domain-filter", "txt-owner-id"]);
        assert_eq!(named.flags.untold[2..], affixes);
        assert_eq!(&*named.id, "external-dns");
        let given = of(&json!(["--source=ingress", "--txt-owner-id=gke-prod"]));
        assert_eq!((&given.flags.untold[..], &*given.id), (&affixes[..], "gke-prod"));
        assert_eq!(of(&json!([])).flags.untold[..2], ["source", "txt-owner-id"]);
    }

    #[test]
    fn pods_without_a_known_workload() {
        let running = json!({"phase": "Running"});
        let pods = [
            pod("bare", None, &running),
            pod("external-dns-6d-a", Some(("ReplicaSet", "external-dns-6d")), &running),
            pod("external-dns-6d-b", Some(("ReplicaSet", "external-dns-6d")), &running),
            pod("done", None, &json!({"phase": "Succeeded"})),
        ];
        let found = discover(&[], &pods).instances;
        let places: Vec<(String, usize)> = found
            .iter()
            .map(|instance| (instance.workload.as_ref().expect("place").to_string(), instance.pods.len()))
            .collect();
        assert_eq!(places, [("Pod/dns/bare".to_owned(), 1), ("Deployment/dns/external-dns".to_owned(), 2)]);
    }
}

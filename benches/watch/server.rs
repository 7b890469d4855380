//! The emulated API server in a process of its own, and its Ingresses.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use dns_drift::clock::SystemClock;
use dns_drift::emulator::kubernetes::{KubeFault, KubeFaultKind, Kubernetes};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) const INGRESSES: usize = 50_000;

/// Annotation that tells one state of an Ingress from the next.
pub(crate) const CHANGED: &str = "example.com/changed";

/// Set in the process that serves.
pub(crate) const ROLE: &str = "DNS_DRIFT_BENCH_SERVES";

pub(crate) struct Server {
    child: Child,
    orders: ChildStdin,
    pub(crate) kubeconfig: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(env::current_exe().expect("this program"))
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let orders = child.stdin.take().expect("piped");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = lines.next().expect("a line").expect("read");
        let kubeconfig = serde_json::from_str(&line).expect("a JSON string");
        Self { child, orders, kubeconfig }
    }

    pub(crate) fn change(&mut self, number: usize, word: usize) {
        writeln!(self.orders, "change {number} {word}").expect("told");
    }

    pub(crate) fn relist(&mut self, word: usize) {
        writeln!(self.orders, "relist 0 {word}").expect("told");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Serves until the orders end.
pub(crate) async fn serve() {
    let mut tasks = JoinSet::new();
    let emulator =
        Kubernetes::start(&mut tasks, CancellationToken::new(), Arc::new(SystemClock)).expect("a free port");
    for number in 0..INGRESSES {
        emulator.apply(ingress(number, "new"));
    }
    println!("{}", json!(emulator.kubeconfig()));
    let orders = move || {
        for line in std::io::stdin().lines() {
            obey(&emulator, &line.expect("read"));
        }
    };
    tokio::task::spawn_blocking(orders).await.expect("obeyed");
}

fn obey(emulator: &Kubernetes, order: &str) {
    let words: Vec<&str> = order.split(' ').collect();
    let [what, number, word] = words[..] else { panic!("{order:?} is no order") };
    let number = number.parse().expect("a number");
    if what == "change" {
        return emulator.apply(ingress(number, word));
    }
    // Nobody hears of the change by a watch: their versions are too old by then.
    emulator.set_fault(KubeFault::new(KubeFaultKind::SilentWatch));
    emulator.apply(ingress(number, &format!("relist {word}")));
    emulator.compact();
    emulator.set_fault(KubeFault::new(KubeFaultKind::CutWatches));
    emulator.clear_faults();
}

pub(crate) fn name(number: usize) -> String {
    format!("web-{number:05}")
}

/// About 3 KiB, as an API server holds it: with kubectl's copy and two managers' fields.
fn ingress(number: usize, changed: &str) -> Value {
    let name = name(number);
    let hosts = [format!("{name}.shop.example.com"), format!("www.{name}.shop.example.com")];
    let path = |host: &String| {
        json!({"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": name, "port": {"number": 80}}}}]}})
    };
    let labels = json!({"app.kubernetes.io/name": name, "app.kubernetes.io/instance": "shop",
        "app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "shop-1.4.2"});
    let spec = json!({"ingressClassName": "nginx", "rules": hosts.iter().map(path).collect::<Vec<_>>(),
        "tls": [{"hosts": hosts, "secretName": format!("{name}-tls")}]});
    let mut annotations = json!({
        CHANGED: changed,
        "cert-manager.io/cluster-issuer": "letsencrypt",
        "external-dns.alpha.kubernetes.io/ttl": "60",
        "meta.helm.sh/release-name": "shop",
        "meta.helm.sh/release-namespace": "shop",
        "nginx.ingress.kubernetes.io/proxy-body-size": "32m",
        "nginx.ingress.kubernetes.io/proxy-read-timeout": "120",
        "nginx.ingress.kubernetes.io/ssl-redirect": "true",
    });
    let copy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"annotations": annotations, "labels": labels, "name": name, "namespace": "shop"}, "spec": spec});
    annotations["kubectl.kubernetes.io/last-applied-configuration"] = json!(copy.to_string());
    let fields = |of: &Value| -> Value {
        of.as_object()
            .expect("a map")
            .keys()
            .map(|key| (format!("f:{key}"), json!({})))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let spec_fields = json!({"f:metadata": {"f:annotations": fields(&annotations), "f:labels": fields(&labels)},
        "f:spec": fields(&spec)});
    let manager = |name: &str, fields: Value| {
        json!({"manager": name, "operation": "Update", "apiVersion": "networking.k8s.io/v1",
            "time": "2026-11-22T10:01:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
    };
    let mut status_manager =
        manager("nginx-ingress-controller", json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}}));
    status_manager["subresource"] = json!("status");
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": "shop", "labels": labels, "annotations": annotations,
            "creationTimestamp": "2026-11-22T10:00:00Z", "generation": 1,
            "managedFields": [manager("kubectl-client-side-apply", spec_fields), status_manager]},
        "spec": spec,
        "status": {"loadBalancer": {"ingress": [{"ip": format!("192.0.2.{}", number % 250)}]}},
    })
}

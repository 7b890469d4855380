//! The shop's world on loopback: emulated Kubernetes, Route 53 and DNS, and what is in them.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::demo::plan::{OWNER, Release};
use crate::emulator::dns::Dns;
use crate::emulator::kubernetes::Kubernetes;
use crate::emulator::route53::{Route53, ZoneOptions};

/// Namespace of the stand-in controller.
pub const NAMESPACE: &str = "external-dns";
/// Its container.
pub const CONTAINER: &str = "external-dns";

/// The two zones of the shop.
const ZONES: [(&str, &str); 2] = [("ZDEMOEXAMPLECOM", "example.com"), ("ZDEMOSHOPNET", "shop.example.net")];

/// The healthy Ingresses: name, host, address.
const SHOP: [(&str, &str, &str); 6] = [
    ("web", "www.example.com", "74.17.111.10"),
    ("api", "api.example.com", "74.17.111.11"),
    ("images", "images.example.com", "74.17.111.12"),
    ("search", "search.example.com", "74.17.111.13"),
    ("checkout", "checkout.shop.example.net", "74.17.111.20"),
    ("status", "status.shop.example.net", "74.17.111.21"),
];

/// Everything that stands in for the world. Clones share it.
#[derive(Clone)]
pub struct Endpoints {
    /// The cluster.
    pub kubernetes: Kubernetes,
    /// The account.
    pub route53: Route53,
    /// The name servers and the resolver.
    pub dns: Dns,
    /// Bare id and name of each hosted zone.
    pub zones: Vec<(String, String)>,
    /// A kubeconfig for the cluster; its folder is removed with the last clone.
    pub kubeconfig: Arc<Kubeconfig>,
    /// The time that the world goes by.
    pub clock: Arc<dyn Clock>,
    address: SocketAddr,
}

/// A kubeconfig in a folder of its own, removed on drop.
#[derive(Debug)]
pub struct Kubeconfig {
    folder: PathBuf,
    file: PathBuf,
}

// === impl Endpoints ===

impl Endpoints {
    /// Starts the emulators and creates the zones. Call inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When no loopback port is free, or the folder for temporary files cannot be written.
    pub fn start(
        tasks: &mut JoinSet<()>,
        stop: &CancellationToken,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let kubernetes = Kubernetes::start(tasks, stop.clone(), Arc::clone(&clock))?;
        let route53 = Route53::start(tasks, stop.clone(), Arc::clone(&clock))?;
        let zones = ZONES
            .iter()
            .map(|(id, name)| {
                let options = ZoneOptions { id: Some((*id).to_owned()), ..ZoneOptions::default() };
                (route53.create_zone(name, options), (*name).to_owned())
            })
            .collect();
        let dns = Dns::start(tasks, stop.clone(), Arc::new(route53.clone()))?;
        let url = kubernetes.url();
        let address = url.strip_prefix("http://").and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| io::Error::other("the emulated cluster has no address"))?;
        let kubeconfig = Arc::new(Kubeconfig::write(&kubernetes.kubeconfig())?);
        Ok(Self { kubernetes, route53, dns, zones, kubeconfig, clock, address })
    }

    /// Where the emulated cluster listens.
    #[must_use]
    pub fn kubernetes_address(&self) -> SocketAddr {
        self.address
    }

    /// Puts the six healthy Ingresses in place.
    pub fn open_shop(&self) {
        for (name, host, address) in SHOP {
            self.apply_ingress(name, host, address, false);
        }
    }

    /// Creates or replaces an Ingress of the shop that has its address already.
    pub fn apply_ingress(&self, name: &str, host: &str, address: &str, alias: bool) {
        let annotations =
            if alias { json!({ "external-dns.alpha.kubernetes.io/alias": "true" }) } else { json!({}) };
        let backend = json!({ "service": { "name": name, "port": { "number": 80 } } });
        self.kubernetes.apply(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {
                "name": name, "namespace": "shop", "annotations": annotations, "labels": { "team": "shop" },
            },
            "spec": { "rules": [{
                "host": host,
                "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] },
            }]},
            "status": { "loadBalancer": { "ingress": [{ "ip": address }] } },
        }));
    }

    /// Runs a release of the controller: the Deployment gets its image, a new Pod replaces the
    /// old one. Gives the name of the Pod.
    #[must_use]
    pub fn deploy(&self, release: Release, previous: Option<&str>) -> String {
        let (version, hash) = match release {
            Release::V0_13_6 => ("0.13.6", "6c9b7d5f4d"),
            Release::V0_14_2 => ("0.14.2", "b47978c48"),
        };
        let labels =
            json!({ "app.kubernetes.io/name": "external-dns", "app.kubernetes.io/instance": "external-dns" });
        let spec = json!({ "serviceAccountName": "external-dns", "containers": [{
            "name": CONTAINER,
            "image": format!("registry.k8s.io/external-dns/external-dns:v{version}"),
            "args": [
                "--source=ingress", "--provider=aws", "--policy=sync", "--registry=txt",
                format!("--txt-owner-id={OWNER}"), "--interval=2s", "--log-format=json",
            ],
        }]});
        self.kubernetes.apply(json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": "external-dns", "namespace": NAMESPACE, "labels": labels },
            "spec": {
                "replicas": 1,
                "selector": { "matchLabels": labels },
                "strategy": { "type": "Recreate" },
                "template": { "metadata": { "labels": labels }, "spec": spec },
            },
            "status": { "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1 },
        }));
        if let Some(pod) = previous {
            self.kubernetes.delete("Pod", NAMESPACE, pod);
        }
        let name = format!("external-dns-{hash}-x7k2p");
        self.kubernetes.apply(self.pod(&name, hash, &labels, &spec));
        name
    }

    fn pod(&self, name: &str, hash: &str, labels: &Value, spec: &Value) -> Value {
        let image = spec.pointer("/containers/0/image").cloned().unwrap_or_default();
        let now = self.clock.now().to_string();
        json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name, "namespace": NAMESPACE, "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                    "name": format!("external-dns-{hash}"), "uid": format!("demo-{hash}"),
                }],
            },
            "spec": spec,
            "status": {
                "phase": "Running",
                "startTime": now,
                "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": now }],
                "containerStatuses": [{
                    "name": CONTAINER, "image": image, "imageID": "", "ready": true, "started": true,
                    "restartCount": 0, "state": { "running": { "startedAt": now } },
                }],
            },
        })
    }
}

// === impl Kubeconfig ===

impl Kubeconfig {
    fn write(text: &str) -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("dns-drift-demo-{:032x}", rand::random::<u128>()));
        // An image without a shell has no such folder either.
        std::fs::create_dir(&folder).map_err(|error| {
            let text = format!("make {}: {error}; a container needs --tmpfs /tmp", folder.display());
            io::Error::new(error.kind(), text)
        })?;
        let written = Self { file: folder.join("kubeconfig"), folder };
        std::fs::write(&written.file, text)?;
        Ok(written)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for Kubeconfig {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::debug!(%error, "remove the demo's temporary folder");
        }
    }
}

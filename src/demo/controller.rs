//! A small stand-in for ExternalDNS: it plans, sends, retries and writes log lines like two of its
//! releases.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::demo::http;
use crate::demo::plan::{Group, Release, Wish, ZoneView, bare, plan};
use crate::demo::world::{CONTAINER, Endpoints, NAMESPACE};
use crate::emulator::route53::{Change, Refusal};

/// Pause between two loops of the controller.
pub const INTERVAL: Duration = Duration::from_secs(2);

/// How the requests of the controller are named.
const PRINCIPAL: &str = "arn:aws:sts::111122223333:assumed-role/external-dns/demo";

/// What the controller runs as; shared with the story, which upgrades it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Release of its image.
    pub release: Release,
    /// The Pod that gets the log lines.
    pub pod: String,
}

/// Loops until `stop`; the release is looked up anew in each loop.
pub async fn run(
    endpoints: Endpoints,
    running: tokio::sync::watch::Receiver<Running>,
    stop: CancellationToken,
) {
    let work = async {
        loop {
            match http::get(endpoints.kubernetes_address(), "/apis/networking.k8s.io/v1/ingresses").await {
                Ok(list) => {
                    let now = running.borrow().clone();
                    reconcile(&endpoints, &now, &wishes(&list));
                }
                Err(error) => tracing::warn!(%error, "the stand-in controller could not list Ingresses"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stop.run_until_cancelled(work).await;
}

/// One loop over all zones: plans, sends, falls back to single groups, writes the log.
pub fn reconcile(endpoints: &Endpoints, running: &Running, wishes: &[Wish]) {
    let mut failed = Vec::new();
    let mut idle = true;
    for (id, name) in &endpoints.zones {
        let records = endpoints.route53.record_sets(id);
        let groups = plan(running.release, ZoneView { id, name, records: &records }, wishes);
        idle &= groups.is_empty();
        if !groups.is_empty() && !send(endpoints, running, id, name, &groups) {
            failed.push(format!("/hostedzone/{id}"));
        }
    }
    if idle {
        log(endpoints, running, "info", "All records are already up to date");
    }
    if !failed.is_empty() {
        give_up(endpoints, running, &failed);
    }
}

/// False if a group of the zone was refused.
fn send(endpoints: &Endpoints, running: &Running, id: &str, name: &str, groups: &[Group]) -> bool {
    let shown = format!("[Id: /hostedzone/{id}]");
    let batch: Vec<Change> = groups.iter().flat_map(|group| group.changes.iter().cloned()).collect();
    for change in &batch {
        let set = &change.resource_record_set;
        let message = format!("Desired change: {} {} {} {shown}", change.action, bare(&set.name), set.kind);
        log(endpoints, running, "info", &message);
    }
    let total = batch.len();
    let mut done = 0_usize;
    let mut good = true;
    match endpoints.route53.change(id, batch, PRINCIPAL) {
        Ok(_) => done = total,
        Err(refusal) => {
            good = false;
            let message = format!(
                "Failure in zone {name}. {shown} when submitting change batch: {}",
                error_text(&refusal)
            );
            log(endpoints, running, "error", &message);
            // A batch of one group is not tried again.
            for group in groups.iter().filter(|_| 1 < groups.len()) {
                match endpoints.route53.change(id, group.changes.clone(), PRINCIPAL) {
                    Ok(_) => done = done.saturating_add(group.changes.len()),
                    Err(refusal) => {
                        let message = format!(
                            "Failed submitting change (error: {}), it will be retried in a separate change batch in the next iteration",
                            error_text(&refusal)
                        );
                        log(endpoints, running, "error", &message);
                    }
                }
            }
        }
    }
    if 0 < done {
        let message = format!("{done} record(s) in zone {name}. {shown} were successfully updated");
        log(endpoints, running, "info", &message);
    }
    good
}

/// The end of a loop with refused changes: 0.13.6 exits, 0.14.2 goes on.
fn give_up(endpoints: &Endpoints, running: &Running, zones: &[String]) {
    let message = format!("failed to submit all changes for the following zones: [{}]", zones.join(" "));
    match running.release {
        Release::V0_13_6 => {
            log(endpoints, running, "fatal", &message);
            endpoints.kubernetes.restart_container(NAMESPACE, &running.pod, CONTAINER);
        }
        Release::V0_14_2 => {
            let message = format!("Failed to do run once: soft error\n{message}");
            log(endpoints, running, "error", &message);
        }
    }
}

/// An error as the first SDK for Go prints it.
fn error_text(refusal: &Refusal) -> String {
    format!("{refusal}\n\tstatus code: {}, request id: {}", refusal.status, refusal.request_id)
}

fn log(endpoints: &Endpoints, running: &Running, level: &str, message: &str) {
    let time = endpoints.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let line = json!({ "level": level, "msg": message, "time": time }).to_string();
    endpoints.kubernetes.append_log(NAMESPACE, &running.pod, CONTAINER, &line);
}

/// What a list of Ingresses asks for; those without a host or an address ask for nothing.
#[must_use]
pub fn wishes(list: &Value) -> Vec<Wish> {
    let items = list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().flat_map(wishes_of).collect()
}

fn wishes_of(ingress: &Value) -> Vec<Wish> {
    let text = |pointer: &str| ingress.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let strings = |pointer: &str, member: &str| -> Vec<String> {
        let rows = ingress.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        rows.iter().filter_map(|row| row.get(member)?.as_str()).map(str::to_lowercase).collect()
    };
    let addresses = strings("/status/loadBalancer/ingress", "ip");
    if addresses.is_empty() {
        return Vec::new();
    }
    let alias = text("/metadata/annotations/external-dns.alpha.kubernetes.io~1alias") == "true";
    let resource = format!("ingress/{}/{}", text("/metadata/namespace"), text("/metadata/name"));
    strings("/spec/rules", "host")
        .into_iter()
        .map(|host| Wish { host, addresses: addresses.clone(), alias, resource: resource.clone() })
        .collect()
}

#[cfg(test)]
mod tests;

//! Kubernetes Events: a line under a finding that holds without them, and nothing more.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::path::Path;
use std::sync::Arc;

use dns_drift::changes::inbox::Delivery;
use dns_drift::changes::notices::live::{self, NoticeSettings};
use dns_drift::clock::SystemClock;
use dns_drift::emulator::kubernetes::{KubeFault, KubeFaultKind, Kubernetes};
use dns_drift::finding::Reason;
use dns_drift::replay::replay;
use dns_drift::report::Report;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const LINE: &str = "an Event of ExternalDNS";

fn report(folder: &str) -> Report {
    replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder)).expect("a recording")
}

#[test]
fn an_event_adds_one_line_of_evidence_and_no_cause() {
    let with = report("cases/missing_record-with_event");
    let without = report("scenarios/D055");
    let lines = |report: &Report| -> usize {
        let evidence = report.findings.iter().flat_map(|finding| &finding.evidence);
        evidence.filter(|line| line.contains(LINE)).count()
    };
    assert!(0 < lines(&with));
    assert_eq!(lines(&without), 0);
    let told = |report: &Report| -> Vec<String> {
        let findings = report.findings.iter();
        findings
            .map(|one| format!("{} {:?} {:?} {:?}", one.subject, one.kind, one.reason, one.cause))
            .collect()
    };
    assert_eq!(told(&with), told(&without));
}

#[test]
fn an_event_about_a_good_record_says_nothing() {
    assert!(report("cases/quiet-event_of_a_good_record").findings.is_empty());
}

/// The API server filters by reason, and a missing permission is named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_of_a_cluster() {
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let server = Kubernetes::start(&mut tasks, stop.clone(), Arc::new(SystemClock)).expect("Kubernetes");
    for (name, reason) in [("one", "RecordError"), ("two", "RecordReady")] {
        server.apply(json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "shop", "name": name},
            "reason": reason, "reportingComponent": "external-dns", "eventTime": "2026-11-23T10:00:00Z",
            "message": "(external-dns) record:app.example.com,owner:o,type:A,ttl:0,targets:192.0.2.1",
            "involvedObject": {"kind": "Ingress", "namespace": "shop", "name": "web"}
        }));
    }
    let client =
        kube::Client::try_from(kube::Config::new(server.url().parse().expect("URL"))).expect("client");
    let notices = live::read_once(&client).await.expect("read");
    let names: Vec<&str> = notices.iter().map(|notice| notice.name.as_str()).collect();
    assert_eq!(names, ["app.example.com"]);

    let (out, mut deliveries) = mpsc::channel(1);
    tasks.spawn(live::run(client.clone(), NoticeSettings::default(), out, stop.clone()));
    assert_eq!(deliveries.recv().await, Some(Delivery::Notices(notices)));
    server.set_fault(KubeFault::new(KubeFaultKind::ForbidList).on("events"));
    let problem = live::read_once(&client).await.expect_err("forbidden");
    assert_eq!(problem.code, Reason::Forbidden);
    assert!(problem.message.contains("list on events is missing"), "{problem:?}");
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

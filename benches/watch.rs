//! What watching 50,000 Ingresses costs: the promise is under 130 MiB resident, relists included,
//! and under 20 ms from a change to the view at the 99th percentile.
//!
//! `cargo bench --bench watch`. The API server is the emulator in a process of its own, so what is
//! measured is the watch alone.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "a measurement may panic"
)]

#[path = "watch/memory.rs"]
mod memory;
#[path = "watch/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use dns_drift::clock::SystemClock;
use dns_drift::desired::client::{KubeSettings, connect};
use dns_drift::desired::task;
use dns_drift::desired::watch::WatchSettings;
use dns_drift::model::ObjectRef;
use dns_drift::snapshot::{Cluster, Reading, ViewState};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use self::memory::{Memory, forget_peak, memory};
use self::server::{CHANGED, INGRESSES, Server, name, serve};

const CHANGES: usize = 300;
const RELISTS: usize = 3;
const MAX_MIB: f64 = 130.0;
const MAX_LATENCY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_mins(5);

#[tokio::main]
async fn main() {
    if std::env::var_os(server::ROLE).is_some() {
        return serve().await;
    }
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    measure().await;
}

async fn measure() {
    let mut server = Server::start();
    let folder = tempfile::tempdir().expect("folder");
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, &server.kubeconfig).expect("written");
    let settings = KubeSettings { kubeconfig: Some(kubeconfig), ..KubeSettings::default() };
    let connection = connect(&settings, Arc::new(SystemClock)).await.expect("connected");
    println!("{:<34} {:>10} {:>10} {:>10}", "", "resident", "peak", "seconds");
    row("before", memory(), None);

    // Every change is published at once: what is measured is the whole way to the readers.
    let settings = WatchSettings { publish_every: Duration::from_millis(1), ..WatchSettings::default() };
    let (publish, mut readings) = watch::channel(Reading::unread(vec![]));
    let (pods, _targets) = watch::channel(Arc::default());
    let known = watch::channel(Arc::default()).1;
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let began = Instant::now();
    tasks.spawn(task::run(connection, settings, known, publish, pods, stop.clone()));
    until(&mut readings, |reading| objects(reading) == INGRESSES).await;
    row("listed and held", memory(), Some(began.elapsed()));

    let mut latencies = Vec::new();
    for number in 0..CHANGES {
        let began = Instant::now();
        server.change(number * INGRESSES / CHANGES, number);
        let wanted = number.to_string();
        let object = ObjectRef::new("Ingress", "shop", &name(number * INGRESSES / CHANGES));
        until(&mut readings, |reading| changed(reading, &object).as_deref() == Some(&wanted)).await;
        latencies.push(began.elapsed());
    }
    row(&format!("after {CHANGES} changes"), memory(), None);

    for number in 1..=RELISTS {
        forget_peak();
        let began = Instant::now();
        // The one change that no watch tells shows when the new list is complete.
        server.relist(number);
        let object = ObjectRef::new("Ingress", "shop", &name(0));
        let wanted = format!("relist {number}");
        until(&mut readings, |reading| changed(reading, &object).as_deref() == Some(&wanted)).await;
        row(&format!("new list {number}"), memory(), Some(began.elapsed()));
    }
    let memory = memory();
    stop.cancel();
    drop(tasks.join_next().await);
    latencies.sort();
    let at = |percent: usize| latencies[(CHANGES - 1) * percent / 100];
    println!(
        "change to view: p50 {:.1?}, p90 {:.1?}, p99 {:.1?}, max {:.1?}",
        at(50),
        at(90),
        at(99),
        at(100)
    );
    if !cfg!(debug_assertions) {
        assert!(memory.peak < MAX_MIB, "{} MiB are more than promised", memory.peak);
        assert!(at(99) < MAX_LATENCY, "{:?} is more than promised", at(99));
    }
}

fn row(what: &str, memory: Memory, time: Option<Duration>) {
    let time = time.map_or_else(String::new, |time| format!("{:.1}", time.as_secs_f64()));
    println!("{what:<34} {:>6.1} MiB {:>6.1} MiB {time:>10}", memory.resident, memory.peak);
}

async fn until(readings: &mut watch::Receiver<Reading<Cluster>>, wanted: impl Fn(&Reading<Cluster>) -> bool) {
    let found = timeout(PATIENCE, readings.wait_for(|reading| wanted(reading))).await;
    drop(found.expect("a view in time").expect("the watch runs"));
}

fn objects(reading: &Reading<Cluster>) -> usize {
    if reading.state != ViewState::Read {
        return 0;
    }
    reading.value.as_ref().map_or(0, |cluster| cluster.objects.len())
}

fn changed(reading: &Reading<Cluster>, object: &ObjectRef) -> Option<String> {
    Some(reading.value.as_ref()?.objects.get(object)?.annotations.get(CHANGED)?.to_owned())
}

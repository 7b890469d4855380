//! Shards together say what one process says: over every recording, each finding exactly once.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dns_drift::engine::Engine;
use dns_drift::model::shard::Shard;
use dns_drift::model::{HostedZone, ZoneId};
use dns_drift::policy::Policy;
use dns_drift::replay::each_round;
use dns_drift::report::Report;
use dns_drift::snapshot::Snapshot;

fn recordings() -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found: Vec<PathBuf> = ["scenarios", "cases"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(tests.join(folder)).expect("a folder"))
        .map(|item| item.expect("an item").path())
        .filter(|path| path.join("expected.yaml").is_file())
        .collect();
    found.sort();
    found
}

/// What a shard would have read of a round.
fn part(snapshot: &Snapshot, shard: &Shard) -> Snapshot {
    let mut part = snapshot.clone();
    let Some(zones) = snapshot.route53.value() else { return part };
    let all: Vec<HostedZone> = zones.zones.values().map(|reading| reading.zone.clone()).collect();
    let mut own = zones.clone();
    for reading in own.zones.values_mut().filter(|reading| !shard.reads(&reading.zone, &all)) {
        reading.record_sets = None;
        reading.read_at = None;
        reading.names_read.clear();
    }
    part.route53.value = Some(Arc::new(own));
    part
}

struct Judged {
    findings: BTreeMap<String, Vec<String>>,
    counts: [usize; 4],
    lists: [usize; 4],
}

fn add(judged: &mut Judged, report: &Report) {
    for finding in &report.findings {
        let text = serde_json::to_string(finding).expect("JSON");
        let rows = judged.findings.entry(finding.id.clone()).or_default();
        // Each shard speaks of its own views; of one file they say the same.
        if !(finding.subject.to_string().starts_with("source/") && rows.contains(&text)) {
            rows.push(text);
        }
    }
    let summary = &report.summary;
    let counts = [summary.names, summary.in_sync, summary.unknown, summary.mutes_without_end];
    let lists = [report.silent.len(), report.mutes.len(), report.instances.len(), report.zones.len()];
    for (sum, count) in judged.counts.iter_mut().zip(counts) {
        *sum += count;
    }
    for (sum, count) in judged.lists.iter_mut().zip(lists) {
        *sum += count;
    }
}

/// The last reports of all engines, each of which has seen every round as it would.
fn judge(dir: &Path, shards: &[Option<Shard>]) -> Judged {
    let mut engines: BTreeMap<usize, Engine> = BTreeMap::new();
    let mut reports: BTreeMap<usize, Report> = BTreeMap::new();
    each_round(dir, |policy, snapshot| {
        for (index, shard) in shards.iter().enumerate() {
            let seen = shard.as_ref().map_or_else(|| snapshot.clone(), |shard| part(snapshot, shard));
            let policy = Policy { shard: shard.clone(), ..policy.clone() };
            let engine = engines.entry(index).or_insert_with(|| Engine::new(policy));
            reports.insert(index, engine.round(&seen));
        }
    })
    .unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let mut judged = Judged { findings: BTreeMap::new(), counts: [0; 4], lists: [0; 4] };
    for report in reports.values() {
        add(&mut judged, report);
    }
    judged
}

fn all_shards(total: u16, split: &[ZoneId]) -> Vec<Option<Shard>> {
    let one = |ordinal| Shard::new(ordinal, total).expect("one").splitting(split.iter().cloned());
    (0..total).map(|ordinal| Some(one(ordinal))).collect()
}

/// What shards say otherwise than one process, and how many of the three ways to shard had something to say.
fn differences(dir: &Path) -> (Vec<String>, usize) {
    let (mut wrong, mut spread) = (Vec::new(), 0);
    let whole = judge(dir, &[None]);
    let mut zones = Vec::new();
    each_round(dir, |_policy, snapshot| {
        zones = snapshot.route53.value().map(|all| all.zones.keys().cloned().collect()).unwrap_or_default();
    })
    .expect("read before");
    for (total, split) in [(2, &[][..]), (5, &[]), (3, &zones)] {
        let judged = judge(dir, &all_shards(total, split));
        spread += usize::from(judged.findings.len() > 1);
        let name = dir.file_name().unwrap().to_string_lossy();
        let what = format!("{name}, {total} shards, {} zones split", split.len());
        for (id, rows) in &whole.findings {
            if judged.findings.get(id) != Some(rows) {
                wrong.push(format!("{what}: {rows:?}\n  but {:?}", judged.findings.get(id)));
            }
        }
        for (id, rows) in judged.findings.iter().filter(|(id, _)| !whole.findings.contains_key(*id)) {
            wrong.push(format!("{what}: {id} is said by shards only: {rows:?}"));
        }
        if (judged.counts, judged.lists) != (whole.counts, whole.lists) {
            wrong.push(format!(
                "{what}: {:?} {:?}, by one {:?} {:?}",
                judged.counts, judged.lists, whole.counts, whole.lists
            ));
        }
    }
    (wrong, spread)
}

#[test]
fn the_sum_of_the_shards_is_one_process() {
    let recordings = recordings();
    assert!(recordings.len() >= 90, "{}", recordings.len());
    let (queue, all) = (Mutex::new(recordings.iter()), Mutex::new((Vec::new(), 0)));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, std::num::NonZero::get) {
            scope.spawn(|| {
                loop {
                    let Some(dir) = queue.lock().unwrap().next() else { break };
                    let (wrong, spread) = differences(dir);
                    let mut all = all.lock().unwrap();
                    all.0.extend(wrong);
                    all.1 += spread;
                }
            });
        }
    });
    let (wrong, spread) = all.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    assert!(spread > 50, "the recordings are too small to prove anything: {spread}");
}

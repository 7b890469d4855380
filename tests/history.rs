//! What time must and must not change: restarts, repeated rounds, blind views, and what explains
//! what, over every recording that there is.
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

use dns_drift::engine::Engine;
use dns_drift::finding::{Kind, State};
use dns_drift::policy::Policy;
use dns_drift::replay::each_round;
use dns_drift::report::{Finding, Report};
use dns_drift::snapshot::{Reading, Snapshot, ViewState};
use dns_drift::state::{decode, encode};

fn cases() -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let folders = ["scenarios", "cases"];
    let mut all: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(tests.join(folder)).expect("a folder of cases"))
        .map(|item| item.expect("folder item").path())
        .filter(|path| path.join("recording.yaml").is_file())
        .collect();
    all.sort();
    assert!(all.len() >= 90, "only {} recordings", all.len());
    all
}

fn rounds(case: &Path) -> (Policy, Vec<Snapshot>) {
    let mut policy = Policy::default();
    let mut all = Vec::new();
    each_round(case, |rules, snapshot| {
        policy = rules.clone();
        all.push(snapshot.clone());
    })
    .expect("a recording");
    (policy, all)
}

fn json(report: &Report) -> serde_json::Value {
    serde_json::to_value(report).expect("JSON")
}

fn name(case: &Path) -> String {
    case.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn a_restart_between_two_rounds_changes_nothing() {
    for case in cases() {
        let (policy, snapshots) = rounds(&case);
        let mut through = Engine::new(policy.clone());
        let mut again = Engine::new(policy.clone());
        for snapshot in &snapshots {
            let expected = json(&through.round(snapshot));
            let got = json(&again.round(snapshot));
            assert_eq!(got, expected, "{} at {}", name(&case), snapshot.at);
            let bytes = encode(again.memory(), snapshot.at).expect("encoded");
            let memory = decode(&bytes).expect("decoded");
            assert_eq!(memory, *again.memory(), "{}", name(&case));
            again = Engine::resume(policy.clone(), memory);
        }
    }
}

/// The clock ran ahead before the restart: what was known is known, as it is without one.
#[test]
fn a_restart_under_a_clock_that_was_set_back_forgets_nothing() {
    for case in cases() {
        let (policy, mut snapshots) = rounds(&case);
        let mut engine = Engine::new(policy.clone());
        for snapshot in &snapshots {
            let _report = engine.round(snapshot);
        }
        let last = snapshots.pop().expect("a round");
        let ahead = last.at + jiff::SignedDuration::from_hours(2);
        let _ahead = engine.round(&Snapshot { at: ahead, ..last.clone() });
        let memory = decode(&encode(engine.memory(), ahead).expect("encoded")).expect("decoded");
        let expected = json(&engine.round(&last));
        let got = json(&Engine::resume(policy, memory).round(&last));
        assert_eq!(got, expected, "{}", name(&case));
    }
}

#[test]
fn the_same_round_twice_changes_nothing() {
    for case in cases() {
        let (policy, snapshots) = rounds(&case);
        let mut once = Engine::new(policy.clone());
        let mut twice = Engine::new(policy.clone());
        for snapshot in &snapshots {
            let expected = json(&once.round(snapshot));
            let _first = twice.round(snapshot);
            let got = json(&twice.round(snapshot));
            assert_eq!(got["findings"], expected["findings"], "{} at {}", name(&case), snapshot.at);
        }
    }
}

#[test]
fn one_primary_a_subject_and_every_explanation_is_open() {
    for case in cases() {
        let (policy, snapshots) = rounds(&case);
        let mut engine = Engine::new(policy);
        for snapshot in &snapshots {
            let report = engine.round(snapshot);
            let mut open: BTreeMap<(String, Option<String>), &str> = BTreeMap::new();
            let at = format!("{} at {}", name(&case), snapshot.at);
            for finding in report.findings.iter().filter(|finding| finding.state == State::Open) {
                let zone = finding.zone.as_ref().map(|zone| zone.id.to_string());
                let before = open.insert((finding.subject.to_string(), zone), finding.kind.as_str());
                assert_eq!(before, None, "{at}: two open on {}", finding.subject);
            }
            for finding in &report.findings {
                let Some(by) = &finding.explained_by else {
                    assert_ne!(finding.state, State::Explained, "{at}: {} by nothing", finding.subject);
                    continue;
                };
                let outer = report.findings.iter().find(|one| one.id == *by).expect("a finding with that id");
                assert_eq!(outer.state, State::Open, "{at}: {} explains {}", outer.subject, finding.subject);
            }
        }
    }
}

/// A view that becomes unreadable opens and closes nothing, and nothing is forgotten.
#[test]
fn a_blind_view_freezes_every_verdict() {
    let mut wrong = Vec::new();
    for case in cases() {
        let (policy, mut snapshots) = rounds(&case);
        let last = snapshots.pop().expect("a round");
        let mut engine = Engine::new(policy);
        for snapshot in &snapshots {
            let _report = engine.round(snapshot);
        }
        let before = engine.round(&last);
        for view in ["kubernetes", "route53", "dns", "feeds", "feeds since a restart"] {
            let mut blind = last.clone();
            blind.at = last.at + jiff::SignedDuration::from_mins(1);
            match view {
                "kubernetes" => blind.kubernetes.state = ViewState::Stale,
                "route53" => blind.route53.state = ViewState::Stale,
                "feeds" if last.changes.state == ViewState::Read => blind.changes.state = ViewState::Stale,
                "feeds since a restart" if last.changes.state == ViewState::Read => {
                    blind.changes = Reading::unread(Vec::new());
                }
                "feeds" | "feeds since a restart" => continue,
                _ => {
                    blind.dns.state = ViewState::Unread;
                    blind.dns.value = None;
                }
            }
            let mut engine = engine.clone();
            let after = engine.round(&blind);
            let at = format!("{} without {view}", name(&case));
            let known: BTreeMap<&str, _> =
                before.findings.iter().map(|finding| (finding.id.as_str(), finding)).collect();
            // That a view is blind is news that is meant to open.
            let judged =
                |finding: &&Finding| finding.state == State::Open && finding.kind != Kind::ObserverBlind;
            for finding in after.findings.iter().filter(judged) {
                let opened = known
                    .get(finding.id.as_str())
                    .is_none_or(|old| !matches!(old.state, State::Open | State::Explained | State::Pending));
                if opened {
                    wrong.push(format!("{at}: {} {} opened", finding.subject, finding.kind));
                }
            }
            for old in before.findings.iter().filter(|finding| finding.state == State::Open) {
                let new = after.findings.iter().find(|one| one.id == old.id);
                let kept = after.findings.iter().any(|one| {
                    one.subject == old.subject
                        && matches!(one.state, State::Open | State::Stale | State::Explained)
                });
                assert!(kept, "{at}: {} {} is {:?}", old.subject, old.kind, new.map(|one| one.state));
                let is_same =
                    new.is_some_and(|one| matches!(one.state, State::Open | State::Stale | State::Explained));
                if view.starts_with("feeds") && !is_same {
                    let state = new.map(|one| one.state);
                    wrong.push(format!("{at}: {} {} is {state:?}", old.subject, old.kind));
                }
                if let Some(new) = new {
                    assert_eq!(new.first_seen, old.first_seen, "{at}: {}", old.subject);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

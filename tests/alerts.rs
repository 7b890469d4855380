//! The alerts: generated files are up to date, `promtool` and `amtool` take them, every alert fires
//! on what it is for and on nothing else.
//!
//! Needs `promtool` and `amtool` on the path (Debian packages `prometheus`, `prometheus-alertmanager`).

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "alerts/coverage.rs"]
mod coverage;
#[path = "alerts/files.rs"]
mod files;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/report.rs"]
mod fixture;
#[path = "alerts/kinds.rs"]
mod kinds;
#[path = "alerts/live.rs"]
mod live;
#[path = "alerts/rules.rs"]
mod rules;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/servers.rs"]
mod servers;
#[path = "alerts/unit.rs"]
mod unit;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use dns_drift::finding::Kind;
use dns_drift::publish::catalogue::MetricDoc;
use kinds::ROOT;

/// What a program said; it must have been content.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(format!("{ROOT}/alerts"))
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed, ./test installs it: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said} {errors}");
    said
}

/// Debian's promtool, and that of Prometheus 3 if `./test` has put one there.
fn promtools() -> Vec<String> {
    let newer = std::env::var("DNS_DRIFT_TEST_PROMETHEUS3").map(|folder| format!("{folder}/promtool"));
    if newer.is_err() {
        eprintln!("DNS_DRIFT_TEST_PROMETHEUS3 is not set: only the promtool on the path is tried");
    }
    [String::from("promtool")].into_iter().chain(newer).collect()
}

#[test]
fn generated_files_are_up_to_date() {
    for (path, text) in files::all() {
        files::check(&path, &text);
    }
}

/// The objects for the operator carry the same rules as the plain files.
#[test]
fn objects_hold_the_rules_of_the_files() {
    let read = |name: &str| {
        let text = fs::read_to_string(format!("{ROOT}/alerts/{name}")).unwrap();
        serde_saphyr::from_str::<serde_json::Value>(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    for name in ["dns-drift", "external-dns"] {
        let object = read(&format!("prometheusrule-{name}.yaml"));
        assert_eq!(object["kind"], "PrometheusRule");
        assert_eq!(object["spec"], read(&format!("{name}.rules.yml")), "{name}");
    }
}

#[test]
fn promtool_takes_the_rules() {
    for promtool in promtools() {
        for file in ["dns-drift.rules.yml", "external-dns.rules.yml"] {
            run(&promtool, &["check", "rules", "--lint=all", "--lint-fatal", file]);
        }
    }
}

#[test]
fn promtool_sees_each_alert_fire_and_stay_silent() {
    for promtool in promtools() {
        for file in ["tests/dns-drift.test.yml", "tests/convergence.test.yml", "tests/anchor.test.yml"] {
            run(&promtool, &["test", "rules", file]);
        }
    }
}

#[test]
fn every_alert_says_enough() {
    let mut severities: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in files::rules() {
        let Some(name) = &rule.alert else { continue };
        let say = |key: &str| rule.annotations.get(key).unwrap_or_else(|| panic!("{name} has no {key}"));
        for word in ["Cause: ", "Impact: ", "Fix: ", "Next command: "] {
            assert!(say("description").contains(word), "{name}: {word}");
        }
        assert!(say("summary").len() < 250 && say("dashboard_url").starts_with(rules::DASHBOARDS));
        assert!(say("runbook_url").starts_with(rules::RUNBOOKS), "{name}");
        let label = |label: &str| rule.labels.get(label).cloned().unwrap_or_default();
        let severity = format!("{} {}", label("severity"), label("window"));
        assert!(severities.entry(name.clone()).or_default().insert(severity), "{name} twice");
    }
    for kind in Kind::ALL {
        assert!(severities.contains_key(&kinds::alert_name(*kind)), "{kind}");
    }
}

#[test]
fn rules_use_documented_metrics_only() {
    let recorded: BTreeSet<String> = files::rules().into_iter().filter_map(|rule| rule.record).collect();
    for rule in files::rules() {
        let text =
            format!("{} {}", rule.expr, rule.annotations.get("description").map_or("", String::as_str));
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter));
        for word in words.filter(|word| word.contains("dns_drift_") && !word.starts_with("job:")) {
            assert!(MetricDoc::find(word).is_some(), "{word} in {text}");
        }
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter));
        for word in words.filter(|word| word.starts_with("job:")) {
            assert!(recorded.contains(word), "{word} in {text}");
        }
    }
}

/// The first thing in a runbook is a block of three commands.
#[test]
fn every_alert_has_a_runbook_that_starts_with_three_commands() {
    let mut expected = BTreeSet::from([String::from("README.md")]);
    for name in files::rules().into_iter().filter_map(|rule| rule.alert) {
        let path = format!("{ROOT}/{}", files::runbook_path(&name));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let rest = text.strip_prefix(&format!("# {name}\n\n```sh\n")).unwrap_or_else(|| panic!("{path}"));
        let commands: Vec<&str> = rest.split("\n```").next().unwrap().lines().collect();
        assert_eq!(commands.len(), 3, "{path}: {commands:?}");
        expected.insert(format!("{name}.md"));
    }
    let found = fs::read_dir(format!("{ROOT}/docs/runbooks")).expect("runbooks");
    let found: BTreeSet<String> =
        found.map(|file| file.expect("a file").file_name().into_string().expect("text")).collect();
    assert_eq!(found, expected, "a runbook of no alert, or the other way round");
}

#[test]
fn alertmanager_sends_each_alert_to_whom_it_concerns() {
    run("amtool", &["check-config", "alertmanager.example.yml"]);
    for (labels, receiver) in [
        (&["alertname=DNSDriftFailedChange", "severity=critical", "team=shop"][..], "shop-page"),
        (&["alertname=DNSDriftFailedChange", "severity=critical"], "platform-page"),
        (&["alertname=DNSDriftWrongTtl", "severity=warning", "team=shop"], "shop-tickets"),
        (&["alertname=DNSDriftWrongTtl", "severity=warning"], "platform-tickets"),
        (&["alertname=DNSDriftDown", "severity=critical"], "platform-page"),
        (&["alertname=DNSDriftLogLinesDropped", "severity=info"], "nobody"),
        (&["alertname=DNSDriftHeartbeat", "severity=none"], "heartbeat"),
        (&["alertname=KubeNodeNotReady", "severity=critical"], "nobody"),
    ] {
        let arguments =
            [&["config", "routes", "test", "--config.file=alertmanager.example.yml"], labels].concat();
        assert_eq!(run("amtool", &arguments).trim(), receiver, "{labels:?}");
    }
}

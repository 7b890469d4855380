//! No alert without its cases: each rule fires, ends, and stays silent on data that it looks at.

use serde_json::Value as Json;

use crate::rules::Rule;
use crate::{files, unit};

/// The alert that always fires has expectations of its own.
const HEARTBEAT: &str = "DNSDriftHeartbeat";

/// One rule as the cases name it: alerts with two severities need cases for both.
struct Graded {
    alert: String,
    severity: String,
}

/// What a case says about one alert, in the order of time: firing or not.
fn told(case: &Json, graded: &Graded) -> Vec<bool> {
    let Graded { alert, severity } = graded;
    let mut told: Vec<(u64, bool)> = Vec::new();
    for expectation in case["promql_expr_test"].as_array().unwrap() {
        let expr = expectation["expr"].as_str().unwrap();
        let samples = expectation["exp_samples"].as_array().unwrap();
        let heartbeat = expr.contains(&format!("alertname=\"{HEARTBEAT}\""));
        if heartbeat != (alert == HEARTBEAT) || !expr.starts_with("count") {
            continue;
        }
        let labels = format!("{{alertname=\"{alert}\",severity=\"{severity}\"}}");
        let there = samples.iter().any(|sample| heartbeat || sample["labels"] == labels);
        told.push((minutes(expectation["eval_time"].as_str().unwrap()), there));
    }
    told.sort_unstable();
    told.into_iter().map(|(_, there)| there).collect()
}

fn minutes(time: &str) -> u64 {
    let (number, unit) = time.split_at(time.len() - 1);
    let factor = match unit {
        "m" => 1,
        "h" => 60,
        _ => panic!("{time}"),
    };
    number.parse::<u64>().unwrap() * factor
}

/// The metrics that a rule reads itself or through recording rules, without those of other alerts.
fn metrics(rule: &Rule, all: &[Rule]) -> Vec<String> {
    let words = rule.expr.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter));
    let mut metrics = Vec::new();
    for word in words {
        if let Some(recorded) = all.iter().find(|one| one.record.as_deref() == Some(word)) {
            metrics.extend(self::metrics(recorded, all));
        } else if word.contains("dns_") || word == "up" {
            metrics.push(word.to_owned());
        }
    }
    metrics
}

/// The case holds data for every metric of the rule, so that silence means something.
fn looks_at(case: &Json, rule: &Rule, all: &[Rule]) -> bool {
    let series: Vec<&str> =
        case["input_series"].as_array().unwrap().iter().map(|one| one["series"].as_str().unwrap()).collect();
    metrics(rule, all).iter().all(|metric| {
        series.iter().any(|one| one.starts_with(&format!("{metric}{{")) && one.contains(&kind(rule)))
    })
}

/// Rules of one kind look at findings of that kind only.
fn kind(rule: &Rule) -> String {
    let selector =
        rule.expr.split_once("dns_drift_finding{kind=\"").and_then(|(_, rest)| rest.split_once('"'));
    selector.map_or_else(String::new, |(kind, _)| format!("kind=\"{kind}\""))
}

fn graded(rule: &Rule) -> Vec<Graded> {
    let Some(alert) = &rule.alert else { return Vec::new() };
    // The severity of an alert about findings is that of the findings; `info` does not alert.
    let severities = rule.labels.get("severity").map_or(vec!["critical", "warning"], |one| vec![one]);
    let one = |severity: &str| Graded { alert: alert.clone(), severity: severity.to_owned() };
    severities.into_iter().map(one).collect()
}

#[test]
fn every_alert_has_cases_that_fire_that_end_and_that_stay_silent() {
    let (files, rules) = ([unit::cases(), unit::long_cases()], files::rules());
    let cases: Vec<&Json> = files.iter().flat_map(|file| file["tests"].as_array().unwrap()).collect();
    let mut missing = Vec::new();
    for rule in &rules {
        for one in graded(rule) {
            let all: Vec<Vec<bool>> = cases.iter().map(|case| told(case, &one)).collect();
            let fires = all.iter().any(|told| told.contains(&true));
            let ends = all.iter().any(|told| told.windows(2).any(|pair| pair == [true, false]));
            let silent = cases.iter().zip(&all).any(|(case, told)| {
                !told.is_empty() && !told.contains(&true) && looks_at(case, rule, &rules)
            });
            // The heartbeat stays silent in the one case where rounds do not end.
            let silent = silent || one.alert == HEARTBEAT && all.iter().any(|told| told.contains(&false));
            if !(fires && ends && silent) {
                missing.push(format!(
                    "{} {}: fires {fires}, ends {ends}, silent {silent}",
                    one.alert, one.severity
                ));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

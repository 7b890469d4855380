//! What must hold for the advice of any report.

use std::collections::BTreeSet;

use dns_drift::desired::versions::words::{WORDS, knows};
use dns_drift::model::Version;
use dns_drift::model::instance::NEWEST_KNOWN;
use regex::Regex;
use serde_json::Value;

/// Flags and annotations in the fixes of a report that the release of the instance does not know: it does not start
/// with such a flag, and reads no such annotation. What a later release can do is told together with that release.
pub(crate) fn unknown_words(report: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for finding in report["findings"].as_array().into_iter().flatten() {
        let summary = finding["fix"]["summary"].as_str().unwrap_or_default();
        let version = version(report, &finding["instance"]);
        for word in words(summary) {
            let since = WORDS.iter().find(|known| known.text == word).map(|known| known.since);
            let is_later = since.is_some_and(|since| summary.contains(&format!("{since} or later")));
            if !knows(version, &word) && !is_later {
                faults.push(format!("{}: {version} does not know {word}: {summary}", finding["subject"]));
            }
        }
    }
    faults
}

fn version(report: &Value, instance: &Value) -> Version {
    let mut rows = report["instances"].as_array().into_iter().flatten();
    let row = rows.find(|row| row["id"] == *instance);
    row.and_then(|row| row["version"].as_str()?.parse().ok()).unwrap_or(NEWEST_KNOWN)
}

fn words(text: &str) -> BTreeSet<String> {
    let flag = Regex::new("--[a-z][a-z0-9-]+").expect("a pattern");
    let flags = flag.find_iter(text).map(|found| found.as_str().to_owned());
    let pin = text.contains("aws-hosted-zone-id").then(|| String::from("aws-hosted-zone-id"));
    flags.chain(pin).collect()
}

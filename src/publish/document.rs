//! The report as JSON and YAML: the contract for programs.

use serde::Serialize;

use crate::report::Report;
use crate::report::baseline::Against;

/// The report, with how it stands against its baseline.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<&'a Against>,
}

/// The report as JSON.
///
/// # Errors
///
/// When it has no JSON form, which would be a mistake of ours.
pub fn json(report: &Report, baseline: Option<&Against>) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&Document { report, baseline }).map(|text| text + "\n")
}

/// The report as YAML.
///
/// # Errors
///
/// As [`json`].
pub fn yaml(report: &Report, baseline: Option<&Against>) -> Result<String, serde_json::Error> {
    serde_saphyr::to_string(&Document { report, baseline }).map_err(serde::ser::Error::custom)
}

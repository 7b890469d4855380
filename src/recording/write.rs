//! Writing a recording, in the same shapes as the tools print.

use std::sync::Arc;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use crate::model::observation::Observation;
use crate::model::zone::{ChangeInfo, HostedZone, ZoneReading, Zones};
use crate::recorded::decode::to_route53;
use crate::recording::index::{self, FORMAT, RawIndex, RawRoundRef};
use crate::recording::logs::{self, Logs};
use crate::recording::problems::{self, RawProblem};
use crate::recording::round::{CLOUDTRAIL, RawRound};
use crate::recording::shapes::{
    Change, ChangesFile, DelegationSet, DnssecFile, DnssecStatus, HostedZoneFile, HostedZonesFile, Key,
    Limit, LimitFile, RawVpc, RecordSetsFile, Rest,
};
use crate::recording::{dns, kubernetes, route53};
use crate::snapshot::{Problem, ViewName};

/// Why a recording could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Something is there already; nothing is ever overwritten.
    #[error("{} exists and is not empty; name a new folder", .0.display())]
    NotEmpty(PathBuf),
    /// The system refuses.
    #[error("write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A value has no form in the file.
    #[error("write {}: {text}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        text: String,
    },
}

/// Writes a recording of these rounds into `dir`, which must be missing or empty.
///
/// Everything goes to a folder beside it first and is then renamed, so that a recording is
/// complete or not there.
///
/// # Errors
///
/// When `dir` is not empty or the system refuses; nothing is left behind then.
pub fn write_recording(dir: &Path, rounds: &[RawRound], config: Option<&Value>) -> Result<(), WriteError> {
    if std::fs::read_dir(dir).is_ok_and(|mut listed| listed.next().is_some()) || dir.is_file() {
        return Err(WriteError::NotEmpty(dir.to_owned()));
    }
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    let partial = dir.with_file_name(name);
    let written = write_all(&partial, rounds, config).and_then(|()| {
        std::fs::rename(&partial, dir).map_err(|source| WriteError::Write { path: dir.to_owned(), source })
    });
    if written.is_err() {
        // The first error is the one to tell; a folder that cannot be removed is visible.
        drop(std::fs::remove_dir_all(&partial));
    }
    written
}

fn write_all(dir: &Path, rounds: &[RawRound], config: Option<&Value>) -> Result<(), WriteError> {
    let mut listed = Vec::new();
    for (number, round) in rounds.iter().enumerate() {
        let name = format!("{number:03}");
        write_round(&dir.join(&name), round)?;
        listed.push(RawRoundRef { dir: name, at: round.at.to_string() });
    }
    let index = RawIndex { format: FORMAT.to_owned(), rounds: listed, config: config.cloned() };
    put_yaml(&dir.join(index::FILE), &index)
}

fn write_round(dir: &Path, round: &RawRound) -> Result<(), WriteError> {
    make_folder(dir)?;
    if let Some(objects) = &round.kubernetes {
        write_kubernetes(&dir.join(kubernetes::FOLDER), objects)?;
    }
    if let Some(zones) = &round.route53 {
        write_route53(&dir.join(route53::FOLDER), zones)?;
    }
    if let Some(observations) = &round.dns {
        write_dns(&dir.join(dns::FILE), observations)?;
    }
    write_logs(&dir.join(logs::FOLDER), &round.logs)?;
    if let Some(text) = &round.cloudtrail {
        put(&dir.join(CLOUDTRAIL), text)?;
    }
    write_problems(&dir.join(problems::FILE), &round.problems)
}

/// One file for each kind.
fn write_kubernetes(folder: &Path, objects: &[Value]) -> Result<(), WriteError> {
    make_folder(folder)?;
    let mut by_kind: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for object in objects {
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or("object");
        let word: String = kind.chars().filter(char::is_ascii_alphanumeric).take(60).collect();
        by_kind.entry(word.to_ascii_lowercase()).or_default().push(object);
    }
    for (kind, items) in by_kind {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        put_json(&folder.join(format!("{kind}.json")), &list)?;
    }
    Ok(())
}

fn write_route53(folder: &Path, zones: &Zones) -> Result<(), WriteError> {
    let hosted_zones = zones.zones.values().map(|reading| (&reading.zone).into()).collect();
    put_json(&folder.join("hosted-zones.json"), &HostedZonesFile { hosted_zones, rest: Rest::default() })?;
    for (id, reading) in &zones.zones {
        write_zone(&folder.join(id.as_str()), reading)?;
    }
    if !zones.changes.is_empty() {
        let changes = zones.changes.iter().map(change).collect();
        put_json(&folder.join("changes.json"), &ChangesFile { changes })?;
    }
    Ok(())
}

fn write_zone(folder: &Path, reading: &ZoneReading) -> Result<(), WriteError> {
    let zone = &reading.zone;
    if let Some(records) = &reading.record_sets {
        let file = RecordSetsFile {
            resource_record_sets: Some(records.iter().map(Into::into).collect()),
            rest: Rest::default(),
        };
        put_json(&folder.join("record-sets.json"), &file)?;
    }
    if zone.vpcs.is_some() || !zone.delegation_set.is_empty() {
        put_json(&folder.join("hosted-zone.json"), &hosted_zone(zone))?;
    }
    if let Some(limit) = zone.limit {
        let kind = "MAX_RRSETS_BY_ZONE".to_owned();
        let file = LimitFile { limit: Limit { kind, value: limit.limit }, count: limit.count };
        put_json(&folder.join("limit.json"), &file)?;
    }
    if let Some(dnssec) = &zone.dnssec {
        let key = |status: &'static str| {
            move |record: &Arc<str>| Key { ds_record: Some(record.to_string()), status: status.to_owned() }
        };
        let active = dnssec.ds_records.iter().map(key("ACTIVE"));
        let failing = dnssec.failing_ds_records.iter().map(key("ACTION_NEEDED"));
        let file = DnssecFile {
            status: DnssecStatus { serve_signature: dnssec.serve_signature.to_string() },
            key_signing_keys: active.chain(failing).collect(),
        };
        put_json(&folder.join("dnssec.json"), &file)?;
    }
    Ok(())
}

fn hosted_zone(zone: &HostedZone) -> HostedZoneFile {
    // Name servers stand there without the trailing dot, unlike every other name.
    let name_server = |name| to_route53(name).trim_end_matches('.').to_owned();
    let name_servers: Vec<String> = zone.delegation_set.iter().map(name_server).collect();
    HostedZoneFile {
        hosted_zone: zone.into(),
        delegation_set: (!name_servers.is_empty()).then_some(DelegationSet { name_servers }),
        vpcs: zone
            .vpcs
            .iter()
            .flatten()
            .map(|vpc| RawVpc { region: vpc.region.to_string(), id: vpc.id.to_string() })
            .collect(),
    }
}

fn change(change: &ChangeInfo) -> Change {
    Change {
        id: format!("/change/{}", change.id),
        status: if change.in_sync { "INSYNC" } else { "PENDING" }.to_owned(),
        submitted_at: change.submitted_at,
        hosted_zone_id: change.zone_id.to_string(),
    }
}

fn write_dns(path: &Path, observations: &[Arc<Observation>]) -> Result<(), WriteError> {
    let mut text = String::new();
    for observation in observations {
        let line = serde_json::to_string(observation)
            .map_err(|error| WriteError::Encode { path: path.to_owned(), text: error.to_string() })?;
        text.push_str(&line);
        text.push('\n');
    }
    put(path, &text)
}

fn write_logs(folder: &Path, all: &Logs) -> Result<(), WriteError> {
    for log in &all.logs {
        let path = file_in(folder, &[&log.namespace, &log.pod, &log.container], "log")?;
        let mut text = log.lines.join("\n");
        text.push('\n');
        put(&path, if log.lines.is_empty() { "" } else { &text })?;
    }
    for scrape in &all.scrapes {
        put(&file_in(folder, &[&scrape.namespace, &scrape.pod], "prom")?, &scrape.text)?;
    }
    Ok(())
}

/// The parts come from a cluster; they become a file name only if they are Kubernetes names.
fn file_in(folder: &Path, parts: &[&str], extension: &str) -> Result<PathBuf, WriteError> {
    let path = folder.join(format!("{}.{extension}", parts.join("__")));
    let legal = |part: &&str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    if parts.iter().all(legal) {
        return Ok(path);
    }
    Err(WriteError::Encode { path, text: "not the name of a Kubernetes object".to_owned() })
}

fn write_problems(path: &Path, all: &[(ViewName, Problem)]) -> Result<(), WriteError> {
    if all.is_empty() {
        return Ok(());
    }
    let raw: Vec<RawProblem> = all
        .iter()
        .map(|(view, problem)| RawProblem {
            view: view.as_str().to_owned(),
            scope: problem.scope.clone(),
            code: problem.code.to_string(),
            message: problem.message.clone(),
        })
        .collect();
    put_yaml(path, &raw)
}

fn put_json<T: Serialize>(path: &Path, value: &T) -> Result<(), WriteError> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| WriteError::Encode { path: path.to_owned(), text: error.to_string() })?;
    text.push('\n');
    put(path, &text)
}

fn put_yaml<T: Serialize>(path: &Path, value: &T) -> Result<(), WriteError> {
    let text = serde_saphyr::to_string(value)
        .map_err(|error| WriteError::Encode { path: path.to_owned(), text: error.to_string() })?;
    put(path, &text)
}

fn put(path: &Path, text: &str) -> Result<(), WriteError> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    std::fs::write(path, text).map_err(|source| WriteError::Write { path: path.to_owned(), source })
}

fn make_folder(path: &Path) -> Result<(), WriteError> {
    std::fs::create_dir_all(path).map_err(|source| WriteError::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;

//! `route53/`: zones and record sets as `aws route53 ...` prints them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use crate::finding::Reason;
use crate::model::zone::{
    ChangeInfo, Dnssec, RecordSets, Vpc, ZoneLimit, ZoneReading, Zones, sort_record_sets,
};
use crate::model::{DomainName, HostedZone, RecordSet, ZoneId};
use crate::recorded::decode::RawRecordSet;
use crate::recorded::walk::is_short;
use crate::recording::file;
use crate::recording::shapes::{
    Change, ChangesFile, DnssecFile, HostedZoneFile, HostedZonesFile, LimitFile, RecordSetsFile,
};
use crate::snapshot::Problem;

/// Folder of the hosted zones within a round.
pub const FOLDER: &str = "route53";

/// Reads the hosted zones of a round; `None` if the round has no `route53` folder or its list of
/// zones cannot be read whole.
///
/// A file that cannot be read becomes a problem of its zone, and the other zones count. A zone
/// without `record-sets.json` has not been listed: its record sets are `None`.
#[must_use]
pub fn read_route53(round: &Path, at: Timestamp) -> (Option<Zones>, Vec<Problem>) {
    let folder = round.join(FOLDER);
    if !folder.is_dir() {
        return (None, Vec::new());
    }
    let path = folder.join("hosted-zones.json");
    let listed: HostedZonesFile = match file::json(&path) {
        Ok(listed) => listed,
        Err(error) => return (None, vec![file::problem("all", &error)]),
    };
    if listed.rest.is_cut() {
        let text = format!("{} is cut; list all zones, without --max-items", path.display());
        return (None, vec![file::parse_problem("all", &text)]);
    }
    let mut problems = Vec::new();
    let mut zones = BTreeMap::new();
    for raw in &listed.hosted_zones {
        let zone = raw.decode().filter(|zone| is_safe(&zone.id));
        let Some(zone) = zone else {
            let text =
                format!("{}: zone {:?} {:?} has no usable id or name", path.display(), raw.id, raw.name);
            problems.push(file::parse_problem("all", &text));
            continue;
        };
        zones.insert(zone.id.clone(), read_zone(&folder, zone, at, &mut problems));
    }
    let changes = read_changes(&folder, &mut problems);
    (Some(Zones { zones, changes, ..Zones::default() }), problems)
}

/// The id becomes a folder name, so it must not lead anywhere else.
fn is_safe(id: &ZoneId) -> bool {
    !id.as_str().is_empty() && id.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn read_zone(folder: &Path, mut zone: HostedZone, at: Timestamp, problems: &mut Vec<Problem>) -> ZoneReading {
    let folder = folder.join(zone.id.as_str());
    let scope = zone.id.to_string();
    let mut failed = |error: file::FileError| problems.push(file::problem(&scope, &error));
    match file::optional_json::<HostedZoneFile>(&folder.join("hosted-zone.json")) {
        Ok(Some(read)) => add_details(&mut zone, &read),
        Ok(None) => {}
        Err(error) => failed(error),
    }
    match file::optional_json::<LimitFile>(&folder.join("limit.json")) {
        Ok(read) => zone.limit = read.map(|read| ZoneLimit { limit: read.limit.value, count: read.count }),
        Err(error) => failed(error),
    }
    match file::optional_json::<DnssecFile>(&folder.join("dnssec.json")) {
        Ok(read) => zone.dnssec = read.map(dnssec),
        Err(error) => failed(error),
    }
    match read_records(&folder.join("record-sets.json"), zone.record_set_count) {
        Ok(records) => {
            let read_at = records.as_ref().map(|_| at);
            let record_sets = records.map(RecordSets::new).map(Arc::new);
            ZoneReading { record_sets, read_at, ..ZoneReading::unread(zone) }
        }
        Err((code, text)) => {
            problems.push(Problem { code, ..file::parse_problem(&scope, &text) });
            ZoneReading::unread(zone)
        }
    }
}

/// The complete listing, `None` without a file, or why it cannot be believed.
fn read_records(path: &Path, expected: Option<u64>) -> Result<Option<Vec<RecordSet>>, (Reason, String)> {
    let shown = path.display();
    let parse = |text: String| (Reason::Parse, text);
    let read = file::optional_json::<RecordSetsFile>(path)
        .map_err(|error| parse(file::problem("", &error).message))?;
    let Some(read) = read else { return Ok(None) };
    let raw = read.resource_record_sets.ok_or_else(|| parse(format!("{shown} has no ResourceRecordSets")))?;
    if read.rest.is_cut() {
        return Err(parse(format!("{shown} is cut; list all record sets, without --max-items")));
    }
    if raw.is_empty() {
        return Err((Reason::EmptySuspicious, format!("{shown} lists no record sets, not even NS and SOA")));
    }
    if let Some(count) = expected.filter(|count| is_short(raw.len(), *count)) {
        return Err(parse(format!("{shown} is incomplete: {} of {count} record sets", raw.len())));
    }
    let decoded: Result<Vec<RecordSet>, _> = raw.iter().map(RawRecordSet::decode).collect();
    let mut records = decoded.map_err(|error| parse(format!("{shown}: {error}")))?;
    sort_record_sets(&mut records);
    records.dedup_by(|left, right| left.key() == right.key());
    Ok(Some(records))
}

fn add_details(zone: &mut HostedZone, read: &HostedZoneFile) {
    if let Some(set) = &read.delegation_set {
        zone.delegation_set = set.name_servers.iter().map(|name| DomainName::from_route53(name)).collect();
        zone.delegation_set.sort();
    }
    let mut vpcs: Vec<Vpc> = read
        .vpcs
        .iter()
        .map(|vpc| Vpc { region: vpc.region.as_str().into(), id: vpc.id.as_str().into() })
        .collect();
    vpcs.sort();
    zone.vpcs = Some(vpcs);
    zone.record_set_count = zone.record_set_count.or(read.hosted_zone.resource_record_set_count);
}

fn dnssec(read: DnssecFile) -> Dnssec {
    let keys = read.key_signing_keys.into_iter();
    Dnssec::new(&read.status.serve_signature, keys.filter_map(|key| Some((key.status, key.ds_record?))))
}

fn read_changes(folder: &Path, problems: &mut Vec<Problem>) -> Vec<ChangeInfo> {
    match file::optional_json::<ChangesFile>(&folder.join("changes.json")) {
        Ok(read) => read.unwrap_or_default().changes.iter().map(change).collect(),
        Err(error) => {
            problems.push(file::problem("all", &error));
            Vec::new()
        }
    }
}

fn change(raw: &Change) -> ChangeInfo {
    ChangeInfo {
        id: raw.id.rsplit('/').next().unwrap_or_default().into(),
        zone_id: ZoneId::new(&raw.hosted_zone_id),
        in_sync: raw.status == "INSYNC",
        submitted_at: raw.submitted_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"HostedZones":[{"Id":"/hostedzone/Z1","Name":"example.com.","Config":{"PrivateZone":false},"ResourceRecordSetCount":1},{"Id":"/hostedzone/Z2","Name":"example.org.","Config":{"PrivateZone":true}}]}"#;
    const RECORDS: &str = r#"{"ResourceRecordSets":[{"Name":"\\052.example.com.","Type":"A","TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]}]}"#;

    fn read(files: &[(&str, &str)]) -> (Option<Zones>, Vec<Problem>) {
        let dir = tempfile::tempdir().expect("folder");
        for (name, text) in files {
            let path = dir.path().join(FOLDER).join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            std::fs::write(path, text).expect("written");
        }
        read_route53(dir.path(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn whatever_aws_prints() {
        assert_eq!(read(&[]), (None, Vec::new()), "not read");
        let (zones, problems) = read(&[
            ("hosted-zones.json", LIST),
            ("Z1/record-sets.json", RECORDS),
            (
                "Z1/hosted-zone.json",
                r#"{"HostedZone":{"Id":"/hostedzone/Z1","Name":"example.com."},"DelegationSet":{"NameServers":["NS-2.example.net","ns-1.example.net"]}}"#,
            ),
            ("Z1/limit.json", r#"{"Limit":{"Type":"MAX_RRSETS_BY_ZONE","Value":10000},"Count":9999}"#),
            (
                "Z1/dnssec.json",
                r#"{"Status":{"ServeSignature":"SIGNING"},"KeySigningKeys":[{"DSRecord":"1 13 2 AA","Status":"ACTIVE"},{"DSRecord":"2 13 2 BB","Status":"INACTIVE"}]}"#,
            ),
            (
                "Z2/hosted-zone.json",
                r#"{"HostedZone":{"Id":"/hostedzone/Z2","Name":"example.org."},"VPCs":[{"VPCRegion":"us-east-1","VPCId":"vpc-1"}]}"#,
            ),
            (
                "changes.json",
                r#"{"Changes":[{"Id":"/change/C1","Status":"PENDING","SubmittedAt":"2026-11-23T09:56:00Z","HostedZoneId":"/hostedzone/Z1"}]}"#,
            ),
        ]);
        assert_eq!(problems, []);
        let zones = zones.expect("read");
        let one = &zones.zones[&ZoneId::new("Z1")];
        assert_eq!(one.at(&DomainName::new("*.example.com")).len(), 1);
        assert_eq!(one.zone.delegation_set[0].as_str(), "ns-1.example.net");
        assert_eq!(one.zone.limit, Some(ZoneLimit { limit: 10_000, count: 9_999 }));
        assert_eq!(one.zone.dnssec.as_ref().map(|dnssec| dnssec.ds_records.len()), Some(1));
        let two = &zones.zones[&ZoneId::new("Z2")];
        assert_eq!((two.record_sets.is_none(), two.read_at), (true, None), "listed zone, records not read");
        assert_eq!(two.zone.vpcs.as_ref().map(Vec::len), Some(1));
        assert!(!zones.changes[0].in_sync && zones.changes[0].zone_id == ZoneId::new("Z1"));
    }

    #[test]
    fn a_bad_zone_keeps_the_others_and_is_never_partial() {
        let second = r#"{"ResourceRecordSets":[{"Name":"example.org.","Type":"NS","TTL":60,"ResourceRecords":[{"Value":"ns.example.net."}]}]}"#;
        let bad = [
            ("{\"Resou", Reason::Parse),
            (r#"{"HostedZones":[]}"#, Reason::Parse),
            (r#"{"ResourceRecordSets":[]}"#, Reason::EmptySuspicious),
            (r#"{"ResourceRecordSets":[{"Name":"a.example.com.","Type":"A"}]}"#, Reason::Parse),
            (&RECORDS.replacen('{', r#"{"NextToken":"x","#, 1), Reason::Parse),
            (&RECORDS.replacen('{', r#"{"IsTruncated":true,"#, 1), Reason::Parse),
        ];
        for (text, code) in bad {
            let (zones, problems) = read(&[
                ("hosted-zones.json", LIST),
                ("Z1/record-sets.json", text),
                ("Z2/record-sets.json", second),
            ]);
            let zones = zones.expect("read");
            assert!(zones.zones[&ZoneId::new("Z1")].record_sets.is_none(), "{text}");
            assert_eq!(zones.zones[&ZoneId::new("Z2")].records().len(), 1, "{text}");
            assert_eq!(problems.len(), 1, "{text}");
            assert_eq!((problems[0].scope.as_str(), problems[0].code), ("Z1", code), "{text}");
            assert!(problems[0].message.contains("record-sets.json"), "{}", problems[0].message);
        }
        let many = LIST.replace("Count\":1", "Count\":100");
        let (zones, problems) = read(&[("hosted-zones.json", &many), ("Z1/record-sets.json", RECORDS)]);
        assert!(zones.expect("read").zones[&ZoneId::new("Z1")].record_sets.is_none());
        assert!(problems[0].message.contains("1 of 100"), "{}", problems[0].message);
    }

    #[test]
    fn a_bad_list_of_zones_is_no_list() {
        for text in ["", "{", &LIST.replacen('{', r#"{"NextToken":"x","#, 1)] {
            let (zones, problems) = read(&[("hosted-zones.json", text)]);
            assert_eq!((zones, problems.len(), problems[0].scope.as_str()), (None, 1, "all"), "{text}");
        }
        let (zones, problems) = read(&[("hosted-zones.json", &LIST.replace("/hostedzone/Z2", ".."))]);
        assert_eq!((zones.expect("read").zones.len(), problems.len()), (1, 1), "no way out of the folder");
    }
}

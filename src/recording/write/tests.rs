use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::finding::Reason;
use crate::model::zone::{Dnssec, RecordSets, Vpc, ZoneLimit};
use crate::model::{DomainName, RecordSet, ZoneId};
use crate::recorded::decode::{RawHostedZone, RawRecordSet};
use crate::recording::index::read_index;
use crate::recording::logs::{LogFile, Scrape};
use crate::recording::round::read_round;

fn at() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().expect("time")
}

fn zones() -> Zones {
    let records = r#"[
        {"Name":"example.com.","Type":"NS","TTL":300,"ResourceRecords":[{"Value":"ns-1.example.net."}]},
        {"Name":"\\052.example.com.","Type":"A","TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]},
        {"Name":"a.example.com.","Type":"A","AliasTarget":{"HostedZoneId":"Z2","DNSName":"lb.example.net.","EvaluateTargetHealth":true}}
    ]"#;
    let raw: Vec<RawRecordSet> = serde_json::from_str(records).expect("json");
    let records: Vec<RecordSet> = raw.iter().map(|raw| raw.decode().expect("whole")).collect();
    let zone = |id: &str, private: bool| {
        let mut raw =
            RawHostedZone { id: id.into(), name: "example.com.".into(), ..RawHostedZone::default() };
        raw.config.private_zone = private;
        raw.resource_record_set_count = Some(3);
        raw.decode().expect("whole")
    };
    let mut public = zone("Z1", false);
    public.delegation_set = vec![DomainName::new("ns-1.example.net")];
    public.vpcs = Some(Vec::new());
    public.limit = Some(ZoneLimit { limit: 10_000, count: 3 });
    public.dnssec = Some(Dnssec {
        serve_signature: "SIGNING".into(),
        ds_records: vec!["1 13 2 AA".into()],
        failing_ds_records: vec!["2 13 2 BB".into()],
    });
    let mut private = zone("Z2", true);
    private.vpcs = Some(vec![Vpc { region: "us-east-1".into(), id: "vpc-1".into() }]);
    let change =
        ChangeInfo { id: "C1".into(), zone_id: ZoneId::new("Z1"), in_sync: false, submitted_at: at() };
    let reading = |zone: HostedZone, records: Option<Vec<RecordSet>>| {
        let read_at = records.as_ref().map(|_| at());
        (
            zone.id.clone(),
            ZoneReading {
                zone,
                record_sets: records.map(RecordSets::new).map(Arc::new),
                read_at,
                names_read: BTreeMap::new(),
                list_failed: false,
                above: None,
            },
        )
    };
    Zones {
        zones: [reading(public, Some(records)), reading(private, None), reading(zone("Z3", false), None)]
            .into(),
        changes: vec![change],
        ..Zones::default()
    }
}

fn full_round() -> RawRound {
    let observation = r#"{"at":"2026-11-23T10:00:00Z","vantage":"recursive","view":"public","server":"192.0.2.53","transport":"udp","name":"a.example.com.","type":"A","outcome":"nxdomain","rcode":"NXDOMAIN","authority":[{"name":"example.com.","type":"SOA","ttl":60,"data":"x"}],"ede":{"code":9,"text":"no key"},"rtt_ms":3.25}"#;
    RawRound {
        at: at(),
        kubernetes: Some(vec![
            json!({"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{"name":"a","namespace":"shop","creationTimestamp":"2026-11-23T10:00:00Z"}}),
            json!({"apiVersion":"v1","kind":"Service","metadata":{"name":"b","namespace":"shop"}}),
        ]),
        route53: Some(zones()),
        dns: Some(vec![serde_json::from_str(observation).expect("observation")]),
        logs: Logs {
            logs: vec![LogFile {
                namespace: "ops".into(),
                pod: "external-dns-1".into(),
                container: "main".into(),
                lines: vec!["level=info".into(), String::new(), "level=error".into()],
            }],
            scrapes: vec![Scrape {
                namespace: "ops".into(),
                pod: "external-dns-1".into(),
                text: "up 1\n".into(),
            }],
        },
        cloudtrail: Some("{\"Events\":[]}".into()),
        problems: vec![(
            ViewName::Kubernetes,
            Problem {
                scope: "Service".into(),
                code: Reason::Forbidden,
                message: "may not: \"list\" #1".into(),
            },
        )],
    }
}

#[test]
fn what_was_written_is_read_again() {
    let dir = tempfile::tempdir().expect("folder");
    let target = dir.path().join("recording");
    let mut nothing_found = RawRound::empty(at() + jiff::SignedDuration::from_secs(60));
    nothing_found.kubernetes = Some(Vec::new());
    nothing_found.dns = Some(Vec::new());
    nothing_found.route53 = Some(Zones::default());
    let nothing_read = RawRound::empty(at() + jiff::SignedDuration::from_secs(120));
    let rounds = [full_round(), nothing_found, nothing_read];
    let config = json!({"leftovers": {"scope": "zone"}});
    write_recording(&target, &rounds, Some(&config)).expect("written");
    let index = read_index(&target).expect("index");
    assert_eq!(index.config, config);
    let read: Vec<RawRound> = index.rounds.iter().map(|round| read_round(&round.dir, round.at)).collect();
    assert_eq!(read, rounds);
    assert!(read[0].changes_present() && !read[2].changes_present());
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("folder").collect();
    assert_eq!(left.len(), 1, "no partial folder is left: {left:?}");
}

#[test]
fn nothing_is_overwritten_and_nothing_half_is_left() {
    let dir = tempfile::tempdir().expect("folder");
    let full = dir.path().join("full");
    std::fs::create_dir(&full).expect("folder");
    write_recording(&full, &[RawRound::empty(at())], None).expect("an empty folder is fine");
    let error = write_recording(&full, &[RawRound::empty(at())], None).expect_err("not empty");
    assert!(matches!(error, WriteError::NotEmpty(_)), "{error}");

    let mut bad = full_round();
    bad.logs.logs[0].pod = "../../escape".into();
    let target = dir.path().join("bad");
    write_recording(&target, &[bad], None).expect_err("a bad pod name");
    assert_eq!(std::fs::read_dir(dir.path()).expect("folder").count(), 1, "only the good one");
}

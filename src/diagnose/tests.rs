use super::*;
use crate::changes::cloudtrail;
use crate::changes::log::{LogParser, startup};
use crate::model::change::FeedSource;
use crate::model::text::printable;

const ALIAS: &str = "Tried to create an alias that targets 203.0.113.10., type A in zone ZPUB, but the alias target name does not lie within the target zone";

/// Reads logs in order, after CloudTrail.
fn diagnose(trail: &str, logs: &[&str]) -> Diagnosis {
    let mut collector = Collector::default();
    if !trail.is_empty() {
        cloudtrail::read(trail).events.iter().for_each(|event| collector.take(event));
    }
    for (pod, log) in logs.iter().enumerate() {
        let source =
            FeedSource::Log { namespace: "".into(), pod: format!("log {pod}").into(), container: "".into() };
        let mut parser = LogParser::new(source, Timestamp::UNIX_EPOCH);
        for line in log.lines() {
            if let Some(info) = startup(line) {
                collector.start_up(&info);
            }
            parser.push(line).iter().for_each(|event| collector.take(event));
        }
        parser.finish().iter().for_each(|event| collector.take(event));
    }
    collector.finish(Vec::new())
}

/// `subject reason cause state count`, `?` before what is not certain.
fn rows(diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis
        .refused
        .iter()
        .map(|one| {
            let subject =
                one.subject.as_ref().map_or("-".to_owned(), |subject| printable(&subject.to_string()));
            let cause = one.cause.as_ref().map_or("-".to_owned(), ToString::to_string);
            let doubt = if one.certain { "" } else { "?" };
            format!("{doubt}{subject} {} {cause} {:?} {}", one.reason, one.state, one.count)
        })
        .collect()
}

/// One reconcile of v0.14.2: the batch, its refusal, the result.
fn reconcile(minute: u8, names: &[&str], sentences: &[&str], updated: u64) -> String {
    let line = |level: &str, text: &str| {
        format!("time=\"2026-11-23T09:{minute:02}:00Z\" level={level} msg=\"{text}\"\n")
    };
    let mut log = String::new();
    for name in names {
        log.push_str(&line("info", &format!("Desired change: CREATE {name} A [Id: /hostedzone/ZPUB]")));
        log.push_str(&line("info", &format!("Desired change: CREATE a-{name} TXT [Id: /hostedzone/ZPUB]")));
    }
    let error = format!(
        "InvalidChangeBatch: [{}]\\n\\tstatus code: 400, request id: r{minute}",
        sentences.join(", ")
    );
    if !sentences.is_empty() {
        log.push_str(&line(
            "error",
            &format!(
                "Failure in zone example.com. [Id: /hostedzone/ZPUB] when submitting change batch: {error}"
            ),
        ));
        if 1 < names.len() {
            let error = error.replace("request id: r", "request id: s");
            log.push_str(&line("error", &format!("Failed submitting change (error: {error}), it will be retried in a separate change batch in the next iteration")));
        }
    }
    if 0 < updated {
        log.push_str(&line(
            "info",
            &format!(
                "{updated} record(s) in zone example.com. [Id: /hostedzone/ZPUB] were successfully updated"
            ),
        ));
    }
    if !sentences.is_empty() {
        log.push_str(&line("error", "Failed to do run once: soft error\\nfailed to submit all changes for the following zones: [/hostedzone/ZPUB]"));
    }
    log
}

/// The anchor case: nothing but the log of a controller that asks for an alias to an address.
#[test]
fn an_alias_to_an_address() {
    let log: String =
        (0..5).map(|minute| reconcile(minute, &["realtime.example.com"], &[ALIAS], 0)).collect();
    let diagnosis = diagnose("", &[&log]);
    assert_eq!(
        rows(&diagnosis),
        ["realtime.example.com/A alias_target_not_in_zone invalid_desired:alias_on_ip Refused 5"]
    );
    let one = &diagnosis.refused[0];
    assert_eq!(one.zone_id, Some(ZoneId::new("ZPUB")));
    assert_eq!(one.zone, Some(DomainName::new("example.com")));
    assert_eq!(one.request_id.as_deref(), Some("r4"));
    assert_eq!(
        (one.first_at.to_string(), one.last_at.to_string()),
        ("2026-11-23T09:00:00Z".into(), "2026-11-23T09:04:00Z".into())
    );
    assert!(one.advice.contains("203.0.113.10") && one.advice.contains("annotation"), "{}", one.advice);
    assert!(diagnosis.stands());
}

/// The refusal names nobody; what is tried again each minute is the culprit.
#[test]
fn the_one_that_is_tried_again_is_the_culprit() {
    let first = reconcile(0, &["a.example.com", "bad.example.com", "c.example.com"], &[ALIAS], 4);
    assert_eq!(
        rows(&diagnose("", &[&first])),
        ["a", "bad", "c"].map(|name| format!(
            "?{name}.example.com/A alias_target_not_in_zone invalid_desired:alias_on_ip Refused 1"
        ))
    );
    let log = first + &reconcile(1, &["bad.example.com", "d.example.com"], &[ALIAS], 2);
    assert_eq!(
        rows(&diagnose("", &[&log])),
        ["bad.example.com/A alias_target_not_in_zone invalid_desired:alias_on_ip Refused 2"]
    );
}

/// Two records with the same fault give two equal sentences.
#[test]
fn equal_sentences_tell_how_many() {
    let log = reconcile(0, &["a.example.com", "b.example.com"], &[ALIAS, ALIAS], 0);
    let diagnosis = diagnose("", &[&log]);
    assert_eq!(
        rows(&diagnosis),
        ["a", "b"].map(|name| format!(
            "{name}.example.com/A alias_target_not_in_zone invalid_desired:alias_on_ip Refused 1"
        ))
    );
}

#[test]
fn ownership_records_lead_to_their_host() {
    let sentence = |name: &str| {
        format!("Tried to create resource record set [name='{name}', type='TXT'] but it already exists")
    };
    let known = sentence("a-clm.example.com.");
    let wildcard = sentence("edns-cname-\\\\052.apps.example.com.");
    let log = reconcile(0, &["clm.example.com", "*.apps.example.com"], &[&known, &wildcard], 0);
    assert_eq!(
        rows(&diagnose("", &[&log])),
        [
            "*.apps.example.com/A already_exists owner_orphan Refused 1",
            "clm.example.com/A already_exists owner_orphan Refused 1"
        ]
    );
    // The log began after the batch: the start-up line tells the prefix.
    let config = "time=\"2026-11-23T09:00:00Z\" level=info msg=\"config: {TXTOwnerID:x TXTPrefix:edns- TXTSuffix:}\"\n";
    let late = config.to_owned() + &reconcile(0, &[], &[&sentence("edns-cname-www.example.com.")], 0);
    assert_eq!(
        rows(&diagnose("", &[&late])),
        ["www.example.com/CNAME already_exists owner_orphan Refused 1"]
    );
}

/// Before v0.13.4 the whole batch is lost, later nobody but the culprit.
#[test]
fn victims_of_a_batch_that_is_never_split() {
    let old = "time=\"2026-11-23T09:56:30Z\" level=info msg=\"Desired change: CREATE ..sub.example.com A\"\n\
               time=\"2026-11-23T09:56:30Z\" level=info msg=\"Desired change: CREATE good.example.com A\"\n\
               time=\"2026-11-23T09:56:30Z\" level=error msg=\"InvalidChangeBatch: FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '.sub.example.com'\\n\\tstatus code: 400, request id: 8a\"\n";
    assert_eq!(
        rows(&diagnose("", &[old])),
        [
            "..sub.example.com/A illegal_name invalid_desired:empty_label Refused 1",
            "good.example.com/A batch_victim failed_change:..sub.example.com Refused 1"
        ]
    );
    let new = reconcile(
        0,
        &["bad.example.com", "good.example.com"],
        &[
            "RRSet of type A with DNS name bad.example.com. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.com.",
        ],
        2,
    );
    assert_eq!(rows(&diagnose("", &[&new])), ["bad.example.com/A cname_conflict - Refused 1"]);
}

#[test]
fn what_happened_later() {
    let refused = reconcile(0, &["a.example.com"], &[ALIAS], 0);
    let applied = refused.clone() + &reconcile(1, &["a.example.com"], &[], 2);
    let diagnosis = diagnose("", &[&applied]);
    assert_eq!(
        rows(&diagnosis)[0],
        "a.example.com/A alias_target_not_in_zone invalid_desired:alias_on_ip Applied 1"
    );
    assert!(!diagnosis.stands());
    let quiet =
        refused + "time=\"2026-11-23T09:05:00Z\" level=info msg=\"All records are already up to date\"\n";
    assert!(rows(&diagnose("", &[&quiet]))[0].ends_with("NoLongerTried 1"));
}

fn record(request: &str) -> String {
    serde_json::json!({
        "eventID": request, "eventTime": "2026-11-23T09:00:00Z", "eventName": "ChangeResourceRecordSets",
        "eventSource": "route53.amazonaws.com", "errorCode": "InvalidChangeBatch", "errorMessage": format!("[{ALIAS}]"),
        "requestID": request, "userIdentity": {"arn": "arn:aws:iam::111122223333:role/external-dns"},
        "requestParameters": {"hostedZoneId": "ZPUB", "changeBatch": {"changes": [
            {"action": "CREATE", "resourceRecordSet": {"name": "bad.example.com", "type": "A",
             "aliasTarget": {"dNSName": "203.0.113.10", "hostedZoneId": "ZPUB"}}},
            {"action": "CREATE", "resourceRecordSet": {"name": "c.example.com", "type": "A", "tTL": 300,
             "resourceRecords": [{"value": "203.0.113.10"}]}},
            {"action": "CREATE", "resourceRecordSet": {"name": "d.example.com", "type": "A",
             "aliasTarget": {"dNSName": "lb.example.net", "hostedZoneId": "ZLB"}}}]}}
    })
    .to_string()
}

/// CloudTrail tells the values, so the name is certain; the same call in the log is not counted again.
#[test]
fn log_and_trail_are_one() {
    let trail = format!("[{},{}]", record("r0"), record("r1"));
    let expected = "bad.example.com/A alias_target_not_in_zone invalid_desired:alias_on_ip Refused 2";
    let shown = |diagnosis: &Diagnosis| -> Vec<String> {
        rows(diagnosis).into_iter().filter(|row| !row.contains("batch_victim")).collect()
    };
    assert_eq!(shown(&diagnose(&trail, &[])), [expected]);
    let log = reconcile(0, &["bad.example.com", "c.example.com", "d.example.com"], &[ALIAS], 4)
        + &reconcile(1, &["bad.example.com"], &[ALIAS], 0);
    let both = diagnose(&trail, &[&log]);
    assert_eq!(shown(&both), [expected]);
    assert_eq!(both.refused[0].principal.as_deref(), Some("arn:aws:iam::111122223333:role/external-dns"));
}

/// Two replicas of one controller, and a reconcile that fails for another reason.
#[test]
fn several_logs_and_failed_runs() {
    let refused = reconcile(0, &["a.example.com"], &[ALIAS], 0);
    let denied = r#"time="2026-11-23T09:00:00Z" level=error msg="Failed to do run once: soft error\nrecords retrieval failed: operation error Route 53: ListHostedZones, https response error StatusCode: 403, RequestID: 1, api error AccessDenied: User: x is not authorized to perform: route53:ListHostedZones""#;
    let diagnosis = diagnose("", &[&refused, denied]);
    assert_eq!(rows(&diagnosis).len(), 1);
    assert_eq!(diagnosis.failed_runs.len(), 1);
    assert_eq!((diagnosis.failed_runs[0].reason, diagnosis.failed_runs[0].count), (Reason::AccessDenied, 1));
}

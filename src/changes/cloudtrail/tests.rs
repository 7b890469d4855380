use super::*;
use proptest::prelude::*;
use serde_json::json;

const REFUSED: &str = r#"{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:1","arn":"arn:aws:sts::111122223333:assumed-role/external-dns/1","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/external-dns"}}},"eventTime":"2026-11-23T09:55:00Z","eventSource":"route53.amazonaws.com","eventName":"ChangeResourceRecordSets","awsRegion":"us-east-1","errorCode":"InvalidChangeBatch","errorMessage":"[Tried to create an alias that targets 203.0.113.10., type A in zone ZPUB0000000001, but the alias target name does not lie within the target zone]","requestParameters":{"hostedZoneId":"/hostedzone/ZPUB0000000001","changeBatch":{"changes":[{"action":"DELETE","resourceRecordSet":{"name":"app.example.com","type":"A","tTL":300,"resourceRecords":[{"value":"203.0.113.10"}]}},{"action":"CREATE","resourceRecordSet":{"name":"app.example.com","type":"A","aliasTarget":{"dNSName":"203.0.113.10","hostedZoneId":"ZPUB0000000001","evaluateTargetHealth":true}}},{"action":"CREATE","resourceRecordSet":{"name":"\\052.example.com.","type":"TXT","setIdentifier":"blue","tTL":300,"resourceRecords":[{"value":"\"heritage=external-dns\""}]}}]}},"responseElements":null,"requestID":"2462ae54-90da","eventID":"2eea32b6-7314"}"#;

const DENIED: &str = r#"{"userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/external-dns/1"},"eventTime":"2026-11-23T06:50:10Z","eventSource":"route53.amazonaws.com","eventName":"ChangeResourceRecordSets","errorCode":"AccessDeniedException","errorMessage":"User: arn:aws:sts::111122223333:assumed-role/external-dns/1 is not authorized to perform: route53:ChangeResourceRecordSets on resource: arn:aws:route53:::hostedzone/Z0EXAMPLE1 because no identity-based policy allows it","requestParameters":null,"eventID":"7d0c5ad1-2"}"#;

#[test]
fn refused() {
    let reading = read(REFUSED);
    assert_eq!(reading.problems, []);
    let event = &reading.events[0];
    assert_eq!(event.at, "2026-11-23T09:55:00Z".parse().unwrap());
    assert_eq!(
        event.source,
        FeedSource::CloudTrail {
            event_id: "2eea32b6-7314".into(),
            principal: "arn:aws:iam::111122223333:role/external-dns".into()
        }
    );
    let ChangeEventKind::Refused(batch) = &event.kind else { panic!("{event:?}") };
    assert_eq!(batch.zone_id, Some(ZoneId::new("ZPUB0000000001")));
    assert_eq!((&*batch.code, batch.request_id.as_deref()), ("InvalidChangeBatch", Some("2462ae54-90da")));
    assert_eq!(batch.errors[0].reason, Reason::AliasTargetNotInZone);
    let shown: Vec<String> = batch
        .attempted
        .iter()
        .map(|change| {
            format!(
                "{:?} {} {} {:?} {:?} {:?}",
                change.action,
                change.name,
                change.record_type,
                change.set_identifier,
                change.targets,
                change.alias
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"Delete app.example.com A None ["203.0.113.10"] Some(false)"#,
            r#"Create app.example.com A None ["203.0.113.10"] Some(true)"#,
            r#"Create *.example.com TXT Some("blue") ["\"heritage=external-dns\""] Some(false)"#,
        ]
    );
}

#[test]
fn denied_without_parameters() {
    let reading = read(DENIED);
    let ChangeEventKind::Refused(batch) = &reading.events[0].kind else { panic!("{reading:?}") };
    assert_eq!(batch.zone_id, Some(ZoneId::new("Z0EXAMPLE1")));
    assert_eq!((&*batch.code, batch.errors[0].reason), ("AccessDenied", Reason::AccessDenied));
    let FeedSource::CloudTrail { principal, .. } = &reading.events[0].source else { panic!("{reading:?}") };
    assert_eq!(&**principal, "arn:aws:sts::111122223333:assumed-role/external-dns/1");
}

#[test]
fn applied() {
    let record = REFUSED.replace("\"errorCode\":\"InvalidChangeBatch\",", "");
    let reading = read(&record);
    let ChangeEventKind::Applied(batch) = &reading.events[0].kind else { panic!("{reading:?}") };
    assert_eq!((batch.count, batch.changes.len()), (Some(3), 3));
}

#[test]
fn envelopes() {
    let record: Value = serde_json::from_str(REFUSED).unwrap();
    let entry = json!({"EventId": "2eea32b6-7314", "EventName": EVENT_NAME, "EventTime": "2026-11-23T09:55:00+00:00", "CloudTrailEvent": REFUSED});
    let bridge =
        json!({"detail-type": "AWS API Call via CloudTrail", "source": "aws.route53", "detail": record});
    let envelopes = [
        json!({"Events": [entry]}),
        json!([record]),
        json!({"Records": [record]}),
        bridge.clone(),
        json!({"Type": "Notification", "Message": bridge.to_string()}),
        json!({"Messages": [{"Body": json!({"Message": bridge.to_string()}).to_string()}]}),
    ];
    for envelope in envelopes {
        assert_eq!(read(&envelope.to_string()), read(REFUSED), "{envelope}");
    }
}

#[test]
fn keys_in_any_case_and_times_of_the_entry() {
    let entry = json!({"EventId": "x-1", "EventTime": 1_795_427_700.0, "CloudTrailEvent": json!({
        "EVENTNAME": EVENT_NAME,
        "RequestParameters": {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": [{"Action": "upsert", "ResourceRecordSet": {
            "Name": "WWW.example.com.", "Type": "cname", "ResourceRecords": [{"Value": "lb.example.net"}]}}]}}
    }).to_string()});
    let reading = read(&json!({"Events": [entry]}).to_string());
    assert_eq!(reading.events[0].at, "2026-11-23T09:55:00Z".parse().unwrap());
    let ChangeEventKind::Applied(batch) = &reading.events[0].kind else { panic!("{reading:?}") };
    assert_eq!(batch.changes[0].name.as_str(), "www.example.com");
    assert_eq!(batch.changes[0].record_type, RecordType::Cname);
}

#[test]
fn a_broken_record_hides_no_other() {
    let other = REFUSED.replace("ChangeResourceRecordSets", "CreateHostedZone");
    let entry = |id: &str, record: &str| json!({"EventId": id, "CloudTrailEvent": record});
    let reading = read(
        &json!({"Events": [
            entry("broken", "{\"eventName\":"),
            entry("none", "{}"),
            {"EventId": "list", "EventName": "ListHostedZones", "CloudTrailEvent": "{"},
            entry("other", &other),
            entry("timeless", "{\"eventName\":\"ChangeResourceRecordSets\"}"),
            entry("good", DENIED),
            entry("huge", &"x".repeat(MAX_TRAIL_RECORD + 1)),
        ]})
        .to_string(),
    );
    assert_eq!(reading.events.len(), 1);
    let scopes: Vec<&str> = reading.problems.iter().map(|problem| problem.scope.as_str()).collect();
    assert_eq!(scopes, ["cloudtrail/broken", "cloudtrail/none", "cloudtrail/timeless", "cloudtrail/huge"]);
    assert!(reading.problems.iter().all(|problem| problem.code == Reason::Parse));
    assert_eq!(read("{").problems.len(), 1);
    assert_eq!(read("{\"Events\": []}"), TrailReading::default());
}

#[test]
fn each_id_once() {
    let mut events = read(&format!("[{REFUSED},{DENIED},{REFUSED}]")).events;
    dedup(&mut events);
    assert_eq!(events.len(), 2);
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,200}") {
        let reading = read(&text);
        prop_assert!(reading.problems.len() <= MAX_PROBLEMS);
    }

    /// Any field may be missing or of any other type.
    #[test]
    fn survives_any_hole(path in 0_usize..12, depth in 0_usize..4, value in prop_oneof![Just(json!(null)), Just(json!([])), Just(json!({})), Just(json!(-1.5)), Just(json!("x"))]) {
        let mut record: Value = serde_json::from_str(REFUSED).unwrap();
        let mut pointer = String::new();
        for _ in 0..depth {
            let Some(object) = record.pointer(&pointer).and_then(Value::as_object) else { break };
            let Some(key) = object.keys().nth(path % object.len().max(1)) else { break };
            pointer = format!("{pointer}/{key}");
        }
        *record.pointer_mut(&pointer).unwrap() = value;
        let reading = read(&record.to_string());
        prop_assert!(reading.events.len() + reading.problems.len() <= 1);
    }

    #[test]
    fn deep_envelopes_end(depth in 0_usize..40) {
        let text = format!("{}{}{}", "[".repeat(depth), REFUSED, "]".repeat(depth));
        let reading = read(&text);
        prop_assert_eq!(reading.events.len() + reading.problems.len(), 1);
    }
}

use super::*;
use crate::limits::{MAX_BATCH_CHANGES, MAX_CANDIDATES};
use crate::model::RecordType;
use crate::model::change::Action;
use proptest::prelude::*;

const NOW: &str = "2026-11-23T10:00:00Z";

fn parser() -> LogParser {
    let source = FeedSource::Log { namespace: "dns".into(), pod: "edns-1".into(), container: "edns".into() };
    LogParser::new(source, NOW.parse().unwrap())
}

fn run(log: &str) -> Vec<ChangeEvent> {
    let mut parser = parser();
    let mut events: Vec<ChangeEvent> = log.lines().flat_map(|line| parser.push(line)).collect();
    events.extend(parser.finish());
    events
}

/// One word for each event, for tables.
fn shape(events: &[ChangeEvent]) -> Vec<String> {
    events
        .iter()
        .map(|event| match &event.kind {
            ChangeEventKind::Refused(batch) => {
                let reasons: Vec<&str> = batch.errors.iter().map(|error| error.reason.as_str()).collect();
                let zone = batch.zone_id.as_ref().map_or("-", ZoneId::as_str);
                let how = if batch.alone { "alone" } else { "refused" };
                format!("{how} {zone} {} {}", batch.attempted.len(), reasons.join(","))
            }
            ChangeEventKind::Applied(batch) => format!(
                "applied {} {} {}",
                batch.zone_id.as_ref().map_or("-", ZoneId::as_str),
                batch.count.unwrap_or(0),
                batch.changes.len()
            ),
            ChangeEventKind::RunFailed { reason, zones, sums_up_batches, fatal, .. } => {
                let zones: Vec<&str> = zones.iter().map(ZoneId::as_str).collect();
                let flags = [(*sums_up_batches, "sum"), (*fatal, "fatal")];
                let flags = flags.iter().filter(|(on, _)| *on).map(|(_, word)| (*word).to_owned());
                let words =
                    ["failed".to_owned(), reason.to_string(), zones.join(",")].into_iter().chain(flags);
                words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
            }
            ChangeEventKind::RunSucceeded => "succeeded".to_owned(),
            ChangeEventKind::Skipped { name, record_type, why } => {
                let record_type = record_type.as_ref().map_or("-", RecordType::as_str);
                format!("skipped {name} {record_type} {why:?}")
            }
        })
        .collect()
}

fn names(batch: &[AttemptedChange]) -> Vec<String> {
    batch.iter().map(|change| format!("{:?} {} {}", change.action, change.name, change.record_type)).collect()
}

#[test]
fn v0_14_json_two_rounds() {
    let log = r#"{"level":"info","msg":"Applying provider record filter for domains: [example.com. .example.com.]","time":"2026-11-23T09:56:35Z"}
{"level":"info","msg":"Desired change: CREATE cname-realtime.example.com TXT [Id: /hostedzone/ZPUB0000000001]","time":"2026-11-23T09:56:35Z"}
{"level":"info","msg":"Desired change: CREATE realtime.example.com A [Id: /hostedzone/ZPUB0000000001]","time":"2026-11-23T09:56:35Z"}
{"level":"info","msg":"Desired change: CREATE realtime.example.com TXT [Id: /hostedzone/ZPUB0000000001]","time":"2026-11-23T09:56:35Z"}
{"level":"error","msg":"Failure in zone example.com. [Id: /hostedzone/ZPUB0000000001] when submitting change batch: InvalidChangeBatch: [Tried to create an alias that targets 74.17.111.38., type A in zone ZPUB0000000001, but the alias target name does not lie within the target zone]\n\tstatus code: 400, request id: 4ac62537-d5a2-4449-9140-e9bffc117c75","time":"2026-11-23T09:56:35Z"}
{"level":"error","msg":"Failed to do run once: soft error\nfailed to submit all changes for the following zones: [/hostedzone/ZPUB0000000001]","time":"2026-11-23T09:56:35Z"}
{"level":"info","msg":"Desired change: CREATE realtime.example.com A [Id: /hostedzone/ZPUB0000000001]","time":"2026-11-23T09:57:35Z"}
{"level":"error","msg":"Failure in zone example.com. [Id: /hostedzone/ZPUB0000000001] when submitting change batch: Throttling: Rate exceeded\n\tstatus code: 400, request id: 1","time":"2026-11-23T09:57:35Z"}"#;
    let events = run(log);
    assert_eq!(
        shape(&events),
        [
            "refused ZPUB0000000001 3 alias_target_not_in_zone",
            "failed unknown ZPUB0000000001 sum",
            "refused ZPUB0000000001 1 throttled"
        ]
    );
    assert_eq!(events[0].at, "2026-11-23T09:56:35Z".parse().unwrap());
    let ChangeEventKind::Refused(batch) = &events[0].kind else { panic!("{events:?}") };
    assert_eq!(batch.zone_name, Some(DomainName::new("example.com")));
    assert_eq!(batch.request_id.as_deref(), Some("4ac62537-d5a2-4449-9140-e9bffc117c75"));
    assert_eq!(batch.errors[0].target.as_deref(), Some("74.17.111.38"));
    assert_eq!(
        names(&batch.attempted),
        [
            "Create cname-realtime.example.com TXT",
            "Create realtime.example.com A",
            "Create realtime.example.com TXT"
        ]
    );
}

#[test]
fn v0_15_fields_and_sdk_v2() {
    let log = r#"time="2026-11-23T09:47:52Z" level=info msg="Desired change: DELETE app.example.com A" profile=default zoneID=/hostedzone/ZPUB zoneName=example.com.
time="2026-11-23T09:47:52Z" level=info msg="Desired change: CREATE app.example.com A" profile=default zoneID=/hostedzone/ZPUB zoneName=example.com.
time="2026-11-23T09:47:52Z" level=error msg="Failure in zone example.com. when submitting change batch: operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 400, RequestID: 86a4dd13-f969, InvalidChangeBatch: [Tried to create an alias that targets 203.0.113.10., type A in zone ZPUB, but the alias target name does not lie within the target zone]" profile=default zoneID=/hostedzone/ZPUB zoneName=example.com.
time="2026-11-23T09:47:52Z" level=error msg="Failed to do run once: soft error\nfailed to submit all changes for the following zones: [/hostedzone/ZPUB] (consecutive soft errors: 108)""#;
    let events = run(log);
    assert_eq!(shape(&events), ["refused ZPUB 2 alias_target_not_in_zone", "failed unknown ZPUB sum"]);
    let ChangeEventKind::Refused(batch) = &events[0].kind else { panic!("{events:?}") };
    assert_eq!((batch.attempted[0].action, batch.code.as_ref()), (Action::Delete, "InvalidChangeBatch"));
    assert_eq!(batch.request_id.as_deref(), Some("86a4dd13-f969"));
}

#[test]
fn v0_13_two_lines() {
    let log = r#"time="2026-11-23T09:56:51Z" level=info msg="Desired change: CREATE demo.example.com A [Id: /hostedzone/Z1]"
time="2026-11-23T09:56:51Z" level=info msg="Desired change: CREATE demo.example.com TXT [Id: /hostedzone/Z1]"
time="2026-11-23T09:56:51Z" level=error msg="Failure in zone example.com. [Id: /hostedzone/Z1]"
time="2026-11-23T09:56:51Z" level=error msg="InvalidChangeBatch: [RRSet of type A with DNS name demo.example.com. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.com., RRSet of type TXT with DNS name demo.example.com. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.com.]\n\tstatus code: 400, request id: 21f34463"
time="2026-11-23T09:56:51Z" level=error msg="Failed to submit all changes for the following zones: [/hostedzone/Z1]"
time="2026-11-23T09:57:51Z" level=error msg="Failure in zone example.com. [Id: /hostedzone/Z1]""#;
    assert_eq!(
        shape(&run(log)),
        ["refused Z1 2 cname_conflict,cname_conflict", "failed unknown Z1 sum", "refused Z1 0 "]
    );
}

#[test]
fn v0_5_only_the_error() {
    let round = r#"time="2026-11-23T09:56:30Z" level=info msg="Desired change: CREATE ..sub.example.com A"
time="2026-11-23T09:56:30Z" level=info msg="Desired change: CREATE good.example.com TXT"
time="2026-11-23T09:56:30Z" level=error msg="InvalidChangeBatch: FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '.sub.example.com'\n\tstatus code: 400, request id: 8a47172a""#;
    let events = run(&format!("{round}\n{}", round.replace("09:56", "09:57")));
    assert_eq!(shape(&events), ["refused - 2 illegal_name", "refused - 2 illegal_name"]);
    let ChangeEventKind::Refused(batch) = &events[1].kind else { panic!("{events:?}") };
    assert_eq!(batch.attempted[0].name.as_str(), "..sub.example.com");
    assert_eq!(batch.errors[0].fragment.as_deref(), Some(".sub.example.com"));
}

#[test]
fn split_batch_at_info_level_and_a_crash() {
    let log = r#"time="2026-11-23T09:47:20Z" level=info msg="Desired change: CREATE clm.example.com A [Id: /hostedzone/Z1]"
time="2026-11-23T09:47:20Z" level=info msg="Desired change: CREATE clm.example.com TXT [Id: /hostedzone/Z1]"
time="2026-11-23T09:47:20Z" level=info msg="Desired change: CREATE new.example.com A [Id: /hostedzone/Z1]"
time="2026-11-23T09:47:20Z" level=error msg="Failure in zone example.com. [Id: /hostedzone/Z1] when submitting change batch: InvalidChangeBatch: [Tried to create resource record set [name='clm.example.com.', type='TXT'] but it already exists]\n\tstatus code: 400, request id: 1"
time="2026-11-23T09:47:20Z" level=error msg="Failed submitting change (error: InvalidChangeBatch: [Tried to create resource record set [name='clm.example.com.', type='TXT'] but it already exists]\n\tstatus code: 400, request id: 2), it will be retried in a separate change batch in the next iteration"
time="2026-11-23T09:47:20Z" level=info msg="1 record(s) in zone example.com. [Id: /hostedzone/Z1] were successfully updated"
time="2026-11-23T09:47:20Z" level=fatal msg="failed to submit all changes for the following zones: [/hostedzone/Z1]""#;
    let events = run(log);
    assert_eq!(
        shape(&events),
        [
            "refused Z1 3 already_exists",
            "alone Z1 3 already_exists",
            "applied Z1 1 0",
            "failed unknown Z1 sum fatal"
        ]
    );
    let ChangeEventKind::Refused(batch) = &events[1].kind else { panic!("{events:?}") };
    assert_eq!(batch.request_id.as_deref(), Some("2"));
}

#[test]
fn split_batch_at_debug_level_names_the_group() {
    let line = |level: &str, text: &str| {
        format!(
            "time=\"2026-11-23T09:47:20Z\" level={level} msg=\"{text}\" zoneID=/hostedzone/Z1 zoneName=example.com."
        )
    };
    let changes = [
        "Desired change: CREATE a.example.com A",
        "Desired change: CREATE a-a.example.com TXT",
        "Desired change: CREATE bad.example.com A",
        "Desired change: CREATE a-bad.example.com TXT",
        "Desired change: CREATE c.example.com A",
    ];
    let refusal = "InvalidChangeBatch: [Tried to create an alias that targets 203.0.113.1., type A in zone Z1, but that target was not found]";
    let mut log: Vec<String> = changes.iter().map(|text| line("info", text)).collect();
    log.push(line("error", &format!("Failure in zone example.com. when submitting change batch: {refusal}")));
    log.push(line("debug", "Trying to submit change sets one-by-one instead"));
    log.extend(changes.iter().take(4).map(|text| line("debug", text)));
    log.push(line("error", &format!("Failed submitting change (error: {refusal}), it will be retried in a separate change batch in the next iteration")));
    log.extend(changes.iter().skip(4).map(|text| line("debug", text)));
    log.push(line("info", "3 record(s) were successfully updated"));
    let events = run(&log.join("\n"));
    assert_eq!(
        shape(&events),
        ["refused Z1 5 alias_target_not_found", "alone Z1 2 alias_target_not_found", "applied Z1 3 0"]
    );
    let ChangeEventKind::Refused(batch) = &events[1].kind else { panic!("{events:?}") };
    assert_eq!(names(&batch.attempted), ["Create bad.example.com A", "Create a-bad.example.com TXT"]);
    assert_eq!(batch.zone_name, Some(DomainName::new("example.com")));
}

#[test]
fn success_and_interleaved_zones() {
    let log = r#"time="2026-11-23T09:00:00Z" level=info msg="Desired change: CREATE a.example.com A" zoneID=/hostedzone/Z1 zoneName=example.com.
time="2026-11-23T09:00:00Z" level=info msg="Desired change: UPSERT b.example.org A" zoneID=/hostedzone/Z2 zoneName=example.org.
time="2026-11-23T09:00:00Z" level=info msg="Desired change: CREATE a-a.example.com TXT" zoneID=/hostedzone/Z1 zoneName=example.com.
time="2026-11-23T09:00:01Z" level=info msg="2 record(s) were successfully updated" zoneID=/hostedzone/Z1 zoneName=example.com.
time="2026-11-23T09:00:01Z" level=info msg="9 record(s) in zone example.org. [Id: /hostedzone/Z2] were successfully updated"
time="2026-11-23T09:01:00Z" level=info msg="All records are already up to date, there are no changes for the matching hosted zones""#;
    let events = run(log);
    assert_eq!(shape(&events), ["applied Z1 2 2", "succeeded", "applied Z2 9 0", "succeeded", "succeeded"]);
}

#[test]
fn a_dry_run_does_not_pile_up() {
    let round = |minute: u8| {
        format!(
            "time=\"2026-11-23T09:{minute:02}:00Z\" level=info msg=\"Desired change: CREATE a.example.com A [Id: /hostedzone/Z1]\"\n"
        )
    };
    let log: String = (0..5).map(round).collect();
    let failure = r#"time="2026-11-23T09:04:00Z" level=error msg="Failure in zone example.com. [Id: /hostedzone/Z1] when submitting change batch: Throttling: Rate exceeded""#;
    assert_eq!(shape(&run(&format!("{log}{failure}"))), ["refused Z1 1 throttled"]);
}

#[test]
fn failed_runs() {
    let check = |level: &str, message: &str, expected: &str| {
        let line = format!("time=\"{NOW}\" level={level} msg=\"{message}\"");
        assert_eq!(shape(&run(&line)), [expected], "{message}");
    };
    check(
        "error",
        r"records retrieval failed: failed to list resource records sets for zone /hostedzone/ZOTH: AccessDenied: User: arn:aws:sts::111122223333:assumed-role/external-dns/1 is not authorized to perform: route53:ListResourceRecordSets on resource: arn:aws:route53:::hostedzone/ZOTH because no identity-based policy allows it\n\tstatus code: 403, request id: 6c",
        "failed access_denied ZOTH",
    );
    check(
        "fatal",
        r#"Failed to do run once: failed to list resource records sets for zone /hostedzone/Z1 using aws profile \"default\": Throttling: Rate exceeded\n\tstatus code: 400"#,
        "failed throttled Z1 fatal",
    );
    check(
        "error",
        "Failed to do run once: soft error\\nrecords retrieval failed: operation error Route 53: ListResourceRecordSets, https response error StatusCode: 403, RequestID: 1, api error AccessDenied: User: arn:x is not authorized to perform: route53:ListResourceRecordSets on resource: arn:aws:route53:::hostedzone/Z9 (consecutive soft errors: 3958)",
        "failed access_denied Z9",
    );
    check(
        "error",
        "Failed to do run once: soft error\\nrecords retrieval failed: operation error Route 53: ListHostedZones, https response error StatusCode: 403, RequestID: 1, api error SignatureDoesNotMatch: Signature expired: 2025",
        "failed credentials",
    );
    check(
        "error",
        r"records retrieval failed: WebIdentityErr: failed to retrieve credentials\ncaused by: RequestError: send request failed",
        "failed credentials",
    );
    check(
        "error",
        "records retrieval failed: failed to list hosted zones: operation error Route 53: ListHostedZones, get identity: get credentials: failed to refresh cached credentials, failed to retrieve credentials, operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403, RequestID: 6fad, api error AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
        "failed credentials",
    );
    check(
        "error",
        "records retrieval failed: failed to list hosted zones: operation error Route 53: ListHostedZones, failed to get rate limit token, retry quota exceeded, 4 available, 5 requested",
        "failed throttled",
    );
    check("error", r"Throttling: Rate exceeded\n\tstatus code: 400, request id: 1", "failed throttled");
    check(
        "error",
        r"failed to list resource records sets for zone /hostedzone/Z1: NoSuchHostedZone: No hosted zone found with ID: Z1\n\tstatus code: 404, request id: 1",
        "failed other_zone Z1",
    );
    check("fatal", "failed to sync *v1.Endpoints: context deadline exceeded", "failed source_error fatal");
    check(
        "fatal",
        r"failed to do run once: ingresses.networking.k8s.io is forbidden: User \x22x\x22 cannot list resource",
        "failed source_error fatal",
    );
    // Up to v0.13.4 nothing stands before the error.
    for bare in [
        r"ingresses.networking.k8s.io is forbidden: User \x22x\x22 cannot list resource",
        "the server could not find the requested resource (get dnsendpoints.externaldns.k8s.io)",
        "Get https://10.96.0.1:443/api/v1/services: dial tcp 10.96.0.1:443: i/o timeout",
        r"Get \x22https://10.96.0.1:443/apis/networking.k8s.io/v1/ingresses\x22: EOF",
    ] {
        check("error", bare, "failed source_error");
    }
    for other in [
        "could not write x: ingresses.networking.k8s.io is forbidden: User x",
        "failed to parse the server could not find the requested resource",
    ] {
        assert_eq!(shape(&run(&format!("level=error msg=\"{other}\""))), [""; 0], "{other}");
    }
    let warned = "level=warning msg=\"the server could not find the requested resource\"";
    assert_eq!(shape(&run(warned)), [""; 0]);
    check("fatal", "flags conflict", "failed unknown fatal");
    assert_eq!(shape(&run("panic: runtime error: index out of range")), ["failed unknown fatal"]);
    assert_eq!(shape(&run("time=\"x\" level=error msg=\"Failed parsing value of aws/weight\"")), [""; 0]);
    assert_eq!(
        shape(&run("level=info msg=\"Reconciliation succeeded after 3 consecutive soft errors\"")),
        ["succeeded"]
    );
}

#[test]
fn skipped_names() {
    let check = |message: &str, expected: &str| {
        let line = serde_json::json!({"level": "debug", "msg": message, "time": NOW}).to_string();
        assert_eq!(shape(&run(&line)), [format!("skipped {expected}")], "{message}");
    };
    check(
        r#"Skipping endpoint app.example.com 0 IN A  203.0.113.10 [] because owner id does not match, found: "", required: "gke-prod""#,
        r#"app.example.com A Owner { found: "", required: "gke-prod" }"#,
    );
    check(
        r#"Skipping endpoint app.example.com 0 IN CNAME blue lb.example.net [] because owner id does not match for one or more items to create, found: "x", required: "y""#,
        r#"app.example.com CNAME Owner { found: "x", required: "y" }"#,
    );
    check(
        r#"Skipping endpoint app.example.com 0 IN A  203.0.113.10 [] because of missing owner label (required: "y")"#,
        r#"app.example.com A Owner { found: "", required: "y" }"#,
    );
    check(
        "Skipping record app.example.net because no hosted zone matching record DNS Name was detected",
        "app.example.net - NoZone",
    );
    check(
        "Skipping record {\n  Action: \"CREATE\",\n  ResourceRecordSet: {\n    Name: \"app.example.net\",\n    Type: \"A\"\n  }\n} because no hosted zone matching record DNS Name was detected",
        "app.example.net A NoZone",
    );
    check(
        "Skipping record app.example.net: pinned hosted zone Z1 is not among the configured/suitable zones",
        "app.example.net - NoZone",
    );
    check(
        "label aaaa in aaaa.example.com is longer than 63 characters. Cannot create endpoint",
        "aaaa.example.com - LabelLength",
    );
    check(
        "Total changes for app.example.com exceeds max batch size of 4, total changes: 6; changes will not be performed",
        "app.example.com - BatchTooLarge",
    );
    check(
        "Domain app.example.com contains conflicting record type candidates; discarding CNAME record",
        "app.example.com CNAME TypeConflict",
    );
}

#[test]
fn times() {
    let mut parser = parser();
    let events = parser.push("level=info msg=\"All records are already up to date\"");
    assert_eq!(events[0].at, NOW.parse().unwrap());
    assert_eq!(parser.stream().last_at, None);
    parser.push("2026-11-23T09:00:00.5Z level=info msg=x");
    let events = parser.push("level=info msg=\"All records are already up to date\"");
    assert_eq!(events[0].at, "2026-11-23T09:00:00.5Z".parse().unwrap());
    assert_eq!(parser.stream().last_at, Some(events[0].at));
}

#[test]
fn start_up_lines() {
    let flags = startup(
        r#"time="2026-11-23T09:00:00Z" level=info msg="config: {APIServerURL: TXTOwnerID:gke-prod Sources:[ingress]}""#,
    );
    assert_eq!(
        flags.unwrap().flags.as_deref(),
        Some("{APIServerURL: TXTOwnerID:gke-prod Sources:[ingress]}")
    );
    let banner = startup(
        r#"{"level":"info","msg":"GitCommitShort=abc, GoVersion=go1.25, Platform=linux/amd64, UserAgent=ExternalDNS/v0.19.0"}"#,
    );
    assert_eq!(banner.unwrap().version, Some(crate::model::Version::new(0, 19, 0)));
    assert_eq!(startup("level=info msg=\"Created Kubernetes client\""), None);
}

/// A batch of the largest size with every group refused must not multiply.
#[test]
fn refused_groups_of_a_huge_batch_stay_bounded() {
    let mut parser = parser();
    for index in 0..MAX_BATCH_CHANGES + 10 {
        parser.push(&format!(
            "level=info msg=\"Desired change: CREATE n{index}.example.com A [Id: /hostedzone/Z1]\""
        ));
    }
    assert_eq!(parser.counts().dropped_changes, 10);
    let list = "Tried to create resource record set [name='n7.example.com.', type='A'] but it already exists";
    let alias = "Tried to create an alias that targets x., type A in zone Z1, but that target was not found";
    parser.push(&format!("level=error msg=\"Failure in zone example.com. [Id: /hostedzone/Z1] when submitting change batch: InvalidChangeBatch: [{list}, {alias}]\""));
    let mut alone = |error: &str| {
        let events = parser.push(&format!("level=error msg=\"Failed submitting change (error: InvalidChangeBatch: [{error}]), it will be retried in a separate change batch in the next iteration\""));
        let ChangeEventKind::Refused(batch) = &events[0].kind else { panic!("{events:?}") };
        names(&batch.attempted)
    };
    assert_eq!(alone(list), ["Create n7.example.com A"]);
    assert!(alone(alias).is_empty(), "more than {MAX_CANDIDATES} candidates say nothing");
}

proptest! {
    #[test]
    fn never_panics_and_stays_bounded(lines in prop::collection::vec(
        "(level=(info|debug|error|fatal) )?(msg=\")?(Desired change: (CREATE|DELETE) |Failure in zone |Failed submitting change \\(error: |Skipping (endpoint|record) |3 record\\(s\\)|InvalidChangeBatch: )?\\PC{0,60}", 0..40)
    ) {
        let mut parser = parser();
        let mut events: Vec<ChangeEvent> = lines.iter().flat_map(|line| parser.push(line)).collect();
        events.extend(parser.finish());
        prop_assert!(events.len() <= 2 * lines.len());
    }
}

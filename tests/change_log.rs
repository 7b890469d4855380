//! The log of ExternalDNS in the wording of every release, both formats, every reason.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::sync::Arc;

use dns_drift::changes::log::LogParser;
use dns_drift::finding::Reason;
use dns_drift::limits::MAX_TEXT;
use dns_drift::model::change::{ChangeEvent, ChangeEventKind, FeedSource, RefusedBatch};
use dns_drift::model::{DomainName, RecordType, ZoneId};

const REQUEST: &str = "101e36ce-821e-45f5-9ead-a7ab6d0ea373";

/// How a range of releases writes.
#[derive(Clone, Copy, Debug)]
struct Era {
    name: &'static str,
    /// The zone id stands in the message.
    id_in_message: bool,
    /// `Failure in zone` and the error are two lines.
    two_lines: bool,
    /// Only the error, no `Failure in zone`.
    bare: bool,
    /// A failed batch is sent again group by group.
    splits: bool,
    /// `profile`, `zoneID` and `zoneName` are fields.
    fields: bool,
    sdk_v2: bool,
}

const ERAS: [Era; 6] = [
    Era {
        name: "v0.5",
        id_in_message: false,
        two_lines: false,
        bare: true,
        splits: false,
        fields: false,
        sdk_v2: false,
    },
    Era {
        name: "v0.13.2",
        id_in_message: true,
        two_lines: true,
        bare: false,
        splits: false,
        fields: false,
        sdk_v2: false,
    },
    Era {
        name: "v0.14.2",
        id_in_message: true,
        two_lines: false,
        bare: false,
        splits: true,
        fields: false,
        sdk_v2: false,
    },
    Era {
        name: "v0.15.0",
        id_in_message: false,
        two_lines: false,
        bare: false,
        splits: true,
        fields: true,
        sdk_v2: false,
    },
    Era {
        name: "v0.15.1",
        id_in_message: false,
        two_lines: false,
        bare: false,
        splits: true,
        fields: true,
        sdk_v2: true,
    },
    Era {
        name: "v0.22.0",
        id_in_message: false,
        two_lines: false,
        bare: false,
        splits: true,
        fields: true,
        sdk_v2: true,
    },
];

#[derive(Clone, Copy, Debug)]
enum Format {
    Text,
    Json,
}

/// One error as the service words it.
struct Case {
    code: &'static str,
    text: &'static str,
    reason: Reason,
    /// Name, type, target, fragment that the text names.
    named: [&'static str; 4],
}

const fn case(code: &'static str, text: &'static str, reason: Reason, named: [&'static str; 4]) -> Case {
    Case { code, text, reason, named }
}

const BATCH: &str = "InvalidChangeBatch";

fn cases() -> Vec<Case> {
    use Reason as R;
    vec![
        case(
            BATCH,
            "[Tried to create an alias that targets 74.17.111.38., type A in zone ZPUB, but the alias target name does not lie within the target zone]",
            R::AliasTargetNotInZone,
            ["", "A", "74.17.111.38", ""],
        ),
        case(
            BATCH,
            "[Tried to create an alias that targets dualstack.lb-1.eu-west-1.elb.amazonaws.com., type AAAA in zone Z32O12XQLNTSW2, but that target was not found]",
            R::AliasTargetNotFound,
            ["", "AAAA", "dualstack.lb-1.eu-west-1.elb.amazonaws.com", ""],
        ),
        case(
            BATCH,
            "[RRSet of type A with DNS name app.example.com. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.com.]",
            R::CnameConflict,
            ["app.example.com", "A", "", ""],
        ),
        case(
            BATCH,
            "[RRSet of type CNAME with DNS name app.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.]",
            R::CnameConflict,
            ["app.example.com", "CNAME", "", ""],
        ),
        case(
            BATCH,
            "[Tried to create resource record set [name='\\052.example.com.', type='TXT'] but it already exists]",
            R::AlreadyExists,
            ["*.example.com", "TXT", "", ""],
        ),
        case(
            BATCH,
            "[Tried to create resource record set [name='app.example.com.', type='A', set-identifier='us-east-1'] but it already exists]",
            R::AlreadyExists,
            ["app.example.com", "A", "", ""],
        ),
        case(
            BATCH,
            "[Tried to delete resource record set [name='a-app.example.com.', type='TXT'] but it was not found]",
            R::DeleteNotFound,
            ["a-app.example.com", "TXT", "", ""],
        ),
        case(
            BATCH,
            "[Tried to delete resource record set [name='app.example.com.', type='TXT'] but the values provided do not match the current values]",
            R::DeleteValuesMismatch,
            ["app.example.com", "TXT", "", ""],
        ),
        case(
            BATCH,
            "[RRSet with DNS name app.example.com., type TXT, SetIdentifier bananas cannot be created as a non-weighted set exists with the same name and type.]",
            R::RoutingPolicyMix,
            ["app.example.com", "TXT", "", ""],
        ),
        case(
            BATCH,
            "[RRSet with DNS name app.example.com., type A cannot be created as other RRSets exist with the same name and type.]",
            R::RoutingPolicyMix,
            ["app.example.com", "A", "", ""],
        ),
        case(
            BATCH,
            "[RRSet with DNS name app.example.com., type A, SetIdentifier eu cannot be created because a latency RRSet with the same name, type and region already exists]",
            R::RoutingDuplicate,
            ["app.example.com", "A", "", ""],
        ),
        case(
            BATCH,
            "[Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with 'lb-1.us-west-2.elb.amazonaws.com'']",
            R::InvalidRdata,
            ["", "A", "lb-1.us-west-2.elb.amazonaws.com", ""],
        ),
        case(
            BATCH,
            "FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '.sub.example.com'",
            R::IllegalName,
            ["", "", "", ".sub.example.com"],
        ),
        case(
            BATCH,
            "FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with 'cname-apply-for-a-long-thing'",
            R::IllegalName,
            ["", "", "", "cname-apply-for-a-long-thing"],
        ),
        case(
            BATCH,
            "[RRSet with DNS name cname-example.com. is not permitted in zone example.com.]",
            R::NameNotInZone,
            ["cname-example.com", "", "", ""],
        ),
        case(
            BATCH,
            "[A HostedZone must contain at least one NS record for the zone itself.]",
            R::ProtectedRecord,
            ["", "", "", ""],
        ),
        case(BATCH, "[RDATA character limit of 32000 exceeded.]", R::LimitsExceeded, ["", "", "", ""]),
        case(BATCH, "[Number of records limit of 10000 exceeded.]", R::LimitsExceeded, ["", "", "", ""]),
        case(
            "LimitsExceeded",
            "Number of records limit of 10000 exceeded.",
            R::LimitsExceeded,
            ["", "", "", ""],
        ),
        case("Throttling", "Rate exceeded", R::Throttled, ["", "", "", ""]),
        case(
            "PriorRequestNotComplete",
            "The request was rejected because Route 53 was still processing a prior request.",
            R::Throttled,
            ["", "", "", ""],
        ),
        case(
            "AccessDenied",
            "User: arn:aws:sts::111122223333:assumed-role/external-dns/1 is not authorized to perform: route53:ChangeResourceRecordSets on resource: arn:aws:route53:::hostedzone/ZPUB because no identity-based policy allows the route53:ChangeResourceRecordSets action",
            R::AccessDenied,
            ["", "", "", ""],
        ),
        case(
            "SignatureDoesNotMatch",
            "Signature expired: 20250604T081510Z is now earlier than 20250604T081639Z",
            R::Credentials,
            ["", "", "", ""],
        ),
        case(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
            R::Credentials,
            ["", "", "", ""],
        ),
        case(
            "ExpiredToken",
            "The security token included in the request is expired",
            R::Credentials,
            ["", "", "", ""],
        ),
        case("NoSuchHostedZone", "No hosted zone found with ID: ZPUB", R::NoSuchZone, ["", "", "", ""]),
        case(
            "NoSuchHealthCheck",
            "No health check exists with the ID 1-2.",
            R::NoSuchHealthCheck,
            ["", "", "", ""],
        ),
        case(
            BATCH,
            "[The change is blocked by guardrail NS_FORMAT_CHECK]",
            R::GuardrailNsFormatCheck,
            ["", "", "", ""],
        ),
        case(
            BATCH,
            "[NS_DELEGATION_AUTHORITY_CHECK: x]",
            R::GuardrailNsDelegationAuthorityCheck,
            ["", "", "", ""],
        ),
        case(BATCH, "[ns_occlusion_check]", R::GuardrailNsOcclusionCheck, ["", "", "", ""]),
        case(
            BATCH,
            "[rule ALIAS_TARGET_CHECK said no, twice]",
            R::GuardrailAliasTargetCheck,
            ["", "", "", ""],
        ),
        case(
            BATCH,
            "[ACTIVE_RECORD_CHECK (app.example.com)]",
            R::GuardrailActiveRecordCheck,
            ["", "", "", ""],
        ),
        case(BATCH, "[ACTIVE_DELEGATION_CHECK]", R::GuardrailActiveDelegationCheck, ["", "", "", ""]),
        case(BATCH, "[A new sentence, with a comma, that nobody has seen]", R::Unknown, ["", "", "", ""]),
    ]
}

impl Era {
    fn line(self, format: Format, second: u8, level: &str, message: &str) -> String {
        let time = format!("2026-11-23T09:00:{second:02}Z");
        match format {
            Format::Json => {
                let mut line = serde_json::json!({"level": level, "msg": message, "time": time});
                if self.fields {
                    line["profile"] = "default".into();
                    line["zoneID"] = "/hostedzone/ZPUB".into();
                    line["zoneName"] = "example.com.".into();
                }
                line.to_string()
            }
            Format::Text => {
                let quoted = message
                    .replace('\\', "\\\\")
                    .replace('"', "\\\"")
                    .replace('\n', "\\n")
                    .replace('\t', "\\t");
                let fields = if self.fields {
                    " profile=default zoneID=/hostedzone/ZPUB zoneName=example.com."
                } else {
                    ""
                };
                format!("time=\"{time}\" level={level} msg=\"{quoted}\"{fields}")
            }
        }
    }

    fn error(self, case: &Case) -> String {
        let Case { code, text, .. } = case;
        if self.sdk_v2 {
            let modelled = matches!(*code, "InvalidChangeBatch" | "NoSuchHostedZone" | "NoSuchHealthCheck");
            let api = if modelled { "" } else { "api error " };
            format!(
                "operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 400, \
                 RequestID: {REQUEST}, {api}{code}: {text}"
            )
        } else {
            format!("{code}: {text}\n\tstatus code: 400, request id: {REQUEST}")
        }
    }

    /// One failing reconcile.
    fn log(self, format: Format, case: &Case) -> Vec<String> {
        let id = if self.id_in_message { " [Id: /hostedzone/ZPUB]" } else { "" };
        let line = |level: &str, text: &str| self.line(format, 1, level, text);
        let error = self.error(case);
        let mut log = vec![
            line("info", &format!("Desired change: CREATE app.example.com A{id}")),
            line("info", &format!("Desired change: CREATE a-app.example.com TXT{id}")),
        ];
        if self.bare {
            log.push(line("error", &error));
        } else if self.two_lines {
            log.push(line("error", &format!("Failure in zone example.com.{id}")));
            log.push(line("error", &error));
        } else {
            log.push(line(
                "error",
                &format!("Failure in zone example.com.{id} when submitting change batch: {error}"),
            ));
        }
        if self.splits {
            log.push(line("error", &format!("Failed submitting change (error: {error}), it will be retried in a separate change batch in the next iteration")));
        }
        log.push(line("error", "Failed to do run once: soft error\nfailed to submit all changes for the following zones: [/hostedzone/ZPUB]"));
        log
    }
}

fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<ChangeEvent> {
    let source = FeedSource::Log { namespace: "dns".into(), pod: "p".into(), container: "c".into() };
    let mut parser = LogParser::new(source, "2026-11-23T08:00:00Z".parse().unwrap());
    let mut events: Vec<ChangeEvent> = lines.into_iter().flat_map(|line| parser.push(line)).collect();
    events.extend(parser.finish());
    events
}

fn refused(events: &[ChangeEvent]) -> Vec<&RefusedBatch> {
    let mut batches = Vec::new();
    for event in events {
        if let ChangeEventKind::Refused(batch) = &event.kind {
            batches.push(batch);
        }
    }
    batches
}

#[test]
fn every_reason_in_every_wording() {
    for era in ERAS {
        for format in [Format::Text, Format::Json] {
            for case in cases() {
                let log = era.log(format, &case);
                let context = format!("{} {format:?}: {}", era.name, log.join("\n"));
                let events = parse(log.iter().map(String::as_str));
                let batches = refused(&events);
                assert_eq!(batches.len(), if era.splits { 2 } else { 1 }, "{context}");
                for batch in &batches {
                    assert_eq!(batch.errors.len(), 1, "{context}");
                    let error = &batch.errors[0];
                    assert_eq!(error.reason, case.reason, "{context}");
                    let named = [
                        error.name.as_ref().map_or("", DomainName::as_str),
                        error.record_type.as_ref().map_or("", RecordType::as_str),
                        error.target.as_deref().unwrap_or(""),
                        error.fragment.as_deref().unwrap_or(""),
                    ];
                    assert_eq!(named, case.named, "{context}");
                    assert_eq!(&*batch.code, case.code, "{context}");
                    assert_eq!(batch.request_id.as_deref(), Some(REQUEST), "{context}");
                    assert_eq!(batch.attempted.len(), 2, "{context}");
                    let zone = (era.id_in_message || era.fields).then(|| ZoneId::new("ZPUB"));
                    assert_eq!(batch.zone_id, zone, "{context}");
                }
                assert_eq!(batches.iter().filter(|batch| batch.alone).count(), usize::from(era.splits));
                let sums = events.iter().filter(|event| {
                    matches!(event.kind, ChangeEventKind::RunFailed { sums_up_batches: true, .. })
                });
                assert_eq!(sums.count(), 1, "{context}");
            }
        }
    }
}

/// The names of a list, each with its reason: an ownership TXT, a wildcard in octal, two blanks.
#[test]
fn several_names_in_one_list() {
    let list = "[Tried to create resource record set [name='external-dns-cname-\\052.apps.example.com.', type='TXT'] but it already exists, \
                RRSet of type A with DNS name web.example.com. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.com., \
                RRSet of type TXT with DNS name web.example.com. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.com., \
                Tried to create an alias that targets 203.0.113.1., type A in zone ZPUB, but the alias target name does not lie within the target zone, \
                Tried to create an alias that targets 203.0.113.1., type A in zone ZPUB, but that target was not found]";
    let case = Case { code: BATCH, text: list, reason: Reason::Unknown, named: [""; 4] };
    for (era, format) in ERAS.into_iter().flat_map(|era| [(era, Format::Text), (era, Format::Json)]) {
        let log = era.log(format, &case);
        let events = parse(log.iter().map(String::as_str));
        let batch = refused(&events)[0];
        let found: Vec<(Reason, &str)> = batch
            .errors
            .iter()
            .map(|error| (error.reason, error.name.as_ref().map_or("", DomainName::as_str)))
            .collect();
        assert_eq!(
            found,
            [
                (Reason::AlreadyExists, "external-dns-cname-*.apps.example.com"),
                (Reason::CnameConflict, "web.example.com"),
                (Reason::CnameConflict, "web.example.com"),
                (Reason::AliasTargetNotInZone, ""),
                (Reason::AliasTargetNotFound, ""),
            ],
            "{} {format:?}",
            era.name
        );
    }
}

/// What an attacker can put into a message stays one bounded, printable line.
#[test]
fn unknown_text_is_kept_bounded_and_escaped() {
    let text: &'static str =
        Box::leak(format!("[{}\u{1b}[31m\u{202e}]", "x".repeat(10_000)).into_boxed_str());
    let case = Case { code: BATCH, text, reason: Reason::Unknown, named: [""; 4] };
    for (era, format) in ERAS.into_iter().flat_map(|era| [(era, Format::Text), (era, Format::Json)]) {
        let log = era.log(format, &case);
        let events = parse(log.iter().map(String::as_str));
        for batch in refused(&events) {
            let texts: Vec<&Arc<str>> =
                [&batch.message].into_iter().chain(batch.errors.iter().map(|error| &error.message)).collect();
            for shown in texts {
                assert!(shown.len() <= MAX_TEXT && shown.contains("xxx"), "{}", shown.len());
                assert!(!shown.contains(['\u{1b}', '\u{202e}', '\n']), "{shown}");
            }
        }
    }
}

/// A message may be cut anywhere: by a log shipper, a rotation, a full disk.
#[test]
fn a_line_cut_anywhere_is_no_trouble() {
    for (era, format) in ERAS.into_iter().flat_map(|era| [(era, Format::Text), (era, Format::Json)]) {
        for case in cases().iter().take(4) {
            for line in era.log(format, case) {
                for end in (0..line.len()).step_by(7) {
                    parse(line.get(..end));
                }
            }
        }
    }
}

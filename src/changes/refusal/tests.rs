use super::*;
use crate::model::{DomainName, RecordType};
use proptest::prelude::*;

/// Name, type, set identifier, target, fragment of the first sentence, joined; `-` for none.
fn shown(error: &RefusalError) -> String {
    let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
    [
        or_none(error.name.as_ref().map(DomainName::as_str)),
        or_none(error.record_type.as_ref().map(RecordType::as_str)),
        or_none(error.set_identifier.as_deref()),
        or_none(error.target.as_deref()),
        or_none(error.fragment.as_deref()),
    ]
    .join(" ")
}

#[test]
fn every_known_sentence() {
    let check = |text: &str, reason: Reason, parts: &str| {
        for wrapped in [
            text.to_owned(),
            format!("[{text}]"),
            format!("InvalidChangeBatch: [{text}]\n\tstatus code: 400, request id: 101e36ce-0000"),
            format!(
                "operation error Route 53: ChangeResourceRecordSets, https response error StatusCode: 400, RequestID: 101e36ce-0000, InvalidChangeBatch: [{text}]"
            ),
        ] {
            let refusal = read(&wrapped);
            assert_eq!(refusal.errors.len(), 1, "{wrapped}");
            assert_eq!(refusal.errors[0].reason, reason, "{wrapped}");
            assert_eq!(shown(&refusal.errors[0]), parts, "{wrapped}");
            assert_eq!(&*refusal.errors[0].message, text);
        }
        let upper = read(&text.to_ascii_uppercase());
        assert_eq!(upper.errors[0].reason, reason, "upper case: {text}");
    };
    use Reason as R;
    check(
        "Tried to create an alias that targets 74.17.111.38., type A in zone Z1, but the alias target name does not lie within the target zone",
        R::AliasTargetNotInZone,
        "- A - 74.17.111.38 -",
    );
    check(
        "Tried to create an alias that targets lb.example.com., type AAAA in zone Z1, but that target was not found",
        R::AliasTargetNotFound,
        "- AAAA - lb.example.com -",
    );
    check(
        "Tried to create resource record set [name='\\052.clm.example.com.', type='TXT'] but it already exists",
        R::AlreadyExists,
        "*.clm.example.com TXT - - -",
    );
    check(
        "Tried to create resource record set [name='a.example.com.', type='A', set-identifier='us, east'] but it already exists",
        R::AlreadyExists,
        "a.example.com A us, east - -",
    );
    check(
        "Tried to delete resource record set [name='a-x.example.com.', type='TXT'] but it was not found",
        R::DeleteNotFound,
        "a-x.example.com TXT - - -",
    );
    check(
        "Tried to delete resource record set [name='x.example.com.', type='A'] but the values provided do not match the current values",
        R::DeleteValuesMismatch,
        "x.example.com A - - -",
    );
    check(
        "RRSet of type A with DNS name demo.example.io. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.io.",
        R::CnameConflict,
        "demo.example.io A - - -",
    );
    check(
        "RRSet of type CNAME with DNS name k.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.",
        R::CnameConflict,
        "k.example.com CNAME - - -",
    );
    check(
        "RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.",
        R::CnameConflict,
        "example.com CNAME - - -",
    );
    check(
        "RRSet with DNS name a.example.org. is not permitted in zone example.com.",
        R::NameNotInZone,
        "a.example.org - - - -",
    );
    check(
        "RRSet with DNS name a.example.com., type A cannot be created as other RRSets exist with the same name and type.",
        R::RoutingPolicyMix,
        "a.example.com A - - -",
    );
    check(
        "RRSet with DNS name a.example.com., type TXT, SetIdentifier bananas cannot be created as a non-weighted set exists with the same name and type.",
        R::RoutingPolicyMix,
        "a.example.com TXT bananas - -",
    );
    check(
        "RRSet with DNS name a.example.com., type A, SetIdentifier eu cannot be created because a latency RRSet with the same name, type and region already exists",
        R::RoutingDuplicate,
        "a.example.com A eu - -",
    );
    check(
        "The request contains an invalid set of changes for a resource record set 'TXT a.example.com.'",
        R::Unknown,
        "a.example.com TXT - - -",
    );
    check(
        "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with 'x.elb.amazonaws.com''",
        R::InvalidRdata,
        "- A - x.elb.amazonaws.com -",
    );
    check(
        "FATAL problem: AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address) encountered with '10.0.0.1'",
        R::InvalidRdata,
        "- AAAA - 10.0.0.1 -",
    );
    check(
        "Invalid Resource Record: 'FATAL problem: ARRDATANotSingleField (Value contains spaces) encountered with '1 2''",
        R::InvalidRdata,
        "- A - 1 2 -",
    );
    check(
        "FATAL problem: CharacterStringTooLong (Value is too long) encountered with 'aaa'",
        R::InvalidRdata,
        "- - - aaa -",
    );
    check(
        "FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'it's'",
        R::InvalidRdata,
        "- - - it's -",
    );
    check(
        "FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with 'cname-apply-for-a'",
        R::IllegalName,
        "- - - - cname-apply-for-a",
    );
    check(
        "FATAL problem: DomainNameEmpty (Domain name is empty) encountered with ''",
        R::IllegalName,
        "- - - - ",
    );
    check(
        "FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '.sub.example.com'",
        R::IllegalName,
        "- - - - .sub.example.com",
    );
    check(
        "FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with ' '",
        R::IllegalName,
        "- - - -  ",
    );
    check(
        "A HostedZone must contain at least one NS record for the zone itself.",
        R::ProtectedRecord,
        "- - - - -",
    );
    check("A HostedZone must contain exactly one SOA record.", R::ProtectedRecord, "- - - - -");
    check("Number of records limit of 1000 exceeded.", R::LimitsExceeded, "- - - - -");
    check("RDATA character limit of 32000 exceeded.", R::LimitsExceeded, "- - - - -");
    check("Duplicate Resource Record: '203.0.113.1'", R::InvalidRdata, "- - - - -");
    for (identifier, reason) in [
        ("NS_FORMAT_CHECK", R::GuardrailNsFormatCheck),
        ("NS_DELEGATION_AUTHORITY_CHECK", R::GuardrailNsDelegationAuthorityCheck),
        ("NS_OCCLUSION_CHECK", R::GuardrailNsOcclusionCheck),
        ("ALIAS_TARGET_CHECK", R::GuardrailAliasTargetCheck),
        ("ACTIVE_RECORD_CHECK", R::GuardrailActiveRecordCheck),
        ("ACTIVE_DELEGATION_CHECK", R::GuardrailActiveDelegationCheck),
    ] {
        check(&format!("Change violates guardrail {identifier} on the zone"), reason, "- - - - -");
    }
    check("Something nobody has seen before, or has they", R::Unknown, "- - - - -");
}

#[test]
fn codes_decide_where_no_sentence_does() {
    let check = |text: &str, code: &str, reason: Reason| {
        let refusal = read(text);
        assert_eq!((&*refusal.code, refusal.errors[0].reason), (code, reason), "{text}");
    };
    let v1 = |text: &str| format!("{text}\n\tstatus code: 400, request id: 1-2");
    use Reason as R;
    check(&v1("Throttling: Rate exceeded"), "Throttling", R::Throttled);
    check("api error ThrottlingException: Rate exceeded", "Throttling", R::Throttled);
    check(&v1("PriorRequestNotComplete: The request was rejected"), "PriorRequestNotComplete", R::Throttled);
    check(
        "operation error Route 53: ChangeResourceRecordSets, exceeded maximum number of attempts, 3, https response error StatusCode: 403, RequestID: 1-2, api error AccessDenied: User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: route53:ChangeResourceRecordSets on resource: arn:aws:route53:::hostedzone/Z1",
        "AccessDenied",
        R::AccessDenied,
    );
    check(
        &v1("ExpiredToken: The security token included in the request is expired"),
        "ExpiredToken",
        R::Credentials,
    );
    check(
        "api error SignatureDoesNotMatch: Signature expired: 2025",
        "SignatureDoesNotMatch",
        R::Credentials,
    );
    check(
        "WebIdentityErr: failed to retrieve credentials\ncaused by: RequestError: send request failed",
        "WebIdentityErr",
        R::Credentials,
    );
    check(
        "operation error Route 53: ChangeResourceRecordSets, get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found",
        "",
        R::Credentials,
    );
    check(&v1("NoSuchHostedZone: No hosted zone found with ID: Z1"), "NoSuchHostedZone", R::NoSuchZone);
    check(&v1("NoSuchHealthCheck: gone"), "NoSuchHealthCheck", R::NoSuchHealthCheck);
    check(
        &v1("LimitsExceeded: Number of records limit of 10000 exceeded."),
        "LimitsExceeded",
        R::LimitsExceeded,
    );
    check(&v1("TooManyResourceRecordSets: full"), "TooManyResourceRecordSets", R::LimitsExceeded);
    check(
        "InvalidChangeBatch 400: RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.",
        "InvalidChangeBatch",
        R::CnameConflict,
    );
    check("", "", R::Unknown);
    assert_eq!(read_with_code("ThrottlingException", "").errors[0].reason, R::Throttled);
    assert_eq!(&*read_with_code("ThrottlingException", "").message, "Throttling");
}

#[test]
fn lists_and_their_traps() {
    let names = |text: &str| -> Vec<String> { read(text).errors.iter().map(shown).collect() };
    assert_eq!(
        names(
            "InvalidChangeBatch: [RRSet of type A with DNS name demo.example.com. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.com., RRSet of type TXT with DNS name demo.example.com. is not permitted because a conflicting RRSet of type  CNAME with the same DNS name already exists in zone example.com.]\n\tstatus code: 400, request id: 21f34463-5f64-449a-b8ae-731969cbf202"
        ),
        ["demo.example.com A - - -", "demo.example.com TXT - - -"]
    );
    assert_eq!(
        names(
            "[Tried to create an alias that targets a.b., type A in zone Z1, but the alias target name does not lie within the target zone, Tried to create an alias that targets a.b., type A in zone Z1, but that target was not found, A HostedZone must contain exactly one SOA record.]"
        )
        .len(),
        3
    );
    assert_eq!(
        names(
            "Message was too long, it was truncated. [Tried to create resource record set [name='a.example.com.', type='TXT'] but it already exists, Tried to create resource record set [name='b.exa"
        ),
        ["a.example.com TXT - - -"]
    );
    // A comma and a known start inside of quotes or brackets is a value.
    assert_eq!(
        names(
            "[FATAL problem: InvalidCharacterString (x) encountered with 'v, Tried to y', Tried to delete resource record set [name='a, RRSet b.', type='A'] but it was not found]"
        ),
        ["- - - v, Tried to y -", "a\\054\\040rrset\\040b A - - -"].map(|text| text.replace("\\054", ","))
    );
    // An apostrophe of its own must not swallow the rest of the list.
    assert_eq!(
        names("[FATAL problem: InvalidCharacterString (x) encountered with 'rock 'n roll', Number of records limit of 1 exceeded.]").len(),
        2
    );
    let refusal = read("InvalidChangeBatch: [x]\n\tstatus code: 400, request id: 21f34463-5f64");
    assert_eq!(refusal.request_id.as_deref(), Some("21f34463-5f64"));
    assert_eq!(&*refusal.message, "InvalidChangeBatch: [x] status code: 400, request id: 21f34463-5f64");
}

#[test]
fn zones_and_aws_errors() {
    assert_eq!(
        zones_named("zones: [/hostedzone/Z1 /hostedzone/Z2] arn:aws:route53:::hostedzone/Z1"),
        [ZoneId::new("Z1"), ZoneId::new("Z2")]
    );
    assert!(is_aws_error("InvalidChangeBatch: FATAL problem: x"));
    assert!(is_aws_error("operation error Route 53: ListHostedZones, get identity: x"));
    assert!(is_aws_error("Weird: y\n\tstatus code: 500, request id: 1"));
    assert!(!is_aws_error("failed to sync *v1.Endpoints: context deadline exceeded"));
}

proptest! {
    #[test]
    fn never_panics_and_stays_bounded(
        text in "(\\PC|'|\\[|\\]|, |Tried to |RRSet |InvalidChangeBatch: |encountered with '|\n){0,60}",
        repeat in 1_usize..200,
    ) {
        let refusal = read(&text.repeat(repeat));
        prop_assert!((1..=MAX_SENTENCES).contains(&refusal.errors.len()));
        // An escape is at most ten bytes for a character of at least one.
        prop_assert!(refusal.message.len() <= 10 * crate::limits::MAX_TEXT);
        prop_assert!(refusal.errors.iter().all(|error| error.message.len() <= 10 * crate::limits::MAX_TEXT));
    }
}

use std::sync::Arc;

use super::*;
use crate::config::Config;
use crate::fixture;
use crate::model::{Content, DomainName, RecordSet, Routing};

fn instance(version: Version) -> Instance {
    let assumed = Config::from_value(&serde_json::Value::Null).expect("the defaults").assumed();
    let mut flags = assumed.flags.clone();
    flags.txt_encrypt = false;
    Instance { version: Some(version), flags, ..Instance::clone(&assumed) }
}

fn want(record_type: RecordType, target: &str) -> Want {
    fixture::want("web.example.com", record_type, target)
}

#[test]
fn what_a_version_cannot_do() {
    let check = |version: (u16, u16, u16), want: &Want, refused: Option<&str>, expected: bool| {
        let version = Version::new(version.0, version.1, version.2);
        let found = by_version(&instance(version), want, refused);
        assert_eq!(found, expected.then_some(Cause::ControllerVersion), "{version} {want:?} {refused:?}");
    };
    // v0.14.0 alone takes a host name for an address.
    let host = want(RecordType::A, "lb.example.net");
    check((0, 14, 0), &host, None, true);
    check((0, 14, 1), &host, None, false);
    check((0, 13, 6), &host, None, false);
    check((0, 14, 0), &want(RecordType::A, "192.0.2.1"), None, false);
    check((0, 14, 0), &want(RecordType::Cname, "lb.example.net"), None, false);
    // Before v0.13.5 an IPv6 address made an A.
    let six = want(RecordType::A, "2001:db8::1");
    check((0, 13, 4), &six, None, true);
    check((0, 13, 5), &six, None, false);
    check((0, 13, 4), &want(RecordType::A, "192.0.2.1"), None, false);
    check((0, 13, 4), &want(RecordType::Aaaa, "2001:db8::1"), None, false);
    let four = want(RecordType::A, "192.0.2.1");
    check((0, 13, 4), &four, Some("2001:db8::1."), true);
    check((0, 13, 4), &four, Some("192.0.2.1"), false);
    check((0, 13, 4), &want(RecordType::Aaaa, "2001:db8::1"), Some("2001:db8::1"), false);
    // A load balancer of a region that the version does not know gets no alias, so the apex a CNAME.
    let apex = |host: &str, invalid| Want { invalid, ..want(RecordType::Cname, host) };
    let (young, old) = ("lb.ap-east-2.elb.amazonaws.com", "lb.eu-west-1.elb.amazonaws.com");
    check((0, 18, 0), &apex(young, Some(Reason::ApexCname)), None, true);
    check((0, 19, 0), &apex(young, Some(Reason::ApexCname)), None, false);
    check((0, 18, 0), &apex(old, Some(Reason::ApexCname)), None, false);
    check((0, 18, 0), &apex("lb.example.net", Some(Reason::ApexCname)), None, false);
    check((0, 18, 0), &apex(young, None), None, false);
    check((0, 18, 0), &apex(young, Some(Reason::BadChars)), None, false);
}

#[test]
fn the_rival_of_a_routed_record_may_be_nobodys_or_somebody_elses() {
    let instance = instance(Version::new(0, 15, 0));
    let weighted = |id: &str, weight| Want {
        set_identifier: Some(id.into()),
        routing: Some(Box::new(Routing::Weighted(weight))),
        ..want(RecordType::A, "192.0.2.1")
    };
    let record = |name: &str, record_type: RecordType, id: Option<&str>, value: &str| RecordSet {
        name: DomainName::new(name),
        content: Content::values(60, [Value::new(&record_type, value)]),
        record_type,
        set_identifier: id.map(Arc::from),
        routing: id.map(|_| Box::new(Routing::Weighted(10))),
        health_check_id: None,
    };
    let heritage = |owner: &str| {
        let text = format!("\"heritage=external-dns,external-dns/owner={owner}\"");
        record("a-web.example.com", RecordType::Txt, Some("blue"), &text)
    };
    let wants = InstanceWants { instance: Arc::new(instance), ..fixture::wants(vec![weighted("green", 10)]) };
    let check = |records: Vec<RecordSet>, weight, expected: Option<Cause>| {
        let zone = fixture::zone_reading("Z1", "example.com", records);
        let want = weighted("green", weight);
        let circumstances =
            Circumstances { wants: &wants, want: &want, zone: &zone, owner: None, policy_forbids: false };
        assert_eq!(circumstances.of_routing(Reason::DuplicateSetIdentifier), expected);
    };
    let rival = || record("web.example.com", RecordType::A, Some("blue"), "192.0.2.9");
    check(vec![rival()], 10, Some(Cause::OwnerMissing));
    check(vec![rival(), heritage("other")], 10, Some(Cause::OwnerForeign));
    check(vec![rival(), heritage("default")], 10, None);
    check(vec![rival()], 20, None);
    check(vec![record("web.example.com", RecordType::Aaaa, Some("blue"), "2001:db8::9")], 10, None);
    check(vec![record("web.example.com", RecordType::A, Some("green"), "192.0.2.9")], 10, None);
    check(vec![record("web.example.com", RecordType::A, None, "192.0.2.9")], 10, Some(Cause::OwnerMissing));
}

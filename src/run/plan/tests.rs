use super::*;
use crate::fixture;
use crate::model::observation::{AnswerRecord, Outcome, Vantage};
use crate::model::record::AliasTarget;
use crate::model::zone::RecordSets;
use crate::recorded::decode::RawHostedZone;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn want(name: &str) -> Want {
    fixture::want(name, RecordType::A, "192.0.2.1")
}

fn record(name: &str, record_type: RecordType, content: Content) -> RecordSet {
    RecordSet {
        name: name.into(),
        record_type,
        set_identifier: None,
        content,
        routing: None,
        health_check_id: None,
    }
}

fn values(record_type: &RecordType, value: &str) -> Content {
    Content::values(60, [Value::new(record_type, value)])
}

fn alias(target: &str) -> Content {
    Content::Alias(Arc::new(AliasTarget {
        hosted_zone_id: None,
        dns_name: target.into(),
        evaluate_target_health: false,
    }))
}

/// The plan for these wishes and records of `example.com`, as lines.
fn planned(wants: Vec<Want>, records: Vec<RecordSet>, seen: &[Observation]) -> Vec<String> {
    let raw = RawHostedZone { id: "Z1".to_owned(), name: "example.com.".to_owned(), ..Default::default() };
    let reading = ZoneReading {
        zone: raw.decode().expect("a zone"),
        record_sets: Some(Arc::new(RecordSets::new(records))),
        read_at: None,
        names_read: BTreeMap::new(),
        list_failed: false,
        above: None,
    };
    let zones = Zones { zones: [(ZoneId::new("Z1"), reading)].into(), ..Zones::default() };
    let wants = [fixture::wants(wants)];
    let plan = probe_plan(PlanInput {
        wants: &wants,
        zones: &zones,
        report: None,
        policy: &Policy::default(),
        resolver_views: &BTreeSet::new(),
        resolved: &resolved(&seen.iter().cloned().map(Arc::new).collect::<Vec<_>>()),
        waited: &Waited::default(),
        at: AT,
        before: &[],
    });
    let shown = |name: &Arc<ProbeName>| {
        let types: Vec<&str> = name.record_types.iter().map(RecordType::as_str).collect();
        let place = if name.zone_id.is_some() { "" } else { " foreign" };
        let expected = name.expected.iter().map(|one| {
            let part = if one.partial { "~" } else { "" };
            format!(" {}={part}{:?}", one.record_type.as_str(), one.addresses)
        });
        format!("{} {}{place}{}", name.name, types.join("+"), expected.collect::<String>())
    };
    plan.names.iter().map(shown).collect()
}

#[test]
fn a_cname_is_asked_for_addresses_and_its_target_where_it_lives() {
    let cname = |name: &str, to: &str| record(name, RecordType::Cname, values(&RecordType::Cname, to));
    let records = vec![cname("a.example.com", "b.example.com."), cname("c.example.com", "lb.example.net.")];
    assert_eq!(
        planned(Vec::new(), records, &[]),
        [
            "a.example.com A A=~[] AAAA=~[]",
            "b.example.com A",
            "c.example.com A A=~[] AAAA=~[]",
            "lb.example.net A+AAAA foreign"
        ]
    );
}

#[test]
fn an_alias_is_asked_under_both_names_and_expects_what_was_seen_there() {
    let answer = AnswerRecord {
        name: "lb-1.example.net".into(),
        record_type: "A".into(),
        ttl: 60,
        data: "192.0.2.7".into(),
    };
    let seen = Observation {
        answers: [answer].into(),
        ..fixture::observation(Vantage::Authoritative, "ns.example.net", "lb-1.example.net", Outcome::Answer)
    };
    let records = vec![record("app.example.com", RecordType::A, alias("dualstack.lb-1.example.net"))];
    assert_eq!(
        planned(Vec::new(), records, &[seen]),
        [
            "app.example.com A A=~[192.0.2.7]",
            "dualstack.lb-1.example.net A+AAAA foreign",
            "lb-1.example.net A+AAAA foreign"
        ]
    );
}

#[test]
fn names_that_hide_a_wildcard_are_asked() {
    let a = |name: &str| record(name, RecordType::A, values(&RecordType::A, "192.0.2.1"));
    let wants = vec![want("*.example.com"), want("x.b.a.example.com"), want("y.example.com")];
    let records = vec![a("*.example.com"), a("x.b.a.example.com")];
    assert_eq!(
        planned(wants, records, &[]),
        [
            "*.example.com A A=[192.0.2.1]",
            "a.example.com A A=[192.0.2.1]",
            "b.a.example.com A A=[192.0.2.1]",
            "x.b.a.example.com A A=[192.0.2.1]",
            "y.example.com A A=[192.0.2.1]"
        ]
    );
}

//! Findings that DNS helped to make and whose end the zone itself shows. Pure.
//!
//! While DNS cannot be asked its findings stay as they were. But a record that is gone dangles no more, and one
//! that holds by now what is wanted leads nowhere else: that needs no answer.

use std::collections::BTreeSet;

use crate::compare::verdict::Candidate;
use crate::finding::{FindingKey, Kind};
use crate::model::record::{RecordKey, RecordSet};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::{ZoneReading, Zones};
use crate::snapshot::ViewName;

/// Those of the findings that rest on DNS and are over by what was read of their zone.
pub fn mended<'a>(
    zones: &Zones,
    wants: &[InstanceWants],
    findings: impl Iterator<Item = &'a Candidate>,
) -> BTreeSet<FindingKey> {
    let is_over = |one: &&Candidate| {
        let (Some(key), Some(id)) = (one.key.subject.record(), &one.key.zone_id) else { return false };
        let reading = zones.zones.get(id).filter(|reading| reading.record_sets.is_some());
        let dangles = one.key.kind == Kind::DanglingRecord;
        reading.is_some_and(|zone| {
            dangles && held(zone, key).is_none()
                || one.key.kind.is_record_ladder() && is_as_wanted(wants, zone, key)
        })
    };
    let rest_on_dns = findings.filter(|one| one.rests_on.contains(&ViewName::Dns));
    rest_on_dns.filter(is_over).map(|one| one.key.clone()).collect()
}

fn held<'a>(zone: &'a ZoneReading, key: &RecordKey) -> Option<&'a RecordSet> {
    zone.at(&key.name).iter().find(|set| set.key() == *key)
}

/// True if everybody who wants the record in this zone has there what they want.
fn is_as_wanted(wants: &[InstanceWants], zone: &ZoneReading, key: &RecordKey) -> bool {
    let Some(set) = held(zone, key) else { return false };
    let is_here = |want: &&Want| want.is(key) && want.zone_id() == Some(&zone.zone.id);
    let mut here = wants.iter().flat_map(|one| one.at(&key.name)).filter(is_here).peekable();
    here.peek().is_some() && here.all(|want| leads_alike(want, set))
}

fn leads_alike(want: &Want, set: &RecordSet) -> bool {
    let sorted = |mut targets: Vec<String>| {
        targets.sort();
        targets
    };
    want.content.alias().is_some() == set.content.alias().is_some()
        && sorted(want.targets()) == sorted(set.content.targets())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::finding::{Impact, Reason, Subject};
    use crate::fixture::{ZONE, want, wants, zone_reading};
    use crate::model::record::{Content, RecordType, Value};
    use crate::model::{DomainName, ZoneId};

    const HOST: &str = "app.example.com";

    fn is_mended(kind: Kind, rests_on: &'static [ViewName], held: Option<&str>) -> bool {
        let key = RecordKey { name: DomainName::new(HOST), record_type: RecordType::A, set_identifier: None };
        let set = |value: &str| RecordSet {
            name: DomainName::new(HOST),
            record_type: RecordType::A,
            set_identifier: None,
            routing: None,
            content: Content::values(60, [Value::new(&RecordType::A, value)]),
            health_check_id: None,
        };
        let zone = zone_reading(ZONE, "example.com", held.map(set).into_iter().collect());
        let zones = Zones { zones: [(ZoneId::new(ZONE), zone)].into(), ..Zones::default() };
        let key = FindingKey {
            subject: Subject::Record(key),
            zone_id: Some(ZoneId::new(ZONE)),
            instance: None,
            kind,
        };
        let mut told = Candidate::new(key, Reason::PreviousLb, Impact::Down, Timestamp::UNIX_EPOCH);
        told.rests_on = rests_on;
        let asked = wants(vec![want(HOST, RecordType::A, "192.0.2.1")]);
        !mended(&zones, &[asked], [&told].into_iter()).is_empty()
    }

    #[test]
    fn the_zone_shows_the_end() {
        const DNS: &[ViewName] = &[ViewName::Kubernetes, ViewName::Route53, ViewName::Dns];
        const NO_DNS: &[ViewName] = &[ViewName::Kubernetes, ViewName::Route53];
        assert!(is_mended(Kind::DanglingRecord, DNS, None));
        assert!(!is_mended(Kind::DanglingRecord, DNS, Some("192.0.2.9")));
        assert!(!is_mended(Kind::DanglingRecord, NO_DNS, None));
        assert!(is_mended(Kind::StaleTarget, DNS, Some("192.0.2.1")));
        assert!(!is_mended(Kind::StaleTarget, DNS, Some("192.0.2.9")));
        assert!(!is_mended(Kind::StaleTarget, DNS, None));
        // What servers answer nobody can see in the zone.
        assert!(!is_mended(Kind::AuthMismatch, DNS, Some("192.0.2.1")));
    }
}

//! What is assumed of a wish whose name nobody could ask for live. Pure.
//!
//! Source: findings.md section 6, rule 5.

use std::collections::BTreeSet;

use crate::finding::{Impact, Kind, Reason};
use crate::model::record::{Content, RecordSet, RecordType, Routing, Value};
use crate::model::want::Want;
use crate::model::zone::ZoneReading;

/// The impact of a step of the record ladder without any live answer: a missing record answers nothing,
/// another one leads somewhere else. A record that leads where the wish leads is wrong in a way that
/// nobody notices yet.
#[must_use]
pub fn impact(want: &Want, zone: &ZoneReading, kind: Kind, reason: Reason) -> Impact {
    match (kind, reason) {
        (Kind::MissingRecord, Reason::OneFamily) => Impact::Degraded,
        (Kind::MissingRecord, _) => Impact::Down,
        (_, Reason::AliasExpectedCname) => Impact::None,
        _ if leads_there(want, zone) => Impact::Latent,
        _ => Impact::WrongPlace,
    }
}

/// True if the zone holds the targets of the wish at its name, whatever else differs: the set identifier,
/// or an alias in the place of a CNAME. A wish for no traffic is never fulfilled by a record that draws some.
#[must_use]
pub fn leads_there(want: &Want, zone: &ZoneReading) -> bool {
    let is_cname = |kind: &RecordType| *kind == RecordType::Cname;
    let serves = |set: &&RecordSet| {
        let either = is_cname(&set.record_type) || is_cname(&want.record_type);
        set.record_type == want.record_type || either && set.record_type.is_address()
    };
    let wanted = targets(&want.content);
    let mut held = zone.at(&want.name).iter().filter(serves);
    !wanted.is_empty()
        && held.any(|set| targets(&set.content) == wanted)
        && want.routing.as_deref() != Some(&Routing::Weighted(0))
}

/// Texts of the targets; an alias on an IP address has the address as its name, and a load balancer its bare one.
fn targets(content: &Content) -> BTreeSet<String> {
    let text = |value: &Value| value.host().map_or_else(|| value.to_string(), |host| host.bare().to_owned());
    match content {
        Content::Values { values, .. } => values.iter().map(text).collect(),
        Content::Alias(target) => BTreeSet::from([target.bare_name().to_string()]),
        Content::TrafficPolicy(_) => BTreeSet::new(),
    }
}

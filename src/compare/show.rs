//! Views of one name as small JSON values, for reports. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use crate::compare::live::{addresses, says_nothing};
use crate::compare::world::World;
use crate::model::record::{Content, RecordSet, Routing};
use crate::model::want::Want;
use crate::model::{DomainName, text};

/// What is wanted.
#[must_use]
pub fn want(want: &Want) -> Json {
    let mut shown = content(want.record_type.as_str(), &want.content);
    routed(&mut shown, want.routing.as_deref(), want.health_check_id.as_deref());
    shown
}

/// What stands in the zone at one name, address types only, one member for each key.
#[must_use]
pub fn records(sets: &[RecordSet]) -> Json {
    let rows: Map<String, Json> = sets
        .iter()
        .filter(|set| set.record_type.is_address())
        .map(|set| {
            let key = match &set.set_identifier {
                Some(identifier) => format!("{}#{}", set.record_type, text::printable(identifier)),
                None => set.record_type.to_string(),
            };
            let mut shown = content(set.record_type.as_str(), &set.content);
            routed(&mut shown, set.routing.as_deref(), set.health_check_id.as_deref());
            (key, shown)
        })
        .collect();
    Json::Object(rows)
}

/// How a member of a routing set is chosen, in the words of the Route 53 API.
fn routed(shown: &mut Json, routing: Option<&Routing>, health_check: Option<&str>) {
    let Json::Object(shown) = shown else { return };
    let policy = routing.map(|routing| match routing {
        Routing::Weighted(weight) => json!({ "weight": weight }),
        Routing::Latency(region) => json!({ "region": region }),
        Routing::Failover(primary) => json!({ "failover": if *primary { "PRIMARY" } else { "SECONDARY" } }),
        Routing::FailoverWord(role) => json!({ "failover": text::printable(role) }),
        Routing::Geolocation { continent, country, subdivision } => json!({
            "geolocation": { "continent": continent, "country": country, "subdivision": subdivision }
        }),
        Routing::Geoproximity(location) => json!({ "geoproximity": location }),
        Routing::Cidr(location) => json!({ "cidr": location }),
        Routing::Multivalue => json!({ "multivalue": true }),
    });
    shown.extend(policy.map(|policy| ("routing".to_owned(), policy)));
    shown.extend(health_check.map(|id| ("health_check_id".to_owned(), json!(id))));
}

fn content(record_type: &str, content: &Content) -> Json {
    match content {
        Content::Values { ttl, values } => json!({ "type": record_type, "ttl": ttl, "values": values }),
        Content::Alias(target) => json!({
            "type": record_type,
            "alias": {
                "dns_name": target.dns_name,
                "hosted_zone_id": target.hosted_zone_id,
                "evaluate_target_health": target.evaluate_target_health,
            },
        }),
        Content::TrafficPolicy(id) => json!({ "type": record_type, "traffic_policy": id }),
    }
}

/// What DNS answers for a name: for each view and server the outcome or the addresses.
#[must_use]
pub fn live(world: &World<'_>, name: &DomainName) -> Json {
    let mut views: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    let told = world.told(name).chain(world.told_inside(name));
    for seen in told {
        let view = match seen.vantage {
            crate::model::observation::Vantage::Authoritative => "authoritative".to_owned(),
            crate::model::observation::Vantage::Parent => continue,
            crate::model::observation::Vantage::Recursive | crate::model::observation::Vantage::Control => {
                seen.view.to_string()
            }
        };
        let found = addresses(seen);
        let words = if found.is_empty() || says_nothing(seen.outcome) {
            vec![seen.outcome.as_str().to_owned()]
        } else {
            found.iter().map(ToString::to_string).collect()
        };
        views.entry(view).or_default().entry(text::printable(&seen.server)).or_default().extend(words);
    }
    json!(views)
}

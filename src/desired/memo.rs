//! The desired view of the last round, given again while nothing that it was made from has changed.
//!
//! Most rounds come because a zone was read again or a server has answered, and what the objects ask
//! for is then what it was. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use jiff::Timestamp;

use crate::desired::compute;
use crate::desired::placement::has_untold_filters;
use crate::desired::source::is_solver;
use crate::model::want::InstanceWants;
use crate::model::zone::{HostedZone, RecordSets, ZoneReading, Zones};
use crate::model::{DomainName, ZoneId};
use crate::snapshot::Cluster;

/// The latest result and what it hangs on. Holds no record sets.
#[derive(Clone, Debug, Default)]
pub struct Memo {
    made: Option<Made>,
}

#[derive(Clone, Debug)]
struct Made {
    cluster: Arc<Cluster>,
    zones: Option<BTreeMap<ZoneId, Zone>>,
    wants: Arc<[InstanceWants]>,
    /// False if time alone can change the result.
    is_timeless: bool,
}

/// What the choice of zones looks at.
#[derive(Clone, Debug)]
struct Zone {
    name: DomainName,
    private: bool,
    tags: Option<BTreeMap<String, String>>,
    /// The records, where the ownership that stands there decides between several objects; of a zone that
    /// is not read yet, none. Weak, so that a listing is not kept for this; its place in memory is not used
    /// again meanwhile.
    records: Option<Weak<RecordSets>>,
}

// === impl Memo ===

impl Memo {
    /// What [`compute`] gives for these.
    pub fn wants(
        &mut self,
        cluster: &Arc<Cluster>,
        zones: Option<&Zones>,
        now: Timestamp,
    ) -> Arc<[InstanceWants]> {
        if let Some(made) = self.made.as_ref().filter(|made| made.holds(cluster, zones)) {
            return Arc::clone(&made.wants);
        }
        // The old result need not live beside the new one.
        self.made = None;
        let wants: Arc<[InstanceWants]> = compute(cluster, zones, now).into();
        self.made = Some(Made::of(Arc::clone(cluster), zones, Arc::clone(&wants)));
        wants
    }
}

// === impl Made ===

impl Made {
    fn of(cluster: Arc<Cluster>, zones: Option<&Zones>, wants: Arc<[InstanceWants]>) -> Self {
        let wishes = wants.iter().flat_map(|one| &one.wants);
        let contested: BTreeSet<&ZoneId> =
            wishes.filter(|want| 1 < want.objects.len()).filter_map(|want| want.zone_id()).collect();
        // Zones are then those that hold records of the instance.
        let guesses = cluster.instances.iter().any(|one| has_untold_filters(&one.flags));
        let zone = |reading: &ZoneReading| {
            let HostedZone { id, name, private, tags, .. } = &reading.zone;
            let zone = Zone {
                name: name.clone(),
                private: *private,
                tags: tags.clone(),
                records: (guesses || contested.contains(id)).then(|| records_of(reading)),
            };
            (id.clone(), zone)
        };
        let zones = zones.map(|zones| zones.zones.values().map(zone).collect());
        let is_timeless = !cluster.objects.values().any(|object| is_solver(object));
        Self { cluster, zones, wants, is_timeless }
    }

    fn holds(&self, cluster: &Arc<Cluster>, zones: Option<&Zones>) -> bool {
        let same_zones = match (&self.zones, zones) {
            (None, None) => true,
            (Some(seen), Some(now)) => {
                let mut pairs = seen.values().zip(now.zones.values());
                seen.keys().eq(now.zones.keys()) && pairs.all(|(seen, now)| seen.is(now))
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.is_timeless && Arc::ptr_eq(&self.cluster, cluster) && same_zones
    }
}

// === impl Zone ===

impl Zone {
    fn is(&self, reading: &ZoneReading) -> bool {
        let HostedZone { name, private, tags, .. } = &reading.zone;
        let same_records = self.records.as_ref().is_none_or(|seen| seen.ptr_eq(&records_of(reading)));
        self.name == *name && self.private == *private && self.tags == *tags && same_records
    }
}

fn records_of(reading: &ZoneReading) -> Weak<RecordSets> {
    reading.record_sets.as_ref().map(Arc::downgrade).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fixture;
    use crate::model::record::{Content, RecordSet, RecordType, Value as Held};

    fn ingress(name: &str, host: &str, ip: &str) -> Value {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"namespace": "shop", "name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"rules": [{"host": host}]},
            "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
        })
    }

    /// Two objects compete for one host, a third one has its own.
    fn cluster(more: &[Value]) -> Arc<Cluster> {
        let mut objects = vec![
            ingress("blue", "app.example.com", "192.0.2.1"),
            ingress("green", "app.example.com", "192.0.2.2"),
            ingress("other", "alone.example.org", "192.0.2.3"),
        ];
        objects.extend_from_slice(more);
        Arc::new(Cluster {
            objects: fixture::objects(&objects),
            instances: vec![Arc::new(fixture::instance(&["--source=ingress"], "v0.19.0"))],
            ..Cluster::default()
        })
    }

    fn zone(id: &str, name: &str, holder: Option<&str>) -> ZoneReading {
        let txt = |object: &str| {
            RecordSet {
            name: "a-app.example.com".into(),
            record_type: RecordType::Txt,
            set_identifier: None,
            routing: None,
            content: Content::values(
                300,
                [Held::Text(
                    format!(
                        "\"heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/{object}\""
                    )
                    .into(),
                )],
            ),
            health_check_id: None,
        }
        };
        fixture::zone_reading(id, name, holder.map(txt).into_iter().collect())
    }

    fn zones(holder: &str) -> Zones {
        let all = [zone("Z1", "example.com", Some(holder)), zone("Z2", "example.org", None)];
        let zones = all.into_iter().map(|reading| (reading.zone.id.clone(), reading)).collect();
        Zones { zones, ..Zones::default() }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + 60 * minute).expect("a time")
    }

    /// Whether the second round got what the first one had made; both are checked.
    fn is_kept(first: (&Arc<Cluster>, Option<&Zones>), second: (&Arc<Cluster>, Option<&Zones>)) -> bool {
        let mut memo = Memo::default();
        let before = memo.wants(first.0, first.1, at(0));
        assert_eq!(*before, *compute(first.0, first.1, at(0)));
        let after = memo.wants(second.0, second.1, at(90));
        assert_eq!(*after, *compute(second.0, second.1, at(90)));
        Arc::ptr_eq(&before, &after)
    }

    #[test]
    fn a_round_without_news_of_the_wishes_makes_none_anew() {
        let (cluster, before) = (cluster(&[]), zones("blue"));
        assert!(is_kept((&cluster, None), (&cluster, None)));
        assert!(is_kept((&cluster, Some(&before)), (&cluster, Some(&before))));
        let mut read_again = before.clone();
        let other = read_again.zones.get_mut(&ZoneId::new("Z2")).expect("a zone");
        *other = zone("Z2", "example.org", None);
        other.zone.record_set_count = Some(7);
        assert!(is_kept((&cluster, Some(&before)), (&cluster, Some(&read_again))));
    }

    #[test]
    fn whatever_decides_makes_them_anew() {
        let (first, before) = (cluster(&[]), zones("blue"));
        let again = |now: &Zones| !is_kept((&first, Some(&before)), (&first, Some(now)));
        assert!(again(&zones("green")), "another object holds the name");
        let changed = |change: fn(&mut HostedZone)| {
            let mut now = before.clone();
            change(&mut now.zones.get_mut(&ZoneId::new("Z2")).expect("a zone").zone);
            now
        };
        assert!(again(&changed(|zone| zone.name = "example.net".into())));
        assert!(again(&changed(|zone| zone.private = true)));
        assert!(again(&changed(|zone| zone.tags = Some(BTreeMap::new()))));
        let mut unread = before.clone();
        unread.zones.get_mut(&ZoneId::new("Z1")).expect("a zone").record_sets = None;
        assert!(again(&unread), "who holds the name is not known any more");
        assert!(is_kept((&first, Some(&unread)), (&first, Some(&unread))));
        assert!(!is_kept((&first, Some(&unread)), (&first, Some(&zones("green")))), "now it is read");
        let mut fewer = before.clone();
        fewer.zones.pop_last();
        assert!(again(&fewer));
        assert!(!is_kept((&first, Some(&before)), (&first, None)));
        assert!(!is_kept((&first, None), (&first, Some(&before))));
        assert!(!is_kept((&first, None), (&cluster(&[]), None)), "another reading of the cluster");
    }

    #[test]
    fn a_solver_is_wanted_once_it_is_old() {
        let mut solver = ingress("cm-acme-http-solver-x", "new.example.org", "192.0.2.4");
        solver["metadata"]["labels"] = json!({"acme.cert-manager.io/http01-solver": "true"});
        let cluster = cluster(&[solver]);
        let zones = zones("blue");
        assert!(!is_kept((&cluster, Some(&zones)), (&cluster, Some(&zones))));
    }
}

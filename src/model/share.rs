//! What record sets and wishes repeat, kept once: a few load balancers stand behind thousands of names, and
//! each name has two and more record sets. Values of ownership records are all different, and stay as they
//! are. Pure.

use std::hash::Hash;
use std::sync::Arc;

use crate::model::record::{AliasTarget, Content, RecordSet, Value};
use crate::model::table::TableSet;
use crate::model::{DomainName, ZoneId};

/// The texts of one listing, or of the wishes of one instance.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    names: TableSet<DomainName>,
    zones: TableSet<ZoneId>,
    targets: TableSet<Arc<AliasTarget>>,
    texts: TableSet<Arc<str>>,
}

/// Makes equal texts of the record sets one and the same.
pub(crate) fn share(sets: &mut [RecordSet]) {
    let mut pool = Pool::default();
    for set in sets {
        once(&mut pool.names, &mut set.name);
        for text in [&mut set.set_identifier, &mut set.health_check_id].into_iter().flatten() {
            once(&mut pool.texts, text);
        }
        pool.share(&mut set.content);
    }
}

impl Pool {
    /// Makes what the content leads to the same value as before.
    pub(crate) fn share(&mut self, content: &mut Content) {
        match content {
            Content::Values { values, .. } => {
                for value in values.as_mut_slice() {
                    if let Value::Host(host) = value {
                        once(&mut self.names, host);
                    }
                }
            }
            Content::Alias(target) => {
                if let Some(known) = self.targets.get(target) {
                    return target.clone_from(known);
                }
                // Nobody else holds what was just read.
                if let Some(own) = Arc::get_mut(target) {
                    once(&mut self.names, &mut own.dns_name);
                    if let Some(zone) = &mut own.hosted_zone_id {
                        once(&mut self.zones, zone);
                    }
                }
                self.targets.insert(Arc::clone(target));
            }
            Content::TrafficPolicy(id) => once(&mut self.texts, id),
        }
    }
}

fn once<T: Clone + Eq + Hash>(known: &mut TableSet<T>, text: &mut T) {
    match known.get(text) {
        Some(first) => text.clone_from(first),
        None => drop(known.insert(text.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordType;

    fn alias(name: &str, record_type: RecordType) -> RecordSet {
        RecordSet {
            name: name.into(),
            record_type,
            set_identifier: Some("blue".into()),
            routing: None,
            content: Content::Alias(Arc::new(AliasTarget {
                dns_name: "lb.eu-west-1.elb.amazonaws.com".into(),
                hosted_zone_id: Some(ZoneId::new("Z32O12XQLNTSW2")),
                evaluate_target_health: true,
            })),
            health_check_id: Some("11111111-2222-3333-4444-555555555555".into()),
        }
    }

    #[test]
    fn equal_texts_become_one_and_nothing_else_changes() {
        let before = [
            alias("a.example.com", RecordType::A),
            alias("a.example.com", RecordType::Aaaa),
            alias("b.example.com", RecordType::A),
        ];
        let mut sets = before.clone();
        share(&mut sets);
        assert_eq!(sets, before);
        let [first, second, third] = &sets;
        let target = |set: &RecordSet| set.content.alias().expect("an alias").clone();
        let same = |one: Arc<str>, other: Arc<str>| Arc::ptr_eq(&one, &other);
        assert!(same(first.name.shared(), second.name.shared()));
        assert!(!same(first.name.shared(), third.name.shared()));
        assert!(same(target(first).dns_name.shared(), target(third).dns_name.shared()));
        let zone = |set| target(set).hosted_zone_id.expect("a zone").shared();
        assert!(same(zone(first), zone(third)));
        let text = |set: &RecordSet| set.set_identifier.clone().expect("an identifier");
        assert!(same(text(first), text(third)));
        let check = |set: &RecordSet| set.health_check_id.clone().expect("a health check");
        assert!(same(check(first), check(third)));
    }
}

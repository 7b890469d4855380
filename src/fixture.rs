//! What tests of several modules make again and again.

use crate::config::Config;
use crate::model::by_name::ByName;
use crate::model::want::{InstanceWants, Placement, Want};
use crate::model::{Content, DomainName, RecordType, Value, ZoneId};

/// The hosted zone that everything is in.
pub(crate) const ZONE: &str = "Z1";

/// A plain wish with one value, of no object and of unknown age.
pub(crate) fn want(name: &str, record_type: RecordType, value: &str) -> Want {
    Want {
        name: DomainName::new(name),
        content: Content::Values { ttl: 60, values: vec![Value::new(&record_type, value)] },
        record_type,
        set_identifier: None,
        placement: Placement::Zone(ZoneId::new(ZONE)),
        routing: None,
        health_check_id: None,
        demanded_ttl: None,
        demanded_health: None,
        demanded_alias: false,
        companion: false,
        objects: Vec::new(),
        conflict: None,
        invalid: None,
        changed_at: None,
        created_at: None,
        status_changed_at: None,
    }
}

/// What the instance wants that is taken for granted without a configuration.
pub(crate) fn wants(wants: Vec<Want>) -> InstanceWants {
    InstanceWants {
        instance: Config::from_value(&serde_json::Value::Null).expect("the defaults").assumed(),
        zones: vec![ZoneId::new(ZONE)],
        wants: ByName::new(wants),
        unwanted: Vec::new(),
        without_target: Vec::new(),
        unread: Vec::new(),
        notes: Vec::new(),
        unknown: Vec::new(),
    }
}

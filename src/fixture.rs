//! What tests of several modules make again and again.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::Config;
use crate::desired::kinds::{Kind, Row};
use crate::model::by_name::ByName;
use crate::model::instance::{CommandLine, Flags, Instance, Origin};
use crate::model::observation::{Observation, Outcome, Respondent, Transport, Vantage};
use crate::model::want::{InstanceWants, Placement, Want};
use crate::model::zone::{HostedZone, RecordSets, ZoneReading};
use crate::model::{Content, DomainName, Objects, RecordSet, RecordType, Value, ZoneId};

/// The hosted zone that everything is in.
pub(crate) const ZONE: &str = "Z1";

/// A plain wish with one value, of no object and of unknown age.
pub(crate) fn want(name: &str, record_type: RecordType, value: &str) -> Want {
    let content = Content::values(60, [Value::new(&record_type, value)]);
    Want::plain(DomainName::new(name), record_type, content, Placement::Zone(ZoneId::new(ZONE)))
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

/// A server of the view `public`.
pub(crate) fn respondent(vantage: Vantage, server: &str, zone_id: Option<&str>) -> Arc<Respondent> {
    let zone_id = zone_id.map(Arc::from);
    Arc::new(Respondent { vantage, view: "public".into(), server: server.into(), zone_id })
}

/// What one server of the view `public` said about a name, with nothing in it; at the epoch.
pub(crate) fn observation(vantage: Vantage, server: &str, name: &str, outcome: Outcome) -> Observation {
    Observation {
        at: Timestamp::UNIX_EPOCH,
        respondent: respondent(vantage, server, None),
        transport: Transport::Udp,
        name: name.into(),
        record_type: "A".into(),
        outcome,
        rcode: None,
        answers: Arc::default(),
        authority: Arc::default(),
        aa: false,
        ad: false,
        cd: false,
        ede: None,
        rtt_ms: None,
    }
}

/// An instance with these arguments; its owner id is `owner`.
pub(crate) fn instance(args: &[&str], version: &str) -> Instance {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let version = version.parse().ok();
    Instance {
        id: "owner".into(),
        origin: Origin::Assumed,
        workload: None,
        container: "".into(),
        version,
        flags: Flags::from_args(&args, &BTreeMap::new(), version),
        command_line: CommandLine::default(),
        replicas: None,
        ready_replicas: None,
        service_account: "".into(),
        changed_at: None,
        pods: Vec::new(),
    }
}

/// Objects as the API gives them.
pub(crate) fn objects(values: &[serde_json::Value]) -> Objects {
    let decode = |value: &serde_json::Value| {
        let kind = match value["kind"].as_str().expect("kind") {
            "Pod" => Kind::PodAddresses,
            word => Kind::of(value["apiVersion"].as_str().unwrap_or_default(), word).expect("known"),
        };
        match kind.decode(value.clone()).expect("decoded") {
            Some(Row::Object(object)) => object,
            _ => panic!("an object"),
        }
    };
    values.iter().map(decode).collect()
}

/// A public zone with these record sets, read at no time that is known.
pub(crate) fn zone_reading(id: &str, name: &str, sets: Vec<RecordSet>) -> ZoneReading {
    let zone = HostedZone {
        id: ZoneId::new(id),
        name: DomainName::new(name),
        private: false,
        record_set_count: None,
        delegation_set: Vec::new(),
        vpcs: None,
        limit: None,
        dnssec: None,
        tags: None,
    };
    let record_sets = Some(Arc::new(RecordSets::new(sets)));
    ZoneReading {
        zone,
        record_sets,
        read_at: None,
        names_read: BTreeMap::new(),
        list_failed: false,
        above: None,
    }
}

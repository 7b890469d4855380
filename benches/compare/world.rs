//! A fleet of any size as one snapshot: names in many zones, with records, ownership and answers.

use std::sync::{Arc, LazyLock};

use dns_drift::config::Config;
use dns_drift::model::object::{Body, Ingress, KubeObject, LoadBalancerAddress};
use dns_drift::model::observation::{AnswerRecord, Observation, Outcome, Respondent, Transport, Vantage};
use dns_drift::model::record::{Content, RecordSet, RecordType, Value};
use dns_drift::model::zone::{HostedZone, RecordSets, ZoneReading, Zones};
use dns_drift::model::{DomainName, ObjectRef, TextMap, ZoneId};
use dns_drift::snapshot::{Cluster, Reading, Snapshot};
use jiff::Timestamp;

/// Names in each hosted zone.
const NAMES_IN_ZONE: usize = 1_000;

/// One name of a hundred lacks its record.
const FAULTY: usize = 100;

/// `names` wanted names; for each its record, its ownership TXT and one record that is not ours,
/// and the answers of two authoritative servers and a resolver.
pub(crate) fn snapshot(names: usize, at: Timestamp) -> Snapshot {
    let mut objects = Vec::new();
    let mut zones = Zones::default();
    let mut observations = Vec::new();
    for zone in 0..names.div_ceil(NAMES_IN_ZONE) {
        let count = NAMES_IN_ZONE.min(names - zone * NAMES_IN_ZONE);
        let apex = format!("z{zone}.example.com");
        let id = ZoneId::new(&format!("Z{zone:06}"));
        let mut records = Vec::with_capacity(3 * count);
        let respondents = respondents(&id);
        for index in 0..count {
            let host: Arc<str> = format!("host-{index}.{apex}").into();
            let address = format!("203.0.{}.{}", index / 250 % 250, index % 250);
            let object = ingress(zone, index, &host, &address, at);
            objects.push(Arc::new(object));
            records.extend(record_sets(&host, &apex, &address, zone, index));
            observations.extend(answers(&host, &address, &respondents, at));
        }
        zones.zones.insert(id.clone(), reading(id, &apex, listed(records), at));
    }
    let cluster = Cluster {
        objects: objects.into_iter().collect(),
        instances: vec![Config::from_value(&serde_json::json!({})).expect("defaults").assumed()],
        watched_kinds: vec!["Ingress".into()],
        ..Cluster::default()
    };
    Snapshot {
        at,
        kubernetes: Reading::read(at, cluster),
        route53: Reading::read(at, zones),
        dns: Reading::read(at, observations),
        changes: Reading::off(),
    }
}

/// The same snapshot a minute later, with one object that has another address.
pub(crate) fn with_one_change(snapshot: &Snapshot, at: Timestamp) -> Snapshot {
    let mut next = Snapshot { at, ..snapshot.clone() };
    let mut cluster = Cluster::clone(next.kubernetes.value().expect("a cluster"));
    let mut object = KubeObject::clone(cluster.objects.values().next().expect("an object"));
    object.status_changed_at = Some(at);
    if let Body::Ingress(ingress) = &mut object.body {
        ingress.addresses[0].ip = Some("198.51.100.1".to_owned());
    }
    cluster.objects.insert(Arc::new(object));
    next.kubernetes = Reading::read(at, cluster);
    next
}

fn ingress(zone: usize, index: usize, host: &Arc<str>, address: &str, at: Timestamp) -> KubeObject {
    KubeObject {
        reference: ObjectRef::new("Ingress", &format!("team-{zone}"), &format!("web-{index}")),
        uid: format!("uid-{zone}-{index}").into(),
        created_at: Some(at - jiff::SignedDuration::from_hours(24)),
        deletion_at: None,
        changed_at: Some(at - jiff::SignedDuration::from_hours(24)),
        status_changed_at: Some(at - jiff::SignedDuration::from_hours(24)),
        labels: TextMap::from_iter([("team".to_owned(), format!("team-{zone}"))]),
        annotations: TextMap::default(),
        body: Body::Ingress(Ingress {
            rule_hosts: [host.clone()].into(),
            addresses: vec![LoadBalancerAddress { ip: Some(address.to_owned()), hostname: None }],
            ..Ingress::default()
        }),
    }
}

/// Name, type and value of each.
fn record_sets(
    host: &str,
    apex: &str,
    address: &str,
    zone: usize,
    index: usize,
) -> Vec<(String, RecordType, String)> {
    let owner = format!(
        "\"heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/team-{zone}/web-{index}\""
    );
    let mut sets = vec![
        (format!("a-{host}"), RecordType::Txt, owner),
        (format!("mail-{index}.{apex}"), RecordType::Mx, "10 mx.example.net.".to_owned()),
    ];
    if !index.is_multiple_of(FAULTY) {
        sets.push((host.to_owned(), RecordType::A, address.to_owned()));
    }
    sets
}

/// Record sets read in the order in which Route 53 lists them.
fn listed(mut records: Vec<(String, RecordType, String)>) -> Vec<RecordSet> {
    records.sort();
    let read = |(name, record_type, value): (String, RecordType, String)| RecordSet {
        content: Content::values(300, [Value::new(&record_type, &value)]),
        name: DomainName::new(&name),
        record_type,
        set_identifier: None,
        routing: None,
        health_check_id: None,
    };
    records.into_iter().map(read).collect()
}

/// Two servers of the zone and a resolver.
fn respondents(zone: &ZoneId) -> [Arc<Respondent>; 3] {
    let one = |vantage: Vantage, server: &str| Respondent {
        vantage,
        view: "public".into(),
        server: server.into(),
        zone_id: (vantage == Vantage::Authoritative).then(|| zone.as_str().into()),
    };
    [
        one(Vantage::Authoritative, "ns-1.awsdns-01.com"),
        one(Vantage::Authoritative, "ns-2.awsdns-02.net"),
        one(Vantage::Recursive, "192.0.2.53"),
    ]
    .map(Arc::new)
}

/// What they answer, kept as the live view keeps it: once for all that say the same, under the very name that was asked
/// because it is wanted.
fn answers(
    host: &Arc<str>,
    address: &str,
    respondents: &[Arc<Respondent>],
    at: Timestamp,
) -> impl Iterator<Item = Arc<Observation>> {
    static WORD: LazyLock<Arc<str>> = LazyLock::new(|| "A".into());
    let (name, word) = (DomainName::of_shared(host), &*WORD);
    let answers: Arc<[AnswerRecord]> =
        [AnswerRecord { name: name.clone(), record_type: word.clone(), ttl: 300, data: address.into() }]
            .into();
    respondents.iter().map(move |respondent| {
        Arc::new(Observation {
            at,
            respondent: respondent.clone(),
            transport: Transport::Udp,
            name: name.clone(),
            record_type: word.clone(),
            outcome: Outcome::Answer,
            rcode: Some("NOERROR".into()),
            answers: answers.clone(),
            authority: Arc::default(),
            aa: false,
            ad: false,
            cd: false,
            ede: None,
            rtt_ms: Some(1.0),
        })
    })
}

fn reading(id: ZoneId, apex: &str, records: Vec<RecordSet>, at: Timestamp) -> ZoneReading {
    ZoneReading {
        zone: HostedZone {
            id,
            name: DomainName::new(apex),
            private: false,
            record_set_count: Some(records.len() as u64),
            delegation_set: vec![
                DomainName::new("ns-1.awsdns-01.com"),
                DomainName::new("ns-2.awsdns-02.net"),
            ],
            vpcs: None,
            limit: None,
            dnssec: None,
            tags: None,
        },
        record_sets: Some(Arc::new(RecordSets::new(records))),
        names_read: std::collections::BTreeMap::new(),
        list_failed: false,
        above: None,
        read_at: Some(at),
    }
}

//! A small world as snapshots, in which something happens all the time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use dns_drift::changes::feed::FeedBuilder;
use dns_drift::changes::log::LogParser;
use dns_drift::config::Config;
use dns_drift::model::change::FeedSource;
use dns_drift::model::object::{Body, Ingress, KubeObject, LoadBalancerAddress};
use dns_drift::model::observation::{AnswerRecord, Observation, Outcome, Respondent, Transport, Vantage};
use dns_drift::model::record::{Content, RecordSet, RecordType, Value};
use dns_drift::model::zone::{HostedZone, RecordSets, ZoneReading, Zones};
use dns_drift::model::{DomainName, ObjectRef, TextMap, ZoneId};
use dns_drift::snapshot::{Cluster, Reading, Snapshot};
use jiff::{SignedDuration, Timestamp};

/// Hosts that are there at a time.
const ALIVE: usize = 10;

/// How often the log tells of a reconcile.
const RECONCILES: SignedDuration = SignedDuration::from_mins(5);

/// Every so manieth host never gets its record; every so manieth is refused by Route 53.
const MISSING: usize = 7;
const REFUSED: usize = 5;

const ZONE: &str = "Z0SOAK";

struct Host {
    number: usize,
    born: Timestamp,
    moved: Timestamp,
    address: String,
}

pub(crate) struct Churn {
    now: Timestamp,
    turned: Timestamp,
    logged: Timestamp,
    hosts: VecDeque<Host>,
    next: usize,
    /// After so many the names come again; `None` for never.
    names: Option<usize>,
    /// How often a host goes and another one comes.
    turn: SignedDuration,
    feed: FeedBuilder,
    parser: LogParser,
}

// === impl Churn ===

impl Churn {
    /// Names out of a fixed set: each comes again after 40 minutes, and of each so many changes are
    /// remembered as fit into some hours.
    pub(crate) fn of_the_same_hosts() -> Self {
        Self::new(Some(2 * ALIVE), SignedDuration::from_mins(2))
    }

    /// Each name once.
    pub(crate) fn of_new_hosts() -> Self {
        Self::new(None, SignedDuration::from_mins(20))
    }

    fn new(names: Option<usize>, turn: SignedDuration) -> Self {
        let now: Timestamp = "2026-11-23T00:00:00Z".parse().expect("a time");
        let source =
            FeedSource::Log { namespace: "dns".into(), pod: "dns-0".into(), container: "dns".into() };
        let mut churn = Self {
            now,
            turned: now,
            logged: now,
            hosts: VecDeque::new(),
            next: 0,
            names,
            turn,
            feed: FeedBuilder::default(),
            parser: LogParser::new(source, now),
        };
        for _ in 0..ALIVE {
            churn.comes();
        }
        churn
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Changes that the feed holds.
    pub(crate) fn events(&self) -> usize {
        self.feed.size().0
    }

    /// The next round.
    pub(crate) fn round(&mut self, after: SignedDuration) -> Snapshot {
        self.now += after;
        while self.turn <= self.now.duration_since(self.turned) {
            self.turned += self.turn;
            self.hosts.pop_front();
            self.comes();
            let (now, turn) = (self.now, self.next);
            if let Some(host) = self.hosts.get_mut(ALIVE / 2) {
                (host.moved, host.address) = (now, format!("198.51.100.{}", turn % 250 + 1));
            }
        }
        while RECONCILES <= self.now.duration_since(self.logged) {
            self.logged += RECONCILES;
            self.reconciles();
        }
        self.snapshot()
    }

    fn comes(&mut self) {
        let number = self.names.map_or(self.next, |names| self.next % names);
        self.next += 1;
        let address = format!("203.0.113.{}", number % 250 + 1);
        self.hosts.push_back(Host { number, born: self.now, moved: self.now, address });
    }

    /// What the log says each time.
    fn reconciles(&mut self) {
        let at = self.logged;
        let refused: Vec<String> =
            self.hosts.iter().filter(|host| host.is_refused()).map(Host::name).collect();
        let mut lines = Vec::new();
        for name in &refused {
            lines
                .push(format!("level=info msg=\"Desired change: CREATE {name} A [Id: /hostedzone/{ZONE}]\""));
            let why = format!(
                "Failure in zone example.com. [Id: /hostedzone/{ZONE}] when submitting change batch: \
                 InvalidChangeBatch: [Tried to create an alias that targets 203.0.113.10., type A in zone {ZONE}, \
                 but the alias target name does not lie within the target zone]\\n\\tstatus code: 400"
            );
            lines.push(format!("level=error msg=\"{why}\""));
        }
        lines.push("level=info msg=\"All records are already up to date\"".to_owned());
        for line in lines {
            let events = self.parser.push(&format!("{at} time=\"{at}\" {line}"));
            self.feed.add(events, self.now);
        }
        let events = self.parser.finish();
        self.feed.add(events, self.now);
        self.feed.follow(&self.parser.stream(), self.parser.counts(), self.now);
    }

    fn snapshot(&mut self) -> Snapshot {
        let at = self.now;
        let cluster = Cluster {
            objects: self.hosts.iter().map(|host| Arc::new(host.object())).collect(),
            instances: vec![Config::from_value(&serde_json::json!({})).expect("defaults").assumed()],
            watched_kinds: vec!["Ingress".into()],
            ..Cluster::default()
        };
        let records: Vec<RecordSet> = self.hosts.iter().flat_map(Host::records).collect();
        let mut zones = Zones::default();
        zones.zones.insert(ZoneId::new(ZONE), reading(records, at));
        Snapshot {
            at,
            kubernetes: Reading::read(at, cluster),
            route53: Reading::read(at, zones),
            dns: Reading::read(
                at,
                self.hosts.iter().flat_map(|host| host.answers(at)).map(Arc::new).collect(),
            ),
            changes: Reading::read(at, self.feed.feed(at)),
        }
    }
}

// === impl Host ===

impl Host {
    fn name(&self) -> String {
        format!("pr-{}.example.com", self.number)
    }

    fn is_refused(&self) -> bool {
        self.number.is_multiple_of(REFUSED)
    }

    fn has_record(&self) -> bool {
        !self.is_refused() && !self.number.is_multiple_of(MISSING)
    }

    fn object(&self) -> KubeObject {
        let alias = self
            .is_refused()
            .then(|| ("external-dns.alpha.kubernetes.io/alias".to_owned(), "true".to_owned()));
        KubeObject {
            reference: ObjectRef::new("Ingress", "shop", &format!("pr-{}", self.number)),
            uid: format!("uid-{}-{}", self.number, self.born).into(),
            created_at: Some(self.born),
            deletion_at: None,
            changed_at: Some(self.born),
            status_changed_at: Some(self.moved),
            labels: TextMap::default(),
            annotations: TextMap::from_iter(alias),
            body: Body::Ingress(Ingress {
                rule_hosts: [self.name().as_str().into()].into(),
                addresses: vec![LoadBalancerAddress { ip: Some(self.address.clone()), hostname: None }],
                ..Ingress::default()
            }),
        }
    }

    fn records(&self) -> Vec<RecordSet> {
        let set = |name: &str, record_type: RecordType, value: Value| RecordSet {
            name: DomainName::new(name),
            record_type,
            set_identifier: None,
            routing: None,
            content: Content::values(300, [value]),
            health_check_id: None,
        };
        if !self.has_record() {
            return Vec::new();
        }
        let owner = format!(
            "\"heritage=external-dns,external-dns/owner=default,external-dns/resource=ingress/shop/pr-{}\"",
            self.number
        );
        vec![
            set(&format!("a-{}", self.name()), RecordType::Txt, Value::Text(owner.as_str().into())),
            set(&self.name(), RecordType::A, Value::Ip(self.address.parse().expect("an address"))),
        ]
    }

    fn answers(&self, at: Timestamp) -> Vec<Observation> {
        let name = DomainName::new(&self.name());
        let there = self.has_record();
        let one = |vantage: Vantage, server: &str| Observation {
            at,
            respondent: Arc::new(Respondent {
                vantage,
                view: "public".into(),
                server: server.into(),
                zone_id: (vantage == Vantage::Authoritative).then(|| ZONE.into()),
            }),
            transport: Transport::Udp,
            name: name.clone(),
            record_type: "A".into(),
            outcome: if there { Outcome::Answer } else { Outcome::Nxdomain },
            rcode: Some(if there { "NOERROR" } else { "NXDOMAIN" }.into()),
            answers: if there { [self.answer(&name)].into() } else { Arc::default() },
            authority: Arc::default(),
            aa: false,
            ad: false,
            cd: false,
            ede: None,
            rtt_ms: Some(1.0),
        };
        vec![one(Vantage::Authoritative, "ns-1.awsdns-01.com"), one(Vantage::Recursive, "192.0.2.53")]
    }

    fn answer(&self, name: &DomainName) -> AnswerRecord {
        AnswerRecord {
            name: name.clone(),
            record_type: "A".into(),
            ttl: 300,
            data: self.address.as_str().into(),
        }
    }
}

fn reading(records: Vec<RecordSet>, at: Timestamp) -> ZoneReading {
    ZoneReading {
        zone: HostedZone {
            id: ZoneId::new(ZONE),
            name: DomainName::new("example.com"),
            private: false,
            record_set_count: Some(u64::try_from(records.len()).expect("few")),
            delegation_set: vec![DomainName::new("ns-1.awsdns-01.com")],
            vpcs: None,
            limit: None,
            dnssec: None,
            tags: None,
        },
        record_sets: Some(Arc::new(RecordSets::new(records))),
        names_read: BTreeMap::new(),
        list_failed: false,
        above: None,
        read_at: Some(at),
    }
}

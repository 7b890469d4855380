//! The network of the test: one port, many addresses, each a server with a character.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use dns_drift::live::prober::{Prober, ProberSettings};
use dns_drift::live::question::Question;
use dns_drift::model::RecordType;
use dns_drift::model::observation::{Outcome, Transport, Vantage};

use crate::name_servers::{Knot, Silent, Unbound, Zone, apex, free_port};

/// A name that both public resolvers know.
pub(crate) const CONTROL: &str = "control.example.org";
/// A name that only the resolver of the VPC knows.
pub(crate) const VPC_CONTROL: &str = "control.corp.internal";
/// The VPC of the private zone.
pub(crate) const VPC: &str = "vpc-0c1a5e7e4b0d4f9a1";

/// The good servers.
pub(crate) const SERVERS: [&str; 4] =
    ["ns-1.dns-set.org", "ns-2.dns-set.org", "ns-3.dns-set.org", "ns-4.dns-set.org"];
const REFUSES: &str = "refuses.dns-set.org";
const TRUNCATES: &str = "truncates.dns-set.org";
const DROPS: &str = "drops.dns-set.org";
const UPWARD: &str = "upward.dns-set.org";
const OLD: &str = "old.dns-set.org";
const ELSEWHERE: [&str; 2] = ["ns-1.elsewhere.net", "ns-2.elsewhere.net"];

/// The hosted zones and the servers of each.
pub(crate) const ZONES: &[(&str, [&str; 4])] = &[
    ("good.test", SERVERS),
    ("lame.test", [SERVERS[0], REFUSES, TRUNCATES, DROPS]),
    ("upward.test", [SERVERS[0], SERVERS[1], SERVERS[2], UPWARD]),
    ("old.test", [SERVERS[0], SERVERS[1], SERVERS[2], OLD]),
    ("wrong.test", SERVERS),
    ("nobody.test", SERVERS),
    ("bogus.test", SERVERS),
    ("forged.test", [OLD, OLD, OLD, OLD]),
    ("unkeyed.test", [OLD, OLD, OLD, OLD]),
    ("stale.test", SERVERS),
    ("split.test", SERVERS),
];

/// The signed ones.
const SIGNED: [&str; 4] = ["good.test", "bogus.test", "forged.test", "unkeyed.test"];

/// The servers, which end with this.
pub(crate) struct Network {
    port: u16,
    main: Knot,
    _others: Vec<Knot>,
    _drops: Silent,
    _resolvers: [Unbound; 3],
    /// A resolver that validates.
    pub(crate) validating: SocketAddr,
    /// A resolver that lies and keeps what it has too long.
    pub(crate) lying: SocketAddr,
    /// A resolver inside the VPC.
    pub(crate) vpc: SocketAddr,
    /// Signed zones with their DS records.
    pub(crate) signed: Vec<(&'static str, String)>,
}

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 61, last)
}

impl Network {
    pub(crate) async fn start() -> Self {
        let all: Vec<IpAddr> = (1..=23).map(|last| IpAddr::V4(ip(last))).collect();
        let port = free_port(&all);
        let at = |last: u8| SocketAddr::from((ip(last), port));
        let main = Knot::start(&[at(1), at(2), at(3), at(4)], &main_zones()).await;
        let signed = SIGNED.map(|zone| (zone, main.ds(zone)));
        let forged = forge(&main.signed_text("forged.test").await);
        let unkeyed = forge(&main.signed_text("unkeyed.test").await);
        let old = format!("{}app A 203.0.113.99\n", apex("old.test", 1, 300, &ZONES[3].1));
        let wrong = format!("{}app A 198.51.100.1\n", apex("wrong.test", 1, 300, &ELSEWHERE));
        let foreign = |zone: &str| format!("{}lb A 198.51.100.7\n", apex(zone, 1, 300, &ELSEWHERE));
        let late = vec![
            Zone::plain("old.test", old),
            Zone::plain("wrong.test", wrong),
            Zone::plain("forged.test", forged),
            Zone::plain("unkeyed.test", unkeyed),
            Zone::plain("elsewhere.net", foreign("elsewhere.net")),
            Zone::plain("azurewebsites.net", foreign("azurewebsites.net")),
        ];
        let refuses = [Zone::plain("unrelated.test", apex("unrelated.test", 1, 300, &[REFUSES]))];
        let truncates = [Zone {
            truncates: true,
            ..Zone::plain(
                "lame.test",
                format!("{}app A 203.0.113.10\n", apex("lame.test", 1, 300, &ZONES[1].1)),
            )
        }];
        // It serves the zone above only, and so refers to the zone itself.
        let above = format!("{}upward NS {UPWARD}.\n", apex("test", 1, 300, &[UPWARD]));
        let parent = parent_zone(&signed);
        let net = format!(
            "{}elsewhere NS {}.\nazurewebsites NS {}.\n",
            apex("net", 1, 300, &["a.parent.org"]),
            ELSEWHERE[0],
            ELSEWHERE[1]
        );
        let parents = [Zone { signed: true, ..Zone::plain("test", parent) }, Zone::plain("net", net)];
        let others = vec![
            Knot::start(&[at(11)], &refuses).await,
            Knot::start(&[at(12)], &truncates).await,
            Knot::start(&[at(14)], &[Zone::plain("test", above)]).await,
            Knot::start(&[at(15)], &late).await,
            Knot::start(&[at(16)], &parents).await,
        ];
        let anchor = others[4].ds("test");
        let stubs: Vec<(&str, Vec<SocketAddr>)> = ZONES
            .iter()
            .map(|(zone, servers)| (*zone, vec![at(if servers[0] == OLD { 15 } else { 1 })]))
            .chain([("test", vec![at(16)]), ("net", vec![at(16)])])
            .chain([("elsewhere.net", vec![at(15)]), ("azurewebsites.net", vec![at(15)])])
            .collect();
        let validating = [format!("trust-anchor: \"test. DS {anchor}\"")];
        let lies = [
            "module-config: \"iterator\"".to_owned(),
            "cache-min-ttl: 3600".to_owned(),
            "local-data: \"rewritten.good.test. 60 IN A 198.51.100.66\"".to_owned(),
            "local-data: \"missing.good.test. 60 IN A 198.51.100.66\"".to_owned(),
            "local-data: \"leak.split.test. 60 IN A 10.0.0.9\"".to_owned(),
        ];
        let inside = [
            "module-config: \"iterator\"".to_owned(),
            "local-zone: \"split.test.\" static".to_owned(),
            "local-data: \"app.split.test. 60 IN A 10.0.0.9\"".to_owned(),
            "local-data: \"leak.split.test. 60 IN A 10.0.0.9\"".to_owned(),
        ];
        let resolvers = [
            Unbound::start(at(21), CONTROL, &stubs, &validating).await,
            Unbound::start(at(22), CONTROL, &stubs, &lies).await,
            Unbound::start(at(23), VPC_CONTROL, &stubs, &inside).await,
        ];
        Self {
            port,
            main,
            _others: others,
            _drops: Silent::at(at(13)),
            validating: resolvers[0].address,
            lying: resolvers[1].address,
            vpc: resolvers[2].address,
            _resolvers: resolvers,
            signed: signed.to_vec(),
        }
    }

    /// Where each name server and the parent are.
    pub(crate) fn server_map(&self) -> Vec<String> {
        let good = SERVERS.iter().zip(1..);
        let others = [
            (REFUSES, 11),
            (TRUNCATES, 12),
            (DROPS, 13),
            (UPWARD, 14),
            (OLD, 15),
            (ELSEWHERE[0], 15),
            (ELSEWHERE[1], 15),
            ("a.parent.org", 16),
            ("parent", 16),
        ];
        let all = good.map(|(name, last)| (*name, last)).chain(others);
        all.map(|(name, last)| format!("{name}={}:{}", ip(last), self.port)).collect()
    }

    /// Replaces `stale.test`.
    pub(crate) fn serve_stale(&self, serial: u32, records: &str) {
        self.main.reload("stale.test", &format!("{}{records}", apex("stale.test", serial, 3_600, &SERVERS)));
    }

    /// Seeds the negative cache of the lying resolver, as somebody in a hurry would.
    pub(crate) async fn ask_lying(&self, name: &str) {
        let question = Question::recursive(name.into(), RecordType::A);
        let reply = Prober::new(ProberSettings::default()).ask(self.lying, &question, Transport::Udp).await;
        assert_eq!(reply.outcome(Vantage::Recursive), Outcome::Nxdomain);
    }
}

fn main_zones() -> Vec<Zone> {
    let hosts = |zone: &str| match zone {
        "good.test" => {
            "app A 203.0.113.10\n*.wild A 203.0.113.10\nx.b.wild A 203.0.113.10\nlb CNAME lb.elsewhere.net.\n\
             dead CNAME dead.elsewhere.net.\ncdn CNAME shop-cdn.azurewebsites.net.\nrewritten A 203.0.113.10\n"
        }
        "split.test" => "app A 203.0.113.10\nleak A 203.0.113.10\n",
        _ => "app A 203.0.113.10\n",
    };
    let minimum = |zone: &str| if zone == "stale.test" { 3_600 } else { 1 };
    ZONES
        .iter()
        .map(|(zone, servers)| Zone {
            signed: SIGNED.contains(zone),
            ..Zone::plain(zone, format!("{}{}", apex(zone, 1, minimum(zone), servers), hosts(zone)))
        })
        .collect()
}

/// Delegates every zone but one; one to strangers, one with the wrong DS record.
fn parent_zone(signed: &[(&str, String)]) -> String {
    let mut text = apex("test", 1, 300, &["a.parent.org"]);
    for (zone, servers) in ZONES.iter().filter(|(zone, _)| *zone != "nobody.test") {
        let label = zone.strip_suffix(".test").unwrap();
        let servers: &[&str] = if *zone == "wrong.test" { &ELSEWHERE } else { servers };
        for server in servers {
            writeln!(text, "{label} 300 NS {server}.").unwrap();
        }
    }
    for (zone, ds) in signed {
        let ds = if *zone == "bogus.test" { &signed[0].1 } else { ds };
        writeln!(text, "{} 300 DS {ds}", zone.strip_suffix(".test").unwrap()).unwrap();
    }
    text
}

/// Takes all signatures away but those of the keys.
fn forge(text: &str) -> String {
    let keep = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let signature = words.iter().position(|word| *word == "RRSIG");
        signature.is_none_or(|at| words.get(at + 1) == Some(&"DNSKEY"))
    };
    text.lines().filter(keep).map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
}

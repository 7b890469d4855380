//! Whose servers hold a name outside of our zones: from its top-level domain down, by referrals.
//!
//! A resolver that is asked for a name that does not exist yet keeps the denial, and with it the
//! name from its users. So resolvers are asked here only for what exists beyond doubt (the servers
//! of a top-level domain), and the way down is asked at the servers themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::live::answer::Answer;
use crate::live::plan::hashed;
use crate::live::question::Question;
use crate::live::servers::{KEEP_FOUND, KEEP_MISSING, Servers};
use crate::model::observation::{Outcome, Transport, Vantage};
use crate::model::{DomainName, RecordType};

/// Zone cuts below each other that are followed; real names have three or four.
const MAX_STEPS: usize = 8;

/// Servers of one cut that are tried on the way.
const TRIED: usize = 2;

/// Servers of one cut that are kept.
const MAX_SERVERS: usize = 13;

/// Remembered cuts; past it all are forgotten and found again.
const MAX_CUTS: usize = 10_000;

/// Walks at once. Names of one domain take turns, so that the second finds what the first has found.
const LANES: usize = 16;

/// Zone cuts outside of our zones.
#[derive(Default)]
pub(crate) struct Cuts {
    known: Mutex<HashMap<DomainName, Cut>>,
    lanes: [tokio::sync::Mutex<()>; LANES],
}

#[derive(Clone)]
struct Cut {
    servers: Arc<[DomainName]>,
    until: Instant,
    /// A name was found to lie in this zone and not below it.
    holds_names: bool,
    /// Nobody answered there; until then it is not tried again.
    silent_until: Option<Instant>,
}

enum Step {
    /// The zone itself has, or denies, the name.
    Here,
    /// Further down.
    Below(DomainName, Arc<[DomainName]>),
    /// Nobody said anything of use.
    Nothing,
}

// === impl Cuts ===

impl Cuts {
    /// The servers that hold the name, as far as is known; empty if they cannot be found.
    pub(crate) async fn servers_of(&self, name: &DomainName, servers: &Servers) -> Arc<[DomainName]> {
        match self.closest(name) {
            Some((_, cut)) if cut.holds_names => cut.servers,
            _unknown => self.walk(name, servers).await,
        }
    }

    /// Finds the servers by asking, from the closest cut that is known.
    pub(crate) async fn walk(&self, name: &DomainName, servers: &Servers) -> Arc<[DomainName]> {
        let domain = name.labels().rev().take(2).collect::<Vec<_>>();
        let lane = usize::try_from(hashed(&domain)).unwrap_or(0).checked_rem(LANES).unwrap_or(0);
        let Some(lane) = self.lanes.get(lane) else { return Arc::default() };
        // Each step has the timeouts of a question, and there are few.
        let _turn = lane.lock().await;
        let Some((mut zone, mut cut)) = self.start(name, servers).await else { return Arc::default() };
        for _ in 0..MAX_STEPS {
            if cut.silent_until.is_some_and(|until| Instant::now() < until) {
                return Arc::default();
            }
            match step(&zone, &cut.servers, name, servers).await {
                Step::Here => {
                    cut.holds_names = true;
                    self.keep(zone, cut.clone());
                    return cut.servers;
                }
                Step::Below(child, names) => {
                    cut = Cut::new(names);
                    self.keep(child.clone(), cut.clone());
                    zone = child;
                }
                Step::Nothing => {
                    cut.silent_until = Some(Instant::now() + KEEP_MISSING);
                    self.keep(zone, cut);
                    return Arc::default();
                }
            }
        }
        Arc::default()
    }

    async fn start(&self, name: &DomainName, servers: &Servers) -> Option<(DomainName, Cut)> {
        if let Some(known) = self.closest(name) {
            return Some(known);
        }
        let top = DomainName::new(name.labels().next_back()?);
        if top == *name {
            return None;
        }
        let found = servers.name_servers_of(&top).await;
        let cut = Cut::new(found.iter().take(MAX_SERVERS).cloned().collect());
        if !cut.servers.is_empty() {
            self.keep(top.clone(), cut.clone());
        }
        (!cut.servers.is_empty()).then_some((top, cut))
    }

    /// The deepest known cut that the name is within.
    fn closest(&self, name: &DomainName) -> Option<(DomainName, Cut)> {
        let now = Instant::now();
        let known = self.known();
        let mut zone = Some(name.clone());
        while let Some(candidate) = zone {
            if let Some(cut) = known.get(&candidate).filter(|cut| now < cut.until) {
                return Some((candidate, cut.clone()));
            }
            zone = candidate.parent();
        }
        None
    }

    fn keep(&self, zone: DomainName, cut: Cut) {
        let mut known = self.known();
        if MAX_CUTS <= known.len() {
            known.clear();
        }
        known.insert(zone, cut);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<DomainName, Cut>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Cut ===

impl Cut {
    fn new(servers: Arc<[DomainName]>) -> Self {
        Self { servers, until: Instant::now() + KEEP_FOUND, holds_names: false, silent_until: None }
    }
}

async fn step(zone: &DomainName, names: &[DomainName], host: &DomainName, servers: &Servers) -> Step {
    let question = Question::authoritative(host.clone(), RecordType::A);
    for server in names.iter().take(TRIED) {
        let Some(address) = servers.address(server).await else { continue };
        let reply = servers.prober().ask(address, &question, Transport::Udp).await;
        let Ok(answer) = reply.answer else { continue };
        if let Some((child, names)) = referral(&answer, zone, host) {
            return Step::Below(child, names);
        }
        let outcome = answer.outcome(Vantage::Authoritative);
        let says = matches!(outcome, Outcome::Answer | Outcome::Nodata | Outcome::Nxdomain);
        if says && answer.authoritative {
            return Step::Here;
        }
    }
    Step::Nothing
}

/// A referral to a zone below this one that the name is in; every other one leads astray.
fn referral(
    answer: &Answer,
    zone: &DomainName,
    host: &DomainName,
) -> Option<(DomainName, Arc<[DomainName]>)> {
    if !answer.is_referral() {
        return None;
    }
    let delegations = answer.authority.iter().filter(|record| &*record.record_type == "NS");
    let child = delegations.clone().map(|record| &record.name).find(|name| host.is_within(name))?.clone();
    if child == *zone || !child.is_within(zone) {
        return None;
    }
    let names: Vec<DomainName> = delegations
        .filter(|record| record.name == child)
        .map(|record| DomainName::from_route53(&record.data))
        .take(MAX_SERVERS)
        .collect();
    Some((child, names.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::fake::FakeServer;
    use crate::live::prober::{Prober, ProberSettings};

    fn servers(fake: &FakeServer) -> Servers {
        let map = [format!("*={}", fake.address).parse().unwrap()].into_iter().collect();
        Servers::new(map, vec![fake.address.into()], Prober::new(ProberSettings::default()))
    }

    #[tokio::test]
    async fn the_way_starts_at_the_top_and_siblings_profit() {
        let fake = FakeServer::start().await;
        let (servers, cuts) = (servers(&fake), Cuts::default());
        let host = DomainName::new("ok.example.com");
        let found = cuts.servers_of(&host, &servers).await;
        assert_eq!(found.iter().map(DomainName::as_str).collect::<Vec<_>>(), ["ns1.example.com"]);
        assert_eq!(fake.asked_for("com"), ["NS/udp"], "only the top-level domain, at a resolver");
        assert_eq!(fake.asked_for("ok.example.com"), ["A/udp"]);
        cuts.servers_of(&"nxdomain.example.com".into(), &servers).await;
        assert!(fake.asked_for("nxdomain.example.com").is_empty(), "the cut is known");
        assert!(fake.asked().iter().filter(|asked| asked.rd).all(|asked| asked.name == "com"));
    }

    #[tokio::test]
    async fn a_silent_top_is_not_asked_for_every_name() {
        let fake = FakeServer::start().await;
        let map = [format!("*={}", fake.address).parse().unwrap()].into_iter().collect();
        let tries = vec![std::time::Duration::from_millis(20)];
        let settings = ProberSettings { tries, ..ProberSettings::default() };
        let servers = Servers::new(map, vec![fake.address.into()], Prober::new(settings));
        let cuts = Cuts::default();
        assert!(cuts.servers_of(&"drop.example.com".into(), &servers).await.is_empty());
        assert!(cuts.servers_of(&"ok.example.com".into(), &servers).await.is_empty());
        assert!(fake.asked_for("ok.example.com").is_empty());
    }

    #[test]
    fn only_referrals_that_lead_down_are_followed() {
        use crate::model::observation::AnswerRecord;
        let check = |to: &str, expected: Option<&str>| {
            let record = AnswerRecord {
                name: to.into(),
                record_type: "NS".into(),
                ttl: 60,
                data: "ns.example.net.".into(),
            };
            let answer = Answer::referral_for_test(vec![record]);
            let found = referral(&answer, &"example.com".into(), &"www.shop.example.com".into());
            assert_eq!(found.as_ref().map(|(child, _)| child.as_str()), expected, "{to}");
        };
        check("shop.example.com", Some("shop.example.com"));
        check("example.com", None);
        check("com", None);
        check("", None);
        check("other.example.com", None);
    }
}

//! What the questions cost. Pure.
//!
//! Route 53 bills every query that its servers answer, whoever asks; queries for an alias to an AWS
//! resource are free. Source: Amazon Route 53 pricing, queries: 0.40 USD for each million of the first
//! 1,000 million a month, 0.20 USD after that; routing by latency, place or address costs more and is
//! counted like the others here.

use std::time::Duration;

use crate::live::plan::{ProbeName, ProbePlan};
use crate::live::settings::LiveSettings;

/// Thirty days, in seconds.
const MONTH: f64 = 2_592_000.0;

/// Queries at the first price.
const FIRST_TIER: f64 = 1e9;

/// Dollars for one query.
const FIRST_PRICE: f64 = 0.40 / 1e6;
const NEXT_PRICE: f64 = 0.20 / 1e6;

/// Estimate for a month of the present plan and rhythm.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MonthlyCost {
    /// Queries that Route 53 bills: those of the prober, and those of resolvers that it makes ask.
    pub queries: f64,
    /// What they cost, in US dollars.
    pub dollars: f64,
}

/// The cost of following the plan for a month, retries left out. An upper estimate: a resolver is
/// taken to ask the zone's servers each time.
#[must_use]
pub fn monthly(plan: &ProbePlan, settings: &LiveSettings) -> MonthlyCost {
    let intervals = &settings.intervals;
    let sampled = share(settings.recursive_budget, plan.names.len());
    let names = plan.names.iter().filter(|name| !name.name_servers.is_empty()).map(|name| {
        let (every, sampled) =
            if name.doubtful { (intervals.doubtful, 1.0) } else { (intervals.stable, sampled) };
        let resolvers = settings.resolvers.iter().filter(|one| name.views.contains(&one.view)).count();
        (own_servers(name) + held(name) * number(resolvers) * sampled) * times(every)
    });
    let zones = plan
        .zones
        .iter()
        .filter(|zone| !zone.private)
        .map(|zone| number(zone.name_servers.len()) * times(intervals.zone));
    let queries: f64 = names.chain(zones).sum();
    let dollars = queries.min(FIRST_TIER) * FIRST_PRICE + (queries - FIRST_TIER).max(0.0) * NEXT_PRICE;
    MonthlyCost { queries, dollars }
}

/// Billed queries of one pass at the zone's own servers. What is not as expected is asked of all of
/// them, and twice.
fn own_servers(name: &ProbeName) -> f64 {
    let servers = number(name.name_servers.len());
    let of_type = |record_type| match name.expected.iter().find(|one| one.record_type == record_type) {
        Some(expected) if expected.free => 0.0,
        Some(_) if name.doubtful => servers,
        Some(_) => 1.0,
        None => 2.0 * servers,
    };
    name.record_types.iter().cloned().map(of_type).sum()
}

/// Billed questions of one pass that resolvers are asked for.
fn held(name: &ProbeName) -> f64 {
    number(
        name.expected.iter().filter(|one| !one.free && name.record_types.contains(&one.record_type)).count(),
    )
}

/// Passes in a month.
fn times(every: Duration) -> f64 {
    MONTH / every.as_secs_f64().max(1.0)
}

fn share(budget: usize, names: usize) -> f64 {
    if names <= budget { 1.0 } else { number(budget) / number(names.max(1)) }
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::live::plan::{ExpectedAnswer, ProbeZone};
    use crate::model::{DomainName, RecordType, ZoneId};

    fn name(doubtful: bool, free: bool) -> ProbeName {
        let expected = |record_type| ExpectedAnswer {
            record_type,
            addresses: Box::default(),
            hosts: Box::default(),
            partial: false,
            free,
        };
        ProbeName {
            name: "app.example.com".into(),
            record_types: vec![RecordType::A, RecordType::Aaaa],
            expected: Box::new([expected(RecordType::A), expected(RecordType::Aaaa)]),
            zone_id: Some(ZoneId::new("Z1")),
            name_servers: ["ns1", "ns2", "ns3", "ns4"].map(DomainName::new).to_vec().into(),
            views: Arc::default(),
            doubtful,
            waited: false,
        }
    }

    fn check(names: Vec<ProbeName>, zones: Vec<ProbeZone>, queries: f64, dollars: f64) {
        let names = names.into_iter().map(Arc::new).collect();
        let cost = monthly(&ProbePlan { names, zones }, &LiveSettings::new(Vec::new()));
        assert!((cost.queries - queries).abs() < 1.0, "{cost:?}");
        assert!((cost.dollars - dollars).abs() < 0.01, "{cost:?}");
    }

    #[test]
    fn the_rhythm_decides() {
        // Two types each quarter of an hour, one server a pass: 5,760 a month.
        check(vec![name(false, false)], Vec::new(), 5_760.0, 0.0);
        // Four servers each minute.
        check(vec![name(true, false)], Vec::new(), 345_600.0, 0.14);
        check(vec![name(true, true)], Vec::new(), 0.0, 0.0);
        check(vec![name(false, false); 50_000], Vec::new(), 288e6, 115.2);
    }

    #[test]
    fn zones_cost_their_servers_each_time() {
        let zone = ProbeZone {
            id: ZoneId::new("Z1"),
            name: "example.com".into(),
            name_servers: name(false, false).name_servers,
            private: false,
        };
        let private = ProbeZone { private: true, ..zone.clone() };
        check(Vec::new(), vec![zone, private], 34_560.0, 0.01);
    }

    #[test]
    fn the_second_tier_is_cheaper() {
        let plan = ProbePlan { names: vec![name(false, false).into(); 50_000], zones: Vec::new() };
        let mut settings = LiveSettings::new(Vec::new());
        settings.intervals.stable = Duration::from_mins(1);
        let cost = monthly(&plan, &settings);
        assert!((cost.queries - 4.32e9).abs() < 1.0, "{cost:?}");
        assert!((cost.dollars - 1_064.0).abs() < 0.01, "{cost:?}");
    }
}

use std::path::Path;

use jiff::SignedDuration;

use super::*;
use crate::fixture;
use crate::model::record::{Content, RecordSet, Value};
use crate::model::{RecordType, ZoneId};
use crate::policy::Policy;
use crate::replay::replay;
use crate::report::Report;

const AT: Timestamp = Timestamp::UNIX_EPOCH;

/// Everything that a plan is made from.
#[derive(Clone)]
struct Inputs {
    wants: Arc<[InstanceWants]>,
    zones: Zones,
    report: Option<Report>,
    waited: Waited,
    resolved: BTreeMap<DomainName, BTreeSet<IpAddr>>,
    at: Timestamp,
}

fn set(name: &str) -> RecordSet {
    RecordSet {
        name: name.into(),
        record_type: RecordType::A,
        set_identifier: None,
        routing: None,
        content: Content::values(60, [Value::new(&RecordType::A, "192.0.2.1")]),
        health_check_id: None,
    }
}

fn zones(names: &[&str]) -> Zones {
    let reading =
        fixture::zone_reading(fixture::ZONE, "example.com", names.iter().map(|one| set(one)).collect());
    Zones { zones: [(ZoneId::new(fixture::ZONE), reading)].into(), ..Zones::default() }
}

fn wants(names: &[&str]) -> Arc<[InstanceWants]> {
    let want = |name: &&str| fixture::want(name, RecordType::A, "192.0.2.1");
    [fixture::wants(names.iter().map(want).collect())].into()
}

fn inputs() -> Inputs {
    Inputs {
        wants: wants(&["a.example.com", "b.example.com"]),
        zones: zones(&["a.example.com"]),
        report: None,
        waited: Waited::default(),
        resolved: BTreeMap::new(),
        at: AT,
    }
}

impl Inputs {
    fn plan(&self, planner: &mut Planner) -> Arc<ProbePlan> {
        let (policy, resolver_views) = (Policy::default(), BTreeSet::new());
        let input = PlanInput {
            wants: &self.wants,
            zones: &self.zones,
            report: self.report.as_ref(),
            policy: &policy,
            resolver_views: &resolver_views,
            waited: &self.waited,
            resolved: &self.resolved,
            at: self.at,
            before: &[],
        };
        let planned = planner.plan(&self.wants, input);
        assert_eq!(*planned, probe_plan(input), "as if it were made anew");
        planned
    }
}

/// Whether the plan of a second round is another one; both are checked.
fn is_other(first: &Inputs, second: &Inputs) -> bool {
    let mut planner = Planner::default();
    let before = first.plan(&mut planner);
    !Arc::ptr_eq(&before, &second.plan(&mut planner))
}

#[test]
fn the_plan_is_another_one_when_anything_that_decides_is() {
    let first = inputs();
    assert!(!is_other(&first, &first));
    let same = Inputs {
        wants: wants(&["a.example.com", "b.example.com"]),
        at: AT + SignedDuration::from_hours(1),
        ..first.clone()
    };
    assert!(!is_other(&first, &same), "made anew, and equal");
    let fewer = Inputs { wants: wants(&["a.example.com"]), ..first.clone() };
    assert!(is_other(&first, &fewer));
    let recorded = Inputs { zones: zones(&["a.example.com", "c.example.com"]), ..first.clone() };
    assert!(is_other(&first, &recorded));
    let mut renamed = first.clone();
    renamed.zones.zones.values_mut().for_each(|one| one.zone.delegation_set = vec!["ns.example.net".into()]);
    assert!(is_other(&first, &renamed), "other servers");
    let waited = Inputs { waited: [(DomainName::new("new.example.com"), 1)].into(), ..first.clone() };
    assert!(is_other(&first, &waited));
    let mut alias = first;
    alias.wants =
        [fixture::wants(vec![fixture::want("a.example.com", RecordType::Cname, "lb.example.net")])].into();
    alias.zones.zones.values_mut().for_each(|one| {
        let content = Content::values(60, [Value::new(&RecordType::Cname, "lb.example.net")]);
        let cname = RecordSet { record_type: RecordType::Cname, content, ..set("a.example.com") };
        one.record_sets = Some(Arc::new(RecordSets::new(vec![cname])));
    });
    let address = "192.0.2.7".parse().expect("an address");
    let resolved = [(DomainName::new("lb.example.net"), [address].into())].into();
    assert!(is_other(&alias, &Inputs { resolved, ..alias.clone() }), "the target answers with an address");
}

#[test]
fn a_finding_makes_its_name_doubtful() {
    let report =
        replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/D001")).expect("a recording");
    let mut calm = inputs();
    calm.wants = wants(&["realtime.example.com"]);
    let trouble = Inputs { report: Some(report), ..calm.clone() };
    assert!(is_other(&calm, &trouble) && is_other(&trouble, &calm));
}

/// Nothing is said when a name ceases to be new, and nothing else changes.
#[test]
fn a_new_name_is_in_doubt_for_a_while_and_again_when_the_clock_is_set_back() {
    let mut first = inputs();
    let mut new = fixture::want("a.example.com", RecordType::A, "192.0.2.1");
    new.created_at = Some(AT);
    first.wants = [fixture::wants(vec![new])].into();
    let later = |minutes: i64| Inputs { at: AT + SignedDuration::from_mins(minutes), ..first.clone() };
    assert!(!is_other(&first, &later(14)));
    assert!(is_other(&first, &later(15)));
    assert!(is_other(&later(15), &first));
    assert!(!is_other(&later(15), &later(16)));
}

#[test]
fn names_that_are_as_they_were_are_held_once() {
    let (first, mut planner) = (inputs(), Planner::default());
    let before = first.plan(&mut planner);
    let third = Inputs { wants: wants(&["a.example.com", "aa.example.com", "b.example.com"]), ..first };
    let after = third.plan(&mut planner);
    let kept = |one: &str| {
        let of = |plan: &ProbePlan| plan.names.iter().find(|name| name.name.as_str() == one).map(Arc::as_ptr);
        of(&before) == of(&after)
    };
    assert_eq!(["a.example.com", "aa.example.com", "b.example.com"].map(kept), [true, false, true]);
}

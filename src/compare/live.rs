//! What users get now, by the answers of this round. Pure.
//!
//! Source: findings.md sections 6 and 8.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::compare::assumed::leads_there;
use crate::compare::delegation::{LOOKS, is_delegated_elsewhere, known_delegated_twin};
use crate::compare::mismatch::{is_default, is_of_open_pool, is_of_other_places, is_referral};
use crate::compare::target::{dead_target, lacks_family};
use crate::compare::wildcard::is_covered;
use crate::compare::world::World;
use crate::finding::Impact;
use crate::model::instance::ZoneType;
use crate::model::observation::{AnswerRecord, Observation, Outcome, Vantage, leads_nowhere};
use crate::model::record::{Content, RecordSet, RecordType, Routing, Value};
use crate::model::text::printable;
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::{ZoneReading, Zones};
use crate::model::{DomainName, ZoneId};
use crate::policy::Policy;
use crate::snapshot::ViewState;

/// How one server's answer stands against the expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// As wanted.
    Right,
    /// Some of the wanted targets, or more than wanted.
    Partial,
    /// Something, and what is wanted is not known.
    Unknown,
    /// Somewhere else.
    Elsewhere,
    /// No answer where there should be one.
    Denied,
}

/// The answers of one vantage, one row for each server that really answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers<'a> {
    /// Server, what it said, how often it said so.
    pub rows: Vec<Row<'a>>,
}

/// One server: its name, its verdict, an observation that shows it, how often it was asked for one name.
pub type Row<'a> = (&'a str, Match, &'a Observation, usize);

/// What a name should lead to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    /// Addresses; empty when they are not known.
    pub addresses: BTreeSet<IpAddr>,
    /// Addresses that a host name had lately, where a record that leads to it stands.
    pub lately: BTreeSet<IpAddr>,
    /// True if the addresses are those of a host name, which may rotate.
    pub rotating: bool,
    /// The wanted host names.
    pub hosts: BTreeSet<DomainName>,
    /// True if a member of a routing set leads to a host name of which nothing is known: an address that is none of
    /// the others may be its.
    pub is_part: bool,
    /// For a type that leads to no address (MX, TXT, NS and the like): the type, and the values that it
    /// should have; no values where they are not known.
    pub values: Option<(RecordType, BTreeSet<Value>)>,
}

impl Expected {
    /// True if a chain leads to a wanted host name. The addresses of a load balancer rotate, and its name with
    /// the prefix `dualstack.` is that of the same one. Source: findings.md section 8, rule 5.
    #[must_use]
    pub fn is_led_to(&self, chain: &BTreeSet<DomainName>) -> bool {
        let is_wanted = |name: &DomainName| self.hosts.iter().any(|host| host.bare() == name.bare());
        chain.iter().any(is_wanted)
    }
}

/// Answers that say nothing about the name: the server's own trouble.
#[must_use]
pub fn says_nothing(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Timeout | Outcome::Unreachable | Outcome::Refused | Outcome::Malformed)
}

/// True if an answer says something about the name. A resolver that does not answer its control name is broken,
/// and its failures are its own.
#[must_use]
pub fn speaks(world: &World<'_>, seen: &Observation) -> bool {
    let is_of_name =
        seen.vantage != Vantage::Recursive || seen.outcome == Outcome::Answer || world.control_works(seen);
    is_of_name && !says_nothing(seen.outcome)
}

/// What a content leads to, host names resolved by what was observed for them.
#[must_use]
pub fn expected(world: &World<'_>, content: &Content, record_type: &RecordType) -> Expected {
    let mut out = Expected::default();
    if !record_type.is_address() {
        out.values = Some((record_type.clone(), content.plain_values().iter().cloned().collect()));
        return out;
    }
    match content {
        Content::Values { values, .. } => {
            out.addresses.extend(values.iter().filter_map(Value::ip));
            out.hosts.extend(values.iter().filter_map(Value::host).cloned());
            out.hosts.extend(values.iter().filter_map(as_host));
        }
        Content::Alias(target) => {
            out.hosts.insert(target.bare_name());
            out.hosts.insert(target.dns_name.clone());
        }
        Content::TrafficPolicy(_) => {}
    }
    if !out.hosts.is_empty() {
        out.rotating = true;
        let wants_six = *record_type == RecordType::Aaaa;
        for host in out.hosts.clone() {
            // An alias on the text of an address is refused, and means that address.
            let itself: Option<IpAddr> = host.as_str().parse().ok();
            let seen = resolved(world, &host).into_iter().chain(itself);
            out.addresses.extend(seen.filter(|ip| ip.is_ipv6() == wants_six));
        }
    }
    out
}

/// The host name that a release writes into an address record, where the object asks for what it leads to.
fn as_host(value: &Value) -> Option<DomainName> {
    let Value::Text(text) = value else { return None };
    let host = DomainName::new(text);
    let is_name = |label: &str| label.starts_with(|first: char| first.is_ascii_alphabetic());
    (host.defect().is_none() && host.labels().next_back().is_some_and(is_name)).then_some(host)
}

/// The addresses that were observed for a host name. What leads nowhere is put there by a resolver that blocks.
#[must_use]
pub fn resolved(world: &World<'_>, host: &DomainName) -> BTreeSet<IpAddr> {
    let told = world.told(host);
    let found = told.filter(|seen| !seen.is_blocked()).flat_map(Observation::addresses);
    found.filter(|ip| !leads_nowhere(ip)).collect()
}

/// What a wish leads to; where a record leads there, too, with the addresses of a little while ago.
#[must_use]
pub fn expected_of(world: &World<'_>, want: &Want, zone: Option<&ZoneReading>) -> Expected {
    let mut out = expected(world, &want.content, &want.record_type);
    if zone.is_some_and(|zone| leads_there(want, zone)) {
        out.lately = lately(world, &out.hosts);
    }
    out
}

/// The addresses that host names had lately: load balancers rotate theirs, and the answers of one round
/// are of different moments. Source: findings.md section 8, rule 5.
fn lately(world: &World<'_>, hosts: &BTreeSet<DomainName>) -> BTreeSet<IpAddr> {
    hosts.iter().flat_map(|host| world.past.answered.lately(host)).collect()
}

/// The addresses at the end of an answer's chain.
#[must_use]
pub fn addresses(observation: &Observation) -> BTreeSet<IpAddr> {
    observation.addresses().collect()
}

/// The names along an answer's CNAME chain.
#[must_use]
pub fn chain(observation: &Observation) -> BTreeSet<DomainName> {
    let cnames = observation.answers.iter().filter(|record| &*record.record_type == "CNAME");
    cnames.map(|record| DomainName::new(&record.data)).collect()
}

/// The values of one type in an answer. Name servers below a zone are told by a referral.
#[must_use]
pub fn values(observation: &Observation, record_type: &RecordType) -> BTreeSet<Value> {
    let referral = observation.authority.iter();
    let referral =
        referral.filter(|record| *record_type == RecordType::Ns && record.name == observation.name);
    let records = observation.answers.iter().chain(referral);
    let of_type = records.filter(|record| *record.record_type == *record_type.as_str());
    of_type.map(|record| Value::new(record_type, &record.data)).collect()
}

/// An answer in words: the addresses, or why there is none.
#[must_use]
pub fn said(seen: &Observation) -> String {
    let kind = RecordType::new(&seen.record_type);
    let found: Vec<String> = if kind.is_address() {
        addresses(seen).iter().map(ToString::to_string).collect()
    } else {
        values(seen, &kind).iter().map(|value| printable(&value.to_string())).collect()
    };
    match (seen.outcome, found.is_empty()) {
        (Outcome::Answer, false) => found.join(" "),
        (Outcome::Answer, true) => "without an address".to_owned(),
        (outcome, _) => outcome.as_str().to_owned(),
    }
}

/// How one answer stands against the expectation.
#[must_use]
pub fn judge(observation: &Observation, expected: &Expected) -> Match {
    if let Some((record_type, wanted)) = &expected.values {
        let spoken = |values: &BTreeSet<Value>| values.iter().map(|one| spoken(record_type, one)).collect();
        return judge_values(&spoken(&values(observation, record_type)), &spoken(wanted), expected.rotating);
    }
    if observation.outcome != Outcome::Answer {
        return Match::Denied;
    }
    let found = addresses(observation);
    let names = chain(observation);
    if expected.rotating && expected.is_led_to(&names) {
        return Match::Right;
    }
    if found.is_empty() && names.is_empty() {
        return Match::Denied;
    }
    if found.is_disjoint(&expected.addresses) && !found.is_disjoint(&expected.lately) {
        return Match::Right;
    }
    if expected.addresses.is_empty() {
        // The wanted host name's addresses are not known: nothing can be said of the answer.
        return if expected.rotating && names.is_empty() { Match::Unknown } else { Match::Elsewhere };
    }
    if found.is_disjoint(&expected.addresses) {
        return if expected.is_part && names.is_empty() { Match::Unknown } else { Match::Elsewhere };
    }
    if expected.rotating || found == expected.addresses { Match::Right } else { Match::Partial }
}

/// As above for a type that leads to no address. `any`: a part of the values is a right answer.
fn judge_values(found: &BTreeSet<String>, wanted: &BTreeSet<String>, any: bool) -> Match {
    if found.is_empty() {
        Match::Denied
    } else if wanted.is_empty() {
        Match::Unknown
    } else if found == wanted || any && !found.is_disjoint(wanted) {
        Match::Right
    } else if found.iter().chain(wanted).any(|text| text.contains('\\')) {
        // Route 53 escapes in octal, DNS in decimal numbers.
        Match::Unknown
    } else if found.is_disjoint(wanted) {
        Match::Elsewhere
    } else {
        Match::Partial
    }
}

/// A value as all who write it down agree on it. A text counts without its quotes, however it is cut into
/// strings; of the other types quotes, blanks, case and the last dot are spelling.
fn spoken(record_type: &RecordType, value: &Value) -> String {
    let text = value.to_string();
    if *record_type == RecordType::Txt {
        return unquoted(&text);
    }
    let plain = text.replace('"', "").to_ascii_lowercase();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

/// The strings of a text one after the other, without their quotes and what stands between them.
fn unquoted(text: &str) -> String {
    let (mut out, mut inside, mut chars) = (String::new(), !text.contains('"'), text.chars());
    while let Some(one) = chars.next() {
        match one {
            '\\' => out.extend([Some(one), chars.next()].into_iter().flatten()),
            '"' => inside = !inside,
            _ if inside || !one.is_whitespace() => out.push(one),
            _ => {}
        }
    }
    out
}

/// True if a question tells of a record of the type: one for addresses tells of a CNAME as well.
#[must_use]
pub fn asks(question: &str, record_type: &RecordType) -> bool {
    let is_cname = *record_type == RecordType::Cname;
    *question == *record_type.as_str() || is_cname && matches!(question, "A" | "AAAA")
}

/// The observations about a name and type at one vantage and view, best said by each server.
///
/// A server that contradicts itself within the round counts by its better answer: one lost or
/// odd packet is no verdict. A wildcard is asked by several names, and the looks of one count.
#[must_use]
pub fn answers<'a>(
    world: &World<'a>,
    name: &DomainName,
    record_type: &RecordType,
    vantage: Vantage,
    view: &dyn Fn(&Observation) -> bool,
    expected: &Expected,
) -> Answers<'a> {
    let tells = |seen: &&Observation| asks(&seen.record_type, record_type) && !seen.cd && speaks(world, seen);
    let all: Vec<&'a Observation> = questions(world, name).into_iter().filter(tells).collect();
    let said = || all.iter().copied().filter(|seen| seen.vantage == vantage && view(seen));
    let is_elsewhere = |seen: &Observation| judge(seen, expected) == Match::Elsewhere;
    let wider = (!expected.hosts.is_empty() && said().any(is_elsewhere)).then(|| widened(&all, expected));
    let expected = wider.as_ref().unwrap_or(expected);
    let mut best: BTreeMap<&'a str, (Match, &'a Observation, usize)> = BTreeMap::new();
    let mut looks: BTreeMap<(&'a str, &'a DomainName), usize> = BTreeMap::new();
    // Of two looks that are as far off the one speaks that tells something of the name, whichever came first.
    let order = |verdict: Match, seen: &Observation| {
        let fails = seen.outcome == Outcome::Servfail || says_nothing(seen.outcome);
        (verdict, fails, seen.outcome)
    };
    for observation in said() {
        let verdict = judge(observation, expected);
        let row = best.entry(&observation.server).or_insert((verdict, observation, 0));
        let of_name = looks.entry((&observation.server, &observation.name)).or_default();
        *of_name += 1;
        row.2 = row.2.max(*of_name);
        if order(verdict, observation) < order(row.0, row.1) {
            (row.0, row.1) = (verdict, observation);
        }
    }
    Answers {
        rows: best
            .into_iter()
            .map(|(server, (verdict, seen, count))| (server, verdict, seen, count))
            .collect(),
    }
}

/// Of a host name with many addresses each answer shows a part, and what was resolved for it is a part, too: a
/// public answer that overlaps with a right one shows further addresses of it.
fn widened(all: &[&Observation], expected: &Expected) -> Expected {
    let mut wider = expected.clone();
    loop {
        let known = wider.addresses.len();
        for seen in all.iter().filter(|seen| &*seen.view == "public") {
            if judge(seen, &wider) == Match::Right {
                wider.addresses.extend(addresses(seen));
            }
        }
        if wider.addresses.len() == known {
            return wider;
        }
    }
}

/// Observations for a name; for a wildcard those of made-up labels under it.
#[must_use]
pub fn questions<'a>(world: &World<'a>, name: &DomainName) -> Vec<&'a Observation> {
    if !name.is_wildcard() {
        return world.told(name).collect();
    }
    world.under_wildcard(name).to_vec()
}

/// What users of a wanted name get, and whether that was seen or assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The impact; `None` when every answer is right.
    pub harm: Option<Impact>,
    /// False when nothing was observed, or nothing that could be held against the wish.
    pub seen: bool,
    /// True if something is answered, be it known what or not.
    pub answered: bool,
    /// True if a part of the answers is wrong, and that is a quarter of them or more.
    pub grave: bool,
}

/// Reads the impact of a wanted name from the view that its zone serves.
#[must_use]
pub fn impact_of(world: &World<'_>, want: &Want, zone: Option<&ZoneReading>) -> Judged {
    let mut expected = expected_of(world, want, zone);
    let is_drained = |set: &RecordSet| zone.is_some_and(|zone| is_drained_beside(world, want, zone, set));
    let siblings: Vec<&RecordSet> = siblings(want, zone).filter(|set| !is_drained(set)).collect();
    let routed = !siblings.is_empty();
    if routed {
        let others = union(world, siblings);
        expected.addresses.extend(others.addresses);
        expected.lately.extend(others.lately);
        expected.hosts.extend(others.hosts);
        expected.is_part |= others.is_part;
        if let (Some((_, own)), Some((_, others))) = (&mut expected.values, others.values) {
            own.extend(others);
        }
        // A part of the members is a right answer.
        expected.rotating = true;
    }
    let private = zone.is_some_and(|reading| reading.zone.private);
    let zone_id = zone.map(|reading| reading.zone.id.clone());
    let changed = changed_in_the_dark(world, want, zone);
    let counts = |observation: &Observation| changed.is_none_or(|changed| changed < observation.at);
    let (mut rows, mut cut) = (Vec::new(), Vec::new());
    if !private {
        let here = |observation: &Observation| in_zone(observation, zone_id.as_ref()) && counts(observation);
        let all =
            answers(world, &want.name, &want.record_type, Vantage::Authoritative, &here, &expected).rows;
        // An authoritative server shows a CNAME out of its zone without the end of the chain.
        let tells = |seen: &Observation| seen.outcome != Outcome::Answer || !addresses(seen).is_empty();
        (rows, cut) = all.into_iter().partition(|row| expected.values.is_some() || tells(row.2));
    }
    // Where users are not led to the zone, its own servers tell nothing of what they get.
    // A wanted delegation is answered by a referral.
    let is_aside = want.record_type != RecordType::Ns
        && (rows.iter().any(|row| is_referral(row.2))
            || !rows.is_empty() && zone.is_some_and(|zone| is_delegated_elsewhere(world, zone)));
    let in_view = |observation: &Observation| serves(world, observation, zone) && counts(observation);
    let told = || answers(world, &want.name, &want.record_type, Vantage::Recursive, &in_view, &expected).rows;
    let is_split = || {
        let is_own = |row: &&Row<'_>| zone.is_some_and(|zone| world.is_own_server(zone, row.0));
        let leads: BTreeSet<bool> = cut.iter().filter(is_own).map(|row| row.1 == Match::Right).collect();
        1 < leads.len()
    };
    if rows.is_empty() && !is_aside && is_split() {
        // Some give the first name that is wanted and some another one: who asks gets either.
        rows = cut;
    } else if rows.is_empty() || is_aside {
        let told = told();
        // A resolver that keeps something else has not followed the first name, and says nothing of where that leads.
        let heads: BTreeSet<DomainName> = cut.iter().flat_map(|row| chain(row.2)).collect();
        let follows = |row: &Row<'_>| row.2.outcome != Outcome::Answer || !chain(row.2).is_disjoint(&heads);
        let is_followed = is_aside || heads.is_empty() || told.iter().any(follows);
        if !told.is_empty() && is_followed {
            rows = told;
        } else if !is_aside && dead_target(world, want).is_none() {
            // Where nobody shows the end of a chain its first name tells where the record leads.
            cut.retain(|row| zone.is_none_or(|zone| world.is_own_server(zone, row.0)));
            rows = cut;
        }
    } else if !cut.is_empty() {
        // One server that denies the name speaks for itself: where the CNAME of the others leads, resolvers tell.
        let told = told();
        rows.extend(if told.is_empty() { cut } else { told });
    }
    // A server that sends on has denied nothing: the zone that it names is not ours to see.
    rows.retain(|(_, _, seen, _)| zone.is_some() || !is_referral(seen));
    let is_default_wanted = want.routing.as_deref().is_some_and(is_default);
    rows.retain(|(_, _, seen, _)| is_default_wanted || !is_of_other_places(&members(want, zone), seen));
    for row in rows.iter_mut().filter(|row| row.1 == Match::Elsewhere) {
        if is_of_open_pool(world, want, &expected, row) {
            row.1 = Match::Unknown;
        }
    }
    let answered = rows.iter().any(|row| row.1 != Match::Denied);
    // Where the record leads to the wanted targets, an answer that cannot be compared is theirs.
    let leads = || zone.is_some_and(|zone| leads_there(want, zone));
    let stands = || leads() || zone.is_some_and(|zone| is_covered(want, zone));
    // Where the member is missing, what nobody can tell from its siblings is theirs.
    let is_of_siblings = || {
        routed
            && expected.is_part
            && zone.is_some_and(|zone| !zone.at(&want.name).iter().any(|set| want.is(&set.key())))
    };
    let seen = rows.iter().any(|row| row.1 != Match::Unknown) || answered && (stands() || is_of_siblings());
    if !seen {
        return Judged { harm: None, seen, answered, grave: false };
    }
    let harm = if want.set_identifier.is_some() {
        impact_of_member(world, want, zone, &rows)
    } else {
        worst(&rows.iter().map(|row| row.1).collect::<Vec<_>>())
    };
    // Which member answers is chance: one of a small share is not met by more because a few looks hit it.
    let is_small = || share(want, zone).is_some_and(|(own, all)| own.saturating_mul(4) < all);
    let grave = harm == Some(Impact::Degraded) && !is_small() && is_quarter_wrong(&rows, &expected, leads());
    Judged { harm, seen, answered, grave }
}

/// As [`impact_of`] where every look at a public name gives exactly the wanted addresses, which is nearly
/// always so and told without comparing sets: no rule about live answers has anything to say then. `None`
/// where that is not so.
#[must_use]
pub fn served_exactly(world: &World<'_>, want: &Want, zone: &ZoneReading) -> Option<Judged> {
    let is_plain = want.set_identifier.is_none() && !want.name.is_wildcard();
    let is_address = matches!(want.record_type, RecordType::A | RecordType::Aaaa);
    let values = want.content.plain_values();
    let can_tell =
        is_plain && is_address && !zone.zone.private && world.snapshot.dns.state == ViewState::Read;
    if !can_tell || values.is_empty() || values.iter().any(|value| value.ip().is_none()) {
        return None;
    }
    let (mut is_seen, mut right): (bool, Option<&Arc<[AnswerRecord]>>) = (false, None);
    let looks = world.told(&want.name).filter(|seen| asks(&seen.record_type, &want.record_type));
    for seen in looks {
        // Servers that say the same share it.
        let is_same = right.is_some_and(|right| Arc::ptr_eq(right, &seen.answers));
        if seen.outcome != Outcome::Answer || !is_same && !answers_exactly(seen, values) {
            return None;
        }
        right = Some(&seen.answers);
        is_seen |= seen.vantage == Vantage::Authoritative && in_zone(seen, Some(&zone.zone.id));
    }
    is_seen.then_some(Judged { harm: None, seen: true, answered: true, grave: false })
}

/// True if the addresses of an answer are those of the values, none less and none more.
fn answers_exactly(seen: &Observation, values: &[Value]) -> bool {
    let of_type = || seen.answers.iter().filter(|record| matches!(&*record.record_type, "A" | "AAAA"));
    let is_wanted = |ip: IpAddr| values.iter().any(|value| value.ip() == Some(ip));
    let has = |value: &Value| of_type().any(|record| record.data.parse().ok() == value.ip());
    let all_given = || match values {
        [_] => of_type().next().is_some(),
        several => several.iter().all(has),
    };
    of_type().all(|record| record.data.parse().is_ok_and(is_wanted)) && all_given()
}

/// When the record of a wish was seen to change, while nobody can ask what it answers since: what was
/// heard before says nothing about it.
fn changed_in_the_dark(world: &World<'_>, want: &Want, zone: Option<&ZoneReading>) -> Option<Timestamp> {
    let zone = zone.filter(|_| world.snapshot.dns.state != ViewState::Read)?;
    world.past.record_since(&zone.zone.id, want).filter(|since| world.past.first_at < Some(*since))
}

/// True if a quarter or more of what is answered is wrong: each address counts, and a denial for one. Whoever
/// denies a record that `leads` to the wanted targets, or leads elsewhere, does so for a reason of his own: the record is
/// not at fault.
/// Source: findings.md section 6.
fn is_quarter_wrong(rows: &[Row<'_>], expected: &Expected, leads: bool) -> bool {
    let (mut wrong, mut all) = (0_usize, 0_usize);
    for (_, verdict, seen, _) in rows {
        let found = addresses(seen);
        let foreign = match verdict {
            // Of a host name's addresses, which rotate, not all may be known.
            Match::Right if !expected.hosts.is_empty() => 0,
            Match::Unknown => 0,
            Match::Denied | Match::Elsewhere if leads => 0,
            Match::Right | Match::Partial => found.difference(&expected.addresses).count(),
            Match::Elsewhere | Match::Denied => found.len().max(1),
        };
        wrong = wrong.saturating_add(foreign);
        all = all.saturating_add(found.len().max(1));
    }
    0 < wrong && all <= wrong.saturating_mul(4)
}

/// The weight of a wanted member as it stands, and that of all members; `None` where there is no such, or not all
/// have one.
fn share(want: &Want, zone: Option<&ZoneReading>) -> Option<(i64, i64)> {
    let weight = |set: &RecordSet| match set.routing.as_deref() {
        Some(Routing::Weighted(weight)) => Some(*weight),
        _ => None,
    };
    let all = members(want, zone);
    let own = all.iter().copied().find(|set| want.is(&set.key())).and_then(weight)?;
    let weights: Option<Vec<i64>> = all.iter().copied().map(weight).collect();
    Some((own, weights?.into_iter().fold(0, i64::saturating_add)))
}

/// The record sets of the wanted name and type.
fn members<'a>(want: &Want, zone: Option<&'a ZoneReading>) -> Vec<&'a RecordSet> {
    let here = zone.map(|zone| zone.at(&want.name)).unwrap_or_default();
    here.iter().filter(|set| set.record_type == want.record_type).collect()
}

/// The other members of the routing set that a wish belongs to.
fn siblings<'a>(want: &'a Want, zone: Option<&'a ZoneReading>) -> impl Iterator<Item = &'a RecordSet> {
    let here = zone.map(|zone| zone.at(&want.name)).unwrap_or_default();
    here.iter().filter(|set| {
        want.set_identifier.is_some()
            && set.record_type == want.record_type
            && set.set_identifier.is_some()
            && set.set_identifier != want.set_identifier
    })
}

/// True for a member that is to have no traffic while one that is to have some is missing: who is led to it is in
/// the wrong place. What somebody here wants counts before what the zone holds. Source: findings.md section 6.
fn is_drained_beside(world: &World<'_>, want: &Want, zone: &ZoneReading, set: &RecordSet) -> bool {
    let has_share = |one: &Want| matches!(one.routing.as_deref(), Some(Routing::Weighted(1..)));
    let is_missing = || !zone.at(&want.name).iter().any(|one| want.is(&one.key()));
    let wish = || world.wants_in(&zone.zone.id).find(|one| one.is(&set.key()));
    has_share(want)
        && is_missing()
        && match wish() {
            Some(wish) => wish.routing.as_deref() == Some(&Routing::Weighted(0)),
            None => set.routing.as_deref() == Some(&Routing::Weighted(0)),
        }
}

/// True if an observation was made at a server of this zone.
fn in_zone(observation: &Observation, zone: Option<&ZoneId>) -> bool {
    match (&observation.zone_id, zone) {
        (Some(seen), Some(zone)) => **seen == *zone.as_str(),
        (Some(_) | None, None) => true,
        (None, Some(_)) => false,
    }
}

/// True if the resolver's view is the one that the zone serves.
#[must_use]
pub fn serves(world: &World<'_>, observation: &Observation, zone: Option<&ZoneReading>) -> bool {
    is_served(world.policy, observation, zone)
}

/// True if what was seen may come from the zone. An internal view is never judged, a resolver of a VPC with a private
/// twin never asks the public zone, and a private zone is seen from its VPCs alone.
#[must_use]
pub fn may_be_of(
    policy: &Policy,
    zones: Option<&Zones>,
    zone: Option<&ZoneReading>,
    seen: &Observation,
) -> bool {
    if seen.vantage != Vantage::Recursive {
        return true;
    }
    if policy.is_internal(&seen.view) {
        return false;
    }
    match zone {
        None => true,
        Some(zone) if zone.zone.private => is_served(policy, seen, Some(zone)),
        Some(_) => {
            let mut all = zones.into_iter().flat_map(|zones| zones.zones.values());
            !all.any(|twin| {
                twin.zone.private
                    && seen.name.is_within(&twin.zone.name)
                    && is_served(policy, seen, Some(twin))
            })
        }
    }
}

fn is_served(policy: &Policy, observation: &Observation, zone: Option<&ZoneReading>) -> bool {
    let view = policy.view(&observation.view);
    let Some(reading) = zone.filter(|reading| reading.zone.private) else {
        return &*observation.view == "public";
    };
    let vpc = view.and_then(|view| view.vpc_id.clone());
    match (&reading.zone.vpcs, vpc) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(vpcs), Some(id)) => vpcs.iter().any(|vpc| vpc.id == id) || vpcs.is_empty(),
    }
}

/// What users of a name are told that an instance need not want: by the servers of its zone, else by the resolvers
/// of the view that the zone serves, for one address family or whatever was asked. Answers that say nothing
/// are left out. Source: findings.md section 6.
#[must_use]
pub fn told_to_users<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    name: &DomainName,
    record_type: Option<&RecordType>,
) -> Vec<&'a Observation> {
    let asked = record_type.map(|kind| if *kind == RecordType::Aaaa { "AAAA" } else { "A" });
    let public = |reading: &&ZoneReading| !reading.zone.private;
    let own = || world.zones_over(name).filter(|reading| wants.zones.contains(&reading.zone.id));
    let wants_private = wants.instance.flags.zone_type == ZoneType::Private;
    let any = || {
        let fits = |reading: &&ZoneReading| reading.zone.private == wants_private;
        world.zones_over(name).find(fits).or_else(|| world.zones_over(name).next())
    };
    let zone = own().find(public).or_else(|| own().next()).or_else(any);
    let is_private = zone.is_some_and(|reading| reading.zone.private);
    let of_public = |seen: &Observation| {
        // Nobody is led to a zone whose twin has the delegation.
        let led_to = |reading: &&ZoneReading| known_delegated_twin(world, reading).is_none();
        let mut zones = world.zones_over(name).filter(public).filter(led_to);
        seen.zone_id.is_none() || zones.any(|reading| in_zone(seen, Some(&reading.zone.id)))
    };
    let all = questions(world, name);
    // A host answers with addresses, unless nothing but mail and the like was ever asked for at the name.
    let wanted = wants.at(name).iter().map(|want| &want.record_type);
    let wished = world.wished(name).iter().filter(|wish| wish.place == wants.instance.id);
    let mut types = wanted.chain(wished.map(|wish| &wish.record_type)).peekable();
    let is_host = types.peek().is_none() || types.any(RecordType::is_address);
    let of_type: Vec<&Observation> = all
        .iter()
        .copied()
        .filter(|seen| {
            let kind = &*seen.record_type;
            let fits = match asked {
                Some(asked) => *kind == *asked,
                None if is_host => matches!(kind, "A" | "AAAA" | "CNAME"),
                None => !matches!(kind, "NS" | "DS" | "SOA"),
            };
            fits && !seen.cd
        })
        .collect();
    let useful = || of_type.iter().copied().filter(|seen| speaks(world, seen));
    let by_resolvers = |seen: &&Observation| seen.vantage == Vantage::Recursive && serves(world, seen, zone);
    // Whatever the servers of the zone say, most users are told nothing.
    let failures = failures(world, of_type.iter().copied().filter(by_resolvers), is_private);
    if !failures.is_empty() {
        return failures;
    }
    let by_servers =
        |seen: &&Observation| seen.vantage == Vantage::Authoritative && !is_private && of_public(seen);
    let rows: Vec<&Observation> = useful().filter(by_servers).collect();
    // A server of the zone shows a CNAME out of it without the end of the chain: where that leads, resolvers tell.
    let is_cut = |seen: &&Observation| {
        seen.outcome == Outcome::Answer && addresses(seen).is_empty() && !chain(seen).is_empty()
    };
    if !rows.is_empty() && !rows.iter().all(is_cut) {
        return rows;
    }
    let told: Vec<&Observation> = useful().filter(by_resolvers).collect();
    if told.is_empty() { rows } else { told }
}

/// The looks at resolvers that fail for a name while their control names work, where these are most of a view; of a
/// public one a single resolver speaks for nobody. Source: findings.md section 8, rule 2.
fn failures<'a>(
    world: &World<'a>,
    looks: impl Iterator<Item = &'a Observation>,
    is_private: bool,
) -> Vec<&'a Observation> {
    let mut asked: BTreeMap<(&str, &str), Vec<&Observation>> = BTreeMap::new();
    for seen in looks.filter(|seen| world.control_works(seen)) {
        asked.entry((&seen.view, &seen.server)).or_default().push(seen);
    }
    let fails = |seen: &&Observation| {
        (seen.outcome == Outcome::Servfail || says_nothing(seen.outcome)) && world.vouches_for(seen)
    };
    let is_lost = |looks: &&Vec<&Observation>| LOOKS <= looks.len() && looks.iter().all(fails);
    let lost: Vec<&Observation> = asked.values().filter(is_lost).flatten().copied().collect();
    let servers = asked.values().filter(is_lost).count();
    let is_quorum = asked.len() < servers * 2 && (is_private || 1 < asked.len());
    if is_quorum { lost } else { Vec::new() }
}

/// What the resolvers of a view answer for each wanted name of a zone that stands there; where nothing stands yet, for
/// each. Of the types of a name those who ask meet all.
#[must_use]
pub fn answers_by_name<'a>(
    world: &World<'a>,
    zone: &ZoneReading,
    view: &dyn Fn(&Observation) -> bool,
) -> BTreeMap<&'a DomainName, Vec<Match>> {
    let wants = || world.wants_in(&zone.zone.id);
    let stands = |want: &Want| zone.at(&want.name).iter().any(|set| want.is(&set.key()));
    // What is missing has a finding of its own.
    let is_any = wants().any(stands);
    let mut rows: BTreeMap<&DomainName, Vec<Match>> = BTreeMap::new();
    for want in wants().filter(|want| !is_any || stands(want)) {
        let target = expected(world, &want.content, &want.record_type);
        let found = answers(world, &want.name, &want.record_type, Vantage::Recursive, view, &target).rows;
        // Nobody is to get an address of a family that the target lacks.
        let is_empty = want.companion && lacks_family(world, want);
        let told = found.into_iter().map(|row| row.1).filter(|one| !is_empty || *one != Match::Denied);
        rows.entry(&want.name).or_default().extend(told);
    }
    rows.retain(|_, rows| !rows.is_empty());
    rows
}

/// What the users of one of several names get who are worst off: a zone hurts as much as that.
#[must_use]
pub fn worst_of_names(names: &BTreeMap<&DomainName, Vec<Match>>) -> Option<Impact> {
    names.values().filter_map(|rows| worst(rows)).max_by_key(|impact| impact.weight())
}

/// What the answers of several servers come to, for a name that each of them should answer.
#[must_use]
pub fn worst(rows: &[Match]) -> Option<Impact> {
    let has = |wanted: Match| rows.contains(&wanted);
    let answered = has(Match::Right) || has(Match::Partial) || has(Match::Unknown);
    match (answered, has(Match::Elsewhere), has(Match::Denied)) {
        (false, false, false) => None,
        (true, false, false) if !has(Match::Partial) => None,
        (true, _, _) => Some(Impact::Degraded),
        (false, true, _) => Some(Impact::WrongPlace),
        (false, false, true) => Some(Impact::Down),
    }
}

/// A member of a routing set shares its name with others: any member may answer.
///
/// Only our own member is judged: served although it has no share, or never served while others
/// are. Source: findings.md sections 6 and 8.
fn impact_of_member(
    world: &World<'_>,
    want: &Want,
    zone: Option<&ZoneReading>,
    rows: &[Row<'_>],
) -> Option<Impact> {
    let own = expected(world, &want.content, &want.record_type);
    let served = rows.iter().any(|(_, _, seen, _)| judge_member(seen, &own));
    // Route 53 answers a set of zeros as if it had no weights.
    let has_share = |set: &RecordSet| matches!(set.routing.as_deref(), Some(Routing::Weighted(1..)));
    let others_serve = zone.is_none_or(|zone| members(want, Some(zone)).into_iter().any(has_share));
    let drained = want.routing.as_deref() == Some(&Routing::Weighted(0)) && others_serve;
    if drained && served {
        return Some(Impact::WrongPlace);
    }
    let recorded = zone.is_some_and(|zone| {
        zone.at(&want.name).iter().any(|set| set.key() == want.key() && set.content == want.content)
    });
    let verdicts: Vec<Match> = rows.iter().map(|row| row.1).collect();
    match worst(&verdicts) {
        // A member that stands as wanted may be out of the answer by its share, place or health.
        None if !served && !is_standby(want.routing.as_deref()) && !recorded && !rows.is_empty() => {
            Some(Impact::Degraded)
        }
        harm => harm,
    }
}

/// True for a member that is not to be served while others are.
#[must_use]
pub fn is_standby(routing: Option<&Routing>) -> bool {
    matches!(routing, Some(Routing::Weighted(0) | Routing::Failover(false)))
}

/// True if any answer of this round carries the member of a wish.
#[must_use]
pub fn shows_member(world: &World<'_>, want: &Want) -> bool {
    let own = expected(world, &want.content, &want.record_type);
    questions(world, &want.name).into_iter().any(|seen| judge_member(seen, &own))
}

/// True if an answer carries this member.
fn judge_member(seen: &Observation, own: &Expected) -> bool {
    if let Some((record_type, wanted)) = &own.values {
        return !values(seen, record_type).is_disjoint(wanted);
    }
    seen.outcome == Outcome::Answer
        && (!addresses(seen).is_disjoint(&own.addresses) || own.is_led_to(&chain(seen)))
}

/// What any of the record sets of a name and type may answer.
#[must_use]
pub fn union<'a>(world: &World<'_>, members: impl IntoIterator<Item = &'a RecordSet>) -> Expected {
    let mut all = Expected::default();
    for set in members {
        let one = expected(world, &set.content, &set.record_type);
        let lately = lately(world, &one.hosts);
        let is_told = |host: &DomainName| world.told(host).any(|seen| speaks(world, seen));
        let is_known = !one.addresses.is_empty() || !lately.is_empty() || one.hosts.iter().any(is_told);
        all.is_part |= one.rotating && !is_known;
        all.lately.extend(lately);
        all.addresses.extend(one.addresses);
        all.hosts.extend(one.hosts);
        all.rotating |= one.rotating;
        if let Some((record_type, values)) = one.values {
            all.values.get_or_insert_with(|| (record_type, BTreeSet::new())).1.extend(values);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_compare_as_they_are_spoken() {
        let check = |kind: &RecordType, found: &str, wanted: &[&str], expected: Match| {
            let spoken = |text: &str| spoken(kind, &Value::new(kind, text));
            let wanted: BTreeSet<String> = wanted.iter().map(|text| spoken(text)).collect();
            assert_eq!(judge_values(&[spoken(found)].into(), &wanted, false), expected, "{found}");
        };
        let (txt, mx, caa) = (RecordType::Txt, RecordType::Mx, RecordType::Caa);
        check(&txt, "\"v=spf1 -all\"", &["v=spf1 -all"], Match::Right);
        check(&txt, "\"one\" \"two\"", &["\"one\" \"two\""], Match::Right);
        check(&txt, "\"One\"", &["\"one\""], Match::Elsewhere);
        check(&txt, "\"a\\195\"", &["\"a\\303\""], Match::Unknown);
        check(&mx, "10 mail.example.net.", &["10 Mail.example.net", "20 b.example.net"], Match::Partial);
        check(&caa, "0 issue \"ca.example.org\"", &["0 issue \"ca.example.org\""], Match::Right);
        check(&caa, "0 issue \"ca.example.org\"", &[], Match::Unknown);
    }
}

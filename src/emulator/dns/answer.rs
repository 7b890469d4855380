//! What each kind of server answers. Pure, but for the turns of weighted groups.

use std::sync::Arc;

use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::rdata::{NS, SOA};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};

use super::authority::{self, Found};
use super::rdata::{address, name, spelled};
use super::{CONTROL_ADDRESS, CONTROL_NAME, PARENT_NAME, Role, Shared};
use crate::emulator::zones::{ServedZone, is_within, parent};

/// Longest chain of CNAMEs that is followed.
pub(super) const MAX_CHAIN: usize = 16;

/// How long a resolver caches what it made up, and the parent's records live.
const TTL: u32 = 300;

/// The sections of an answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) code: ResponseCode,
    pub(super) authoritative: bool,
    pub(super) answers: Vec<Record>,
    pub(super) authority: Vec<Record>,
    pub(super) additional: Vec<Record>,
}

// === impl Answer ===

impl Answer {
    pub(super) fn empty(code: ResponseCode, authoritative: bool) -> Self {
        Self { code, authoritative, answers: Vec::new(), authority: Vec::new(), additional: Vec::new() }
    }
}

/// Answers a question at a server.
pub(super) fn answer(shared: &Shared, role: Role, asked: &Name, kind: RecordType) -> Answer {
    let zones = shared.zones();
    let public = zones.into_iter().filter(|zone| !zone.private).collect::<Vec<_>>();
    match role {
        Role::Authority(own) => {
            let served = |zone: &Arc<ServedZone>| {
                zone.name_servers.iter().any(|server| shared.address_of(server) == Some(own))
            };
            let own: Vec<_> = public.into_iter().filter(served).collect();
            at_authority(shared, &own, asked, kind)
        }
        Role::Parent => at_parent(shared, &public, asked, kind),
        Role::Resolver => at_resolver(shared, &public, asked, kind),
    }
}

/// The zone with the longest name that holds a name; the oldest of several of one name.
fn closest<'a>(zones: &'a [Arc<ServedZone>], name: &str) -> Option<&'a ServedZone> {
    let within = zones.iter().filter(|zone| is_within(name, &zone.name));
    within.rev().max_by_key(|zone| zone.name.len()).map(AsRef::as_ref)
}

fn at_authority(shared: &Shared, own: &[Arc<ServedZone>], asked: &Name, kind: RecordType) -> Answer {
    let Some(zone) = closest(own, &spelled(asked)) else {
        return Answer::empty(ResponseCode::Refused, false);
    };
    authority::answer(shared, zone, asked, kind)
}

/// The parent of every zone: refers to its name servers, knows nothing below.
fn at_parent(shared: &Shared, zones: &[Arc<ServedZone>], asked: &Name, kind: RecordType) -> Answer {
    let text = spelled(asked);
    if text == PARENT_NAME {
        return own_address(asked, kind);
    }
    let Some(zone) = closest(zones, &text) else {
        if zones.iter().any(|zone| is_within(&zone.name, &text)) {
            return above_zones(asked, kind);
        }
        return negative(ResponseCode::NXDomain, parent(&text).unwrap_or("."), true);
    };
    let above = parent(&zone.name).unwrap_or(".");
    let Some(servers) = shared.delegation(zone) else {
        return negative(ResponseCode::NXDomain, above, true);
    };
    // The DS record set is the only one of a zone that lives at its parent; no zone is signed.
    if kind == RecordType::DS && text == zone.name {
        return negative(ResponseCode::NoError, above, true);
    }
    let mut answer = Answer::empty(ResponseCode::NoError, false);
    answer.authority = name_servers(&name(&zone.name), &servers);
    answer
}

fn name_servers(owner: &Name, servers: &[String]) -> Vec<Record> {
    servers
        .iter()
        .map(|server| Record::from_rdata(owner.clone(), 172_800, RData::NS(NS(name(server)))))
        .collect()
}

/// NS and SOA of the names above all zones (`com.`), which the parents' server owns.
fn above_zones(asked: &Name, kind: RecordType) -> Answer {
    let mut answer = Answer::empty(ResponseCode::NoError, true);
    if kind == RecordType::NS {
        answer.answers = name_servers(asked, &[PARENT_NAME.to_owned()]);
    } else if kind == RecordType::SOA {
        answer.answers = vec![parent_soa(asked)];
    } else {
        answer.authority = vec![parent_soa(asked)];
    }
    answer
}

fn own_address(asked: &Name, kind: RecordType) -> Answer {
    let mut answer = Answer::empty(ResponseCode::NoError, true);
    answer.answers.extend(address(asked, TTL, kind, super::PARENT.into()));
    if answer.answers.is_empty() {
        answer.authority = vec![parent_soa(asked)];
    }
    answer
}

fn parent_soa(zone: &Name) -> Record {
    let soa =
        SOA::new(name(PARENT_NAME), name("hostmaster.parent-servers.test."), 1, 7200, 900, 1_209_600, TTL);
    Record::from_rdata(zone.clone(), TTL, RData::SOA(soa))
}

fn negative(code: ResponseCode, zone: &str, authoritative: bool) -> Answer {
    let mut answer = Answer::empty(code, authoritative);
    answer.authority = vec![parent_soa(&name(zone))];
    answer
}

/// A resolver that follows delegations and chains, and answers what is left over as absent.
fn at_resolver(shared: &Shared, zones: &[Arc<ServedZone>], asked: &Name, kind: RecordType) -> Answer {
    let mut answer = Answer::empty(ResponseCode::NoError, false);
    let mut current = asked.clone();
    for _ in 0..MAX_CHAIN {
        let found = resolve_once(shared, zones, &current, kind);
        answer.answers.extend(found.answer.answers);
        answer.code = found.answer.code;
        answer.authority = found.answer.authority;
        match found.continues {
            Some(target) => current = target,
            None => return answer,
        }
    }
    Answer::empty(ResponseCode::ServFail, false)
}

fn resolve_once(shared: &Shared, zones: &[Arc<ServedZone>], asked: &Name, kind: RecordType) -> Found {
    let text = spelled(asked);
    let known: Option<Vec<std::net::IpAddr>> = if text == CONTROL_NAME {
        Some(vec![CONTROL_ADDRESS.into()])
    } else {
        shared.address_of(&text).map(|address| vec![address.into()]).or_else(|| shared.foreign(&text))
    };
    if let Some(addresses) = known {
        let mut answer = Answer::empty(ResponseCode::NoError, false);
        answer.answers = addresses.into_iter().filter_map(|own| address(asked, 60, kind, own)).collect();
        if answer.answers.is_empty() {
            answer.authority = vec![parent_soa(&name(parent(&text).unwrap_or(".")))];
        }
        return Found { answer, continues: None };
    }
    match closest(zones, &text) {
        Some(zone) if shared.delegation(zone).is_some() => {
            let mut found = authority::find(shared, zone, asked, kind);
            // The child of a delegation that is served by nobody here cannot be reached.
            if !found.answer.authoritative {
                found.answer = Answer::empty(ResponseCode::ServFail, false);
            }
            found
        }
        Some(zone) => {
            Found::ended(negative(ResponseCode::NXDomain, parent(&zone.name).unwrap_or("."), false))
        }
        None if zones.iter().any(|zone| is_within(&zone.name, &text)) => {
            Found::ended(above_zones(asked, kind))
        }
        None => Found::ended(negative(ResponseCode::NXDomain, ".", false)),
    }
}

//! Which wanted records a refused change belongs to. Pure.
//!
//! A refusal names its record in full, in part, by its alias target, or not at all; whoever shares
//! its batch is a victim. Source: findings.md section 4; facts/external-dns.md section 5.2.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::compare::owner::heritage_names;
use crate::compare::wishes::blame::controller_principals;
use crate::compare::wishes::signed;
use crate::compare::world::World;
use crate::desired::merge::is_same;
use crate::finding::Reason;
use crate::model::change::{
    Action, AttemptedChange, Caller, ChangeEvent, ChangeEventKind, FeedSource, RefusalError, RefusedBatch,
    SkipReason,
};
use crate::model::heritage::Heritage;
use crate::model::instance::Instance;
use crate::model::record::{RecordKey, RecordType};
use crate::model::suspects::{SAME_RECONCILE, Suspects, Unnamed};
use crate::model::table::Table;
use crate::model::want::{InstanceWants, Want};
use crate::model::{DomainName, Version, ZoneId};

/// The newest refusal of one wanted record.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// Who called; `None` where only a log tells of it.
    pub principal: Option<Arc<str>>,
    /// When.
    pub at: Timestamp,
    /// When the same record was refused for the first time in the feed.
    pub since: Timestamp,
    /// Why.
    pub reason: Reason,
    /// For a victim: the record whose fault it is.
    pub culprit: Option<DomainName>,
    /// Others of the batch that are at fault, too: with any of them it is refused.
    pub accomplices: Vec<DomainName>,
    /// The name of the record itself: a victim of its own name is never sent again without it.
    pub own_name: Option<DomainName>,
    /// The alias target or value that Route 53 quotes.
    pub target: Option<Arc<str>>,
    /// The sentence of Route 53.
    pub message: Arc<str>,
    /// Request id.
    pub request_id: Option<Arc<str>>,
    /// How often it was refused in the feed.
    pub count: usize,
    /// How many records the refusal may be about; 1 when it is certain, 0 when the feed tells nothing of what
    /// the call held.
    pub one_of: usize,
    /// What the call would have done to the record, an update as `UPSERT` however it is sent; `None` when the
    /// feed does not tell.
    pub action: Option<Action>,
    /// The targets that it would have written, in one spelling; empty when the feed does not tell (logs do
    /// not).
    pub told: BTreeSet<String>,
}

/// Refusals of one instance, by record and by the zone in which the record was to be written; `None` where
/// the feed does not tell it, or where it may stand for the zone in which the record is wanted.
#[derive(Debug, Default)]
pub struct Refusals {
    by_record: BTreeMap<(RecordKey, Option<ZoneId>), Refusal>,
    /// Calls of which nothing but the zone is told, or not even that.
    by_zone: BTreeMap<Option<ZoneId>, Refusal>,
}

/// From this release a failed batch is sent again name by name, so a victim soon succeeds.
const RETRIES_ALONE: Version = Version::new(0, 13, 4);

/// One refused call, however many sources tell of it.
#[derive(Debug)]
struct Call<'a> {
    at: Timestamp,
    batch: &'a RefusedBatch,
    attempted: Vec<RecordKey>,
    /// A group of a batch that was refused before.
    alone: bool,
    /// False for a group of a batch that is counted already.
    counts: bool,
    /// Whether a log and whether CloudTrail told of it.
    told_by: (bool, bool),
    /// Who called; `None` where only a log tells of it.
    principal: Option<&'a Arc<str>>,
}

/// Attributes the refusals of the feed to the records of one instance.
#[must_use]
pub fn refusals(world: &World<'_>, wants: &InstanceWants) -> Refusals {
    let calls = calls(world, wants);
    let wished = Wished { world, wants, by_target: OnceCell::new() };
    let doubts = doubts(&calls, &wished);
    let mut out = Refusals::default();
    for call in &calls {
        attribute(call, &wished, &doubts, &mut out);
    }
    note_never_sent(world, wants, &mut out);
    out
}

/// How long it counts that a group was not sent, at least: every loop says so anew.
const NOT_SENT_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// Names whose changes are more than a batch may hold: the instance never sends them.
fn note_never_sent(world: &World<'_>, wants: &InstanceWants, out: &mut Refusals) {
    let life = NOT_SENT_LIFE.max(signed(wants.instance.flags.interval.saturating_mul(3)));
    for event in world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events) {
        let ChangeEventKind::Skipped { name, why: SkipReason::BatchTooLarge, .. } = &event.kind else {
            continue;
        };
        if !wants.instance.wrote(&event.source) || life < world.at().duration_since(event.at) {
            continue;
        }
        for want in wants.at(name) {
            let place = (want.key(), None);
            let earlier = out.by_record.get(&place);
            let refusal = Refusal {
                principal: None,
                own_name: Some(name.clone()),
                at: event.at,
                since: earlier.map_or(event.at, |refusal| refusal.since),
                reason: Reason::Unknown,
                culprit: None,
                accomplices: Vec::new(),
                target: None,
                message: "its changes are more than --aws-batch-change-size; they are not sent".into(),
                request_id: None,
                count: earlier.map_or(0, |refusal| refusal.count).saturating_add(1),
                one_of: 1,
                action: None,
                told: BTreeSet::new(),
            };
            out.by_record.insert(place, refusal);
        }
    }
}

impl Refusals {
    /// The newest refusal of a record of this zone.
    #[must_use]
    pub fn of(&self, key: &RecordKey, zone: &ZoneId) -> Option<&Refusal> {
        // Nearly always nothing is refused.
        if self.by_record.is_empty() {
            return None;
        }
        let at = |zone: Option<&ZoneId>| self.by_record.get(&(key.clone(), zone.cloned()));
        [at(Some(zone)), at(None)].into_iter().flatten().max_by_key(|refusal| refusal.at)
    }

    /// The newest refusal of a call for this zone that may have held anything: CloudTrail leaves the request
    /// out where access is denied, and a log at level error does not tell it.
    #[must_use]
    pub fn of_zone(&self, zone: &ZoneId) -> Option<&Refusal> {
        let at = |zone: Option<&ZoneId>| self.by_zone.get(&zone.cloned());
        [at(Some(zone)), at(None)].into_iter().flatten().max_by_key(|refusal| refusal.at)
    }

    /// Those of known records, each with its zone.
    pub fn iter(&self) -> impl Iterator<Item = (&RecordKey, Option<&ZoneId>, &Refusal)> {
        self.by_record.iter().map(|((key, zone), refusal)| (key, zone.as_ref(), refusal))
    }
}

/// The wishes of one instance. Many sentences name nothing but a target; for each of them a walk over all
/// wishes would be long.
struct Wished<'a> {
    world: &'a World<'a>,
    wants: &'a InstanceWants,
    by_target: OnceCell<Table<String, Vec<&'a Want>>>,
}

impl<'a> Wished<'a> {
    /// Wishes with this target, as they are sorted.
    fn with_target(&self, target: &str) -> &[&'a Want] {
        let index = self.by_target.get_or_init(|| {
            let mut index: Table<String, Vec<&Want>> = Table::default();
            for want in &self.wants.wants {
                for target in want.targets() {
                    let rows = index.entry(spelled(&target)).or_default();
                    // One wish has a target once, however often it is spelled.
                    if rows.last().is_none_or(|last| !std::ptr::eq(*last, want)) {
                        rows.push(want);
                    }
                }
            }
            index
        });
        index.get(&spelled(target)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// A target in one spelling: without the trailing dot, lower case, an address in its canonical form.
pub(super) fn spelled(target: &str) -> String {
    let bare = target.trim_end_matches('.');
    bare.parse::<IpAddr>().map_or_else(|_not_an_address| bare.to_ascii_lowercase(), |ip| ip.to_string())
}

/// The refused calls of one instance in the order of time. Of a log and a CloudTrail record with one
/// request id the one that tells more counts, which mostly is CloudTrail's.
fn calls<'a>(world: &World<'a>, wants: &InstanceWants) -> Vec<Call<'a>> {
    let mut calls: Vec<Call<'a>> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let controllers = controller_principals(world);
    for event in world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events) {
        let ChangeEventKind::Refused(batch) = &event.kind else { continue };
        if !concerns(world, event, batch, wants, &controllers) {
            continue;
        }
        let attempted = attempted_records(batch, wants);
        let in_log = matches!(event.source, FeedSource::Log { .. });
        let told_by = (in_log, !in_log);
        let principal = match &event.source {
            FeedSource::CloudTrail { principal, .. } => Some(principal),
            FeedSource::Log { .. } => None,
        };
        let call =
            Call { at: event.at, batch, attempted, alone: batch.alone, counts: true, told_by, principal };
        let id = batch.request_id.as_deref();
        let same = id.and_then(|id| known.get(id)).and_then(|place| calls.get_mut(*place));
        if let Some(same) = same.filter(|same| same.told_by == (!in_log, in_log)) {
            let alone = same.alone || call.alone;
            if detail(same.batch) < detail(batch) {
                *same = call;
            }
            same.alone = alone;
            same.told_by = (true, true);
            continue;
        }
        known.extend(id.map(|id| (id, calls.len())));
        calls.push(call);
    }
    calls.sort_by_key(|call| call.at);
    mark_groups(&mut calls);
    calls
}

/// How much a report tells about its batch: values, a list that is the batch's own, its length.
fn detail(batch: &RefusedBatch) -> (bool, bool, usize) {
    let values = batch.attempted.iter().any(|change| !change.targets.is_empty());
    (values, !batch.alone, batch.attempted.len())
}

/// The last refused batch of a zone.
#[derive(Debug)]
struct Batch {
    at: Timestamp,
    /// When a group of it was last said to be refused alone; large batches take minutes.
    group_at: Timestamp,
    records: BTreeSet<RecordKey>,
}

/// A refused batch is sent again name by name. Logs say so; CloudTrail shows a call for one name
/// out of the batch before.
fn mark_groups(calls: &mut [Call<'_>]) {
    let mut batches: BTreeMap<Option<ZoneId>, Batch> = BTreeMap::new();
    for call in calls {
        let zone = call.batch.zone_id.clone();
        if let Some(whole) = batches.get_mut(&zone) {
            let soon_after = |at: Timestamp| call.at.duration_since(at) < SAME_RECONCILE;
            if call.alone {
                call.counts = !soon_after(whole.group_at);
                whole.group_at = call.at;
            } else if soon_after(whole.at) && is_group(&call.attempted, &whole.records) {
                (call.alone, call.counts) = (true, false);
            }
        }
        if !call.alone {
            let records = call.attempted.iter().cloned().collect();
            batches.insert(zone, Batch { at: call.at, group_at: call.at, records });
        }
    }
}

/// True if the records are one name out of a batch with several.
fn is_group(attempted: &[RecordKey], whole: &BTreeSet<RecordKey>) -> bool {
    let Some(first) = attempted.first() else { return false };
    attempted.iter().all(|key| key.name == first.name && whole.contains(key))
        && whole.iter().any(|key| key.name != first.name)
}

/// Who is left of those that the refusals without a name may be about: a sentence that quotes a target or value
/// tells nothing else of its record.
fn doubts(calls: &[Call<'_>], wished: &Wished<'_>) -> BTreeMap<Unnamed, Suspects> {
    let mut out: BTreeMap<Unnamed, Suspects> = BTreeMap::new();
    for call in calls {
        let mut sentences: BTreeMap<Unnamed, usize> = BTreeMap::new();
        for error in call.batch.errors.iter().filter(|error| error.target.is_some()) {
            let key = Unnamed::of(call.batch, error);
            let times = sentences.entry(key.clone()).or_default();
            *times = times.saturating_add(1);
            let candidates = records_of(error, call.batch, &call.attempted, wished);
            out.entry(key).or_default().narrow(candidates, *times);
        }
    }
    out
}

/// True if the event was written by this instance.
fn concerns(
    world: &World<'_>,
    event: &ChangeEvent,
    batch: &RefusedBatch,
    wants: &InstanceWants,
    known: &BTreeSet<Arc<str>>,
) -> bool {
    match &event.source {
        // The log of a Pod that is gone still tells what its successor will meet.
        FeedSource::Log { .. } => {
            wants.instance.wrote(&event.source)
                || !world.wants.iter().any(|other| other.instance.wrote(&event.source))
        }
        FeedSource::CloudTrail { principal, .. } => {
            let mut owners = batch
                .attempted
                .iter()
                .filter(|change| change.record_type == RecordType::Txt)
                .filter_map(|change| {
                    change.targets.first().and_then(|value| Heritage::parse(value)).and_then(|one| one.owner)
                });
            let told = owners.next();
            told.map_or_else(
                || may_be_ours(batch, principal, wants, known),
                |owner| *owner == *wants.instance.flags.owner_id,
            )
        }
    }
}

/// Words of callers that are no ExternalDNS, which calls with the Go SDK of AWS and says nothing of itself.
const OTHER_TOOLS: [&str; 9] = [
    "console",
    "aws internal",
    "aws-cli",
    "boto",
    "hashicorp",
    "terraform",
    "pulumi",
    "cloudformation",
    "signin.amazonaws.com",
];

fn is_other_tool(caller: &Caller) -> bool {
    let agent = caller.user_agent.to_ascii_lowercase();
    OTHER_TOOLS.iter().any(|word| agent.contains(word))
}

/// Without an ownership record in the batch it may be anybody's: not a stranger's beside principals that
/// are known to write ownership, and not one that would have written something else.
fn may_be_ours(
    batch: &RefusedBatch,
    principal: &Arc<str>,
    wants: &InstanceWants,
    known: &BTreeSet<Arc<str>>,
) -> bool {
    let bare = |target: &str| {
        let target = spelled(target);
        target.strip_prefix("dualstack.").map_or_else(|| target.clone(), str::to_owned)
    };
    let repairs = |change: &AttemptedChange| {
        let told: BTreeSet<String> = change.targets.iter().map(|target| bare(target)).collect();
        let key = key_of(change);
        let wished = wants.at(&change.name).iter().filter(|want| want.is(&key));
        let same =
            |want: &Want| want.targets().iter().map(|target| bare(target)).collect::<BTreeSet<_>>() == told;
        change.action == Action::Delete
            || told.is_empty()
            || wished.clone().next().is_none()
            || wished.into_iter().any(same)
    };
    let by_another_tool = batch.caller.as_deref().is_some_and(is_other_tool);
    // Only a registry of readable TXT records shows in calls who writes for it.
    let shows = wants.instance.flags.shows_ownership();
    let stranger = shows && !known.is_empty() && !known.contains(principal);
    !stranger && !by_another_tool && (batch.attempted.is_empty() || batch.attempted.iter().any(repairs))
}

fn attribute(call: &Call<'_>, wished: &Wished<'_>, doubts: &BTreeMap<Unnamed, Suspects>, out: &mut Refusals) {
    let (batch, wants) = (call.batch, wished.wants);
    let mut culprits: Vec<RecordKey> = Vec::new();
    let mut named: BTreeSet<RecordKey> = BTreeSet::new();
    let mut certain: BTreeSet<DomainName> = BTreeSet::new();
    for error in &batch.errors {
        let mut hit = records_of(error, batch, &call.attempted, wished);
        let mut one_of = 1;
        if let Some(suspects) = doubts.get(&Unnamed::of(batch, error)) {
            hit = suspects.among(hit);
            one_of = if suspects.is_certain() { 1 } else { hit.len().max(1) };
        }
        for key in hit.iter().flat_map(|key| members(key, error, wants)) {
            let zone = zone_of(call, &key, error.reason, wished);
            named.insert(key.clone());
            note(out, (key, zone), call, error.reason, None, (error, one_of));
        }
        if one_of == 1 {
            certain.extend(hit.iter().map(|key| key.name.clone()));
        }
        culprits.extend(hit);
    }
    let Some(culprit) = culprits.first().cloned() else {
        if call.attempted.is_empty() {
            note_call(call, out);
        }
        return;
    };
    // All changes of one name go through or fail together, also when they are sent alone.
    let shares_name = |key: &RecordKey| culprits.iter().any(|other| other.name == key.name);
    for victim in call.attempted.iter().filter(|key| !call.alone || shares_name(key)) {
        let error = RefusalError {
            reason: Reason::BatchVictim,
            name: None,
            fragment: None,
            record_type: None,
            set_identifier: None,
            target: None,
            message: batch.message.clone(),
        };
        // A log tells no identifiers: of the members under one key the sentence may name one only.
        for key in members(victim, &error, wants).into_iter().filter(|key| !named.contains(key)) {
            let zone = zone_of(call, &key, error.reason, wished);
            note(
                out,
                (key.clone(), zone.clone()),
                call,
                Reason::BatchVictim,
                Some(&culprit.name),
                (&error, 1),
            );
            let victim = out.by_record.get_mut(&(key, zone)).filter(|refusal| refusal.culprit.is_some());
            if let Some(victim) = victim.filter(|refusal| refusal.at == call.at) {
                victim.accomplices = certain.iter().filter(|name| **name != culprit.name).cloned().collect();
            }
        }
    }
}

/// A call of which nothing tells the records: it may have held any of the zone, where the error is no matter
/// of a single one. A broken connection or a failure within AWS names none either.
fn note_call(call: &Call<'_>, out: &mut Refusals) {
    let of_call = |error: &&RefusalError| {
        matches!(
            error.reason,
            Reason::AccessDenied
                | Reason::Throttled
                | Reason::Credentials
                | Reason::NoSuchZone
                | Reason::LimitsExceeded
        ) || error.reason == Reason::Unknown && error.target.is_none()
    };
    let Some(error) = call.batch.errors.iter().find(of_call) else { return };
    let zone = call.batch.zone_id.clone();
    let earlier = out.by_zone.get(&zone);
    let refusal = Refusal {
        principal: call.principal.cloned(),
        own_name: None,
        at: call.at,
        since: earlier.map_or(call.at, |refusal| refusal.since),
        reason: error.reason,
        culprit: None,
        accomplices: Vec::new(),
        target: None,
        message: error.message.clone(),
        request_id: call.batch.request_id.clone(),
        count: earlier.map_or(0, |refusal| refusal.count).saturating_add(1),
        one_of: 0,
        action: None,
        told: BTreeSet::new(),
    };
    out.by_zone.insert(zone, refusal);
}

/// What the call would have done to a record, and the targets that it would have written.
fn attempt(batch: &RefusedBatch, key: &RecordKey) -> (Option<Action>, BTreeSet<String>) {
    let is_own = |change: &&AttemptedChange| {
        change.name == key.name
            && change.record_type == key.record_type
            && (change.set_identifier.is_none() || change.set_identifier == key.set_identifier)
    };
    let mut action = None;
    let mut told = BTreeSet::new();
    for change in batch.attempted.iter().filter(is_own) {
        action = match action {
            None => Some(change.action),
            Some(other) if other == change.action => Some(other),
            // Taken away and written anew: that is an update.
            Some(_) => Some(Action::Upsert),
        };
        if change.action != Action::Delete {
            told.extend(change.targets.iter().map(|target| spelled(target)));
        }
    }
    (action, told)
}

/// The zone of the call; `None` where it may stand for another one: a zone that does not exist any more, and
/// a twin, because which of several zones of one name an instance writes to is not always known.
fn zone_of(call: &Call<'_>, key: &RecordKey, reason: Reason, wished: &Wished<'_>) -> Option<ZoneId> {
    let called = call.batch.zone_id.as_ref()?;
    let zones = &wished.world.snapshot.route53.value()?.zones;
    let twins = |one: &ZoneId, other: &ZoneId| {
        let of = |id: &ZoneId| zones.get(id).map(|reading| (&reading.zone.name, reading.zone.private));
        of(one).is_some() && of(one) == of(other)
    };
    let mut wanted = wished.wants.at(&key.name).iter().filter(|want| want.is(key));
    let is_twin = wanted.clone().any(|want| want.zone_id().is_some_and(|id| twins(id, called)))
        && !wanted.any(|want| want.zone_id() == Some(called));
    (!is_twin && reason != Reason::NoSuchZone).then(|| called.clone())
}

/// Logs tell no set identifiers: the sentence does, or all wanted members are meant.
fn members(key: &RecordKey, error: &RefusalError, wants: &InstanceWants) -> Vec<RecordKey> {
    let here = wants.at(&key.name);
    let mine = |want: &&Want| want.record_type == key.record_type;
    let exact = key.set_identifier.is_some() || here.iter().any(|want| want.key() == *key);
    if let Some(id) = error.set_identifier.as_ref().filter(|_| key.set_identifier.is_none()) {
        return vec![RecordKey { set_identifier: Some(id.clone()), ..key.clone() }];
    }
    let meant: Vec<RecordKey> = here.iter().filter(mine).map(Want::key).collect();
    if exact || meant.is_empty() {
        // The other half of a change of the type: its refusal is that of what is wanted instead.
        let is_instead = |want: &&Want| {
            let both = want.record_type.is_address() && key.record_type.is_address();
            !exact && both && want.record_type.excludes(&key.record_type)
        };
        let instead: Vec<RecordKey> = here.iter().filter(is_instead).map(Want::key).collect();
        return if instead.is_empty() { vec![key.clone()] } else { instead };
    }
    meant
}

fn note(
    out: &mut Refusals,
    place: (RecordKey, Option<ZoneId>),
    call: &Call<'_>,
    reason: Reason,
    culprit: Option<&DomainName>,
    (error, one_of): (&RefusalError, usize),
) {
    let at = call.at;
    let earlier = out.by_record.get(&place);
    let (since, count) = earlier.map_or((at, 0), |refusal| (refusal.since, refusal.count));
    // A record and its ownership TXT in one answer are one refusal.
    let counts = call.counts && earlier.is_none_or(|old| old.at != at);
    // In one batch an own fault beats being a victim.
    if earlier.is_some_and(|old| old.at == at && old.culprit.is_none() && culprit.is_some()) {
        return;
    }
    // A group that is sent alone is refused once in a reconcile; a later one that tells no name is another.
    let is_vague = call.alone && call.attempted.iter().any(|key| key.name != place.0.name);
    let is_told = |old: &Refusal| {
        old.culprit.is_none()
            && old.one_of == 1
            && old.reason != reason
            && at.duration_since(old.at) < SAME_RECONCILE
    };
    if is_vague && earlier.is_some_and(is_told) {
        return;
    }
    // The first sentence about a record in one batch is the one that names the root.
    if earlier.is_some_and(|old| old.at == at && old.culprit.is_none() && old.reason != reason) {
        return;
    }
    let own_name = Some(place.0.name.clone());
    let (action, told) = attempt(call.batch, &place.0);
    let action = action.or_else(|| (reason == Reason::AlreadyExists).then_some(Action::Create));
    out.by_record.insert(
        place,
        Refusal {
            principal: call.principal.cloned(),
            own_name,
            at,
            since,
            reason,
            culprit: culprit.cloned(),
            accomplices: Vec::new(),
            target: error.target.clone(),
            message: error.message.clone(),
            request_id: call.batch.request_id.clone(),
            count: count.saturating_add(usize::from(counts)).max(1),
            one_of,
            action,
            told,
        },
    );
}

/// The records of a batch, ownership TXT records mapped back to theirs.
fn attempted_records(batch: &RefusedBatch, wants: &InstanceWants) -> Vec<RecordKey> {
    let is_record = |change: &&AttemptedChange| {
        change.record_type != RecordType::Txt
            || wants_txt(wants, &change.name)
                && !change.targets.iter().any(|value| Heritage::parse(value).is_some())
    };
    let mut keys: Vec<RecordKey> = batch.attempted.iter().filter(is_record).map(key_of).collect();
    if keys.is_empty() {
        keys = batch.attempted.iter().filter_map(|change| txt_owner(&change.name, &wants.instance)).collect();
    }
    keys.sort();
    keys.dedup();
    keys
}

/// Somebody wants a TXT record of this very name, which is no ownership record then.
fn wants_txt(wants: &InstanceWants, name: &DomainName) -> bool {
    wants.at(name).iter().any(|want| want.record_type == RecordType::Txt)
}

pub(super) fn key_of(change: &AttemptedChange) -> RecordKey {
    RecordKey {
        name: change.name.clone(),
        record_type: change.record_type.clone(),
        set_identifier: change.set_identifier.clone(),
    }
}

fn txt_owner(txt: &DomainName, instance: &Instance) -> Option<RecordKey> {
    let (name, record_type) = instance.flags.affixes.owner_name(txt)?;
    Some(RecordKey { name, record_type: record_type.unwrap_or(RecordType::A), set_identifier: None })
}

/// The records that one sentence is about.
fn records_of(
    error: &RefusalError,
    batch: &RefusedBatch,
    attempted: &[RecordKey],
    wished: &Wished<'_>,
) -> Vec<RecordKey> {
    let wants = wished.wants;
    if let Some(name) = &error.name {
        return by_name(name, error, attempted, wished);
    }
    if let Some(fragment) = &error.fragment {
        let hit = by_fragment(fragment, attempted, wants);
        let hit = if hit.is_empty() { by_ownership_name(fragment, attempted, wants) } else { hit };
        return if hit.is_empty() { illegal(attempted, wants) } else { hit };
    }
    if error.reason == Reason::ProtectedRecord {
        let protected = |key: &&RecordKey| matches!(key.record_type, RecordType::Ns | RecordType::Soa);
        return attempted.iter().filter(protected).cloned().collect();
    }
    if let Some(target) = &error.target {
        let hit = by_target(target, error, batch, wished, attempted);
        if !hit.is_empty() {
            return hit;
        }
    }
    attempted.to_vec()
}

fn by_name(
    name: &DomainName,
    error: &RefusalError,
    attempted: &[RecordKey],
    wished: &Wished<'_>,
) -> Vec<RecordKey> {
    let wants = wished.wants;
    let is_txt = error.record_type == Some(RecordType::Txt);
    // One that stands as it is wanted has no part in it.
    let stands = |want: &Want| {
        let mut zones = wished.world.zones_over(name);
        want.record_type == RecordType::Txt
            && zones.any(|zone| {
                zone.at(name).iter().any(|set| want.is(&set.key()) && set.content == want.content)
            })
    };
    if is_txt && wants_txt(wants, name) && !wants.at(name).iter().any(stands) {
        let set_identifier = error.set_identifier.clone();
        return vec![RecordKey { name: name.clone(), record_type: RecordType::Txt, set_identifier }];
    }
    let owner = txt_owner(name, &wants.instance).filter(|_| error.record_type.is_none() || is_txt);
    // A host may be called as the ownership record of another one: the type tells which is meant.
    let of_owner = owner.as_ref().map(|owner| owned(owner, attempted)).unwrap_or_default();
    if is_txt && !of_owner.is_empty() {
        return of_owner;
    }
    let named = |key: &&RecordKey| key.name == *name;
    let of_type = |key: &&RecordKey| error.record_type.as_ref().is_none_or(|kind| *kind == key.record_type);
    // A log tells no identifier; the sentence does.
    let of_member = |key: &&RecordKey| {
        let is_told = error.set_identifier.is_some() && key.set_identifier.is_some();
        !is_told || key.set_identifier == error.set_identifier
    };
    let exact = attempted.iter().filter(named).filter(of_type).filter(of_member);
    let exact: Vec<RecordKey> = exact.cloned().collect();
    if !exact.is_empty() {
        return exact;
    }
    let direct: Vec<RecordKey> = attempted.iter().filter(named).cloned().collect();
    if !direct.is_empty() {
        return direct;
    }
    if let Some(owner) = owner {
        return if of_owner.is_empty() { vec![owner] } else { of_owner };
    }
    vec![RecordKey {
        name: name.clone(),
        record_type: error.record_type.clone().unwrap_or(RecordType::A),
        set_identifier: error.set_identifier.clone(),
    }]
}

/// The records of a batch that an ownership record speaks for: those of its type, an alias A standing as
/// CNAME in some releases, else all of the name.
fn owned(owner: &RecordKey, attempted: &[RecordKey]) -> Vec<RecordKey> {
    let named = || attempted.iter().filter(|key| key.name == owner.name);
    let of_type = |kind: &RecordType| -> Vec<RecordKey> {
        named().filter(|key| key.record_type == *kind).cloned().collect()
    };
    let mut hit = of_type(&owner.record_type);
    if hit.is_empty() && owner.record_type == RecordType::Cname {
        hit = of_type(&RecordType::A);
    }
    if hit.is_empty() { named().cloned().collect() } else { hit }
}

/// Where a quoted text is looked for: in the batch, and among the wishes when nothing tells the batch.
fn pool<'a>(attempted: &'a [RecordKey], wants: &InstanceWants) -> Cow<'a, [RecordKey]> {
    if attempted.is_empty() {
        return wants.wants.iter().map(Want::key).collect();
    }
    Cow::Borrowed(attempted)
}

/// The message quotes the name of an ownership TXT, whole or its first label.
fn by_ownership_name(fragment: &str, attempted: &[RecordKey], wants: &InstanceWants) -> Vec<RecordKey> {
    let quoted = fragment.trim_end_matches('.').to_ascii_lowercase();
    let pool = pool(attempted, wants);
    let owns = |key: &&RecordKey| {
        let names = heritage_names(&wants.instance, &key.name, &key.record_type);
        names.iter().any(|name| name.as_str() == quoted || name.labels().next() == Some(quoted.as_str()))
    };
    pool.iter().filter(owns).cloned().collect()
}

/// The names that are no legal DNS names: the message quotes a single character, or an escape of it.
fn illegal(attempted: &[RecordKey], wants: &InstanceWants) -> Vec<RecordKey> {
    pool(attempted, wants).iter().filter(|key| key.name.defect().is_some()).cloned().collect()
}

/// The message quotes the end of a name: prefer names that are illegal, then the longest match.
fn by_fragment(fragment: &str, attempted: &[RecordKey], wants: &InstanceWants) -> Vec<RecordKey> {
    let tail = fragment.trim_end_matches('.').to_ascii_lowercase();
    let pool = pool(attempted, wants);
    let fits =
        |key: &&RecordKey| key.name.as_str().ends_with(&tail) || key.name.labels().any(|label| label == tail);
    let illegal: Vec<RecordKey> =
        pool.iter().filter(fits).filter(|key| key.name.defect().is_some()).cloned().collect();
    if illegal.is_empty() { pool.iter().filter(fits).cloned().collect() } else { illegal }
}

/// The message quotes the alias target or value only: ask the batch, then the wishes.
fn by_target(
    target: &str,
    error: &RefusalError,
    batch: &RefusedBatch,
    wished: &Wished<'_>,
    attempted: &[RecordKey],
) -> Vec<RecordKey> {
    let wants = wished.wants;
    if let Some(object) = Heritage::parse(target).and_then(Heritage::object) {
        // The ownership of what that object asks for.
        let of_object = |want: &&Want| want.objects.iter().any(|asked| is_same(&object, asked));
        let asked = attempted.iter().filter(|key| wants.at(&key.name).iter().any(|want| of_object(&want)));
        return asked.cloned().collect();
    }
    let sought = spelled(target);
    let same = |text: &str| spelled(text) == sought;
    // A plain address record is never refused for its alias target.
    let is_alias = matches!(error.reason, Reason::AliasTargetNotInZone | Reason::AliasTargetNotFound);
    let of_type = |key: &RecordKey| error.record_type.as_ref().is_none_or(|kind| *kind == key.record_type);
    let told: Vec<RecordKey> = batch
        .attempted
        .iter()
        .filter(|change| !is_alias || change.alias != Some(false))
        .filter(|change| change.targets.iter().any(|text| same(text)))
        .map(key_of)
        .filter(of_type)
        .collect();
    if !told.is_empty() {
        return told;
    }
    let with_target = wished.with_target(target);
    let fits = |want: &Want| !is_alias || want.demanded_alias || want.content.alias().is_some();
    let any_fits = with_target.iter().any(|want| fits(want));
    let wished = with_target.iter().filter(|want| !any_fits || fits(want)).map(|want| want.key());
    let wished: Vec<RecordKey> = wished.filter(of_type).collect();
    let known: Vec<RecordKey> = wished.iter().filter(|key| attempted.contains(key)).cloned().collect();
    if !known.is_empty() {
        return known;
    }
    // The wish has changed since: the only record of that type in the batch must be it.
    let candidates: Vec<RecordKey> = attempted.iter().filter(|key| of_type(key)).cloned().collect();
    if candidates.len() == 1 { candidates } else { wished }
}

/// True if a refusal still counts for a zone that was read at `read_at`.
///
/// A victim's change usually goes through a moment later; only a reading after the refusal can say
/// that it did not.
#[must_use]
pub fn still_counts(refusal: &Refusal, instance: &Instance, read_at: Timestamp) -> bool {
    let alone = refusal.culprit.as_ref().is_none_or(|culprit| refusal.own_name.as_ref() == Some(culprit));
    alone || instance.effective_version() < RETRIES_ALONE || refusal.at < read_at
}

#[cfg(test)]
mod tests;

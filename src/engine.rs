//! One round after the other: snapshot in, report out. Pure; the time is the snapshot's.
//!
//! The live program, a check and a replayed recording run this same code.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::compare::blind::without_facts;
use crate::compare::mended::mended;
use crate::compare::unheard::{unheard, vague};
use crate::compare::{Candidate, Verdicts, compare, mute};
use crate::desired;
use crate::desired::departed::{Departed, is_wanted_by_others};
use crate::desired::memo::Memo;
use crate::desired::sources::roster::unmodelled;
use crate::desired::traps::traps;
use crate::finding::{FindingKey, State};
use crate::history::{History, Track};
use crate::limits::MAX_EVIDENCE;
use crate::model::by_name::ByName;
use crate::model::shard::Shard;
use crate::model::table::Table;
use crate::model::text::printable;
use crate::model::want::{InstanceWants, Want};
use crate::model::{RecordKey, ZoneId};
use crate::past::{Past, lists_are_whole};
use crate::policy::Policy;
use crate::report::{
    FORMAT, Finding, InstanceDetails, InstanceReport, MuteState, Report, Summary, ViewReport, ZoneRef,
    ZoneReport,
};
use crate::snapshot::{Reading, Snapshot, ViewName};

/// What must be remembered from round to round, and over a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// What earlier rounds have seen.
    pub past: Past,
    /// What they have found.
    pub history: History,
    /// The instances that they have seen, whose workloads may be gone by now. Absent in files of older
    /// versions.
    #[serde(default)]
    pub departed: Departed,
}

/// Judges round after round.
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Policy,
    memory: Memory,
    desired: Memo,
    wants: Arc<[InstanceWants]>,
    lost: BTreeSet<ZoneId>,
}

impl Engine {
    /// Starts without a past.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self::resume(policy, Memory::default())
    }

    /// Goes on from what was remembered.
    #[must_use]
    pub fn resume(policy: Policy, memory: Memory) -> Self {
        Self { policy, memory, desired: Memo::default(), wants: Arc::default(), lost: BTreeSet::new() }
    }

    /// What is to be remembered.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What the instances wanted in the latest round; the probe plan is made from it.
    #[must_use]
    pub fn wants(&self) -> &[InstanceWants] {
        &self.wants
    }

    /// The same, to keep.
    #[must_use]
    pub fn shared_wants(&self) -> Arc<[InstanceWants]> {
        Arc::clone(&self.wants)
    }

    /// Zones that were read too long ago to judge by in the latest round.
    #[must_use]
    pub fn lost(&self) -> &BTreeSet<ZoneId> {
        &self.lost
    }

    /// Those of [`Self::wants`] that are ours to judge.
    #[must_use]
    pub fn own_wants(&self) -> Cow<'_, [InstanceWants]> {
        if self.policy.shard.is_none() {
            return Cow::Borrowed(&self.wants);
        }
        let own = |one: &InstanceWants| InstanceWants {
            wants: ByName::new(one.wants.iter().filter(|want| self.policy.owns(want)).cloned().collect()),
            ..one.clone()
        };
        Cow::Owned(self.wants.iter().map(own).collect())
    }

    /// Judges one snapshot.
    pub fn round(&mut self, snapshot: &Snapshot) -> Report {
        let snapshot = &*self.with_departed(snapshot);
        self.wants = Arc::default();
        if let Some(cluster) = &snapshot.kubernetes.value {
            self.wants = self.desired.wants(cluster, snapshot.route53.value(), snapshot.at);
            let left = |one: &&InstanceWants| {
                let alone = |key: &RecordKey| !is_wanted_by_others(key, &self.wants);
                let last_wish = || self.memory.past.last_wish(&one.instance.id, alone);
                self.memory.departed.has_left(one, &self.wants, snapshot.route53.value(), last_wish)
            };
            if self.wants.iter().any(|one| left(&one)) {
                self.wants = self.wants.iter().filter(|one| !left(one)).cloned().collect();
            }
        }
        if self.memory.past.last_at.is_some_and(|last| snapshot.at < last) {
            self.memory.past.set_back(snapshot.at);
            self.memory.history.set_back(snapshot.at);
        }
        self.memory.past.observe(snapshot, &self.wants, &self.policy);
        let mut verdicts = compare(snapshot, &self.wants, &self.memory.past, &self.policy);
        let known = || self.memory.history.tracks().map(|track| &track.candidate);
        verdicts.coverage.unheard =
            unheard(snapshot, &self.wants, (&self.memory.past, &self.policy), &verdicts.candidates, known());
        if let Some(zones) = snapshot.route53.value() {
            let read = |one: &&Candidate| {
                one.key.zone_id.as_ref().is_some_and(|id| verdicts.coverage.zones.contains_key(id))
            };
            let mended = mended(zones, &self.wants, known().filter(read));
            verdicts.coverage.unheard.retain(|key| !mended.contains(key));
            verdicts.coverage.mended = mended;
        }
        verdicts.coverage.vague = vague(snapshot, known());
        verdicts.coverage.unheard.extend(without_facts(snapshot, known()));
        self.lost.clone_from(&verdicts.coverage.lost);
        let muted = |candidate: &Candidate| mute::now(snapshot, &self.policy, candidate).map(|mute| mute.0);
        self.memory.history.mute(&verdicts, muted);
        self.memory.history.advance(&verdicts, &self.policy, snapshot.at);
        self.report(snapshot, verdicts)
    }

    /// The cluster with the instances that have gone from it.
    fn with_departed<'a>(&mut self, snapshot: &'a Snapshot) -> Cow<'a, Snapshot> {
        let cluster = snapshot.kubernetes.value.as_ref();
        let is_whole = lists_are_whole(snapshot);
        match cluster.and_then(|cluster| self.memory.departed.fill(cluster, is_whole, snapshot.at)) {
            Some(filled) => {
                let mut with = snapshot.clone();
                with.kubernetes.value = Some(filled);
                Cow::Owned(with)
            }
            None => Cow::Borrowed(snapshot),
        }
    }

    fn report(&self, snapshot: &Snapshot, verdicts: Verdicts) -> Report {
        let own = |track: &&Track| {
            let key = &track.candidate.key;
            self.policy.owns_subject(&key.subject, key.zone_id.as_ref())
        };
        let tracks = self.memory.history.tracks().filter(own);
        let mut findings: Vec<Finding> = tracks.map(|track| finding(track, snapshot, &self.policy)).collect();
        // What lives in no zone is said once, by the first shard.
        let first = self.policy.shard.as_ref().is_none_or(Shard::is_first);
        let verdicts = if first { verdicts } else { without_lists(verdicts) };
        findings.sort_by(|left, right| {
            let order = |one: &Finding| {
                (urgency(one.state), std::cmp::Reverse(one.severity), one.subject.clone(), one.id.clone())
            };
            order(left).cmp(&order(right))
        });
        let mut silent: BTreeMap<_, usize> = BTreeMap::new();
        for row in &verdicts.silent {
            *silent.entry(row.reason).or_default() += 1;
        }
        let faulty = self.faulty();
        let count = |state: State| findings.iter().filter(|finding| finding.state == state).count();
        // What is frozen with its zone is unknown already.
        let is_read = |zone: &Option<ZoneId>| {
            zone.as_ref().is_none_or(|zone| verdicts.coverage.zones.contains_key(zone))
        };
        let with_findings: usize = faulty
            .iter()
            .filter(|(zone, _)| is_read(zone))
            .map(|(zone, key)| self.wished(zone.as_ref(), key, &|want| !verdicts.coverage.is_kept(want)))
            .sum();
        let summary = Summary {
            names: verdicts.names,
            in_sync: verdicts.names.saturating_sub(with_findings).saturating_sub(verdicts.unknown),
            pending: count(State::Pending),
            open: count(State::Open),
            unknown: verdicts.unknown,
            mutes_without_end: verdicts
                .mutes
                .iter()
                .filter(|mute| mute.state == MuteState::Active && mute.until.is_none())
                .count(),
            silent,
        };
        Report {
            format: FORMAT,
            at: snapshot.at,
            views: views(snapshot),
            summary,
            findings,
            silent: verdicts.silent,
            mutes: verdicts.mutes,
            instances: self.wants.iter().filter(|_| first).map(instance).collect(),
            zones: self.zones(snapshot, &faulty),
        }
    }

    /// How many instances want a record there, by wishes that count.
    fn wished(&self, zone: Option<&ZoneId>, key: &RecordKey, counts: &dyn Fn(&Want) -> bool) -> usize {
        let here =
            |want: &&Want| want.is(key) && want.zone_id() == zone && self.policy.owns(want) && counts(want);
        self.wants.iter().flat_map(|one| one.at(&key.name)).filter(here).count()
    }

    /// Records with a finding that is not over.
    fn faulty(&self) -> BTreeSet<(Option<ZoneId>, RecordKey)> {
        let tracks = self.memory.history.tracks().filter(|track| track.state != State::Resolved);
        tracks
            .filter_map(|track| {
                let key = &track.candidate.key;
                Some((key.zone_id.clone(), key.subject.record()?.clone()))
            })
            .collect()
    }

    fn zones(&self, snapshot: &Snapshot, faulty: &BTreeSet<(Option<ZoneId>, RecordKey)>) -> Vec<ZoneReport> {
        // Wanted records of each zone, and those among them with a finding.
        let mut counts: Table<&ZoneId, (usize, usize)> = Table::default();
        let wants = self.wants.iter().flat_map(|one| &one.wants).filter(|want| self.policy.owns(want));
        for id in wants.filter_map(Want::zone_id) {
            counts.entry(id).or_default().0 += 1;
        }
        for (zone, key) in faulty {
            if let Some(id) = zone {
                counts.entry(id).or_default().1 += self.wished(Some(id), key, &|_| true);
            }
        }
        let readings = snapshot.route53.value().into_iter().flat_map(|zones| zones.zones.values());
        let shard = self.policy.shard.as_ref();
        readings
            .filter(|reading| shard.is_none_or(|shard| shard.owns_zone(&reading.zone.id)))
            .map(|reading| {
                let (wants, out_of_sync) = counts.get(&reading.zone.id).copied().unwrap_or_default();
                ZoneReport {
                    zone: ZoneRef {
                        id: reading.zone.id.clone(),
                        name: reading.zone.name.clone(),
                        private: reading.zone.private,
                    },
                    record_sets: reading.record_sets.as_ref().map(|sets| sets.len()),
                    read_at: reading.read_at,
                    wants,
                    out_of_sync,
                }
            })
            .collect()
    }
}

fn without_lists(verdicts: Verdicts) -> Verdicts {
    Verdicts { silent: Vec::new(), mutes: Vec::new(), ..verdicts }
}

fn urgency(state: State) -> u8 {
    match state {
        State::Open => 0,
        State::Stale => 1,
        State::Pending => 2,
        State::Muted => 3,
        State::Explained => 4,
        State::Resolved => 5,
    }
}

fn finding(track: &Track, snapshot: &Snapshot, policy: &Policy) -> Finding {
    let candidate = &track.candidate;
    let zone = candidate.key.zone_id.as_ref().and_then(|id| snapshot.route53.value()?.zones.get(id));
    Finding {
        id: id_of(&candidate.key),
        kind: candidate.key.kind,
        reason: candidate.reason,
        cause: candidate.cause.clone(),
        state: track.state,
        severity: candidate.severity,
        impact: candidate.impact,
        subject: candidate.key.subject.clone(),
        zone: zone.map(|reading| ZoneRef {
            id: reading.zone.id.clone(),
            name: reading.zone.name.clone(),
            private: reading.zone.private,
        }),
        instance: candidate.key.instance.clone(),
        object: candidate.object.clone(),
        labels: candidate.labels.clone(),
        first_seen: track.first_seen,
        last_seen: track.last_seen,
        pending_until: candidate.window.filter(|_| track.state == State::Pending).map(|window| window.until),
        mute: candidate.muted.clone().filter(|_| track.state == State::Muted),
        desired: candidate.desired.clone(),
        recorded: candidate.recorded.clone(),
        live: candidate.live.clone(),
        evidence: candidate.evidence.iter().take(MAX_EVIDENCE).map(|line| printable(line)).collect(),
        also: candidate.also.clone(),
        explained_by: track.explained_by.as_ref().map(id_of),
        summary: printable(&candidate.summary),
        fix: candidate.fix.clone(),
        runbook: format!("{}{}.md", policy.runbook_base, candidate.key.kind),
        steps: track.steps().to_vec(),
    }
}

/// Stable across rounds and restarts: made of subject, zone, instance and kind only.
fn id_of(key: &FindingKey) -> String {
    let zone = key.zone_id.as_ref().map(ZoneId::as_str).unwrap_or_default();
    let instance = key.instance.as_deref().unwrap_or_default();
    let digest = Sha256::digest(format!("{}\n{zone}\n{instance}\n{}", key.subject, key.kind));
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn views(snapshot: &Snapshot) -> BTreeMap<ViewName, ViewReport> {
    fn one<T>(reading: &Reading<T>) -> ViewReport {
        ViewReport { state: reading.state, read_at: reading.read_at, problems: reading.problems.clone() }
    }
    BTreeMap::from([
        (ViewName::Kubernetes, one(&snapshot.kubernetes)),
        (ViewName::Route53, one(&snapshot.route53)),
        (ViewName::Dns, one(&snapshot.dns)),
        (ViewName::Changes, one(&snapshot.changes)),
    ])
}

/// How many records an instance wants in each zone.
fn by_zone(wants: &InstanceWants) -> BTreeMap<ZoneId, usize> {
    let mut counts: Table<&ZoneId, usize> = Table::default();
    for id in wants.wants.iter().filter_map(Want::zone_id) {
        *counts.entry(id).or_default() += 1;
    }
    counts.into_iter().map(|(id, count)| (id.clone(), count)).collect()
}

fn instance(wants: &InstanceWants) -> InstanceReport {
    let instance = &wants.instance;
    InstanceReport {
        id: instance.id.clone(),
        origin: instance.origin,
        workload: instance.workload.clone(),
        version: instance.version,
        annotation_prefix: instance.flags.annotation_prefix.clone(),
        sources: instance.flags.sources.clone(),
        sources_not_modelled: unmodelled(instance),
        policy: instance.flags.policy,
        wants: wants.wants.len(),
        ready_pods: instance.pods.iter().filter(|pod| pod.ready).count(),
        pods: instance.pods.len(),
        details: InstanceDetails {
            flags: desired::flags::shown(&instance.flags),
            // Their values may be secrets.
            unknown_flags: instance
                .flags
                .unknown
                .iter()
                .filter_map(|flag| flag.split('=').next())
                .map(printable)
                .collect(),
            traps: instance.version.map(traps).unwrap_or_default(),
            pods: instance.pods.clone(),
            zones: by_zone(wants),
            changed_at: instance.changed_at,
        },
    }
}

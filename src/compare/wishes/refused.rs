//! Whether a refused change still stands between a wish and its record. Pure.
//!
//! A refusal counts until the difference that the change would have repaired is gone, also when later
//! loops report success. Source: findings.md section 3, kind `failed_change`.

#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "tables of exceptions over large vocabularies: a new word must fall into the general row"
)]

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::compare::feed::{Refusal, Refusals, spelled, still_counts};
use crate::compare::instances::wrote;
use crate::compare::ladder::Step;
use crate::compare::owner::Ownership;
use crate::compare::verdict::Candidate;
use crate::compare::wishes::{Context, describe_refusal};
use crate::desired::record_sets::title_names;
use crate::finding::{Cause, Impact, Kind};
use crate::model::change::{Action, AttemptedChange, ChangeEventKind, FeedSource};
use crate::model::{Content, RecordType};
use crate::past::Sighting;

impl Context<'_> {
    /// The record is as wanted and owned, and the release keeps its ownership under two names of which the zone has
    /// one: the change that would write the other is refused.
    pub(super) fn ownership_refused(&self, refused: &Refusals) -> Option<Candidate> {
        let refusal = refused.of(&self.want.key(), &self.zone.zone.id)?;
        let is_own = refusal.culprit.is_none()
            && refusal.action != Some(Action::Delete)
            && still_counts(refusal, &self.wants.instance, self.read_at)
            && !self.went_through(refusal);
        let title = || self.world.title(self.wants, self.want, self.zone);
        if !is_own || self.judged.harm.is_some() || title().ownership != Ownership::Own {
            return None;
        }
        let lacking = self.lacking_ownership()?;
        let mut candidate = self.start(Kind::FailedChange, refusal.reason, Impact::Latent);
        describe_refusal(refusal, &mut candidate);
        candidate.evidence.push(format!("the record stands; its second ownership record {lacking} does not"));
        Some(candidate.caused_by(self.cause_of_refusal(refusal)))
    }

    /// An ownership record that the release writes for the wish, and that is not there.
    fn lacking_ownership(&self) -> Option<String> {
        let (want, instance) = (self.want, &self.wants.instance);
        let is_alias = want.content.alias().is_some();
        let stands = |text: &String| {
            self.zone
                .at_text(text)
                .iter()
                .any(|set| set.record_type == RecordType::Txt && set.set_identifier == want.set_identifier)
        };
        let names = title_names(instance, want.name.as_str(), &want.record_type, is_alias);
        names.into_iter().find(|text| !want.companion && !stands(text))
    }

    /// True if what the refused change was about has been settled since.
    pub(super) fn is_over(&self, refusal: &Refusal, step: &Step) -> bool {
        // A deletion would not have repaired what differs of a record that is wanted.
        refusal.action == Some(Action::Delete)
            || self.went_through(refusal)
            || self.was_repaired(refusal, step)
    }

    /// Route 53 took the same change later. A log that says so tells no values: it counts for a record that
    /// was to be created and is there, and where the same has been wanted ever since.
    fn went_through(&self, refusal: &Refusal) -> bool {
        let here = || self.zone.at(&self.want.name).iter().any(|set| self.want.is(&set.key()));
        let created = refusal.action == Some(Action::Create);
        let wished = self.want.changed_at.max(self.want.status_changed_at);
        // A zone that was read before cannot show it yet.
        let is_the_same = |at: Timestamp| wished.is_some_and(|wished| wished < at) && at < self.read_at;
        let events = self.world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
        events.into_iter().any(|event| {
            let ChangeEventKind::Applied(batch) = &event.kind else { return false };
            let told = match event.source {
                FeedSource::CloudTrail { .. } => true,
                FeedSource::Log { .. } => created && here() || is_the_same(event.at),
            };
            told && refusal.at < event.at
                && batch.zone_id.as_ref().is_none_or(|id| *id == self.zone.zone.id)
                && batch.changes.iter().any(|change| self.writes(change))
        })
    }

    fn writes(&self, change: &AttemptedChange) -> bool {
        change.action != Action::Delete
            && change.name == self.want.name
            && change.record_type == self.want.record_type
            && (change.set_identifier.is_none() || change.set_identifier == self.want.set_identifier)
    }

    /// In a round after the refusal the record was as the change would have left it.
    fn was_repaired(&self, refusal: &Refusal, step: &Step) -> bool {
        let sightings = self.world.past.names.record(&self.zone.zone.id, self.want);
        let earlier = std::iter::once(None).chain(sightings.iter().map(Some));
        sightings.iter().zip(earlier).any(|(seen, before)| {
            let Some(held) = seen.value.as_ref().filter(|_| refusal.at < seen.until) else { return false };
            // Absence is remembered from the first presence on; before that the wish stood alone.
            let was_absent =
                before.map_or_else(|| self.was_wished_before(seen.since), |before| before.value.is_none());
            was_absent && refusal.at < seen.since && refusal.action == Some(Action::Create)
                || is_of_target(step) && is_as_told(refusal, held)
                // Only contents are remembered, and no routing.
                || step.kind != Kind::WrongRouting && self.was_wished(held, seen, refusal.at)
        })
    }

    fn was_wished_before(&self, at: Timestamp) -> bool {
        let first = self.world.past.names.wish(&self.wants.instance.id, self.want).first();
        first.is_some_and(|first| first.since < at)
    }

    /// The instance wanted the content while it stood.
    fn was_wished(&self, held: &Content, seen: &Sighting<Option<Content>>, refused_at: Timestamp) -> bool {
        if *held == self.want.content {
            return true;
        }
        let wishes = self.world.past.names.wish(&self.wants.instance.id, self.want);
        wishes.iter().any(|wish| {
            wish.value == *held
                && wish.since <= seen.until
                && seen.since <= wish.until
                && refused_at < wish.until
        })
    }

    /// The refused call tells no records, and this may be one of them: ExternalDNS would have written it, and
    /// has not got any further since.
    pub(super) fn may_be_of_call(&self, refusal: &Refusal, step: &Step) -> bool {
        let wished = self.want.changed_at.max(self.want.status_changed_at);
        let message = &*refusal.message;
        let elsewhere = message.contains("hostedzone/") && !message.contains(self.zone.zone.id.as_str());
        let left_alone = matches!(self.owner_cause(), Some(Cause::OwnerForeign | Cause::OwnerMissing));
        wished.is_none_or(|at| at <= refusal.at)
            && !elsewhere
            && !left_alone
            && !self.policy_forbids(step)
            && !self.has_succeeded_since(refusal)
    }

    /// The instance ended a loop well, or the zone took a call.
    fn has_succeeded_since(&self, refusal: &Refusal) -> bool {
        let events = self.world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.events);
        events.filter(|event| refusal.at < event.at).any(|event| match (&event.kind, &event.source) {
            // What somebody else is allowed says nothing of the instance.
            (ChangeEventKind::Applied(batch), FeedSource::CloudTrail { principal, .. }) => {
                let is_same = refusal.principal.as_ref().is_none_or(|refused| refused == principal);
                is_same && batch.zone_id.as_ref() == Some(&self.zone.zone.id)
            }
            (ChangeEventKind::Applied(_) | ChangeEventKind::RunSucceeded, FeedSource::Log { .. }) => {
                wrote(self.wants, &event.source)
            }
            _ => false,
        })
    }
}

/// What a change would have written is told by its targets alone only where these differ, or the whole record
/// does.
fn is_of_target(step: &Step) -> bool {
    matches!(step.kind, Kind::MissingRecord | Kind::WrongType | Kind::StaleTarget | Kind::WrongTarget)
}

/// CloudTrail tells what the change would have written.
fn is_as_told(refusal: &Refusal, held: &Content) -> bool {
    let held: BTreeSet<String> = held.targets().iter().map(|target| spelled(target)).collect();
    !refusal.told.is_empty() && refusal.told == held
}

//! Which record a refusal is about, from the batch alone.

use std::net::IpAddr;

use crate::finding::Reason;
use crate::model::change::{Action, AttemptedChange, RefusalError, RefusedBatch};
use crate::model::heritage::TxtAffixes;
use crate::model::record::RecordKey;
use crate::model::{DomainName, RecordType};

/// The records of a batch without repetition, ownership TXTs mapped to theirs.
pub(super) fn records(batch: &RefusedBatch, affixes: &TxtAffixes) -> Vec<RecordKey> {
    let plain = |change: &&AttemptedChange| change.record_type != RecordType::Txt;
    let mut records: Vec<RecordKey> = batch.attempted.iter().filter(plain).map(key_of).collect();
    let owned: Vec<RecordKey> = batch
        .attempted
        .iter()
        .filter(|change| change.record_type == RecordType::Txt)
        .filter_map(|change| owner_of(&change.name, &records, affixes))
        .collect();
    if records.is_empty() {
        records = owned;
    }
    records.sort();
    records.dedup();
    records
}

/// The records that a sentence names; empty if it names none.
pub(super) fn named(
    error: &RefusalError,
    batch: &RefusedBatch,
    records: &[RecordKey],
    affixes: &TxtAffixes,
) -> Vec<RecordKey> {
    if let Some(name) = &error.name {
        return vec![by_name(name, error, records, affixes)];
    }
    if let Some(fragment) = &error.fragment {
        return by_fragment(fragment, batch, records, affixes);
    }
    if let Some(target) = &error.target {
        let is_alias = matches!(error.reason, Reason::AliasTargetNotInZone | Reason::AliasTargetNotFound);
        let told = batch.attempted.iter().filter(|change| change.action != Action::Delete).filter(|change| {
            change.alias.is_none_or(|alias| alias == is_alias)
                && change.targets.iter().any(|text| same(text, target))
                && error.record_type.as_ref().is_none_or(|kind| *kind == change.record_type)
        });
        return told.map(key_of).collect();
    }
    // Quotas, rates and permissions concern the whole batch.
    records.to_vec()
}

/// The records that a sentence without a name may be about.
pub(super) fn candidates(
    error: &RefusalError,
    batch: &RefusedBatch,
    records: &[RecordKey],
) -> Vec<RecordKey> {
    let written = |key: &RecordKey| {
        batch.attempted.iter().any(|change| {
            change.name == key.name
                && change.record_type == key.record_type
                && change.action != Action::Delete
                // What was sent with other values is not it.
                && (change.targets.is_empty() || error.target.is_none())
        })
    };
    let of_type = |key: &&RecordKey| error.record_type.as_ref().is_none_or(|kind| *kind == key.record_type);
    records.iter().filter(of_type).filter(|key| written(key)).cloned().collect()
}

fn by_name(
    name: &DomainName,
    error: &RefusalError,
    records: &[RecordKey],
    affixes: &TxtAffixes,
) -> RecordKey {
    let is_txt = error.record_type == Some(RecordType::Txt);
    let same_name = |key: &&RecordKey| key.name == *name;
    let exact =
        records.iter().filter(same_name).find(|key| error.record_type.as_ref() == Some(&key.record_type));
    if let Some(key) = exact {
        return RecordKey { set_identifier: error.set_identifier.clone(), ..key.clone() };
    }
    if (is_txt || error.record_type.is_none())
        && let Some(owner) = owner_of(name, records, affixes)
    {
        return owner;
    }
    RecordKey {
        name: name.clone(),
        record_type: error.record_type.clone().unwrap_or(RecordType::A),
        set_identifier: error.set_identifier.clone(),
    }
}

/// A sentence quotes the end of a name, or one label of it. Names that are illegal go first.
fn by_fragment(
    fragment: &str,
    batch: &RefusedBatch,
    records: &[RecordKey],
    affixes: &TxtAffixes,
) -> Vec<RecordKey> {
    let tail = fragment.trim_end_matches('.').to_ascii_lowercase();
    if tail.is_empty() {
        return Vec::new();
    }
    let fits = |name: &DomainName| name.as_str().ends_with(&tail) || name.labels().any(|label| label == tail);
    let direct: Vec<RecordKey> = records.iter().filter(|key| fits(&key.name)).cloned().collect();
    let illegal: Vec<RecordKey> = direct.iter().filter(|key| key.name.defect().is_some()).cloned().collect();
    if !illegal.is_empty() {
        return illegal;
    }
    if !direct.is_empty() {
        return direct;
    }
    let txts = batch.attempted.iter().filter(|change| fits(&change.name));
    let mut owners: Vec<RecordKey> =
        txts.filter_map(|change| owner_of(&change.name, records, affixes)).collect();
    owners.sort();
    owners.dedup();
    owners
}

/// The record that an ownership TXT belongs to: one of the batch, else what its name says.
pub(super) fn owner_of(txt: &DomainName, records: &[RecordKey], affixes: &TxtAffixes) -> Option<RecordKey> {
    // The old format is the name itself, and `a-b` may be the name of a host.
    let by_name = |name: &DomainName, kind: Option<&RecordType>| {
        let mut all = records.iter().filter(|key| key.name == *name);
        let first = all.clone().next();
        all.find(|key| kind == Some(&key.record_type)).or(first).cloned()
    };
    if let Some(key) = by_name(txt, None) {
        return Some(key);
    }
    let read = affixes.owner_name(txt);
    if let Some((name, kind)) = &read
        && let Some(key) = by_name(name, kind.as_ref())
    {
        return Some(key);
    }
    // Affixes that nobody told: the longest name that the TXT's name ends with.
    let ends = |key: &&RecordKey| {
        let name = key.name.as_str();
        txt.as_str().ends_with(name.strip_prefix("*.").unwrap_or(name))
    };
    let longest = records.iter().filter(ends).max_by_key(|key| key.name.as_str().len());
    if let Some(key) = longest {
        return Some(key.clone());
    }
    let (name, kind) = read?;
    Some(RecordKey { name, record_type: kind.unwrap_or(RecordType::A), set_identifier: None })
}

fn key_of(change: &AttemptedChange) -> RecordKey {
    RecordKey {
        name: change.name.clone(),
        record_type: change.record_type.clone(),
        set_identifier: change.set_identifier.clone(),
    }
}

fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.trim_end_matches('.'), right.trim_end_matches('.'));
    left.eq_ignore_ascii_case(right)
        || matches!((left.parse::<IpAddr>(), right.parse::<IpAddr>()), (Ok(left), Ok(right)) if left == right)
}

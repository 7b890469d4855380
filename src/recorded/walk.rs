//! Walking through the pages of a listing, trusting none of them.
//!
//! The SDK takes a body that was cut in the middle for a complete answer. Believed, that would be
//! hundreds of records reported missing; so every page has to prove that it is whole, and a zone
//! is handed out complete or not at all.

use std::collections::BTreeSet;

use crate::model::share::share;
use crate::model::zone::sort_record_sets;
use crate::model::{DomainName, HostedZone, RecordKey, RecordSet, ZoneId};
use crate::recorded::client::{Client, Cursor};
use crate::recorded::decode::to_route53;
use crate::recorded::error::ReadError;
use crate::recorded::sdk;
use crate::recorded::stats::Operation;

use aws_sdk_route53::operation::list_hosted_zones::ListHostedZonesOutput;
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsOutput;

/// Record sets per page. Source: Route 53 API, `ListResourceRecordSets`.
const RECORDS_PER_PAGE: u64 = 300;

/// Page size when only one name is wanted: most names have fewer than three record sets.
const RECORDS_OF_A_NAME: i32 = 20;

/// Pages beyond the expected ones before a walk is given up: room for a zone that grows meanwhile.
const SPARE_PAGES: u64 = 20;

/// Pages of a zone whose count is not known, and of the list of zones; far above any quota.
const MAX_PAGES: u64 = 2_000;

/// Requests for one page: the first and two more.
const PAGE_TRIES: u32 = 3;

/// Record sets that may be missing because of writes during the walk.
const RACE_TOLERANCE: u64 = 5;

/// Record sets that no zone can be without: NS and SOA at its apex.
const APEX_SETS: usize = 2;

/// A complete listing of one zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// Sorted as [`sort_record_sets`] does.
    pub record_sets: Vec<RecordSet>,
    /// Rows that were listed more than once and dropped.
    pub duplicate_rows: u64,
}

/// A page that has proved to be whole.
struct Page<T, C> {
    rows: Vec<T>,
    next: Option<C>,
}

/// Requests that a full listing of so many record sets takes.
#[must_use]
pub fn pages_of(records: usize) -> usize {
    records.div_ceil(usize::try_from(RECORDS_PER_PAGE).unwrap_or(1)).max(1)
}

/// Lists every hosted zone that the credentials may see, sorted by id.
///
/// # Errors
///
/// When a page cannot be had whole.
pub async fn hosted_zones(client: &Client) -> Result<Vec<HostedZone>, ReadError> {
    let mut zones: Vec<HostedZone> = Vec::new();
    let mut marker: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = zones_page(client, marker.take()).await?;
        zones.extend(page.rows);
        marker = page.next;
        if marker.is_none() {
            zones.sort_by(|left, right| left.id.cmp(&right.id));
            zones.dedup_by(|left, right| left.id == right.id);
            return Ok(zones);
        }
    }
    Err(unusable(Operation::ListHostedZones, None, "the list does not end".to_owned()))
}

/// Lists a zone completely.
///
/// `expected` is its `ResourceRecordSetCount` of a moment ago; when far fewer record sets come,
/// the count is read once more, because a mass deletion makes both small.
///
/// # Errors
///
/// When a page cannot be had whole, or record sets are missing. Never a part of a zone.
pub async fn record_sets(client: &Client, zone: &ZoneId, expected: Option<u64>) -> Result<Walk, ReadError> {
    let max_pages = expected.map_or(MAX_PAGES, |count| count / RECORDS_PER_PAGE + SPARE_PAGES);
    let mut walk = Walk { record_sets: Vec::new(), duplicate_rows: 0 };
    let mut seen: BTreeSet<RecordKey> = BTreeSet::new();
    let mut cursor: Option<Cursor> = None;
    for _ in 0..max_pages {
        let page = records_page(client, zone, cursor.take(), 300).await?;
        for set in page.rows {
            if seen.insert(set.key()) {
                walk.record_sets.push(set);
            } else {
                walk.duplicate_rows += 1;
            }
        }
        cursor = page.next;
        if cursor.is_none() {
            check_count(client, zone, expected, walk.record_sets.len()).await?;
            client.stats().count_duplicate_rows(walk.duplicate_rows);
            sort_record_sets(&mut walk.record_sets);
            share(&mut walk.record_sets);
            walk.record_sets.shrink_to_fit();
            return Ok(walk);
        }
    }
    let text = format!("the listing does not end after {max_pages} pages");
    Err(unusable(Operation::ListResourceRecordSets, Some(zone), text))
}

/// Reads the record sets of one name without listing the zone; empty if there are none.
///
/// # Errors
///
/// When a page cannot be had whole.
pub async fn read_name(
    client: &Client,
    zone: &ZoneId,
    name: &DomainName,
) -> Result<Vec<RecordSet>, ReadError> {
    let mut found: Vec<RecordSet> = Vec::new();
    let mut cursor = Some(Cursor { name: to_route53(name), record_type: None, identifier: None });
    // A name has at most 100 record sets of each type.
    for _ in 0..SPARE_PAGES {
        let page = records_page(client, zone, cursor.take(), RECORDS_OF_A_NAME).await?;
        let rows = page.rows.len();
        let before = found.len();
        found.extend(page.rows.into_iter().filter(|set| set.name == *name));
        cursor = page.next;
        if cursor.is_none() || found.len() - before < rows {
            sort_record_sets(&mut found);
            found.dedup_by(|left, right| left.key() == right.key());
            return Ok(found);
        }
    }
    let text = format!("the record sets of {name} do not end");
    Err(unusable(Operation::ListResourceRecordSets, Some(zone), text))
}

async fn check_count(
    client: &Client,
    zone: &ZoneId,
    expected: Option<u64>,
    listed: usize,
) -> Result<(), ReadError> {
    if listed == 0 {
        return Err(ReadError::EmptyZone { zone: zone.clone() });
    }
    // A full zone that lists only its apex: no race explains that, however small the zone is.
    let emptied = |count: u64| listed <= APEX_SETS && u64::try_from(APEX_SETS).is_ok_and(|apex| apex < count);
    let doubtful = |count: &u64| is_short(listed, *count) || emptied(*count);
    let Some(expected) = expected.filter(doubtful) else { return Ok(()) };
    let now = client.hosted_zone(zone).await?.record_set_count.unwrap_or(expected);
    if emptied(now) {
        return Err(ReadError::OnlyApex { zone: zone.clone(), expected: now });
    }
    if is_short(listed, now) {
        return Err(ReadError::Incomplete { zone: zone.clone(), listed, expected: now });
    }
    Ok(())
}

/// More missing than writes during a walk explain: 5, or 2 %.
pub(crate) fn is_short(listed: usize, expected: u64) -> bool {
    let missing = expected.saturating_sub(u64::try_from(listed).unwrap_or(u64::MAX));
    missing > RACE_TOLERANCE.max(expected / 50)
}

async fn zones_page(client: &Client, from: Option<String>) -> Result<Page<HostedZone, String>, ReadError> {
    let mut reason = String::new();
    for _ in 0..PAGE_TRIES {
        match whole_zones(client.zones_page(from.clone()).await?, from.as_deref()) {
            Ok(page) => return Ok(page),
            Err(text) => reason = text,
        }
        tracing::debug!(%reason, "page of hosted zones rejected");
    }
    Err(unusable(Operation::ListHostedZones, None, reason))
}

async fn records_page(
    client: &Client,
    zone: &ZoneId,
    from: Option<Cursor>,
    max_items: i32,
) -> Result<Page<RecordSet, Cursor>, ReadError> {
    let mut reason = String::new();
    for _ in 0..PAGE_TRIES {
        match whole_records(client.records_page(zone, from.clone(), max_items).await?, from.as_ref()) {
            Ok(page) => return Ok(page),
            Err(text) => reason = text,
        }
        tracing::debug!(%zone, %reason, "page of record sets rejected");
    }
    Err(unusable(Operation::ListResourceRecordSets, Some(zone), reason))
}

/// The guards of a page of zones; the error says which one failed.
fn whole_zones(
    answer: ListHostedZonesOutput,
    from: Option<&str>,
) -> Result<Page<HostedZone, String>, String> {
    if answer.max_items == 0 {
        return Err("cut off: it has no MaxItems".to_owned());
    }
    if answer.is_truncated && answer.next_marker.as_deref().is_none_or(str::is_empty) {
        return Err("truncated, but no NextMarker".to_owned());
    }
    let next = answer.next_marker.filter(|_| answer.is_truncated);
    if next.is_some() && next.as_deref() == from {
        return Err("NextMarker does not move on".to_owned());
    }
    let rows: Option<Vec<HostedZone>> =
        answer.hosted_zones.into_iter().map(|zone| sdk::hosted_zone(zone).decode()).collect();
    Ok(Page { rows: rows.ok_or("cut off: a hosted zone without id or name")?, next })
}

/// The guards of a page of record sets; the error says which one failed.
fn whole_records(
    answer: ListResourceRecordSetsOutput,
    from: Option<&Cursor>,
) -> Result<Page<RecordSet, Cursor>, String> {
    // MaxItems comes last in the body and is never 0.
    if answer.max_items == 0 {
        return Err("cut off: it has no MaxItems".to_owned());
    }
    let name = answer.next_record_name.filter(|name| answer.is_truncated && !name.is_empty());
    if answer.is_truncated && name.is_none() {
        return Err("truncated, but no NextRecordName".to_owned());
    }
    let next = name.map(|name| Cursor {
        name,
        record_type: answer.next_record_type,
        identifier: answer.next_record_identifier,
    });
    if next.is_some() && next.as_ref() == from {
        return Err("the cursor does not move on".to_owned());
    }
    let mut rows = Vec::with_capacity(answer.resource_record_sets.len());
    for set in answer.resource_record_sets {
        let raw = sdk::record_set(set);
        if raw.alias_target.as_ref().is_some_and(|alias| alias.dns_name.is_empty()) {
            return Err(format!("cut off: alias {:?} without a target", raw.name));
        }
        rows.push(raw.decode().map_err(|error| format!("cut off: {error}"))?);
    }
    Ok(Page { rows, next })
}

fn unusable(operation: Operation, zone: Option<&ZoneId>, text: String) -> ReadError {
    ReadError::Answer { operation, zone: zone.cloned(), text }
}

//! What the stand-in controller would change in one hosted zone. Pure.
//!
//! Source of the rules: `provider/aws/aws.go`, `registry/txt.go` and `plan/plan.go` of ExternalDNS
//! at the tags of the two releases; only what Ingresses with IPv4 addresses need.

use std::collections::BTreeMap;

use crate::emulator::route53::Change;
use crate::emulator::zones::RecordSet;

/// The owner id that the controller writes into its heritage.
pub const OWNER: &str = "gke-shop";

/// TTL of records without a TTL annotation, seconds.
const TTL: u32 = 300;

/// The releases of ExternalDNS that the story needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The last one that ignores `alias` on an address.
    V0_13_6,
    /// Honours `alias` on an address, which Route 53 refuses.
    V0_14_2,
}

/// What one Ingress asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Host without trailing dot, lower case.
    pub host: String,
    /// IPv4 addresses, at least one.
    pub addresses: Vec<String>,
    /// True if the alias annotation is exactly `true`.
    pub alias: bool,
    /// `ingress/<namespace>/<name>`.
    pub resource: String,
}

/// A hosted zone as the controller sees it.
#[derive(Clone, Copy, Debug)]
pub struct ZoneView<'a> {
    /// Id without `/hostedzone/`.
    pub id: &'a str,
    /// Name without trailing dot.
    pub name: &'a str,
    /// Its record sets, in any order.
    pub records: &'a [RecordSet],
}

/// The changes of one name: they are sent together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Host without trailing dot.
    pub host: String,
    /// In the order in which they are sent; never empty.
    pub changes: Vec<Change>,
}

/// All groups for a zone, sorted by host; empty when everything is as wished.
#[must_use]
pub fn plan(release: Release, zone: ZoneView<'_>, wishes: &[Wish]) -> Vec<Group> {
    let wanted: BTreeMap<&str, &Wish> =
        wishes.iter().filter(|wish| zone.holds(&wish.host)).map(|wish| (wish.host.as_str(), wish)).collect();
    let mut hosts: Vec<&str> = wanted.keys().copied().collect();
    let owned = zone.records.iter().filter(|set| set.kind == "A").map(|set| bare(&set.name));
    hosts.extend(owned.filter(|host| zone.owns(host) && !wanted.contains_key(host)));
    hosts.sort_unstable();
    hosts
        .into_iter()
        .filter_map(|host| {
            let mut changes = match wanted.get(host) {
                Some(wish) => settle(zone, host, &records(release, zone.id, wish)),
                None => zone.of(host).into_iter().cloned().map(Change::delete).collect(),
            };
            changes.sort_by_key(|change| (rank(&change.action), sort_key(change)));
            (!changes.is_empty()).then(|| Group { host: host.to_owned(), changes })
        })
        .collect()
}

/// The record sets that a release makes of a wish.
fn records(release: Release, zone_id: &str, wish: &Wish) -> Vec<RecordSet> {
    let first = wish.addresses.first().map_or("", String::as_str);
    let alias = wish.alias && release == Release::V0_14_2;
    let (record, prefix) = if alias {
        let mut record = RecordSet::alias(&wish.host, "A", zone_id, first);
        if let Some(target) = &mut record.alias_target {
            target.evaluate_target_health = true;
        }
        // An alias counts as a CNAME in the registry of these releases.
        (record, "cname-")
    } else {
        let values: Vec<&str> = wish.addresses.iter().map(String::as_str).collect();
        (RecordSet::simple(&wish.host, "A", TTL, &values), "a-")
    };
    let heritage = format!(
        "\"heritage=external-dns,external-dns/owner={OWNER},external-dns/resource={}\"",
        wish.resource
    );
    let txt = |name: &str| RecordSet::simple(name, "TXT", TTL, &[&heritage]);
    vec![record, txt(&wish.host), txt(&format!("{prefix}{}", wish.host))]
}

/// What turns the present record sets of a host into the wished ones.
fn settle(zone: ZoneView<'_>, host: &str, wished: &[RecordSet]) -> Vec<Change> {
    let Some(present) = zone.find(host, "A") else {
        return wished.iter().cloned().map(Change::create).collect();
    };
    let Some(record) = wished.first() else { return Vec::new() };
    if !zone.owns(host) || same(present, record) {
        return Vec::new();
    }
    if present.alias_target.is_some() == record.alias_target.is_some() {
        return wished.iter().cloned().map(Change::upsert).collect();
    }
    // Plain and alias cannot replace each other by an UPSERT.
    let old = zone.of(host).into_iter().cloned().map(Change::delete);
    old.chain(wished.iter().cloned().map(Change::create)).collect()
}

fn same(present: &RecordSet, wished: &RecordSet) -> bool {
    let values = |set: &RecordSet| {
        let mut values: Vec<String> = set.values().map(str::to_owned).collect();
        values.sort_unstable();
        values
    };
    let target = |set: &RecordSet| set.alias_target.as_ref().map(|alias| bare(&alias.dns_name).to_owned());
    values(present) == values(wished) && target(present) == target(wished)
}

/// Source: ExternalDNS sends UPSERT, DELETE, CREATE in this order.
fn rank(action: &str) -> u8 {
    match action {
        "UPSERT" => 0,
        "DELETE" => 1,
        _ => 2,
    }
}

fn sort_key(change: &Change) -> (String, String) {
    (change.resource_record_set.name.clone(), change.resource_record_set.kind.clone())
}

/// A name without its trailing dot.
pub(super) fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

// === impl ZoneView ===

impl<'a> ZoneView<'a> {
    fn holds(self, host: &str) -> bool {
        host.strip_suffix(self.name).is_some_and(|rest| rest.ends_with('.'))
    }

    fn find(self, name: &str, kind: &str) -> Option<&'a RecordSet> {
        self.records.iter().find(|set| bare(&set.name) == name && set.kind == kind)
    }

    /// True if a heritage of ours stands beside the host.
    fn owns(self, host: &str) -> bool {
        let ours = format!("external-dns/owner={OWNER},");
        self.find(host, "TXT").is_some_and(|set| set.values().any(|value| value.contains(&ours)))
    }

    /// The record sets that belong to a host: its A and the heritages of both formats.
    fn of(self, host: &str) -> Vec<&'a RecordSet> {
        let typed = [format!("a-{host}"), format!("cname-{host}")];
        let heritages = typed.iter().filter_map(|name| self.find(name, "TXT"));
        [self.find(host, "A"), self.find(host, "TXT")].into_iter().flatten().chain(heritages).collect()
    }
}

//! Change batches for `aws route53 change-resource-record-sets`, each with its inverse. Pure.
//!
//! A batch is atomic, so a record is replaced by DELETE and CREATE: an UPSERT would be refused where
//! the type, the alias form or the routing policy changes.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::compare::fix::quote;
use crate::compare::owner::{Ownership, former_members, heritage_names, ownership};
use crate::desired::record_sets::{MAX_LABEL, title_names};
use crate::desired::versions::{Behaviour, does};
use crate::model::heritage::{Heritage, TxtRole};
use crate::model::instance::Instance;
use crate::model::record::{AliasTarget, Content, RecordSet, RecordType, Routing, Value};
use crate::model::want::{InstanceWants, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, ObjectRef, ZoneId};
use crate::report::Fix;

/// TTL of an ownership TXT, as ExternalDNS writes it.
const TXT_TTL: u32 = 300;

/// Characters of a set identifier. Source: Route 53 API, `ResourceRecordSet`.
const MAX_SET_IDENTIFIER: usize = 128;

/// What a batch takes away and what it writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Record sets as they stand.
    pub delete: Vec<RecordSet>,
    /// Record sets as they shall be.
    pub create: Vec<RecordSet>,
}

impl Batch {
    /// Makes the zone hold what is wanted, ownership included; empty when it does already.
    ///
    /// The AAAA half that the instance writes beside an alias comes along, and so do the records that the same
    /// obstacle keeps out: they would be the next fault.
    #[must_use]
    pub fn mending(wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> Self {
        let mut batch = Self::mending_one(wants, want, zone);
        let comes_along =
            |other: &&Want| is_half_of(other, want) || is_kept_out_with(&wants.instance, other, want, zone);
        for other in wants.at(&want.name).iter().filter(comes_along) {
            let mut both = batch.clone();
            both.take_in(Self::mending_one(wants, other, zone));
            if both.obstacles(zone).is_empty() {
                batch = both;
            }
        }
        batch
    }

    fn mending_one(wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> Self {
        if want.is_resolved() {
            // Which addresses ExternalDNS finds for the host name is not known here.
            return Self::default();
        }
        let delete = in_the_way(&wants.instance, want, zone).cloned().collect();
        let mut batch = Self { delete, create: vec![wanted(want, zone)] };
        for former in former_members(wants, want, zone) {
            let was = Want { set_identifier: former.set_identifier.clone(), ..want.clone() };
            batch.remove(former);
            heritage_sets(&wants.instance, &was, zone).for_each(|set| batch.remove(set));
        }
        for half in former_halves(wants, want, zone) {
            let was = Want { record_type: half.record_type.clone(), ..want.clone() };
            batch.remove(half);
            for title in heritage_sets(&wants.instance, &was, zone) {
                if half.record_type == RecordType::Aaaa && is_title(title, &wants.instance, &was) {
                    batch.remove(title);
                }
            }
        }
        batch.own(&wants.instance, want, zone);
        batch.delete.retain(|set| {
            let stays = batch.create.contains(set);
            batch.create.retain(|other| other != set);
            !stays
        });
        batch
    }

    /// A record set that several reasons take away goes once: Route 53 would not find it again.
    ///
    /// The texts that stand beside an ownership stay, an SPF policy perhaps: the set is written without it.
    fn remove(&mut self, set: &RecordSet) {
        if self.delete.iter().any(|other| other.key() == set.key()) {
            return;
        }
        self.delete.push(set.clone());
        self.create.extend(without_ownership(set));
    }

    /// Of a set that is written with other texts already both are written.
    fn write(&mut self, set: RecordSet) {
        match self.create.iter_mut().find(|other| other.key() == set.key()) {
            Some(other) => {
                let values = set.content.plain_values().iter().chain(other.content.plain_values());
                other.content = Content::values(TXT_TTL, values.cloned());
            }
            None => self.create.push(set),
        }
    }

    /// Record sets that stay, and beside which Route 53 refuses what the batch creates.
    #[must_use]
    pub fn obstacles<'a>(&self, zone: &'a ZoneReading) -> Vec<&'a RecordSet> {
        let mut out: Vec<&RecordSet> = Vec::new();
        for new in &self.create {
            let more = zone.at(&new.name).iter().filter(|set| excludes(new, set));
            out.extend(more.filter(|set| !self.delete.contains(set)));
        }
        out
    }

    /// Both at once; what both do is done once.
    fn take_in(&mut self, other: Self) {
        let add = |all: &mut Vec<RecordSet>, more: Vec<RecordSet>| {
            for set in more {
                if !all.contains(&set) {
                    all.push(set);
                }
            }
        };
        add(&mut self.delete, other.delete);
        add(&mut self.create, other.create);
    }

    /// Writes the ownership of a record whose values are right; empty when nobody may say whose it is.
    #[must_use]
    pub fn owning(wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> Self {
        let mut batch = Self::default();
        batch.own(&wants.instance, want, zone);
        let stands = |other: &Want| zone.at(&other.name).iter().any(|set| other.is(&set.key()));
        for half in wants.at(&want.name).iter().filter(|other| is_half_of(other, want) && stands(other)) {
            batch.own(&wants.instance, half, zone);
        }
        batch
    }

    /// Writes a record that stood there, with the ownership that it needs.
    pub fn bring_back(&mut self, instance: &Instance, want: &Want, zone: &ZoneReading) {
        self.write(wanted(want, zone));
        self.own(instance, want, zone);
    }

    /// Takes record sets away, and of an ownership record what says who owns something.
    #[must_use]
    pub fn deleting(sets: impl IntoIterator<Item = RecordSet>) -> Self {
        let mut batch = Self::default();
        for set in sets {
            batch.remove(&set);
        }
        batch
    }

    /// A record that ExternalDNS does not own is left alone by it: the mended one would not last.
    ///
    /// Another owner's claim is not for us to take; whoever reads the fix has to settle it first.
    fn own(&mut self, instance: &Instance, want: &Want, zone: &ZoneReading) {
        let flags = &instance.flags;
        let readable = flags.shows_ownership();
        let held = ownership(instance, want, zone);
        if !readable || matches!(held, Ownership::Foreign(_) | Ownership::Unknown) {
            return;
        }
        for set in former_titles(instance, want, zone) {
            self.remove(set);
        }
        for set in heritage_sets(instance, want, zone) {
            let owner = match TxtRole::of(set) {
                TxtRole::Heritage(heritage) => heritage.owner,
                TxtRole::Encrypted | TxtRole::Other => continue,
            };
            // One of several owners that contradict each other; what another one has under a name that is not read
            // for this record contradicts nothing.
            let is_aside = held == Ownership::Own && owner.is_some_and(|owner| !owner.is_empty());
            if owner != Some(&*flags.owner_id) && !is_aside {
                self.remove(set);
            }
        }
        // Beside an apex the name may lie outside of all zones: ExternalDNS writes no ownership then.
        let written = heritage(instance, want).into_iter().filter(|set| is_placed(&set.name, zone));
        let (mut kept_out, mut titles) = (Vec::new(), 0_usize);
        for set in written {
            let stands = zone.at(&set.name).iter().find(|other| other.key() == set.key());
            match stands {
                Some(other) if is_of_another_owner(other, &flags.owner_id) => {
                    self.remove(other);
                    self.write(set);
                }
                // A text that has nothing to do with ownership, an SPF policy perhaps.
                Some(other) if TxtRole::of(other) == TxtRole::Other => {
                    kept_out.push(set);
                    continue;
                }
                // Ours, but it stands in another place of the routing set than the record shall: it would keep
                // others out of that, and Route 53 would not find what ExternalDNS deletes.
                Some(other) if other.routing != set.routing && is_own(other, instance) => {
                    self.remove(other);
                    self.write(set);
                }
                Some(_) => {}
                None => self.write(set),
            }
            titles += 1;
        }
        if titles == 0 || does(instance.effective_version(), Behaviour::MissingTxtForces) {
            // Without any the record would be nobody's, and a release that misses one of them writes over the text as
            // soon as it owns the record: the text is an obstacle.
            self.create.extend(kept_out);
        }
    }

    /// True if there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.create.is_empty()
    }

    /// What Route 53 refuses in the record sets themselves, as the thing to do about it.
    #[must_use]
    pub fn defect(&self, zone: &ZoneReading) -> Option<&'static str> {
        self.create.iter().find_map(|set| self.defect_of(set, zone))
    }

    fn defect_of(&self, set: &RecordSet, zone: &ZoneReading) -> Option<&'static str> {
        if set.set_identifier.is_some() && set.routing.is_none() {
            return Some("Give it a routing policy (a weight, a region), or take the set identifier away.");
        }
        if set.routing.is_some() && set.set_identifier.is_none() {
            return Some(
                "Give the object a set-identifier, or take its routing policy (a weight, a region) away: Route 53 \
                 refuses one without the other.",
            );
        }
        if let Some(defect) = routing_defect(set, zone) {
            return Some(defect);
        }
        if zone.zone.private && set.content.alias().is_some_and(is_cloudfront) {
            return Some("Point the host at something else: no private zone has an alias of CloudFront.");
        }
        if let Some(target) = set.content.alias().filter(|target| self.lacks(target, set, zone)) {
            let four = RecordType::A;
            let has_four = set.record_type == RecordType::Aaaa && holds(zone, &target.dns_name, &four);
            return Some(if has_four {
                "Give the target of the alias an AAAA record, or name the types without AAAA (--managed-record-types)."
            } else {
                "Create the target of the alias in the zone first, or correct it."
            });
        }
        let texts = set.content.plain_values().iter().filter_map(|value| match value {
            Value::Text(text) if set.record_type == RecordType::Txt => Some(text),
            Value::Text(_) | Value::Ip(_) | Value::Host(_) | Value::Named(_) => None,
        });
        texts.into_iter().find(|text| !is_quoted(text)).map(|text| {
            if Heritage::parse(text).is_some() {
                "The ownership TXT would be longer than 255 characters: shorten the name of the object or the owner id."
            } else if text.starts_with('"') {
                "Split the text in the object into strings of at most 255 characters, each in quotation marks."
            } else {
                "Put the text in the object in quotation marks."
            }
        })
    }

    /// What keeps ExternalDNS from writing an alias although nothing is wrong with it: it sends both halves at once, and
    /// Route 53 refuses the other one.
    #[must_use]
    pub fn defect_of_half(wants: &InstanceWants, want: &Want, zone: &ZoneReading) -> Option<&'static str> {
        let mut halves = wants.at(&want.name).iter().filter(|half| is_half(half, want));
        halves.find_map(|half| Self::mending_one(wants, half, zone).defect(zone))
    }

    /// True for an alias to a name of the zone that has no set of its type, now or with the batch.
    fn lacks(&self, target: &AliasTarget, set: &RecordSet, zone: &ZoneReading) -> bool {
        let is_there =
            |other: &RecordSet| other.name == target.dns_name && other.record_type == set.record_type;
        target.hosted_zone_id.as_ref() == Some(&zone.zone.id)
            && !holds(zone, &target.dns_name, &set.record_type)
            && !self.create.iter().any(is_there)
    }

    /// The fix that carries this batch, its inverse and the command; the advice alone where Route 53 would
    /// refuse the batch.
    #[must_use]
    pub fn into_fix(self, summary: &str, zone: &ZoneReading) -> Fix {
        let mut fix = Fix { summary: summary.to_owned(), ..Fix::default() };
        if let Some(defect) = self.defect(zone) {
            defect.clone_into(&mut fix.summary);
            return fix;
        }
        if self.is_empty() || !self.obstacles(zone).is_empty() {
            return fix;
        }
        let (here, above) = self.by_zone(zone);
        if !here.is_empty() {
            let batch = changes(&here.delete, &here.create);
            fix.commands.push(command(&zone.zone.id, &batch));
            fix.change_batch = Some(batch);
            fix.inverse_batch = Some(changes(&here.create, &here.delete));
        }
        for (id, other) in above {
            fix.commands.push(command(id, &changes(&other.delete, &other.create)));
        }
        fix
    }

    /// What belongs into the zone, and what of its apex into those above: a batch is for one zone.
    fn by_zone(self, zone: &ZoneReading) -> (Self, BTreeMap<&ZoneId, Self>) {
        let is_here = |set: &RecordSet| set.name.is_within(&zone.zone.name);
        let (delete, deleted_above): (Vec<_>, Vec<_>) = self.delete.into_iter().partition(is_here);
        let (create, created_above): (Vec<_>, Vec<_>) = self.create.into_iter().partition(is_here);
        let mut above: BTreeMap<&ZoneId, Self> = BTreeMap::new();
        if let Some(other) = &zone.above {
            for set in deleted_above {
                above.entry(other.home(&set.key())).or_default().delete.push(set);
            }
            for set in created_above {
                above.entry(other.home(&set.key())).or_default().create.push(set);
            }
        }
        (Self { delete, create }, above)
    }
}

fn command(zone: &ZoneId, batch: &Json) -> String {
    let batch = quote(&in_ascii(batch));
    format!("aws route53 change-resource-record-sets --hosted-zone-id {zone} --change-batch {batch}")
}

/// True for a name of the zone. The ownership of its apex, which lies beside it, is one of any zone above.
fn is_placed(name: &DomainName, zone: &ZoneReading) -> bool {
    name.is_within(&zone.zone.name) || zone.above.is_some()
}

/// True if no zone of the instance has room for the ownership of the record: that of an apex lies outside of it.
#[must_use]
pub fn lacks_place(instance: &Instance, want: &Want, zone: &ZoneReading) -> bool {
    let titles = heritage(instance, want);
    instance.flags.shows_ownership()
        && !titles.is_empty()
        && !titles.iter().any(|set| is_placed(&set.name, zone))
}

fn holds(zone: &ZoneReading, name: &DomainName, record_type: &RecordType) -> bool {
    zone.at(name).iter().any(|set| set.record_type == *record_type)
}

/// Longest string of a TXT. Source: RFC 1035 section 3.3.
const MAX_STRING: usize = 255;

/// True for one string or several in quotation marks, none too long; an escape counts as it is written.
fn is_quoted(text: &str) -> bool {
    let (mut is_open, mut is_escaped, mut length, mut strings) = (false, false, 0_usize, 0_usize);
    for character in text.chars() {
        match character {
            _ if is_escaped => {
                is_escaped = false;
                length += 1;
            }
            '\\' if is_open => is_escaped = true,
            '"' => {
                strings += usize::from(!is_open);
                is_open = !is_open;
                length = 0;
            }
            _ if is_open => length += 1,
            ' ' | '\t' => {}
            _ => return false,
        }
        if MAX_STRING < length {
            return false;
        }
    }
    !is_open && 0 < strings
}

/// JSON in which no character has to be escaped once more to be shown.
fn in_ascii(value: &Json) -> String {
    let mut out = String::new();
    for character in value.to_string().chars() {
        if character.is_ascii() && !character.is_ascii_control() {
            out.push(character);
        } else {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            out.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}

fn changes(delete: &[RecordSet], create: &[RecordSet]) -> Json {
    let one = |action: &str, set: &RecordSet| json!({ "Action": action, "ResourceRecordSet": raw(set) });
    let all: Vec<Json> = delete
        .iter()
        .map(|set| one("DELETE", set))
        .chain(create.iter().map(|set| one("CREATE", set)))
        .collect();
    json!({ "Comment": "suggested by dns-drift", "Changes": all })
}

fn raw(set: &RecordSet) -> Json {
    // The shape of the API, so that the batch can be given to the command as it is.
    serde_json::to_value(crate::recorded::decode::RawRecordSet::from(set)).unwrap_or(Json::Null)
}

/// The other family of the alias that stands where plain values are wanted, as long as nobody wants it.
fn former_halves<'a>(
    wants: &'a InstanceWants,
    want: &'a Want,
    zone: &'a ZoneReading,
) -> impl Iterator<Item = &'a RecordSet> {
    let here = || zone.at(&want.name).iter();
    let held = here().find(|set| want.is(&set.key())).and_then(|set| set.content.alias());
    let former = held.filter(|_| want.content.alias().is_none());
    here().filter(move |set| {
        !want.is(&set.key())
            && matches!(set.record_type, RecordType::A | RecordType::Aaaa)
            && set.set_identifier == want.set_identifier
            && former.is_some_and(|former| {
                set.content.alias().is_some_and(|one| one.bare_name() == former.bare_name())
            })
            && !wants.at(&want.name).iter().any(|other| other.is(&set.key()))
            && !is_held_by_another(&wants.instance, want, set, zone)
    })
}

/// True for the AAAA that goes with a wanted alias.
fn is_half(half: &Want, want: &Want) -> bool {
    half.companion
        && want.record_type == RecordType::A
        && half.set_identifier == want.set_identifier
        && half.placement == want.placement
}

/// True for the AAAA that goes with a wanted alias of a load balancer. An alias of a name in the same zone may
/// lack the family, and Route 53 would refuse the batch.
fn is_half_of(half: &Want, want: &Want) -> bool {
    is_half(half, want) && half.content.alias().is_some_and(|target| target.hosted_zone_id.is_some())
}

/// True for another wish at the name that has an obstacle in common with this one: the batch of whichever
/// comes first takes it away, and the other's would not find it any more.
fn is_kept_out_with(instance: &Instance, other: &Want, want: &Want, zone: &ZoneReading) -> bool {
    let keeps_out = |set: &&RecordSet| !other.is(&set.key()) && !want.is(&set.key());
    // An alias of a name in the same zone may lack the family.
    let has_family = || {
        let target = other.content.alias().map(|target| &target.dns_name);
        target.is_some_and(|target| holds(zone, target, &other.record_type))
    };
    let may_be_empty = other.companion && !is_half_of(other, want) && !has_family();
    let obstacles: Vec<&RecordSet> = in_the_way(instance, want, zone).filter(keeps_out).collect();
    !want.is(&other.key())
        && !may_be_empty
        && other.placement == want.placement
        && other.invalid.is_none()
        && other.conflict.is_none()
        && in_the_way(instance, other, zone).any(|set| obstacles.contains(&set))
}

/// Record sets at the name that cannot stand beside the wanted one and that it replaces, its present form
/// included. What has nothing to do with addresses and ownership is not ours to take away.
fn in_the_way<'a>(
    instance: &Instance,
    want: &Want,
    zone: &'a ZoneReading,
) -> impl Iterator<Item = &'a RecordSet> {
    let is_cname = |record_type: &RecordType| *record_type == RecordType::Cname;
    let blocks = move |set: &&RecordSet| {
        let other_type =
            set.record_type.is_address() && is_cname(&set.record_type) != is_cname(&want.record_type);
        let other_policy = set.record_type == want.record_type
            && set.set_identifier.is_none() != want.set_identifier.is_none();
        // The ownership of the former address, where the old format has no affix.
        let title = is_cname(&want.record_type) && is_title(set, instance, want);
        want.is(&set.key()) || other_type || other_policy || title
    };
    zone.at(&want.name)
        .iter()
        .filter(blocks)
        .filter(move |set| !is_held_by_another(instance, want, set, zone))
}

/// True if the ownership of a record at the wanted name tells another owner, or cannot be read.
fn is_held_by_another(instance: &Instance, want: &Want, set: &RecordSet, zone: &ZoneReading) -> bool {
    let of_set = || {
        let (record_type, set_identifier) = (set.record_type.clone(), set.set_identifier.clone());
        Want { record_type, set_identifier, content: set.content.clone(), ..want.clone() }
    };
    set.record_type.is_address()
        && instance.flags.shows_ownership()
        && matches!(ownership(instance, &of_set(), zone), Ownership::Foreign(_) | Ownership::Unknown)
}

/// True if Route 53 does not take both: a CNAME stands alone at its name, and the record sets of one name and
/// type are all simple or all follow one routing policy, each with a place of its own.
fn excludes(new: &RecordSet, set: &RecordSet) -> bool {
    if new.key() == set.key() {
        return true;
    }
    if new.record_type != set.record_type {
        return [new, set].iter().any(|one| one.record_type == RecordType::Cname);
    }
    match (&new.routing, &set.routing) {
        (Some(new), Some(old)) => discriminant(&**new) != discriminant(&**old) || is_one_place(new, old),
        (None | Some(_), None) | (None, Some(_)) => {
            new.set_identifier.is_none() != set.set_identifier.is_none()
        }
    }
}

/// True for two members that Route 53 could not tell apart.
fn is_one_place(new: &Routing, old: &Routing) -> bool {
    match new {
        Routing::Latency(_) | Routing::Failover(_) | Routing::Geolocation { .. } | Routing::Cidr(_) => {
            new == old
        }
        Routing::Weighted(_) | Routing::FailoverWord(_) | Routing::Geoproximity(_) | Routing::Multivalue => {
            false
        }
    }
}

/// What is left of an ownership record without the ownership; `None` where nothing else stands in it.
fn without_ownership(set: &RecordSet) -> Option<RecordSet> {
    let TxtRole::Heritage(_) = TxtRole::of(set) else { return None };
    let is_other = |value: &&Value| match value {
        Value::Text(text) => Heritage::parse(text).is_none(),
        Value::Ip(_) | Value::Host(_) | Value::Named(_) => true,
    };
    let others: Vec<Value> = set.content.plain_values().iter().filter(is_other).cloned().collect();
    let content = Content::values(set.content.ttl()?, others);
    (!content.plain_values().is_empty()).then(|| RecordSet { content, ..set.clone() })
}

/// A routing policy that Route 53 refuses. Source: Route 53 API, `ResourceRecordSet` (ranges and words), and the
/// Developer Guide, "Supported routing policies for records in a private hosted zone" and "Multivalue answer routing".
fn routing_defect(set: &RecordSet, zone: &ZoneReading) -> Option<&'static str> {
    if set.set_identifier.as_ref().is_some_and(|id| MAX_SET_IDENTIFIER < id.chars().count()) {
        return Some("Shorten the set-identifier: Route 53 takes 128 characters at most.");
    }
    match set.routing.as_deref()? {
        Routing::Weighted(weight) if !(0..=255).contains(weight) => {
            Some("Correct the weight in the object: Route 53 takes 0 to 255.")
        }
        Routing::FailoverWord(_) => {
            Some("Correct aws-failover in the object: Route 53 knows PRIMARY and SECONDARY, in capitals.")
        }
        Routing::Geolocation { country: None, subdivision: Some(_), .. } => {
            Some("Name the country of the subdivision in the object, too (aws-geolocation-country-code).")
        }
        Routing::Geoproximity(_) if zone.zone.private => {
            Some("Take another routing policy: a private zone has no geoproximity.")
        }
        Routing::Multivalue if set.content.alias().is_some() || set.record_type == RecordType::Cname => {
            Some("Take aws-multi-value-answer away: neither an alias nor a CNAME has several values to give.")
        }
        Routing::Weighted(_)
        | Routing::Latency(_)
        | Routing::Failover(_)
        | Routing::Geolocation { .. }
        | Routing::Geoproximity(_)
        | Routing::Cidr(_)
        | Routing::Multivalue => None,
    }
}

/// `CloudFront`'s own hosted zone, whose aliases no health is evaluated for and no private zone has. Source: Route 53
/// API, `AliasTarget`.
const CLOUDFRONT: &str = "Z2FDTNDATAQYW2";

fn is_cloudfront(target: &AliasTarget) -> bool {
    target.hosted_zone_id.as_ref().is_some_and(|id| id.as_str() == CLOUDFRONT)
}

fn wanted(want: &Want, zone: &ZoneReading) -> RecordSet {
    RecordSet {
        name: want.name.clone(),
        record_type: want.record_type.clone(),
        set_identifier: want.set_identifier.clone(),
        routing: want.routing.clone(),
        content: in_zone(&want.content, zone),
        health_check_id: want.health_check_id.clone(),
    }
}

/// An alias without a zone id lies in the record's own zone.
fn in_zone(content: &Content, zone: &ZoneReading) -> Content {
    match content {
        Content::Alias(target) if target.hosted_zone_id.is_none() => Content::Alias(Arc::new(AliasTarget {
            hosted_zone_id: Some(zone.zone.id.clone()),
            ..AliasTarget::clone(target)
        })),
        Content::Alias(target) if is_cloudfront(target) && target.evaluate_target_health => {
            Content::Alias(Arc::new(AliasTarget {
                evaluate_target_health: false,
                ..AliasTarget::clone(target)
            }))
        }
        other @ (Content::Alias(_) | Content::Values { .. } | Content::TrafficPolicy(_)) => other.clone(),
    }
}

/// The ownership records that the instance's release writes for a record.
fn heritage(instance: &Instance, want: &Want) -> Vec<RecordSet> {
    let is_added = want.companion && !does(instance.effective_version(), Behaviour::AliasBothFamilies);
    if is_added {
        return Vec::new();
    }
    let is_alias = want.content.alias().is_some();
    let mut texts = title_names(instance, want.name.as_str(), &want.record_type, is_alias);
    if instance.version.is_none() && is_alias && want.record_type == RecordType::A {
        // Nobody knows which of both the release reads.
        texts.push(instance.flags.affixes.txt_text(want.name.as_str(), Some(&RecordType::Cname)));
    }
    let is_legal = |text: &&String| text.split('.').all(|label| label.len() <= MAX_LABEL);
    let mut names: Vec<DomainName> =
        texts.iter().filter(is_legal).map(|text| DomainName::new(text)).collect();
    // Where the old format has no affix, its name is the record's own: beside a CNAME nothing may stand, and a
    // TXT stands there already.
    names.retain(|name| {
        *name != want.name || !matches!(want.record_type, RecordType::Cname | RecordType::Txt)
    });
    let resource = want.objects.first().map(resource).unwrap_or_default();
    let value = format!("\"heritage=external-dns,external-dns/owner={}{resource}\"", instance.flags.owner_id);
    names
        .into_iter()
        .map(|name| RecordSet {
            name,
            record_type: RecordType::Txt,
            set_identifier: want.set_identifier.clone(),
            routing: want.routing.clone(),
            content: Content::values(TXT_TTL, [Value::Text(value.as_str().into())]),
            health_check_id: want.health_check_id.clone(),
        })
        .collect()
}

/// The label of the object as the registry spells it.
fn resource(object: &ObjectRef) -> String {
    let word = object.registry_word();
    if object.namespace.is_empty() {
        return format!(",external-dns/resource={word}/{}", object.name);
    }
    format!(",external-dns/resource={word}/{}/{}", object.namespace, object.name)
}

fn is_of_another_owner(set: &RecordSet, owner: &str) -> bool {
    matches!(TxtRole::of(set), TxtRole::Heritage(heritage) if heritage.owner != Some(owner))
}

/// True if the set is the ownership of the wanted record under the instance's own owner id, in whichever
/// form and member, and nothing else.
fn is_title(set: &RecordSet, instance: &Instance, want: &Want) -> bool {
    set.record_type == RecordType::Txt
        && is_own(set, instance)
        && heritage_names(instance, &want.name, &want.record_type).contains(&set.name)
}

/// True if the set says that the instance owns something, and nothing else.
fn is_own(set: &RecordSet, instance: &Instance) -> bool {
    let TxtRole::Heritage(heritage) = TxtRole::of(set) else { return false };
    set.content.plain_values().len() == 1 && heritage.owner.is_some_and(|owner| instance.flags.owns(owner))
}

/// The instance's ownership of what stood at the name with routing where the wanted record is simple, or
/// without where it is routed: the TXTs of one name cannot be mixed either.
fn former_titles<'a>(
    instance: &'a Instance,
    want: &'a Want,
    zone: &'a ZoneReading,
) -> impl Iterator<Item = &'a RecordSet> {
    let names = heritage_names(instance, &want.name, &want.record_type);
    names.into_iter().flat_map(|name| zone.at(&name)).filter(|set| {
        set.set_identifier.is_none() != want.set_identifier.is_none() && is_title(set, instance, want)
    })
}

fn heritage_sets<'a>(
    instance: &'a Instance,
    want: &'a Want,
    zone: &'a ZoneReading,
) -> impl Iterator<Item = &'a RecordSet> {
    heritage_names(instance, &want.name, &want.record_type).into_iter().flat_map(move |name| {
        zone.at(&name)
            .iter()
            .filter(|set| set.record_type == RecordType::Txt && set.set_identifier == want.set_identifier)
            .collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ZONE, instance, want, wants, zone_reading};

    const HOST: &str = "app.example.com";
    const OURS: &str =
        "\"heritage=external-dns,external-dns/owner=owner,external-dns/resource=ingress/shop/web\"";
    const THEIRS: &str =
        "\"heritage=external-dns,external-dns/owner=other,external-dns/resource=ingress/shop/web\"";

    fn set(name: &str, record_type: RecordType, value: &str) -> RecordSet {
        RecordSet {
            name: DomainName::new(name),
            content: Content::values(300, [Value::new(&record_type, value)]),
            record_type,
            set_identifier: None,
            routing: None,
            health_check_id: None,
        }
    }

    fn member(set: RecordSet) -> RecordSet {
        let routing = Some(Box::new(Routing::Weighted(1)));
        RecordSet { set_identifier: Some("green".into()), routing, ..set }
    }

    /// What the batch of the first wish takes away and writes, and what would keep it out.
    fn batch(version: &str, asked: &[Want], sets: &[RecordSet]) -> (Vec<String>, Vec<String>, usize) {
        batch_with(&[], version, asked, sets)
    }

    fn batch_with(
        more: &[&str],
        version: &str,
        asked: &[Want],
        sets: &[RecordSet],
    ) -> (Vec<String>, Vec<String>, usize) {
        let args = [&["--registry=txt", "--txt-owner-id=owner"], more].concat();
        let wants = InstanceWants { instance: Arc::new(instance(&args, version)), ..wants(asked.to_vec()) };
        let zone = zone_reading(ZONE, "example.com", sets.to_vec());
        let batch = Batch::mending(&wants, &asked[0], &zone);
        let keys = |sets: &[RecordSet]| {
            let mut keys: Vec<String> = sets.iter().map(|set| set.key().to_string()).collect();
            keys.sort();
            keys
        };
        (keys(&batch.delete), keys(&batch.create), batch.obstacles(&zone).len())
    }

    #[test]
    fn the_ownership_of_a_routed_record_goes_with_it() {
        let a = [want(HOST, RecordType::A, "192.0.2.1")];
        let held = member(set(HOST, RecordType::A, "192.0.2.2"));
        let txt = |value| member(set("a-app.example.com", RecordType::Txt, value));
        let (gone, new, obstacles) = batch("v0.21.0", &a, &[held.clone(), txt(OURS)]);
        assert_eq!(gone, ["a-app.example.com/TXT#green", "app.example.com/A#green"]);
        assert_eq!((new.len(), obstacles), (2, 0), "{new:?}");
        // Another owner's is not ours to take, and ours cannot stand beside it.
        let (gone, _, obstacles) = batch("v0.21.0", &a, &[held, txt(THEIRS)]);
        assert_eq!((gone, obstacles), (Vec::new(), 2));
    }

    #[test]
    fn a_policy_that_route_53_refuses_is_told() {
        let zone = |private| {
            let mut zone = zone_reading("Z1", "example.com", Vec::new());
            zone.zone.private = private;
            zone
        };
        let check = |routing: Routing, record_type: RecordType, private: bool, word: &str| {
            let value = if record_type == RecordType::Cname { "lb.example.net" } else { "192.0.2.1" };
            let one = RecordSet {
                routing: Some(Box::new(routing.clone())),
                ..member(set(HOST, record_type, value))
            };
            let told = routing_defect(&one, &zone(private)).unwrap_or_default();
            assert!(told.contains(word) && told.is_empty() == word.is_empty(), "{routing:?}: {told}");
        };
        let state = |country: Option<&str>| Routing::Geolocation {
            continent: None,
            country: country.map(Into::into),
            subdivision: Some("NY".into()),
        };
        check(Routing::Weighted(256), RecordType::A, false, "0 to 255");
        check(Routing::Weighted(-1), RecordType::A, false, "0 to 255");
        check(Routing::Weighted(255), RecordType::A, false, "");
        check(Routing::FailoverWord("primary".into()), RecordType::A, false, "PRIMARY");
        check(Routing::Failover(false), RecordType::A, false, "");
        check(state(None), RecordType::A, false, "country");
        check(state(Some("US")), RecordType::A, false, "");
        check(Routing::Geoproximity("region=us-east-1;bias=0".into()), RecordType::A, true, "private");
        check(Routing::Geoproximity("region=us-east-1;bias=0".into()), RecordType::A, false, "");
        check(Routing::Multivalue, RecordType::Cname, false, "aws-multi-value-answer");
        check(Routing::Multivalue, RecordType::A, false, "");
    }

    #[test]
    fn the_record_of_another_owner_stays_whatever_its_type() {
        let held = set(HOST, RecordType::A, "192.0.2.2");
        let txt = set("a-app.example.com", RecordType::Txt, THEIRS);
        for (kind, value) in [(RecordType::A, "192.0.2.1"), (RecordType::Cname, "lb.example.net")] {
            let (gone, _, obstacles) =
                batch("v0.21.0", &[want(HOST, kind, value)], &[held.clone(), txt.clone()]);
            assert_eq!((gone, obstacles), (Vec::new(), 1));
        }
    }

    #[test]
    fn a_cname_ousts_the_ownership_under_its_own_name_and_nothing_else() {
        let cname = [want(HOST, RecordType::Cname, "lb.example.net")];
        let txt = |value| set(HOST, RecordType::Txt, value);
        let (gone, new, obstacles) = batch("v0.17.0", &cname, &[txt(OURS)]);
        assert_eq!((gone, obstacles), (vec!["app.example.com/TXT".into()], 0));
        assert_eq!(new, ["app.example.com/CNAME", "cname-app.example.com/TXT"]);
        let mail = set(HOST, RecordType::Mx, "10 mail.example.net");
        for other in [mail, txt("\"v=spf1 -all\""), txt(THEIRS)] {
            let (gone, _, obstacles) = batch("v0.17.0", &cname, std::slice::from_ref(&other));
            assert_eq!((gone, obstacles), (Vec::new(), 1), "{other:?}");
        }
    }

    #[test]
    fn a_text_made_by_hand_under_the_plain_name_stays() {
        let a = [want(HOST, RecordType::A, "192.0.2.1")];
        let spf = set(HOST, RecordType::Txt, "\"v=spf1 -all\"");
        let (gone, new, obstacles) = batch("v0.13.4", &a, std::slice::from_ref(&spf));
        assert_eq!((gone, obstacles), (Vec::new(), 0));
        assert_eq!(new, ["a-app.example.com/TXT", "app.example.com/A"]);
        // A release that writes both anew where one is missing would write over it.
        assert_eq!(batch("v0.17.0", &a, std::slice::from_ref(&spf)).2, 1);
        // Where no other name is written the record would be nobody's.
        assert_eq!(batch("v0.11.0", &a, &[spf]).2, 1);
        assert_eq!(batch("v0.21.0", &a, &[set("a-app.example.com", RecordType::Txt, "\"hello\"")]).2, 1);
    }

    #[test]
    fn only_what_the_release_writes_is_written() {
        let a = [want(HOST, RecordType::A, "192.0.2.1")];
        let written = |flag: &str| batch_with(&[flag], "v0.17.0", &a, &[]).1;
        assert_eq!(
            written("--txt-prefix=%{record_type}-edns."),
            ["a-edns.app.example.com/TXT", "app.example.com/A"]
        );
        assert_eq!(written("--txt-new-format-only"), ["a-app.example.com/TXT", "app.example.com/A"]);
    }

    #[test]
    fn what_route_53_would_refuse_again_is_not_printed() {
        let routed = |set: RecordSet, id: &str, routing: Routing| RecordSet {
            set_identifier: Some(id.into()),
            routing: Some(Box::new(routing)),
            ..set
        };
        let asked = |id: &str, routing: Routing| Want {
            set_identifier: Some(id.into()),
            routing: Some(Box::new(routing)),
            ..want(HOST, RecordType::A, "192.0.2.1")
        };
        let held = |routing| routed(set(HOST, RecordType::A, "192.0.2.2"), "blue", routing);
        let obstacles = |new, old| batch("v0.21.0", &[asked("green", new)], &[held(old)]).2;
        let region = |name: &str| Routing::Latency(name.into());
        assert_eq!(obstacles(region("eu-west-1"), region("eu-west-1")), 1);
        assert_eq!(obstacles(region("eu-west-1"), region("us-east-1")), 0);
        assert_eq!(obstacles(Routing::Failover(true), Routing::Failover(true)), 1);
        assert_eq!(obstacles(Routing::Weighted(1), Routing::Weighted(1)), 0);
        assert!(is_quoted("\"a\" \"b\\\"c\"") && !is_quoted("v=DMARC1") && !is_quoted("\"open"));
        let zone = zone_reading(ZONE, "example.com", Vec::new());
        for (length, is_printed) in [(255, true), (256, false)] {
            let text = set(HOST, RecordType::Txt, &format!("\"{}\"", "x".repeat(length)));
            let batch = Batch { create: vec![text], ..Batch::default() };
            assert_eq!(batch.into_fix("", &zone).change_batch.is_some(), is_printed);
        }
    }

    #[test]
    fn the_other_half_of_a_former_alias_goes_with_it() {
        let alias = |record_type: RecordType| RecordSet {
            content: Content::Alias(Arc::new(AliasTarget {
                dns_name: DomainName::new("lb-1.eu-west-1.elb.amazonaws.com"),
                hosted_zone_id: Some(ZoneId::new("Z32O12XQLNTSW2")),
                evaluate_target_health: true,
            })),
            ..set(HOST, record_type, "192.0.2.2")
        };
        let title = set("aaaa-app.example.com", RecordType::Txt, OURS);
        let held = [alias(RecordType::A), alias(RecordType::Aaaa), title];
        let (four, six) =
            (want(HOST, RecordType::A, "192.0.2.1"), want(HOST, RecordType::Aaaa, "2001:db8::1"));
        let (gone, _, obstacles) = batch("v0.21.0", std::slice::from_ref(&four), &held);
        assert_eq!(gone, ["aaaa-app.example.com/TXT", "app.example.com/A", "app.example.com/AAAA"]);
        assert_eq!(obstacles, 0);
        // Who still wants the family mends it alone.
        assert_eq!(batch("v0.21.0", &[four, six], &held).0, ["app.example.com/A"]);
    }

    #[test]
    fn a_text_beside_the_ownership_stays() {
        let texts = |values: &[&str]| RecordSet {
            content: Content::values(3600, values.iter().map(|text| Value::new(&RecordType::Txt, text))),
            ..set(HOST, RecordType::Txt, OURS)
        };
        let (held, mail) = (texts(&["\"v=spf1 -all\"", THEIRS]), texts(&["\"v=spf1 -all\""]));
        let gone = Batch::deleting([held.clone()]);
        assert_eq!((gone.delete, gone.create), (vec![held.clone()], vec![mail]));
        // The ownership of a right record is corrected beside it.
        let zone = zone_reading(
            ZONE,
            "example.com",
            vec![
                held.clone(),
                set(HOST, RecordType::A, "192.0.2.1"),
                set("a-app.example.com", RecordType::Txt, OURS),
            ],
        );
        let args = ["--registry=txt", "--txt-owner-id=owner"];
        let asked = want(HOST, RecordType::A, "192.0.2.1");
        let wants =
            InstanceWants { instance: Arc::new(instance(&args, "v0.17.0")), ..wants(vec![asked.clone()]) };
        let batch = Batch::owning(&wants, &asked, &zone);
        assert_eq!(batch.delete, [held]);
        let [written] = &*batch.create else { panic!("{batch:?}") };
        assert_eq!(written.content.plain_values().len(), 2);
        assert!(written.content.plain_values().contains(&Value::new(&RecordType::Txt, "\"v=spf1 -all\"")));
    }

    #[test]
    fn a_routing_policy_and_a_set_identifier_go_together() {
        let zone = zone_reading(ZONE, "example.com", Vec::new());
        let told = |set: RecordSet| {
            let batch = Batch { delete: Vec::new(), create: vec![set] };
            let fix = batch.into_fix("Write it.", &zone);
            (fix.summary, fix.change_batch.is_some())
        };
        let whole = member(set(HOST, RecordType::A, "192.0.2.1"));
        assert_eq!(told(whole.clone()), ("Write it.".to_owned(), true));
        let (summary, has_batch) = told(RecordSet { set_identifier: None, ..whole.clone() });
        assert!(summary.starts_with("Give the object a set-identifier") && !has_batch, "{summary}");
        let (summary, has_batch) = told(RecordSet { routing: None, ..whole });
        assert!(summary.starts_with("Give it a routing policy") && !has_batch, "{summary}");
    }

    #[test]
    fn a_command_is_whole_and_its_batch_is_json() {
        let name = |index: usize| format!("{index:060}.example.com");
        let sets =
            (0..60).map(|index| set(&name(index), RecordType::Txt, "\"it's \u{202e}\u{1f600}\u{7f}\""));
        let zone = zone_reading(ZONE, "example.com", Vec::new());
        let fix = Batch::deleting(sets).into_fix("Delete.", &zone);
        let (_, word) = fix.commands[0].split_once("--change-batch ").unwrap();
        let text = word.trim_matches('\'').replace("'\\''", "'");
        assert!(text.is_ascii());
        assert_eq!(serde_json::from_str::<Json>(&text).ok(), fix.change_batch);
    }

    #[test]
    fn both_families_come_when_the_cname_goes() {
        let (four, six) =
            (want(HOST, RecordType::A, "192.0.2.1"), want(HOST, RecordType::Aaaa, "2001:db8::1"));
        let held = set(HOST, RecordType::Cname, "old.example.net");
        for asked in [[four.clone(), six.clone()], [six.clone(), four.clone()]] {
            let (gone, new, _) = batch("v0.17.0", &asked, std::slice::from_ref(&held));
            assert_eq!(gone, ["app.example.com/CNAME"]);
            assert_eq!(
                new,
                [
                    "a-app.example.com/TXT",
                    "aaaa-app.example.com/TXT",
                    "app.example.com/A",
                    "app.example.com/AAAA",
                    "app.example.com/TXT"
                ]
            );
        }
        // Nothing in the way of both: each is mended alone.
        assert_eq!(batch("v0.21.0", &[four, six], &[]).1.len(), 2);
    }
}

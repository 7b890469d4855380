//! What was compared and found equal after a rule, or not compared by a rule: the silent reasons.
//! Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::compare::ladder::differences;
use crate::compare::leftovers::titled_as;
use crate::compare::live::{Match, addresses, asks, expected_of, judge, questions};
use crate::compare::mismatch::{empty_family, health_may_withdraw};
use crate::compare::owner::{Ownership, Title};
use crate::compare::texts::{Text, texts};
use crate::compare::verdict::{Candidate, Verdicts};
use crate::compare::wildcard::covering;
use crate::compare::world::{Wanted, World};
use crate::compare::wrong_zone::home;
use crate::desired::sources::roster::unmodelled;
use crate::finding::{Kind, Reason, SilentReason, Subject};
use crate::model::heritage::{Heritage, TxtRole};
use crate::model::instance::{Policy as Allowed, Registry};
use crate::model::observation::{Outcome, Vantage};
use crate::model::record::{Content, RecordKey, RecordSet, RecordType, Routing};
use crate::model::table::TableSet;
use crate::model::want::{InstanceWants, Unwanted, Want};
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, Version};
use crate::report::Silent;

/// Rows of one reason in one zone; a zone of ten thousand hand-made records must not fill a report.
const MAX_ROWS: usize = 200;

/// Lists everything that is quiet by a rule, beside [`about_wants`] and [`about_zone`].
pub fn list_silent(world: &World<'_>, out: &mut Verdicts) {
    for wants in world.wants {
        for row in wants.unwanted.iter().chain(&wants.notes) {
            out.silent.push(unwanted(row));
        }
        not_modelled(wants, out);
        covered_by_wildcard(world, wants, out);
    }
    split_horizon(world, out);
    about_views(world, out);
}

/// Lists what is quiet by a rule about some of what is wanted, which has been judged.
pub fn about_wants(world: &World<'_>, wanted: &[Wanted<'_>], out: &mut Verdicts) {
    for Wanted { wants, want, .. } in wanted {
        if let Some(zone) = want.zone_id().and_then(|id| world.zone(id)) {
            about_want(world, wants, want, home(world, wants, want, zone), out);
        }
    }
}

fn say(out: &mut Verdicts, subject: Subject, reason: SilentReason, detail: &str) {
    out.silent.push(Silent { subject, reason, detail: detail.to_owned() });
}

fn named(name: &DomainName, record_type: RecordType) -> Subject {
    Subject::Record(RecordKey { name: name.clone(), record_type, set_identifier: None })
}

fn unwanted(row: &Unwanted) -> Silent {
    let subject = match (&row.name, &row.object) {
        (Some(name), _) => named(name, RecordType::A),
        (None, Some(object)) => Subject::Object(object.clone()),
        (None, None) => Subject::Source(crate::snapshot::ViewName::Kubernetes),
    };
    let by = row.object.as_ref().map(|object| format!(" ({object})")).unwrap_or_default();
    Silent {
        subject,
        reason: row.reason,
        detail: format!("{}{by}", crate::model::text::printable(&row.detail)),
    }
}

/// The sources of an instance that are not computed.
fn not_modelled(wants: &InstanceWants, out: &mut Verdicts) {
    for source in unmodelled(&wants.instance) {
        let detail =
            format!("--source={source} is not modelled: what it wants is unknown, its records are let be");
        say(out, Subject::Instance(wants.instance.id.clone()), SilentReason::SourceNotWatched, &detail);
    }
}

/// A host that nobody wants, without a set of its own, that a wildcard answers.
fn covered_by_wildcard(world: &World<'_>, wants: &InstanceWants, out: &mut Verdicts) {
    let unwanted = wants.unwanted.iter().filter_map(|row| row.name.as_ref());
    // What an object gives that has no target is named by that.
    let is_free = |name: &&DomainName| world.wanted(name).next().is_none() && !world.may_be_given(name);
    for name in unwanted.filter(is_free) {
        for zone in world.zones_over(name) {
            if !covering(name, zone).is_empty() {
                say(
                    out,
                    named(name, RecordType::A),
                    SilentReason::WildcardCover,
                    "a wildcard of the zone answers",
                );
            }
        }
    }
}

fn about_want<'a>(
    world: &World<'a>,
    wants: &InstanceWants,
    want: &Want,
    zone: &'a ZoneReading,
    out: &mut Verdicts,
) {
    let here = world.here(wants, want, zone);
    let same = || here.iter().filter(|set| set.record_type == want.record_type);
    let is_routed = 1 < same().count();
    let found = same().find(|set| set.set_identifier == want.set_identifier);
    let is_withdrawal = |one: &Candidate| {
        one.key.kind == Kind::HealthWithdrawn && one.key.subject == Subject::Record(want.key())
    };
    let withdrawn = is_routed && out.candidates.iter().any(is_withdrawal);
    let mut note = |reason, detail: &str| say(out, Subject::Record(want.key()), reason, detail);
    let title = world.title(wants, want, zone);
    let strange = about_registry(wants, want, &title, &mut note);
    if let Some(set) = found {
        about_spelling(want, &mut note);
        about_content(want, set, &mut note);
        about_answers(world, want, zone, &mut note);
        let foreign = || matches!(title.ownership, Ownership::Foreign(_));
        let agrees = || differences(world, wants, want, zone).is_none();
        if strange && foreign() && agrees() {
            note(SilentReason::ForeignOwnerAgrees, "another owner holds the record");
        }
    }
    if is_routed {
        note(SilentReason::RoutingSibling, "other members of the routing set are not judged");
    }
    if is_routed || want.routing.is_some() {
        about_routing(want, &same().collect::<Vec<_>>(), withdrawn, &mut note);
    }
    if want.content.alias().is_some()
        && wants.instance.effective_version() < Version::new(0, 16, 0)
        && want.record_type == RecordType::A
    {
        note(SilentReason::DefaultAttribute, "this version writes no AAAA alias beside the A alias");
    }
}

/// True if an ownership record names somebody else.
fn about_registry(
    wants: &InstanceWants,
    want: &Want,
    title: &Title,
    note: &mut dyn FnMut(SilentReason, &str),
) -> bool {
    let flags = &wants.instance.flags;
    if flags.registry != Registry::Txt {
        note(SilentReason::RegistryElsewhere, "the registry keeps no TXT records");
        return false;
    }
    if flags.txt_encrypt {
        let why = if flags.untold.is_empty() {
            "ownership is encrypted"
        } else {
            "the object of the instance does not tell its owner id or its affixes"
        };
        note(SilentReason::RegistryOpaque, why);
        return false;
    }
    // Siblings of a routing set keep theirs under names of their own versions.
    if title.has_extra {
        note(
            SilentReason::RegistryExtraTxt,
            "older ownership records of the same owner stand beside the new one",
        );
    }
    if title.is_held && flags.affixes.maps(&want.name) {
        note(SilentReason::NameEquivalent, "the ownership record has a mapped name");
    }
    title.is_strange
}

/// The record was found although one side spells it otherwise than DNS compares it.
fn about_spelling(want: &Want, note: &mut dyn FnMut(SilentReason, &str)) {
    let detail = if want.respelled {
        "capitals, a trailing dot or Unicode letters make no other name"
    } else if want.name.is_wildcard() {
        "Route 53 spells the star \\052"
    } else {
        return;
    };
    note(SilentReason::NameEquivalent, detail);
}

fn about_content(want: &Want, set: &RecordSet, note: &mut dyn FnMut(SilentReason, &str)) {
    match (&want.content, &set.content) {
        (Content::Alias(wanted), Content::Alias(held)) => {
            if wanted.dns_name != held.dns_name && wanted.bare_name() == held.bare_name() {
                note(SilentReason::DualstackEquivalent, "the alias target carries the dualstack. prefix");
            }
            if want.demanded_health.is_none() && wanted.evaluate_target_health != held.evaluate_target_health
            {
                note(SilentReason::DefaultAttribute, "nobody demanded another EvaluateTargetHealth");
            }
            // Both are as a flag of the instance says, which is not what is usual.
            if want.demanded_health.is_none()
                && !wanted.evaluate_target_health
                && !held.evaluate_target_health
            {
                note(SilentReason::DefaultAttribute, "EvaluateTargetHealth is off by a flag of the instance");
            }
            if want.demanded_ttl.is_some() {
                note(SilentReason::AliasTtlIgnored, "an alias has no TTL of its own");
            }
        }
        (Content::Values { values: wanted, .. }, Content::Values { values: held, .. })
            if (1 < wanted.len() || want.repeated) && wanted == held =>
        {
            note(SilentReason::ValueOrder, "values are compared as a set");
        }
        _ => {}
    }
}

fn about_answers(
    world: &World<'_>,
    want: &Want,
    zone: &ZoneReading,
    note: &mut dyn FnMut(SilentReason, &str),
) {
    // Only the answers for host names are told about.
    let has_host = want.content.plain_values().iter().any(|value| value.host().is_some());
    if want.content.alias().is_none() && !has_host {
        return;
    }
    let expected = expected_of(world, want, Some(zone));
    let rotates = expected.rotating && want.invalid != Some(Reason::AliasOnIp);
    let seen = questions(world, &want.name);
    for answer in seen.into_iter().filter(|answer| asks(&answer.record_type, &want.record_type)) {
        let found = addresses(answer);
        let right = judge(answer, &expected) == Match::Right;
        if rotates && right && !found.is_empty() && found != expected.addresses {
            note(SilentReason::ElbRotation, "the addresses of a load balancer rotate; an overlap is right");
        }
        let empty = answer.outcome == Outcome::Nodata && answer.vantage == Vantage::Authoritative;
        if empty && empty_family(world, want, &expected) {
            let family = if want.record_type == RecordType::Aaaa { "IPv6" } else { "IPv4" };
            let detail = format!("the target of the {} alias has no {family} address", want.record_type);
            note(SilentReason::AliasFamilyNodata, &detail);
        }
    }
}

/// `withdrawn`: nobody serves, because health says so.
fn about_routing(
    want: &Want,
    same: &[&RecordSet],
    withdrawn: bool,
    note: &mut dyn FnMut(SilentReason, &str),
) {
    match want.routing.as_deref() {
        Some(Routing::Weighted(0)) => note(SilentReason::WeightZero, "a member of weight 0 is not served"),
        Some(Routing::Failover(false)) => note(SilentReason::FailoverStandby, "a standby is not served"),
        Some(
            Routing::Latency(_) | Routing::Geolocation { .. } | Routing::Geoproximity(_) | Routing::Cidr(_),
        ) => {
            note(SilentReason::RoutingView, "the answer depends on where one asks");
        }
        Some(Routing::Multivalue) => {
            if 8 < same.len() {
                note(SilentReason::MultivalueSubset, "at most eight values are answered at once");
            }
        }
        Some(Routing::Weighted(_) | Routing::Failover(true) | Routing::FailoverWord(_)) | None => {}
    }
    if 1 < same.len() && !withdrawn && health_may_withdraw(same) {
        note(SilentReason::HealthByDesign, "an unhealthy member is withdrawn while others serve");
    }
}

/// One name in a public and a private zone, each with its own wish.
fn split_horizon(world: &World<'_>, out: &mut Verdicts) {
    let mut zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    if !zones.any(|zone| zone.zone.private) {
        return;
    }
    let wants: Vec<&Want> = world.wants.iter().flat_map(|one| &one.wants).collect();
    let side = |want: &Want| want.zone_id().and_then(|id| world.zone(id)).map(|zone| zone.zone.private);
    let mut private: BTreeSet<&DomainName> =
        wants.iter().filter(|want| side(want) == Some(true)).map(|want| &want.name).collect();
    // Whoever fills the private zone: by hand, or from another cluster.
    let zones = world.zones().into_iter().flat_map(|zones| zones.zones.values());
    let records = zones.filter(|zone| zone.zone.private).flat_map(ZoneReading::records);
    private.extend(records.filter(|set| set.record_type.is_address()).map(|set| &set.name));
    for want in wants.iter().filter(|want| side(want) == Some(false) && private.contains(&want.name)) {
        say(
            out,
            Subject::Record(want.key()),
            SilentReason::SplitHorizon,
            "a private zone holds the same name",
        );
    }
}

fn about_views(world: &World<'_>, out: &mut Verdicts) {
    for answer in world.observations().filter(|answer| answer.vantage == Vantage::Recursive) {
        if world.policy.is_internal(&answer.view) {
            let detail = format!("view {} is internal and never judged", answer.view);
            say(out, named(&answer.name, RecordType::A), SilentReason::InternalResolver, &detail);
        }
    }
    for (id, facts) in &world.policy.zones {
        if facts.public_dns_fallback
            && let Some(zone) = world.zones().and_then(|zones| zones.zones.get(id))
        {
            let detail = "names that the private zone lacks are looked up in public DNS";
            say(out, Subject::Zone(zone.zone.name.clone()), SilentReason::PublicFallback, detail);
        }
    }
    resolver_faults(world, out);
}

/// A resolver whose control name fails says nothing about any other name.
fn resolver_faults(world: &World<'_>, out: &mut Verdicts) {
    let controls = world.observations().filter(|answer| answer.vantage == Vantage::Control);
    for control in controls.filter(|answer| answer.outcome != Outcome::Answer) {
        let detail = format!("the control name fails at {}: {}", control.server, control.outcome.as_str());
        say(out, named(&control.name, RecordType::A), SilentReason::ResolverFault, &detail);
    }
}

/// Lists what is quiet by a rule about a zone beside what is wanted in it.
pub fn about_zone<'a>(world: &World<'a>, zone: &'a ZoneReading, out: &mut Verdicts) {
    for text in world.suspects(zone) {
        for wants in
            world.wants.iter().filter(|one| text.heritage.owner == Some(&one.instance.flags.owner_id))
        {
            if let Some((name, _)) = wants.instance.flags.affixes.owner_name(&text.set.name) {
                about_leftover(world, wants, zone, &name, text.heritage, out);
            }
        }
    }
    let of_registry =
        |set: &RecordSet| set.record_type == RecordType::Txt && TxtRole::of(set) != TxtRole::Other;
    let is_apex = |set: &RecordSet| {
        set.name == zone.zone.name && matches!(set.record_type, RecordType::Ns | RecordType::Soa)
    };
    let mut unwanted = beside_wishes(world, zone).filter(|set| !is_apex(set) && !of_registry(set)).peekable();
    if unwanted.peek().is_none() {
        return;
    }
    let owned = titles(world, zone);
    let is_owned = |set: &RecordSet| {
        let titled = |kind: Option<&RecordType>| {
            (Cow::Borrowed(set.name.as_str()), kind.cloned(), set.set_identifier.as_deref())
        };
        titled_as(set).any(|kind| owned.contains(&titled(kind)))
    };
    for set in unwanted.filter(|set| !is_owned(set)).take(MAX_ROWS) {
        say(out, Subject::Record(set.key()), SilentReason::UnmanagedRecord, "nobody here owns or wants it");
    }
}

/// The record sets of a zone at whose names nothing is wanted. Both lie in the order of their names, and where those of
/// a wish lie is known: no name is read for it.
fn beside_wishes<'a>(world: &World<'a>, zone: &'a ZoneReading) -> impl Iterator<Item = &'a RecordSet> {
    let all: &[RecordSet] = zone.records();
    let mut wanted =
        world.wished_in(&zone.zone.id).iter().map(|one| one.here).filter(|here| !here.is_empty());
    let mut next = wanted.next();
    all.iter().filter(move |set| {
        // Several may want one name.
        while next.is_some_and(|here| {
            here.last().is_some_and(|last| std::ptr::from_ref(last) < std::ptr::from_ref(*set))
        }) {
            next = wanted.next();
        }
        next.and_then(<[RecordSet]>::first)
            .is_none_or(|first| std::ptr::from_ref(*set) < std::ptr::from_ref(first))
    })
}

/// What an ownership record speaks for: a name, its type (`None` for the name without one), and the set identifier.
type Titled<'a> = (Cow<'a, str>, Option<RecordType>, Option<&'a str>);

/// What is owned by ownership records that nobody here wants, in this zone and in those below of which this one keeps
/// the ownership.
fn titles<'a>(world: &World<'a>, zone: &'a ZoneReading) -> TableSet<Titled<'a>> {
    let affixes = || world.wants.iter().map(|one| &one.instance.flags.affixes);
    let lent = world.is_lender(zone).then(|| texts(zone)).into_iter().flatten();
    let texts = world.suspects(zone).chain(lent);
    let read = |text: Text<'a>| {
        let member = text.set.set_identifier.as_deref();
        let names = affixes().filter_map(move |one| one.owner_text(&text.set.name));
        names.map(move |(name, kind)| (name, kind, member))
    };
    texts.flat_map(read).collect()
}

/// Lists a name whose objects we do not read, or that a policy keeps.
fn about_leftover(
    world: &World<'_>,
    wants: &InstanceWants,
    zone: &ZoneReading,
    name: &DomainName,
    heritage: Heritage<'_>,
    out: &mut Verdicts,
) {
    if !wants.at(name).is_empty() {
        return;
    }
    let Some(object) = heritage.object() else { return };
    let watched = world.snapshot.kubernetes.value().is_some_and(|cluster| cluster.watches(&object.kind));
    let record_type =
        zone.at(name).iter().find(|set| set.record_type.is_address()).map(|set| set.record_type.clone());
    let subject = named(name, record_type.unwrap_or(RecordType::A));
    if let Some(why) = wants.unknown.first().filter(|_| watched) {
        say(out, subject, SilentReason::SourceNotWatched, &format!("the names are not all known: {why}"));
        return;
    }
    if !watched {
        say(
            out,
            subject,
            SilentReason::SourceNotWatched,
            &format!("objects of kind {} are not read", object.kind),
        );
        return;
    }
    if wants.instance.flags.policy != Allowed::Sync {
        say(out, subject, SilentReason::PolicyLeftover, "the policy of the instance never deletes");
    }
}

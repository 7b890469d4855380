//! What lets a record settle that ExternalDNS writes again in every loop. Pure.
//!
//! It compares what it wants with what it reads back, and some of what it wants is never read back, or in another
//! spelling. Source: facts of v0.22.0 with a second reconcile over what the first one wrote.

use crate::compare::fix::{annotations, edit, kubectl, log, operator};
use crate::compare::world::World;
use crate::desired::canonical::canonical_zone;
use crate::desired::endpoint::Endpoint;
use crate::desired::source::{SourceInput, read_object};
use crate::desired::submit::is_routing;
use crate::desired::versions::{Behaviour, does};
use crate::desired::wrap::RECORD_TYPE;
use crate::desired::{provider, zone_view};
use crate::model::instance::Instance;
use crate::model::record::RecordType;
use crate::model::text::printable;
use crate::model::want::{InstanceWants, Want};
use crate::model::{DomainName, ObjectRef, ZoneId};
use crate::report::Fix;

/// The properties that are read back as they were written, without what they all begin with.
const READ_BACK: [&str; 11] = [
    "evaluate-target-health",
    "failover",
    "geolocation-continent-code",
    "geolocation-country-code",
    "geolocation-subdivision-code",
    "geoproximity-bias",
    "geoproximity-coordinates",
    "geoproximity-local-zone-group",
    "geoproximity-region",
    "health-check-id",
    "region",
];

/// One thing that never settles: what to do, and the commands for it.
type Remedy = (String, Vec<String>);

/// What to do about all of it.
#[must_use]
pub fn settling(world: &World<'_>, wants: &InstanceWants, want: &Want) -> Fix {
    let mut remedies: Vec<Remedy> = of_migration(wants).into_iter().collect();
    let endpoints = endpoints(world, wants, want);
    for endpoint in &endpoints {
        let place = Place { world, wants, want, endpoint };
        remedies
            .extend(endpoint.properties.iter().filter_map(|(name, value)| place.of_property(name, value)));
        remedies.extend(place.of_targets());
    }
    if remedies.is_empty() {
        remedies.extend(of_release(want, &wants.instance));
    }
    if remedies.is_empty() {
        remedies
            .extend(endpoints.iter().find_map(|one| Place { world, wants, want, endpoint: one }.of_ttl()));
    }
    if remedies.is_empty() {
        let text = "Find out who writes it (CloudTrail names the principal) and what differs for ExternalDNS (its log \
                    at the level debug), or update ExternalDNS.";
        remedies.push((text.to_owned(), log(&wants.instance).into_iter().collect()));
    }
    let (texts, commands): (Vec<String>, Vec<Vec<String>>) = remedies.into_iter().unzip();
    let commands = each_once(commands.into_iter().flatten());
    Fix { summary: each_once(texts.into_iter()).join(" "), commands, ..Fix::default() }
}

/// Several objects may ask for the same thing.
fn each_once(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for one in all {
        if !out.contains(&one) {
            out.push(one);
        }
    }
    out
}

/// The flag takes every record over in every loop, whoever owns it by now.
fn of_migration(wants: &InstanceWants) -> Option<Remedy> {
    let owner = &wants.instance.flags.migrate_from_owner;
    let text = format!(
        "Take --migrate-from-txt-owner={} away once no ownership TXT names that owner any more: it makes ExternalDNS \
         write all its records in each loop.",
        printable(owner)
    );
    (!owner.is_empty()).then(|| (text, operator(wants).into_iter().collect()))
}

/// Up to v0.15.1 each alias is read back as type A. Source: kubernetes-sigs/external-dns#4897.
fn of_release(want: &Want, instance: &Instance) -> Option<Remedy> {
    let is_misread = want.record_type == RecordType::Aaaa
        && want.content.alias().is_some()
        && !does(instance.effective_version(), Behaviour::AliasBothFamilies);
    let text = "Update ExternalDNS: this release reads the AAAA alias back as type A.";
    is_misread.then(|| (text.to_owned(), Vec::new()))
}

/// What the objects of the record ask for, as the provider gets it.
fn endpoints(world: &World<'_>, wants: &InstanceWants, want: &Want) -> Vec<Endpoint> {
    let Some(cluster) = world.snapshot.kubernetes.value() else { return Vec::new() };
    let input = SourceInput { objects: &cluster.objects, instance: &wants.instance, now: world.at() };
    let objects = want.objects.iter().filter_map(|object| cluster.objects.get(object));
    let found = objects.flat_map(|object| read_object(object, &input).endpoints).collect();
    let is_own = |endpoint: &Endpoint| {
        DomainName::new(&endpoint.name) == want.name
            && endpoint.record_type == want.record_type
            && endpoint.set_identifier == want.set_identifier
    };
    provider(found, &wants.instance).into_iter().filter(is_own).collect()
}

struct Place<'a> {
    world: &'a World<'a>,
    wants: &'a InstanceWants,
    want: &'a Want,
    endpoint: &'a Endpoint,
}

impl Place<'_> {
    fn of_property(&self, name: &str, value: &str) -> Option<Remedy> {
        let Some(word) = name.strip_prefix("aws/") else {
            return (name != "alias").then(|| self.of_other(name));
        };
        let instance = &self.wants.instance;
        let counts_alone = does(instance.effective_version(), Behaviour::RoutingAlone);
        if is_routing(name) && self.endpoint.set_identifier.is_none() && !counts_alone {
            let what = self.called(name);
            let text = format!(
                "Take {what} away, or give the object a set-identifier: without one it does nothing here."
            );
            return Some((text, self.without(name)));
        }
        match word {
            "weight" => self.of_weight(name, value),
            "multi-value-answer" => (!value.is_empty()).then(|| {
                let text =
                    format!("Leave the value of {} empty: any other means the same.", self.called(name));
                (text, self.with(name, ""))
            }),
            "target-hosted-zone" => Some(self.of_target_zone(name, value)),
            "hosted-zone-id" => Some(self.of_pin(name, value)),
            known if READ_BACK.contains(&known) => None,
            _ => {
                let text = format!(
                    "Correct {} or take it away: ExternalDNS knows none of that name.",
                    self.called(name)
                );
                Some((text, self.without(name)))
            }
        }
    }

    /// A property that belongs to no provider.
    fn of_other(&self, name: &str) -> Remedy {
        let what = self.called(name);
        let text = if name == RECORD_TYPE {
            format!("Take {what} away: it asks for a PTR record, and this ExternalDNS writes none.")
        } else {
            format!("Correct {what} or take it away: ExternalDNS knows none of that name.")
        };
        (text, self.without(name))
    }

    /// It is read back as a number.
    fn of_weight(&self, name: &str, value: &str) -> Option<Remedy> {
        let (what, shown) = (self.called(name), printable(value));
        let Ok(number) = value.parse::<i64>() else {
            let text =
                format!("Write the weight that is meant into {what}: {shown} is no number and counts as 0.");
            return Some((text, vec![edit(&self.endpoint.object)]));
        };
        let plain = number.to_string();
        (plain != value).then(|| {
            (format!("Write {plain} into {what}: {shown} is read back like that."), self.with(name, &plain))
        })
    }

    /// The zone of an alias is never read back; most targets do not need it said.
    fn of_target_zone(&self, name: &str, value: &str) -> Remedy {
        let what = self.called(name);
        let given = Some(ZoneId::new(value));
        let is_needed = self.want.content.alias().is_some_and(|alias| {
            let own = self.want.zone_id().cloned();
            let version = self.wants.instance.effective_version();
            canonical_zone(alias.dns_name.as_str(), version).or(own) != given
        });
        if is_needed {
            let text = format!(
                "The alias needs {what}, which ExternalDNS does not read back: let the writes be, they cost API \
                 requests only, or let a CNAME take the place of the alias."
            );
            return (text, Vec::new());
        }
        (format!("Take {what} away: the record is the same without it."), self.without(name))
    }

    /// A pin is never read back; without it the record may go into further zones.
    fn of_pin(&self, name: &str, value: &str) -> Remedy {
        let (what, instance) = (self.called(name), &self.wants.instance);
        if !does(instance.effective_version(), Behaviour::ZonePin) {
            let text = format!("Take {what} away: this release does not heed it (v0.22.0 or later do).");
            return (text, self.without(name));
        }
        let view = zone_view(self.world.zones(), instance);
        let fitting = view.map(|(_, view)| view.suitable(&self.want.name)).unwrap_or_default();
        let pin = ZoneId::new(value);
        let others: Vec<&str> = fitting.iter().filter(|id| **id != pin).map(ZoneId::as_str).collect();
        if others.is_empty() && !fitting.is_empty() {
            return (
                format!("Take {what} away: zone {pin} alone takes the host anyway."),
                self.without(name),
            );
        }
        let elsewhere = if others.is_empty() { "other zones".to_owned() } else { others.join(", ") };
        let text = format!(
            "Without {what} the record would be written into {elsewhere}, and ExternalDNS does not read it back: let \
             the writes be, they cost API requests only, or keep the other zones out with --zone-id-filter and take it away."
        );
        (text, Vec::new())
    }

    fn of_targets(&self) -> Option<Remedy> {
        let object = &self.endpoint.object;
        let targets = &self.endpoint.targets;
        if self.want.content.alias().is_some() && 1 < targets.len() {
            let text = "Let the object have one target: an alias leads to the first one only.";
            return Some((text.to_owned(), vec![edit(object)]));
        }
        let is_dotted = targets.iter().any(|target| target.ends_with('.'));
        (self.endpoint.record_type == RecordType::Cname && is_dotted)
            .then(|| ("Write the target without the dot at its end.".to_owned(), vec![edit(object)]))
    }

    /// An alias has none; old releases miss it each time.
    fn of_ttl(&self) -> Option<Remedy> {
        let commands = self.without("ttl");
        let is_given =
            self.want.content.alias().is_some() && self.endpoint.ttl.is_some() && !commands.is_empty();
        is_given.then(|| {
            (
                "Take the annotation ttl away, since an alias has none, or update ExternalDNS.".to_owned(),
                commands,
            )
        })
    }

    /// The property as the object has it: an annotation, or the property itself.
    fn called(&self, property: &str) -> String {
        if is_literal(&self.endpoint.object) {
            return format!("the property {}", printable(property));
        }
        format!("the annotation {}", printable(&word(property)))
    }

    /// Takes it away.
    fn without(&self, property: &str) -> Vec<String> {
        self.lines(property, kubectl::unannotate)
    }

    /// Gives it another value.
    fn with(&self, property: &str, value: &str) -> Vec<String> {
        self.lines(property, |object, key| kubectl::reannotate(object, key, value))
    }

    fn lines(&self, property: &str, line: impl Fn(&ObjectRef, &str) -> String) -> Vec<String> {
        let object = &self.endpoint.object;
        if is_literal(object) {
            return vec![edit(object)];
        }
        let keys = annotations(self.world, self.wants, object, &word(property));
        keys.iter().map(|key| line(object, key)).collect()
    }
}

/// A kind whose properties are written out.
fn is_literal(object: &ObjectRef) -> bool {
    &*object.kind == "DNSEndpoint"
}

/// The annotation that becomes a property.
fn word(property: &str) -> String {
    property.replacen('/', "-", 1)
}

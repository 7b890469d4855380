//! What ExternalDNS does to the endpoints of all sources before the provider sees them. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/wrappers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::desired::endpoint::{Endpoint, Origin, suitable_type};
use crate::desired::versions::{Behaviour, does};
use crate::model::instance::{Flags, Instance};
use crate::model::table::Table;
use crate::model::{ObjectRef, RecordType, Version};

/// Targets of one network: address and length of its prefix.
type Net = (IpAddr, u8);

/// Applies the wrappers in ExternalDNS' order.
#[must_use]
pub fn wrap(endpoints: Vec<Endpoint>, instance: &Instance) -> Vec<Endpoint> {
    let (flags, version) = (&instance.flags, instance.effective_version());
    let given = endpoints.into_iter().flat_map(|one| default_targets(one, flags, version));
    let mut out: Vec<Endpoint> = each_once(given).into_iter().map(|one| validated(one, version)).collect();
    let extra: Vec<Endpoint> = out.iter().filter_map(|one| nat64(one, flags)).collect();
    out.extend(extra);
    let mut out: Vec<Endpoint> = out.into_iter().filter_map(|one| filter_targets(one, flags)).collect();
    if does(version, Behaviour::Ptr) && flags.managed_types.contains(&RecordType::Ptr) {
        let pointers = pointers(&out, flags);
        for one in &mut out {
            one.properties.remove(RECORD_TYPE);
        }
        out.extend(pointers);
    }
    out.into_iter().map(|one| finished(one, flags)).collect()
}

/// Leaves out what an object asks for twice; the first of each stays, in the order given.
fn each_once(endpoints: impl Iterator<Item = Endpoint>) -> Vec<Endpoint> {
    let mut out: Vec<Endpoint> = Vec::new();
    // The few endpoints of one name and object are compared in full.
    let mut places: Table<(String, ObjectRef), Vec<usize>> = Table::default();
    for endpoint in endpoints {
        let places = places.entry((endpoint.name.clone(), endpoint.object.clone())).or_default();
        let known = places.iter().filter_map(|place| out.get(*place)).any(|known| {
            known.record_type == endpoint.record_type
                && known.set_identifier == endpoint.set_identifier
                && known.targets == endpoint.targets
                && known.properties == endpoint.properties
        });
        if !known {
            places.push(out.len());
            out.push(endpoint);
        }
    }
    out
}

/// The property of the annotation that asks for PTR records.
pub const RECORD_TYPE: &str = "record-type";

fn default_targets(mut endpoint: Endpoint, flags: &Flags, version: Version) -> Vec<Endpoint> {
    let given = &flags.default_targets;
    let force = flags.force_default_targets || !does(version, Behaviour::DefaultTargetsFillIn);
    if given.is_empty() || !(force || endpoint.targets.is_empty()) {
        return vec![endpoint];
    }
    endpoint.origin.claims.clear();
    endpoint.origin.from_dns = false;
    if !does(version, Behaviour::DefaultTargetsTyped) {
        endpoint.targets.clone_from(given);
        return vec![endpoint];
    }
    [RecordType::A, RecordType::Aaaa, RecordType::Cname]
        .into_iter()
        .filter_map(|record_type| {
            let fits = |target: &&String| suitable_type(target, version) == record_type;
            let targets: Vec<String> = given.iter().filter(fits).cloned().collect();
            (!targets.is_empty()).then(|| Endpoint { record_type, targets, ..endpoint.clone() })
        })
        .collect()
}

fn validated(mut endpoint: Endpoint, version: Version) -> Endpoint {
    if does(version, Behaviour::Validation) && !endpoint.origin.from_dns && !is_valid(&endpoint) {
        endpoint.origin.dropped = true;
    }
    endpoint
}

fn is_valid(endpoint: &Endpoint) -> bool {
    let alias = endpoint.alias() == Some("true");
    let addressed = |ok: fn(&IpAddr) -> bool| {
        alias || endpoint.targets.iter().all(|target| target.parse().is_ok_and(|ip| ok(&ip)))
    };
    let lookup = |target: &String, fields: usize| target.split_whitespace().count() == fields;
    let number = |target: &String, count: usize| {
        target.split_whitespace().take(count).all(|field| field.parse::<u16>().is_ok())
    };
    match endpoint.record_type {
        RecordType::A => addressed(IpAddr::is_ipv4),
        RecordType::Aaaa => addressed(IpAddr::is_ipv6),
        RecordType::Cname => true,
        RecordType::Mx => !alias && endpoint.targets.iter().all(|one| lookup(one, 2) && number(one, 1)),
        RecordType::Srv => {
            let legal = |one: &String| lookup(one, 4) && number(one, 3) && one.ends_with('.');
            !alias && endpoint.targets.iter().all(legal)
        }
        RecordType::Txt
        | RecordType::Ns
        | RecordType::Soa
        | RecordType::Ds
        | RecordType::Ptr
        | RecordType::Naptr
        | RecordType::Caa
        | RecordType::Other(_) => !alias,
    }
}

/// The A beside an AAAA whose addresses stand for IPv4 ones.
fn nat64(endpoint: &Endpoint, flags: &Flags) -> Option<Endpoint> {
    if endpoint.record_type != RecordType::Aaaa || flags.details.nat64_networks.is_empty() {
        return None;
    }
    let nets: Vec<Net> = flags.details.nat64_networks.iter().filter_map(|text| net(text)).collect();
    let targets: Vec<String> = endpoint
        .targets
        .iter()
        .filter_map(|target| {
            let ip: IpAddr = target.parse().ok()?;
            nets.iter().any(|net| within(ip, *net)).then(|| embedded(ip))?
        })
        .map(|ip| ip.to_string())
        .collect();
    (!targets.is_empty()).then(|| Endpoint { record_type: RecordType::A, targets, ..endpoint.clone() })
}

/// The IPv4 address in the last 32 bits. Source: RFC 6052 section 2.2, prefix of 96 bits.
fn embedded(ip: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(ip) = ip else { return None };
    let [.., a, b, c, d] = ip.octets();
    Some(Ipv4Addr::new(a, b, c, d))
}

/// By address; a host name passes the exclusion and not the list. `None` when nothing is left.
fn filter_targets(mut endpoint: Endpoint, flags: &Flags) -> Option<Endpoint> {
    // Each value is one network; a list in one value is none, and passed over.
    let nets = |list: &[String]| -> Vec<Net> { list.iter().filter_map(|text| net(text)).collect() };
    let (included, excluded) = (nets(&flags.target_net_filter), nets(&flags.exclude_target_net));
    if endpoint.origin.from_dns || (included.is_empty() && excluded.is_empty()) {
        return Some(endpoint);
    }
    let passes = |target: &str| match target.parse::<IpAddr>() {
        Ok(ip) => {
            (included.is_empty() || included.iter().any(|net| within(ip, *net)))
                && !excluded.iter().any(|net| within(ip, *net))
        }
        Err(_not_an_address) => included.is_empty(),
    };
    endpoint.targets.retain(|target| passes(target));
    for (_, targets) in &mut endpoint.origin.claims {
        targets.retain(|target| passes(target));
    }
    (!endpoint.targets.is_empty()).then_some(endpoint)
}

fn net(text: &str) -> Option<Net> {
    let (address, length) = text.split_once('/')?;
    let ip: IpAddr = address.trim().parse().ok()?;
    let length: u8 = length.trim().parse().ok()?;
    (length <= if ip.is_ipv4() { 32 } else { 128 }).then_some((ip, length))
}

fn within(ip: IpAddr, (net, length): Net) -> bool {
    let bits = |ip: IpAddr| -> (u128, u32) {
        match ip {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), 32),
            IpAddr::V6(ip) => (ip.to_bits(), 128),
        }
    };
    let ((left, width), (right, other)) = (bits(ip), bits(net));
    let host_bits = width.saturating_sub(u32::from(length));
    width == other && left.checked_shr(host_bits).unwrap_or(0) == right.checked_shr(host_bits).unwrap_or(0)
}

/// The PTR records of all addresses: one for each, which leads to every name that has it, with the lowest TTL.
///
/// Source: kubernetes-sigs/external-dns:source/wrappers/ptr.go (`generatePTREndpoints`).
fn pointers(endpoints: &[Endpoint], flags: &Flags) -> Vec<Endpoint> {
    let mut by_address: BTreeMap<IpAddr, Endpoint> = BTreeMap::new();
    for endpoint in endpoints.iter().filter(|one| asks_for_pointer(one, flags)) {
        let addresses: BTreeSet<IpAddr> =
            endpoint.targets.iter().filter_map(|one| one.parse().ok()).collect();
        for ip in addresses {
            let pointer = by_address.entry(ip).or_insert_with(|| Endpoint {
                name: reverse(ip),
                record_type: RecordType::Ptr,
                targets: Vec::new(),
                ttl: None,
                set_identifier: None,
                properties: BTreeMap::new(),
                object: endpoint.object.clone(),
                origin: Origin { unlabelled: true, ..Origin::default() },
            });
            pointer.ttl = pointer.ttl.into_iter().chain(endpoint.ttl).min();
            if !pointer.targets.contains(&endpoint.name) {
                pointer.targets.push(endpoint.name.clone());
            }
        }
    }
    let sorted = by_address.into_values().map(|mut pointer| {
        pointer.targets.sort();
        pointer
    });
    sorted.collect()
}

/// By its annotation, which takes it out with any other word; else by the flag.
fn asks_for_pointer(endpoint: &Endpoint, flags: &Flags) -> bool {
    let asked = match endpoint.properties.get(RECORD_TYPE) {
        Some(word) => word.eq_ignore_ascii_case("ptr"),
        None => flags.details.create_ptr,
    };
    asked
        && endpoint.record_type.is_address()
        && endpoint.alias() != Some("true")
        && !endpoint.name.starts_with('*')
}

/// Source: RFC 1035 section 3.5, RFC 3596 section 2.5.
fn reverse(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => reverse6(ip),
    }
}

fn reverse6(ip: Ipv6Addr) -> String {
    let nibbles = ip.octets().into_iter().rev().flat_map(|byte| [byte & 0xf, byte >> 4]);
    let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
    format!("{}.ip6.arpa", labels.join("."))
}

fn finished(mut endpoint: Endpoint, flags: &Flags) -> Endpoint {
    let minimum = u32::try_from(flags.min_ttl.as_secs()).ok().filter(|seconds| *seconds != 0);
    endpoint.ttl = endpoint.ttl.or(minimum);
    endpoint.properties.retain(|name, _| name.starts_with("aws/") || !name.contains('/'));
    if flags.prefer_alias && endpoint.record_type == RecordType::Cname && endpoint.alias().is_none() {
        endpoint.properties.insert("alias".to_owned(), "true".to_owned());
    }
    endpoint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let check = |ip: &str, text: &str, expected: bool| {
            let found = net(text).is_some_and(|net| within(ip.parse().expect("address"), net));
            assert_eq!(found, expected, "{ip} {text}");
        };
        check("203.0.113.10", "203.0.113.0/24", true);
        check("203.0.114.10", "203.0.113.0/24", false);
        check("203.0.114.10", "0.0.0.0/0", true);
        check("2001:db8::1", "2001:db8::/32", true);
        check("2001:db8::1", "::/0", true);
        check("2001:db8::1", "0.0.0.0/0", false);
        check("203.0.113.10", "203.0.113.10/33", false);
        check("203.0.113.10", "nonsense", false);
    }

    #[test]
    fn reverse_names() {
        let of = |text: &str| reverse(text.parse().expect("address"));
        assert_eq!(of("203.0.113.10"), "10.113.0.203.in-addr.arpa");
        let long = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(of("2001:db8::1"), long);
    }

    #[test]
    fn an_address_of_nat64_is_found() {
        let ip = embedded("64:ff9b::203.0.113.10".parse().expect("address"));
        assert_eq!(ip, Some(Ipv4Addr::new(203, 0, 113, 10)));
    }
}

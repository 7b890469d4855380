//! Lines for a terminal that show each view of a name, so that nobody has to believe us. Pure.

use crate::compare::fix::quote;
use crate::compare::world::World;
use crate::model::observation::Vantage;
use crate::model::zone::ZoneReading;
use crate::model::{DomainName, RecordType};

/// Resolvers that are named; a person tries two or three.
const MAX_RESOLVERS: usize = 3;

/// One `dig` for each place where the name can be looked at, and the listing of the record.
#[must_use]
pub fn checks(
    world: &World<'_>,
    name: &DomainName,
    record_type: &RecordType,
    zone: Option<&ZoneReading>,
) -> Vec<String> {
    if name.defect().is_some() {
        // No tool takes such a name.
        return Vec::new();
    }
    // A made-up label shows what a wildcard answers; the star itself does not.
    let asked = match name.as_str().strip_prefix("*.") {
        Some(rest) => format!("any-label.{rest}"),
        None => name.to_string(),
    };
    let asked = quote(&asked);
    let mut out = Vec::new();
    if let Some(zone) = zone {
        if !zone.zone.private
            && let Some(server) = zone.zone.delegation_set.first()
        {
            out.push(format!("dig +norecurse {asked} {record_type} {}", at(server.as_str())));
        }
        out.push(format!(
            "aws route53 list-resource-record-sets --hosted-zone-id {} --start-record-name {} --max-items 5",
            zone.zone.id,
            quote(name.as_str())
        ));
    }
    let resolvers = resolvers(world, name);
    if resolvers.is_empty() && zone.is_none_or(|zone| !zone.zone.private) {
        out.push(format!("dig {asked} {record_type}"));
    }
    out.extend(resolvers.iter().map(|server| format!("dig {asked} {record_type} {}", at(server))));
    out
}

/// A server as `dig` wants it, of the forms in which we name servers: a port of its own, TLS, HTTPS.
fn at(server: &str) -> String {
    let port = |text: &str, usual: &str, more: &str| {
        let split = text.rsplit_once(':').filter(|(host, port)| {
            port.parse::<u16>().is_ok() && (host.ends_with(']') || !host.contains(':'))
        });
        let (host, port) = split.unwrap_or((text, usual));
        let port = if port == usual { String::new() } else { format!(" -p {port}") };
        format!("@{}{port}{more}", quote(host.trim_start_matches('[').trim_end_matches(']')))
    };
    if let Some(rest) = server.strip_prefix("tls://") {
        let (address, name) = rest.split_once('#').unwrap_or((rest, ""));
        let name = if name.is_empty() { String::new() } else { format!(" +tls-hostname={}", quote(name)) };
        return port(address, "853", &format!(" +tls{name}"));
    }
    if let Some(rest) = server.strip_prefix("https://") {
        let (host, path) = rest.split_once('/').unwrap_or((rest, "dns-query"));
        return port(host, "443", &format!(" +https={}", quote(&format!("/{path}"))));
    }
    port(server, "53", "")
}

fn resolvers(world: &World<'_>, name: &DomainName) -> Vec<String> {
    let seen = world.told(name);
    let recursive = seen.filter(|answer| answer.vantage == Vantage::Recursive);
    let mut servers: Vec<String> = recursive.map(|answer| answer.server.to_string()).collect();
    servers.sort();
    servers.dedup();
    servers.truncate(MAX_RESOLVERS);
    servers
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn a_server_is_asked_as_it_was() {
        let check = |server: &str, expected: &str| assert_eq!(at(server), expected);
        check("ns-1.awsdns-01.com", "@ns-1.awsdns-01.com");
        check("1.1.1.1", "@1.1.1.1");
        check("192.0.2.53:5353", "@192.0.2.53 -p 5353");
        check("2001:db8::53", "@2001:db8::53");
        check("[2001:db8::53]:5353", "@2001:db8::53 -p 5353");
        check("tls://1.1.1.1:853", "@1.1.1.1 +tls");
        check("tls://1.1.1.1:8853#one.one.one.one", "@1.1.1.1 -p 8853 +tls +tls-hostname=one.one.one.one");
        check("https://dns.google/dns-query", "@dns.google +https=/dns-query");
        check("https://dns.example.net:8443/q", "@dns.example.net -p 8443 +https=/q");
    }
}

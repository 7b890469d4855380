//! Which hosted zones there are, and what stands in them that no ExternalDNS wrote.

use dns_drift::emulator::zones::RecordSet;

use super::{Builder, Zone};

/// Every so many public zones there is a private one beside them.
const PUBLIC_OF_A_PRIVATE: usize = 10;

/// Hand-made records of a zone.
const BY_HAND: usize = 12;

/// The zones, the indices of the public ones that hosts go to, and those of the private ones.
///
/// The second public zone is a child of the first, delegated there as it should be; the first private
/// zone is the inner side of a public name.
pub(super) fn lay_out(public: usize) -> (Vec<Zone>, Vec<usize>, Vec<usize>) {
    let mut zones: Vec<Zone> = (0..public)
        .map(|number| match number {
            1 => zone(number, "dev.z0.example.com", false),
            _ => zone(number, &format!("z{number}.example.com"), false),
        })
        .collect();
    let delegation = zones.get(1).map(|child| {
        let servers: Vec<&str> = child.servers.iter().map(String::as_str).collect();
        RecordSet::simple(&child.name, "NS", 172_800, &servers)
    });
    zones[0].sets.extend(delegation);
    for number in 0..public.div_ceil(PUBLIC_OF_A_PRIVATE) {
        let name = if number == 0 { "z0.example.com".to_owned() } else { format!("p{number}.internal") };
        zones.push(zone(public + number, &name, true));
    }
    let all = zones.len();
    (zones, (0..public).collect(), (public..all).collect())
}

fn zone(number: usize, name: &str, private: bool) -> Zone {
    let servers = ["com", "net", "org", "co.uk"].iter().enumerate();
    let servers =
        servers.map(|(part, domain)| format!("ns-{}.awsdns-{number:02}.{domain}", part * 512 + number));
    Zone {
        id: format!("Z{number:012}"),
        name: name.to_owned(),
        private,
        servers: if private { Vec::new() } else { servers.collect() },
        sets: Vec::new(),
    }
}

impl Builder {
    /// A further zone, for what is wrong with a zone as a whole.
    pub(super) fn add_zone(&mut self, name: &str) -> usize {
        let number = self.world.zones.len();
        self.world.zones.push(zone(number, name, false));
        number
    }

    /// Mail, proofs, delegations and addresses that people made: nobody may judge them.
    pub(super) fn add_unmanaged(&mut self) {
        for index in 0..self.world.zones.len() {
            let name = self.world.zones[index].name.clone();
            let set = |label: &str, kind: &str, values: &[&str]| {
                let name = if label.is_empty() { name.clone() } else { format!("{label}.{name}") };
                RecordSet::simple(&name, kind, 3600, values)
            };
            let mut sets = vec![
                set("", "MX", &["10 mx1.mail.example.net.", "20 mx2.mail.example.net."]),
                set(
                    "",
                    "TXT",
                    &["\"v=spf1 include:_spf.mail.example.net -all\"", "\"site-verification=1f4\""],
                ),
                set("_dmarc", "TXT", &["\"v=DMARC1; p=reject\""]),
                set("s1._domainkey", "TXT", &["\"v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0B\""]),
                set("_4c1f", "CNAME", &["_9e.acm-validations.example.net."]),
                set("legacy", "NS", &["ns1.legacy.example.net.", "ns2.legacy.example.net."]),
                set("_sip._tcp", "SRV", &["10 60 5060 sip.mail.example.net."]),
            ];
            for number in 0..BY_HAND {
                let address = self.address();
                sets.push(set(&format!("host{number}"), "A", &[&address]));
            }
            self.put(index, sets);
        }
    }
}

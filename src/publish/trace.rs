//! What each vantage point answers for one name, in the manner of `dig`.

use std::sync::Arc;

use std::collections::BTreeSet;

use crate::model::DomainName;
use crate::model::observation::{AnswerRecord, Observation, Transport, Vantage};
use crate::model::text::printable;
use crate::publish::table::line;

/// Records of one section that are shown; an answer that matters has a few.
const MAX_SHOWN: usize = 16;

/// The observations about the name, the delegation of its zone and the control names of the resolvers
/// that were asked, in the order in which a question travels. Foreign text is escaped.
#[must_use]
pub fn text(observations: &[Arc<Observation>], name: &DomainName) -> String {
    let mut out = String::from("\nWhat each server answers\n");
    let shown: Vec<&Observation> =
        observations.iter().map(Arc::as_ref).filter(|seen| is_about(seen, name)).collect();
    if shown.is_empty() {
        out.push_str("  nobody was asked: no server that could know the name is known\n");
        return out;
    }
    let resolvers: BTreeSet<&str> =
        shown.iter().filter(|seen| seen.vantage == Vantage::Recursive).map(|seen| &*seen.server).collect();
    let mut unasked = BTreeSet::new();
    for (title, vantage) in [
        ("The parent's servers", Vantage::Parent),
        ("Authoritative servers", Vantage::Authoritative),
        ("Resolvers", Vantage::Recursive),
        ("Control names at the resolvers", Vantage::Control),
    ] {
        let mut rows: Vec<&Observation> =
            shown.iter().copied().filter(|seen| seen.vantage == vantage).collect();
        rows.sort_by(|left, right| {
            (&left.view, &left.server, &left.name, &left.record_type).cmp(&(
                &right.view,
                &right.server,
                &right.name,
                &right.record_type,
            ))
        });
        if vantage == Vantage::Control {
            unasked =
                rows.iter().map(|seen| &*seen.server).filter(|server| !resolvers.contains(server)).collect();
        }
        if !rows.is_empty() {
            line(&mut out, &format!("\n{title}"));
        }
        for seen in rows {
            one(&mut out, seen);
        }
    }
    if !unasked.is_empty() {
        let list: Vec<String> = unasked.into_iter().map(printable).collect();
        line(&mut out, &format!("\nNot asked for the name: {}.", list.join(", ")));
        line(&mut out, "Either the name is not meant for their view, or no authoritative server has it yet:");
        line(&mut out, "a resolver that is asked too early keeps the denial.");
    }
    out
}

fn is_about(seen: &Observation, name: &DomainName) -> bool {
    match seen.vantage {
        Vantage::Control => true,
        Vantage::Parent => name.is_within(&seen.name),
        Vantage::Authoritative | Vantage::Recursive => {
            let probes_it = name.is_wildcard() && seen.name.wildcard_sibling().as_ref() == Some(name);
            let of_zone = matches!(&*seen.record_type, "SOA" | "NS") && name.is_within(&seen.name);
            seen.name == *name || probes_it || of_zone
        }
    }
}

/// One exchange: whom, what, how, how long; then the answer.
fn one(out: &mut String, seen: &Observation) {
    let transport = match seen.transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Dot => "tls",
        Transport::Doh => "https",
    };
    let view = match seen.vantage {
        Vantage::Recursive | Vantage::Control => format!(" ({})", printable(&seen.view)),
        Vantage::Parent | Vantage::Authoritative => String::new(),
    };
    let asked = if is_recursive(seen) { "rd" } else { "no rd" };
    let cd = if seen.cd { " cd" } else { "" };
    let took = seen.rtt_ms.map_or_else(|| String::from("no answer"), |ms| format!("{ms:.1} ms"));
    line(
        out,
        &format!(
            "; {}{view} {} {} {transport} {asked}{cd}: {took}",
            printable(&seen.server),
            printable(&seen.name.fqdn()),
            printable(&seen.record_type)
        ),
    );
    let rcode = seen.rcode.as_deref().map_or_else(|| seen.outcome.as_str().to_owned(), printable);
    let flags: Vec<&str> = [(seen.aa, "aa"), (seen.ad, "ad")]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
        .collect();
    let flags = if flags.is_empty() { String::new() } else { format!(", flags {}", flags.join(" ")) };
    line(out, &format!("  {rcode} ({}){flags}", seen.outcome.as_str()));
    if let Some(error) = &seen.ede {
        line(out, &format!("  extended error {}: {}", error.code, printable(&error.text)));
    }
    section(out, "", &seen.answers);
    section(out, "authority ", &seen.authority);
}

fn is_recursive(seen: &Observation) -> bool {
    matches!(seen.vantage, Vantage::Recursive | Vantage::Control)
}

fn section(out: &mut String, title: &str, records: &[AnswerRecord]) {
    for AnswerRecord { name, record_type, ttl, data } in records.iter().take(MAX_SHOWN) {
        let (name, data) = (printable(&name.fqdn()), printable(data));
        line(out, &format!("  {title}{name} {ttl} IN {} {data}", printable(record_type)));
    }
    let more = records.len().saturating_sub(MAX_SHOWN);
    if 0 < more {
        line(out, &format!("  {title}and {more} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::model::observation::Outcome;

    fn seen(vantage: Vantage, server: &str, name: &str, outcome: Outcome) -> Observation {
        let said = fixture::observation(vantage, server, name, outcome);
        Observation { rcode: Some("NOERROR".into()), rtt_ms: Some(1.25), ..said }
    }

    #[test]
    fn a_trace_shows_the_way_of_a_question() {
        let mut authority = seen(Vantage::Authoritative, "ns-1", "app.example.com", Outcome::Answer);
        authority.aa = true;
        let record = AnswerRecord {
            name: "app.example.com".into(),
            record_type: "A".into(),
            ttl: 60,
            data: "192.0.2.1".into(),
        };
        authority.answers = [record].into();
        let mut failed = seen(Vantage::Recursive, "8.8.8.8", "app.example.com", Outcome::Servfail);
        failed.rcode = Some("SERVFAIL".into());
        let error = crate::model::observation::ExtendedError { code: 9, text: "no\u{1b}[31m key".into() };
        failed.ede = Some(Box::new(error));
        let control = seen(Vantage::Control, "8.8.8.8", "example.com", Outcome::Answer);
        let idle = seen(Vantage::Control, "10.0.0.2", "example.com", Outcome::Answer);
        let other = seen(Vantage::Authoritative, "ns-1", "other.example.com", Outcome::Answer);
        let text = text(&[control, failed, authority, other, idle].map(Arc::new), &"app.example.com".into());
        assert_eq!(
            text,
            "\nWhat each server answers\n\
             \nAuthoritative servers\n\
             ; ns-1 app.example.com. A udp no rd: 1.2 ms\n  NOERROR (answer), flags aa\n  \
             app.example.com. 60 IN A 192.0.2.1\n\
             \nResolvers\n\
             ; 8.8.8.8 (public) app.example.com. A udp rd: 1.2 ms\n  SERVFAIL (servfail)\n  \
             extended error 9: no\\u{1b}[31m key\n\
             \nControl names at the resolvers\n\
             ; 10.0.0.2 (public) example.com. A udp rd: 1.2 ms\n  NOERROR (answer)\n\
             ; 8.8.8.8 (public) example.com. A udp rd: 1.2 ms\n  NOERROR (answer)\n\
             \nNot asked for the name: 10.0.0.2.\n\
             Either the name is not meant for their view, or no authoritative server has it yet:\n\
             a resolver that is asked too early keeps the denial.\n"
        );
    }

    #[test]
    fn a_name_that_nobody_was_asked_for() {
        assert!(text(&[], &"app.example.com".into()).contains("nobody was asked"));
    }
}

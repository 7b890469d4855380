//! The engine against a deliberately naive oracle, on random small worlds.
//!
//! One cluster, one public zone, one ExternalDNS with TXT ownership, up to four hosts that want a plain
//! A, AAAA or CNAME record. Every host meets its own fate. The oracle knows nothing of windows, views or
//! ranks: it is a table that is read off findings.md, and subject and kind must agree with it.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "oracle/world.rs"]
mod world;

use std::collections::BTreeSet;

use dns_drift::finding::State;
use dns_drift::replay::replay;
use proptest::prelude::*;
use proptest::sample::select;

use world::{Fault, Host, Owner, Wish};

type Verdicts = BTreeSet<(String, String)>;

/// What must be open, straight from the specification.
fn oracle(hosts: &[Host]) -> Verdicts {
    let row = |(number, host): (usize, &Host)| {
        let kind = match (host.fault, host.wish) {
            // Only what differs can be repaired by a change that was refused.
            (Fault::None, _) if host.owner == Owner::Nobody => "owner_missing",
            // Another owner that serves the right values does no harm.
            (Fault::None, _) => return None,
            (_, _) if host.refused => "failed_change",
            (Fault::Absent | Fault::Deleted, _) => "missing_record",
            (Fault::OtherValue, _) => "wrong_target",
            // An alias counts as its type: beside a CNAME it is another type, not another form.
            (Fault::OtherType, _) | (Fault::Alias, Wish::Cname) => "wrong_type",
            (Fault::Alias, Wish::A | Wish::Aaaa) => "wrong_alias",
        };
        Some((format!("{}/{}", world::name(number), host.wish.as_str()), kind.to_owned()))
    };
    hosts.iter().enumerate().filter_map(row).collect()
}

fn engine(hosts: &[Host]) -> Verdicts {
    let folder = tempfile::tempdir().unwrap();
    world::record(folder.path(), hosts);
    let report = replay(folder.path()).unwrap();
    let open = report.findings.iter().filter(|finding| finding.state == State::Open);
    open.map(|finding| (finding.subject.to_string(), finding.kind.to_string())).collect()
}

fn host() -> impl Strategy<Value = Host> {
    let owners = [Owner::Ours, Owner::Nobody, Owner::Other];
    (select(&Wish::ALL[..]), select(&Fault::ALL[..]), select(owners.to_vec()), any::<bool>())
        .prop_map(|(wish, fault, owner, refused)| Host { wish, fault, owner, refused })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_table(hosts in proptest::collection::vec(host(), 1..=4)) {
        prop_assert_eq!(engine(&hosts), oracle(&hosts));
    }
}

/// Random worlds may miss a combination; a single host has few enough for all of them.
#[test]
fn every_single_host_agrees_with_the_table() {
    for wish in Wish::ALL {
        for fault in Fault::ALL {
            for owner in [Owner::Ours, Owner::Nobody, Owner::Other] {
                for refused in [false, true] {
                    let hosts = [Host { wish, fault, owner, refused }];
                    assert_eq!(engine(&hosts), oracle(&hosts), "{hosts:?}");
                }
            }
        }
    }
}

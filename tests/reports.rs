//! The full report of every corpus case, as a reviewed snapshot: what a person on call would read.
//!
//! A change of a text shows here as the sentence that somebody gets. Read it as that person before
//! it is accepted with `cargo insta review` (or `INSTA_UPDATE=always cargo test --test reports`).
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use dns_drift::desired::versions::words::WORDS;
use dns_drift::replay::replay;

/// The cases of the corpus, in order.
fn cases() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let items = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    let cases = items.filter(|path| path.join("expected.yaml").is_file());
    cases.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_report_reads_as_it_was_reviewed() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/reports");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let changed: Vec<String> = cases()
        .into_iter()
        .filter(|case| {
            let report = replay(&scenarios.join(case)).unwrap_or_else(|error| panic!("{case}: {error}"));
            // All that changed are shown at once, not only the first.
            let compare = || settings.bind(|| insta::assert_yaml_snapshot!(case.as_str(), report));
            catch_unwind(AssertUnwindSafe(compare)).is_err()
        })
        .collect();
    assert!(changed.is_empty(), "reports that read differently: {changed:?}");
}

#[test]
fn no_snapshot_is_left_over() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/reports");
    let names = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    let snapshots: BTreeSet<String> = names
        .filter(|path| path.extension().is_some_and(|extension| extension == "snap"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(snapshots, cases());
}

/// Every flag that stands in the source of the advice has its releases in the table.
#[test]
fn every_flag_of_the_advice_is_in_the_table() {
    // Those of `kubectl`, `aws` and `dig`.
    let others =
        ["--all-containers", "--as", "--change-batch", "--health-check-id", "--hosted-zone-id", "--id"];
    let more = [
        "--list",
        "--max-items",
        "--overwrite",
        "--previous",
        "--replicas",
        "--sort-by",
        "--start-record-name",
    ];
    let last = ["--tail", "--type", "--vpc", "--wait"];
    let others: BTreeSet<&str> = [&others[..], &more, &last].concat().into_iter().collect();
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/compare")];
    let flag = regex::Regex::new(r"--[a-z][a-z0-9-]+").unwrap();
    let mut missing = BTreeSet::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(path.read_dir().unwrap().map(|item| item.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for found in flag.find_iter(&code.collect::<String>()) {
            let is_known =
                WORDS.iter().any(|word| word.text == found.as_str()) || others.contains(found.as_str());
            if !is_known {
                missing.insert(format!("{} in {}", found.as_str(), path.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// What the on-call person is told: a case, a subject, words of its summary and its fix, and the first command.
const TOLD: &[(&str, &str, &str, &str)] = &[
    (
        "scenarios/D034",
        "instance/default",
        "after an update to v0.20.0 or later",
        "kubectl -n external-dns edit deployment external-dns",
    ),
    ("scenarios/D043", "app.exmaple.com/A", "typo of example.com?", "kubectl -n shop edit ingress web"),
    (
        "scenarios/D045",
        "app.example.com/A",
        "Start ExternalDNS with --zone-id-filter=ZPUB0000000002, or delete zone ZPUB0000000001",
        "kubectl -n external-dns edit deployment external-dns",
    ),
    (
        "cases/auth_mismatch-all_servers_fail",
        "app.example.com/A",
        "its authoritative servers fail. Give the evidence to AWS support",
        "",
    ),
    (
        "cases/churn-migration_flag_left_in_place",
        "app.example.com/A",
        "Take --migrate-from-txt-owner=old away once no ownership TXT names that owner any more",
        "kubectl -n external-dns edit deployment external-dns",
    ),
    (
        "cases/churn-multivalue_true_on_one_member",
        "app.example.com/A#a",
        "Leave the value of the annotation aws-multi-value-answer empty",
        "kubectl -n shop annotate ingress web --overwrite external-dns.alpha.kubernetes.io/aws-multi-value-answer=",
    ),
    (
        "cases/churn-pinned_beside_a_private_zone",
        "app.example.com/A",
        "would be written into ZPRV0000000001",
        "",
    ),
    (
        "cases/churn-pinned_to_the_only_zone",
        "app.example.com/A",
        "zone ZPUB0000000001 alone takes the host anyway",
        "kubectl -n shop annotate ingress web external-dns.kubernetes.io/aws-hosted-zone-id-",
    ),
    (
        "cases/churn-record_type_without_ptr",
        "app.example.com/A",
        "Take the annotation record-type away",
        "kubectl -n shop annotate ingress web external-dns.alpha.kubernetes.io/record-type-",
    ),
    (
        "cases/churn-set_weight_typo_alone",
        "app.example.com/A#blue",
        "Correct the annotation aws-wieght or take it away",
        "kubectl -n shop annotate ingress web external-dns.alpha.kubernetes.io/aws-wieght-",
    ),
    (
        "cases/churn-target_zone_of_a_plain_record",
        "app.example.com/A",
        "Take the annotation aws-target-hosted-zone away: the record is the same without it",
        "kubectl -n shop annotate ingress web external-dns.alpha.kubernetes.io/aws-target-hosted-zone-",
    ),
    (
        "cases/churn-weight_that_is_no_number",
        "app.example.com/A#a",
        "heavy is no number and counts as 0",
        "kubectl -n shop edit ingress web",
    ),
    (
        "cases/churn-weight_with_a_leading_zero",
        "app.example.com/A#a",
        "Write 10 into the annotation aws-weight",
        "kubectl -n shop annotate ingress web --overwrite external-dns.alpha.kubernetes.io/aws-weight=10",
    ),
    (
        "cases/controller_misconfigured-owner_id_changed",
        "instance/gke-prod",
        "or add --migrate-from-txt-owner=gke-old with --policy=upsert-only until",
        "kubectl -n external-dns edit deployment external-dns",
    ),
    ("cases/controller_misconfigured-owner_id_shared", "pay.example.com/A", "Let it be:", ""),
    (
        "cases/controller_stalled-absent-deleted",
        "instance/gke-prod",
        "Install it again",
        "kubectl -n external-dns get deployments,statefulsets,daemonsets,pods",
    ),
    (
        "cases/delegation_broken-lame_all_with_the_right_parent",
        "zone/example.com",
        "The parent of example.com is right",
        "aws route53 get-hosted-zone --id ZPUB0000000001",
    ),
    (
        "cases/invalid_desired-alias_of_a_foreign_host_by_prefer_alias",
        "app.example.com/A",
        "--prefer-alias makes the alias: take the flag away, or publish the host by a DNSEndpoint",
        "kubectl -n external-dns edit deployment external-dns",
    ),
    (
        "cases/missing_record-weight_without_set_identifier",
        "app.example.com/A",
        "Give the object a set-identifier, or take its routing policy",
        "kubectl -n shop edit ingress web",
    ),
    (
        "cases/no_address-lost_by_one_of_two_objects_of_a_host",
        "object/Ingress/shop/web2",
        "other objects ask for app.example.com as well, so the records stay",
        "kubectl -n shop describe ingress web2",
    ),
    (
        "cases/no_address-one_of_two_gateways_does_not_accept_the_route_any_more",
        "object/HTTPRoute/shop/web",
        "No Gateway accepts HTTPRoute/shop/web for its hosts any more",
        "kubectl -n shop describe httproutes.gateway.networking.k8s.io web",
    ),
    (
        "cases/no_zone-filtered_out-served_below_a_delegation",
        "x.b.example.com/A",
        "--zone-id-filter=ZPUB0000000002 leaves zone b.example.com out: add --zone-id-filter=ZPUB0000000003",
        "kubectl -n external-dns edit deployment external-dns",
    ),
    (
        "cases/no_zone-wrong_type",
        "app.example.com/A",
        "--aws-zone-type=private leaves the public zone example.com out",
        "kubectl -n external-dns edit deployment external-dns",
    ),
    (
        "cases/private_target_in_public_zone-a_private_beside_a_public_address",
        "app.example.com/A",
        "points at the private address 10.1.1.1 (",
        "kubectl -n shop edit ingress web",
    ),
    (
        "cases/wrong_zone-parent_zone",
        "web.sub.example.com/A",
        "zone sub.example.com (ZPUB0000000009) does, and lacks it",
        "",
    ),
];

#[test]
fn the_advice_fits_the_recording() {
    for (case, subject, words, command) in TOLD {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(case);
        let report = replay(&folder).unwrap_or_else(|error| panic!("{case}: {error}"));
        let found = report.findings.iter().find(|one| one.subject.to_string() == *subject);
        let found = found.unwrap_or_else(|| panic!("{case}: nothing about {subject}"));
        let text = format!("{} {}", found.summary, found.fix.summary);
        assert!(text.contains(words), "{case}: {words} in {text}");
        // The quotes are for the shell.
        let first = found.fix.commands.first().map(|line| line.replace('\'', "")).unwrap_or_default();
        assert_eq!(first, *command, "{case}");
    }
}

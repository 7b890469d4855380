//! The files in `alerts/` and `docs/runbooks/`: written from the rules, compared by a test.

use std::fs;
use std::path::Path;

use dns_drift::finding::Kind;
use serde::Serialize;
use serde_json::json;

use crate::kinds::{Page, ROOT, alert_name, commands, title};
use crate::rules::{Rule, RuleFile, dns_drift, external_dns};
use crate::unit;

const HEAD: &str =
    "# Generated from tests/alerts/rules.rs; DNS_DRIFT_BLESS=1 cargo test --test alerts rewrites it.\n";

/// All generated files: path below the root, and text.
pub(crate) fn all() -> Vec<(String, String)> {
    let (ours, theirs) = (dns_drift(), external_dns());
    let mut files = vec![
        (String::from("alerts/dns-drift.rules.yml"), yaml(&ours)),
        (String::from("alerts/external-dns.rules.yml"), yaml(&theirs)),
        (String::from("alerts/prometheusrule-dns-drift.yaml"), yaml(&object("dns-drift", &ours))),
        (String::from("alerts/prometheusrule-external-dns.yaml"), yaml(&object("external-dns", &theirs))),
        (String::from("alerts/tests/dns-drift.test.yml"), yaml(&unit::cases())),
        (String::from("alerts/tests/convergence.test.yml"), yaml(&unit::long_cases())),
    ];
    files.extend(Kind::ALL.iter().map(|kind| (runbook_path(&alert_name(*kind)), runbook(*kind))));
    files
}

/// Compares a file with what it must be, or writes it.
pub(crate) fn check(path: &str, expected: &str) {
    let path = Path::new(ROOT).join(path);
    if std::env::var_os("DNS_DRIFT_BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, expected).expect("written");
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} differs: run this test with DNS_DRIFT_BLESS=1", path.display());
}

pub(crate) fn runbook_path(alert: &str) -> String {
    format!("docs/runbooks/{alert}.md")
}

/// Every rule of both files.
pub(crate) fn rules() -> Vec<Rule> {
    let groups = dns_drift().groups.into_iter().chain(external_dns().groups);
    groups.flat_map(|group| group.rules).collect()
}

fn yaml(value: &impl Serialize) -> String {
    let text = serde_saphyr::to_string(value).expect("YAML");
    format!("{HEAD}{text}")
}

/// The same rules as an object for the Prometheus operator.
fn object(name: &str, rules: &RuleFile) -> impl Serialize {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct PrometheusRule<'a> {
        api_version: &'static str,
        kind: &'static str,
        metadata: serde_json::Value,
        spec: &'a RuleFile,
    }
    let labels = json!({"app.kubernetes.io/name": "dns-drift"});
    let metadata = json!({"name": name, "labels": labels});
    // Made a value at once, so that nothing borrows.
    serde_json::to_value(PrometheusRule {
        api_version: "monitoring.coreos.com/v1",
        kind: "PrometheusRule",
        metadata,
        spec: rules,
    })
    .expect("JSON")
}

/// What the page of an alert about a kind links to.
fn runbook(kind: Kind) -> String {
    let (name, page) = (alert_name(kind), Page::of(kind));
    let [first, second, third] = commands(kind);
    let section = |heading: &str| page.section(heading).to_owned();
    format!(
        "# {name}\n\n\
         ```sh\n{first}\n{second}\n{third}\n```\n\n\
         The alert says: {title}. Its description names the hosts, the zone, the owner and the object that belong into the commands. \
         The kind is [{kind}](../findings/{kind}.md).\n\n\
         ## What it means\n\n{meaning}\n\n## What users notice\n\n{impact}\n\n## First steps\n\n{steps}\n\n## Fix\n\n{fix}\n\n\
         ## When it is over\n\nThe finding closes after two clean rounds, the alert five minutes later. \
         `dns-drift explain HOST` shows it at once. To be quiet about one object until then: the annotations `dns-drift/mute` and `dns-drift/mute-until`.\n\n\
         <!-- generated from docs/findings/{kind}.md by tests/alerts/files.rs; DNS_DRIFT_BLESS=1 cargo test --test alerts rewrites it -->\n",
        title = title(kind),
        meaning = section("Meaning"),
        impact = section("What users notice"),
        steps = section("First three steps"),
        fix = section("Fix"),
    )
}

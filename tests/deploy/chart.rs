//! The chart, rendered with Helm's own engine.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use serde::Deserialize;
use serde_json::Value;

use crate::ROOT;

pub(crate) const CHART: &str = "deploy/helm/dns-drift";

const HEAD: &str =
    "# Rendered from deploy/helm/dns-drift; DNS_DRIFT_BLESS=1 cargo test --test deploy rewrites it.\n";

/// What came out for one set of values.
#[derive(Deserialize)]
pub(crate) struct Rendered {
    /// Why the values were refused.
    refused: Option<String>,
    /// Objects by the template that made them.
    #[serde(default)]
    objects: BTreeMap<String, Vec<Value>>,
    /// The same as text, without what only Helm means.
    #[serde(default)]
    manifests: BTreeMap<String, String>,
    /// What the schemas of Kubernetes say against them.
    #[serde(default)]
    pub(crate) problems: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Rendered>,
    lint: Vec<String>,
}

impl Rendered {
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Value> {
        self.objects.values().flatten()
    }

    /// The first object of this kind.
    pub(crate) fn one(&self, kind: &str) -> &Value {
        self.objects().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    }

    pub(crate) fn named(&self, kind: &str, name: &str) -> &Value {
        let fits = |one: &&Value| one["kind"] == kind && one["metadata"]["name"] == name;
        self.objects().find(fits).unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    /// A manifest of one template, or of all.
    pub(crate) fn manifest(&self, template: Option<&str>) -> String {
        let all = self.manifests.iter();
        let chosen = all.filter(|(name, _)| template.is_none_or(|wanted| *name == wanted));
        let texts: Vec<&str> = chosen.map(|(_, text)| text.as_str()).collect();
        assert!(!texts.is_empty(), "{template:?} rendered nothing");
        format!("{HEAD}{}", texts.join("---\n"))
    }
}

fn ask(values: &[Value]) -> Answer {
    let python = env::var("DNS_DRIFT_TEST_HELM").unwrap_or_else(|_| "python3".to_owned());
    let mut child = Command::new(&python)
        .args([format!("{ROOT}/tests/deploy/render.py"), format!("{ROOT}/{CHART}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{python}: {error}"));
    let asked = serde_json::to_vec(values).unwrap();
    // A Python that lacks the packages ends before it reads; what it says is told below.
    drop(child.stdin.take().unwrap().write_all(&asked));
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "./test installs helm-python-sdk and names its Python in DNS_DRIFT_TEST_HELM: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What comes out for each set of values; none may be refused.
pub(crate) fn render(values: &[Value]) -> Vec<Rendered> {
    let results = ask(values).results;
    for (one, values) in results.iter().zip(values) {
        assert_eq!(one.refused, None, "{values}");
    }
    results
}

pub(crate) fn with(values: Value) -> Rendered {
    render(&[values]).remove(0)
}

/// Why each set of values is refused.
pub(crate) fn refusals(values: &[Value]) -> Vec<String> {
    let results = ask(values).results;
    results
        .into_iter()
        .zip(values)
        .map(|(one, values)| one.refused.unwrap_or_else(|| panic!("{values} is taken")))
        .collect()
}

/// What Helm's linter has against the chart.
pub(crate) fn lint() -> Vec<String> {
    ask(&[]).lint
}

/// Compares a file with what it must be, or writes it.
pub(crate) fn check(path: &str, expected: &str) {
    let file = Path::new(ROOT).join(path);
    if env::var_os("DNS_DRIFT_BLESS").is_some() {
        fs::write(&file, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{path} differs: run this test with DNS_DRIFT_BLESS=1");
}

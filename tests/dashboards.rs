//! The dashboards: generated files are up to date, they keep the rules of the trade, and every query
//! of every panel shows something on a real Prometheus that holds demo data. The pictures in the docs
//! are drawn from the same queries.
//!
//! Needs `prometheus` on the path (Debian package `prometheus`).

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "dashboards/content.rs"]
mod content;
#[path = "dashboards/demo.rs"]
mod demo;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/report.rs"]
mod fixture;
#[path = "dashboards/format.rs"]
mod format;
#[path = "dashboards/model.rs"]
mod model;
#[path = "dashboards/picture.rs"]
mod picture;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use dns_drift::clock::{Clock as _, SystemClock};
use dns_drift::limits::MAX_FINDING_SERIES;
use dns_drift::publish::catalogue::MetricDoc;
use dns_drift::publish::cost::NoCosts;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::server::serve;
use dns_drift::publish::web::WebState;
use dns_drift::report::Report;
use picture::Series;
use quick_xml::events::Event;
use regex::Regex;
use serde_json::Value as Json;
use servers::{Alerting, Server, free, get, logs, prometheus, rows};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Some rates need a few scrapes.
const PATIENT: Duration = Duration::from_mins(1);

/// Ids of units that we use; Grafana takes any word and shows it behind the number.
const UNITS: [&str; 9] =
    ["none", "short", "s", "reqps", "cps", "percentunit", "bytes", "dateTimeFromNow", "dateTimeAsIso"];

fn panels(dashboard: &Json) -> &Vec<Json> {
    dashboard["panels"].as_array().unwrap()
}

/// Queries of panels and annotations.
fn queries(dashboard: &Json) -> Vec<String> {
    let targets = panels(dashboard).iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    targets.chain(annotations).map(|one| one["expr"].as_str().unwrap().to_owned()).collect()
}

fn variables(dashboard: &Json) -> Vec<&Json> {
    dashboard["templating"]["list"].as_array().unwrap().iter().collect()
}

#[test]
fn generated_files_are_up_to_date() {
    let mut files = BTreeSet::from([String::from("README.md")]);
    for (name, dashboard) in content::all() {
        let path = format!("{ROOT}/dashboards/{name}.json");
        let expected = format!("{}\n", serde_json::to_string_pretty(&dashboard).unwrap());
        if std::env::var_os("DNS_DRIFT_BLESS").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == expected, "{path} differs: run this test with DNS_DRIFT_BLESS=1");
        files.insert(format!("{name}.json"));
    }
    let found = fs::read_dir(format!("{ROOT}/dashboards")).unwrap();
    let found: BTreeSet<String> =
        found.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(found, files);
}

#[test]
fn panels_have_titles_descriptions_units_and_places_of_their_own() {
    let mut uids = BTreeSet::new();
    for (name, dashboard) in content::all() {
        assert!(uids.insert(dashboard["uid"].as_str().unwrap().to_owned()), "{name}");
        assert_eq!(dashboard["uid"], format!("dns-drift-{name}"));
        let (mut ids, mut cells, mut titles) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().unwrap();
            assert!(titles.insert(title), "{name}: {title} twice");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title}");
            let number = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(number("x") + number("w") <= 24, "{name}: {title}");
            for x in number("x")..number("x") + number("w") {
                for y in number("y")..number("y") + number("h") {
                    assert!(cells.insert((x, y)), "{name}: {title} covers another panel");
                }
            }
            if panel["type"] == "text" {
                continue;
            }
            assert!(panel["description"].as_str().unwrap().ends_with('.'), "{name}: {title}");
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
            assert!(UNITS.contains(&unit), "{name}: {title}: {unit}");
            assert!(panel["fieldConfig"]["defaults"]["thresholds"]["steps"].is_array());
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{name}: {title}");
                let legend = target["legendFormat"].as_str().unwrap();
                assert!(panel["type"] != "timeseries" || legend != "__auto", "{name}: {title} has no legend");
            }
        }
    }
}

/// What Grafana's own linter asks for: a data source variable, selectors by job and cluster, windows
/// that follow the scrape interval.
#[test]
fn queries_follow_the_variables_and_use_documented_metrics_only() {
    let selector = Regex::new(r"(\w+)\{([^}]*)\}").unwrap();
    let chosen = Regex::new(r#""\$(\w+)""#).unwrap();
    let window = Regex::new(r"\[([^\]]*)\]").unwrap();
    for (name, dashboard) in content::all() {
        let names: Vec<&str> =
            variables(&dashboard).iter().map(|variable| variable["name"].as_str().unwrap()).collect();
        assert_eq!(names[..3], ["datasource", "cluster", "job"], "{name}");
        for query in queries(&dashboard) {
            for found in selector.captures_iter(&query) {
                let metric = &found[1];
                let family = ["_bucket"].iter().find_map(|part| metric.strip_suffix(part)).unwrap_or(metric);
                let scrape = metric.starts_with("scrape_") || metric == "ALERTS";
                assert!(scrape || MetricDoc::find(family).is_some(), "{name}: {metric}");
                assert!(found[2].contains("cluster=~\"$cluster\""), "{name}: {query}");
                assert!(metric == "ALERTS" || found[2].contains("job=~\"$job\""), "{name}: {query}");
            }
            for found in window.captures_iter(&query) {
                assert!(["$__rate_interval", "$__range"].contains(&&found[1]), "{name}: {query}");
            }
            for used in chosen.captures_iter(&query) {
                assert!(names.contains(&&used[1]), "{name}: ${} in {query}", &used[1]);
            }
        }
    }
}

/// Grafana's own model knows every key.
#[test]
fn grafanas_model_takes_the_files() {
    let python = std::env::var("DNS_DRIFT_TEST_GRAFANA").unwrap_or_else(|_| "python3".to_owned());
    let files = content::all().map(|(name, _)| format!("{ROOT}/dashboards/{name}.json"));
    let output = Command::new(&python)
        .arg(format!("{ROOT}/tests/dashboards/round_trip.py"))
        .args(files)
        .output()
        .unwrap_or_else(|error| panic!("{python}: {error}"));
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(
        output.status.success(),
        "./test installs grafana-foundation-sdk and names its Python in DNS_DRIFT_TEST_GRAFANA: {errors}"
    );
    assert_eq!(said, "", "keys that Grafana does not know");
}

/// As Grafana would with everything chosen.
fn filled_in(expression: &str) -> String {
    let mut text = expression.replace("$__rate_interval", "4s").replace("$__range", "20s");
    for variable in ["cluster", "zone", "team"] {
        text = text.replace(&format!("${variable}"), ".*");
    }
    text.replace("$job", "dns-drift").replace("$name", "realtime.example.com")
}

/// Shows something: at least one row with a number.
async fn shows(server: SocketAddr, expression: &str) -> bool {
    let body = get(server, "/api/v1/query", ("query", expression.to_owned())).await;
    let rows = body["data"]["result"].as_array().cloned().unwrap_or_default();
    rows.iter().any(|row| row["value"][1].as_str().is_some_and(|value| value != "NaN"))
}

/// Queries of panels, annotations and variables, each with where it stands.
fn all_queries() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (name, dashboard) in content::all() {
        all.extend(queries(&dashboard).into_iter().map(|query| (name.to_owned(), filled_in(&query))));
        for variable in variables(&dashboard) {
            let query = variable["query"].as_str().unwrap();
            let Some(query) = query.strip_prefix("label_values(") else { continue };
            let (series, label) = query.trim_end_matches(')').rsplit_once(", ").unwrap();
            // There is no such label where there is only one cluster.
            let value = if label == "cluster" { ".*" } else { ".+" };
            let series = filled_in(series);
            all.push((name.to_owned(), format!("count by ({label}) ({series}) and count by ({label}) ({{{label}=~\"{value}\",__name__=~\"dns_drift.+\"}})")));
        }
    }
    all
}

/// A program with demo data, and a Prometheus that scrapes it.
struct Rig {
    server: SocketAddr,
    report: watch::Sender<Option<Arc<Report>>>,
    _prometheus: Server,
    _web: JoinSet<std::io::Result<()>>,
}

impl Rig {
    async fn start(folder: &Path, first: Arc<Report>) -> Self {
        let (report, latest) = watch::channel(Some(first));
        let registry =
            Arc::new(registry(latest.clone(), Arc::new(demo::Growing::default()), MAX_FINDING_SERIES));
        let state = WebState { latest, registry, costs: Arc::new(NoCosts), config_text: "".into() };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let mut web = JoinSet::new();
        web.spawn(serve(listener, state, CancellationToken::new()));
        let rules = fs::read_to_string(format!("{ROOT}/alerts/dns-drift.rules.yml")).unwrap();
        let file = folder.join("rules.yml");
        fs::write(&file, rules.replace("for: 2m", "for: 1s")).unwrap();
        let file = file.display().to_string();
        let server = free();
        let alerting = Alerting { rules: &[&file], alertmanager: None };
        let prometheus = prometheus(folder, &[("dns-drift", target)], &alerting, server);
        rows(server, "up{job=\"dns-drift\"} == 1", folder).await;
        Self { server, report, _prometheus: prometheus, _web: web }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_shows_something() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rig = Rig::start(folder, demo::report(demo::WORST)).await;

    let mut empty = all_queries();
    let until = Instant::now() + PATIENT;
    while !empty.is_empty() {
        let mut still = Vec::new();
        for (name, query) in empty {
            if !shows(rig.server, &query).await {
                still.push((name, query));
            }
        }
        empty = still;
        assert!(
            empty.is_empty() || Instant::now() < until,
            "these show nothing: {empty:#?}; {}",
            logs(folder)
        );
        sleep(Duration::from_millis(500)).await;
    }
}

/// What the queries of a panel return: this moment for a table, the story up to its end for the others.
async fn series_of(server: SocketAddr, panel: &Json, end: i64) -> Vec<Series> {
    let mut all = Vec::new();
    for target in panel["targets"].as_array().into_iter().flatten() {
        let expression = filled_in(target["expr"].as_str().unwrap());
        let expression = if panel["type"] == "table" {
            expression
        } else {
            format!("({expression})[{}s:1s] @ {end}", demo::STEPS)
        };
        let answer = get(server, "/api/v1/query", ("query", expression)).await;
        all.extend(picture::rows(&answer, target["legendFormat"].as_str().unwrap()));
    }
    all
}

/// Plays the story and draws each dashboard as it is in the end; tables show the worst moment.
async fn draw_all() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rig = Rig::start(folder, demo::report(0)).await;
    let mut tables: Vec<Vec<Series>> = Vec::new();
    for step in 0..demo::STEPS {
        rig.report.send_replace(Some(demo::report(step)));
        sleep(Duration::from_secs(1)).await;
        if step == demo::WORST {
            for (_, dashboard) in content::all() {
                for panel in panels(&dashboard).iter().filter(|panel| panel["type"] == "table") {
                    tables.push(series_of(rig.server, panel, 0).await);
                }
            }
        }
    }
    let mut tables = tables.into_iter();
    let at = SystemClock.now().as_second();
    let end = f64::from(u32::try_from(at).unwrap());
    let span = (end - f64::from(u32::try_from(demo::STEPS).unwrap()), end);
    for (name, dashboard) in content::all() {
        let mut drawn = Vec::new();
        for panel in panels(&dashboard) {
            let series = if panel["type"] == "table" {
                tables.next().unwrap()
            } else {
                series_of(rig.server, panel, at).await
            };
            assert!(!series.is_empty() || panel["type"] == "text", "{name}: {}", panel["title"]);
            drawn.push((panel.clone(), series));
        }
        fs::write(picture_of(name), picture::draw(&dashboard, &drawn, span)).unwrap();
    }
}

fn picture_of(name: &str) -> String {
    format!("{ROOT}/docs/pictures/dashboard-{name}.svg")
}

/// The pictures in the docs show these panels and say what they are. Figures in them are of the day
/// on which they were drawn, so only what does not depend on it is compared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_of_these_dashboards() {
    if std::env::var_os("DNS_DRIFT_BLESS").is_some() {
        draw_all().await;
    }
    for (name, dashboard) in content::all() {
        let path = picture_of(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let wanted: Vec<&str> =
            panels(&dashboard).iter().map(|panel| panel["title"].as_str().unwrap()).collect();
        assert_eq!(picture::titles(&text), wanted, "{path}: run this test with DNS_DRIFT_BLESS=1");
        assert!(text.contains("no Grafana took part") && !text.contains("<script"), "{path}");
        assert!(text.len() < 100_000, "{path} has {} bytes", text.len());
        let mut reader = quick_xml::Reader::from_str(&text);
        while reader.read_event().unwrap_or_else(|error| panic!("{path}: {error}")) != Event::Eof {}
    }
}

//! What a report looks like from outside: the exposition, the pages, the text for a terminal.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/report.rs"]
mod fixture;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use dns_drift::limits::{CONNECTIONS_STOP_WITHIN, MAX_FINDING_SERIES};
use dns_drift::model::DomainName;
use dns_drift::publish::catalogue::{METRICS, MetricDoc, docs_table};
use dns_drift::publish::cost::NoCosts;
use dns_drift::publish::exposition::Format;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::server::serve;
use dns_drift::publish::table::Style;
use dns_drift::publish::web::{WebState, router};
use dns_drift::publish::{explain, table};
use dns_drift::report::Report;
use fixture::{Costs, HOSTILE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

fn state(report: Option<Arc<Report>>, cap: usize) -> WebState {
    // The value stays readable after the sender is gone.
    let (_sender, latest) = watch::channel(report);
    let registry = Arc::new(registry(latest.clone(), Arc::new(Costs::new()), cap));
    WebState { latest, registry, costs: Arc::new(NoCosts), config_text: "interval: 60s\n".into() }
}

fn encode(format: Format, report: Option<Arc<Report>>, cap: usize) -> String {
    format.encode(&state(report, cap).registry).unwrap()
}

/// Without what differs from run to run.
fn stable(exposition: &str) -> String {
    let lines = exposition.lines().filter(|line| line.starts_with('#') || !line.starts_with("process_"));
    let mut kept: Vec<String> =
        lines.map(|line| line.replace(env!("CARGO_PKG_VERSION"), "VERSION")).collect();
    kept.push(String::new());
    kept.join("\n")
}

/// Name and labels of each sample. Label values are quoted; inside of them a backslash takes the
/// next character with it.
fn samples(exposition: &str) -> Vec<(String, Vec<(String, String)>)> {
    exposition.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

fn sample(line: &str) -> (String, Vec<(String, String)>) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.trim_start_matches(',').split_once("=\"").unwrap();
            let mut escaped = false;
            let close = quoted
                .find(|character| {
                    let ends = character == '"' && !escaped;
                    escaped = character == '\\' && !escaped;
                    ends
                })
                .unwrap();
            let (value, after) = quoted.split_at(close);
            labels.push((label.to_owned(), value.to_owned()));
            rest = after.strip_prefix('"').unwrap();
        }
        rest = rest.strip_prefix('}').unwrap();
    }
    let value = rest.split(" # ").next().unwrap();
    value.trim().parse::<f64>().unwrap_or_else(|error| panic!("{line}: {error}"));
    (name.to_owned(), labels)
}

#[test]
fn exposition_is_the_golden_one() {
    let openmetrics = encode(Format::OpenMetrics, Some(fixture::shared()), MAX_FINDING_SERIES);
    assert!(openmetrics.ends_with("# EOF\n"));
    insta::assert_snapshot!("openmetrics", stable(&openmetrics));
    let classic = encode(Format::Classic, Some(fixture::shared()), MAX_FINDING_SERIES);
    insta::assert_snapshot!("classic", stable(&classic));
    assert_eq!(
        samples(&stable(&openmetrics)),
        samples(&stable(&classic)),
        "both formats carry the same samples"
    );
}

/// Shown only by a process that elects, is a shard or has a web configuration.
const WITH_OPTIONS: [&str; 5] = [
    "dns_drift_leader",
    "dns_drift_shard_ordinal",
    "dns_drift_total_shards",
    "dns_drift_web_config_last_reload_success_timestamp_seconds",
    "dns_drift_web_config_last_reload_successful",
];

#[test]
fn catalogue_and_exposition_agree() {
    let body = encode(Format::Classic, Some(fixture::shared()), MAX_FINDING_SERIES);
    let mut types = BTreeMap::new();
    for line in body.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(types.insert(name, kind).is_none(), "{name} twice");
    }
    assert!(WITH_OPTIONS.iter().all(|name| MetricDoc::find(name).is_some() && !types.contains_key(name)));
    for metric in METRICS.iter().filter(|metric| !WITH_OPTIONS.contains(&metric.name)) {
        let expected = metric.kind.as_str().replace("info", "gauge");
        assert_eq!(types.remove(metric.name), Some(expected.as_str()), "{}", metric.name);
        assert!(body.contains(&format!("# HELP {} {}\n", metric.name, metric.help)), "{}", metric.name);
    }
    assert!(types.is_empty(), "not in the catalogue: {types:?}");
    for (name, labels) in samples(&body) {
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
        let doc = MetricDoc::find(&name).or_else(|| MetricDoc::find(of_histogram?));
        let documented = doc.unwrap_or_else(|| panic!("{name}")).labels;
        for (label, _) in labels.into_iter().filter(|(label, _)| label != "le") {
            let known = documented.contains(&label.as_str())
                || documented.contains(&"label_*") && label.starts_with("label_");
            assert!(known, "{name} has the undocumented label {label}");
        }
    }
}

#[test]
fn no_two_series_are_alike_and_no_label_comes_twice() {
    let body = encode(Format::OpenMetrics, Some(fixture::shared()), MAX_FINDING_SERIES);
    let mut seen = BTreeSet::new();
    for (name, labels) in samples(&body) {
        let names: BTreeSet<&String> = labels.iter().map(|(label, _)| label).collect();
        assert_eq!(names.len(), labels.len(), "{name} {labels:?}");
        assert!(seen.insert((name.clone(), labels.clone())), "{name} {labels:?}");
    }
    // Even when a report says the same thing twice.
    let mut report = fixture::report();
    report.findings.push(report.findings[0].clone());
    let body = encode(Format::OpenMetrics, Some(Arc::new(report)), MAX_FINDING_SERIES);
    assert_eq!(body.matches("\ndns_drift_finding{name=\"realtime.example.com\"").count(), 1);
    assert!(body.contains("\ndns_drift_finding_series_omitted 1\n"));
}

#[test]
fn nothing_but_ourselves_before_the_first_report() {
    let body = encode(Format::Classic, None, MAX_FINDING_SERIES);
    let names: BTreeSet<String> = samples(&body).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains("dns_drift_build_info") && names.contains("process_threads"));
    assert!(
        names.iter().all(|name| name == "dns_drift_build_info" || name.starts_with("process_")),
        "{names:?}"
    );
}

#[test]
fn the_cap_keeps_the_urgent_ones_and_the_counts() {
    let body = encode(Format::Classic, Some(fixture::shared()), 2);
    let shown: Vec<&str> = body.lines().filter(|line| line.starts_with("dns_drift_finding{")).collect();
    assert_eq!(shown.len(), 2);
    assert!(shown[0].contains("realtime.example.com") && shown[1].contains("zone_id=\"Z2\""), "{shown:?}");
    assert!(body.contains("\ndns_drift_finding_series_omitted 5\n"));
    let count = "dns_drift_findings{kind=\"missing_record\",state=\"open\",severity=\"critical\"} 2\n";
    assert!(body.contains(count));
}

#[test]
fn a_thousand_findings_stay_under_a_mebibyte() {
    let mut report = fixture::report();
    let many = (0..1000).map(|number| {
        let subject = fixture::record(&format!("host-{number}.customer-facing.shop.example.com"));
        fixture::finding(&format!("{number:016x}"), subject)
    });
    report.findings = many.collect();
    let body = encode(Format::OpenMetrics, Some(Arc::new(report)), MAX_FINDING_SERIES);
    assert_eq!(body.matches("\ndns_drift_finding{").count(), 1000);
    assert!(body.len() < 1 << 20, "{}", body.len());
}

#[test]
fn the_documented_table_is_the_real_one() {
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    const MARK: &str = "<!-- generated from src/publish/catalogue.rs; DNS_DRIFT_BLESS=1 rewrites it -->\n";
    let text = std::fs::read_to_string(PATH).expect("read docs/metrics.md");
    let (before, rest) = text.split_once(MARK).expect("the first mark");
    let (found, after) = rest.split_once(MARK).expect("the second mark");
    let expected = format!("\n{}\n", docs_table());
    if std::env::var_os("DNS_DRIFT_BLESS").is_some() {
        std::fs::write(PATH, format!("{before}{MARK}{expected}{MARK}{after}"))
            .expect("write docs/metrics.md");
        return;
    }
    assert_eq!(found, expected, "run this test with DNS_DRIFT_BLESS=1");
}

async fn ask(report: Option<Arc<Report>>, method: &str, path: &str, accept: &str) -> (Response<()>, String) {
    let request =
        Request::builder().method(method).uri(path).header("accept", accept).body(Body::empty()).unwrap();
    let response = router(state(report, MAX_FINDING_SERIES)).oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = to_bytes(body, 1 << 24).await.unwrap();
    (Response::from_parts(head, ()), String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn routes_before_and_after_the_first_report() {
    for (path, before, after, content_type) in [
        ("/", 200, 200, "text/html; charset=utf-8"),
        ("/zones", 200, 200, "text/html; charset=utf-8"),
        ("/metrics", 200, 200, "text/plain; version=0.0.4; charset=utf-8"),
        ("/-/healthy", 200, 200, "text/plain; charset=utf-8"),
        ("/-/ready", 503, 200, "text/plain; charset=utf-8"),
        ("/config", 200, 200, "text/plain; charset=utf-8"),
        ("/nowhere", 404, 404, "application/json"),
    ] {
        for (report, expected) in [(None, before), (Some(fixture::shared()), after)] {
            let report_is_there = report.is_some();
            let (head, _) = ask(report, "GET", path, "*/*").await;
            assert_eq!(head.status().as_u16(), expected, "{path}");
            let headers = head.headers();
            assert_eq!(headers["content-type"], content_type, "{path}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
            assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none';"));
            let is_page = path == "/" || path == "/zones";
            let cache = if is_page && report_is_there { "private, no-cache" } else { "no-store" };
            assert_eq!(headers["cache-control"], cache, "{path}");
        }
    }
    let (_, sentence) = ask(None, "GET", "/-/ready", "*/*").await;
    assert_eq!(sentence, "not ready: the first round has not ended yet\n");
}

#[tokio::test]
async fn only_reading_is_allowed() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for path in ["/", "/metrics", "/config"] {
            let (head, body) = ask(Some(fixture::shared()), method, path, "*/*").await;
            assert_eq!(head.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(body, "{\"error\":\"only GET and HEAD are served\"}");
        }
    }
    let (head, body) = ask(Some(fixture::shared()), "HEAD", "/metrics", "*/*").await;
    assert_eq!((head.status(), body.as_str()), (StatusCode::OK, ""));
    let large = Request::builder()
        .uri("/metrics")
        .header("content-length", "100000")
        .body(Body::from("x".repeat(100_000)))
        .unwrap();
    let refused = router(state(None, MAX_FINDING_SERIES)).oneshot(large).await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_scraper_gets_the_format_that_it_names() {
    let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    let (head, body) = ask(Some(fixture::shared()), "GET", "/metrics", accept).await;
    assert_eq!(head.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(body.ends_with("# EOF\n"));
    let (_, body) = ask(Some(fixture::shared()), "GET", "/metrics", "*/*").await;
    assert!(!body.contains("# EOF"));
    let line = body.lines().find(|line| line.starts_with("dns_drift_finding{name=\"realtime.")).unwrap();
    for label in [
        "kind=\"failed_change\"",
        "reason=\"alias_target_not_in_zone\"",
        "severity=\"critical\"",
        "cause=\"invalid_desired:alias_on_ip\"",
        "label_team=\"shop\"",
    ] {
        assert!(line.contains(label), "{line}");
    }
}

#[tokio::test]
async fn bodies_are_compressed_for_those_who_ask() {
    let (_, plain) = ask(Some(fixture::shared()), "GET", "/metrics", "*/*").await;
    for encoding in ["gzip", "zstd"] {
        let request = Request::builder().uri("/metrics").header("accept-encoding", encoding);
        let app = router(state(Some(fixture::shared()), MAX_FINDING_SERIES));
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers()["content-encoding"], encoding);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let body = to_bytes(response.into_body(), 1 << 24).await.unwrap();
        assert!(body.len() * 3 < plain.len(), "{encoding}: {} of {}", body.len(), plain.len());
    }
}

#[test]
fn only_openmetrics_carries_the_exemplar_with_the_host() {
    let sample = "dns_drift_convergence_duration_seconds_bucket{le=\"120.0\",stage=\"live\"} 1";
    let openmetrics = encode(Format::OpenMetrics, Some(fixture::shared()), MAX_FINDING_SERIES);
    assert!(
        openmetrics.contains(&format!("\n{sample} # {{name=\"new.example.com\"}} 70.0\n")),
        "{openmetrics}"
    );
    let classic = encode(Format::Classic, Some(fixture::shared()), MAX_FINDING_SERIES);
    assert!(classic.contains(&format!("\n{sample}\n")), "{classic}");
}

#[test]
fn counts_by_zone_and_instance_are_complete() {
    let body = encode(Format::Classic, Some(fixture::shared()), 1);
    for line in [
        "dns_drift_zone_findings{zone=\"example.com\",zone_id=\"Z2\",state=\"open\"} 1",
        "dns_drift_zone_findings{zone=\"example.com\",zone_id=\"Z2\",state=\"muted\"} 0",
        "dns_drift_instance_findings{owner_id=\"gke-prod\",state=\"explained\"} 1",
        "dns_drift_finding_series_limit 1",
        "dns_drift_slow_convergences_total{stage=\"live\"} 1",
        "dns_drift_convergences_total{stage=\"live\"} 2",
        "dns_drift_aws_requests_total{operation=\"ListHostedZones\",outcome=\"throttled\"} 0",
    ] {
        assert!(body.contains(&format!("\n{line}\n")), "{line} in\n{body}");
    }
}

#[tokio::test]
async fn the_api_serves_the_report_as_it_is() {
    let (_, body) = ask(Some(fixture::shared()), "GET", "/api/v1/report", "*/*").await;
    assert_eq!(body, serde_json::to_string(&fixture::report()).unwrap());
    let path = "/api/v1/findings?state=open&severity=critical&kind=failed_change";
    let (_, body) = ask(Some(fixture::shared()), "GET", path, "*/*").await;
    let found: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(found["findings"].as_array().unwrap().len(), 1);
    assert_eq!(found["findings"][0]["subject"], "realtime.example.com/A");
    assert_eq!(found["format"], "dns-drift-api/1");
}

#[tokio::test]
async fn stopping_waits_for_idle_and_silent_clients_only_so_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, state(Some(fixture::shared()), MAX_FINDING_SERIES), stop.clone()));
    // One that never ends its request, and one that keeps its connection. Connections are taken in
    // order, so the answer to the second one tells that the first one is being served.
    let mut silent = TcpStream::connect(address).await.unwrap();
    silent.write_all(b"GET /metr").await.unwrap();
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 1024];
    let length = timeout(Duration::from_secs(5), idle.read(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200 OK\r\n"));
    stop.cancel();
    let within = CONNECTIONS_STOP_WITHIN + Duration::from_secs(3);
    let ended = timeout(within, tasks.join_next()).await.expect("stops in time");
    ended.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
}

const NARROW: Style = Style { width: Some(140), wide: false, colour: false };

#[test]
fn the_table_for_a_terminal() {
    let text = table::report(&fixture::report(), None, NARROW);
    insta::assert_snapshot!("table", text);
    assert!(!text.contains('\u{1b}'), "no colour unless asked for");
    let coloured = table::report(&fixture::report(), None, Style { colour: true, ..NARROW });
    assert!(coloured.contains("\u{1b}["));
}

#[test]
fn a_name_explained() {
    let explain = |name: &str| explain::name(&fixture::report(), &DomainName::new(name), NARROW);
    insta::assert_snapshot!("explain_finding", explain("realtime.example.com"));
    insta::assert_snapshot!("explain_explained", explain("api.example.com"));
    insta::assert_snapshot!("explain_silent", explain("static.example.com"));
    insta::assert_snapshot!("explain_hostile", explain(HOSTILE));
    insta::assert_snapshot!("explain_nothing", explain("www.example.org"));
}

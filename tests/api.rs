//! The JSON API: what it answers, that it answers as it says, and that nothing gets lost between
//! two pages.
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
#[allow(dead_code, reason = "the costs are for the exposition")]
mod fixture;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use dns_drift::board::Board;
use dns_drift::board::hosts::{HostFilter, HostState, hosts};
use dns_drift::board::progress::{Goal, progress};
use dns_drift::clock::SystemClock;
use dns_drift::engine::Engine;
use dns_drift::finding::{Kind, State};
use dns_drift::limits::{MAX_API_PAGE, MAX_WAITERS};
use dns_drift::model::zone::ZoneReading;
use dns_drift::publish::api::waiters::Waiters;
use dns_drift::publish::api::{Api, BASE, PATHS, openapi};
use dns_drift::publish::cost::NoCosts;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::server::serve_routes;
use dns_drift::publish::web::{WebState, router_with};
use dns_drift::replay::each_round;
use dns_drift::report::Report;
use dns_drift::snapshot::ViewState;
use fixture::HOSTILE;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

fn scenario(id: &str) -> Board {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(id);
    let mut engine = None;
    let mut last = None;
    each_round(&dir, |policy, snapshot| {
        let engine = engine.get_or_insert_with(|| Engine::new(policy.clone()));
        let report = Arc::new(engine.round(snapshot));
        last = Some(Board::new(report, snapshot.clone(), engine.shared_wants(), engine.lost().clone()));
    })
    .expect("a recording");
    last.expect("a round")
}

fn scenarios() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let all = std::fs::read_dir(folder).expect("scenarios").map(|entry| entry.expect("entry"));
    let mut ids: Vec<String> = all
        .filter(|entry| entry.path().join("recording.yaml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    ids.sort();
    ids
}

struct Served {
    routes: Router,
    rounds: watch::Sender<Option<Arc<Board>>>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Served {
    fn new(board: Option<Board>) -> Self {
        let (rounds, boards) = watch::channel(board.map(Arc::new));
        let (_latest, latest) = watch::channel::<Option<Arc<Report>>>(None);
        let registry = Arc::new(registry(latest.clone(), Arc::new(fixture::Costs::new()), 10));
        let web = WebState { latest, registry, costs: Arc::new(NoCosts), config_text: "{}".into() };
        let (waiters, _seen) = Waiters::new();
        let routes = router_with(web, Api::of_boards(boards, waiters, Arc::new(SystemClock)));
        Self { routes, rounds }
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_if(path, None).await
    }

    async fn get_if(&self, path: &str, tag: Option<&str>) -> Answer {
        let mut request = Request::builder().uri(format!("{BASE}{path}"));
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = self.routes.clone().oneshot(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, 1 << 26).await.expect("a body");
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// The status page at an address.
    async fn page(&self, path: &str) -> String {
        let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
        let response = self.routes.clone().oneshot(request).await.expect("an answer");
        let body = to_bytes(response.into_body(), 1 << 26).await.expect("a body");
        String::from_utf8(body.to_vec()).expect("text")
    }

    /// All rows of a list, page by page.
    async fn all(&self, list: &str, filter: &str, limit: usize) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut after = String::new();
        loop {
            let answer = self.get(&format!("/{list}?limit={limit}{filter}{after}")).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let page = answer.body[list].as_array().expect("rows").clone();
            assert!(page.len() <= limit);
            rows.extend(page);
            let Some(next) = answer.body["next"].as_str() else { return rows };
            after = format!("&after={}", encoded(next));
        }
    }
}

/// Percent-encoded, all but letters and digits.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("written");
        }
        out
    })
}

fn texts(rows: &[Value], member: &str) -> Vec<String> {
    rows.iter().map(|row| row[member].as_str().expect("a text").to_owned()).collect()
}

fn python() -> PathBuf {
    std::env::var_os("DNS_DRIFT_TEST_API").map_or_else(|| PathBuf::from("python3"), PathBuf::from)
}

const INSTALL: &str = "./test installs schemathesis and names its Python in DNS_DRIFT_TEST_API";

#[derive(Default)]
struct Told {
    lines: String,
    paths: BTreeSet<&'static str>,
}

impl Told {
    async fn ask(&mut self, served: &Served, path: &'static str, url: &str, expected: u16) -> Value {
        let answer = served.get(url).await;
        assert_eq!(answer.status, expected, "{url}: {}", answer.body);
        let content_type = answer.headers["content-type"].to_str().expect("text");
        let line = json!({"path": format!("{BASE}{path}"), "url": url, "status": answer.status,
            "content_type": content_type, "body": answer.body});
        writeln!(self.lines, "{line}").expect("written");
        self.paths.insert(path);
        answer.body
    }
}

/// Real answers over all recorded worlds, each held to the description.
#[tokio::test]
async fn every_answer_is_as_described() {
    let document = openapi::document();
    let described: BTreeSet<&str> =
        document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    let routed: Vec<String> = PATHS.iter().map(|path| format!("{BASE}{path}")).collect();
    assert_eq!(described, routed.iter().map(String::as_str).collect::<BTreeSet<_>>());

    let mut told = Told::default();
    let boards = scenarios().into_iter().map(|id| scenario(&id)).chain([Board::bare(fixture::shared())]);
    for board in boards {
        let served = Served::new(Some(board));
        told.ask(&served, "/report", "/report", 200).await;
        let findings = told.ask(&served, "/findings", "/findings?limit=1000", 200).await;
        for id in texts(findings["findings"].as_array().expect("rows"), "id") {
            told.ask(&served, "/findings/{id}", &format!("/findings/{id}"), 200).await;
        }
        let hosts = told.ask(&served, "/hosts", "/hosts?limit=1000", 200).await;
        for name in texts(hosts["hosts"].as_array().expect("rows"), "name") {
            let host = told.ask(&served, "/hosts/{name}", &format!("/hosts/{}", encoded(&name)), 200).await;
            assert_eq!(host["name"].as_str(), Some(&*name));
        }
        told.ask(&served, "/zones", "/zones", 200).await;
        told.ask(&served, "/instances", "/instances", 200).await;
        told.ask(&served, "/silent", "/silent?limit=1000", 200).await;
    }
    let served = Served::new(Some(scenario("D001")));
    told.ask(&served, "/openapi.json", "/openapi.json", 200).await;
    told.ask(&served, "/findings/{id}", "/findings/none", 404).await;
    told.ask(&served, "/hosts/{name}", "/hosts/nowhere.example.org", 404).await;
    told.ask(&served, "/hosts/{name}/wait", "/hosts/realtime.example.com/wait?timeout=0s", 504).await;
    told.ask(&served, "/hosts/{name}/wait", "/hosts/nowhere.example.org/wait?timeout=0", 404).await;
    for (path, url) in [
        ("/findings", "/findings?kind=nonsense"),
        ("/findings", "/findings?nonsense=1"),
        ("/findings", "/findings?limit=0"),
        ("/findings", "/findings?label=team"),
        ("/hosts", "/hosts?state=resolved"),
        ("/hosts", "/hosts?limit=1001"),
        ("/hosts/{name}/wait", "/hosts/realtime.example.com/wait?until=tomorrow"),
        ("/hosts/{name}/wait", "/hosts/realtime.example.com/wait?timeout=2h"),
        ("/hosts/{name}/wait", "/hosts/a..example.com/wait"),
        ("/silent", "/silent?reason=nonsense"),
    ] {
        told.ask(&served, path, url, 400).await;
    }
    let starting = Served::new(None);
    for path in PATHS.iter().filter(|path| !path.contains('{') && **path != "/openapi.json") {
        told.ask(&starting, path, path, 503).await;
    }
    assert_eq!(told.paths, PATHS.into_iter().collect());

    let folder = tempfile::tempdir().expect("folder");
    let (schema, answers) = (folder.path().join("openapi.json"), folder.path().join("answers.jsonl"));
    std::fs::write(&schema, document.to_string()).expect("written");
    std::fs::write(&answers, &told.lines).expect("written");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/validate.py");
    let run = Command::new(python()).args([script.as_ref(), schema.as_path(), answers.as_path()]).output();
    let output = run.unwrap_or_else(|error| panic!("{INSTALL}: {error}"));
    assert!(output.status.success(), "{INSTALL}: {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

/// A stranger to the code asks what the description allows, and much that it does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_finds_nothing_that_is_not_described() {
    let served = Served::new(Some(scenario("D001")));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    tasks.spawn(serve_routes(listener, served.routes.clone(), stop.clone()));
    let asking = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().expect("folder");
        // What is too long for a request line is refused before anybody reads it.
        let refusals =
            "[checks]\nnegative_data_rejection.expected-statuses = [\"400\", \"404\", \"405\", \"431\"]\n";
        std::fs::write(folder.path().join("schemathesis.toml"), refusals).expect("written");
        Command::new(python())
            .args(["-m", "schemathesis.cli", "run", &format!("{base}/api/v1/openapi.json")])
            .args([
                "--phases=coverage,fuzzing",
                "--max-examples=10",
                "--seed=1",
                "--generation-deterministic",
            ])
            // Who waits answers late by design.
            .args(["--exclude-operation-id=wait", "--workers=1", "--no-color"])
            .current_dir(folder.path())
            .output()
    });
    let output = asking.await.expect("no panic").unwrap_or_else(|error| panic!("{INSTALL}: {error}"));
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{INSTALL}: {said}\n{errors}");
    assert!(said.contains("Tested: 8"), "{said}");
    stop.cancel();
}

#[tokio::test]
async fn pages_are_complete_whatever_their_size() {
    let mut report = fixture::report();
    for number in 0..250 {
        let subject = fixture::record(&format!("host-{}.example.com", number * 7919 % 250));
        report.findings.push(fixture::finding(&format!("{:016x}", number * 7919 % 1_000_003 + 100), subject));
    }
    let expected = report.findings.len();
    let served = Served::new(Some(Board::bare(Arc::new(report))));
    let ids = texts(&served.all("findings", "", MAX_API_PAGE).await, "id");
    assert_eq!(ids.len(), expected);
    let names = texts(&served.all("hosts", "", MAX_API_PAGE).await, "name");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    for limit in [1, 7, 100] {
        assert_eq!(texts(&served.all("findings", "", limit).await, "id"), ids, "{limit}");
        assert_eq!(texts(&served.all("hosts", "", limit).await, "name"), names, "{limit}");
    }
    let open = served.all("hosts", "&state=open&q=host-1", 10).await;
    assert_eq!(open.len(), 111);
}

/// What stands all the time is on some page, even if rounds with other findings come between.
#[tokio::test]
async fn a_round_between_two_pages_loses_nothing() {
    let finding = |id: &str| fixture::finding(id, fixture::record(&format!("{id}.example.com")));
    let round = |ids: &[&str]| {
        let findings = ids.iter().map(|id| finding(id)).collect();
        Board::bare(Arc::new(Report { findings, ..fixture::report() }))
    };
    let served = Served::new(Some(round(&["b", "d", "f", "h"])));
    let first = served.get("/findings?limit=2").await.body;
    assert_eq!(texts(first["findings"].as_array().unwrap(), "id"), ["b", "d"]);
    served.rounds.send_replace(Some(Arc::new(round(&["a", "b", "e", "f", "h"]))));
    let rest = served.get(&format!("/findings?after={}", first["next"].as_str().unwrap())).await.body;
    assert_eq!(texts(rest["findings"].as_array().unwrap(), "id"), ["e", "f", "h"]);
    assert_eq!(rest["next"], Value::Null);
}

/// The list of hosts has each name that anybody wants or that stands anywhere.
#[tokio::test]
async fn the_hosts_are_all_names() {
    for id in scenarios() {
        let board = scenario(&id);
        let wanted = board.wants.iter().flat_map(|one| &one.wants).map(|want| want.name.to_string());
        let sets = board.zones().flat_map(ZoneReading::records).filter(|set| set.record_type.is_address());
        let expected: BTreeSet<String> = wanted.chain(sets.map(|set| set.name.to_string())).collect();
        let open: BTreeSet<String> = board
            .report
            .findings
            .iter()
            .filter(|finding| finding.state == State::Open)
            .filter_map(|finding| Some(finding.subject.record()?.name.to_string()))
            .collect();
        let served = Served::new(Some(board));
        let rows = served.all("hosts", "", 3).await;
        let names = texts(&rows, "name");
        assert!(names.is_sorted(), "{id}: {names:?}");
        let found: BTreeSet<String> = names.iter().cloned().collect();
        assert_eq!(found.len(), names.len(), "{id}: {names:?}");
        assert!(expected.is_subset(&found), "{id}: {expected:?} {found:?}");
        let rows = served.all("hosts", "&state=open", 2).await;
        assert_eq!(texts(&rows, "name").into_iter().collect::<BTreeSet<_>>(), open, "{id}");
        let zones = served.get("/zones").await.body;
        for zone in zones["zones"].as_array().unwrap().iter().map(|zone| zone["id"].as_str().unwrap()) {
            for row in served.all("hosts", &format!("&zone={zone}"), 50).await {
                assert!(row["zones"].as_array().unwrap().iter().any(|one| one["id"] == zone), "{id}: {row}");
            }
        }
        let mut counted = 0;
        for state in HostState::ALL {
            counted += served.all("hosts", &format!("&state={}", state.as_str()), 50).await.len();
        }
        assert_eq!(counted, names.len(), "{id}");
    }
}

/// The page and the API are two forms of one list.
#[tokio::test]
async fn the_page_of_hosts_has_the_rows_of_the_api() {
    let mut heard = BTreeSet::new();
    for id in scenarios() {
        let served = Served::new(Some(scenario(&id)));
        for filter in [
            "",
            "state=open",
            "state=in_sync",
            "q=realtime",
            "namespace=shop",
            "team=shop",
            "zone=example.com",
        ] {
            // Both show a hundred at a time.
            let answer = served.get(&format!("/hosts?{filter}")).await.body;
            let rows = answer["hosts"].as_array().expect("rows");
            let page = served.page(&format!("/hosts?{filter}")).await;
            let shown: Vec<&str> = page
                .split("<th scope=\"row\"><a href=\"/hosts/")
                .skip(1)
                .map(|row| row.split_once("</a>").expect("a link").0.split_once('>').expect("a link").1)
                .collect();
            assert_eq!(shown, texts(rows, "name"), "{id} {filter}");
            for row in rows {
                let word = row["live"].as_str().unwrap_or("not asked");
                assert!(page.contains(&format!("<td>{word}</td>")), "{id}: {row}");
                if let Some(why) = row["why"].as_str() {
                    assert!(page.contains(&format!("<code>{why}</code>")), "{id}: {row}");
                }
                heard.insert(word.to_owned());
            }
        }
    }
    let expected = ["answered", "denied", "mixed", "not asked"];
    assert_eq!(heard.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    // A wildcard is asked for by names that nobody has.
    let served = Served::new(Some(scenario("D059")));
    let row = &served.all("hosts", &format!("&q={}", encoded("*.d.")), 10).await[0];
    assert_eq!((&row["name"], &row["live"]), (&json!("*.d.example.com"), &json!("answered")));
    let served = Served::new(Some(scenario("D001")));
    let row = &served.all("hosts", "&q=realtime", 10).await[0];
    assert_eq!(
        (&row["state"], &row["why"], &row["live"]),
        (&json!("open"), &json!("failed_change"), &json!("denied"))
    );
}

#[tokio::test]
async fn the_four_views_of_the_broken_host() {
    let served = Served::new(Some(scenario("D001")));
    let host = served.get("/hosts/REALTIME.example.com.").await.body;
    assert_eq!((&host["name"], &host["state"]), (&json!("realtime.example.com"), &json!("open")));
    assert_eq!(host["wanted"][0]["record"]["type"], "A", "{host:#}");
    assert_eq!(host["wanted"][0]["invalid"], "alias_on_ip", "{host:#}");
    assert_eq!(host["recorded"][0]["records"], json!({}), "{host:#}");
    assert!(host["live"].as_array().unwrap().iter().any(|row| row["outcome"] == "nxdomain"), "{host:#}");
    assert_eq!(host["changes"][0]["outcome"], "refused", "{host:#}");
    assert_eq!(host["findings"][0]["kind"], "failed_change");
    let id = host["findings"][0]["id"].as_str().unwrap();
    assert_eq!(served.get(&format!("/findings/{id}")).await.body, host["findings"][0]);
    for (filter, expected) in [
        ("kind=failed_change&state=open&severity=critical", 1),
        ("host=realtime.example.com", 1),
        ("namespace=nowhere", 0),
        ("q=REALTIME", 1),
        ("zone=example.com&kind=failed_change", 1),
        ("team=nobody", 0),
        ("label=team%3Dnobody", 0),
        ("instance=nobody", 0),
    ] {
        let found = served.get(&format!("/findings?{filter}")).await.body;
        assert_eq!(found["total"], expected, "{filter}: {found}");
    }
}

#[tokio::test]
async fn an_answer_of_the_same_round_is_not_sent_twice() {
    let served = Served::new(Some(scenario("D001")));
    for path in
        ["/report", "/findings?state=open", "/hosts", "/hosts/realtime.example.com", "/zones", "/silent"]
    {
        let first = served.get(path).await;
        let tag = first.headers["etag"].to_str().unwrap().to_owned();
        assert_eq!(first.headers["cache-control"], "private, no-cache");
        for known in [tag.as_str(), "*", &format!("\"old\", {tag}")] {
            let second = served.get_if(path, Some(known)).await;
            assert_eq!((second.status, &second.body), (304, &Value::Null), "{path}");
            assert_eq!(second.headers["etag"].to_str().unwrap(), tag);
        }
        assert_eq!(served.get_if(path, Some("W/\"old\"")).await.status, 200);
    }
    let before = served.get("/report").await.headers["etag"].clone();
    served.rounds.send_replace(Some(Arc::new(Board::bare(fixture::shared()))));
    assert_eq!(served.get_if("/report", Some(before.to_str().unwrap())).await.status, 200);
}

#[tokio::test]
async fn what_outsiders_wrote_stays_text() {
    let served = Served::new(Some(Board::bare(fixture::shared())));
    let found = served.get(&format!("/findings?q={}", encoded("<script>"))).await;
    assert_eq!(found.headers["content-type"], "application/json");
    assert_eq!(found.headers["x-content-type-options"], "nosniff");
    assert_eq!(found.body["total"], 1);
    let name = found.body["findings"][0]["subject"].as_str().unwrap().strip_suffix("/A").unwrap().to_owned();
    assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
    let host = served.get(&format!("/hosts/{}", encoded(HOSTILE))).await;
    assert_eq!((host.status, host.body["name"].as_str()), (200, Some(&*name)), "{}", host.body);
    let error = served.get(&format!("/hosts/{}", encoded("\u{1b}[31m<b>"))).await;
    assert_eq!(
        (error.status, &error.headers["content-type"]),
        (404, &"application/problem+json".parse().unwrap())
    );
    assert!(!error.body["detail"].as_str().unwrap().contains('\u{1b}'), "{}", error.body);
    for path in ["/nowhere", "/hosts/a/b/c"] {
        let answer = served.get(path).await;
        assert_eq!(
            (answer.status, &answer.body["type"]),
            (404, &json!("urn:dns-drift:problem:no-such-path"))
        );
    }
    let long = "x".repeat(5_000);
    assert_eq!(served.get(&format!("/findings?q={long}")).await.status, 400);
    assert_eq!(served.get(&format!("/hosts/{long}")).await.status, 400);
}

/// What is in order is recorded; but what was read before the question proves nothing about it.
#[test]
fn only_what_was_read_since_counts() {
    let mut seen = 0;
    for id in scenarios() {
        let board = scenario(&id);
        // Nobody knows what is wanted now.
        if board.snapshot.kubernetes.state != ViewState::Read {
            continue;
        }
        let rows = hosts(
            &board,
            &HostFilter { state: Some(HostState::InSync), ..HostFilter::default() },
            None,
            1_000,
        );
        for row in rows.rows.iter().filter(|row| row.wanted && row.recorded) {
            let at = |goal, since| progress(&board, &row.name, goal, since);
            let recorded = at(Goal::Recorded, Timestamp::MIN);
            assert!(recorded.reached && recorded.missing.is_empty(), "{id}: {recorded:?}");
            assert!(!at(Goal::Absent, Timestamp::MIN).reached, "{id}: {}", row.name);
            for goal in Goal::ALL {
                let later = at(goal, Timestamp::MAX);
                assert!(!later.reached && !later.missing.is_empty(), "{id}: {later:?}");
            }
            seen += usize::from(at(Goal::Live, Timestamp::MIN).reached);
        }
        let missing = board.report.findings.iter().filter(|one| one.kind == Kind::MissingRecord);
        for name in missing.filter_map(|one| Some(one.subject.record()?.name.clone())) {
            assert!(!progress(&board, &name, Goal::Recorded, Timestamp::MIN).reached, "{id}: {name}");
        }
    }
    assert!(seen > 20, "only {seen} hosts are live");
}

/// Waiting never takes all the places of those who ask without waiting, and ends with its time.
#[tokio::test]
async fn who_waits_is_counted() {
    let served = Served::new(Some(scenario("D001")));
    let mut waiting = Vec::new();
    for _ in 0..MAX_WAITERS {
        let mut asked = Box::pin(served.get("/hosts/realtime.example.com/wait?timeout=30m"));
        assert!(futures::poll!(asked.as_mut()).is_pending());
        waiting.push(asked);
    }
    let refused = served.get("/hosts/realtime.example.com/wait?timeout=0s").await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (429, &"10".parse().unwrap()));
    assert_eq!(served.get("/hosts/realtime.example.com").await.status, 200);
    drop(waiting);
    let late = served.get("/hosts/realtime.example.com/wait?timeout=0s&until=recorded").await;
    assert_eq!((late.status, &late.body["progress"]["stage"]), (504, &json!("wanted")), "{}", late.body);
    assert!(late.body["progress"]["missing"].to_string().contains("failed_change"), "{}", late.body);
    let nobody = served.get("/hosts/nowhere.example.com/wait?timeout=0s").await;
    assert_eq!(nobody.status, 404, "{}", nobody.body);
}

/// Who asks about a host that is well wants to see that, and from what.
#[tokio::test]
async fn a_host_without_finding_shows_what_every_view_says() {
    let mut seen = BTreeSet::new();
    for id in scenarios() {
        let served = Served::new(Some(scenario(&id)));
        for state in ["in_sync", "unwanted", "silent"] {
            let answer = served.get(&format!("/hosts?limit=1&state={state}")).await;
            let Some(host) = answer.body["hosts"].as_array().and_then(|rows| rows.first()).cloned() else {
                continue;
            };
            let name = host["name"].as_str().expect("a name");
            let about = served.get(&format!("/hosts/{}", encoded(name))).await.body;
            if about["findings"].as_array().is_none_or(|findings| !findings.is_empty()) {
                continue;
            }
            let page = served.page(&format!("/hosts/{}", encoded(name))).await;
            let verdict = match state {
                "in_sync" => "Nothing is wrong: what is wanted is recorded and answered.",
                "silent" => "It is left alone, by a rule.",
                _ => "It stands in a zone, and no instance wants it.",
            };
            assert!(page.contains(verdict), "{id} {name} {state}: {page}");
            for words in
                ["what the objects ask for", "what Route 53 holds", "what DNS answers", "what was tried"]
            {
                assert!(page.contains(words), "{id} {name} {state}: {words} in {page}");
            }
            let values = about["recorded"]
                .as_array()
                .expect("rows")
                .iter()
                .flat_map(|row| row["records"]["values"].as_array().cloned().unwrap_or_default());
            for value in values.take(1) {
                assert!(page.contains(value.as_str().expect("text")), "{id} {name}: {value} in {page}");
            }
            seen.insert(state);
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["in_sync", "silent", "unwanted"]);
}

//! `check --server`: the built program asks a server, and says what one that judged for itself would.
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

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use dns_drift::board::Board;
use dns_drift::clock::SystemClock;
use dns_drift::engine::Engine;
use dns_drift::publish::api::Api;
use dns_drift::publish::api::waiters::Waiters;
use dns_drift::publish::cost::NoCosts;
use dns_drift::publish::metrics::registry;
use dns_drift::publish::role::{Role, Roles, alone};
use dns_drift::publish::server::serve_guarded;
use dns_drift::publish::web::{WebState, router_with};
use dns_drift::publish::web_config::WebConfig;
use dns_drift::publish::web_config::guard::WebGuard;
use dns_drift::replay::{each_round, replay};
use dns_drift::report::Report;
use dns_drift::report::read;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Exit code, standard output, standard error.
type Said = (Option<i32>, String, String);

async fn run(args: &[&str]) -> Said {
    let args: Vec<String> = args.iter().map(|one| (*one).to_owned()).collect();
    let running = spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_dns-drift")).arg("check").args(args).env_clear().output()
    });
    let output = running.await.unwrap().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn scenario(id: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(id)
}

fn board(id: &str) -> Board {
    let (mut engine, mut last) = (None, None);
    each_round(&scenario(id), |policy, snapshot| {
        let engine = engine.get_or_insert_with(|| Engine::new(policy.clone()));
        let report = Arc::new(engine.round(snapshot));
        last = Some(Board::new(report, snapshot.clone(), engine.shared_wants(), engine.lost().clone()));
    })
    .expect("a recording");
    last.expect("a round")
}

/// A server that ends with the test.
struct Served {
    address: SocketAddr,
    rounds: watch::Sender<Option<Arc<Board>>>,
    _tasks: JoinSet<()>,
}

async fn serve(routes: Router, web: WebConfig, roles: Roles) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let guard = WebGuard::new(watch::channel(Arc::new(web)).1, roles);
    let mut tasks = JoinSet::new();
    let serving = serve_guarded(listener, routes, guard, CancellationToken::new());
    tasks.spawn(async move { serving.await.unwrap() });
    (address, tasks)
}

impl Served {
    async fn start(board: Option<Board>, web: WebConfig, roles: Roles) -> Self {
        let (rounds, boards) = watch::channel(board.map(Arc::new));
        let (_out, latest) = watch::channel::<Option<Arc<Report>>>(None);
        let registry = Arc::new(registry(latest.clone(), Arc::new(NoCosts), 10));
        let state = WebState { latest, registry, costs: Arc::new(NoCosts), config_text: "{}".into() };
        let (waiters, _seen) = Waiters::new();
        let routes = router_with(state, Api::of_boards(boards, waiters, Arc::new(SystemClock)));
        let (address, tasks) = serve(routes, web, roles).await;
        Self { address, rounds, _tasks: tasks }
    }

    async fn plain(board: Board) -> Self {
        Self::start(Some(board), WebConfig::default(), alone()).await
    }

    fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// A server that answers every path in one way.
async fn answering(
    status: StatusCode,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
) -> (String, JoinSet<()>) {
    let headers: Vec<(header::HeaderName, &str)> =
        headers.iter().map(|(name, value)| (name.parse().unwrap(), *value)).collect();
    let answer = move || async move { (status, axum::response::AppendHeaders(headers), body) };
    let (address, tasks) = serve(Router::new().fallback(get(answer)), WebConfig::default(), alone()).await;
    (format!("http://{address}"), tasks)
}

/// Whatever a report says survives the way through the API.
#[test]
fn every_report_comes_back_as_it_was() {
    let all = fs::read_dir(scenario("")).expect("scenarios").map(|entry| entry.expect("entry").path());
    let mut reports: Vec<Report> = all
        .filter(|path| path.join("recording.yaml").exists())
        .map(|path| replay(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect();
    assert!(reports.len() > 80, "only {} scenarios", reports.len());
    reports.push(fixture::report());
    for report in reports {
        let json = serde_json::to_string(&report).expect("JSON");
        let back = read::report(json.as_bytes()).unwrap_or_else(|error| {
            panic!("{error}: {:?} in {:.2000}", std::error::Error::source(&error), json)
        });
        let again = serde_json::to_string(&back).expect("JSON");
        assert!(again == json, "{:.300}", again.get(first_difference(&again, &json)..).unwrap_or_default());
    }
}

fn first_difference(left: &str, right: &str) -> usize {
    left.bytes().zip(right.bytes()).take_while(|(one, other)| one == other).count().saturating_sub(100)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verdict_of_a_server_is_that_of_its_sources() {
    let recording = scenario("D001").display().to_string();
    let served = Served::plain(board("D001")).await;
    let url = served.url();
    let folder = tempfile::tempdir().unwrap();
    let known = folder.path().join("known.json");
    fs::write(&known, run(&["--recording", &recording, "-o", "json"]).await.1).unwrap();
    let known = known.display().to_string();
    for (more, code) in [
        (&["-o", "json"][..], 1),
        (&["-o", "table"], 1),
        (&["-o", "wide"], 1),
        (&["-o", "yaml"], 1),
        (&["-o", "junit"], 1),
        (&["-o", "sarif"], 1),
        (&["-o", "markdown"], 1),
        (&["--fail-on", "critical"], 1),
        (&["--baseline", &known], 0),
        (&["realtime.example.com"], 1),
        (&["fine.example.com"], 0),
    ] {
        let there = run(&[&["--server", &url], more].concat()).await;
        let here = run(&[&["--recording", &recording], more].concat()).await;
        assert_eq!((there.0, &there.1), (Some(code), &here.1), "{more:?}: {}", there.2);
        assert_eq!(there.0, here.0, "{more:?}");
    }
    // The recording is from another day.
    let (_, _, stderr) = run(&["--server", &url]).await;
    assert!(stderr.contains("the last round is old") && stderr.contains("2026-11-23T10:00:00Z"), "{stderr}");
    // A view that the server lacks is none that we have.
    let mut blind = Report::clone(&board("D001").report);
    let route53 = blind.views.get_mut(&dns_drift::snapshot::ViewName::Route53).unwrap();
    route53.state = dns_drift::snapshot::ViewState::Stale;
    served.rounds.send_replace(Some(Arc::new(Board::bare(Arc::new(blind)))));
    assert_eq!(run(&["--server", &url]).await.0, Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_waits_at_the_server() {
    let served = Served::plain(board("D001")).await;
    let url = served.url();
    let args = ["realtime.example.com", "--server", &url, "--wait", "1s", "-o", "json"];
    let (code, stdout, stderr) = run(&args).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains("\"failed_change\""), "{stdout}");
    assert!(stderr.contains("waited in vain") && stderr.contains("failed_change"), "{stderr}");
    let (code, _, stderr) = run(&["nobody.example.com", "--server", &url, "--wait", "1s"]).await;
    assert_eq!(code, Some(1), "{stderr}");
    let (code, _, stderr) = run(&["nobody.example.com", "--server", &url, "--wait", "2h"]).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("400 Bad Request: timeout=\"7200s\" is no duration up to 1800s"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_say_what_to_do_next() {
    let check = async |url: &str, more: &[&str], code: i32, words: &str| {
        let (found, stdout, stderr) = run(&[&["--server", url], more].concat()).await;
        assert_eq!((found, stdout.as_str()), (Some(code), ""), "{url}: {stderr}");
        assert!(stderr.contains(words), "{words} in {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    };
    check("dns-drift:9853", &[], 2, "is no address of a server; for example http://dns-drift.dns:9853").await;
    check("http://me:secret@localhost/", &[], 2, "is no address of a server").await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check(&format!("http://{closed}"), &[], 3, "connect: Connection refused").await;
    let (url, _tasks) = answering(StatusCode::OK, &[("content-type", "text/html")], "<h1>hello</h1>").await;
    check(&url, &[], 2, "is no dns-drift, or one without this API: it answers 200 OK to /api/v1/report")
        .await;
    let (url, _tasks) = answering(StatusCode::NOT_FOUND, &[], "nothing\u{1b}[31m").await;
    check(&url, &[], 2, "is no dns-drift, or one without this API: it answers 404").await;
    let (url, _tasks) = answering(StatusCode::FOUND, &[("location", "https://login.example.com/")], "").await;
    check(&url, &[], 2, "it sends us to https://login.example.com/, name that").await;
    let (url, _tasks) = answering(StatusCode::BAD_GATEWAY, &[], "no upstream\nmore").await;
    check(&url, &[], 3, "502 Bad Gateway: no upstream").await;
    let (url, _tasks) =
        answering(StatusCode::OK, &[], "{\"format\": \"dns-drift-report/9\", \"rounds\": []}").await;
    check(
        &url,
        &[],
        2,
        "use a dns-drift of the same version as the server: its format is \"dns-drift-report/9\"",
    )
    .await;
    let (url, _tasks) =
        answering(StatusCode::OK, &[], "{\"format\": \"dns-drift-report/1\", \"at\": 7}").await;
    check(&url, &[], 2, "another version of dns-drift has made it").await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    check(&url, &["--server-login-file", &file("a", "nobody\n")], 2, "holds no USER:PASSWORD").await;
    check(&url, &["--server-token-file", &file("b", "two\nlines")], 2, "holds no bearer token").await;
    check(&url, &["--server-token-file", "/nonexistent"], 2, "read /nonexistent: ").await;
    check("https://127.0.0.1:1", &["--server-ca-file", "/nonexistent"], 2, "/nonexistent").await;
    let (code, _, stderr) = run(&["--server", &url, "--recording", "x"]).await;
    assert_eq!(code, Some(2));
    assert!(stderr.contains("cannot be used with"), "{stderr}");
}

fn web_config(folder: &Path, text: &str) -> WebConfig {
    let file = folder.join("web.yml");
    fs::write(&file, text).unwrap();
    WebConfig::load(&file).unwrap()
}

fn login(folder: &Path, text: &str) -> String {
    let path = folder.join("login");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guarded_server_wants_tls_and_a_login() {
    let folder = TempDir::new().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![String::from("127.0.0.1")]).unwrap().signed_by(&key, &authority);
    fs::write(folder.path().join("tls.crt"), leaf.unwrap().pem()).unwrap();
    fs::write(folder.path().join("tls.key"), key.serialize_pem()).unwrap();
    let authorities = folder.path().join("ca.pem");
    fs::write(&authorities, authority.pem()).unwrap();
    let authorities = authorities.display().to_string();
    let hash = bcrypt::hash("se:cret", 4).unwrap();
    let text = format!(
        "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\nbasic_auth_users:\n  ops: {hash}\n"
    );
    let web = web_config(folder.path(), &text);
    let served = Served::start(Some(board("D001")), web, alone()).await;
    let url = format!("https://{}", served.address);
    let (code, _, stderr) = run(&["--server", &url]).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("an authority of your own is named by --server-ca-file"), "{stderr}");
    let trusted = ["--server", &url, "--server-ca-file", &authorities];
    let (code, _, stderr) = run(&trusted).await;
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("answers 401: name the credentials by --server-login-file"), "{stderr}");
    let file = login(folder.path(), "ops:se:cret\n");
    let (code, stdout, stderr) = run(&[&trusted[..], &["--server-login-file", &file]].concat()).await;
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains("realtime.example.com"), "{stdout}");
    let wrong = login(folder.path(), "ops:sesame");
    let (code, _, stderr) = run(&[&trusted[..], &["--server-login-file", &wrong]].concat()).await;
    assert_eq!(code, Some(2));
    assert!(stderr.contains("answers 401") && !stderr.contains("sesame"), "{stderr}");
}

/// A proxy in front sees the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_sent_as_one() {
    let folder = TempDir::new().unwrap();
    let report = serde_json::to_string(&*board("D001").report).unwrap();
    let answer = move |headers: HeaderMap| async move {
        let welcome = headers.get("authorization").is_some_and(|value| value == "Bearer abc.def");
        if welcome { (StatusCode::OK, report) } else { (StatusCode::UNAUTHORIZED, String::new()) }
    };
    let routes = Router::new().route("/tools/api/v1/report", get(answer));
    let (address, _tasks) = serve(routes, WebConfig::default(), alone()).await;
    let url = format!("http://{address}/tools/");
    assert_eq!(run(&["--server", &url]).await.0, Some(2));
    let token = login(folder.path(), "abc.def\n");
    let (code, _, stderr) = run(&["--server", &url, "--server-token-file", &token]).await;
    assert_eq!(code, Some(1), "{stderr}");
}

/// What a replica on standby has is old, and one that has just started has nothing: both pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_ready_is_asked_again() {
    let (roles_out, roles) = watch::channel(Role::Standby);
    let served = Served::start(Some(board("D002")), WebConfig::default(), roles).await;
    let url = served.url();
    let mut asking = JoinSet::new();
    asking.spawn(async move { run(&["--server", &url, "-o", "json"]).await });
    sleep(Duration::from_millis(1_500)).await;
    assert!(asking.try_join_next().is_none(), "an old report is no verdict");
    served.rounds.send_replace(None);
    roles_out.send_replace(Role::Leader);
    sleep(Duration::from_millis(1_500)).await;
    assert!(asking.try_join_next().is_none(), "there is no report");
    served.rounds.send_replace(Some(Arc::new(board("D001"))));
    let (code, stdout, stderr) = asking.join_next().await.unwrap().unwrap();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.contains("\"failed_change\""), "{stdout}");
}

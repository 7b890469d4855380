//! The status page as a browser gets it, without a browser: what is on it, what cannot get onto it,
//! what is asked for again, who is told of rounds, and how long large lists take.

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

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::{Extension, Router};
use dns_drift::finding::{State, Subject};
use dns_drift::limits::{MAX_LISTENERS, MAX_PAGE_ROWS};
use dns_drift::model::instance::{PodHealth, Trap};
use dns_drift::model::{DomainName, ObjectRef, ZoneId};
use dns_drift::publish::metrics::registry;
use dns_drift::publish::role::Role;
use dns_drift::publish::web::{WebState, router};
use dns_drift::report::{InstanceDetails, Report, Step};
use fixture::{Costs, HOSTILE, at, finding, record};
use futures::StreamExt;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use tokio::sync::watch;
use tokio::time::timeout;
use tower::ServiceExt;

type Sender = watch::Sender<Option<Arc<Report>>>;

fn app(report: Option<Report>) -> (Sender, Router) {
    let (sender, latest) = watch::channel(report.map(Arc::new));
    let costs = Arc::new(Costs::new());
    let registry = Arc::new(registry(latest.clone(), costs.clone(), 10));
    (sender, router(WebState { latest, registry, costs, config_text: "".into() }))
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

async fn get_with(app: &Router, path: &str, tag: &str) -> Answer {
    let request = Request::builder().uri(path).header("if-none-match", tag).body(Body::empty()).unwrap();
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, 1 << 24).await.unwrap();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

async fn get(report: Report, path: &str) -> Answer {
    get_with(&app(Some(report)).1, path, "\"none\"").await
}

/// Text as the page shows it, for comparing: tags away, references back, spaces squeezed.
fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for character in html.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            other if !inside => out.push(other),
            _ => {}
        }
    }
    let plain = out.replace("&quot;", "\"").replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">");
    plain.replace("&amp;", "&").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn the_overview_has_the_urgent_ones_first() {
    let page = get(fixture::report(), "/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("<title>dns-drift: 5 open</title>"));
    let place = |words: &str| page.body.find(words).unwrap_or_else(|| panic!("{words} is missing"));
    assert!(place(">realtime.example.com<") < place(">api.example.com<"));
    assert!(place(">api.example.com<") < place(">old.example.com<"));
    assert!(page.body.contains(
        "<time datetime=\"2026-11-23T09:00:00Z\" title=\"2026-11-23 09:00:00 UTC\">1 h 1 min</time>"
    ));
    let shown = text(&page.body);
    for words in [
        "failed_change alias_target_not_in_zone, because of invalid_desired:alias_on_ip",
        "Ingress/shop/web",
        "route53: stale 30 min ago",
        "A in example.com (private)",
    ] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let (_sender, starting) = app(None);
    let page = get_with(&starting, "/", "").await;
    assert!(page.body.contains("The first round has not ended yet"));
    assert!(page.headers.get("etag").is_none());
}

#[tokio::test]
async fn filters_live_in_the_url() {
    let check = async |query: &str, hosts: &[&str]| {
        let page = get(fixture::report(), query).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        let list = page.body.split_once("id=\"list\"").unwrap().1;
        let rows: Vec<String> = list
            .split("<th scope=\"row\"><a href=\"")
            .skip(1)
            .map(|row| text(row.split_once("</a>").unwrap().0.split_once('>').unwrap().1))
            .collect();
        assert_eq!(rows, hosts, "{query}");
    };
    check("/?kind=failed_change", &["realtime.example.com"]).await;
    check("/?state=resolved", &["old.example.com"]).await;
    check("/?state=explained&severity=critical&team=shop", &["api.example.com"]).await;
    check("/?zone=Z2", &["twin.example.com"]).await;
    check("/?zone=EXAMPLE.com.&q=TWIN", &["twin.example.com", "twin.example.com"]).await;
    check("/?zone=example.com&kind=delegation_broken", &["example.com"]).await;
    check("/?q=alias_on_ip", &["realtime.example.com"]).await;
    check("/?namespace=nowhere", &[]).await;
    check("/?state=nonsense", &[]).await;
    check("/?instance=gke-prod&q=old.&utm_source=mail", &["old.example.com"]).await;
    let page = get(fixture::report(), "/?q=%22%3E%3Cscript%3E&zone=example.com&page=9").await;
    assert!(page.body.contains("value=\"&quot;&gt;&lt;script&gt;\""));
    let twice = get(fixture::report(), "/?q=a&q=b").await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    assert!(twice.body.contains("Each filter may come once"));
}

#[tokio::test]
async fn a_host_has_its_views_its_mend_and_its_history() {
    let mut report = fixture::report();
    let step = |at, state| Step {
        at,
        state,
        reason: report.findings[0].reason,
        severity: report.findings[0].severity,
        impact: report.findings[0].impact,
    };
    report.findings[0].steps = vec![
        step(at("2026-11-23T09:00:00.5Z"), State::Pending),
        step(at("2026-11-23T09:02:00Z"), State::Open),
    ];
    let page = get(report, "/hosts/Realtime.example.com.").await;
    assert_eq!(page.status, StatusCode::OK);
    let shown = text(&page.body);
    for words in [
        "realtime.example.com",
        "Something is wrong with this name.",
        "Hosted zone example.com (public, Z1)",
        "Wanted what the objects ask for type A ttl 300 values 203.0.113.10",
        "Recorded what Route 53 holds no such record",
        "Live what DNS answers public NXDOMAIN",
        "Changes what was tried refused alias_target_not_in_zone",
        "Evidence InvalidChangeBatch: [Tried to create an alias ...]",
        "Remove the alias annotation.",
        "kubectl -n shop annotate ingress web alias-",
        "also missing_record (absent)",
        "See also",
        "The view route53 is stale: not read is not absent.",
        "When Finding State What changed 2026-11-23 09:02:00 UTC 59 min ago failed_change open opened",
        "2026-11-23 09:00:00 UTC 1 h ago failed_change pending seen: critical, impact down",
    ] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    let quiet = get(fixture::report(), "/hosts/static.example.com").await;
    assert!(text(&quiet.body).contains("class_filter class internal is not one of nginx"));
    let unknown = get(fixture::report(), "/hosts/nobody.example.org").await;
    assert_eq!(unknown.status, StatusCode::OK);
    assert!(text(&unknown.body).contains("No view has ever heard of this name."));
    let long = get(fixture::report(), &format!("/hosts/{}", "a".repeat(600))).await;
    assert_eq!(long.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn zones_instances_and_findings_have_pages() {
    let mut report = fixture::report();
    report.instances[0].details = InstanceDetails {
        flags: vec![("--policy", String::from("upsert-only"))],
        unknown_flags: vec![String::from("--new-thing")],
        traps: vec![Trap { text: "It bites.", source: "#1" }],
        pods: vec![PodHealth {
            name: "external-dns-1".into(),
            namespace: "dns".into(),
            uid: "u".into(),
            ready: false,
            restarts: 7,
            waiting: Some("CrashLoopBackOff".into()),
            last_exit: Some(1),
            last_run: None,
            started_at: Some(at("2026-11-23T10:00:00Z")),
            created_at: None,
        }],
        zones: [(ZoneId::new("Z1"), 11)].into(),
        changed_at: Some(at("2026-11-23T08:00:00Z")),
    };
    let check = async |path: &str, expected: &[&str]| {
        let page = get(report.clone(), path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let shown = text(&page.body);
        for words in expected {
            assert!(shown.contains(words), "{path}: {words} in {shown}");
        }
    };
    check("/zones", &["example.com Z1 public 40 11 3 0 s ago", "example.com Z2 private not read 1 1 never"])
        .await;
    check("/zones/Z1", &["delegation_broken", "realtime.example.com"]).await;
    check("/zones/example.com", &["Z1", "Z2", "twin.example.com"]).await;
    check("/instances", &["gke-prod Deployment/dns/external-dns v0.14.2 upsert-only ingress 1 of 2 12"])
        .await;
    check(
        "/instances/gke-prod",
        &[
            "version v0.14.2",
            "It bites. (#1)",
            "dns/external-dns-1 no 7 CrashLoopBackOff 1 1 min",
            "example.com Z1 11 0 s ago",
            "--policy upsert-only",
            "Flags that are not known here: --new-thing",
            "changed 2026-11-23 08:00:00 UTC (2 h 1 min ago)",
            "realtime.example.com",
        ],
    )
    .await;
    check("/findings/0000000000000005", &["observer_blind", "dns view", "forbidden"]).await;
    check(
        "/state",
        &[
            "class_filter 3",
            "Requests to AWS",
            "unread",
            "Route 53 account 111122223333 2.00 2.00 0.50 75 % as configured",
            "Route 53 account 444455556666 2.00 1.00 1.50 0 % throttled: paused for 5 s more",
            "50 12 3.00 76 % slowed down, recovers by itself",
            "asking for 10 names makes some 1.5 million questions a month that Route 53 bills: 0.60 USD.",
        ],
    )
    .await;
    for path in ["/zones/nowhere.org", "/instances/nobody", "/findings/00", "/findings/%3Cscript%3E"] {
        let page = get(report.clone(), path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.body.contains("Nothing here"), "{path}");
    }
}

#[tokio::test]
async fn every_link_of_the_page_leads_somewhere() {
    let mut todo = vec![String::from("/")];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(path) = todo.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let page = get(fixture::report(), &path).await;
        assert!(page.status.is_success(), "{path}: {}", page.status);
        let is_html = page.headers["content-type"].to_str().unwrap().starts_with("text/html");
        for link in page.body.split("href=\"").skip(1).filter(|_| is_html) {
            let link = link.split('"').next().unwrap().replace("&amp;", "&");
            assert!(link.starts_with('/') || link.starts_with('#') || link.starts_with("https://"), "{link}");
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            if path.starts_with('/') {
                todo.push(path.to_owned());
            }
            if path.starts_with('/') && !anchor.is_empty() {
                let there = get(fixture::report(), path).await;
                assert!(there.body.contains(&format!("id=\"{anchor}\"")), "{link} from {path}");
            }
        }
    }
    assert!(seen.len() > 15, "{seen:?}");
}

/// Names and states of the rows of the list of hosts.
fn hosts(page: &str) -> Vec<(String, String)> {
    let list = page.split_once("id=\"list\"").unwrap().1;
    let cell = |row: &str, start: &str, end: &str| {
        text(row.split_once(start).unwrap().1.split_once(end).unwrap().0.split_once('>').unwrap().1)
    };
    let rows = list.split("<th scope=\"row\">").skip(1);
    rows.map(|row| (cell(row, "<a ", "</a>"), cell(row, "class=\"mark", "</span>"))).collect()
}

#[tokio::test]
async fn the_list_of_hosts_has_all_names_and_its_filters_in_the_url() {
    let check = async |path: &str, expected: &[(&str, &str)]| {
        let page = get(fixture::report(), path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let found = hosts(&page.body);
        let found: Vec<(&str, &str)> = found.iter().map(|(name, state)| (&**name, &**state)).collect();
        assert_eq!(found, expected, "{path}");
    };
    let all = hosts(&get(fixture::report(), "/hosts").await.body);
    assert!(all.len() > 5 && all.is_sorted_by(|one, two| one.0 < two.0), "{all:?}");
    check("/hosts?q=REALTIME", &[("realtime.example.com", "open")]).await;
    check("/hosts?state=silent&q=static", &[("static.example.com", "silent")]).await;
    check("/hosts?zone=Z2&team=shop", &[("twin.example.com", "open")]).await;
    check("/hosts?namespace=nowhere", &[]).await;
    check("/hosts?state=nonsense", &[]).await;
    check("/hosts?host=+&q=realtime&utm_source=mail&page=7", &[("realtime.example.com", "open")]).await;
    let shown = text(&get(fixture::report(), "/hosts?q=static").await.body);
    assert!(shown.contains("silent class_filter no no not asked"), "{shown}");
    let shown = text(&get(fixture::report(), "/hosts?zone=example.com&state=open").await.body);
    assert!(shown.contains("realtime.example.com open failed_change no no not asked example.com"), "{shown}");
    let twice = get(fixture::report(), "/hosts?q=a&q=b").await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    let page = get(fixture::report(), "/hosts?q=%22%3E%3Cscript%3E").await;
    assert!(page.body.contains("value=\"&quot;&gt;&lt;script&gt;\""));
    assert!(page.body.contains("<a href=\"/hosts\" aria-current=\"page\">Hosts</a>"));
}

#[tokio::test]
async fn a_look_up_leads_to_the_host() {
    let check = async |query: &str, there: &str| {
        let answer = get(fixture::report(), query).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.headers["location"], there);
    };
    check("/hosts?host=+Shop.Example.com.+", "/hosts/shop.example.com").await;
    check(
        "/hosts?host=%2F%2Fevil.example%2F%0d%0aset-cookie%3A+a",
        "/hosts/%2F%2Fevil.example%2F%5C015%5C012set-cookie%3A%5C040a",
    )
    .await;
}

/// What people write into annotations, logs, labels and DNS when they mean it.
const NASTY: &[&str] = &[
    HOSTILE,
    "<script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</pre></textarea><svg/onload=alert(1)>",
    "<!--<!doctype html>-->",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;script&gt;&#60;b&#62;",
    "\u{202e}moc.elpmaxe\u{202c}\u{2066}\u{61c}\u{200b}",
    "\u{0}\u{7}\u{1b}[31m\u{9b}",
    "\u{2028}\u{2029}\u{feff}",
];

/// A report in which every text of others is the given one.
fn poisoned(text: &str) -> Report {
    let mut report = fixture::report();
    let name = DomainName::new(text);
    for finding in &mut report.findings {
        finding.subject = match &finding.subject {
            Subject::Record(key) => Subject::Record(dns_drift::model::RecordKey {
                name: name.clone(),
                set_identifier: Some(text.into()),
                ..key.clone()
            }),
            Subject::Zone(_) => Subject::Zone(name.clone()),
            Subject::Instance(_) | Subject::Object(_) | Subject::Source(_) => finding.subject.clone(),
        };
        text.clone_into(&mut finding.summary);
        finding.evidence = vec![text.to_owned()];
        finding.object = Some(ObjectRef::new(text, text, text));
        finding.instance = Some(text.into());
        finding.labels = [("team".to_owned(), text.to_owned()), (text.to_owned(), text.to_owned())].into();
        text.clone_into(&mut finding.fix.summary);
        finding.fix.commands = vec![text.to_owned()];
        finding.fix.checks = vec![text.to_owned()];
        finding.fix.change_batch = Some(serde_json::json!({ text: text }));
        finding.desired = serde_json::json!({ text: [text, { text: text }] });
        finding.live = serde_json::json!(text);
        text.clone_into(&mut finding.runbook);
        if let Some(zone) = &mut finding.zone {
            zone.name = name.clone();
        }
    }
    for zone in &mut report.zones {
        zone.zone.name = name.clone();
    }
    for silent in &mut report.silent {
        text.clone_into(&mut silent.detail);
        silent.subject = Subject::Object(ObjectRef::new(text, text, text));
    }
    let instance = &mut report.instances[0];
    instance.id = text.into();
    instance.sources = vec![text.to_owned()];
    instance.sources_not_modelled = vec![text.to_owned()];
    instance.details.flags = vec![("--source", text.to_owned())];
    instance.details.unknown_flags = vec![text.to_owned()];
    report
}

/// Tags that the page may have; whatever else looks like one was injected.
fn assert_clean(page: &str, context: &str) {
    for tag in page.split('<').skip(1) {
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|one| one.is_ascii_alphanumeric() || *one == '!')
            .collect();
        let known = [
            "!doctype", "html", "head", "meta", "title", "link", "script", "body", "a", "header", "nav",
            "form", "label", "input", "button", "main", "h1", "h2", "h3", "div", "dl", "dt", "dd", "ul",
            "li", "span", "time", "p", "select", "option", "datalist", "table", "caption", "thead", "tbody",
            "tr", "th", "td", "br", "code", "pre", "small", "footer", "article", "section", "details",
            "summary",
        ];
        assert!(known.contains(&name.as_str()), "<{name}> with {context:?}");
        let inside = tag.split('>').next().unwrap();
        let attributes = inside.split('"').step_by(2);
        for attribute in attributes.flat_map(str::split_whitespace) {
            assert!(!attribute.to_lowercase().starts_with("on"), "{inside} with {context:?}");
        }
    }
    assert_eq!(page.matches("<script").count(), 1, "{context:?}");
    assert_eq!(page.matches("<title>").count(), 1, "{context:?}");
    assert!(!page.contains("href=\"javascript:"), "{context:?}");
    let hidden = |one: char| {
        one.is_control() && one != '\n'
            || matches!(one, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    assert!(!page.contains(hidden), "{context:?}");
}

#[tokio::test]
async fn nothing_that_others_write_becomes_markup() {
    for nasty in NASTY {
        let segment = percent_encode(nasty.as_bytes(), NON_ALPHANUMERIC).to_string();
        for path in [
            String::from("/"),
            format!(
                "/?q={segment}&zone={segment}&team={segment}&kind={segment}&instance={segment}&page={segment}"
            ),
            format!("/hosts/{segment}"),
            String::from("/hosts"),
            format!("/hosts?q={segment}&zone={segment}&team={segment}&namespace={segment}&state={segment}"),
            format!("/zones/{segment}"),
            format!("/instances/{segment}"),
            String::from("/zones/Z1"),
            String::from("/findings/0000000000000005"),
            String::from("/zones"),
            String::from("/instances"),
            String::from("/state"),
        ] {
            let page = get(poisoned(nasty), &path).await;
            assert!(page.status == StatusCode::OK || page.status == StatusCode::NOT_FOUND, "{path}");
            assert_clean(&page.body, &format!("{nasty:?} on {path}"));
        }
    }
}

#[tokio::test]
async fn a_replica_on_standby_says_so_on_every_page() {
    const BANNER: &str = "<p class=\"standby\" role=\"status\">";
    let standby = |report: Option<Report>| app(report).1.layer(Extension(Role::Standby));
    let (alone, waits) = (app(Some(poisoned("<main>"))).1, standby(Some(poisoned("<main>"))));
    for path in
        ["/", "/hosts", "/hosts/x.example.com", "/zones", "/instances", "/state", "/findings/00", "/?q=a&q=b"]
    {
        let page = get_with(&waits, path, "").await.body;
        assert_eq!(page.matches(BANNER).count(), 1, "{path}");
        assert!(page.find(BANNER) < page.find("<main"), "{path}");
        assert!(!get_with(&alone, path, "").await.body.contains(BANNER), "{path}");
    }
    assert!(get_with(&standby(None), "/", "").await.body.contains(BANNER), "before the first round");
    // Whoever was on standby and judges now is not answered with what the browser has.
    let tag = get_with(&waits, "/", "").await.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(get_with(&waits, "/", &tag).await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(get_with(&alone, "/", &tag).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_page_is_sent_once_for_each_round() {
    let (sender, app) = app(Some(fixture::report()));
    let first = get_with(&app, "/", "").await;
    let tag = first.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(first.headers["cache-control"], "private, no-cache");
    for known in [tag.clone(), format!("\"x\", {tag}"), tag.trim_start_matches("W/").to_owned()] {
        let again = get_with(&app, "/", &known).await;
        assert_eq!((again.status, again.body.as_str()), (StatusCode::NOT_MODIFIED, ""));
        assert_eq!(again.headers["etag"], tag);
    }
    let mut next = fixture::report();
    next.at = at("2026-11-23T10:02:00Z");
    sender.send_replace(Some(Arc::new(next)));
    assert_eq!(get_with(&app, "/", &tag).await.status, StatusCode::OK);
    assert_eq!(get_with(&app, "/zones/nowhere.org", "").await.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn files_are_kept_for_ever_under_names_of_their_content() {
    let page = get(fixture::report(), "/").await;
    let csp = page.headers["content-security-policy"].to_str().unwrap();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(csp.contains(part), "{csp}");
    }
    assert!(!csp.contains("unsafe"));
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert!(!page.body.contains("http-equiv") && !page.body.contains(" style="));
    let files: Vec<&str> =
        page.body.split("\"/assets/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(files.len(), 3);
    for file in files {
        let answer = get(fixture::report(), &format!("/assets/{file}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["cache-control"], "public, max-age=31536000, immutable");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    assert_eq!(get(fixture::report(), "/assets/page-000000000000.js").await.status, StatusCode::NOT_FOUND);
}

async fn listen(app: &Router) -> (StatusCode, BodyDataStream) {
    let request = Request::builder().uri("/events").body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    (answer.status(), answer.into_body().into_data_stream())
}

async fn event(stream: &mut BodyDataStream) -> Option<String> {
    let part = timeout(Duration::from_secs(5), stream.next()).await.expect("in time")?;
    Some(String::from_utf8(part.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn browsers_are_told_of_rounds_as_many_as_there_is_room_for() {
    let (sender, app) = app(None);
    let (status, mut first) = listen(&app).await;
    assert_eq!(status, StatusCode::OK);
    sender.send_replace(Some(Arc::new(fixture::report())));
    let told = event(&mut first).await.unwrap();
    assert!(told.starts_with("event: round\ndata: "), "{told}");
    let name = told.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert!(get_with(&app, "/", "").await.body.contains(&format!("data-round=\"{name}\"")));
    // A late one learns of the present round at once.
    let (_, mut late) = listen(&app).await;
    assert_eq!(event(&mut late).await.unwrap(), told);
    let mut held = Vec::new();
    for _ in 2..MAX_LISTENERS {
        held.push(listen(&app).await);
    }
    assert!(held.iter().all(|(status, _)| *status == StatusCode::OK));
    assert_eq!(listen(&app).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get_with(&app, "/", "").await.status, StatusCode::OK);
    held.pop();
    assert_eq!(listen(&app).await.0, StatusCode::OK);
    drop(sender);
    assert_eq!(event(&mut first).await, None, "the stream ends with the rounds");
}

#[tokio::test]
async fn a_hundred_thousand_hosts_are_pages() {
    let mut report = fixture::report();
    let many = (0..100_000)
        .map(|number| finding(&format!("{number:016x}"), record(&format!("n{number}.example.com"))));
    report.findings = many.collect();
    let (_sender, app) = app(Some(report));
    let mut seen = std::collections::BTreeSet::new();
    for path in ["/", "/?page=500", "/?page=1000"] {
        let page = get_with(&app, path, "").await;
        let hosts: Vec<&str> =
            page.body.split("\"/hosts/n").skip(1).map(|row| row.split('#').next().unwrap()).collect();
        assert_eq!(hosts.len(), MAX_PAGE_ROWS, "{path}");
        assert!(page.body.len() < 200_000, "{path}: {}", page.body.len());
        assert!(hosts.iter().all(|host| seen.insert((*host).to_owned())), "{path}");
    }
    let last = get_with(&app, "/?page=99999999999999999999", "").await;
    assert!(last.body.contains("Page 1 of 1000"));
    let mut seen = Vec::new();
    for path in ["/hosts?page=1000", "/hosts?state=open", "/hosts?namespace=shop&team=shop&page=500"] {
        let page = get_with(&app, path, "").await;
        let rows = hosts(&page.body);
        assert_eq!(rows.len(), MAX_PAGE_ROWS, "{path}");
        assert!(page.body.len() < 200_000, "{path}: {}", page.body.len());
        assert!(page.body.contains(" of 100"), "{path}");
        seen.extend(rows.into_iter().map(|(name, _)| name));
    }
    seen.sort();
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "each name is on one page");
    let found = get_with(&app, "/?q=n99999.", "").await;
    assert!(text(&found.body).contains("Findings that pass the filter: 1"));
    assert_eq!(get_with(&app, "/hosts/n77777.example.com", "").await.body.matches("<article").count(), 1);
}

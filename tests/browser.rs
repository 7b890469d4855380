//! The status page in a real browser, during the demo: somebody sees the finding, filters, opens the
//! host, copies the fix and watches it heal. The pictures of the documents come from here.
//!
//! `DNS_DRIFT_BLESS=1 cargo test --test browser` takes them anew.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/demo.rs"]
mod demo;
#[path = "support/webdriver.rs"]
mod webdriver;

use std::fs;
use std::path::Path;

use demo::Demo;
use serde_json::{Value as Json, json};
use webdriver::Browser;

const HOST: &str = "realtime.example.com";
const COMMAND: &str = "kubectl -n shop annotate ingress realtime external-dns.alpha.kubernetes.io/alias-";

fn colours(browser: &Browser, scheme: &str) {
    let feature = json!({"name": "prefers-color-scheme", "value": scheme});
    browser.devtools("Emulation.setEmulatedMedia", &json!({"features": [feature]}));
}

/// What axe finds wrong with the page, in both colour schemes.
fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    let mut found = Vec::new();
    for scheme in ["light", "dark"] {
        colours(browser, scheme);
        browser.devtools("Runtime.evaluate", &json!({"expression": axe}));
        let rules = browser.promise("axe.run(document, {resultTypes: ['violations', 'incomplete']})");
        let violations = rules["violations"].as_array().unwrap_or_else(|| panic!("axe: {rules}"));
        assert!(rules["passes"].as_array().is_some_and(|passes| 10 < passes.len()), "axe did look");
        let place = browser.text("location.pathname");
        let tell = |rule: &Json| format!("{place} {scheme}: {} {}", rule["help"], rule["nodes"][0]["html"]);
        found.extend(violations.iter().map(tell));
    }
    colours(browser, "light");
    found
}

/// Writes a picture for the documents, if asked to.
fn picture(browser: &Browser, name: &str) {
    if std::env::var_os("DNS_DRIFT_BLESS").is_some() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), browser.picture()).unwrap();
    }
}

fn copies_the_fix(browser: &Browser, page: &str) {
    browser.devtools(
        "Browser.grantPermissions",
        &json!({"origin": page.trim_end_matches('/'), "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}),
    );
    browser.devtools("Emulation.setFocusEmulationEnabled", &json!({"enabled": true}));
    browser.click(".fix .copy");
    browser.until("document.querySelector('.fix .copy').textContent === 'Copied'");
    assert_eq!(browser.promise("navigator.clipboard.readText()"), COMMAND);
    // Over plain HTTP a browser has no clipboard for scripts; the old way must do.
    browser
        .value("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true}) && 0");
    browser.value(
        "void document.addEventListener('copy', () => { window.copied = document.activeElement.value; })",
    );
    browser.until("document.querySelector('.fix .copy').textContent === 'Copy'");
    browser.click(".fix .copy");
    browser.until("document.querySelector('.fix .copy').textContent === 'Copied'");
    assert_eq!(browser.text("window.copied"), COMMAND);
}

fn filters(browser: &Browser) {
    browser.keys("#q", "realtime");
    browser.value("void (document.getElementById('kind').value = 'failed_change')");
    browser.click(".filter button");
    browser.until("location.search.includes('q=realtime') && location.search.includes('kind=failed_change')");
    assert_eq!(browser.value("document.querySelectorAll('.findings tbody tr').length"), 1);
    assert_eq!(browser.text("document.getElementById('q').value"), "realtime");
    assert_eq!(browser.text("document.getElementById('kind').value"), "failed_change");
    browser.keys("#namespace", "nowhere\u{e007}");
    browser.until("document.querySelector('#list .calm')?.textContent === 'No finding passes the filter.'");
    browser.click(".filter a");
    browser.until("location.search === '' && document.querySelector('.findings')");
}

#[test]
fn somebody_finds_the_broken_host_and_sees_it_heal() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the place of the judge is no configuration of the program"
    )]
    let axe = std::env::var("DNS_DRIFT_TEST_AXE")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/target/axe/axe.min.js").to_owned());
    let axe = fs::read_to_string(&axe).unwrap_or_else(|error| {
        panic!("./test unpacks axe and names it in DNS_DRIFT_TEST_AXE: {axe}: {error}")
    });
    // The host stays broken until the demo is told to mend it.
    let mut demo = Demo::start(&["--keep", "1h"]);
    let page = demo.line("Watch http://").rsplit("Watch ").next().expect("an address").to_owned();
    let browser = Browser::start();
    browser.open(&page);
    // Until the first round has ended the address answers with a page that loads itself again.
    browser.until("document.getElementById('q')");
    // Opened before anything is wrong: the page itself learns of it.
    browser.value("void (window.marker = 1)");
    browser.until("document.querySelector('.findings tr.open th a')");
    demo.line("5. Nobody mends it");
    browser.until("document.title === 'dns-drift: 1 open'");
    assert_eq!(browser.value("window.marker"), 1, "the page was not loaded again");
    assert_eq!(browser.text("document.querySelector('.findings tr.open th a').textContent"), HOST);
    browser.until("document.querySelector('.findings tr.open td code').textContent === 'failed_change'");
    browser.until("document.getElementById('link').textContent.startsWith('Live')");
    let mut wrong = violations(&browser, &axe);
    picture(&browser, "overview.png");
    colours(&browser, "dark");
    picture(&browser, "overview-dark.png");
    colours(&browser, "light");

    // The first thing that the keyboard reaches leads past the navigation.
    browser.keys("body", "\u{e004}");
    assert_eq!(browser.text("document.activeElement.className"), "skip");
    filters(&browser);

    browser.click(".findings tr.open th a");
    browser.until(&format!("location.pathname === '/hosts/{HOST}'"));
    assert_eq!(browser.text("document.querySelector('h1').textContent"), HOST);
    let fix = browser.text("document.querySelector('.fix pre').textContent");
    assert_eq!(fix.trim_end(), COMMAND);
    copies_the_fix(&browser, &page);
    browser.open(&format!("{page}hosts/{HOST}"));
    wrong.extend(violations(&browser, &axe));
    picture(&browser, "host.png");
    for (link, name) in [("/zones/", "zone.png"), ("/instances/", "instance.png")] {
        let path = browser
            .text(&format!("document.querySelector('.facts a[href^=\"{link}\"]').getAttribute('href')"));
        browser.open(&format!("{}{path}", page.trim_end_matches('/')));
        wrong.extend(violations(&browser, &axe));
        picture(&browser, name);
        browser.open(&format!("{page}hosts/{HOST}"));
    }
    // The list of all hosts: filtered, and left, with the keyboard alone.
    browser.open(&format!("{page}hosts"));
    wrong.extend(violations(&browser, &axe));
    picture(&browser, "hosts.png");
    browser.keys("#q", "realtime\u{e007}");
    browser.until(
        "location.search.includes('q=realtime') && document.querySelectorAll('.hosts tbody tr').length === 1",
    );
    assert_eq!(browser.text("document.querySelector('.hosts td code').textContent"), "failed_change");
    browser.keys(".hosts tbody th a", "\u{e007}");
    browser.until(&format!("location.pathname === '/hosts/{HOST}'"));
    for path in
        ["hosts?q=nothing+like+this", "zones", "instances", "state", "findings/0", "?q=nothing+like+this"]
    {
        browser.open(&format!("{page}{path}"));
        wrong.extend(violations(&browser, &axe));
    }
    assert_eq!(wrong, Vec::<String>::new());

    browser.open(&format!("{page}hosts/{HOST}"));
    browser.value("void (window.marker = 1)");
    browser.until("document.getElementById('link').textContent.startsWith('Live')");
    demo.signal("-USR1");
    browser.until("document.querySelector('.verdict').textContent.startsWith('Healed')");
    assert_eq!(browser.value("window.marker"), 1, "the page was not loaded again");
    let story = browser.text("[...document.querySelectorAll('.steps tbody td:nth-child(3)')].map((one) => one.textContent).join(' ')");
    assert!(story.starts_with("resolved") && story.contains("open"), "{story}");
    picture(&browser, "healed.png");
    demo.line("the finding is gone");
    browser.open(&page);
    assert_eq!(browser.text("document.title"), "dns-drift: no open finding");
    let expected = |line: &String| line.contains("/findings/0") && line.contains("404");
    let complaints: Vec<String> = browser.complaints().into_iter().filter(|line| !expected(line)).collect();
    assert_eq!(complaints, Vec::<String>::new());
}

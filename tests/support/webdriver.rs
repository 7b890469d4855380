//! A headless Chromium, steered by the W3C `WebDriver` protocol through Debian's chromedriver.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use ureq::Agent;

/// For each command, the longest of which waits for the watcher.
const WITHIN: Duration = Duration::from_mins(3);

/// Between two looks at what shall come true.
const PAUSE: Duration = Duration::from_millis(50);

/// How `WebDriver` names an element. Source: W3C `WebDriver` section 12.1.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub(crate) struct Browser {
    driver: Child,
    agent: Agent,
    session: String,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium; the driver may be gone already.
        let _ended = self.agent.delete(&self.session).call();
        let _killed = self.driver.kill();
        let _waited = self.driver.wait();
    }
}

impl Browser {
    pub(crate) fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("./test installs chromium and chromium-driver: {error}"));
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .map(|line| line.unwrap())
            .find_map(|line| {
                let rest = line.split_once("started successfully on port ")?.1;
                rest.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("chromedriver tells its port");
        let profile = TempDir::new().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--window-size=1280,900",
            &folder,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": args},
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": u64::try_from(WITHIN.as_millis()).unwrap()},
        }}});
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(WITHIN));
        let mut browser = Self {
            driver,
            agent: config.build().into(),
            session: format!("http://127.0.0.1:{port}/session"),
            _profile: profile,
        };
        let started = browser.post("", &wanted);
        let id = started["sessionId"].as_str().expect("a session");
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    fn post(&self, path: &str, body: &Json) -> Json {
        self.ask(path, body).unwrap_or_else(|message| panic!("{path}: {message}"))
    }

    /// The value of the answer, or what the driver has against the command.
    fn ask(&self, path: &str, body: &Json) -> Result<Json, String> {
        let url = format!("{}{path}", self.session);
        let sent = self.agent.post(&url).header("content-type", "application/json").send(body.to_string());
        let mut answer = sent.unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let value: Json = serde_json::from_str(&text).unwrap();
        let ok = answer.status().is_success();
        if ok { Ok(value["value"].clone()) } else { Err(value["value"]["message"].to_string()) }
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&self, expression: &str) -> Json {
        self.post("/execute/sync", &json!({"script": format!("return ({expression});"), "args": []}))
    }

    pub(crate) fn text(&self, expression: &str) -> String {
        self.value(expression).as_str().unwrap_or_default().to_owned()
    }

    /// The value of a promise in the page.
    pub(crate) fn promise(&self, expression: &str) -> Json {
        let script = format!(
            "const done = arguments[0]; Promise.resolve({expression}).then(done, (error) => done(String(error)));"
        );
        self.post("/execute/async", &json!({"script": script, "args": []}))
    }

    /// Waits until an expression holds. Asks again and again: a script that waits in the page would end with
    /// it, and the page may load another one or itself meanwhile.
    pub(crate) fn until(&self, expression: &str) {
        let script = json!({"script": format!("return Boolean({expression});"), "args": []});
        again(expression, || {
            let said = self.ask("/execute/sync", &script)?;
            if said == Json::Bool(true) { Ok(()) } else { Err(said.to_string()) }
        });
    }

    fn element(&self, css: &str) -> Result<String, String> {
        let found = self.ask("/element", &json!({"using": "css selector", "value": css}))?;
        Ok(found[ELEMENT].as_str().unwrap_or_else(|| panic!("no {css}")).to_owned())
    }

    /// What is clicked may be swapped for its like between the look and the click.
    pub(crate) fn click(&self, css: &str) {
        again(css, || self.ask(&format!("/element/{}/click", self.element(css)?), &json!({})));
    }

    pub(crate) fn keys(&self, css: &str, text: &str) {
        again(css, || self.ask(&format!("/element/{}/value", self.element(css)?), &json!({"text": text})));
    }

    /// A command of the `DevTools` protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: &Json) -> Json {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// What the browser complained about since the last call: errors of scripts, refused files.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let lines =
            log.as_array().unwrap().iter().filter(|line| line["level"] != "INFO" && line["level"] != "DEBUG");
        lines.map(ToString::to_string).collect()
    }

    /// The page as PNG, as high as it is.
    pub(crate) fn picture(&self) -> Vec<u8> {
        let size =
            self.value("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]");
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let taken =
            self.devtools("Page.captureScreenshot", &json!({"clip": clip, "captureBeyondViewport": true}));
        STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }
}

/// Tries until it works.
fn again<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let mut tries = WITHIN.as_millis() / PAUSE.as_millis();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) => assert!(tries != 0, "still not {what}: {error}"),
        }
        tries -= 1;
        thread::sleep(PAUSE);
    }
}

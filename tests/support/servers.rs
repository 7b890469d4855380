//! A real Prometheus for tests.

use std::fs;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

/// For each wait: the program reads Route 53 every 10 s and believes what two readings say.
pub(crate) const DEADLINE: Duration = Duration::from_mins(3);

/// Ends with the test, also when it fails.
pub(crate) struct Server(Child);

#[allow(dead_code, reason = "each test uses its part")]
impl Server {
    /// Its process.
    #[allow(dead_code, reason = "each test uses its part")]
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end, as Kubernetes does, and waits until it has.
    pub(crate) fn terminate(mut self) -> std::process::ExitStatus {
        let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(asked.success());
        self.0.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _killed = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// Where a Prometheus gets its rules and sends its alerts.
#[derive(Default)]
pub(crate) struct Alerting<'a> {
    pub(crate) rules: &'a [&'a str],
    pub(crate) alertmanager: Option<SocketAddr>,
}

pub(crate) fn missing(error: &std::io::Error) -> ! {
    panic!("a real Prometheus and Alertmanager are needed, ./test installs them: {error}")
}

/// A port that was free a moment ago.
pub(crate) fn free() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Debian's Prometheus, which scrapes and evaluates every second.
pub(crate) fn prometheus(
    folder: &Path,
    targets: &[(&str, SocketAddr)],
    alerting: &Alerting<'_>,
    listen: SocketAddr,
) -> Server {
    let config = folder.join("prometheus.yml");
    let jobs = targets
        .iter()
        .map(|(job, target)| json!({"job_name": job, "static_configs": [{"targets": [target.to_string()]}]}));
    let receivers: Vec<Json> =
        alerting.alertmanager.iter().map(|address| json!({"targets": [address.to_string()]})).collect();
    let text = json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": alerting.rules,
        "alerting": {"alertmanagers": [{"static_configs": receivers}]},
        "scrape_configs": jobs.collect::<Vec<_>>()});
    fs::write(&config, text.to_string()).unwrap();
    spawn(
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={listen}"))
            .arg("--rules.alert.resend-delay=1s")
            .arg("--enable-feature=exemplar-storage"),
        &folder.join("log"),
    )
}

/// Starts a program; what it says goes into a file.
pub(crate) fn spawn(command: &mut Command, log: &Path) -> Server {
    let log = fs::File::options().append(true).create(true).open(log).unwrap();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| missing(&error));
    Server(child)
}

/// The `data` of an API answer; null while the server does not answer.
pub(crate) async fn get(server: SocketAddr, path: &'static str, parameter: (&'static str, String)) -> Json {
    let asking = spawn_blocking(move || {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build();
        let agent = ureq::Agent::new_with_config(config);
        let asked = agent.get(format!("http://{server}{path}")).query(parameter.0, parameter.1).call();
        let Ok(mut answer) = asked else { return Json::Null };
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap_or_default()).unwrap_or_default()
    });
    asking.await.unwrap()
}

/// The rows of an instant query; none while the server does not answer.
pub(crate) async fn query(server: SocketAddr, expression: &str) -> Vec<Json> {
    let body = get(server, "/api/v1/query", ("query", expression.to_owned())).await;
    body["data"]["result"].as_array().cloned().unwrap_or_default()
}

/// Waits until the query has rows.
pub(crate) async fn rows(server: SocketAddr, expression: &str, folder: &Path) -> Vec<Json> {
    let until = Instant::now() + DEADLINE;
    while Instant::now() < until {
        let found = query(server, expression).await;
        if !found.is_empty() {
            return found;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("no rows for {expression}; {}", logs(folder));
}

/// What all servers said, for the message of a failed test.
pub(crate) fn logs(folder: &Path) -> String {
    let names = ["log", "alertmanager.log", "program.log"];
    let texts = names.map(|name| (name, fs::read_to_string(folder.join(name)).unwrap_or_default()));
    texts.map(|(name, text)| format!("{name}:\n{text}")).join("\n")
}

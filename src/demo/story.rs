//! The story: a healthy shop, an upgrade, a refused alias, the mend.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::demo::DemoError;
use crate::demo::controller::Running;
use crate::demo::http;
use crate::demo::plan::Release;
use crate::demo::world::Endpoints;
use crate::model::text::printable;

/// How long each state may take to come.
const DEADLINE: Duration = Duration::from_mins(2);
/// Pause between two looks at the report.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Names of the shop; all must be judged before the shop counts as healthy.
const HEALTHY_NAMES: u64 = 6;

const SUBJECT: &str = "realtime.example.com/A";
const HOST: &str = "realtime.example.com";
const ADDRESS: &str = "74.17.111.38";

/// Tells the story to a writer and follows it through the served report.
pub struct Story<'a, W> {
    /// The world.
    pub endpoints: &'a Endpoints,
    /// What the controller runs as.
    pub running: &'a watch::Sender<Running>,
    /// Where dns-drift is served.
    pub served: SocketAddr,
    /// Where the lines go.
    pub out: W,
    /// How long the finding is kept before it is mended.
    pub keep: Duration,
    /// Ends that time early.
    pub mend: Signal,
    /// True if an open finding that the story does not foresee ends it.
    pub strict: bool,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DemoOutcome {
    /// Subjects whose expected finding came and went.
    pub seen: BTreeSet<String>,
}

impl<W: Write> Story<'_, W> {
    /// Plays all steps.
    ///
    /// # Errors
    ///
    /// When a state does not come in time, when (strict) an unforeseen finding is open, or when
    /// the writer is broken.
    pub async fn play(&mut self) -> Result<DemoOutcome, DemoError> {
        let page = format!("http://{}/", self.served);
        self.say(&format!(
            "1. A healthy shop: 6 Ingresses, 2 hosted zones, ExternalDNS 0.13.6. Watch {page}"
        ))?;
        self.wait("a report with all names and no finding", |report| {
            let right = report.pointer("/summary/in_sync").and_then(Value::as_u64).unwrap_or_default();
            HEALTHY_NAMES <= right && open(report).next().is_none()
        })
        .await?;
        self.say("   dns-drift is ready: every name is right, nothing is open.")?;
        self.upgrade();
        self.say("2. ExternalDNS is upgraded to 0.14.2. Nothing changes yet.")?;
        self.endpoints.apply_ingress("realtime", HOST, ADDRESS, true);
        self.say(&format!(
            "3. A new Ingress shop/realtime asks for {HOST} at {ADDRESS}, with the annotation external-dns.alpha.kubernetes.io/alias: \"true\"."
        ))?;
        let report =
            self.wait("the refused change of realtime.example.com", |report| open(report).any(is_expected));
        let report = report.await?;
        self.say("4. Route 53 refuses an alias to an address. Users get NXDOMAIN; dns-drift says:")?;
        for line in open(&report).filter(|finding| is_expected(finding)).flat_map(lines) {
            self.say(&line)?;
        }
        self.say(&format!(
            "5. Nobody mends it for {} s. Look at {page}hosts/{HOST} and {page}metrics.",
            self.keep.as_secs()
        ))?;
        self.keep_open().await?;
        self.endpoints.apply_ingress("realtime", HOST, ADDRESS, false);
        self.say("6. The annotation is removed: kubectl -n shop annotate ingress realtime external-dns.alpha.kubernetes.io/alias-")?;
        self.wait("the end of the finding", |report| !unsettled(report)).await?;
        self.say(&format!("   {HOST} is served, and the finding is gone."))?;
        Ok(DemoOutcome { seen: BTreeSet::from([SUBJECT.to_owned()]) })
    }

    fn upgrade(&self) {
        let previous = self.running.borrow().pod.clone();
        let pod = self.endpoints.deploy(Release::V0_14_2, Some(&previous));
        self.running.send_replace(Running { release: Release::V0_14_2, pod });
    }

    /// Writes one line.
    ///
    /// # Errors
    ///
    /// When the writer is broken.
    pub fn say(&mut self, line: &str) -> Result<(), DemoError> {
        writeln!(self.out, "{line}").map_err(DemoError::Tell)?;
        self.out.flush().map_err(DemoError::Tell)
    }

    /// Looks until a report fits.
    async fn wait(&self, what: &'static str, fits: impl Fn(&Value) -> bool) -> Result<Value, DemoError> {
        let deadline = Instant::now() + DEADLINE;
        let mut last = String::from("no report");
        while Instant::now() < deadline {
            // Not ready and not there yet look alike; the deadline ends both.
            match http::get(self.served, "/api/v1/report").await {
                Ok(report) => {
                    self.check(&report)?;
                    if fits(&report) {
                        return Ok(report);
                    }
                    last = open(&report).map(name).collect::<Vec<_>>().join(", ");
                }
                Err(error) => last = error.to_string(),
            }
            sleep(LOOK_EVERY).await;
        }
        Err(DemoError::TooLate { what, last })
    }

    /// The finding must stay open all the time.
    async fn keep_open(&mut self) -> Result<(), DemoError> {
        let end = Instant::now() + self.keep;
        while Instant::now() < end {
            let report = http::get(self.served, "/api/v1/report").await?;
            self.check(&report)?;
            if self.strict && !open(&report).any(is_expected) {
                return Err(DemoError::Lost { finding: format!("failed_change on {SUBJECT}") });
            }
            if timeout(LOOK_EVERY, self.mend.recv()).await.is_ok() {
                break;
            }
        }
        Ok(())
    }

    fn check(&self, report: &Value) -> Result<(), DemoError> {
        match open(report).find(|finding| !is_expected(finding) && !is_forerunner(finding)) {
            Some(finding) if self.strict => Err(DemoError::Unexpected { finding: name(finding) }),
            _ => Ok(()),
        }
    }
}

/// The open findings of a report.
fn open(report: &Value) -> impl Iterator<Item = &Value> {
    let findings = report.get("findings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    findings.iter().filter(|finding| text(finding, "/state") == "open")
}

/// True while anything about the new name is undecided or open.
fn unsettled(report: &Value) -> bool {
    let findings = report.get("findings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    findings.iter().any(|finding| {
        text(finding, "/subject") == SUBJECT && !matches!(text(finding, "/state"), "resolved" | "")
    })
}

fn is_expected(finding: &Value) -> bool {
    text(finding, "/subject") == SUBJECT
        && text(finding, "/kind") == "failed_change"
        && text(finding, "/reason") == "alias_target_not_in_zone"
}

/// Before ExternalDNS has tried, the object alone tells what Route 53 will say.
fn is_forerunner(finding: &Value) -> bool {
    text(finding, "/subject") == SUBJECT && text(finding, "/kind") == "invalid_desired"
}

/// How an error names a finding.
fn name(finding: &Value) -> String {
    let part = |pointer| printable(text(finding, pointer));
    format!("{} ({}) on {}", part("/kind"), part("/reason"), part("/subject"))
}

/// What is printed of a finding: summary, cause, fix.
fn lines(finding: &Value) -> Vec<String> {
    let mut lines: Vec<String> =
        [("", "/summary"), ("cause: ", "/cause"), ("fix: ", "/fix/summary"), ("$ ", "/fix/commands/0")]
            .into_iter()
            .filter(|(_, pointer)| !text(finding, pointer).is_empty())
            .map(|(word, pointer)| format!("   {word}{}", printable(text(finding, pointer))))
            .collect();
    lines.insert(0, format!("   {}", name(finding)));
    lines
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

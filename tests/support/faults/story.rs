//! What happens around a fault, and the laws that every report must keep.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::list::Fault;
use crate::stage::{FIRST, SECOND, Stage};

/// What is wrong all the time: subject, kind, reason.
const KNOWN: [(&str, &str, &str); 5] = [
    ("left.example.com/A", "stale_record", "not_deleted"),
    ("lied.example.com/A", "resolver_mismatch", "rewritten"),
    ("missing.example.com/A", "missing_record", "absent"),
    ("refused.example.com/A", "failed_change", "alias_target_not_in_zone"),
    ("wrong.example.com/A", "wrong_target", "disjoint"),
];

/// The report is looked at so often; rounds follow each other with a second between at least.
const LOOK: Duration = Duration::from_secs(5);

/// How long the first verdicts may take: the windows of hosts that were there before, and the time to
/// live of what a resolver may have kept.
const SETTLES: Duration = Duration::from_mins(15);

/// What an operator must know is said within this time after the shortest life of the fault: a watch that
/// is silent counts as heard of when its list is made anew, for as long as a living one may be quiet.
const TOLD: Duration = Duration::from_mins(3);

/// A healed host is closed within this time.
const CLOSES: Duration = Duration::from_mins(3);

/// Faults of the program's surroundings, one after the other, on one running program.
pub(crate) struct Story {
    pub(crate) stage: Stage,
    /// Which fault this is.
    number: usize,
    /// What was used before the first fault.
    level: Used,
    /// What was not as it must be. Told at the end: one fault must not hide the next.
    wrong: Vec<String>,
}

/// What the process of a story uses, emulators included.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    /// Of the runtime.
    tasks: usize,
    /// Of the program, to Kubernetes and Route 53.
    connections: usize,
    descriptors: usize,
    /// Resident.
    mib: usize,
}

/// What may be said now, beside what is wrong all the time.
struct Law<'a> {
    faults: &'a [&'a Fault],
    /// The host whose record somebody has deleted.
    broken: Option<Row>,
}

// === impl Story ===

impl Story {
    /// Waits for the first verdicts.
    pub(crate) async fn begin() -> Self {
        let stage = Stage::start().await;
        let mut story = Self { stage, number: 0, level: Used::default(), wrong: Vec::new() };
        let start = Instant::now();
        while rows(&story.stage.report().await) != known() {
            sleep(LOOK).await;
            let report = story.stage.report().await;
            assert!(start.elapsed() < SETTLES, "not settled: {:#?}", rows(&report));
        }
        sleep(Duration::from_mins(2)).await;
        story.level = story.used();
        story
    }

    /// Faults at once, with the life of the cluster going on; then their end.
    pub(crate) async fn fails(&mut self, faults: &[&Fault]) {
        let names: Vec<&str> = faults.iter().map(|fault| fault.name).collect();
        let names = names.join(" + ");
        let start = Instant::now();
        for fault in faults {
            (fault.begin)(&self.stage);
        }
        let mut law = Law { faults, broken: None };
        self.watch(&law, &names, start + Duration::from_mins(1)).await;
        self.live_on();
        self.watch(&law, &names, start + Duration::from_mins(2)).await;
        let broken = format!("broken{}", self.number);
        self.stage.world.no_records(&format!("{broken}.example.com"));
        law.broken = Some((format!("{broken}.example.com/A"), "missing_record".into(), "deleted".into()));
        let lasts = faults.iter().map(|fault| fault.lasts).max().expect("a fault");
        self.watch(&law, &names, start + lasts).await;
        self.is_told(&law, &names).await;

        self.stage.heal();
        let mut all = known();
        all.extend(law.broken.clone());
        let bound = faults.iter().map(|fault| fault.recovers).max().expect("a fault");
        let took = self.until(&law, &names, &all, bound).await;
        self.stage.publish(&broken, FIRST);
        let closed = self.until(&law, &names, &known(), CLOSES).await;
        self.number += 1;
        let used = self.used();
        eprintln!("{names}: recovered within {took:.0?}, closed within {closed:.0?}, {used:?}");
        if !used.is_back_at(&self.level) {
            self.wrong.push(format!("{names}: {used:?}, before {:?}", self.level));
        }
    }

    /// Fails if anything was wrong.
    pub(crate) fn end(self) {
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }

    /// The program is down for a while and goes on from its state.
    pub(crate) async fn restarts(&mut self) {
        let law = Law { faults: &[], broken: None };
        self.stage.stop().await;
        sleep(Duration::from_mins(4)).await;
        self.live_on();
        self.number += 1;
        sleep(Duration::from_mins(1)).await;
        self.stage.run().await;
        let took = self.until(&law, "restart", &known(), Duration::from_mins(2)).await;
        self.watch(&law, "restart", Instant::now() + Duration::from_mins(5)).await;
        eprintln!("restart: as before within {took:.0?}");
    }

    /// ExternalDNS does its work, whatever the program sees: a host comes, one goes, one moves.
    fn live_on(&self) {
        let n = self.number;
        self.stage.publish(&format!("fresh{n}"), FIRST);
        self.stage.withdraw(&format!("guest{n}"));
        self.stage.publish(&format!("moved{n}"), SECOND);
    }

    async fn watch(&mut self, law: &Law<'_>, names: &str, until: Instant) {
        while Instant::now() < until {
            sleep_until(until.min(Instant::now() + LOOK)).await;
            self.look(law, names).await;
        }
    }

    /// Waits for exactly these findings, and for all views.
    async fn until(&mut self, law: &Law<'_>, names: &str, all: &BTreeSet<Row>, bound: Duration) -> Duration {
        let start = Instant::now();
        loop {
            let report = self.look(law, names).await;
            let views = report["views"].as_object().into_iter().flat_map(|views| views.values());
            let read = views.clone().all(|view| view["state"] == "read" && view["problems"].is_null());
            if read && rows(&report) == *all {
                return start.elapsed();
            }
            if bound <= start.elapsed() {
                let (rows, views) = (rows(&report), &report["views"]);
                self.wrong.push(format!("{names}: not as before after {bound:?}: {rows:#?} {views:#}"));
                return start.elapsed();
            }
            sleep(LOOK).await;
        }
    }

    /// One report, which must be true.
    async fn look(&mut self, law: &Law<'_>, names: &str) -> Value {
        self.stage.runs();
        let report = self.stage.report().await;
        if report.is_null() {
            return report;
        }
        let wrong = law.broken_by(&report);
        if !wrong.is_empty() && self.wrong.last().is_none_or(|last| !last.ends_with(&wrong)) {
            self.wrong.push(format!("{names}, at {}: {:#}\n{wrong}", report["at"], report["views"]));
        }
        report
    }

    /// Before the end an operator knows. A fault that lets single words through is not told all the time.
    async fn is_told(&mut self, law: &Law<'_>, names: &str) {
        let start = Instant::now();
        loop {
            let untold = self.untold(law.faults).await;
            if untold.is_empty() {
                return;
            }
            if TOLD <= start.elapsed() {
                self.wrong.extend(untold.iter().map(|what| format!("{names}: {what}")));
                return;
            }
            sleep(LOOK).await;
            self.look(law, names).await;
        }
    }

    /// What an operator does not know now.
    async fn untold(&self, faults: &[&Fault]) -> Vec<String> {
        let report = self.stage.report().await;
        let open = rows(&report);
        let (_, metrics) = self.stage.get("/metrics").await;
        let is_open = |subject: &str, kind: &str| {
            open.iter().any(|row| (row.0.as_str(), row.1.as_str()) == (subject, kind))
        };
        let mut untold = Vec::new();
        for fault in faults {
            for view in fault.blind {
                if !is_open(&format!("source/{view}"), "observer_blind") {
                    untold.push(format!("nobody says that {view} is blind: {:#}", report["views"]));
                }
            }
            for (subject, kind) in fault.says {
                if !is_open(subject, kind) {
                    untold.push(format!("{kind} of {subject} is not said: {open:#?}"));
                }
            }
            if !metrics.lines().any(|line| line.starts_with(fault.shows)) {
                let views = metrics.lines().filter(|line| line.starts_with("dns_drift_view_"));
                untold.push(format!("no {} in {:#?}", fault.shows, views.collect::<Vec<_>>()));
            }
        }
        untold
    }

    fn used(&self) -> Used {
        let resident = fs::read_to_string("/proc/self/statm").expect("Linux");
        let pages: usize = resident.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
        Used {
            tasks: Handle::current().metrics().num_alive_tasks(),
            connections: self.stage.cluster.open() + self.stage.aws.open(),
            descriptors: fs::read_dir("/proc/self/fd").expect("Linux").count(),
            mib: pages >> 8,
        }
    }
}

// === impl Used ===

impl Used {
    /// One list or one probe more may be under way; the emulators keep what they were asked, and the
    /// allocator some of what was given back.
    fn is_back_at(&self, level: &Self) -> bool {
        self.tasks <= level.tasks + 8
            && self.connections <= level.connections + 2
            && self.descriptors <= level.descriptors + 8
            && self.mib <= level.mib + 24
    }
}

// === impl Law ===

impl Law<'_> {
    /// Why a report is not true; nothing if it is.
    fn broken_by(&self, report: &Value) -> String {
        let mut wrong = String::new();
        let rows = rows(report);
        for row in &rows {
            if !self.allows(row) {
                writeln!(wrong, "false: {row:?}").expect("a text");
            }
        }
        for known in known().difference(&rows) {
            writeln!(wrong, "lost: {known:?}").expect("a text");
        }
        wrong
    }

    fn allows(&self, row: &Row) -> bool {
        let (subject, kind, _) = row;
        let blind = |fault: &&Fault| {
            kind == "observer_blind" && fault.blind.iter().any(|view| *subject == format!("source/{view}"))
        };
        let says = |fault: &&Fault| fault.says.contains(&(subject.as_str(), kind.as_str()));
        known().contains(row)
            || self.broken.as_ref().is_some_and(|broken| *subject == broken.0 && is_harm(row, broken))
            || self.faults.iter().any(|fault| blind(fault) || says(fault))
    }
}

/// What may be said of a host whose record is gone: that, or that its servers deny it where only they
/// can be read.
fn is_harm(row: &Row, broken: &Row) -> bool {
    row == broken || (row.1.as_str(), row.2.as_str()) == ("auth_mismatch", "nxdomain")
}

/// Subject, kind and reason of a finding.
type Row = (String, String, String);

/// What a report holds to be true: open, explained by something open, or frozen.
fn rows(report: &Value) -> BTreeSet<Row> {
    let word = |one: &Value, member: &str| one[member].as_str().unwrap_or_default().to_owned();
    let all = report["findings"].as_array().into_iter().flatten();
    all.filter(|one| matches!(one["state"].as_str(), Some("open" | "explained" | "stale")))
        .map(|one| (word(one, "subject"), word(one, "kind"), word(one, "reason")))
        .collect()
}

fn known() -> BTreeSet<Row> {
    KNOWN
        .iter()
        .map(|(subject, kind, reason)| ((*subject).into(), (*kind).into(), (*reason).into()))
        .collect()
}

//! One round of a recording, still as it was written.

use std::sync::Arc;

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::observation::Observation;
use crate::model::zone::Zones;
use crate::recording::dns::read_dns;
use crate::recording::file;
use crate::recording::kubernetes::read_kubernetes;
use crate::recording::logs::{Logs, read_logs};
use crate::recording::problems::read_problems;
use crate::recording::route53::read_route53;
use crate::snapshot::{Problem, ViewName};

/// File of the CloudTrail events within a round.
pub const CLOUDTRAIL: &str = "cloudtrail/events.json";

/// What one round holds. A view that is `None` was not read in it.
#[derive(Clone, Debug, PartialEq)]
pub struct RawRound {
    /// The clock of the round.
    pub at: Timestamp,
    /// Objects as the API serves them.
    pub kubernetes: Option<Vec<Value>>,
    /// Hosted zones with their record sets.
    pub route53: Option<Zones>,
    /// Answers of DNS servers.
    pub dns: Option<Vec<Arc<Observation>>>,
    /// Logs and scrapes of ExternalDNS.
    pub logs: Logs,
    /// Text of what `aws cloudtrail lookup-events` printed; `None` if not recorded.
    pub cloudtrail: Option<String>,
    /// What was not read, and why: recorded problems first, then those of reading the files.
    pub problems: Vec<(ViewName, Problem)>,
}

/// Reads the round in folder `dir`, whose clock was `at`.
///
/// Never fails: what cannot be read becomes a problem of its view.
#[must_use]
pub fn read_round(dir: &Path, at: Timestamp) -> RawRound {
    let mut problems = read_problems(dir);
    let mut add = |view: ViewName, found: Vec<Problem>| {
        problems.extend(found.into_iter().map(|problem| (view, problem)));
    };
    let (kubernetes, found) = read_kubernetes(dir);
    add(ViewName::Kubernetes, found);
    let (route53, found) = read_route53(dir, at);
    add(ViewName::Route53, found);
    let (dns, found) = read_dns(dir);
    add(ViewName::Dns, found);
    let (logs, found) = read_logs(dir);
    add(ViewName::Changes, found);
    let (cloudtrail, found) = read_cloudtrail(dir);
    add(ViewName::Changes, found);
    RawRound { at, kubernetes, route53, dns, logs, cloudtrail, problems }
}

fn read_cloudtrail(dir: &Path) -> (Option<String>, Vec<Problem>) {
    match file::text(&dir.join(CLOUDTRAIL)) {
        Ok(text) => (Some(text), Vec::new()),
        Err(error) if error.is_missing() => (None, Vec::new()),
        Err(error) => (None, vec![file::problem("all", &error)]),
    }
}

impl RawRound {
    /// A round in which nothing was read.
    #[must_use]
    pub fn empty(at: Timestamp) -> Self {
        Self {
            at,
            kubernetes: None,
            route53: None,
            dns: None,
            logs: Logs::default(),
            cloudtrail: None,
            problems: Vec::new(),
        }
    }

    /// True if the round has anything for the changes view: a log, a scrape or CloudTrail events.
    /// Without any the view is off, unless a problem says that it should have been read.
    #[must_use]
    pub fn changes_present(&self) -> bool {
        self.changes_read() || self.problems.iter().any(|(view, _)| *view == ViewName::Changes)
    }

    /// True if anything of it was read.
    #[must_use]
    pub fn changes_read(&self) -> bool {
        !self.logs.logs.is_empty() || !self.logs.scrapes.is_empty() || self.cloudtrail.is_some()
    }
}

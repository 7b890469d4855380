//! Findings: a filtered list in pages, and one by its id.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::board::Board;
use crate::finding::{Kind, Severity, State as FindingState, Subject};
use crate::model::DomainName;
use crate::publish::api::problem::Problem;
use crate::publish::api::query::{self, Asked};
use crate::publish::api::{Api, FORMAT, Page, Rows, json, page};
use crate::report::Finding;

/// Words that narrow the list down; absent means all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    state: Option<String>,
    kind: Option<String>,
    severity: Option<String>,
    zone: Option<String>,
    namespace: Option<String>,
    team: Option<String>,
    label: Option<String>,
    host: Option<String>,
    instance: Option<String>,
    q: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

#[derive(Debug)]
struct Filter {
    state: Option<FindingState>,
    kind: Option<Kind>,
    severity: Option<Severity>,
    zone: Option<String>,
    namespace: Option<String>,
    labels: Vec<(String, String)>,
    host: Option<DomainName>,
    instance: Option<String>,
    text: Option<String>,
    limit: usize,
    after: Option<String>,
}

pub(super) async fn list(State(api): State<Api>, headers: HeaderMap, asked: Asked<Words>) -> Response {
    match query::parameters(asked).and_then(Words::read) {
        Err(problem) => problem.into_response(),
        Ok(filter) => api.answer(&headers, move |board| found(board, &filter)).await,
    }
}

pub(super) async fn one(State(api): State<Api>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let find = move |board: &Board| {
        let finding = board.report.findings.iter().find(|finding| finding.id == id);
        json(finding.ok_or_else(|| Problem::unknown_finding(&id))?)
    };
    api.answer(&headers, find).await
}

fn found(board: &Board, filter: &Filter) -> Result<String, Problem> {
    let mut rows: Vec<&Finding> = board.report.findings.iter().filter(|one| filter.takes(one)).collect();
    // The urgency of a finding changes from round to round; its id does not, so no page misses one.
    rows.sort_by(|left, right| left.id.cmp(&right.id));
    let (shown, next) = page(&rows, |finding| finding.id.clone(), filter.after.as_ref(), filter.limit);
    json(&Page {
        format: FORMAT,
        at: board.report.at,
        total: Some(rows.len()),
        next,
        rows: Rows("findings", shown),
    })
}

impl Words {
    fn read(self) -> Result<Filter, Problem> {
        let mut labels = Vec::new();
        labels.extend(query::text("team", self.team)?.map(|team| (String::from("team"), team)));
        if let Some(label) = query::text("label", self.label)? {
            let pair = label.split_once('=').ok_or_else(|| Problem::bad_query("label is NAME=VALUE"))?;
            labels.push((pair.0.to_owned(), pair.1.to_owned()));
        }
        Ok(Filter {
            state: query::word("state", self.state.as_deref(), FindingState::from_word)?,
            kind: query::word("kind", self.kind.as_deref(), Kind::from_word)?,
            severity: query::word("severity", self.severity.as_deref(), Severity::from_word)?,
            zone: query::text("zone", self.zone)?,
            namespace: query::text("namespace", self.namespace)?,
            labels,
            host: self.host.as_deref().map(query::name).transpose()?,
            instance: query::text("instance", self.instance)?,
            text: query::text("q", self.q)?.map(|text| text.to_lowercase()),
            limit: query::limit(self.limit)?,
            after: query::text("after", self.after)?,
        })
    }
}

impl Filter {
    fn takes(&self, finding: &Finding) -> bool {
        self.state.is_none_or(|state| state == finding.state)
            && self.kind.is_none_or(|kind| kind == finding.kind)
            && self.severity.is_none_or(|severity| severity == finding.severity)
            && self.zone.as_ref().is_none_or(|zone| in_zone(finding, zone))
            && self.namespace.as_ref().is_none_or(|one| in_namespace(finding, one))
            && self.labels.iter().all(|(name, value)| finding.labels.get(name) == Some(value))
            && self.instance.as_ref().is_none_or(|one| finding.instance.as_deref() == Some(one))
            && self
                .host
                .as_ref()
                .is_none_or(|host| finding.subject.record().is_some_and(|key| key.name == *host))
            && self.text.as_ref().is_none_or(|text| says(finding, text))
    }
}

fn in_zone(finding: &Finding, word: &str) -> bool {
    let named = DomainName::new(word);
    let of_zone = matches!(&finding.subject, Subject::Zone(zone) if *zone == named);
    of_zone || finding.zone.as_ref().is_some_and(|zone| zone.id.as_str() == word || zone.name == named)
}

fn in_namespace(finding: &Finding, word: &str) -> bool {
    finding.object.as_ref().is_some_and(|object| *object.namespace == *word)
}

fn says(finding: &Finding, text: &str) -> bool {
    let words = [
        Some(finding.subject.to_string()),
        Some(finding.summary.clone()),
        Some(finding.kind.to_string()),
        Some(finding.reason.to_string()),
        finding.cause.as_ref().map(ToString::to_string),
        finding.object.as_ref().map(ToString::to_string),
    ];
    words.into_iter().flatten().any(|one| one.to_lowercase().contains(text))
}

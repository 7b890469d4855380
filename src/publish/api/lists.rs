//! The whole report, zones, instances, and what was kept quiet.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::board::Board;
use crate::finding::SilentReason;
use crate::model::DomainName;
use crate::publish::api::problem::Problem;
use crate::publish::api::query::{self, Asked};
use crate::publish::api::{Api, FORMAT, Page, Rows, json, page};
use crate::report::Silent;

/// Words that narrow the list of silent comparisons down; absent means all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    reason: Option<String>,
    host: Option<String>,
    q: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

#[derive(Debug)]
struct Filter {
    reason: Option<SilentReason>,
    host: Option<DomainName>,
    text: Option<String>,
    limit: usize,
    after: Option<String>,
}

/// One silent comparison with an id that stays.
#[derive(Serialize)]
struct Row<'a> {
    id: String,
    #[serde(flatten)]
    silent: &'a Silent,
}

pub(super) async fn report(State(api): State<Api>, headers: HeaderMap) -> Response {
    api.answer(&headers, |board| json(&*board.report)).await
}

pub(super) async fn zones(State(api): State<Api>, headers: HeaderMap) -> Response {
    let all = |board: &Board| whole(board, "zones", &board.report.zones);
    api.answer(&headers, all).await
}

pub(super) async fn instances(State(api): State<Api>, headers: HeaderMap) -> Response {
    let all = |board: &Board| whole(board, "instances", &board.report.instances);
    api.answer(&headers, all).await
}

pub(super) async fn silent(State(api): State<Api>, headers: HeaderMap, asked: Asked<Words>) -> Response {
    match query::parameters(asked).and_then(Words::read) {
        Err(problem) => problem.into_response(),
        Ok(filter) => api.answer(&headers, move |board| quiet(board, &filter)).await,
    }
}

/// A list that is short by nature.
fn whole<T: Serialize>(board: &Board, name: &'static str, rows: &[T]) -> Result<String, Problem> {
    let (at, total) = (board.report.at, Some(rows.len()));
    json(&Page { format: FORMAT, at, total, next: None, rows: Rows(name, rows) })
}

fn quiet(board: &Board, filter: &Filter) -> Result<String, Problem> {
    let passing = board.report.silent.iter().filter(|silent| filter.takes(silent));
    let mut rows: Vec<Row<'_>> = passing.map(|silent| Row { id: id_of(silent), silent }).collect();
    rows.sort_by(|left, right| left.id.cmp(&right.id));
    let (shown, next) = page(&rows, |row| row.id.clone(), filter.after.as_ref(), filter.limit);
    json(&Page {
        format: FORMAT,
        at: board.report.at,
        total: Some(rows.len()),
        next,
        rows: Rows("silent", shown),
    })
}

/// Made of all that it says, so it stays as long as that does.
fn id_of(silent: &Silent) -> String {
    let digest = Sha256::digest(format!("{}\n{}\n{}", silent.subject, silent.reason, silent.detail));
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

impl Words {
    fn read(self) -> Result<Filter, Problem> {
        Ok(Filter {
            reason: query::word("reason", self.reason.as_deref(), SilentReason::from_word)?,
            host: self.host.as_deref().map(query::name).transpose()?,
            text: query::text("q", self.q)?.map(|text| text.to_lowercase()),
            limit: query::limit(self.limit)?,
            after: query::text("after", self.after)?,
        })
    }
}

impl Filter {
    fn takes(&self, silent: &Silent) -> bool {
        let of_host = |host: &DomainName| silent.subject.record().is_some_and(|key| key.name == *host);
        let says = |text: &String| {
            let words = [silent.subject.to_string(), silent.detail.clone()];
            words.iter().any(|one| one.to_lowercase().contains(text))
        };
        self.reason.is_none_or(|reason| reason == silent.reason)
            && self.host.as_ref().is_none_or(of_host)
            && self.text.as_ref().is_none_or(says)
    }
}

//! Hosts: all names in pages, one with its four views, and waiting for one.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::board::host::host;
use crate::board::hosts::{HostFilter, HostState, hosts};
use crate::board::progress::{Goal, Stage};
use crate::model::DomainName;
use crate::publish::api::problem::Problem;
use crate::publish::api::query::{self, Asked};
use crate::publish::api::wait::{Question, Waited};
use crate::publish::api::{Api, FORMAT, Page, Rows, json, json_body, wait as waiting};
use crate::publish::rounds::Rounds;

/// Words that narrow the list down; absent means all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    zone: Option<String>,
    namespace: Option<String>,
    team: Option<String>,
    state: Option<String>,
    q: Option<String>,
    limit: Option<usize>,
    after: Option<String>,
}

/// What to wait for, and how long.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patience {
    until: Option<String>,
    timeout: Option<String>,
}

#[derive(Debug)]
struct Wanted {
    filter: HostFilter,
    after: Option<DomainName>,
    limit: usize,
}

pub(super) async fn list(State(api): State<Api>, headers: HeaderMap, asked: Asked<Words>) -> Response {
    let wanted = match query::parameters(asked).and_then(Words::read) {
        Err(problem) => return problem.into_response(),
        Ok(wanted) => wanted,
    };
    let rows = move |board: &crate::board::Board| {
        let found = hosts(board, &wanted.filter, wanted.after.as_ref(), wanted.limit);
        json(&Page {
            format: FORMAT,
            at: board.report.at,
            total: None,
            next: found.next.as_ref().map(ToString::to_string),
            rows: Rows("hosts", &found.rows),
        })
    };
    api.answer(&headers, rows).await
}

pub(super) async fn one(State(api): State<Api>, Path(text): Path<String>, headers: HeaderMap) -> Response {
    let name = match query::name(&text) {
        Err(problem) => return problem.into_response(),
        Ok(name) => name,
    };
    let views = move |board: &crate::board::Board| {
        json(&host(board, &name).ok_or_else(|| Problem::unknown_host(name.as_str()))?)
    };
    api.answer(&headers, views).await
}

pub(super) async fn wait(
    State(api): State<Api>,
    Path(text): Path<String>,
    asked: Asked<Patience>,
) -> Response {
    match answer_late(&api, &text, asked).await {
        Ok(body) => ([(header::CACHE_CONTROL, "no-store")], json_body(body)).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn answer_late(api: &Api, text: &str, asked: Asked<Patience>) -> Result<String, Problem> {
    let question = question(api, text, &query::parameters(asked)?)?;
    let Rounds::Boards(boards) = &api.rounds else { return Err(Problem::not_ready()) };
    let _ticket = api.waiters.join(&question.name).ok_or_else(Problem::too_many_waiters)?;
    match waiting::wait(boards.clone(), &question, |_round| ()).await {
        Waited::Reached(progress, _) => json(&progress),
        Waited::Over(last) => {
            let progress = last.map(|(progress, _)| progress);
            let unwanted = progress.as_ref().is_some_and(|progress| progress.stage == Stage::Unwanted);
            Err(Problem::waited_in_vain(progress, unwanted && question.until != Goal::Absent))
        }
        Waited::Stopped => Err(Problem::stopping()),
    }
}

fn question(api: &Api, text: &str, asked: &Patience) -> Result<Question, Problem> {
    let name = query::name(text)?;
    if name.defect().is_some() {
        return Err(Problem::bad_query(&format!("{text:?} can never be in DNS")));
    }
    Ok(Question {
        name,
        until: query::word("until", asked.until.as_deref(), Goal::from_word)?.unwrap_or(Goal::Live),
        since: api.clock.now(),
        within: query::within(asked.timeout.as_deref())?,
    })
}

impl Words {
    fn read(self) -> Result<Wanted, Problem> {
        Ok(Wanted {
            filter: HostFilter {
                zone: query::text("zone", self.zone)?,
                namespace: query::text("namespace", self.namespace)?,
                team: query::text("team", self.team)?,
                state: query::word("state", self.state.as_deref(), HostState::from_word)?,
                text: query::text("q", self.q)?.map(|text| text.to_lowercase()),
            },
            after: query::text("after", self.after)?.map(|after| DomainName::new(&after)),
            limit: query::limit(self.limit)?,
        })
    }
}

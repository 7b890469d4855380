//! What callers may ask: every parameter bounded and checked, every mistake named.

use std::time::Duration;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use jiff::SignedDuration;
use serde::de::DeserializeOwned;

use crate::limits::{API_PAGE, MAX_API_PAGE, MAX_NAME, MAX_QUERY_WORD, MAX_WAIT};
use crate::model::DomainName;
use crate::publish::api::problem::Problem;

/// The parameters, or why they are none.
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

pub(super) fn parameters<T: DeserializeOwned>(asked: Asked<T>) -> Result<T, Problem> {
    asked.map(|Query(asked)| asked).map_err(|rejection| Problem::bad_query(&rejection.body_text()))
}

/// One of a closed set of words.
pub(super) fn word<T>(
    parameter: &str,
    text: Option<&str>,
    read: fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    read(text).map(Some).ok_or_else(|| Problem::bad_query(&format!("{parameter} has no value {text:?}")))
}

/// Any text within the bound.
pub(super) fn text(parameter: &str, text: Option<String>) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if MAX_QUERY_WORD < text.len() => {
            Err(Problem::bad_query(&format!("{parameter} is longer than {MAX_QUERY_WORD} bytes")))
        }
        text => Ok(text),
    }
}

pub(super) fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked {
        None => Ok(API_PAGE),
        Some(limit) if (1..=MAX_API_PAGE).contains(&limit) => Ok(limit),
        Some(limit) => {
            Err(Problem::bad_query(&format!("limit={limit} is out of range: 1 to {MAX_API_PAGE}")))
        }
    }
}

/// A name in a path. What is no legal DNS name may still have a finding.
pub(super) fn name(text: &str) -> Result<DomainName, Problem> {
    let name = DomainName::new(text);
    if name.as_str().is_empty() || MAX_NAME < text.len() {
        return Err(Problem::bad_query(&format!("{text:?} is no name of a host")));
    }
    Ok(name)
}

/// `90s`, `5m`, or a bare number of seconds.
pub(super) fn within(text: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = text else { return Ok(Duration::from_mins(1)) };
    let seconds = text.parse::<u64>().ok().map(Duration::from_secs);
    let span = || Duration::try_from(text.parse::<SignedDuration>().ok()?).ok();
    seconds.or_else(span).filter(|within| *within <= MAX_WAIT).ok_or_else(|| {
        let most = MAX_WAIT.as_secs();
        Problem::bad_query(&format!("timeout={text:?} is no duration up to {most}s, for example 300s or 5m"))
    })
}

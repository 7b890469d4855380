//! A finding in full: what is wrong, four views, evidence, mend, history.

use serde_json::Value as Json;

use crate::finding::{Cause, Kind, State};
use crate::model::text::printable;
use crate::publish::page::list::{Row, instance_href, zone_href};
use crate::publish::page::time::When;
use crate::report::{Finding, Report, Step};
use crate::snapshot::{ViewName, ViewState};

/// One finding.
#[derive(Debug)]
pub(super) struct Card<'a> {
    pub(super) id: &'a str,
    pub(super) row: Row,
    pub(super) facts: Vec<Fact>,
    pub(super) sides: Vec<Side>,
    pub(super) evidence: &'a [String],
    pub(super) fix: &'a str,
    pub(super) commands: Vec<Snippet>,
    pub(super) checks: Vec<Snippet>,
    pub(super) batches: Vec<Batch>,
    pub(super) steps: Vec<StepRow>,
    /// The page about the kind, if it can be linked.
    pub(super) runbook: Option<&'a str>,
    pub(super) explained_by: Option<&'a str>,
}

/// A name and a value, perhaps with a page of its own.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) href: String,
}

/// One of the four views.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) title: &'static str,
    pub(super) hint: &'static str,
    /// Name and the lines of its value; the name may be empty.
    pub(super) rows: Vec<(String, Vec<String>)>,
    /// What an empty one means.
    pub(super) nothing: &'static str,
}

/// Text to copy.
#[derive(Debug)]
pub(super) struct Snippet {
    pub(super) id: String,
    pub(super) lines: Vec<String>,
}

/// A change batch for Route 53.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) title: &'static str,
    pub(super) text: Snippet,
}

/// How the finding stood from one moment on.
#[derive(Debug)]
pub(super) struct StepRow {
    pub(super) at: When,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) text: String,
}

// === impl Card ===

impl<'a> Card<'a> {
    pub(super) fn new(report: &'a Report, finding: &'a Finding) -> Self {
        let id = finding.id.as_str();
        let snippets = |word: &str, texts: &[String]| {
            texts
                .iter()
                .enumerate()
                .map(|(number, text)| snippet(format!("{word}{number}-{id}"), text))
                .collect()
        };
        // Any other scheme could run a script when clicked.
        let is_web = finding.runbook.starts_with("https://") || finding.runbook.starts_with("http://");
        Self {
            id,
            row: Row::new(report, finding),
            facts: facts(report, finding),
            sides: sides(report, finding),
            evidence: &finding.evidence,
            fix: &finding.fix.summary,
            commands: snippets("fix", &finding.fix.commands),
            checks: snippets("check", &finding.fix.checks),
            batches: batches(finding),
            steps: steps(report, finding),
            runbook: is_web.then_some(finding.runbook.as_str()),
            explained_by: finding.explained_by.as_deref(),
        }
    }
}

fn facts(report: &Report, finding: &Finding) -> Vec<Fact> {
    let fact = |name: &str, value: Option<String>, href: String| Fact {
        name: name.to_owned(),
        value: value.unwrap_or_default(),
        href,
    };
    let zone = finding.zone.as_ref();
    let also = finding.also.iter().map(|also| format!("{} ({})", also.kind, also.reason));
    let mut facts = vec![
        fact("impact", Some(finding.impact.to_string()), String::new()),
        fact("cause", finding.cause.as_ref().map(ToString::to_string), String::new()),
        fact("also", Some(also.collect::<Vec<_>>().join(", ")), String::new()),
        fact("object", finding.object.as_ref().map(ToString::to_string), String::new()),
        fact("team", finding.team().map(str::to_owned), String::new()),
        fact(
            "zone",
            zone.map(|zone| {
                format!("{} ({}, {})", zone.name, if zone.private { "private" } else { "public" }, zone.id)
            }),
            zone.map(|zone| zone_href(zone.id.as_str())).unwrap_or_default(),
        ),
        fact(
            "instance",
            finding.instance.as_ref().map(ToString::to_string),
            finding.instance.as_deref().map(instance_href).unwrap_or_default(),
        ),
        fact(
            "pending until",
            finding.pending_until.map(|until| {
                format!("{} ({})", When::new(until, report.at).human, When::relative(until, report.at))
            }),
            String::new(),
        ),
        fact("muted by", finding.mute.as_ref().map(ToString::to_string), String::new()),
    ];
    let others =
        finding.labels.iter().filter(|(name, value)| finding.team() != Some(value) || *name != "team");
    facts.extend(
        others.map(|(name, value)| fact(&format!("label {name}"), Some(value.clone()), String::new())),
    );
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

fn sides(report: &Report, finding: &Finding) -> Vec<Side> {
    vec![
        Side {
            title: "Wanted",
            hint: "what the objects ask for",
            rows: members(&finding.desired),
            nothing: "nothing is wanted",
        },
        Side {
            title: "Recorded",
            hint: "what Route 53 holds",
            rows: members(&finding.recorded),
            nothing: "no such record",
        },
        Side { title: "Live", hint: "what DNS answers", rows: members(&finding.live), nothing: "not asked" },
        Side {
            title: "Changes",
            hint: "what was tried",
            rows: refused(finding),
            nothing: match report.views.get(&ViewName::Changes).map(|view| view.state) {
                Some(ViewState::Off) | None => "logs are not read",
                Some(ViewState::Unread) => "logs could not be read",
                Some(ViewState::Read | ViewState::Stale) => "no refused change is known",
            },
        },
    ]
}

fn refused(finding: &Finding) -> Vec<(String, Vec<String>)> {
    let row = |word: &str, text: String| vec![(word.to_owned(), vec![text])];
    if let Some(Cause::FailedChangeOf(name)) = &finding.cause {
        row("refused with its batch, because of", name.to_string())
    } else if let Some(Cause::FailedChange(reason)) = &finding.cause {
        row("refused", reason.to_string())
    } else if finding.kind == Kind::FailedChange {
        row("refused", finding.reason.to_string())
    } else {
        Vec::new()
    }
}

/// The members of a view. A record's type comes first.
pub(super) fn members(view: &Json) -> Vec<(String, Vec<String>)> {
    match view {
        Json::Null => Vec::new(),
        Json::Object(members) => {
            let (types, others): (Vec<_>, Vec<_>) = members.iter().partition(|(name, _)| *name == "type");
            let rows = types.into_iter().chain(others).filter(|(_, value)| !value.is_null());
            rows.map(|(name, value)| (printable(name), lines(value))).collect()
        }
        Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            vec![(String::new(), lines(view))]
        }
    }
}

/// A line for each member or value. The values of a record need no name.
fn lines(value: &Json) -> Vec<String> {
    match value {
        Json::Array(values) => values.iter().map(inline).collect(),
        Json::Object(members) => {
            let told = members.iter().filter(|(name, value)| *name != "type" && !value.is_null());
            let (values, others): (Vec<_>, Vec<_>) = told.partition(|(name, _)| *name == "values");
            let values = values.into_iter().flat_map(|(_, value)| lines(value));
            values.chain(others.into_iter().map(|(name, value)| named(name, value))).collect()
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => vec![inline(value)],
    }
}

fn named(name: &str, value: &Json) -> String {
    let name = if name == "ttl" { "TTL" } else { name };
    printable(&format!("{name} {}", inline(value)))
}

fn inline(value: &Json) -> String {
    let text = match value {
        Json::Null => String::from("-"),
        Json::String(text) => text.clone(),
        Json::Array(values) => values.iter().map(inline).collect::<Vec<_>>().join(", "),
        Json::Object(_) => lines(value).join("; "),
        Json::Bool(_) | Json::Number(_) => value.to_string(),
    };
    printable(&text)
}

fn snippet(id: String, text: &str) -> Snippet {
    Snippet { id, lines: text.lines().map(str::to_owned).collect() }
}

fn batches(finding: &Finding) -> Vec<Batch> {
    let named = [
        ("change", "Change batch for Route 53", &finding.fix.change_batch),
        ("inverse", "The batch that takes it back", &finding.fix.inverse_batch),
    ];
    let batch = |(word, title, json): (&str, &'static str, &Option<Json>)| {
        let text = serde_json::to_string_pretty(json.as_ref()?).ok()?;
        Some(Batch { title, text: snippet(format!("{word}-{}", finding.id), &text) })
    };
    named.into_iter().filter_map(batch).collect()
}

/// The newest first.
pub(super) fn steps(report: &Report, finding: &Finding) -> Vec<StepRow> {
    let mut rows: Vec<StepRow> = Vec::new();
    let mut last: Option<&Step> = None;
    for step in &finding.steps {
        let same = last.is_some_and(|last| {
            (last.severity, last.impact, last.reason) == (step.severity, step.impact, step.reason)
        });
        let word =
            if last.is_some_and(|last| last.state == step.state) { "changed" } else { became(step.state) };
        let text = if same {
            word.to_owned()
        } else {
            format!("{word}: {}, impact {}, {}", step.severity, step.impact, step.reason)
        };
        rows.push(StepRow {
            at: When::new(step.at, report.at),
            kind: finding.kind.as_str(),
            state: step.state.as_str(),
            text,
        });
        last = Some(step);
    }
    rows.reverse();
    rows
}

const fn became(state: State) -> &'static str {
    match state {
        State::Pending => "seen",
        State::Open => "opened",
        State::Muted => "muted",
        State::Explained => "explained by another finding",
        State::Stale => "frozen, because a view is blind",
        State::Resolved => "healed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn views_are_told_in_lines() {
        let desired = json!({"type": "A", "ttl": 300, "values": ["1.1.1.1", "2.2.2.2"]});
        let check = |view: Json, expected: &str| {
            let rows = members(&view);
            let told: Vec<String> =
                rows.iter().map(|(name, lines)| format!("{name}={}", lines.join("/"))).collect();
            assert_eq!(told.join("|"), expected);
        };
        check(desired.clone(), "type=A|ttl=300|values=1.1.1.1/2.2.2.2");
        check(json!({"A": desired}), "A=1.1.1.1/2.2.2.2/TTL 300");
        check(json!({"alias": {"dns_name": "lb", "zone": null}}), "alias=dns_name lb");
        check(
            json!({"authoritative": {"ns-1": "nxdomain", "ns-2": ["1.1.1.1", "2.2.2.2"]}}),
            "authoritative=ns-1 nxdomain/ns-2 1.1.1.1, 2.2.2.2",
        );
        check(json!({}), "");
        check(json!("x\n"), "=x\\n");
    }
}

//! The diagnosis as text for a terminal.

use comfy_table::Cell;

use crate::diagnose::{Diagnosis, Refused, RefusedState};
use crate::model::text::printable;
use crate::publish::table::{Style, empty, line};

/// A table of the refused changes, then failed reconciles, then what was read.
#[must_use]
pub fn table(diagnosis: &Diagnosis, style: Style) -> String {
    let mut out = String::new();
    if !diagnosis.refused.is_empty() {
        let mut table = empty(style);
        table.set_header(["record", "zone", "reason", "refused", "what Route 53 said", "what to do"]);
        for one in &diagnosis.refused {
            table.add_row(row(one));
        }
        line(&mut out, &table.to_string());
    }
    for runs in &diagnosis.failed_runs {
        let fatal = if runs.fatal { ", and a process ended with it" } else { "" };
        let text = format!(
            "{} reconciles failed ({}), last at {}{fatal}: {}",
            runs.count,
            runs.reason,
            runs.last_at,
            printable(&runs.message)
        );
        line(&mut out, &text);
    }
    for input in &diagnosis.inputs {
        let lines = input.lines.map(|lines| format!("{lines} lines"));
        let records = input.records.map(|records| format!("{records} records of CloudTrail"));
        let version = input.version.map(|version| format!(", ExternalDNS {version}")).unwrap_or_default();
        let what = lines.or(records).unwrap_or_default();
        line(&mut out, &format!("{}: {what}{version}", printable(&input.name)));
        for problem in &input.problems {
            line(&mut out, &format!("{}: {}", printable(&input.name), printable(problem)));
        }
    }
    let standing = diagnosis.refused.iter().filter(|one| one.state == RefusedState::Refused).count();
    line(
        &mut out,
        &match (diagnosis.refused.len(), standing) {
            (0, _) => "no refused change".to_owned(),
            (1, 1) => "1 change, still refused at the end".to_owned(),
            (all, standing) => format!("{all} refused changes, {standing} of them still refused at the end"),
        },
    );
    out
}

fn row(one: &Refused) -> [Cell; 6] {
    let record = one.subject.as_ref().map_or_else(|| "(not told)".to_owned(), ToString::to_string);
    let doubt = if one.certain || one.subject.is_none() { "" } else { "\n(one of several)" };
    let zone = one.zone.as_ref().map(ToString::to_string).unwrap_or_default();
    let zone_id = one.zone_id.as_ref().map(|id| format!("\n{id}")).unwrap_or_default();
    let cause = one.cause.as_ref().map(|cause| format!("\n{cause}")).unwrap_or_default();
    let state = match one.state {
        RefusedState::Refused => "",
        RefusedState::NoLongerTried => "\nno longer tried",
        RefusedState::Applied => "\nlater applied",
    };
    let times = if one.count == 1 {
        format!("once\n{}", one.last_at)
    } else {
        format!("{} times\n{}\n{}", one.count, one.first_at, one.last_at)
    };
    let request =
        one.request_id.as_ref().map(|id| format!("\nrequest {}", printable(id))).unwrap_or_default();
    let who = one.principal.as_ref().map(|who| format!("\nby {}", printable(who))).unwrap_or_default();
    [
        Cell::new(format!("{}{doubt}", printable(&record))),
        Cell::new(format!("{zone}{zone_id}")),
        Cell::new(format!("{}{cause}", one.reason)),
        Cell::new(format!("{times}{state}")),
        Cell::new(format!("{}{request}{who}", printable(&one.message))),
        Cell::new(&one.advice),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::{FORMAT, InputReport};
    use crate::model::Version;

    #[test]
    fn a_release_is_told_as_it_is_called() {
        let input = InputReport {
            name: "x.log".to_owned(),
            lines: Some(2),
            version: Some(Version::new(0, 14, 2)),
            ..InputReport::default()
        };
        let diagnosis =
            Diagnosis { format: FORMAT, inputs: vec![input], refused: Vec::new(), failed_runs: Vec::new() };
        let text = table(&diagnosis, Style::default());
        assert!(text.starts_with("x.log: 2 lines, ExternalDNS v0.14.2\n"), "{text}");
    }
}

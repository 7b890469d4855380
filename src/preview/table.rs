//! Rows for people.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

use crate::model::text::printable;
use crate::preview::{Difference, Listing, Stage};

/// A listing as a table.
#[must_use]
pub fn listing(listing: &Listing, stage: Stage) -> String {
    let mut table = empty(stage, false);
    for row in &listing.rows {
        table.add_row(cells(row, stage, None));
    }
    format!("{table}\n{} rows\n", listing.rows.len())
}

/// A difference as a table: `+`, `-`, and `~` with the row before and after.
#[must_use]
pub fn differences(difference: &Difference, stage: Stage) -> String {
    let mut table = empty(stage, true);
    for row in &difference.removed {
        table.add_row(cells(row, stage, Some("-")));
    }
    for change in &difference.changed {
        table.add_row(cells(&change.before, stage, Some("~ before")));
        table.add_row(cells(&change.after, stage, Some("~ after")));
    }
    for row in &difference.added {
        table.add_row(cells(row, stage, Some("+")));
    }
    format!(
        "{table}\n{} added, {} removed, {} changed, {} unchanged; Route 53 would refuse {}\n",
        difference.added.len(),
        difference.removed.len(),
        difference.changed.len(),
        difference.unchanged,
        difference.refused.len()
    )
}

fn empty(stage: Stage, signed: bool) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    let columns: &[&str] = match stage {
        Stage::Source | Stage::Provider => &["name", "type", "ttl", "targets", "set", "properties", "object"],
        Stage::Route53 => &["zone", "name", "type", "ttl", "content", "set", "routing", "refused"],
    };
    let sign = signed.then_some(&"");
    table.set_header(sign.into_iter().chain(columns).copied());
    table
}

fn cells(row: &Value, stage: Stage, sign: Option<&str>) -> Vec<String> {
    let text = |member: &str| match row.get(member) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => printable(text),
        Some(other) => printable(&other.to_string()),
    };
    let list = |member: &str| {
        let rows = row.get(member).and_then(Value::as_array).into_iter().flatten();
        rows.map(|one| printable(one.as_str().unwrap_or_default())).collect::<Vec<_>>().join("\n")
    };
    let cells = match stage {
        Stage::Source | Stage::Provider => {
            let resource = row.pointer("/labels/resource").and_then(Value::as_str).unwrap_or_default();
            let ttl = text("recordTTL");
            vec![
                text("dnsName"),
                text("recordType"),
                ttl,
                list("targets"),
                text("setIdentifier"),
                properties(row),
                printable(resource),
            ]
        }
        Stage::Route53 => {
            let content = match row.get("alias") {
                Some(alias) => of_alias(alias),
                None => list("values"),
            };
            let (set, routing) = (text("set_identifier"), text("routing"));
            vec![
                text("zone"),
                text("name"),
                text("type"),
                text("ttl"),
                content,
                set,
                routing,
                text("refused"),
            ]
        }
    };
    sign.map(str::to_owned).into_iter().chain(cells).collect()
}

fn properties(row: &Value) -> String {
    let rows = row.get("providerSpecific").and_then(Value::as_array).into_iter().flatten();
    let word =
        |one: &Value, member: &str| printable(one.get(member).and_then(Value::as_str).unwrap_or_default());
    rows.map(|one| format!("{}={}", word(one, "name"), word(one, "value"))).collect::<Vec<_>>().join("\n")
}

fn of_alias(alias: &Value) -> String {
    let word = |member: &str| printable(alias.get(member).and_then(Value::as_str).unwrap_or_default());
    let health = alias.get("evaluate_target_health").and_then(Value::as_bool).unwrap_or_default();
    let health = if health { ", health counts" } else { "" };
    format!("alias {} ({}{health})", word("dns_name"), word("hosted_zone_id"))
}

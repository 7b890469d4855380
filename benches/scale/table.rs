//! The figures as Markdown.

use std::fmt::Write as _;

use super::Row;

type Column = (&'static str, fn(&Row) -> String);

const WORLD: [Column; 9] = [
    ("names", |row| row.names.to_string()),
    ("objects", |row| row.objects.to_string()),
    ("hosted zones", |row| row.zones.to_string()),
    ("record sets", |row| row.record_sets.to_string()),
    ("faults", |row| row.findings.to_string()),
    ("ready, s", |row| format!("{:.1}", row.ready)),
    ("all views read, s", |row| format!("{:.1}", row.whole)),
    ("requests to Route 53 by then", |row| format!("{:.0}", row.first_requests)),
    ("every verdict right, s", |row| format!("{:.1}", row.said)),
];

const STEADY: [Column; 12] = [
    ("names", |row| row.names.to_string()),
    ("round, s", |row| format!("{:.3}", row.round)),
    ("rounds/min", |row| format!("{:.1}", row.rounds)),
    ("detection, s", |row| format!("{:.1}", row.detection)),
    ("CPU, s/min", |row| format!("{:.1}", row.cpu)),
    ("CPU, s/round", |row| format!("{:.2}", row.cpu / row.rounds.max(1.0))),
    ("resident, MiB", |row| format!("{:.0}", row.resident)),
    ("peak, MiB", |row| format!("{:.0}", row.peak)),
    ("requests to Route 53/min", |row| format!("{:.0}", row.requests)),
    ("questions to DNS/min", |row| format!("{:.0}", row.questions)),
    ("scrape, ms", |row| format!("{:.1}", row.scrape * 1_000.0)),
    ("scrape, KiB (gzip)", |row| {
        format!("{} ({})", row.scrape_size.div_ceil(1024), row.scrape_gzip.div_ceil(1024))
    }),
];

/// How a world is read, and what its steady state costs.
pub(crate) fn table(rows: &[Row]) -> String {
    format!("{}\n{}", of(&WORLD, rows), of(&STEADY, rows))
}

fn of(columns: &[Column], rows: &[Row]) -> String {
    let mut text = String::new();
    let mut line = |cells: Vec<String>| writeln!(text, "| {} |", cells.join(" | ")).expect("written");
    line(columns.iter().map(|(head, _)| (*head).to_owned()).collect());
    line(columns.iter().map(|_| "---:".to_owned()).collect());
    for row in rows {
        line(columns.iter().map(|(_, cell)| cell(row)).collect());
    }
    text
}

//! The results as tables.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::mutators::{Mutant, Mutants};
use crate::workers::Fates;

#[derive(Default)]
struct Row {
    mutants: usize,
    by: [usize; 5],
    refused: usize,
    skipped: usize,
}

/// The fates in the order of the columns.
const FATES: [&str; 5] = ["cases", "tests", "reported", "survived", "unreached"];

/// A row for each file, and a line for each change that no test noticed.
pub fn summary(mutants: &Mutants, fates: &Fates) -> String {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for mutant in &mutants.all {
        let row = rows.entry(&mutant.file).or_default();
        row.mutants += 1;
        if mutant.refused {
            row.refused += 1;
        } else if let Some(place) = FATES.iter().position(|fate| *fate == column(mutant, fates)) {
            row.by[place] += 1;
        }
    }
    for (file, skipped) in &mutants.skipped {
        rows.entry(file).or_default().skipped = *skipped;
    }
    let mut out = format!("| file | mutants | {} | not compilable | skipped |\n", FATES.join(" | "));
    out += "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    let mut total = Row::default();
    for (file, row) in &rows {
        line(&mut out, file.trim_start_matches("src/"), row);
        total.mutants += row.mutants;
        total.refused += row.refused;
        total.skipped += row.skipped;
        total.by.iter_mut().zip(row.by).for_each(|(sum, one)| *sum += one);
    }
    line(&mut out, "all", &total);
    out.push('\n');
    for mutant in mutants.all.iter().filter(|mutant| !mutant.refused) {
        let fate = column(mutant, fates);
        if !matches!(fate, "cases" | "tests") {
            // Writing to a String cannot fail.
            _ = writeln!(
                out,
                "- {} {}:{} {} ({fate})",
                mutant.number, mutant.file, mutant.line, mutant.change
            );
        }
    }
    out
}

fn line(out: &mut String, name: &str, row: &Row) {
    let by: Vec<String> = row.by.iter().map(usize::to_string).collect();
    let by = by.join(" | ");
    _ = writeln!(out, "| {name} | {} | {by} | {} | {} |", row.mutants, row.refused, row.skipped);
}

fn column(mutant: &Mutant, fates: &Fates) -> &'static str {
    let fate = fates.get(&mutant.number).map(String::as_str).unwrap_or_default();
    match fate.split(' ').next() {
        Some("killed") if fate.contains("::") => "tests",
        Some("killed") => "cases",
        Some("reported") => "reported",
        Some("survived") => "survived",
        _ => "unreached",
    }
}

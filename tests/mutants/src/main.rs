//! Mutation testing of `src/compare` with one build: every change is compiled in, behind a switch.
//!
//! ```console
//! cargo run --manifest-path tests/mutants/Cargo.toml --release -- target/mutants build cases tests report
//! ```
//!
//! The folder holds a copy of the project and the results. `build` makes the copy, with all changes that
//! compile. `cases` judges every recorded case under each change that it reaches; `cases:again` those changes
//! that no case has noticed, by the cases of today. `tests` runs the unit tests of the library under each
//! change that is left, `tests:NAME` another test of the project. `report` prints the tables. Each step goes
//! on where it was ended; `build` starts anew.

mod build;
mod mutators;
mod splice;
mod summary;
mod values;
mod workers;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::mutators::Mutants;
use crate::workers::{Fates, Judge};

/// The unit tests that concern the verdicts.
const UNIT_TESTS: [&str; 3] = ["compare::", "engine::", "history::"];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let work = PathBuf::from(arguments.next().context("name a folder to work in")?);
    std::fs::create_dir_all(&work)?;
    let work = work.canonicalize()?;
    for step in arguments {
        match step.split_once(':').unwrap_or((&step, "")) {
            ("build", _) => build(&work)?,
            ("cases", "") => cases(&work, |_| false)?,
            ("cases", "again") => {
                build::copy_cases(&project()?, &work.join("copy"))?;
                cases(&work, |fate| !fate.starts_with("killed"))?;
            }
            ("tests", name) => tests(&work, name)?,
            ("report", _) => println!("{}", summary::summary(&mutants(&work)?, &fates(&work)?)),
            (other, _) => bail!("no such step: {other}"),
        }
    }
    Ok(())
}

fn project() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().context("find the project")
}

fn build(work: &Path) -> Result<()> {
    let mutants = build::build(&project()?, &work.join("copy"))?;
    std::fs::write(work.join("mutants.json"), serde_json::to_vec_pretty(&mutants)?)?;
    std::fs::write(work.join("fates.tsv"), "")?;
    Ok(())
}

/// Judges what is not known yet, and what is to be judged again.
fn cases(work: &Path, again: impl Fn(&str) -> bool) -> Result<()> {
    let (copy, known) = (work.join("copy"), fates(work)?);
    let all = mutants(work)?.all.into_iter().filter(|mutant| !mutant.refused).map(|mutant| mutant.number);
    let left: Vec<u32> = all.filter(|number| known.get(number).is_none_or(|fate| again(fate))).collect();
    let ask = |judge: &mut Judge, number| judge.ask(&copy, number);
    workers::each(&left, parallel(), Judge::default, ask, |number, fate| note(work, number, fate))
}

/// Only a change that no case notices is worth the time of the tests.
fn tests(work: &Path, name: &str) -> Result<()> {
    let copy = work.join("copy");
    let target = if name.is_empty() { vec!["--lib"] } else { vec!["--test", name] };
    let program = build::test_program(&copy, &target)?;
    let filters: Vec<String> =
        if name.is_empty() { UNIT_TESTS.map(str::to_owned).to_vec() } else { Vec::new() };
    let known = fates(work)?;
    let left = known.iter().filter(|(_, fate)| !fate.starts_with("killed")).map(|(number, _)| *number);
    let job = |(): &mut (), number| workers::test(&copy, &program, &filters, number);
    let keep = |number, fate: &str| {
        let Some(by) = fate.strip_prefix("killed ") else { return Ok(()) };
        note(work, number, &format!("killed {}::{by}", if name.is_empty() { "lib" } else { name }))
    };
    workers::each(&left.collect::<Vec<_>>(), parallel(), || (), job, keep)
}

fn parallel() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}

fn mutants(work: &Path) -> Result<Mutants> {
    Ok(serde_json::from_slice(
        &std::fs::read(work.join("mutants.json")).context("run the step build first")?,
    )?)
}

/// What is known; a later line counts more.
fn fates(work: &Path) -> Result<Fates> {
    let text = std::fs::read_to_string(work.join("fates.tsv")).context("run the step build first")?;
    let rows = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(rows.filter_map(|(number, fate)| Some((number.parse().ok()?, fate.to_owned()))).collect())
}

fn note(work: &Path, number: u32, fate: &str) -> Result<()> {
    let mut file = OpenOptions::new().append(true).open(work.join("fates.tsv"))?;
    Ok(file.write_all(format!("{number}\t{fate}\n").as_bytes())?)
}

//! A copy of the project with all changes in it, and the compiler's opinion of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::mutators::{Mutants, sites_of};
use crate::splice::{Places, Site, blamed, splice};

/// What lies below is changed.
const CHANGED: &str = "src/compare";

/// A file with its changes.
struct Source {
    file: String,
    text: String,
    sites: Vec<Site>,
    refused: BTreeSet<usize>,
    places: Places,
}

/// Copies, changes and compiles the project; what does not compile is left out, round after round.
pub fn build(project: &Path, copy: &Path) -> Result<Mutants> {
    let files = copy_files(project, copy, |_| true)?;
    let mut mutants = Mutants::default();
    let mut sources = Vec::new();
    for file in files.into_iter().filter(|file| is_changed(file)) {
        let text = std::fs::read_to_string(project.join(&file)).with_context(|| format!("read {file}"))?;
        let sites = sites_of(&file, &text, &mut mutants)?;
        sources.push(Source { file, text, sites, refused: BTreeSet::new(), places: Places::new() });
    }
    add_switches(copy, mutants.all.len())?;
    loop {
        for source in &mut sources {
            let (text, places) = splice(&source.text, &source.sites, &source.refused);
            let path = copy.join(&source.file);
            std::fs::create_dir_all(path.parent().context("a file without a folder")?)?;
            std::fs::write(path, text).with_context(|| format!("write {}", source.file))?;
            source.places = places;
        }
        let (errors, _) = cargo(copy, &["build", "--lib", "--bin", "mutants"])?;
        if errors.is_empty() {
            break;
        }
        let refused = refuse(&errors, &mut sources)?;
        println!("{} errors, {refused} sites do not compile", errors.len());
    }
    for (source, place) in sources.iter().flat_map(|one| one.refused.iter().map(move |place| (one, place))) {
        for number in source.sites.get(*place).iter().flat_map(|site| &site.mutants) {
            let index = usize::try_from(*number)?.saturating_sub(1);
            mutants.all.get_mut(index).context("a number of a change")?.refused = true;
        }
    }
    Ok(mutants)
}

/// The program that one kind of cargo target makes of the copy.
pub fn test_program(copy: &Path, target: &[&str]) -> Result<PathBuf> {
    let (errors, programs) = cargo(copy, &[&["test", "--no-run"], target].concat())?;
    ensure!(errors.is_empty(), "the tests do not compile: {errors:?}");
    programs.into_iter().last().context("no test program was made")
}

fn is_changed(file: &str) -> bool {
    let is_ours = file.strip_prefix(CHANGED).is_some_and(|rest| rest.starts_with('/') || rest == ".rs");
    is_ours && file.ends_with(".rs") && !file.ends_with("/tests.rs")
}

/// The recorded cases anew, without a build.
pub fn copy_cases(project: &Path, copy: &Path) -> Result<()> {
    let is_case = |file: &str| file.starts_with("tests/cases/") || file.starts_with("tests/scenarios/");
    copy_files(project, copy, is_case).map(|_| ())
}

/// Files that git knows; those that did not change keep their time, so that cargo builds less.
fn copy_files(project: &Path, copy: &Path, counts: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    let listed = git.arg("-C").arg(project).args(["ls-files", "-co", "--exclude-standard"]).output();
    let listed = String::from_utf8(listed.context("list the files with git")?.stdout)?;
    let files: Vec<String> = listed.lines().filter(|file| counts(file)).map(str::to_owned).collect();
    for file in &files {
        let (from, to) = (project.join(file), copy.join(file));
        let Ok(bytes) = std::fs::read(&from) else { continue };
        if is_changed(file) || std::fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        std::fs::create_dir_all(to.parent().context("a file without a folder")?)?;
        std::fs::write(&to, bytes).with_context(|| format!("write {}", to.display()))?;
    }
    Ok(files)
}

/// The module with the switches, and the program that judges the cases.
fn add_switches(copy: &Path, mutants: usize) -> Result<()> {
    let switches = include_str!("../copied/mutant.rs")
        .replace("COUNT_OF_MUTANTS", &mutants.saturating_add(1).to_string());
    std::fs::write(copy.join("src/mutant.rs"), switches)?;
    std::fs::create_dir_all(copy.join("src/bin"))?;
    std::fs::write(copy.join("src/bin/mutants.rs"), include_str!("../copied/runner.rs"))?;
    let library = std::fs::read_to_string(copy.join("src/lib.rs"))?;
    if !library.contains("pub mod mutant;") {
        std::fs::write(copy.join("src/lib.rs"), format!("{library}pub mod mutant;\n"))?;
    }
    Ok(())
}

/// The errors and the test programs of one run of cargo.
fn cargo(copy: &Path, arguments: &[&str]) -> Result<(Vec<Value>, Vec<PathBuf>)> {
    let output = Command::new("cargo")
        .args(arguments)
        .arg("--message-format=json")
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .env("RUSTFLAGS", "-Awarnings")
        .stderr(Stdio::inherit())
        .output()
        .context("run cargo")?;
    let text = String::from_utf8(output.stdout)?;
    let rows: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let is_error = |row: &&Value| row["reason"] == "compiler-message" && row["message"]["level"] == "error";
    let errors: Vec<Value> = rows.iter().filter(is_error).map(|row| row["message"].clone()).collect();
    if errors.is_empty() && !output.status.success() {
        bail!("cargo failed without an error of the compiler");
    }
    let tests = rows.iter().filter(|row| row["profile"]["test"] == true);
    let programs = tests.filter_map(|row| row["executable"].as_str()).map(PathBuf::from).collect();
    Ok((errors, programs))
}

/// Leaves out the sites that errors point at; says how many.
fn refuse(errors: &[Value], sources: &mut [Source]) -> Result<usize> {
    let mut count = 0_usize;
    for error in errors {
        let spans = error["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
        // What else an error points at only explains it.
        let (main, other): (Vec<&Value>, Vec<&Value>) =
            spans.iter().partition(|span| span["is_primary"] == true);
        for group in [main, other] {
            let before = count;
            for span in group {
                count = count.saturating_add(refuse_at(span, sources)?);
            }
            if before < count {
                break;
            }
        }
    }
    if count == 0 {
        let texts: Vec<&str> = errors.iter().filter_map(|error| error["rendered"].as_str()).collect();
        bail!("no change is to blame for these errors:\n{}", texts.join("\n"));
    }
    Ok(count)
}

fn refuse_at(span: &Value, sources: &mut [Source]) -> Result<usize> {
    let place = |key: &str| span[key].as_u64().and_then(|at| usize::try_from(at).ok());
    let range = place("byte_start").context("a span")?..place("byte_end").context("a span")?;
    let source = sources.iter_mut().find(|source| span["file_name"] == source.file.as_str());
    let Some(source) = source else { return Ok(0) };
    let sites = blamed(&source.places, &range);
    Ok(sites.into_iter().filter(|site| source.refused.insert(*site)).count())
}

//! A scenario recording as values that can be edited and judged again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, OnceLock};

use dns_drift::finding::{Kind, State};
use dns_drift::replay::replay;
use dns_drift::report::Report;
use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde_json::{Value, json};

/// A recording: its files by path relative to the folder.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) id: String,
    /// Of the shared corpus, which is tried in every variation; our own cases are many and get one each.
    pub(crate) shared: bool,
    pub(crate) files: BTreeMap<PathBuf, Content>,
}

/// One file.
#[derive(Clone)]
pub(crate) enum Content {
    /// JSON, and YAML of one document.
    Tree(Value),
    /// One JSON value a line.
    Lines(Vec<Value>),
    /// Logs and scrapes.
    Text(String),
}

/// What a reader of a report acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Open findings: subject, zone, kind, reason, severity, impact, cause.
    pub(crate) open: BTreeSet<[String; 7]>,
    /// Subjects with a finding that another one explains.
    pub(crate) explained: BTreeSet<String>,
    /// Silent reasons that are listed.
    pub(crate) silent: BTreeSet<String>,
}

/// All cases of the corpus and our own.
pub(crate) fn cases() -> &'static [Case] {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(load_all);
    &CASES
}

/// The report of a case as it was recorded: made once for all properties that only read it.
pub(crate) fn as_recorded(case: &Case) -> &'static Report {
    static REPORTS: LazyLock<BTreeMap<&'static str, OnceLock<Report>>> =
        LazyLock::new(|| cases().iter().map(|case| (case.id.as_str(), OnceLock::new())).collect());
    REPORTS[case.id.as_str()].get_or_init(|| case.report())
}

fn load_all() -> Vec<Case> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut folders: Vec<PathBuf> = ["scenarios", "cases"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(tests.join(folder)).unwrap())
        .map(|item| item.unwrap().path())
        .filter(|path| path.join("expected.yaml").is_file())
        .collect();
    folders.sort();
    folders.iter().map(|folder| Case::load(folder)).collect()
}

impl Case {
    fn load(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(folder, folder, &mut files);
        let shared = folder.parent().is_some_and(|parent| parent.ends_with("scenarios"));
        Self { id: folder.file_name().unwrap().to_string_lossy().into_owned(), shared, files }
    }

    /// The outcome of the unchanged case; every test starts from it.
    pub(crate) fn as_it_is(&self) -> Outcome {
        static KNOWN: Mutex<BTreeMap<String, Outcome>> = Mutex::new(BTreeMap::new());
        if let Some(outcome) = KNOWN.lock().unwrap().get(&self.id) {
            return outcome.clone();
        }
        let outcome = self.outcome();
        KNOWN.lock().unwrap().insert(self.id.clone(), outcome.clone());
        outcome
    }

    /// Writes it out and judges it.
    pub(crate) fn report(&self) -> Report {
        // Thousands of small files: a disk takes longer for them than all verdicts.
        let memory = Path::new("/dev/shm");
        let folder = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap();
        self.store(folder.path());
        replay(folder.path()).unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }

    pub(crate) fn outcome(&self) -> Outcome {
        outcome(&self.report())
    }

    pub(crate) fn store(&self, folder: &Path) {
        for (path, content) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = match content {
                Content::Tree(value) => serde_json::to_string_pretty(value).unwrap(),
                Content::Lines(lines) => {
                    lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect()
                }
                Content::Text(text) => text.clone(),
            };
            std::fs::write(path, text).unwrap();
        }
    }

    /// The variations that this case is tried in.
    pub(crate) fn some<T: Copy>(&self, all: &[T]) -> Vec<T> {
        all.iter().copied().take(if self.shared { all.len() } else { 1 }).collect()
    }

    pub(crate) fn expected(&self) -> &Value {
        self.tree(Path::new("expected.yaml"))
    }

    /// The configuration that the recording carries.
    pub(crate) fn config(&self) -> Option<&Value> {
        self.tree(Path::new("recording.yaml")).get("config")
    }

    fn tree(&self, path: &Path) -> &Value {
        match &self.files[path] {
            Content::Tree(value) => value,
            Content::Lines(_) | Content::Text(_) => panic!("{}: {} is no tree", self.id, path.display()),
        }
    }

    pub(crate) fn rounds(&self) -> Vec<(String, Timestamp)> {
        let rows = self.tree(Path::new("recording.yaml"))["rounds"].as_array().unwrap();
        rows.iter()
            .map(|row| {
                (row["dir"].as_str().unwrap().to_owned(), row["at"].as_str().unwrap().parse().unwrap())
            })
            .collect()
    }

    /// Every file of a kind, for editing.
    pub(crate) fn each(&mut self, edit: &mut dyn FnMut(&Path, &mut Content)) {
        for (path, content) in &mut self.files {
            edit(path, content);
        }
    }

    /// Takes files away.
    pub(crate) fn without(mut self, drop: impl Fn(&Path) -> bool) -> Self {
        self.files.retain(|path, _| !drop(path));
        self
    }

    /// One more round that sees the same as the last one, `later` after it.
    ///
    /// What was observed in it is observed anew; what the world says of itself stays.
    pub(crate) fn again(mut self, later: SignedDuration) -> Self {
        let (last, at) = self.rounds().pop().unwrap();
        let name = format!("{:03}", self.rounds().len());
        let copies: Vec<(PathBuf, Content)> = self
            .files
            .iter()
            .filter(|(path, _)| path.starts_with(&last))
            .map(|(path, content)| {
                let mut content = content.clone();
                match &mut content {
                    Content::Lines(lines) => {
                        for line in lines {
                            let seen: Timestamp = line["at"].as_str().unwrap().parse().unwrap();
                            line["at"] = json!(seen + later);
                        }
                    }
                    Content::Text(text) => keep_talking(text, at, later),
                    Content::Tree(_) => {}
                }
                (Path::new(&name).join(path.strip_prefix(&last).unwrap()), content)
            })
            .collect();
        self.files.extend(copies);
        let Some(Content::Tree(index)) = self.files.get_mut(Path::new("recording.yaml")) else { panic!() };
        let row = json!({ "dir": name, "at": (at + later).to_string() });
        index["rounds"].as_array_mut().unwrap().push(row);
        self
    }
}

/// A log whose writer was alive goes on: a controller says the same in every loop.
fn keep_talking(log: &mut String, at: Timestamp, later: SignedDuration) {
    static TIME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap());
    let last = TIME.find_iter(log).filter_map(|found| found.as_str().parse::<Timestamp>().ok()).max();
    if last.is_none_or(|last| SignedDuration::from_mins(5) < at.duration_since(last)) {
        return;
    }
    let now = (at + later).round(jiff::Unit::Second).unwrap();
    let line = log.lines().last().map(|line| TIME.replace_all(line, now.to_string()).into_owned());
    log.push_str(&line.unwrap_or_default());
    log.push('\n');
}

pub(crate) fn outcome(report: &Report) -> Outcome {
    let open = report.findings.iter().filter(|finding| finding.state == State::Open).map(|finding| {
        [
            finding.subject.to_string(),
            finding.zone.as_ref().map(|zone| zone.id.to_string()).unwrap_or_default(),
            finding.kind.to_string(),
            finding.reason.to_string(),
            finding.severity.to_string(),
            finding.impact.to_string(),
            finding.cause.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]
    });
    // What moves too much only a feed can see.
    let moves = |kind: Kind| matches!(kind, Kind::Flapping | Kind::Churn);
    let explained =
        report.findings.iter().filter(|finding| finding.state == State::Explained && !moves(finding.kind));
    let explained = explained.map(|finding| finding.subject.to_string()).collect();
    Outcome {
        open: open.collect(),
        explained,
        silent: report.silent.iter().map(|row| row.reason.to_string()).collect(),
    }
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Content>) {
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let content = match extension.as_str() {
            "json" => Content::Tree(serde_json::from_str(&text).unwrap()),
            "jsonl" => Content::Lines(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()),
            "yaml" => Content::Tree(yaml(&path, &text)),
            _ => Content::Text(text),
        };
        files.insert(path.strip_prefix(root).unwrap().to_path_buf(), content);
    }
}

/// Several documents become one list, as `kubectl get -o yaml` prints them.
fn yaml(path: &Path, text: &str) -> Value {
    // As the recording is read: an object may have the name `y`.
    let options = serde_saphyr::options! { strict_booleans: true };
    let mut documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if documents.len() == 1 {
        return documents.remove(0);
    }
    json!({ "apiVersion": "v1", "kind": "List", "items": documents })
}

//! `problems.yaml`: why a view, or a part of it, was not read in a round.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::finding::Reason;
use crate::model::text::printable;
use crate::recording::file;
use crate::snapshot::{Problem, ViewName};

/// File of the problems within a round.
pub const FILE: &str = "problems.yaml";

/// One line of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RawProblem {
    pub(crate) view: String,
    pub(crate) scope: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Reads the problems of a round; none if there is no file.
///
/// What cannot be understood becomes a problem of every view: it is not known which was read.
#[must_use]
pub fn read_problems(round: &Path) -> Vec<(ViewName, Problem)> {
    match file::yaml_documents::<Vec<RawProblem>>(&round.join(FILE)) {
        Ok(documents) => documents.into_iter().flatten().flat_map(|raw| decode(&raw)).collect(),
        Err(error) if error.is_missing() => Vec::new(),
        Err(error) => everywhere(&file::problem("all", &error)),
    }
}

fn decode(raw: &RawProblem) -> Vec<(ViewName, Problem)> {
    let Some(view) = ViewName::ALL.into_iter().find(|view| view.as_str() == raw.view) else {
        let text = format!("{FILE}: unknown view {:?}: {}", raw.view, raw.message);
        return everywhere(&file::parse_problem("all", &text));
    };
    let scope = if raw.scope.is_empty() { "all".to_owned() } else { printable(&raw.scope) };
    let problem = match Reason::from_word(&raw.code).filter(is_of_a_reader) {
        Some(code) => Problem { scope, code, message: printable(&raw.message) },
        None => file::parse_problem(&scope, &format!("{}: {}", raw.code, raw.message)),
    };
    vec![(view, problem)]
}

/// The vocabulary has many reasons; these say why something was not read.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "Option::filter passes a reference")]
fn is_of_a_reader(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::Forbidden | Reason::Throttled | Reason::Unreachable | Reason::Parse | Reason::EmptySuspicious
    )
}

fn everywhere(problem: &Problem) -> Vec<(ViewName, Problem)> {
    ViewName::ALL.into_iter().map(|view| (view, problem.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(ViewName, Problem)> {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::write(dir.path().join(FILE), text).expect("written");
        read_problems(dir.path())
    }

    #[test]
    fn known_unknown_and_broken() {
        let known = read("- { view: route53, scope: Z1, code: throttled, message: \"Rate exceeded\" }\n");
        assert_eq!(
            known,
            [(
                ViewName::Route53,
                Problem { scope: "Z1".into(), code: Reason::Throttled, message: "Rate exceeded".into() }
            )]
        );
        let unknown = read("- { view: dns, scope: all, code: sunspots, message: \"odd\" }\n");
        assert_eq!((unknown[0].1.code, unknown[0].1.message.as_str()), (Reason::Parse, "sunspots: odd"));
        assert_eq!(read("- { view: route54, code: forbidden }\n").len(), 4, "every view is in doubt");
        assert_eq!(read("- [").len(), 4);
        assert_eq!(read(""), []);
        assert_eq!(read_problems(Path::new("/nonexistent")), []);
    }
}

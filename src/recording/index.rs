//! `recording.yaml`: which rounds there are, and the configuration that was in force.

use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::text::printable;
use crate::recording::file::{self, FileError};

/// The only format that this program reads and writes.
pub const FORMAT: &str = "dns-drift-recording/1";

/// Name of the index within a recording.
pub const FILE: &str = "recording.yaml";

/// What `recording.yaml` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// In time order, at least one.
    pub rounds: Vec<RoundRef>,
    /// Configuration keys in force, unchecked; an empty object when there are none.
    pub config: serde_json::Value,
}

/// One round of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundRef {
    /// Folder of the round.
    pub dir: PathBuf,
    /// The clock of the round.
    pub at: Timestamp,
}

/// Why a folder is no recording.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is no index in the folder.
    #[error(
        "{} is not a recording: it has no {FILE}; write one with `format: {FORMAT}` and a list of rounds, \
         or make a recording with `dns-drift record`",
        dir.display()
    )]
    NoIndex {
        /// The folder.
        dir: PathBuf,
    },
    /// The index cannot be read.
    #[error("read the index of a recording")]
    File(#[source] FileError),
    /// The index is of another format.
    #[error("{} has format {found:?}; this program reads {FORMAT:?}", path.display())]
    Format {
        /// The index.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The index lists no round.
    #[error("{} lists no rounds; add `rounds: [{{dir: \"000\", at: \"2026-01-01T00:00:00Z\"}}]`", path.display())]
    NoRounds {
        /// The index.
        path: PathBuf,
    },
    /// The folder of a round is not directly inside the recording.
    #[error("{}: round folder {dir:?} must be the name of a folder inside the recording", path.display())]
    Outside {
        /// The index.
        path: PathBuf,
        /// What it says.
        dir: String,
    },
    /// The folder of a round does not exist.
    #[error("{}: round folder {dir:?} does not exist; restore it or remove its line", path.display())]
    NoRound {
        /// The index.
        path: PathBuf,
        /// What it says.
        dir: String,
    },
    /// The time of a round is no time.
    #[error("{}: round {dir:?} has no valid time: {at:?} is not RFC 3339", path.display())]
    Time {
        /// The index.
        path: PathBuf,
        /// The round.
        dir: String,
        /// What it says.
        at: String,
        /// Why.
        #[source]
        source: jiff::Error,
    },
}

/// The file as it is written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RawIndex {
    pub(crate) format: String,
    pub(crate) rounds: Vec<RawRoundRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<serde_json::Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RawRoundRef {
    pub(crate) dir: String,
    pub(crate) at: String,
}

/// Reads and checks the index of the recording in `dir`.
///
/// # Errors
///
/// When the folder is no recording of this format; the message says what to do.
pub fn read_index(dir: &Path) -> Result<Index, IndexError> {
    let path = dir.join(FILE);
    let raw = match file::yaml_documents::<RawIndex>(&path) {
        Ok(documents) => documents.into_iter().next().unwrap_or_default(),
        Err(error) if error.is_missing() => return Err(IndexError::NoIndex { dir: dir.to_owned() }),
        Err(error) => return Err(IndexError::File(error)),
    };
    if raw.format != FORMAT {
        return Err(IndexError::Format { path, found: printable(&raw.format) });
    }
    let mut rounds =
        raw.rounds.iter().map(|round| round_ref(dir, &path, round)).collect::<Result<Vec<_>, _>>()?;
    if rounds.is_empty() {
        return Err(IndexError::NoRounds { path });
    }
    rounds.sort_by_key(|round| round.at);
    let config = raw.config.unwrap_or_else(|| serde_json::Value::Object(serde_json::Map::new()));
    Ok(Index { rounds, config })
}

fn round_ref(dir: &Path, path: &Path, raw: &RawRoundRef) -> Result<RoundRef, IndexError> {
    let path = path.to_owned();
    let shown = printable(&raw.dir);
    let mut parts = Path::new(&raw.dir).components();
    let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else {
        return Err(IndexError::Outside { path, dir: shown });
    };
    let at = match raw.at.parse() {
        Ok(at) => at,
        Err(source) => return Err(IndexError::Time { path, dir: shown, at: printable(&raw.at), source }),
    };
    let folder = dir.join(name);
    if !folder.is_dir() {
        return Err(IndexError::NoRound { path, dir: shown });
    }
    Ok(RoundRef { dir: folder, at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Index, IndexError> {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::create_dir(dir.path().join("000")).expect("folder");
        std::fs::create_dir(dir.path().join("001")).expect("folder");
        std::fs::write(dir.path().join(FILE), text).expect("written");
        read_index(dir.path())
    }

    #[test]
    fn rounds_in_time_order_and_config_untyped() {
        let index = read(
            "format: dns-drift-recording/1\nrounds:\n  - { dir: \"001\", at: \"2026-11-23T10:01:00Z\" }\n  - { dir: \"000\", at: 2026-11-23T10:00:00Z }\nconfig:\n  maintenance: [{ from: 2026-11-23T10:00:00Z }]\n",
        )
        .expect("good");
        assert!(index.rounds[0].dir.ends_with("000") && index.rounds[0].at < index.rounds[1].at);
        assert_eq!(index.config["maintenance"][0]["from"], "2026-11-23T10:00:00Z", "times stay text");
    }

    #[test]
    fn says_what_is_wrong() {
        let head = "format: dns-drift-recording/1\n";
        let rows = [
            ("format: other/2".to_owned(), "other/2"),
            (head.to_owned(), "lists no rounds"),
            (format!("{head}rounds: [{{dir: ../x, at: \"2026-11-23T10:00:00Z\"}}]"), "inside the recording"),
            (format!("{head}rounds: [{{dir: /etc, at: \"2026-11-23T10:00:00Z\"}}]"), "inside the recording"),
            (format!("{head}rounds: [{{dir: \"\", at: \"2026-11-23T10:00:00Z\"}}]"), "inside the recording"),
            (format!("{head}rounds: [{{dir: \"007\", at: \"2026-11-23T10:00:00Z\"}}]"), "does not exist"),
            (format!("{head}rounds: [{{dir: \"000\", at: yesterday}}]"), "yesterday"),
            ("format: [".to_owned(), "index of a recording"),
        ];
        for (text, expected) in rows {
            let error = read(&text).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
        let empty = tempfile::tempdir().expect("folder");
        let error = read_index(empty.path()).expect_err("no index").to_string();
        assert!(error.contains("is not a recording") && error.contains("dns-drift record"), "{error}");
    }
}

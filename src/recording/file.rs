//! Reading files that somebody else wrote: bounded, and with errors that name the file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error_chain::ErrorChain;
use crate::finding::Reason;
use crate::model::text::printable;
use crate::snapshot::Problem;

/// Largest file that is read whole. A listing of 100,000 record sets as JSON has about 40 MB.
pub(crate) const MAX_FILE: u64 = 256 * 1024 * 1024;

/// Files of one folder that are looked at.
pub(crate) const MAX_FILES: usize = 10_000;

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read, or its folder cannot be listed.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is larger than anything sensible.
    #[error("{} has more than {max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound in bytes.
        max: u64,
    },
    /// It is no JSON, or not of the expected shape.
    #[error("{} is not the JSON that is expected here", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// It is no YAML, or not of the expected shape. The text has line and column.
    #[error("{} is not the YAML that is expected here: {text}", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What is wrong, printable, with line and column.
        text: String,
    },
}

impl FileError {
    /// True if the file does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// A problem of code `parse`.
pub(crate) fn problem(scope: &str, error: &dyn std::error::Error) -> Problem {
    parse_problem(scope, &ErrorChain(error).to_string())
}

/// A problem of code `parse` with a text of our own.
pub(crate) fn parse_problem(scope: &str, text: &str) -> Problem {
    Problem { scope: printable(scope), code: Reason::Parse, message: printable(text) }
}

/// The whole file; bytes that are not UTF-8 are replaced.
pub(crate) fn text(path: &Path) -> Result<String, FileError> {
    let bytes = read(path)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    serde_json::from_slice(&read(path)?).map_err(|source| FileError::Json { path: path.to_owned(), source })
}

/// As [`json`], for a file that may be missing.
pub(crate) fn optional_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FileError> {
    match json(path) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// All documents of a YAML file; empty documents are left out.
pub(crate) fn yaml_documents<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, FileError> {
    serde_saphyr::from_multiple_with_options(&text(path)?, yaml_options())
        .map_err(|error| FileError::Yaml { path: path.to_owned(), text: printable(&error.to_string()) })
}

/// The regular files of a folder with one of these extensions, sorted; `None` if there is no folder.
pub(crate) fn files(folder: &Path, extensions: &[&str]) -> Result<Option<Vec<PathBuf>>, FileError> {
    let failed = |source| FileError::Read { path: folder.to_owned(), source };
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(source)),
    };
    let mut found = Vec::new();
    for listed in listed.take(MAX_FILES) {
        let path = listed.map_err(failed)?.path();
        let wanted = path
            .extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|extension| extensions.contains(&extension));
        if wanted && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(Some(found))
}

/// File name for messages and parsing; empty when there is none or it is not UTF-8.
pub(crate) fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let length = file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(FileError::TooLarge { path: path.to_owned(), max: MAX_FILE });
    }
    Ok(bytes)
}

/// Aliases stay limited as by default (they can blow a small file up); plain size may be large.
fn yaml_options() -> serde_saphyr::Options {
    let mut budget = serde_saphyr::Budget::default();
    budget.max_events = 50_000_000;
    budget.max_nodes = 20_000_000;
    budget.max_documents = 200_000;
    budget.max_total_scalar_bytes = usize::try_from(MAX_FILE).unwrap_or(usize::MAX);
    budget.max_depth = 200;
    serde_saphyr::options! { budget: Some(budget), with_snippet: false, strict_booleans: true, non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_text_beyond_the_range_of_numbers_spoils_no_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("objects.yaml");
        // A commit of digits with one e: kubectl prints it without quotation marks.
        std::fs::write(&path, "labels: {version: 182e579, build: '00123', size: 3}\n").expect("written");
        let read: Vec<Value> = yaml_documents(&path).expect("read");
        assert_eq!(read, [json!({"labels": {"version": ".inf", "build": "00123", "size": 3}})]);
    }
}

//! Judging a recording.

use std::path::{Path, PathBuf};

use crate::report::Report;

/// Why a recording could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The folder is no recording.
    #[error(transparent)]
    Index(#[from] crate::recording::index::IndexError),
    /// Not possible yet.
    #[error("judge recording {}: not possible yet", .0.display())]
    Unfinished(PathBuf),
}

/// Feeds the rounds of a recording in order and returns the last report.
///
/// # Errors
///
/// When the folder is no recording.
pub fn replay(dir: &Path) -> Result<Report, ReplayError> {
    crate::recording::index::read_index(dir)?;
    Err(ReplayError::Unfinished(dir.to_owned()))
}

//! The state file: what outlives a restart of the program.
//!
//! One JSON document with the word of its format, written to a temporary file, flushed to the disk
//! and renamed, so that a reader sees the old one or the new one. Each process has a temporary file of its
//! own: a new Pod may meet the old one in the folder. It is a memory and no source of truth: a file that
//! cannot be understood is set aside, and the program starts without a past.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::engine::Memory;
use crate::error_chain::ErrorChain;
use crate::limits::{MAX_STATE_BYTES, SAVE_WITHIN};
use crate::model::text::printable;

/// The word in `format`. Another one is another version, which this one does not guess at.
pub const FORMAT: &str = "dns-drift-state/2";

const FILE: &str = "state.json";
const TEMPORARY: &str = ".tmp";
const SET_ASIDE: &str = "state.json.set-aside";

/// A temporary file that nobody has written to for so long is of a process that was killed.
const LEFT_BEHIND: Duration = Duration::from_mins(10);

/// A folder that holds the state file.
#[derive(Clone, Debug)]
pub struct StateFile {
    folder: PathBuf,
    /// The file that this process writes before it takes the place of the one before.
    temporary: PathBuf,
}

/// Why the state cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder cannot be written to.
    #[error("write to the state folder {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file exists and the system does not give it.
    #[error("read the state file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The memory has no JSON form.
    #[error("encode the state")]
    Encode(#[source] serde_json::Error),
    /// The memory is too large to keep.
    #[error("the state takes {0} bytes, more than the {MAX_STATE_BYTES} that are kept")]
    TooLarge(usize),
    /// The file cannot be written.
    #[error("write the state file {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The disk did not answer in time.
    #[error("write the state file {}: no end within {} s", path.display(), SAVE_WITHIN.as_secs())]
    Slow {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    format: &'a str,
    saved_at: Timestamp,
    memory: &'a Memory,
}

#[derive(Deserialize)]
struct Head {
    format: String,
}

#[derive(Deserialize)]
struct Body {
    memory: Memory,
}

// === impl StateFile ===

impl StateFile {
    /// Makes the folder if it is missing, and proves that it can be written to.
    ///
    /// # Errors
    ///
    /// When it cannot: better at the start than at the first restart that needs it.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Folder { folder: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let temporary = folder.join(format!("{FILE}.{:016x}{TEMPORARY}", rand::random::<u64>()));
        std::fs::write(&temporary, b"").map_err(failed)?;
        std::fs::remove_file(&temporary).map_err(failed)?;
        remove_left_behind(folder).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), temporary })
    }

    /// What was remembered; `None` when there is no file, or none that can be understood.
    ///
    /// # Errors
    ///
    /// When a file is there and cannot be read, or not be set aside.
    pub fn load(&self) -> Result<Option<Memory>, StateError> {
        let path = self.folder.join(FILE);
        let unreadable = |source| StateError::Read { path: path.clone(), source };
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        let bound = u64::try_from(MAX_STATE_BYTES).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        file.take(bound.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
        match decode(&bytes) {
            Ok(memory) => Ok(Some(memory)),
            Err(why) => {
                let aside = self.folder.join(SET_ASIDE);
                std::fs::rename(&path, &aside).map_err(unreadable)?;
                tracing::warn!(
                    file = %path.display(),
                    set_aside = %aside.display(),
                    why = printable(&why),
                    "the state file cannot be used; starting without a past"
                );
                Ok(None)
            }
        }
    }

    /// Writes what is to be remembered.
    ///
    /// # Errors
    ///
    /// When it cannot be written in time; the file before it is then still there.
    pub async fn save(&self, memory: &Memory, now: Timestamp) -> Result<(), StateError> {
        let bytes = encode(memory, now)?;
        if MAX_STATE_BYTES < bytes.len() {
            return Err(StateError::TooLarge(bytes.len()));
        }
        let path = self.folder.join(FILE);
        match timeout(SAVE_WITHIN, self.replace(&path, &bytes)).await {
            Ok(written) => written.map_err(|source| StateError::Write { path, source }),
            Err(_elapsed) => Err(StateError::Slow { path }),
        }
    }

    async fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tokio::fs::File::create(&self.temporary).await?;
        file.write_all(bytes).await?;
        file.flush().await?;
        file.sync_all().await?;
        drop(file);
        tokio::fs::rename(&self.temporary, path).await?;
        // The new name itself must reach the disk as well.
        tokio::fs::File::open(&self.folder).await?.sync_all().await
    }
}

/// Removes what processes that were killed while they wrote have left.
fn remove_left_behind(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = |name: &str| name.starts_with(FILE) && name.ends_with(TEMPORARY);
        let is_old = |written: std::time::SystemTime| written.elapsed().is_ok_and(|age| LEFT_BEHIND < age);
        // Its process may be alive and rename it meanwhile.
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        if entry.file_name().to_str().is_some_and(is_ours) && written.is_ok_and(is_old) {
            match std::fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The document as bytes.
///
/// # Errors
///
/// When the memory has no JSON form.
pub fn encode(memory: &Memory, now: Timestamp) -> Result<Vec<u8>, StateError> {
    let written = Written { format: FORMAT, saved_at: now, memory };
    serde_json::to_vec(&written).map_err(StateError::Encode)
}

/// Reads a document. One that was saved while the clock ran ahead is no worse than what is remembered while
/// the clock is set back: the engine does the same with both.
///
/// # Errors
///
/// In words, why it cannot be used.
pub fn decode(bytes: &[u8]) -> Result<Memory, String> {
    if MAX_STATE_BYTES < bytes.len() {
        return Err(format!("more than {MAX_STATE_BYTES} bytes"));
    }
    let told = |error: serde_json::Error| ErrorChain(&error).to_string();
    // The head first: of another version nothing else is understood.
    let head: Head = serde_json::from_slice(bytes).map_err(told)?;
    if head.format != FORMAT {
        return Err(format!("its format is {:?}, not {FORMAT}", head.format));
    }
    let body: Body = serde_json::from_slice(bytes).map_err(told)?;
    Ok(body.memory)
}

#[cfg(test)]
mod tests;

//! Keeps the state: now and then after a round, and at the end.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::engine::Memory;
use crate::error_chain::ErrorChain;
use crate::limits::SAVE_EVERY;
use crate::state::StateFile;

/// Writes the state file at a bounded rhythm.
#[derive(Debug)]
pub(super) struct Saver {
    file: StateFile,
    saved_at: Option<Instant>,
    /// The last try failed and was told; a full disk is told once and not each minute.
    failing: bool,
}

// === impl Saver ===

impl Saver {
    pub(super) fn new(file: StateFile) -> Self {
        Self { file, saved_at: None, failing: false }
    }

    /// Saves unless it was done a short time ago.
    pub(super) async fn save_sometimes(&mut self, memory: &Memory, now: Timestamp) {
        if self.saved_at.is_none_or(|at| SAVE_EVERY <= at.elapsed()) {
            self.save(memory, now).await;
        }
    }

    pub(super) async fn save(&mut self, memory: &Memory, now: Timestamp) {
        let saved = self.file.save(memory, now).await;
        self.saved_at = Some(Instant::now());
        match &saved {
            Ok(()) if self.failing => tracing::info!("state: saved again"),
            Ok(()) => {}
            Err(error) if self.failing => tracing::debug!(error = %ErrorChain(error), "state: not saved"),
            Err(error) => tracing::warn!(error = %ErrorChain(error), "state: not saved; a restart forgets"),
        }
        self.failing = saved.is_err();
    }
}

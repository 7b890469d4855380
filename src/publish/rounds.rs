//! The latest round, for those who serve it.

use std::sync::Arc;

use crate::board::Board;
use crate::publish::api::wait::Boards;
use crate::publish::metrics::Latest;

/// Where the latest round comes from.
#[derive(Clone, Debug)]
pub(crate) enum Rounds {
    /// With everything that it knows.
    Boards(Boards),
    /// As a report: names without a finding are not known then.
    Reports(Latest),
}

impl Rounds {
    /// The latest round; `None` before the first.
    pub(crate) fn latest(&self) -> Option<Arc<Board>> {
        match self {
            Self::Boards(boards) => boards.borrow().clone(),
            Self::Reports(latest) => latest.borrow().clone().map(|report| Arc::new(Board::bare(report))),
        }
    }
}

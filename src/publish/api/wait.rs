//! Waiting until a host is where somebody wants it.
//!
//! Nobody is asked for this: the rounds read such names at once, and the prober asks resolvers only
//! after a name server has the name. So nobody caches a denial because somebody waited.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::board::Board;
use crate::board::progress::{Goal, Progress, progress};
use crate::limits::WATCH_LAG;
use crate::model::DomainName;

/// The boards of the rounds, the latest one.
pub type Boards = watch::Receiver<Option<Arc<Board>>>;

/// What is waited for.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name.
    pub name: DomainName,
    /// What it is to become.
    pub until: Goal,
    /// When the question was asked; what was read before it does not count.
    pub since: Timestamp,
    /// How long to wait.
    pub within: Duration,
}

/// How the waiting ended.
#[derive(Clone, Debug)]
pub enum Waited {
    /// It is so, in this round.
    Reached(Progress, Arc<Board>),
    /// The time is over; the last round, if there was one.
    Over(Option<(Progress, Arc<Board>)>),
    /// There will be no further round.
    Stopped,
}

/// Waits for the round in which it is so. `hear` is told of each round until then.
pub async fn wait(mut boards: Boards, question: &Question, mut hear: impl FnMut(&Progress)) -> Waited {
    let deadline = Instant::now() + question.within;
    let lag = SignedDuration::try_from(WATCH_LAG).unwrap_or(SignedDuration::ZERO);
    let believed_from = question.since.saturating_add(lag).unwrap_or(Timestamp::MAX);
    let mut last = None;
    loop {
        let board = boards.borrow_and_update().clone();
        if let Some(board) = board {
            let seen = progress(&board, &question.name, question.until, question.since);
            if seen.reached && believed_from <= board.report.at {
                return Waited::Reached(seen, board);
            }
            hear(&seen);
            last = Some((seen, board));
        }
        match timeout_at(deadline, boards.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_no_more_rounds)) => return Waited::Stopped,
            Err(_elapsed) => return Waited::Over(last),
        }
    }
}

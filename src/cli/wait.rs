//! `check NAME --wait`: until the name is where somebody wants it.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::board::progress::{Goal, Progress};
use crate::cli::{CliError, settings};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::model::DomainName;
use crate::publish::api::wait::{Question, Waited};
use crate::report::Report;
use crate::run::{self, RunSettings};

/// Waits as the server would, with the same code but for the server; tells whether the name came,
/// and the last report. `None` if there was none in time.
pub(super) async fn wait(
    config: &Config,
    name: &DomainName,
    until: Goal,
    within: Duration,
) -> Result<Option<(bool, Report)>, CliError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let question = Question { name: name.clone(), until, since: clock.now(), within };
    // A server may keep its state there.
    let settings = RunSettings { state_dir: None, ..settings(config) };
    let mut line = Line::default();
    let waited = Box::pin(run::wait(settings, &question, clock, |progress| line.show(progress))).await?;
    Ok(match waited {
        Waited::Reached(_, board) => Some((true, Report::clone(&board.report))),
        Waited::Over(Some((_, board))) => Some((false, Report::clone(&board.report))),
        Waited::Over(None) | Waited::Stopped => None,
    })
}

/// Says on a terminal what is still missing, when that changes.
#[derive(Default)]
struct Line {
    last: Option<String>,
}

impl Line {
    fn show(&mut self, progress: &Progress) {
        let Some(missing) = progress.missing.first() else { return };
        if !io::stderr().is_terminal() || self.last.as_ref() == Some(missing) {
            return;
        }
        self.last = Some(missing.clone());
        // A terminal that has gone away is no reason to stop.
        drop(writeln!(io::stderr().lock(), "waiting for {}: {missing}", progress.name));
    }
}

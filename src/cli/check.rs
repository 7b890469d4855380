//! `check`: one verdict, its form and its exit code.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::cli::server::Wish;
use crate::cli::{
    BLIND, Check, CliError, Form, LOOKING, host, observer, print, progress, server, settings, style, wait,
};
use crate::config::Config;
use crate::finding::Severity;
use crate::publish::table::Style;
use crate::publish::{document, junit, markdown, sarif, table};
use crate::replay::replay_over;
use crate::report::Report;
use crate::report::baseline::{Against, Baseline};

/// Largest baseline that is read, in bytes.
const MAX_BASELINE: u64 = 256 * 1024 * 1024;

/// Judges, leaves out what the baseline knows, prints.
pub(super) async fn check(config: &Config, user: &Value, asked: &Check) -> Result<ExitCode, CliError> {
    // Read first: a mistake in it should not cost a whole look at the sources.
    let baseline = asked.baseline.as_deref().map(read).transpose()?;
    let name = asked.name.as_deref().map(host).transpose()?;
    let wish = name.as_ref().zip(asked.wait);
    let (there, mut report) = match (&asked.server.url, wish) {
        (Some(url), wish) => {
            let wish = wish.map(|(name, within)| Wish { name, until: asked.until, within });
            server::verdict(&asked.server, url, wish).await?
        }
        (None, Some((name, within))) => match wait::wait(config, name, asked.until, within).await? {
            Some(waited) => waited,
            None => return Ok(ExitCode::from(BLIND)),
        },
        (None, None) => (true, look(config, user, asked).await?),
    };
    if let Some(name) = &name {
        report.narrow(name);
    }
    let against = baseline.map(|baseline| baseline.apply(&mut report));
    print(&rendered(&report, asked, against.as_ref())?)?;
    Ok(verdict(&report, asked.fail_on, there))
}

fn rendered(report: &Report, asked: &Check, against: Option<&Against>) -> Result<String, CliError> {
    Ok(match asked.output {
        Form::Table => table::report(report, against, style()),
        Form::Wide => table::report(report, against, Style { wide: true, ..style() }),
        Form::Json => document::json(report, against)?,
        Form::Yaml => document::yaml(report, against)?,
        Form::Junit => junit::report(report, asked.fail_on)?,
        Form::Sarif => format!("{}\n", serde_json::to_string_pretty(&sarif::report(report, against))?),
        Form::Markdown => markdown::report(report, against),
    })
}

fn read(path: &Path) -> Result<Baseline, CliError> {
    let unreadable = |source| CliError::ReadBaseline { path: path.to_owned(), source };
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_BASELINE.saturating_add(1)).read_to_end(&mut text).map_err(unreadable)?;
    if MAX_BASELINE < u64::try_from(text.len()).unwrap_or(u64::MAX) {
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 256 MiB")));
    }
    Baseline::parse(&text).map_err(|source| CliError::Baseline { path: path.to_owned(), source })
}

/// `there` is false if the name that was waited for did not come in time.
fn verdict(report: &Report, fail_on: Severity, there: bool) -> ExitCode {
    if report.is_blind() {
        return ExitCode::from(BLIND);
    }
    let well = there && report.open_from(fail_on).next().is_none();
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The report of a recording, or of two looks at the live sources.
async fn look(config: &Config, user: &Value, asked: &Check) -> Result<Report, CliError> {
    if let Some(dir) = asked.recording.as_deref() {
        return Ok(replay_over(dir, user)?);
    }
    let mut settings = settings(config);
    if asked.sweep {
        settings.live = settings.live.for_sweep();
    }
    let (mut observer, route53) = observer(settings).await?;
    let looking = Box::pin(observer.check(asked.settle));
    Ok(progress::shown(LOOKING, route53, looking).await)
}

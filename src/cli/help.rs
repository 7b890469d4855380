//! What helps at the prompt: completions and manual pages, both made from the arguments themselves.

use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{Cli, CliError, print};

pub(super) fn completions(shell: Shell) -> Result<ExitCode, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dns-drift", &mut text);
    print(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}

/// The main page on standard output, or all of them in a folder that exists.
pub(super) fn man(out: Option<&Path>) -> Result<ExitCode, CliError> {
    if let Some(dir) = out {
        let unwritable = |source| CliError::Man { path: dir.to_owned(), source };
        clap_mangen::generate_to(Cli::command(), dir).map_err(unwritable)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = Vec::new();
    Man::new(Cli::command()).render(&mut text).map_err(CliError::Print)?;
    print(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}

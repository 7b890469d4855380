//! The `dns-drift` program.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use dns_drift::cli::{self, Cli};
use dns_drift::error_chain::ErrorChain;

#[tokio::main]
async fn main() -> ExitCode {
    // Before any client exists; it fails only if there is one already, and then that one will do.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    match Box::pin(cli::main(Cli::parse())).await {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to be done when even this cannot be written.
            drop(writeln!(std::io::stderr(), "dns-drift: {}", ErrorChain(&error)));
            ExitCode::from(error.exit_code())
        }
    }
}

//! The commands: from arguments to an exit code.

mod args;
mod ask;
mod check;
mod help;
mod preview;
mod progress;
mod server;
mod wait;

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::changes::follow::FollowSettings;
use crate::changes::lookup::LookupSettings;
use crate::changes::notices::live::NoticeSettings;
use crate::changes::queue::QueueSettings;
use crate::changes::scrape::live::ScrapeSettings;
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigError};
use crate::demo;
use crate::desired::client::ClientError;
use crate::desired::watch::WatchSettings;
use crate::diagnose::{self, InputError, Inputs};
use crate::error_chain::ErrorChain;
use crate::live::encrypted::tls;
use crate::live::endpoint::Endpoint;
use crate::live::settings::{LiveSettings, ResolverSettings};
use crate::model::DomainName;
use crate::once::Observer;
use crate::preview::{Overrides, PreviewError};
use crate::publish::explain;
use crate::publish::table::Style;
use crate::publish::trace;
use crate::publish::web_config::WebConfig;
use crate::recorded::filter::ZoneFilter;
use crate::recorded::route53::Route53Settings;
use crate::recorded::stats::ApiStats;
use crate::recording::write::{WriteError, write_recording};
use crate::replay::{ReplayError, last_snapshot, replay_over};
use crate::report::baseline::BaselineError;
use crate::run::feeds::FeedSettings;
use crate::run::leader::LeaderSettings;
use crate::run::{self, RunError, RunSettings};

pub use self::ask::AskError;
pub use self::server::{Server, ServerError};

pub use self::args::{Check, Cli, Command, Common, Form, Keys, LogFormat, Output, Preview};

/// Bad usage or configuration.
const USAGE: u8 = 2;

/// A view that was asked for could not be read.
const BLIND: u8 = 3;

/// Rounds follow each other at most this often.
const MIN_ROUND: Duration = Duration::from_secs(1);

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The demo did not go as told.
    #[error("the demo failed")]
    Demo(#[source] demo::DemoError),
    /// Bad configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Not a log filter.
    #[error("log level {text:?}")]
    LogLevel {
        /// As given.
        text: String,
        /// Why.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The address cannot be served.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("wait for signals")]
    Signals(#[source] io::Error),
    /// Not a DNS name.
    #[error("{0:?} is no DNS name")]
    Name(String),
    /// No recording, or one that cannot be judged.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A file cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The recording cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The desired view cannot be computed from what was given.
    #[error(transparent)]
    Preview(#[from] PreviewError),
    /// There is no way to the Kubernetes API.
    #[error("connect to Kubernetes")]
    Kubernetes(#[source] ClientError),
    /// The running program failed.
    #[error("serve")]
    Run(#[from] RunError),
    /// The result cannot be printed.
    #[error("print the result")]
    Print(#[source] io::Error),
    /// The result has no JSON form.
    #[error("print the result")]
    Json(#[from] serde_json::Error),
    /// The result has no XML form.
    #[error("print the result")]
    Xml(#[from] quick_xml::SeError),
    /// The manual pages cannot be written.
    #[error("write manual pages into {}", path.display())]
    Man {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A running dns-drift gives no verdict.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The baseline cannot be read.
    #[error("read the baseline {}", path.display())]
    ReadBaseline {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The baseline is no report.
    #[error("baseline {}", path.display())]
    Baseline {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BaselineError,
    },
}

impl CliError {
    /// The exit code of the program.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Kubernetes(_) | Self::Run(RunError::Kubernetes(_)) => BLIND,
            Self::Server(error) if error.is_blind() => BLIND,
            Self::Config(_)
            | Self::Run(RunError::WebConfig(_))
            | Self::LogLevel { .. }
            | Self::Listen { .. }
            | Self::Name(_)
            | Self::Replay(_)
            | Self::Preview(_)
            | Self::Input(_)
            | Self::ReadBaseline { .. }
            | Self::Baseline { .. }
            | Self::Server(_)
            | Self::Man { .. }
            | Self::Write(_) => USAGE,
            Self::Demo(_)
            | Self::Run(_)
            | Self::Print(_)
            | Self::Json(_)
            | Self::Xml(_)
            | Self::Signals(_) => 1,
        }
    }
}

/// Where the demo serves when nobody says otherwise: only this machine can see it.
const DEMO_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9853);

/// Does what the arguments say.
///
/// # Errors
///
/// What kept the command from a result; a result with findings is no error.
pub async fn main(cli: Cli) -> Result<ExitCode, CliError> {
    start_log(&cli.common, matches!(cli.command, Command::Demo { .. }))?;
    // These are asked for where nothing is configured yet, or wrongly.
    match &cli.command {
        Command::Completions { shell } => return help::completions(*shell),
        Command::Man { out } => return help::man(out.as_deref()),
        Command::Serve { .. }
        | Command::Check(_)
        | Command::Explain { .. }
        | Command::Desired { .. }
        | Command::WhatIf { .. }
        | Command::Changes { .. }
        | Command::Record { .. }
        | Command::Demo { .. } => {}
    }
    let user = config::value(cli.common.config.as_deref(), cli.overrides())?;
    let config = Config::from_value(&user).map_err(|error| error.of(cli.common.config.as_deref()))?;
    if cli.common.check_config {
        if let Some(path) = &config.web_config_file {
            WebConfig::load(path).map_err(RunError::WebConfig)?;
        }
        print("the configuration is valid\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    match cli.command {
        Command::Serve { .. } => serve(&config).await,
        Command::Check(asked) => check::check(&config, &user, &asked).await,
        Command::Explain { name, recording, settle } => {
            let asked = host(&name)?;
            let (report, seen) = if let Some(dir) = recording.as_deref() {
                let seen = last_snapshot(dir, &user)?.dns.value.map(|seen| seen.to_vec());
                (replay_over(dir, &user)?, seen.unwrap_or_default())
            } else {
                let (mut observer, route53) = observer(settings(&config)).await?;
                let looking = Box::pin(observer.check(settle));
                let report = progress::shown(LOOKING, route53, looking).await;
                (report, Box::pin(observer.trace(&asked)).await)
            };
            print(&explain::name(&report, &asked, style()))?;
            print(&trace::text(&seen, &asked))?;
            Ok(if report.is_blind() { ExitCode::from(BLIND) } else { ExitCode::SUCCESS })
        }
        Command::Desired { input, stage } => preview::desired(&config, &user, &input, stage).await,
        Command::WhatIf { input, stage, from_version, from_arg } => {
            let from = Overrides { version: from_version, args: from_arg };
            preview::what_if(&config, &user, &input, stage, &from).await
        }
        Command::Changes { log, cloudtrail, output } => changes(&Inputs { logs: log, cloudtrail }, output),
        Command::Record { out, rounds, every } => record(&config, &out, rounds, every).await,
        Command::Demo { once, listen, keep } => {
            let options = demo::Options { once, listen: listen.unwrap_or(DEMO_LISTEN), keep };
            let outcome = Box::pin(demo::run(options)).await.map_err(CliError::Demo)?;
            // Ctrl-C in the middle of a pass is no pass.
            Ok(if once && outcome.seen.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        // Done above.
        Command::Completions { .. } | Command::Man { .. } => Ok(ExitCode::SUCCESS),
    }
}

fn host(text: &str) -> Result<DomainName, CliError> {
    let name = DomainName::new(text);
    if name.as_str().is_empty() || name.defect().is_some() {
        return Err(CliError::Name(text.to_owned()));
    }
    Ok(name)
}

fn changes(inputs: &Inputs, output: Output) -> Result<ExitCode, CliError> {
    let diagnosis = diagnose::read(inputs, SystemClock.now())?;
    match output {
        Output::Table => print(&diagnose::table(&diagnosis, style()))?,
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&diagnosis)?))?,
    }
    Ok(if diagnosis.stands() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn start_log(common: &Common, is_demo: bool) -> Result<(), CliError> {
    // The story is the demo's output; a log between its lines would drown it.
    let level = if is_demo && common.log_level == "info" { "warn" } else { &common.log_level };
    // kube's client logs every failed request as an error of its own, and the emulated name servers
    // log every question.
    let quiet = "kube_client::client::builder=off,hickory_server=warn";
    let text = format!("{level},{quiet}");
    let filter = EnvFilter::try_new(&text)
        .map_err(|source| CliError::LogLevel { text: common.log_level.clone(), source })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(progress::stderr);
    // An error means that somebody else has set a log up, as a test does.
    drop(match common.log_format {
        LogFormat::Text => log.with_ansi(may_colour(&io::stderr())).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    });
    Ok(())
}

async fn serve(config: &Config) -> Result<ExitCode, CliError> {
    let address = config.listen;
    let listener = TcpListener::bind(address).await.map_err(|source| CliError::Listen { address, source })?;
    let stop = CancellationToken::new();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Signals)?;
    let stop_on_signal = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        stop.cancel();
        std::future::pending::<()>().await;
    };
    let serving = Box::pin(run::serve(settings(config), listener, clock, stop.clone()));
    tokio::select! {
        ended = serving => ended?,
        () = stop_on_signal => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// What the parts need, from what the user said.
#[must_use]
pub fn settings(config: &Config) -> RunSettings {
    let policy = config.policy();
    let route53 = Route53Settings {
        region: Arc::clone(&config.route53.region),
        requests_per_second: config.route53.requests_per_second,
        interval: policy.interval,
        filter: ZoneFilter { shard: config.shard.clone(), ..config.route53.filter.clone() },
        accounts: config.route53.accounts.clone(),
        endpoint_url: config.route53.endpoint_url.clone(),
        ..Route53Settings::default()
    };
    let watch = WatchSettings { namespaces: policy.namespace_labels, ..WatchSettings::default() };
    RunSettings {
        policy,
        kube: config.kubernetes.clone(),
        watch,
        route53,
        live: live(config),
        follow: FollowSettings::default(),
        feeds: feeds(config),
        min_round: MIN_ROUND,
        max_finding_series: config.max_finding_series,
        state_dir: config.state_dir.clone(),
        max_record_series: config.max_record_series,
        config_text: config.effective_yaml().into(),
        assumed: Some(config.assumed()),
        web_config_file: config.web_config_file.clone(),
        leader: leader(config),
    }
}

fn leader(config: &Config) -> Option<LeaderSettings> {
    let election = config.leader_election.as_ref()?;
    // A Pod may restart faster than its Lease ends, so its name alone is not enough.
    let identity =
        format!("{}_{:08x}", config.pod_name.as_deref().unwrap_or("dns-drift"), rand::random::<u32>());
    let (lease_name, namespace) = (election.lease_name.clone(), election.namespace.clone());
    Some(LeaderSettings { lease_name, namespace, identity })
}

fn feeds(config: &Config) -> FeedSettings {
    let changes = &config.changes;
    let mut lookup = LookupSettings {
        interval: changes.cloudtrail_interval,
        endpoint_url: changes.cloudtrail_endpoint_url.clone(),
        ..LookupSettings::default()
    };
    if let Some(region) = &changes.cloudtrail_region {
        lookup.region = region.as_str().into();
    }
    let queue = changes.queue_url.as_deref().map(|url| QueueSettings {
        endpoint_url: changes.queue_endpoint_url.clone(),
        ..QueueSettings::new(url)
    });
    let scrape = ScrapeSettings { port: changes.scrape_port, ..ScrapeSettings::default() };
    FeedSettings {
        lookup: changes.cloudtrail.then_some(lookup),
        queue,
        scrape: changes.scrape.then_some(scrape),
        events: changes.events.then(NoticeSettings::default),
    }
}

fn live(config: &Config) -> LiveSettings {
    let dns = &config.dns;
    let resolvers = dns.resolvers.clone().unwrap_or_else(|| match ResolverSettings::system() {
        Ok(resolvers) => resolvers,
        Err(error) => {
            tracing::warn!(error = %ErrorChain(&error), "no resolvers; name them in dns.resolvers");
            Vec::new()
        }
    });
    let mut live = LiveSettings::new(resolvers);
    live.server_map = dns.server_map.clone();
    if let Some(name) = &dns.control_name {
        live.control_name = name.clone();
    }
    if let Some(rate) = dns.authoritative_per_second {
        live.prober.authoritative_per_second = rate;
    }
    if let Some(rate) = dns.resolver_per_second {
        live.prober.resolver_per_second = rate;
        live.prober.internal_resolver_per_second = rate;
    }
    live.intervals.doubtful = dns.doubtful_interval.unwrap_or(live.intervals.doubtful);
    live.intervals.stable = dns.stable_interval.unwrap_or(live.intervals.stable);
    live.intervals.zone = dns.zone_interval.unwrap_or(live.intervals.zone);
    if let Some(rate) = dns.authoritative_total_per_second {
        live.prober.authoritative_total_per_second = rate;
    }
    live.sweep_per_second = dns.sweep_per_second.unwrap_or(live.sweep_per_second);
    if live.resolvers.iter().any(|one| !matches!(one.endpoint, Endpoint::Plain(_))) {
        match tls(dns.ca_file.as_deref()) {
            Ok(tls) => live.prober.tls = Some(tls),
            Err(error) => {
                tracing::error!(error = %ErrorChain(&error), "resolvers over TLS and HTTPS are not asked");
            }
        }
    }
    live
}

/// What takes time, as people read it.
const LOOKING: &str = "looking twice at cluster, Route 53 and DNS";

/// The observer, and what counts its requests to Route 53.
async fn observer(settings: RunSettings) -> Result<(Observer, Arc<ApiStats>), CliError> {
    let route53 = Arc::clone(&settings.route53.stats);
    let observer = Observer::new(settings, Arc::new(SystemClock)).await.map_err(CliError::Kubernetes)?;
    Ok((observer, route53))
}

async fn record(config: &Config, out: &Path, rounds: u16, every: Duration) -> Result<ExitCode, CliError> {
    let (mut observer, route53) = observer(settings(config)).await?;
    let start = Instant::now();
    let mut taken = Vec::new();
    for number in 0..rounds {
        sleep_until(start + every.saturating_mul(u32::from(number))).await;
        let what = format!("taking round {} of {rounds}", number + 1);
        let taking = Box::pin(observer.record());
        let round = progress::shown(&what, Arc::clone(&route53), taking).await;
        tracing::info!(number, problems = round.problems.len(), "round taken");
        taken.push(round);
    }
    write_recording(out, &taken, Some(&config.verdict_keys()))?;
    let blind = taken.iter().any(|round| round.kubernetes.is_none() || round.route53.is_none());
    Ok(if blind { ExitCode::from(BLIND) } else { ExitCode::SUCCESS })
}

fn style() -> Style {
    Style { colour: may_colour(&io::stdout()), ..Style::default() }
}

/// True on a terminal whose user has not said no (no-color.org).
fn may_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|word| word.is_empty())
}

/// A reader that has gone away, such as `head`, is no error.
fn print(text: &str) -> Result<(), CliError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Print(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

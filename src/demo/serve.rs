//! The one place where the demo starts the real `serve` code.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::config::Credentials;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::changes::follow::FollowSettings;
use crate::demo::world::Endpoints;
use crate::desired::client::KubeSettings;
use crate::desired::watch::WatchSettings;
use crate::emulator::dns::CONTROL_NAME;
use crate::limits::MAX_FINDING_SERIES;
use crate::live::servers::ServerMapLine;
use crate::live::settings::{LiveSettings, ResolverSettings};
use crate::model::DomainName;
use crate::policy::Policy;
use crate::recorded::route53::Route53Settings;
use crate::run::feeds::FeedSettings;
use crate::run::{RunError, RunSettings, serve};

/// Between two readings: a minute of a real cluster in two seconds.
const INTERVAL: Duration = Duration::from_secs(2);
/// Every window of the demo: three minutes of a real cluster in five seconds.
const WINDOW: Duration = Duration::from_secs(5);

/// Why the watcher ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The emulated name servers cannot be named.
    #[error("name the emulated server {line:?}")]
    Server {
        /// The line of the server map.
        line: String,
    },
    /// The program itself.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Runs the watcher against the emulators until `stop`.
///
/// # Errors
///
/// When it cannot start or ends by itself.
pub async fn start(
    endpoints: Endpoints,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let settings = settings(&endpoints)?;
    Ok(Box::pin(serve(settings, listener, Arc::clone(&endpoints.clock), stop)).await?)
}

/// What a user would configure, with the demo's addresses and its fast clock.
fn settings(endpoints: &Endpoints) -> Result<RunSettings, ServeError> {
    Ok(RunSettings {
        state_dir: None,
        policy: Policy {
            interval: INTERVAL,
            // Cycles are short here: a busy machine stands still for longer than three of them.
            blind_cycles: 20,
            sync_floor: WINDOW,
            new_object: WINDOW,
            first_address: WINDOW,
            deleted_floor: WINDOW,
            propagation: WINDOW,
            ..Policy::default()
        },
        kube: KubeSettings {
            kubeconfig: Some(endpoints.kubeconfig.path().to_owned()),
            ..KubeSettings::default()
        },
        watch: WatchSettings { publish_every: Duration::from_millis(200), ..WatchSettings::default() },
        route53: Route53Settings {
            endpoint_url: Some(endpoints.route53.url()),
            credentials: Some(Credentials::new("demo", "demo", None, None, "demo")),
            requests_per_second: 5.0,
            interval: INTERVAL,
            ..Route53Settings::default()
        },
        live: live(endpoints)?,
        follow: FollowSettings { first_pause: Duration::from_millis(200), ..FollowSettings::default() },
        feeds: FeedSettings::default(),
        min_round: Duration::from_millis(500),
        max_finding_series: MAX_FINDING_SERIES,
        max_record_series: 0,
        config_text: "# the demo has no configuration file\n".into(),
        assumed: None,
        web_config_file: None,
        leader: None,
    })
}

fn live(endpoints: &Endpoints) -> Result<LiveSettings, ServeError> {
    let resolver = ResolverSettings::new(endpoints.dns.resolver(), "public");
    let mut live = LiveSettings::new(vec![resolver]);
    let names = endpoints.dns.server_map().into_iter().map(|(name, address)| format!("{name}={address}"));
    let lines = names.chain([format!("parent={}", endpoints.dns.parent())]);
    live.server_map = lines
        .map(|line| line.parse::<ServerMapLine>().map_err(|_not_a_line| ServeError::Server { line }))
        .collect::<Result<_, _>>()?;
    live.control_name = DomainName::new(CONTROL_NAME);
    live.intervals.doubtful = INTERVAL;
    live.intervals.stable = WINDOW;
    live.intervals.first_publish = Duration::from_secs(3);
    Ok(live)
}

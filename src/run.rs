//! Starts, supervises and stops every task; the only file that knows all others.

mod costs;
pub mod feeds;
#[cfg(test)]
mod hour;
mod jumps;
pub mod leader;
pub(crate) mod logs;
pub mod plan;
mod planner;
mod records;
pub(crate) mod rounds;
mod saver;
mod urgent;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::board::progress::Progress;
use crate::changes::follow::{self, FollowSettings, LogHealth};
use crate::changes::inbox::SourceHealth;
use crate::clock::Clock;
use crate::convergence::Convergence;
use crate::desired;
use crate::desired::client::{ClientError, Connection, KubeSettings, connect};
use crate::desired::watch::WatchSettings;
use crate::engine::Engine;
use crate::limits::{DELIVERY_QUEUE, LOG_QUEUE, STOP_WITHIN};
use crate::live;
use crate::live::plan::ProbePlan;
use crate::live::prober::Prober;
use crate::live::settings::LiveSettings;
use crate::model::instance::Instance;
use crate::policy::Policy;
use crate::publish::api::Api;
use crate::publish::api::wait::{self, Boards, Question, Waited};
use crate::publish::api::waiters::{Waited as WaitedNames, Waiters};
use crate::publish::cost::CostSource;
use crate::publish::metrics::{self, Latest};
use crate::publish::role::{Role, Roles, ShardCollector};
use crate::publish::server;
use crate::publish::web::{WebState, router_with};
use crate::publish::web_config::guard::WebGuard;
use crate::publish::web_config::{self, RELOAD_EVERY, WebConfig, WebConfigError, WebConfigHealth};
use crate::recorded::route53::{self, Route53Settings};
use crate::report::Report;
use crate::run::costs::Costs;
use crate::run::feeds::{FeedSettings, Feeds};
use crate::run::jumps::Jumps;
use crate::run::leader::LeaderSettings;
use crate::run::logs::{LogTask, Streams};
use crate::run::planner::Planner;
use crate::run::rounds::{Assumption, OwnWants, Rounds, Views};
use crate::run::saver::Saver;
use crate::run::urgent::UrgentNames;
use crate::snapshot::Reading;
use crate::state::{StateError, StateFile};

/// Everything that a run needs to know.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// The rules of judgement.
    pub policy: Policy,
    /// The Kubernetes API.
    pub kube: KubeSettings,
    /// Pace and patience of the watches.
    pub watch: WatchSettings,
    /// Route 53.
    pub route53: Route53Settings,
    /// Live DNS.
    pub live: LiveSettings,
    /// Logs.
    pub follow: FollowSettings,
    /// What else tells of changes.
    pub feeds: FeedSettings,
    /// Shortest time between two rounds.
    pub min_round: Duration,
    /// Findings with series of their own on `/metrics`.
    pub max_finding_series: usize,
    /// Wanted records with series of their own; 0 for none.
    pub max_record_series: usize,
    /// What `/config` shows.
    pub config_text: Arc<str>,
    /// Where the state is kept; `None` to start without a past each time.
    pub state_dir: Option<PathBuf>,
    /// The instance to take for granted when the cluster shows none; `None` for no such thing.
    pub assumed: Option<Arc<Instance>>,
    /// The web configuration file; `None` for plain HTTP and everybody.
    pub web_config_file: Option<PathBuf>,
    /// How the leader among replicas is chosen; `None` for no election.
    pub leader: Option<LeaderSettings>,
}

/// Why the program ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no way to the Kubernetes API.
    #[error("connect to Kubernetes")]
    Kubernetes(#[source] ClientError),
    /// The web configuration cannot be used.
    #[error(transparent)]
    WebConfig(#[from] WebConfigError),
    /// The state cannot be kept where it was asked for.
    #[error("keep the state")]
    State(#[source] StateError),
    /// A task gave up.
    #[error("{task} task")]
    Failed {
        /// Which.
        task: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A task ended although nobody asked for it.
    #[error("{task} task: ended early")]
    EndedEarly {
        /// Which.
        task: &'static str,
    },
    /// A task panicked.
    #[error("a task panicked")]
    Panicked(#[source] JoinError),
    /// Tasks did not end in time.
    #[error("stop: tasks still run after {} s", STOP_WITHIN.as_secs())]
    SlowStop,
}

type Ended = Result<&'static str, RunError>;

/// Runs everything until `stop` is cancelled; then ends within [`STOP_WITHIN`].
///
/// # Errors
///
/// When there is no way to the Kubernetes API, or a task ends by itself.
pub async fn serve(
    settings: RunSettings,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let web_config = settings.web_config_file.as_deref().map(WebConfig::load).transpose()?;
    // What is wrong with the folder is told at the start, also by a replica that waits.
    settings.state_dir.as_deref().map(StateFile::open).transpose().map_err(RunError::State)?;
    let connecting = connect(&settings.kube, Arc::clone(&clock));
    let Some(connection) = stop.run_until_cancelled(connecting).await else { return Ok(()) };
    let connection = connection.map_err(RunError::Kubernetes)?;
    tracing::info!(server = connection.server, origin = connection.origin, "kubernetes: connected");
    let mut tasks = JoinSet::new();
    let (role_out, roles) =
        watch::channel(if settings.leader.is_some() { Role::Standby } else { Role::Alone });
    if let Some(leader) = settings.leader.clone() {
        let electing = leader::run(
            connection.client.clone(),
            leader,
            Arc::clone(&clock),
            role_out.clone(),
            stop.clone(),
        );
        tasks.spawn(named("election", electing));
    }
    let (work, shown) = Work::new(settings.clone(), connection, Arc::clone(&clock));
    let surface = Surface { shown, roles: roles.clone(), web_config };
    surface.start(&settings, listener, &clock, &stop, &mut tasks);
    tasks.spawn(work.run(roles, stop.clone()));
    // The channel of the part stays open as long as somebody may ask.
    let ended = supervise(tasks, stop).await;
    drop(role_out);
    ended
}

/// Runs everything but the web server until a name is where somebody wants it, or the time is over.
/// `hear` is told of each round until then. Nobody is elected for that.
///
/// # Errors
///
/// As [`serve`].
pub async fn wait(
    settings: RunSettings,
    question: &Question,
    clock: Arc<dyn Clock>,
    hear: impl FnMut(&Progress),
) -> Result<Waited, RunError> {
    let stop = CancellationToken::new();
    let (engine, saver) = remember(&settings).map_err(RunError::State)?;
    let connection = connect(&settings.kube, Arc::clone(&clock)).await.map_err(RunError::Kubernetes)?;
    let (work, Shown { boards, waiters, .. }) = Work::new(settings, connection, clock);
    let tasks = work.start(engine, saver, &stop);
    let _ticket = waiters.join(&question.name);
    let waiting = async {
        let waited = wait::wait(boards, question, hear).await;
        stop.cancel();
        waited
    };
    let (waited, ended) = tokio::join!(waiting, supervise(tasks, stop.clone()));
    ended.map(|()| waited)
}

/// What the work shows of itself.
struct Shown {
    latest: Latest,
    boards: Boards,
    waiters: Waiters,
    costs: Costs,
}

/// What is served, whoever judges.
struct Surface {
    shown: Shown,
    roles: Roles,
    web_config: Option<WebConfig>,
}

impl Surface {
    fn start(
        self,
        settings: &RunSettings,
        listener: TcpListener,
        clock: &Arc<dyn Clock>,
        stop: &CancellationToken,
        tasks: &mut JoinSet<Ended>,
    ) {
        let Shown { latest, boards, waiters, costs } = self.shown;
        let costs: Arc<dyn CostSource> = Arc::new(costs);
        let max = settings.max_finding_series;
        let mut registry = metrics::registry_of(latest.clone(), Arc::clone(&costs), max, self.roles.clone());
        if let Some(shard) = settings.policy.shard.clone() {
            registry.register_collector(Box::new(ShardCollector(shard)));
        }
        let (web_out, web) = watch::channel(Arc::new(self.web_config.unwrap_or_default()));
        if let Some(path) = settings.web_config_file.clone() {
            let health = WebConfigHealth::default();
            registry.register_collector(Box::new(health.clone()));
            let reloading =
                web_config::follow(path, web_out, health, Arc::clone(clock), RELOAD_EVERY, stop.clone());
            tasks.spawn(named("web configuration", reloading));
        }
        let config_text = Arc::clone(&settings.config_text);
        let state = WebState { latest, registry: Arc::new(registry), costs, config_text };
        let routes = router_with(state, Api::of_boards(boards, waiters, Arc::clone(clock)));
        let guard = WebGuard::new(web, self.roles);
        let serving = server::serve_guarded(listener, routes, guard, stop.clone());
        tasks.spawn(async move { serving.await.map(|()| "web").map_err(|error| failed("web", error)) });
    }
}

/// What is done while this replica judges.
struct Work {
    settings: RunSettings,
    connection: Connection,
    prober: Prober,
    sources: SourceHealth,
    costs: Costs,
    latest: watch::Sender<Option<Arc<Report>>>,
    boards: watch::Sender<Option<Arc<Board>>>,
    waited: watch::Receiver<Arc<WaitedNames>>,
    clock: Arc<dyn Clock>,
}

impl Work {
    fn new(settings: RunSettings, connection: Connection, clock: Arc<dyn Clock>) -> (Self, Shown) {
        let prober = Prober::new(settings.live.prober.clone());
        let sources = SourceHealth::default();
        let costs = Costs::new(
            connection.stats.clone(),
            Arc::clone(&settings.route53.stats),
            prober.clone(),
            &settings.live.resolvers,
            sources.clone(),
        );
        let (latest_out, latest) = watch::channel(None);
        let (boards_out, boards) = watch::channel(None);
        let (waiters, waited) = Waiters::new();
        let shown = Shown { latest, boards, waiters, costs: costs.clone() };
        let work = Self {
            settings,
            connection,
            prober,
            sources,
            costs,
            latest: latest_out,
            boards: boards_out,
            waited,
            clock,
        };
        (work, shown)
    }

    /// Judges whenever it is this replica's turn. What was known before is read anew each time: the
    /// folder may be shared.
    async fn run(self, mut roles: Roles, stop: CancellationToken) -> Ended {
        loop {
            if stop.run_until_cancelled(until(&mut roles, |role| role != Role::Standby)).await.is_none() {
                return Ok("work");
            }
            let (engine, saver) = remember(&self.settings).map_err(RunError::State)?;
            // What this replica saw when it led last is no news.
            self.latest.send_replace(None);
            self.boards.send_replace(None);
            let over = stop.child_token();
            let mut working = std::pin::pin!(supervise(self.start(engine, saver, &over), over.clone()));
            tokio::select! {
                ended = &mut working => return ended.map(|()| "work"),
                () = until(&mut roles, |role| role == Role::Standby) => {
                    over.cancel();
                    working.await?;
                }
            }
        }
    }
}

/// The engine with the past that was kept, and who keeps it.
fn remember(settings: &RunSettings) -> Result<(Engine, Option<Saver>), StateError> {
    let Some(folder) = &settings.state_dir else { return Ok((Engine::new(settings.policy.clone()), None)) };
    let file = StateFile::open(folder)?;
    let memory = file.load()?;
    if let Some(at) = memory.as_ref().and_then(|memory| memory.past.last_at) {
        tracing::info!(last_round = %at, "state: going on from the last run");
    }
    Ok((Engine::resume(settings.policy.clone(), memory.unwrap_or_default()), Some(Saver::new(file))))
}

/// Waits for a part; for ever once nobody can change it any more.
async fn until(roles: &mut Roles, wanted: impl Fn(Role) -> bool) {
    if roles.wait_for(|role| wanted(*role)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Work {
    fn start(&self, engine: Engine, saver: Option<Saver>, stop: &CancellationToken) -> JoinSet<Ended> {
        let (settings, clock) = (self.settings.clone(), &self.clock);
        let mut tasks = JoinSet::new();
        let stopped = || stop.clone();
        let (kubernetes_out, kubernetes) = watch::channel(Reading::unread(Vec::new()));
        let (route53_out, route53) = watch::channel(Reading::unread(Vec::new()));
        let (dns_out, dns) = watch::channel(Reading::unread(Vec::new()));
        let told = &engine.memory().past.told;
        let mut streams = Streams::resume(told, clock.now());
        let (changes_out, changes) = watch::channel(streams.before(told, clock.now()));
        let (targets_out, targets) = watch::channel(Arc::default());
        let (plan_out, plan) = watch::channel(Arc::new(ProbePlan::default()));
        let (urgent_out, urgent) = watch::channel(Arc::default());
        let (lines_out, lines) = mpsc::channel(LOG_QUEUE);
        let (deliveries_out, deliveries) = mpsc::channel(DELIVERY_QUEUE);
        let health = LogHealth::default();

        let logs_client = self.connection.logs.clone();
        let feeds = Feeds {
            client: self.connection.client.clone(),
            targets: targets.clone(),
            clock: Arc::clone(clock),
            out: deliveries_out,
            health: self.sources.clone(),
            stop: stopped(),
        };
        for (name, running) in feeds.tasks(settings.feeds) {
            tasks.spawn(named(name, running));
        }
        let (known_out, known_instances) = watch::channel(rounds::known_instances(&engine));
        let watching = desired::task::run(
            self.connection.clone(),
            settings.watch,
            known_instances,
            kubernetes_out,
            targets_out,
            stopped(),
        );
        tasks.spawn(async move {
            let ended = watching.await;
            ended.map(|()| "kubernetes").map_err(|error| failed("kubernetes", error))
        });
        let known = engine.memory().past.known_zones().cloned().collect();
        let reading =
            route53::run(settings.route53, known, urgent, Arc::clone(clock), route53_out, stopped());
        tasks.spawn(named("route53", reading));
        let pricing = settings.live.clone();
        let resolver_views = settings.live.resolvers.iter().map(|one| Arc::clone(&one.view)).collect();
        let probing =
            live::task::run(settings.live, self.prober.clone(), plan, Arc::clone(clock), dns_out, stopped());
        tasks.spawn(named("dns", probing));
        let following =
            follow::run(logs_client, targets.clone(), settings.follow, lines_out, health.clone(), stopped());
        tasks.spawn(named("log follower", following));
        let parser = LogTask {
            streams,
            has_begun: false,
            lines,
            deliveries,
            targets,
            cluster: kubernetes.clone(),
            health,
            sources: self.sources.clone(),
            clock: Arc::clone(clock),
            costs: self.costs.clone(),
            publish: changes_out,
        };
        tasks.spawn(named("log parser", parser.run(stopped())));
        let rounds = Rounds {
            views: Views { kubernetes, route53, dns, changes, heard: None },
            engine,
            own: OwnWants::default(),
            saver,
            convergence: Convergence::default(),
            policy: settings.policy,
            pricing,
            min_round: settings.min_round,
            assumed: Assumption::new(settings.assumed),
            resolver_views,
            clock: Arc::clone(clock),
            jumps: Jumps::default(),
            costs: self.costs.clone(),
            max_record_series: settings.max_record_series,
            latest: self.latest.clone(),
            boards: self.boards.clone(),
            waited: self.waited.clone(),
            planner: Planner::default(),
            plan: plan_out,
            urgent: UrgentNames::default(),
            urgent_out,
            known_out,
        };
        tasks.spawn(named("round", rounds.run(stopped())));
        tasks
    }
}

async fn named(task: &'static str, running: impl Future<Output = ()>) -> Ended {
    running.await;
    Ok(task)
}

fn failed(task: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> RunError {
    RunError::Failed { task, source: Box::new(error) }
}

/// Whoever ends first decides the outcome.
async fn supervise(mut tasks: JoinSet<Ended>, stop: CancellationToken) -> Result<(), RunError> {
    let first = tokio::select! {
        () = stop.cancelled() => Ok(()),
        Some(ended) = tasks.join_next() => match ended {
            Ok(Ok(_)) if stop.is_cancelled() => Ok(()),
            Ok(Ok(task)) => Err(RunError::EndedEarly { task }),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(RunError::Panicked(error)),
        },
    };
    stop.cancel();
    let drained = timeout(STOP_WITHIN, async { while tasks.join_next().await.is_some() {} }).await;
    first.and(drained.map_err(|_elapsed| RunError::SlowStop))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn outcome(task: impl Future<Output = Ended> + Send + 'static) -> String {
        let mut tasks = JoinSet::new();
        tasks.spawn(task);
        tasks.spawn(named("other", std::future::pending()));
        let stop = CancellationToken::new();
        let mut polite = JoinSet::new();
        polite.spawn(task_and_friend(tasks, stop));
        match polite.join_next().await {
            Some(Ok(Err(error))) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    async fn task_and_friend(tasks: JoinSet<Ended>, stop: CancellationToken) -> Result<(), RunError> {
        supervise(tasks, stop).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_or_panics_fails_the_run() {
        assert_eq!(outcome(named("dns", async {})).await, "dns task: ended early");
        assert_eq!(outcome(async { panic!("on purpose") }).await, "a task panicked");
    }

    #[tokio::test(start_paused = true)]
    async fn stops_when_asked_and_tells_who_does_not() {
        let stop = CancellationToken::new();
        stop.cancel();
        let mut tasks = JoinSet::new();
        tasks.spawn(named("polite", stop.clone().cancelled_owned()));
        assert!(supervise(tasks, stop.clone()).await.is_ok());
        let mut tasks = JoinSet::new();
        tasks.spawn(named("stubborn", std::future::pending()));
        assert!(matches!(supervise(tasks, stop).await, Err(RunError::SlowStop)));
    }
}

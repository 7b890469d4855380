//! `desired` and `what-if`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::Value;

use crate::cli::{BLIND, CliError, Output, Preview, print, progress, settings};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::desired::client::connect;
use crate::desired::read::read_once;
use crate::model::instance::Instance;
use crate::preview::{
    Input, Listing, Overrides, PreviewError, Stage, difference, differences, instances, listing, listing_of,
    supposed_zones,
};
use crate::recorded::route53;
use crate::recording::kubernetes::read_objects;
use crate::replay;
use crate::snapshot::{Problem, Snapshot};

/// Prints a stage of the desired view.
pub(super) async fn desired(
    config: &Config,
    user: &Value,
    asked: &Preview,
    stage: Stage,
) -> Result<ExitCode, CliError> {
    let Some(input) = input(config, user, asked, stage).await? else { return Ok(ExitCode::from(BLIND)) };
    let chosen = instances(&input.cluster, asked.instance.as_deref(), &[&overrides(asked)])?;
    let found = listed(&input, &chosen, stage)?;
    match asked.output {
        Output::Table => print(&listing(&found, stage))?,
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&found.rows)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what another version or other flags would change.
pub(super) async fn what_if(
    config: &Config,
    user: &Value,
    asked: &Preview,
    stage: Stage,
    from: &Overrides,
) -> Result<ExitCode, CliError> {
    let Some(input) = input(config, user, asked, stage).await? else { return Ok(ExitCode::from(BLIND)) };
    let owner = asked.instance.as_deref();
    let before = listed(&input, &instances(&input.cluster, owner, &[from])?, stage)?;
    let after = listed(&input, &instances(&input.cluster, owner, &[from, &overrides(asked)])?, stage)?;
    let found = difference(before.rows, after.rows);
    match asked.output {
        Output::Table => print(&differences(&found, stage))?,
        Output::Json => print(&format!("{}\n", serde_json::to_string_pretty(&found)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn overrides(asked: &Preview) -> Overrides {
    Overrides { version: asked.external_dns_version, args: asked.external_dns_arg.clone() }
}

fn listed(input: &Input, chosen: &[Arc<Instance>], stage: Stage) -> Result<Listing, CliError> {
    let found = listing_of(input, chosen, stage)?;
    for line in &found.unknown {
        tracing::warn!("names are not known: {line}");
    }
    Ok(found)
}

/// What was given, or the live sources; `None` when there are no objects to look at.
async fn input(
    config: &Config,
    user: &Value,
    asked: &Preview,
    stage: Stage,
) -> Result<Option<Input>, CliError> {
    if let Some(path) = &asked.file {
        return from_file(config, path, &asked.zone).map(Some);
    }
    let snapshot = match &asked.recording {
        Some(dir) => replay::last_snapshot(dir, user)?,
        None => Box::pin(live(config, stage)).await?,
    };
    tell(&snapshot.kubernetes.problems);
    tell(&snapshot.route53.problems);
    let Some(cluster) = snapshot.kubernetes.value else { return Ok(None) };
    Ok(Some(Input { cluster: (*cluster).clone(), zones: snapshot.route53.value, at: snapshot.at }))
}

fn from_file(config: &Config, path: &Path, zones: &[String]) -> Result<Input, CliError> {
    let (objects, mut problems) = read_objects(path);
    if objects.is_empty() && !problems.is_empty() {
        let texts: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        return Err(PreviewError::NoObjects(texts.join("; ")).into());
    }
    let at = SystemClock.now();
    let cluster = replay::decode(objects, Some(&config.assumed()), &mut problems);
    tell(&problems);
    Ok(Input { cluster, zones: supposed_zones(zones, at), at })
}

async fn live(config: &Config, stage: Stage) -> Result<Snapshot, CliError> {
    let settings = settings(config);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let connection = connect(&settings.kube, Arc::clone(&clock)).await.map_err(CliError::Kubernetes)?;
    let (mut kubernetes, _) = read_once(&connection, &settings.watch, &*clock).await;
    if let Some(cluster) = kubernetes.value.as_ref().filter(|cluster| cluster.instances.is_empty()) {
        let instances = vec![config.assumed()];
        kubernetes.value = Some(Arc::new(crate::snapshot::Cluster { instances, ..(**cluster).clone() }));
    }
    let route53 = if stage == Stage::Route53 {
        let stats = Arc::clone(&settings.route53.stats);
        let reading = route53::read_once(settings.route53, Arc::clone(&clock));
        progress::shown("reading Route 53", stats, reading).await
    } else {
        crate::snapshot::Reading::off()
    };
    Ok(Snapshot {
        at: clock.now(),
        kubernetes,
        route53,
        dns: crate::snapshot::Reading::off(),
        changes: crate::snapshot::Reading::off(),
    })
}

fn tell(problems: &[Problem]) {
    for problem in problems {
        tracing::warn!(scope = problem.scope, code = problem.code.as_str(), "{}", problem.message);
    }
}

//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::board::progress::Goal;
use crate::cli::server::Server;
use crate::finding::Severity;
use crate::model::Version;
use crate::preview::Stage;

const CHECK_EXAMPLES: &str = "\
Examples:
  dns-drift check
      What is wrong now, as a table
  dns-drift check --fail-on critical -o junit > dns-drift.xml
      A CI job that fails on critical findings
  dns-drift check -o json > before.json; # ... upgrade ExternalDNS ...
  dns-drift check --baseline before.json -o markdown
      Only what the upgrade broke
  dns-drift check app.example.com --wait 5m
      In a pipeline: until the new host is live, for its users and not only in the zone
  dns-drift check --server http://dns-drift.dns:9853
      What the dns-drift that runs there found last
  dns-drift check --recording bug-report
      The verdict on what was recorded elsewhere";

const EXAMPLES: &str = "\
Examples:
  dns-drift demo
      See it work on this machine, without cluster and account
  dns-drift check
      What is wrong now; exit code 1 if anything is
  dns-drift explain shop.example.com
      Everything about one name
  dns-drift serve --state-dir /var/lib/dns-drift
      Watch, and serve status page and metrics";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  dns-drift explain shop.example.com
  dns-drift explain shop.example.com --recording bug-report";

const PREVIEW_EXAMPLES: &str = "\
Examples:
  dns-drift desired -f manifests/ --zone example.com
      What these files would make of a hosted zone example.com
  dns-drift what-if --external-dns-version 0.22.0
      What the upgrade would add, remove and change";

const CHANGES_EXAMPLES: &str = "\
Examples:
  kubectl -n dns logs deploy/external-dns | dns-drift changes --log -
  aws cloudtrail lookup-events --region us-east-1 > events.json; dns-drift changes --cloudtrail events.json";

const RECORD_EXAMPLES: &str = "\
Examples:
  dns-drift record --out bug-report --rounds 3
      Three rounds, one minute apart; look through the files before you hand them on";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  dns-drift completions bash > /etc/bash_completion.d/dns-drift
  dns-drift completions zsh > \"${fpath[1]}/_dns-drift\"
  dns-drift completions fish > ~/.config/fish/completions/dns-drift.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  dns-drift man | man -l -
  dns-drift man --out /usr/local/share/man/man1";

/// Read-only watch over ExternalDNS and Route 53.
#[derive(Debug, Parser)]
#[command(name = "dns-drift", version, about, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What applies to every command.
    #[command(flatten)]
    pub common: Common,
}

/// Flags of every command.
#[derive(Args, Debug)]
pub struct Common {
    /// Configuration file (YAML).
    #[arg(long, global = true, env = "DNS_DRIFT_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Only check the configuration.
    #[arg(long, global = true)]
    pub check_config: bool,
    /// Form of the log on standard error.
    #[arg(long, global = true, env = "DNS_DRIFT_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Level of the log, or a filter such as `info,dns_drift::recorded=debug`.
    #[arg(long, global = true, env = "DNS_DRIFT_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// Keys of the configuration.
    #[command(flatten)]
    pub keys: Keys,
}

/// Keys of the configuration as flags; they win over the file.
#[derive(Args, Debug)]
#[command(next_help_heading = "Configuration keys (they win over the file)")]
pub struct Keys {
    /// Time between two full readings, for example 60s.
    #[arg(long, global = true, env = "DNS_DRIFT_INTERVAL", value_name = "DURATION")]
    interval: Option<String>,
    /// Kubeconfig file.
    #[arg(long, global = true, env = "DNS_DRIFT_KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<String>,
    /// Context of the kubeconfig.
    #[arg(long, global = true, env = "DNS_DRIFT_CONTEXT", value_name = "NAME")]
    context: Option<String>,
    /// Use the service account of the Pod, whatever kubeconfig is there.
    #[arg(long, global = true, env = "DNS_DRIFT_IN_CLUSTER")]
    in_cluster: bool,
    /// Requests per second to Route 53, at most 5.
    #[arg(long, global = true, env = "DNS_DRIFT_ROUTE53_REQUESTS_PER_SECOND", value_name = "RATE")]
    route53_requests_per_second: Option<String>,
    /// Region that requests to Route 53 are signed for.
    #[arg(long, global = true, env = "DNS_DRIFT_ROUTE53_REGION", value_name = "REGION")]
    route53_region: Option<String>,
    /// Only these hosted zones.
    #[arg(long, global = true, env = "DNS_DRIFT_ROUTE53_ZONE_IDS", value_name = "ID", value_delimiter = ',')]
    route53_zone_ids: Vec<String>,
    /// Instead of the real Route 53.
    #[arg(long, global = true, env = "DNS_DRIFT_ROUTE53_ENDPOINT_URL", value_name = "URL")]
    route53_endpoint_url: Option<String>,
    /// Resolvers, each `ADDRESS[:PORT]` with an optional `=VIEW`.
    #[arg(
        long,
        global = true,
        env = "DNS_DRIFT_DNS_RESOLVERS",
        value_name = "RESOLVER",
        value_delimiter = ','
    )]
    dns_resolvers: Vec<String>,
    /// Addresses that replace those from DNS: `NAME=ADDRESS[:PORT]`, `*=...`, `parent=...`.
    #[arg(long, global = true, env = "DNS_DRIFT_DNS_SERVER_MAP", value_name = "LINE", value_delimiter = ',')]
    dns_server_map: Vec<String>,
    /// A name outside of your zones that every resolver knows.
    #[arg(long, global = true, env = "DNS_DRIFT_DNS_CONTROL_NAME", value_name = "NAME")]
    dns_control_name: Option<String>,
    /// Ask CloudTrail for refused and applied changes.
    #[arg(long, global = true, env = "DNS_DRIFT_CHANGES_CLOUDTRAIL")]
    changes_cloudtrail: bool,
    /// SQS queue that an EventBridge rule fills with CloudTrail records.
    #[arg(long, global = true, env = "DNS_DRIFT_CHANGES_QUEUE_URL", value_name = "URL")]
    changes_queue_url: Option<String>,
    /// Read /metrics of the Pods of ExternalDNS through the Kubernetes API.
    #[arg(long, global = true, env = "DNS_DRIFT_CHANGES_SCRAPE")]
    changes_scrape: bool,
    /// Labels that are copied from objects to findings.
    #[arg(
        long,
        global = true,
        env = "DNS_DRIFT_LABEL_ALLOW_LIST",
        value_name = "LABEL",
        value_delimiter = ','
    )]
    label_allow_list: Vec<String>,
    /// Take labels that an object lacks from its namespace.
    #[arg(long, global = true, env = "DNS_DRIFT_NAMESPACE_LABELS")]
    namespace_labels: bool,
    /// Where the pages about the kinds of findings are.
    #[arg(long, global = true, env = "DNS_DRIFT_RUNBOOK_BASE", value_name = "URL")]
    runbook_base: Option<String>,
    /// Findings with series of their own on /metrics.
    #[arg(long, global = true, env = "DNS_DRIFT_MAX_FINDING_SERIES", value_name = "COUNT")]
    max_finding_series: Option<String>,
    /// Wanted records with series of their own on /metrics; 0 for none.
    #[arg(long, global = true, env = "DNS_DRIFT_MAX_RECORD_SERIES", value_name = "COUNT")]
    max_record_series: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch, and serve metrics, status page and JSON API.
    Serve {
        /// Where to serve HTTP.
        #[arg(long, env = "DNS_DRIFT_LISTEN", value_name = "ADDRESS:PORT")]
        listen: Option<String>,
        /// Folder that keeps what is known over a restart.
        #[arg(long, env = "DNS_DRIFT_STATE_DIR", value_name = "DIR")]
        state_dir: Option<String>,
        /// TLS, logins and headers, in the format that Prometheus and its exporters share.
        #[arg(
            long = "web.config.file",
            visible_alias = "web-config-file",
            env = "DNS_DRIFT_WEB_CONFIG_FILE",
            value_name = "FILE"
        )]
        web_config_file: Option<String>,
        /// Judge only while holding a Lease, so that several replicas cost the API budget once.
        #[arg(long, env = "DNS_DRIFT_LEADER_ELECT")]
        leader_elect: bool,
        /// The Lease that replicas elect by.
        #[arg(long, env = "DNS_DRIFT_LEADER_ELECT_LEASE", value_name = "NAME")]
        leader_elect_lease: Option<String>,
        /// The part of the hosted zones that is this process's: `0/3`, `1/3`, `2/3`; `auto/3` takes the
        /// number from the name of a StatefulSet's Pod.
        #[arg(long, env = "DNS_DRIFT_SHARD", value_name = "NUMBER/TOTAL")]
        shard: Option<String>,
        /// What this replica is called.
        #[arg(long, env = "POD_NAME", value_name = "NAME")]
        pod_name: Option<String>,
    },
    /// One verdict and an exit code: 0 all well, 1 findings, 2 bad usage, 3 a view is missing.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Everything about one name.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain {
        /// The name.
        name: String,
        /// Look into a recording in the place of the live sources.
        #[arg(long, value_name = "DIR")]
        recording: Option<PathBuf>,
        /// Pause between the two looks that make a live verdict.
        #[arg(long, default_value = "20s", value_parser = duration, value_name = "DURATION")]
        settle: Duration,
    },
    /// What the running ExternalDNS asks Route 53 for, stage by stage.
    #[command(after_help = PREVIEW_EXAMPLES)]
    Desired {
        /// Where objects and zones come from, and for which instance.
        #[command(flatten)]
        input: Preview,
        /// After which stage.
        #[arg(long, default_value = "route53")]
        stage: Stage,
    },
    /// What another version or other flags of ExternalDNS would change.
    #[command(after_help = PREVIEW_EXAMPLES)]
    WhatIf {
        /// Where objects and zones come from, and for which instance.
        #[command(flatten)]
        input: Preview,
        /// After which stage.
        #[arg(long, default_value = "route53")]
        stage: Stage,
        /// Compare with this version and not with the running one.
        #[arg(long, value_name = "VERSION")]
        from_version: Option<Version>,
        /// Compare with this flag besides those in force, for example `--from-arg=--policy=sync`.
        #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
        from_arg: Vec<String>,
    },
    /// Refused changes from log and CloudTrail files alone: exit code 1 if one is still refused.
    #[command(after_help = CHANGES_EXAMPLES)]
    Changes {
        /// Log of ExternalDNS, text or JSON; `-` is standard input. May be given several times.
        #[arg(long, value_name = "FILE", required_unless_present = "cloudtrail")]
        log: Vec<PathBuf>,
        /// What `aws cloudtrail lookup-events` printed, or a file of a trail. May be given several
        /// times.
        #[arg(long, value_name = "FILE")]
        cloudtrail: Vec<PathBuf>,
        /// Form of the result.
        #[arg(short, long, default_value = "table")]
        output: Output,
    },
    /// Write a recording from the live sources.
    #[command(after_help = RECORD_EXAMPLES)]
    Record {
        /// The folder to write; missing or empty.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// How many rounds.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1_000))]
        rounds: u16,
        /// Time from round to round.
        #[arg(long, default_value = "60s", value_parser = duration, value_name = "DURATION")]
        every: Duration,
    },
    /// Everything on this machine, without cluster and account.
    Demo {
        /// One pass through the story, then the end.
        #[arg(long)]
        once: bool,
        /// Where to serve HTTP.
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
        /// How long the broken host stays broken: 60s unless told otherwise, 5s with --once. The
        /// signal USR1 mends it at once.
        #[arg(long, value_parser = duration, value_name = "DURATION")]
        keep: Option<Duration>,
    },
    /// Completions for a shell, on standard output.
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// The manual page, or one for each command.
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// Write all pages into this folder; without it the main page goes to standard output.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Flags of `check`.
#[derive(Args, Debug)]
pub struct Check {
    /// Only this name: its findings, and those that explain them.
    pub name: Option<String>,
    /// Wait so long until the name is there; exit code 1 if it is not.
    #[arg(long, value_parser = duration, value_name = "DURATION", requires = "name", conflicts_with = "recording")]
    pub wait: Option<Duration>,
    /// What to wait for: live, recorded or absent.
    #[arg(long, default_value = "live", value_parser = goal, value_name = "GOAL", requires = "wait")]
    pub until: Goal,
    /// Judge a recording in the place of the live sources; its configuration wins over `--config`.
    #[arg(long, value_name = "DIR")]
    pub recording: Option<PathBuf>,
    /// Form of the verdict.
    #[arg(short, long, default_value = "table")]
    pub output: Form,
    /// Exit code 1 from this severity on.
    #[arg(long, default_value = "warning", value_parser = severity)]
    pub fail_on: Severity,
    /// Show and count only what an earlier `check -o json` did not find.
    #[arg(long, value_name = "REPORT.json")]
    pub baseline: Option<PathBuf>,
    /// Pause between the two looks that make a live verdict.
    #[arg(long, default_value = "20s", value_parser = duration, value_name = "DURATION")]
    pub settle: Duration,
    /// Ask name servers as fast as `dns.sweep_per_second` allows: for large fleets, after a migration.
    #[arg(long, conflicts_with = "recording")]
    pub sweep: bool,
    /// Who is asked, if not the sources.
    #[command(flatten)]
    pub server: Server,
}

/// Flags of `desired` and `what-if`.
#[derive(Args, Debug)]
pub struct Preview {
    /// Only the instance with this owner id.
    #[arg(long, value_name = "OWNER")]
    pub instance: Option<String>,
    /// As this version of ExternalDNS would, whatever runs.
    #[arg(long, value_name = "VERSION")]
    pub external_dns_version: Option<Version>,
    /// A flag of ExternalDNS, in the place of those of its name that are in force; for example
    /// `--external-dns-arg=--source=ingress`.
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true)]
    pub external_dns_arg: Vec<String>,
    /// Look into a recording in the place of the live sources.
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    pub recording: Option<PathBuf>,
    /// Objects of a file, or of all files of a folder, in the place of the live sources.
    #[arg(short, long, value_name = "FILE|DIR")]
    pub file: Option<PathBuf>,
    /// A hosted zone that is supposed to exist: its name, with `-f`.
    #[arg(long, value_name = "NAME", requires = "file")]
    pub zone: Vec<String>,
    /// Form of the result.
    #[arg(short, long, default_value = "table")]
    pub output: Output,
}

/// Form of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Table,
    /// The same with every column, and one line for each finding.
    Wide,
    /// The whole report, for programs.
    Json,
    /// The same as YAML.
    Yaml,
    /// For the test pages of CI systems.
    Junit,
    /// For code scanning pages and security dashboards.
    Sarif,
    /// For job summaries and comments on pull requests.
    Markdown,
}

/// Form of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

fn severity(word: &str) -> Result<Severity, String> {
    Severity::from_word(word).ok_or_else(|| "one of info, warning, critical".to_owned())
}

fn goal(word: &str) -> Result<Goal, String> {
    Goal::from_word(word).ok_or_else(|| "one of live, recorded, absent".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<SignedDuration>().map_err(|error| error.to_string())?;
    Duration::try_from(span).map_err(|error| error.to_string())
}

impl Cli {
    /// The keys that were given as flags or variables, with their paths in the configuration.
    #[must_use]
    pub fn overrides(&self) -> Vec<(&'static str, Value)> {
        let keys = &self.common.keys;
        let none = &None;
        let ([listen, state_dir, web_config_file, pod_name, shard, lease], leader_elect) = match &self.command
        {
            Command::Serve {
                listen,
                state_dir,
                web_config_file,
                leader_elect,
                leader_elect_lease,
                shard,
                pod_name,
            } => ([listen, state_dir, web_config_file, pod_name, shard, leader_elect_lease], *leader_elect),
            Command::Check(_)
            | Command::Explain { .. }
            | Command::Desired { .. }
            | Command::WhatIf { .. }
            | Command::Changes { .. }
            | Command::Record { .. }
            | Command::Demo { .. }
            | Command::Completions { .. }
            | Command::Man { .. } => ([none; 6], false),
        };
        let texts = [
            ("listen", listen),
            ("state_dir", state_dir),
            ("web_config_file", web_config_file),
            ("pod_name", pod_name),
            ("sharding.shard", shard),
            ("leader_election.lease_name", lease),
            ("interval", &keys.interval),
            ("kubernetes.kubeconfig", &keys.kubeconfig),
            ("kubernetes.context", &keys.context),
            ("route53.requests_per_second", &keys.route53_requests_per_second),
            ("route53.region", &keys.route53_region),
            ("route53.endpoint_url", &keys.route53_endpoint_url),
            ("dns.control_name", &keys.dns_control_name),
            ("changes.queue_url", &keys.changes_queue_url),
            ("runbook_base", &keys.runbook_base),
            ("max_finding_series", &keys.max_finding_series),
            ("max_record_series", &keys.max_record_series),
        ];
        let lists = [
            ("route53.zone_ids", &keys.route53_zone_ids),
            ("dns.server_map", &keys.dns_server_map),
            ("label_allow_list", &keys.label_allow_list),
        ];
        let texts = texts.into_iter().filter_map(|(path, text)| Some((path, json!(text.as_ref()?))));
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let mut all: Vec<_> = texts.chain(lists.map(|(path, list)| (path, json!(list)))).collect();
        let flags = [
            ("kubernetes.in_cluster", keys.in_cluster),
            ("changes.cloudtrail", keys.changes_cloudtrail),
            ("changes.scrape", keys.changes_scrape),
            ("namespace_labels", keys.namespace_labels),
            ("leader_election.enabled", leader_elect),
        ];
        all.extend(flags.into_iter().filter(|(_, on)| *on).map(|(path, _)| (path, json!(true))));
        if !keys.dns_resolvers.is_empty() {
            let rows: Vec<Value> = keys.dns_resolvers.iter().map(|text| resolver(text)).collect();
            all.push(("dns.resolvers", json!(rows)));
        }
        all
    }
}

fn resolver(text: &str) -> Value {
    match text.split_once('=') {
        Some((address, view)) => json!({"address": address, "view": view}),
        None => json!({"address": text}),
    }
}

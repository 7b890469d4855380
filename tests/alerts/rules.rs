//! The rules: the one source from which the files in `alerts/` come.

use std::collections::BTreeMap;

use dns_drift::finding::Kind;
use serde::Serialize;

use crate::kinds::{Class, Page, alert_name, class, title};

/// Replaced by whoever installs the rules; `docs/alerts.md` says how.
pub(crate) const RUNBOOKS: &str = "https://dns-drift.example.com/docs/runbooks";
/// The same for Grafana.
pub(crate) const DASHBOARDS: &str = "https://grafana.example.com/d";

/// An empty variable would match nothing, so it is left out.
const CLUSTER: &str = "from=now-6h{{ with $labels.cluster }}&var-cluster={{ . | urlquery }}{{ end }}";

/// A rule file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RuleFile {
    pub(crate) groups: Vec<Group>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) rules: Vec<Rule>,
}

/// One rule; a recording rule has a name to record and nothing to say.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alert: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<String>,
    pub(crate) expr: String,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) wait: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep_firing_for: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<&'static str, String>,
}

/// What identifies an alert about findings: hosts of one cause are one alert. The impact is left
/// out, or a host that goes from the wrong place to down would be a second page.
const IDENTITY: &str =
    "cluster, job, zone, zone_id, owner_id, view, label_team, kind, reason, cause, severity";

/// The labels of one row in a description.
const ROW: &str = "name, record_type, set_identifier, zone, owner_id, view, object_kind, object_namespace, object, impact, state";

/// `alerts/dns-drift.rules.yml`.
pub(crate) fn dns_drift() -> RuleFile {
    let findings = Kind::ALL.iter().map(|kind| of_kind(*kind)).collect();
    RuleFile {
        groups: vec![
            Group { name: "dns-drift-findings", rules: findings },
            Group { name: "dns-drift-many", rules: vec![mass_drift()] },
            Group { name: "dns-drift-changes", rules: changes() },
            Group { name: "dns-drift-convergence", rules: convergence() },
            Group { name: "dns-drift-self", rules: itself() },
        ],
    }
}

/// `alerts/external-dns.rules.yml`: for those who scrape ExternalDNS too.
pub(crate) fn external_dns() -> RuleFile {
    let stale =
        "time() - max without (instance, pod) (external_dns_controller_last_sync_timestamp_seconds) > 900";
    let errors = "sum by (cluster, job) (increase(external_dns_registry_errors_total[15m])) \
                  + sum by (cluster, job) (increase(external_dns_source_errors_total[15m])) > 0";
    let rules = vec![
        ticket(
            "ExternalDNSSyncStale",
            stale,
            "10m",
            "ExternalDNS has not synchronised for {{ $value | humanizeDuration }}",
        )
        .about(
            "Nothing yet; the next change of any host will not arrive.",
            "no successful loop for 15 minutes",
            "Read its log: the last error says what stops the loop.",
            "kubectl -n EXTERNAL_DNS_NAMESPACE logs deployment/external-dns --since=15m",
        ),
        ticket(
            "ExternalDNSErrors",
            errors,
            "15m",
            "ExternalDNS counts errors of its registry or its sources",
        )
        .about(
            "Possibly nothing; dns-drift pages by itself if a host is harmed.",
            "errors in each of the last 15 minutes",
            "Look for a dns-drift alert: it names the host. Without one, read the log.",
            "kubectl -n EXTERNAL_DNS_NAMESPACE logs deployment/external-dns --since=15m",
        ),
    ];
    RuleFile { groups: vec![Group { name: "external-dns", rules }] }
}

/// One alert for each kind; the severity is that of the findings: critical pages, warning is a
/// ticket, info is shown on dashboards only.
fn of_kind(kind: Kind) -> Rule {
    let page = Page::of(kind);
    let name = alert_name(kind);
    let count = |state: &str| {
        format!(
            "count by ({IDENTITY}) (max without (instance, pod) (dns_drift_finding{{kind=\"{kind}\",state=\"{state}\",severity=~\"critical|warning\"}})) > 0"
        )
    };
    // A view that cannot be read freezes a finding. What has paged goes on: the end of an alert would
    // say that the host is mended. What has not paged stays silent.
    let expr = format!(
        "{} or ({} and on ({IDENTITY}) ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}})",
        count("open"),
        count("stale")
    );
    // In one line, for the notification on a telephone.
    let place = "{{ with $labels.zone }} in zone {{ . }}{{ end }}{{ with $labels.owner_id }} (owner {{ . }}){{ end }}";
    let summary = format!("{}: {{{{ $value | printf \"%.0f\" }}}}{place}", title(kind));
    let mut rule = alert(&name, &expr, "2m", &summary);
    rule.keep_firing_for = Some("5m");
    // The severity of the series stays; the team is the label that was copied from the object.
    rule.labels = BTreeMap::from([("team", String::from("{{ $labels.label_team }}"))]);
    rule.annotations.insert("description", description(kind, &page));
    let dashboard = if class(kind) == Class::Observer { "dns-drift-health" } else { "dns-drift-overview" };
    let zone = "{{ with $labels.zone }}&var-zone={{ . | urlquery }}{{ end }}";
    rule.annotations.insert("dashboard_url", format!("{DASHBOARDS}/{dashboard}?{CLUSTER}{zone}"));
    rule
}

/// Who is concerned, why, what users get, since when, and what to do: enough for somebody who has
/// only this text.
fn description(kind: Kind, page: &Page) -> String {
    let next = match class(kind) {
        Class::Observer => "curl -s http://DNS_DRIFT:9853/api/v1/report | jq .views",
        Class::Controller | Class::Zone => "dns-drift check -o table",
        Class::Wish | Class::Record | Class::Answer => {
            "dns-drift explain {{ with $rows }}{{ (first .).Labels.name }}{{ else }}HOST{{ end }}"
        }
    };
    let row = "{{ with .Labels.name }}{{ . }}/{{ end }}{{ .Labels.record_type }}{{ with .Labels.set_identifier }}#{{ . }}{{ end }}\
               {{ if not .Labels.name }}{{ with .Labels.view }}view {{ . }}{{ end }}{{ with .Labels.zone }}zone {{ . }}{{ end }}\
               {{ with .Labels.owner_id }} instance {{ . }}{{ end }}{{ end }}\
               {{ with .Labels.object }} of {{ $row.Labels.object_kind }} {{ $row.Labels.object_namespace }}/{{ . }}{{ end }}: \
               {{ .Labels.impact }} since {{ .Value | humanizeTimestamp }}\
               {{ if eq .Labels.state \"stale\" }} (frozen: a view cannot be read){{ end }}";
    let rows = rows_query();
    format!(
        "{{{{ $rows := {rows} | sortByLabel \"name\" -}}}}\n\
         Affected ({{{{ $value | printf \"%.0f\" }}}}, at most 10 shown, those that last longest):\
         {{{{ range $row := $rows }}}}\n- {row}{{{{ end }}}}\n\
         Cause: {{{{ $labels.kind }}}}, {{{{ $labels.reason }}}}{{{{ with $labels.cause }}}}, because of {{{{ . }}}}{{{{ end }}}}. {cause}\n\
         Impact: {impact}\n\
         Fix: {exact}{fix}\n\
         Next command: {next}",
        cause = page.plain("Meaning"),
        impact = page.plain("What users notice"),
        exact = exact_fix(kind),
        fix = page.plain("Fix"),
    )
}

/// The findings of the alert, with the time since when as the value.
fn rows_query() -> String {
    const LABELS: [&str; 9] =
        ["cluster", "job", "zone", "zone_id", "owner_id", "view", "label_team", "kind", "reason"];
    let labels: Vec<&str> = LABELS.into_iter().chain(["cause", "severity"]).collect();
    let selector: Vec<String> = labels.iter().map(|label| format!("{label}=%q")).collect();
    let values: Vec<String> = labels.iter().map(|label| format!("$labels.{label}")).collect();
    let query = format!(
        "bottomk(10, max by ({ROW}) (dns_drift_finding{{state=~\\\"open|stale\\\",{}}} * ignoring (severity, impact, state) \
         group_left () dns_drift_finding_first_seen_timestamp_seconds))",
        selector.join(",")
    );
    format!("query (printf \"{query}\" {})", values.join(" "))
}

/// The command that mends the commonest reason, where there is one.
fn exact_fix(kind: Kind) -> &'static str {
    match kind {
        Kind::FailedChange | Kind::InvalidDesired => {
            "{{ if or (eq $labels.reason \"alias_on_ip\") (eq $labels.cause \"invalid_desired:alias_on_ip\") }}{{ with $rows }}\
             {{ with (first .).Labels }}kubectl -n {{ .object_namespace }} annotate {{ .object_kind | toLower }} {{ .object }} \
             external-dns.alpha.kubernetes.io/alias- (or under the prefix that the instance reads). {{ end }}{{ end }}{{ end }}"
        }
        Kind::ObserverBlind
        | Kind::ControllerStalled
        | Kind::ControllerFailing
        | Kind::ControllerMisconfigured
        | Kind::MassDeletion
        | Kind::NoZone
        | Kind::AnnotationUnread
        | Kind::ConflictingDesired
        | Kind::NoAddress
        | Kind::TargetUnresolvable
        | Kind::WrongZone
        | Kind::MissingRecord
        | Kind::WrongAlias
        | Kind::WrongType
        | Kind::WrongRouting
        | Kind::StaleTarget
        | Kind::WrongTarget
        | Kind::PrivateTargetInPublicZone
        | Kind::OwnerConflict
        | Kind::OwnerForeign
        | Kind::OwnerMissing
        | Kind::OwnerOrphan
        | Kind::DanglingRecord
        | Kind::StaleRecord
        | Kind::DelegationBroken
        | Kind::DnssecBroken
        | Kind::ZoneUnassociated
        | Kind::ZoneQuota
        | Kind::WildcardShadow
        | Kind::AuthMismatch
        | Kind::HealthWithdrawn
        | Kind::ResolverStale
        | Kind::ResolverMismatch
        | Kind::ResolverUnreachable
        | Kind::Flapping
        | Kind::Churn
        | Kind::WrongTtl => "",
    }
}

/// A fifth of everything is harmed: one page that mutes those of the single kinds.
fn mass_drift() -> Rule {
    let names = "sum by (cluster, job) (max without (instance, pod) (dns_drift_names))";
    let share = |states: &str| {
        format!(
            "sum by (cluster, job) (max without (instance, pod) (dns_drift_findings{{state=~\"{states}\",severity=\"critical\"}})) / ({names} >= 10) > 0.2"
        )
    };
    let already = "ALERTS{alertname=\"DNSDriftMassDrift\",alertstate=\"firing\"}";
    let expr = format!("{} or ({} and on (cluster, job) {already})", share("open"), share("open|stale"));
    let mut rule = page(
        "DNSDriftMassDrift",
        &expr,
        // It begins before the alerts that it mutes and ends after them, or each of them would be a page
        // of its own for a moment: groups of rules are not evaluated at the same time.
        "1m",
        "{{ $value | humanizePercentage }} of all wanted names are harmed",
    );
    rule.keep_firing_for = Some("10m");
    let hosts = "{{ range query (printf \"bottomk(5, max by (name, record_type) (dns_drift_finding{name!=\\\"\\\",state=~\\\"open|stale\\\",severity=\\\"critical\\\",cluster=%q,job=%q} \
                 * ignoring (severity, impact, state) group_left () dns_drift_finding_first_seen_timestamp_seconds))\" \
                 $labels.cluster $labels.job) | sortByLabel \"name\" }}\n\
                 - {{ .Labels.name }}/{{ .Labels.record_type }} since {{ .Value | humanizeTimestamp }}{{ end }}";
    let causes = "{{ range query (printf \"topk(5, count by (kind, reason, cause) (dns_drift_finding{state=~\\\"open|stale\\\",severity=\\\"critical\\\",cluster=%q,job=%q}))\" $labels.cluster $labels.job) | sortByLabel \"kind\" }}\n\
                  - {{ .Value | printf \"%.0f\" }} x {{ .Labels.kind }}, {{ .Labels.reason }}{{ with .Labels.cause }}, because of {{ . }}{{ end }}{{ end }}";
    rule.about(
        "Users of these names get no answer or a wrong one.",
        &format!("many findings at once, most of one of these kinds:{causes}\nAmong them, those that last longest:{hosts}"),
        "Mend the commonest cause; if ExternalDNS was upgraded or its flags changed, roll that back first.",
        "dns-drift check -o table",
    )
}

/// What refused changes cost others, and whether the feed that tells of them is well. That a change is
/// refused is a finding with an alert of its own.
fn changes() -> Vec<Rule> {
    // Several replicas count the same log: one of them is enough. The wait is longer than the window, so
    // that one large batch that is refused once is no ticket.
    let calls = "sum by (cluster, job, owner_id) (max without (instance, pod) (rate(dns_drift_poisoned_batch_calls_total[15m]))) > 0.5";
    let refused = "{{ range query (printf \"topk(5, sum by (zone, reason) (max without (instance, pod, origin) \
                   (increase(dns_drift_refused_changes_total{cluster=%q,job=%q,owner_id=%q}[30m]))) > 0)\" \
                   $labels.cluster $labels.job $labels.owner_id) | sortByLabel \"zone\" }}\n\
                   - {{ .Value | printf \"%.0f\" }} refused{{ with .Labels.zone }} in {{ . }}{{ end }}: {{ .Labels.reason }}{{ end }}";
    let set_aside = "sum by (cluster, job) (max without (instance, pod) (increase(dns_drift_queue_messages_set_aside_total[1h]))) > 0";
    vec![
        ticket(
            "DNSDriftPoisonedBatches",
            calls,
            "30m",
            "ExternalDNS{{ with $labels.owner_id }} (owner {{ . }}){{ end }} wastes {{ $value | printf \"%.1f\" }} Route 53 calls a second on refused batches",
        )
        .about(
            "None by itself; everybody in the account waits longer for changes, because it shares five requests a second.",
            &format!(
                "batches with a record that Route 53 refuses are sent again name by name, in each interval. Refused in the last half hour:{refused}"
            ),
            "Take the refused record away, also if its finding is muted: muting saves no call.",
            "dns-drift check -o table",
        ),
        ticket(
            "DNSDriftQueueMessagesSetAside",
            set_aside,
            "15m",
            "Messages of the CloudTrail queue cannot be understood",
        )
        .about(
            "None by itself; but a refused or foreign change that stands in such a message is told late, or judged without its cause.",
            "{{ $value | printf \"%.0f\" }} messages in the last hour were no CloudTrail events of Route 53: another rule feeds the queue, or it transforms its input",
            "Let only the rule of deploy/cloudtrail feed the queue, without an input transformer.",
            "kubectl -n dns-drift logs deployment/dns-drift --since=1h",
        ),
    ]
}

/// 99 % of new hosts are live within the objective (10 minutes unless configured otherwise).
fn convergence() -> Vec<Rule> {
    let ratio = |window: &str| {
        let rate =
            |metric: &str| format!("sum by (cluster, job) (rate({metric}{{stage=\"live\"}}[{window}]))");
        let (slow, all) = (rate("dns_drift_slow_convergences_total"), rate("dns_drift_convergences_total"));
        Rule {
            record: Some(format!("job:dns_drift_slow_convergences:ratio_rate{window}")),
            expr: format!("{slow} / ({all} > 0)"),
            ..Rule::default()
        }
    };
    let mut rules: Vec<Rule> = ["5m", "30m", "1h", "6h", "3d"].into_iter().map(ratio).collect();
    let burn = |long: &str, short: &str, factor: &str, least: &str| {
        let recorded =
            |window: &str| format!("job:dns_drift_slow_convergences:ratio_rate{window} > {factor} * 0.01");
        let many = format!(
            "sum by (cluster, job) (increase(dns_drift_slow_convergences_total{{stage=\"live\"}}[{long}])) >= {least}"
        );
        format!("{} and {} and {many}", recorded(long), recorded(short))
    };
    let say = |rule: Rule| {
        let next = "dns-drift check -o table";
        rule.about(
            "Users of new hosts wait for more than 10 minutes until the name works.",
            "{{ $value | humanizePercentage }} of the new hosts were not live in time; the objective allows 1 %",
            "Look for a slow or throttled ExternalDNS: its interval, its log, and the rate of Route 53 requests.",
            next,
        )
    };
    let summary = "New hosts go live too slowly: the budget of the month is gone in";
    // A single slow host is a finding with an alert of its own; a page is for many.
    let fast = page(
        "DNSDriftConvergenceBudgetBurn",
        &burn("1h", "5m", "14.4", "5"),
        "2m",
        &format!("{summary} two days"),
    );
    let middle = page(
        "DNSDriftConvergenceBudgetBurn",
        &burn("6h", "30m", "6", "5"),
        "15m",
        &format!("{summary} five days"),
    );
    let slow = ticket(
        "DNSDriftConvergenceBudgetBurn",
        &burn("3d", "6h", "1", "2"),
        "1h",
        &format!("{summary} a month"),
    );
    let with = |mut rule: Rule, window: &str| {
        rule.labels.insert("window", window.to_owned());
        say(rule)
    };
    rules.extend([with(fast, "1h"), with(middle, "6h"), with(slow, "3d")]);
    rules
}

/// Whether dns-drift itself can be believed.
fn itself() -> Vec<Rule> {
    let down = "absent(up{job=\"dns-drift\"}) or max by (cluster, job) (up{job=\"dns-drift\"}) == 0";
    let rounds = "time() - max by (cluster, job) (dns_drift_last_round_timestamp_seconds) > 900";
    let blind = "time() - max without (instance, pod) (dns_drift_view_last_read_timestamp_seconds) > 1800";
    let wanted = "sum by (cluster, job) (max without (instance, pod) (dns_drift_names))";
    let nothing = format!(
        "{wanted} == 0 and sum by (cluster, job) (max without (instance, pod) (dns_drift_names offset 1h)) > 0"
    );
    let unknown = format!(
        "sum by (cluster, job) (max without (instance, pod) (dns_drift_names_unknown)) / ({wanted} > 0) > 0.1"
    );
    let throttled =
        "sum by (cluster, job) (rate(dns_drift_aws_requests_total{outcome=\"throttled\"}[15m])) > 0.1";
    let omitted = "max without (instance, pod) (dns_drift_finding_series_omitted) > 0";
    let dropped = "sum by (cluster, job) (increase(dns_drift_log_lines_dropped_total[1h])) > 0";
    let leaderless = "max by (cluster, job) (dns_drift_leader) == 0";
    // Each shard that judges adds a bit; what is missing or there twice makes another sum.
    let judging = "dns_drift_shard_ordinal and on (cluster, job, instance) \
                   (time() - dns_drift_last_round_timestamp_seconds < 900)";
    let shards = format!(
        "2 ^ max by (cluster, job) (dns_drift_total_shards) - 1 - sum by (cluster, job) (2 ^ ({judging})) != 0 \
         or stdvar by (cluster, job) (dns_drift_total_shards) != 0"
    );
    let alive = "time() - max by (cluster, job) (dns_drift_last_round_timestamp_seconds) < 900";
    let logs = "kubectl -n dns-drift logs deployment/dns-drift --since=15m";
    let pods = "kubectl -n dns-drift get pods -o wide";
    let views = "curl -s http://DNS_DRIFT:9853/api/v1/report | jq .views";
    let mut heartbeat =
        alert("DNSDriftHeartbeat", alive, "0m", "dns-drift, Prometheus and Alertmanager work");
    heartbeat.labels.insert("severity", String::from("none"));
    heartbeat.wait = None;
    let is_down = |rule: Rule| {
        rule.about(
            "None by itself; but nobody would be told of a broken name.",
            "Prometheus finds no running dns-drift under the job name dns-drift",
            "Bring the Pod back; if it runs, look at the scrape configuration (job name, labels of the ServiceMonitor).",
            pods,
        )
    };
    let is_stuck = |rule: Rule| {
        rule.about(
            "None by itself; but what dns-drift shows is old, and nobody would be told of a broken name.",
            "no round has ended for 15 minutes, although the program answers",
            "Read the log; restart the Pod if it says nothing.",
            logs,
        )
    };
    let is_leaderless = |rule: Rule| {
        rule.about(
            "None by itself; but nobody would be told of a broken name.",
            "replicas of dns-drift run and none of them holds the Lease",
            "Read the log for `election`: the Role for the Lease is missing, or the API server does not answer.",
            logs,
        )
    };
    vec![
        heartbeat.about(
            "None: this alert always fires. Send it to a service that calls when it stops.",
            "everything from the rounds of dns-drift to Alertmanager is alive",
            "If it is not there, look for dns-drift, then Prometheus, then Alertmanager.",
            pods,
        ),
        is_down(ticket("DNSDriftDown", down, "10m", "dns-drift is down")),
        is_down(page("DNSDriftDown", down, "1h", "dns-drift has been down for an hour: nobody watches DNS")),
        is_stuck(ticket("DNSDriftRoundsStalled", rounds, "5m", "dns-drift has not judged anything for {{ $value | humanizeDuration }}")),
        is_stuck(page("DNSDriftRoundsStalled", rounds, "1h", "dns-drift has not judged anything for {{ $value | humanizeDuration }}")),
        is_leaderless(ticket("DNSDriftNoLeader", leaderless, "5m", "No replica of dns-drift judges")),
        is_leaderless(page("DNSDriftNoLeader", leaderless, "1h", "No replica of dns-drift has judged for an hour: nobody watches DNS")),
        ticket("DNSDriftShardMissing", &shards, "10m", "The shards of dns-drift are not all there exactly once").about(
            "Not known for the hosted zones of the shard that is missing.",
            "a shard is not there, has not judged for 15 minutes, or is there twice; or shards differ about how many they are",
            "Bring the Pod back; if the number was changed, roll all Pods.",
            pods,
        ),
        ticket("DNSDriftViewStale", blind, "5m", "dns-drift has not read {{ $labels.view }} for {{ $value | humanizeDuration }}").about(
            "None by itself; verdicts that need the view are frozen.",
            "the view {{ $labels.view }} could not be read completely for half an hour",
            "Read the problem of the view: forbidden (RBAC, IAM), throttled (the account's Route 53 budget), unreachable (network).",
            views,
        ),
        ticket("DNSDriftNothingWanted", &nothing, "10m", "dns-drift sees no wanted name any more").about(
            "None by itself; but with nothing wanted nothing is compared.",
            "there were wanted names an hour ago and there are none now: no instance was found, or it reads no objects",
            "Look for the ExternalDNS workload, its sources and filters, and for the RBAC of dns-drift.",
            "kubectl get deployments -A -l app.kubernetes.io/name=external-dns",
        ),
        ticket("DNSDriftNamesUnknown", &unknown, "30m", "{{ $value | humanizePercentage }} of the wanted names cannot be judged").about(
            "Not known for these names.",
            "a zone or a view that they need has not been read",
            "Find the zones without a reading on the status page and give dns-drift the right to read them.",
            views,
        ),
        ticket("DNSDriftAWSThrottled", throttled, "15m", "Route 53 throttles dns-drift").about(
            "None by itself; readings get old, and others in the account share the same five requests a second.",
            "{{ $value | printf \"%.2f\" }} throttled requests a second",
            "Lower route53.requests_per_second, and see who else spends the budget.",
            logs,
        ),
        info("DNSDriftFindingSeriesOmitted", omitted, "15m", "{{ $value | printf \"%.0f\" }} findings have no series of their own").about(
            "None; the counts are exact, only the list of names is cut.",
            "more findings than the limit",
            "Mend the commonest cause, or raise the limit.",
            "dns-drift check -o table",
        ),
        info("DNSDriftLogLinesDropped", dropped, "15m", "Lines of ExternalDNS logs are dropped unread").about(
            "None; but a refusal that stood in such a line is judged without its cause.",
            "{{ $value | printf \"%.0f\" }} lines in the last hour were too long or too many",
            "Take --log-level=debug off ExternalDNS.",
            logs,
        ),
    ]
}

fn alert(name: &str, expr: &str, wait: &'static str, summary: &str) -> Rule {
    let annotations = BTreeMap::from([
        ("summary", summary.to_owned()),
        ("runbook_url", format!("{RUNBOOKS}/{name}.md")),
        ("dashboard_url", format!("{DASHBOARDS}/dns-drift-health?{CLUSTER}")),
    ]);
    Rule {
        alert: Some(name.to_owned()),
        expr: expr.to_owned(),
        wait: Some(wait),
        annotations,
        ..Rule::default()
    }
}

fn graded(name: &str, expr: &str, wait: &'static str, summary: &str, severity: &str) -> Rule {
    let mut rule = alert(name, expr, wait, summary);
    rule.labels.insert("severity", severity.to_owned());
    rule
}

/// Wakes somebody up.
fn page(name: &str, expr: &str, wait: &'static str, summary: &str) -> Rule {
    graded(name, expr, wait, summary, "critical")
}

/// Can wait until the morning.
fn ticket(name: &str, expr: &str, wait: &'static str, summary: &str) -> Rule {
    graded(name, expr, wait, summary, "warning")
}

/// Good to know; nobody is told.
fn info(name: &str, expr: &str, wait: &'static str, summary: &str) -> Rule {
    graded(name, expr, wait, summary, "info")
}

// === impl Rule ===

impl Rule {
    fn about(mut self, impact: &str, cause: &str, fix: &str, next: &str) -> Self {
        let text = format!("Cause: {cause}\nImpact: {impact}\nFix: {fix}\nNext command: {next}");
        self.annotations.insert("description", text);
        self
    }
}

//! The cases for `promtool test rules`: every alert fires on what it is for, and stays silent on
//! what looks alike.

use dns_drift::finding::Kind;
use serde_json::{Value as Json, json};

use crate::kinds::alert_name;

/// Without these the alerts about dns-drift itself would speak up in each case.
const HEALTHY: [(&str, &str); 3] = [
    ("up{job=\"dns-drift\",instance=\"a\"}", "1x720"),
    ("dns_drift_last_round_timestamp_seconds{job=\"dns-drift\",instance=\"a\"}", "0+60x720"),
    ("dns_drift_names{job=\"dns-drift\",instance=\"a\"}", "100x720"),
];

const OURS: &str = "alertname!=\"DNSDriftHeartbeat\",alertstate=\"firing\"";

/// Most cases.
pub(crate) fn cases() -> Json {
    let mut tests = vec![fires(), silent(), frozen()];
    tests.extend([storm(), mass(true), mass(false)]);
    tests.extend(changes());
    tests.extend(itself());
    tests.extend(external_dns());
    file("1m", &tests)
}

/// The cases that last half a day, as a file of its own: promtool evaluates every rule at every step.
pub(crate) fn long_cases() -> Json {
    file("5m", &[burn(true), burn(false)])
}

fn file(every: &str, tests: &[Json]) -> Json {
    json!({
        "rule_files": ["../dns-drift.rules.yml", "../external-dns.rules.yml"],
        "evaluation_interval": every,
        "tests": tests,
    })
}

/// A series with the labels that Prometheus and the program give it.
fn finding(metric: &str, name: &str, kind: Kind, more: &str) -> String {
    format!(
        "{metric}{{job=\"dns-drift\",instance=\"a\",name=\"{name}\",record_type=\"A\",zone=\"example.com\",zone_id=\"Z1\",\
         owner_id=\"gke-prod\",object_kind=\"Ingress\",object_namespace=\"shop\",object=\"web\",kind=\"{kind}\",\
         reason=\"absent\",label_team=\"shop\"{more}}}"
    )
}

fn pair(name: &str, kind: Kind, severity: &str, state: &str, values: &str) -> [(String, String); 2] {
    let more = format!(",severity=\"{severity}\",impact=\"down\",state=\"{state}\"");
    let since = values.replacen('1', "1000", 1);
    [
        (finding("dns_drift_finding", name, kind, &more), values.to_owned()),
        (finding("dns_drift_finding_first_seen_timestamp_seconds", name, kind, ""), since),
    ]
}

fn test(name: &str, series: Vec<(String, String)>, expectations: Vec<Json>) -> Json {
    let healthy = HEALTHY.iter().map(|(name, values)| ((*name).to_owned(), (*values).to_owned()));
    bare(name, healthy.chain(series).collect(), expectations)
}

fn bare(name: &str, series: Vec<(String, String)>, expectations: impl Into<Json>) -> Json {
    let series: Vec<Json> =
        series.into_iter().map(|(name, values)| json!({"series": name, "values": values})).collect();
    json!({"name": name, "interval": "1m", "input_series": series, "promql_expr_test": expectations.into()})
}

/// At that time these alerts fire, as `alertname severity` with the number of alerts, and no others.
fn firing(time: &str, alerts: &[(&str, &str, u32)]) -> Json {
    let samples: Vec<Json> = alerts
        .iter()
        .map(|(name, severity, count)| {
            json!({"labels": format!("{{alertname=\"{name}\",severity=\"{severity}\"}}"), "value": count})
        })
        .collect();
    json!({"expr": format!("count by (alertname, severity) (ALERTS{{{OURS}}})"), "eval_time": time,
           "exp_samples": samples})
}

/// For each kind a page and a ticket, which end after the findings did. All kinds at once, because
/// promtool evaluates all rules for each case.
fn fires() -> Json {
    let mut series = Vec::new();
    for kind in Kind::ALL {
        series.extend(pair("a.example.com", *kind, "critical", "open", "1x10"));
        series.extend(pair("b.example.com", *kind, "critical", "open", "1x10"));
        series.extend(pair("c.example.com", *kind, "warning", "open", "1x10"));
    }
    let names: Vec<String> = Kind::ALL.iter().map(|kind| alert_name(*kind)).collect();
    let both: Vec<(&str, &str, u32)> = names
        .iter()
        .flat_map(|name| [(name.as_str(), "critical", 1), (name.as_str(), "warning", 1)])
        .collect();
    let pages: Vec<Json> = Kind::ALL
        .iter()
        .map(|kind| {
            let alert = alert_name(*kind);
            let labels = format!(
                "ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",job=\"dns-drift\",kind=\"{kind}\",label_team=\"shop\",\
                 team=\"shop\",owner_id=\"gke-prod\",reason=\"absent\",severity=\"critical\",zone=\"example.com\",zone_id=\"Z1\"}}"
            );
            json!({"labels": labels, "value": 1})
        })
        .collect();
    let pages = json!({"expr": "ALERTS{alertstate=\"firing\",severity=\"critical\"}", "eval_time": "5m",
                       "exp_samples": pages});
    // Between the end of the findings and that of the alert: a restart would look like this.
    let expectations =
        vec![firing("1m", &[]), firing("5m", &both), pages, firing("14m", &both), firing("30m", &[])];
    test("each kind fires and resolves", series, expectations)
}

/// Findings that are not open, or not loud enough, and one that is gone before anybody should wake.
fn silent() -> Json {
    let mut series = Vec::new();
    for kind in Kind::ALL {
        for state in ["pending", "muted", "explained", "stale"] {
            series.extend(pair(&format!("{state}.example.com"), *kind, "critical", state, "1x60"));
        }
        series.extend(pair("info.example.com", *kind, "info", "open", "1x60"));
        series.extend(pair("short.example.com", *kind, "critical", "open", "1x1 stale"));
    }
    let expectations = ["1m", "5m", "20m", "50m"].map(|time| firing(time, &[])).to_vec();
    test("each kind stays silent on what is not open, not loud, or gone at once", series, expectations)
}

/// A view cannot be read any more: what has paged goes on, because nothing says that it is mended;
/// what was only pending when the view went blind does not begin.
fn frozen() -> Json {
    let refused = Kind::FailedChange;
    let mut series = Vec::from(pair("a.example.com", refused, "critical", "open", "1x10 stale"));
    let [frozen, _] = pair("a.example.com", refused, "critical", "stale", "_x10 1x40 stale");
    series.push(frozen);
    series.extend(pair("b.example.com", Kind::MissingRecord, "critical", "stale", "_x10 1x40 stale"));
    let row = |state: &str| {
        format!(
            "dns_drift_findings{{job=\"dns-drift\",instance=\"a\",kind=\"wrong_type\",state=\"{state}\",severity=\"critical\"}}"
        )
    };
    series.push((row("open"), String::from("30x10 0x90")));
    series.push((row("stale"), String::from("_x10 30x40 stale")));
    let both = [("DNSDriftFailedChange", "critical", 1), ("DNSDriftMassDrift", "critical", 1)];
    let expectations = vec![firing("8m", &both), firing("45m", &both), firing("65m", &[])];
    test("a blind view ends no page and begins none", series, expectations)
}

/// Many hosts of one cause are one alert; `tests/oncall.rs` does it with 500 and a real Prometheus.
fn storm() -> Json {
    let series = (0..50)
        .flat_map(|number| {
            pair(&format!("h{number}.example.com"), Kind::FailedChange, "critical", "open", "1x10")
        })
        .collect();
    test(
        "50 hosts of one cause are one page",
        series,
        vec![firing("5m", &[("DNSDriftFailedChange", "critical", 1)])],
    )
}

fn mass(harmed: bool) -> Json {
    let series = "dns_drift_findings{job=\"dns-drift\",instance=\"a\",kind=\"missing_record\",state=\"open\",severity=\"critical\"}";
    let warning = series.replace("critical", "warning");
    let count = if harmed { "21x30 3x30" } else { "20x60" };
    let rows = vec![(series.to_owned(), count.to_owned()), (warning, String::from("90x60"))];
    let alerts: &[_] = if harmed { &[("DNSDriftMassDrift", "critical", 1)] } else { &[] };
    let name = if harmed { "more than a fifth is harmed" } else { "a fifth is not yet a mass" };
    test(name, rows, vec![firing("0m", &[]), firing("10m", alerts), firing("50m", &[])])
}

/// One host in five is late, and one in two hundred, for four hours; then none.
fn burn(slowly: bool) -> Json {
    let series =
        |metric: &str, stage: &str| format!("{metric}{{job=\"dns-drift\",instance=\"a\",stage=\"{stage}\"}}");
    let all = if slowly { "0+5x720" } else { "0+200x720" };
    let rows = vec![
        (series("dns_drift_slow_convergences_total", "live"), String::from("0+1x240 240x480")),
        (series("dns_drift_convergences_total", "live"), all.to_owned()),
        // How late the records are does not count: users see the answers.
        (series("dns_drift_slow_convergences_total", "recorded"), String::from("0+1x720")),
        (series("dns_drift_convergences_total", "recorded"), String::from("0+1x720")),
    ];
    let name = "DNSDriftConvergenceBudgetBurn";
    let alerts: &[_] = if slowly { &[(name, "critical", 2), (name, "warning", 1)] } else { &[] };
    let title =
        if slowly { "a fifth of the new hosts is late" } else { "one new host in two hundred is late" };
    // The ticket looks back six hours.
    test(title, rows, vec![firing("3h", alerts), firing("11h", &[])])
}

/// Refused batches that cost others much, a little, or nothing any more; and a queue that is fed wrongly.
fn changes() -> Vec<Json> {
    let calls = |instance: &str, zone: &str| {
        format!(
            "dns_drift_poisoned_batch_calls_total{{job=\"dns-drift\",instance=\"{instance}\",owner_id=\"gke-prod\",zone=\"{zone}\"}}"
        )
    };
    let aside = "dns_drift_queue_messages_set_aside_total{job=\"dns-drift\",instance=\"a\"}";
    let poisoned = ("DNSDriftPoisonedBatches", "warning", 1);
    let unread = ("DNSDriftQueueMessagesSetAside", "warning", 1);
    vec![
        // Two zones of one owner are one ticket; together they are above a tenth of the account's rate.
        test(
            "DNSDriftPoisonedBatches: 36 calls a minute, and mended after two hours",
            vec![
                (calls("a", "a.example.com"), String::from("0+18x120 2160x80")),
                (calls("a", "b.example.com"), String::from("0+18x120 2160x80")),
            ],
            vec![firing("10m", &[]), firing("80m", &[poisoned]), firing("180m", &[])],
        ),
        test(
            "DNSDriftPoisonedBatches: a few calls a minute, and two replicas that count the same 20",
            vec![
                (calls("a", "a.example.com"), String::from("0+20x200")),
                (calls("b", "a.example.com"), String::from("0+20x200")),
                (calls("a", "b.example.com"), String::from("0+5x200")),
            ],
            vec![firing("80m", &[]), firing("180m", &[])],
        ),
        test(
            "DNSDriftPoisonedBatches: one large batch is refused once",
            vec![(calls("a", "a.example.com"), String::from("0x30 900x200"))],
            vec![firing("35m", &[]), firing("50m", &[]), firing("120m", &[])],
        ),
        test(
            "DNSDriftQueueMessagesSetAside: some, and no more",
            vec![(aside.to_owned(), String::from("0x10 0+1x60 60x200"))],
            vec![firing("10m", &[]), firing("60m", &[unread]), firing("180m", &[])],
        ),
        test(
            "DNSDriftQueueMessagesSetAside: not",
            vec![(aside.to_owned(), String::from("7x200"))],
            vec![firing("80m", &[])],
        ),
    ]
}

fn itself() -> Vec<Json> {
    let gone = "up{job=\"dns-drift\",instance=\"a\"}";
    let ours =
        |metric: &str, more: &str| format!("dns_drift_{metric}{{job=\"dns-drift\",instance=\"a\"{more}}}");
    let rounds = ours("last_round_timestamp_seconds", "");
    let names = ours("names", "");
    let down = ("DNSDriftDown", "warning", 1);
    let rows = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
        rows.iter().map(|(name, values)| ((*name).to_owned(), (*values).to_owned())).collect()
    };
    let case = |title: &str, alert: &str, severity: &str, bad: (String, &str), good: (String, &str)| {
        let one = |row: (String, &str)| vec![(row.0, row.1.to_owned())];
        [
            test(
                &format!("{alert}: {title}"),
                one(bad),
                vec![firing("1m", &[]), firing("80m", &[(alert, severity, 1)]), firing("190m", &[])],
            ),
            test(&format!("{alert}: not"), one(good), vec![firing("80m", &[])]),
        ]
    };
    let heartbeat = |time: &str, there: bool| {
        let samples = if there { vec![json!({"labels": "{}", "value": 1})] } else { Vec::new() };
        json!({"expr": "count(ALERTS{alertname=\"DNSDriftHeartbeat\",alertstate=\"firing\",severity=\"none\"})",
               "eval_time": time, "exp_samples": samples})
    };
    // Two shards; of the second one its rounds, its number and what it takes for the total.
    let shards = |stamps: &str, ordinal: &str, total: &str| {
        let second = |metric: &str| ours(metric, "").replace("\"a\"", "\"b\"");
        let steady = |value: &str| {
            if stamps.contains('_') { format!("{value}x20 _x60 {value}x60") } else { format!("{value}x140") }
        };
        vec![
            (rounds.clone(), String::from("0+60x140")),
            (ours("shard_ordinal", ""), String::from("0x140")),
            (ours("total_shards", ""), String::from("2x140")),
            (second("last_round_timestamp_seconds"), stamps.to_owned()),
            (second("shard_ordinal"), steady(ordinal)),
            (second("total_shards"), steady(total)),
        ]
    };
    let mut tests = vec![
        bare(
            "DNSDriftDown: the target does not answer",
            rows(&[(gone, "1x5 0x120 1x60")]),
            vec![
                firing("12m", &[]),
                firing("20m", &[down]),
                firing("90m", &[down, ("DNSDriftDown", "critical", 1)]),
                firing("170m", &[]),
            ],
        ),
        bare(
            "DNSDriftDown: there is no such target",
            Vec::new(),
            vec![firing("9m", &[]), firing("15m", &[down])],
        ),
        bare(
            "DNSDriftDown: a restart of five minutes",
            rows(&[(gone, "1x5 0x5 1x60")]),
            vec![firing("9m", &[]), firing("30m", &[])],
        ),
        bare(
            "DNSDriftRoundsStalled, and the heartbeat stops",
            rows(&[(gone, "1x200"), (&rounds, "0+60x10 600x120 7920+60x60"), (&names, "5x200")]),
            vec![
                heartbeat("5m", true),
                heartbeat("60m", false),
                firing("20m", &[]),
                firing("40m", &[("DNSDriftRoundsStalled", "warning", 1)]),
                firing(
                    "100m",
                    &[("DNSDriftRoundsStalled", "warning", 1), ("DNSDriftRoundsStalled", "critical", 1)],
                ),
                firing("160m", &[]),
                heartbeat("160m", true),
            ],
        ),
        bare(
            "DNSDriftNothingWanted: all names are gone",
            rows(&[(gone, "1x200"), (&rounds, "0+60x200"), (&names, "5x70 0x120")]),
            vec![
                firing("60m", &[]),
                firing("90m", &[("DNSDriftNothingWanted", "warning", 1)]),
                firing("180m", &[]),
            ],
        ),
        bare(
            "DNSDriftNothingWanted: nothing was ever wanted",
            rows(&[(gone, "1x200"), (&rounds, "0+60x200"), (&names, "0x200")]),
            vec![firing("90m", &[])],
        ),
        test(
            "DNSDriftNoLeader: two that wait",
            vec![
                (ours("leader", ""), String::from("1x5 0x120 1x60")),
                (ours("leader", "").replace("\"a\"", "\"b\""), String::from("0x190")),
            ],
            vec![
                firing("8m", &[]),
                firing("20m", &[("DNSDriftNoLeader", "warning", 1)]),
                firing("90m", &[("DNSDriftNoLeader", "warning", 1), ("DNSDriftNoLeader", "critical", 1)]),
                firing("170m", &[]),
            ],
        ),
        test(
            "DNSDriftNoLeader: one waits, one leads",
            vec![
                (ours("leader", ""), String::from("1x5 0x120")),
                (ours("leader", "").replace("\"a\"", "\"b\""), String::from("0x6 1x120")),
            ],
            vec![firing("90m", &[])],
        ),
        test("DNSDriftShardMissing: all there", shards("0+60x120", "1", "2"), vec![firing("90m", &[])]),
        test(
            "DNSDriftShardMissing: one is gone, and comes back",
            shards("0+60x20 _x60 4860+60x60", "1", "2"),
            vec![
                firing("25m", &[]),
                firing("60m", &[("DNSDriftShardMissing", "warning", 1)]),
                firing("120m", &[]),
            ],
        ),
        test(
            "DNSDriftShardMissing: one does not judge",
            shards("0+60x5 300x120", "1", "2"),
            vec![firing("60m", &[("DNSDriftShardMissing", "warning", 1)])],
        ),
        test(
            "DNSDriftShardMissing: one is there twice",
            shards("0+60x120", "0", "2"),
            vec![firing("30m", &[("DNSDriftShardMissing", "warning", 1)])],
        ),
        test(
            "DNSDriftShardMissing: they differ",
            shards("0+60x120", "1", "3"),
            vec![firing("30m", &[("DNSDriftShardMissing", "warning", 1)])],
        ),
    ];
    let view = ours("view_last_read_timestamp_seconds", ",view=\"route53\"");
    let throttled = ours("aws_requests_total", ",operation=\"ListHostedZones\",outcome=\"throttled\"");
    let fine = throttled.replace("throttled", "ok");
    tests.extend(case(
        "half an hour",
        "DNSDriftViewStale",
        "warning",
        (view.clone(), "0x100 6060+60x100"),
        (view, "0+60x200"),
    ));
    let unknown = ours("names_unknown", "");
    tests.extend(case(
        "a fifth",
        "DNSDriftNamesUnknown",
        "warning",
        (unknown.clone(), "20x100 0x100"),
        (unknown, "10x200"),
    ));
    tests.extend(case(
        "often",
        "DNSDriftAWSThrottled",
        "warning",
        (throttled, "0+60x100 6000x100"),
        (fine, "0+60x200"),
    ));
    let omitted = ours("finding_series_omitted", "");
    tests.extend(case(
        "some",
        "DNSDriftFindingSeriesOmitted",
        "info",
        (omitted.clone(), "3x100 0x100"),
        (omitted, "0x200"),
    ));
    let dropped = ours("log_lines_dropped_total", "");
    tests.extend(case(
        "some",
        "DNSDriftLogLinesDropped",
        "info",
        (dropped.clone(), "0+1x100 100x100"),
        (dropped, "7x200"),
    ));
    tests
}

fn external_dns() -> Vec<Json> {
    let sync = "external_dns_controller_last_sync_timestamp_seconds{job=\"external-dns\",instance=\"b\"}";
    let registry = "external_dns_registry_errors_total{job=\"external-dns\",instance=\"b\"}";
    let source = "external_dns_source_errors_total{job=\"external-dns\",instance=\"b\"}";
    let rows = |stamp: &str, errors: &str| {
        vec![
            (sync.to_owned(), stamp.to_owned()),
            (registry.to_owned(), errors.to_owned()),
            (source.to_owned(), String::from("0x140")),
        ]
    };
    vec![
        test("ExternalDNS works", rows("0+60x100", "7x100"), vec![firing("60m", &[])]),
        test(
            "ExternalDNS does not synchronise",
            rows("0x70 4260+60x60", "7x140"),
            vec![
                firing("20m", &[]),
                firing("60m", &[("ExternalDNSSyncStale", "warning", 1)]),
                firing("120m", &[]),
            ],
        ),
        test(
            "ExternalDNS counts errors",
            rows("0+60x140", "0+1x70 70x70"),
            vec![
                firing("10m", &[]),
                firing("60m", &[("ExternalDNSErrors", "warning", 1)]),
                firing("120m", &[]),
            ],
        ),
    ]
}

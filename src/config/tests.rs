use super::*;
use crate::model::ZoneId;
use serde_json::json;

fn mistakes(value: &Value) -> Vec<String> {
    match Config::from_value(value) {
        Err(ConfigError::Mistakes { mistakes: all, .. }) => all.iter().map(ToString::to_string).collect(),
        other => panic!("no mistakes in {value}: {other:?}"),
    }
}

#[test]
fn all_mistakes_at_once() {
    let value = json!({
        "intervall": "60s",
        "route53": {"requests_per_second": 9},
        "dns": {"resolvers": [{"address": "8.8.8.8", "view": "vpc"}, {"view": "public"}], "server_map": ["x"]},
        "windows": {"sync_floor": "soon", "blind_cycles": 0},
        "kubernetes": 3,
        "maintenance": [{"from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}],
    });
    assert_eq!(
        mistakes(&value),
        [
            "dns.resolvers[0].view: \"vpc\" is neither public nor one of views",
            "dns.resolvers[1].address: is required",
            "dns.server_map[0]: \"x\": server map \"x\": expected NAME=ADDRESS[:PORT], *=ADDRESS, \
             parent=ADDRESS or parent:ZONE=ADDRESS",
            "intervall: unknown key; did you mean interval?",
            "kubernetes: expected a mapping, found a number",
            "maintenance[0].until: must be after from",
            "route53.requests_per_second: 9 must be above 0 and at most 5",
            "windows.blind_cycles: must be at least 1",
            "windows.sync_floor: \"soon\" is no duration like 90s, 5m or 1h30m",
        ]
    );
    let shown = Config::from_value(&value).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(shown.starts_with("configuration: 9 mistakes\n  dns.resolvers[0]"), "{shown}");
}

#[test]
fn the_keys_of_recordings() {
    let value = json!({
        "views": [{"name": "vpc", "vpc_id": "vpc-1", "resolves_public": true}, {"name": "cluster", "internal": true}],
        "inventory": {"complete": true, "addresses": ["203.0.113.10"]},
        "leftovers": {"scope": "zone"},
        "maintenance": [{"instance": "gke-prod", "from": "2026-11-23T09:00:00Z", "until": "2026-11-23T11:00:00Z"}],
        "zones": [{"id": "/hostedzone/Z1", "public_dns_fallback": true}],
    });
    let policy = Config::from_value(&value).expect("valid").policy();
    assert_eq!(policy.view("vpc").and_then(|view| view.vpc_id.as_deref()), Some("vpc-1"));
    assert!(policy.view("cluster").is_some_and(|view| view.internal));
    assert!(policy.leftovers_in_zone);
    assert!(policy.zones[&ZoneId::new("Z1")].public_dns_fallback);
    assert_eq!(policy.inventory.as_ref().map(|all| (all.complete, all.addresses.len())), Some((true, 1)));
    let period = policy.maintenance.first().expect("a period");
    assert_eq!(period.instance.as_deref(), Some("gke-prod"));
    assert_eq!(period.until, "2026-11-23T11:00:00Z".parse().unwrap());
}

#[test]
fn accounts_and_filters_of_zones() {
    let value = json!({"route53": {
        "requests_per_second": 3,
        "zone_names": ["example.com"], "zone_tags": ["team=web", "prod"], "zone_type": "public",
        "accounts": [
            {"role_arn": "arn:aws:iam::111122223333:role/dns-drift", "external_id": "x"},
            {"requests_per_second": 1},
        ],
    }});
    let route53 = Config::from_value(&value).expect("valid").route53;
    assert_eq!((route53.filter.names.len(), route53.filter.tags.len()), (1, 2));
    assert_eq!(route53.filter.private, Some(false));
    let rates: Vec<f64> = route53.accounts.iter().map(|account| account.requests_per_second).collect();
    assert_eq!(format!("{rates:?}"), "[3.0, 1.0]", "the common rate is the default of each account");
    let value = json!({"route53": {
        "zone_type": "secret",
        "accounts": [{"external_id": "x"}, {"role_arn": "dns-drift"}, {"requests_per_second": 6}],
    }});
    assert_eq!(
        mistakes(&value),
        [
            "route53.accounts: \"default\" is there twice",
            "route53.accounts[0].external_id: needs a role_arn",
            "route53.accounts[1].role_arn: \"dns-drift\" is no arn:aws:iam::ACCOUNT:role/NAME",
            "route53.accounts[2].requests_per_second: 6 must be above 0 and at most 5",
            "route53.zone_type: \"secret\" must be public or private",
        ]
    );
}

#[test]
fn what_is_effective_reads_back_the_same() {
    let config = Config::load(
        None,
        vec![
            ("route53.endpoint_url", json!("http://user:pass@127.0.0.1:1/x")),
            (
                "external_dns.args",
                json!([
                    "--source=ingress",
                    "--txt-encrypt-aes-key=hunter2",
                    "--txt-encrypt-aes-key",
                    "hunter2"
                ]),
            ),
            ("interval", json!("2m")),
        ],
    )
    .expect("valid");
    let yaml = config.effective_yaml();
    assert!(!yaml.contains("hunter2") && !yaml.contains("pass"), "{yaml}");
    let again: Value = serde_saphyr::from_str(&yaml).expect("YAML");
    let again = Config::from_value(&again).expect("valid");
    assert_eq!(again.policy(), config.policy());
    assert_eq!(again.policy().interval, Duration::from_mins(2));
    assert_eq!(again.effective_yaml(), yaml);
    assert_eq!(
        config.policy(),
        Policy { interval: Duration::from_mins(2), views: config.policy().views, ..Policy::default() }
    );
}

#[test]
fn shards_and_elections() {
    let value = |shard: &str, pod: Option<&str>| {
        Config::from_value(&json!({"sharding": {"shard": shard, "split_zones": ["Z1"]}, "pod_name": pod}))
    };
    let shown = |config: Config| config.shard.map(|shard| shard.to_string());
    assert_eq!(value("1/3", None).ok().and_then(shown), Some("1/3".to_owned()));
    let config = value("auto/3", Some("dns-drift-2")).expect("valid");
    assert!(config.policy().shard.is_some());
    assert!(config.effective_yaml().contains("shard: 2/3"), "{}", config.effective_yaml());
    assert_eq!(
        mistakes(&json!({"sharding": {"shard": "auto/3"}})),
        ["sharding.shard: auto needs pod_name (POD_NAME)"]
    );
    assert_eq!(
        mistakes(&json!({"sharding": {"shard": "3/3"}})),
        ["sharding.shard: \"3/3\": shard 3 is not below the total of 3: the first one is 0"]
    );
    let elects = Config::from_value(&json!({"leader_election": {"enabled": true}})).expect("valid");
    assert_eq!(elects.leader_election.map(|one| one.lease_name), Some("dns-drift".to_owned()));
    let quiet = Config::from_value(&json!({"leader_election": {"lease_name": "x"}})).expect("valid");
    assert_eq!(quiet.leader_election, None);
}

#[test]
fn rules_that_mute() {
    let rules = |rows: Value| Config::from_value(&json!({"mutes": rows}));
    let config = rules(json!([
        {"name": "*.Dev.example.com.", "kind": "missing_record", "until": "2026-12-01T00:00:00Z", "reason": "moving"},
        {"namespace": "lab", "kind": "all"},
    ]))
    .expect("valid");
    let policy = config.policy();
    let first = policy.mutes.first().expect("a rule");
    assert!(first.name.as_ref().is_some_and(|name| name.matches("a.b.dev.example.com")));
    assert!(first.name.as_ref().is_some_and(|name| !name.matches("dev.example.com")));
    assert_eq!(policy.mutes.get(1).and_then(|rule| rule.kind), None);
    let shown = config.verdict_keys();
    assert_eq!(Config::from_value(&shown).expect("valid").policy(), policy);
    assert_eq!(
        mistakes(
            &json!({"mutes": [{"kind": "mising"}, {"until": "soon", "name": "x"}, {"reason": "all of it"}]})
        ),
        [
            "mutes[0].kind: \"mising\" is no kind of finding",
            "mutes[1].until: \"soon\": failed to parse four digit integer as year: invalid digit, expected 0-9 but \
             got s",
            "mutes[2].name: a rule needs a name, a namespace or a kind; else it would mute everything",
        ]
    );
}

//! The command line as ExternalDNS' own parser reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::desired::flags::references;

/// Switches: no value, or `=true`, `=false`, or `--no-` in front. A few count only for other
/// clouds; they must be known all the same, so that the next argument is not taken for a value.
const SWITCHES: &[&str] = &[
    "always-publish-not-ready-addresses",
    "aws-evaluate-target-health",
    "aws-prefer-cname",
    "aws-sd-service-cleanup",
    "aws-zone-match-parent",
    "combine-fqdn-annotation",
    "create-ptr",
    "dry-run",
    "enable-legacy-annotation-prefix",
    "events",
    "exclude-unschedulable",
    "expose-internal-ipv6",
    "force-default-targets",
    "gateway-listener-sets",
    "ignore-hostname-annotation",
    "ignore-ingress-rules-spec",
    "ignore-ingress-tls-spec",
    "ignore-non-host-network-pods",
    "once",
    "prefer-alias",
    "publish-host-ip",
    "publish-internal-services",
    "resolve-service-load-balancer-hostname",
    "traefik-disable-legacy",
    "traefik-disable-new",
    "traefik-enable-legacy",
    "txt-encrypt-enabled",
    "txt-new-format-only",
];

/// Flags with a value. Those that change no record are known too: nobody should wonder about them.
const VALUED: &[&str] = &[
    "annotation-filter",
    "annotation-prefix",
    "aws-api-retries",
    "aws-assume-role",
    "aws-assume-role-external-id",
    "aws-batch-change-interval",
    "aws-batch-change-size",
    "aws-batch-change-size-bytes",
    "aws-batch-change-size-values",
    "aws-dynamodb-region",
    "aws-dynamodb-table",
    "aws-profile",
    "aws-zone-tags",
    "aws-zone-type",
    "aws-zones-cache-duration",
    "compatibility",
    "connector-source-server",
    "crd-source-apiversion",
    "crd-source-kind",
    "default-targets",
    "domain-filter",
    "dynamodb-region",
    "dynamodb-table",
    "events-emit",
    "exclude-domains",
    "exclude-record-types",
    "exclude-target-net",
    "fqdn-target-template",
    "fqdn-template",
    "gateway-label-filter",
    "gateway-name",
    "gateway-namespace",
    "ingress-class",
    "interval",
    "kubeconfig",
    "label-filter",
    "log-format",
    "log-level",
    "managed-record-types",
    "metrics-address",
    "migrate-from-txt-owner",
    "min-event-sync-interval",
    "min-ttl",
    "namespace",
    "nat64-networks",
    "openshift-router-name",
    "pod-source-domain",
    "policy",
    "provider",
    "provider-cache-time",
    "regex-domain-exclusion",
    "regex-domain-filter",
    "registry",
    "request-timeout",
    "server",
    "service-type-filter",
    "source",
    "target-net-filter",
    "target-template",
    "txt-cache-interval",
    "txt-encrypt-aes-key",
    "txt-owner-id",
    "txt-prefix",
    "txt-suffix",
    "txt-wildcard-replacement",
    "unstructured-resource",
    "zone-id-filter",
    "zone-name-filter",
];

/// Environment variables of ExternalDNS start so.
const ENV_PREFIX: &str = "EXTERNAL_DNS_";

/// What was given, by flag name without dashes. Each reader takes its flag.
#[derive(Debug, Default)]
pub(super) struct Given {
    values: BTreeMap<&'static str, Vec<String>>,
    unknown: Vec<String>,
}

impl Given {
    /// Reads the command line, then fills in from the environment what it does not name.
    pub(super) fn read(args: &[String], env: &BTreeMap<String, String>) -> Self {
        let mut given = Self::default();
        let mut rest = args.iter().peekable();
        while let Some(arg) = rest.next() {
            let Some(flag) = arg.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
                given.unknown.push(arg.clone());
                continue;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            let value = match value {
                None if known(VALUED, name).is_some() => {
                    rest.next_if(|next| !next.starts_with("--")).cloned()
                }
                value => value,
            };
            if !given.accept(name, value) {
                given.unknown.push(arg.clone());
            }
        }
        given.fill_from(env);
        given
    }

    fn accept(&mut self, name: &str, value: Option<String>) -> bool {
        let (name, value) = if let Some(name) = known(VALUED, name) {
            (name, value)
        } else if let Some(name) = known(SWITCHES, name) {
            (name, Some(value.unwrap_or_else(|| "true".to_owned())))
        } else if let Some(name) = name.strip_prefix("no-").and_then(|name| known(SWITCHES, name)) {
            (name, Some("false".to_owned()))
        } else {
            return false;
        };
        match value {
            Some(value) => self.values.entry(name).or_default().push(value),
            None => return false,
        }
        true
    }

    fn fill_from(&mut self, env: &BTreeMap<String, String>) {
        for name in VALUED.iter().chain(SWITCHES) {
            let variable = format!("{ENV_PREFIX}{}", name.replace('-', "_").to_ascii_uppercase());
            if let Some(value) = env.get(&variable)
                && !self.values.contains_key(name)
            {
                let lines = value.lines().map(str::to_owned).filter(|line| !line.is_empty());
                self.values.insert(name, lines.collect());
            }
        }
    }

    /// Drops the flags whose value hangs on a variable that the object does not tell; sorted.
    pub(super) fn take_untold(&mut self, env: &BTreeMap<String, String>) -> Vec<&'static str> {
        let is_untold = |name: &str| env.get(name).is_some_and(|value| *value == format!("$({name})"));
        let hangs = |values: &Vec<String>| values.iter().any(|value| references(value).any(is_untold));
        self.values.extract_if(.., |_, values| hangs(values)).map(|(name, _)| name).collect()
    }

    /// All values, in order.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        // A flag that is read but in no table would always show its default.
        debug_assert!(known(VALUED, name).or(known(SWITCHES, name)).is_some(), "{name} is in a table");
        self.values.remove(name).unwrap_or_default()
    }

    /// The last value; `None` when not given.
    pub(super) fn optional(&mut self, name: &str) -> Option<String> {
        self.list(name).pop()
    }

    /// The last value; empty when not given.
    pub(super) fn text(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_default()
    }

    /// A switch; `default` when not given.
    pub(super) fn switch(&mut self, name: &str, default: bool) -> bool {
        self.typed(name, go_bool).unwrap_or(default)
    }

    /// A length of time; `default` when not given.
    pub(super) fn duration(&mut self, name: &str, default: Duration) -> Duration {
        self.typed(name, go_duration).unwrap_or(default)
    }

    /// A number; `default` when not given.
    pub(super) fn number(&mut self, name: &str, default: u32) -> u32 {
        self.typed(name, |text| text.parse().ok()).unwrap_or(default)
    }

    fn typed<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.optional(name)?;
        let value = read(&text);
        if value.is_none() {
            self.unknown.push(format!("--{name}={text}"));
        }
        value
    }

    /// Arguments that were not understood, in order.
    pub(super) fn into_unknown(self) -> Vec<String> {
        self.unknown
    }
}

fn known(table: &[&'static str], name: &str) -> Option<&'static str> {
    table.iter().copied().find(|known| *known == name)
}

/// Source: Go strconv.ParseBool.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Reads `1m`, `1h30m`, `1.5s`, `500ms`, and a bare number as seconds. `None` also for a negative
/// one. Source: Go time.ParseDuration.
pub(super) fn go_duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    if text.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let (unit, tail) =
            tail.split_at_checked(tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len()))?;
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let seconds = number.parse::<f64>().ok()? * scale;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = tail;
    }
    Some(total)
}

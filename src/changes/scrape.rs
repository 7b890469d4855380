//! The metrics of ExternalDNS about its own loop, in the names of every version.
//!
//! Only a handful of samples matter, so the text is read line by line and everything else is
//! skipped; the parsers of the registry bring a second time library or a grammar of their own.
//! Source: kubernetes-sigs/external-dns:docs/monitoring/metrics.md and the releases before it.

pub mod live;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::limits::MAX_SCRAPE;
use crate::model::change::ControllerMetrics;

/// Reads an exposition. Total: what is missing or odd stays `None`.
#[must_use]
pub fn read(text: &str, namespace: &Arc<str>, pod: &Arc<str>, at: Timestamp) -> ControllerMetrics {
    let mut metrics = ControllerMetrics {
        namespace: Arc::clone(namespace),
        pod: Arc::clone(pod),
        at,
        last_sync: None,
        last_reconcile: None,
        soft_errors: None,
        registry_errors: None,
        source_errors: None,
        errors_grew_at: None,
        owner_mismatches: None,
        version: None,
        started_at: None,
    };
    let end = (0..=MAX_SCRAPE.min(text.len())).rev().find(|index| text.is_char_boundary(*index));
    for line in text.get(..end.unwrap_or(0)).unwrap_or_default().lines() {
        if let Some((name, labels, value)) = sample(line) {
            take(&mut metrics, name, labels, value);
        }
    }
    metrics
}

fn take(metrics: &mut ControllerMetrics, name: &str, labels: &str, value: f64) {
    // Up to v0.18 the error counters also stood without the prefix.
    let name = name.strip_prefix("external_dns_").unwrap_or(name);
    match name {
        "controller_last_sync_timestamp_seconds" => metrics.last_sync = time(value),
        "controller_last_reconcile_timestamp_seconds" => metrics.last_reconcile = time(value),
        "controller_consecutive_soft_errors" => metrics.soft_errors = whole(value),
        "registry_errors_total" => metrics.registry_errors = metrics.registry_errors.max(whole(value)),
        "source_errors_total" => metrics.source_errors = metrics.source_errors.max(whole(value)),
        "registry_skipped_records_owner_mismatch_per_sync" => {
            let sum = metrics.owner_mismatches.unwrap_or(0).saturating_add(whole(value).unwrap_or(0));
            metrics.owner_mismatches = Some(sum);
        }
        "build_info" => metrics.version = label(labels, "version").and_then(|text| text.parse().ok()),
        "process_start_time_seconds" => metrics.started_at = time(value),
        _other => {}
    }
}

/// `name{labels} value [timestamp]`.
fn sample(line: &str) -> Option<(&str, &str, f64)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, labels, rest) = if let Some((name, rest)) = line.split_once('{') {
        // A label value may hold a closing brace: the last one ends the labels.
        let (labels, rest) = rest.rsplit_once('}')?;
        (name, labels, rest)
    } else {
        let (name, rest) = line.split_once(char::is_whitespace)?;
        (name, "", rest)
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some((name.trim(), labels, value))
}

/// The value of a label; none of those that are asked for holds an escape.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let mark = format!("{name}=\"");
    let start = labels.match_indices(mark.as_str()).find(|(index, _)| {
        *index == 0 || labels.get(..*index).is_some_and(|head| head.ends_with([',', ' ']))
    });
    let (index, _) = start?;
    labels.get(index + mark.len()..)?.split('"').next()
}

/// A gauge that was never set is 0.
fn time(seconds: f64) -> Option<Timestamp> {
    let positive = Some(seconds).filter(|seconds| seconds.is_finite() && 0.0 < *seconds)?;
    Timestamp::from_duration(SignedDuration::try_from_secs_f64(positive).ok()?).ok()
}

/// Exact for every count below 2^53; the text form needs no cast.
fn whole(value: f64) -> Option<u64> {
    (value.is_finite() && 0.0 <= value).then(|| format!("{value:.0}").parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Version;
    use proptest::prelude::*;

    fn read_text(text: &str) -> ControllerMetrics {
        read(text, &"dns".into(), &"edns-1".into(), Timestamp::UNIX_EPOCH)
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn v0_14() {
        let metrics = read_text(
            "# HELP external_dns_controller_last_sync_timestamp_seconds Timestamp of last successful sync\n\
             external_dns_controller_last_sync_timestamp_seconds 1.795342e+09\n\
             external_dns_controller_last_reconcile_timestamp_seconds 1.79542738e+09\n\
             external_dns_registry_errors_total 1430\nregistry_errors_total 1430\n\
             external_dns_source_errors_total 0\nprocess_start_time_seconds 1.79499600012e+09\n",
        );
        assert_eq!(metrics.last_sync, Some(at("2026-11-22T10:06:40Z")));
        assert_eq!(metrics.last_reconcile, Some(at("2026-11-23T09:49:40Z")));
        assert_eq!((metrics.registry_errors, metrics.source_errors), (Some(1430), Some(0)));
        assert_eq!((metrics.soft_errors, metrics.version), (None, None));
        assert_eq!(metrics.started_at.map(Timestamp::as_second), Some(1_794_996_000));
    }

    #[test]
    fn v0_22_and_v0_7() {
        let metrics = read_text(
            "external_dns_build_info{arch=\"amd64\",go_version=\"go1.26\",os=\"linux\",revision=\"x\",version=\"v0.22.0\"} 1\n\
             external_dns_controller_consecutive_soft_errors 3 1795342000000\n\
             external_dns_controller_last_sync_timestamp_seconds 0\n\
             external_dns_registry_skipped_records_owner_mismatch_per_sync{domain=\"a}b\",owner=\"x\"} 2\n\
             external_dns_registry_skipped_records_owner_mismatch_per_sync{domain=\"c\",owner=\"x\"} 1\n",
        );
        assert_eq!(metrics.version, Some(Version::new(0, 22, 0)));
        assert_eq!(
            (metrics.soft_errors, metrics.owner_mismatches, metrics.last_sync),
            (Some(3), Some(3), None)
        );
        let old =
            read_text("source_errors_total 7\nexternal_dns_controller_last_sync_timestamp_seconds NaN\n");
        assert_eq!((old.source_errors, old.last_sync, old.last_reconcile), (Some(7), None, None));
        assert_eq!(read_text("<html>not found</html>"), read_text(""));
    }

    proptest! {
        #[test]
        fn never_panics(text in "(external_dns_|registry_errors_total |build_info\\{version=\"|[{}\" ,=\n]|-?[0-9]{1,30}(\\.[0-9])?(e[0-9]{1,3})?|\\PC){0,40}") {
            read_text(&text);
        }
    }
}

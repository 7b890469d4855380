//! What a scrape of the metrics of ExternalDNS tells. Pure.

use jiff::Timestamp;

/// From v0.14.0: the start of the last reconcile. It stands still in a process that hangs.
const LAST_RECONCILE: &str = "external_dns_controller_last_reconcile_timestamp_seconds";

/// When the last reconcile began; `None` when the scrape does not tell it.
#[must_use]
pub fn last_reconcile(exposition: &str) -> Option<Timestamp> {
    let line = exposition.lines().find_map(|line| {
        let rest = line.trim().strip_prefix(LAST_RECONCILE)?;
        let rest = rest.strip_prefix('{').map_or(Some(rest), |labels| Some(labels.split_once('}')?.1))?;
        rest.starts_with(' ').then_some(rest)
    })?;
    let value: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    // Before the first reconcile the gauge is 0.
    let seconds: i64 = format!("{value:.0}").parse().ok().filter(|seconds| 0 < *seconds)?;
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauge_in_every_spelling() {
        let at = Some(Timestamp::from_second(1_795_427_980).expect("time"));
        let name = LAST_RECONCILE;
        assert_eq!(last_reconcile(&format!("# TYPE {name} gauge\n{name} 1.79542798e+09\n")), at);
        assert_eq!(last_reconcile(&format!("{name}{{a=\"b\"}} 1795427980 1\n")), at);
        for text in ["", &format!("{name} 0"), &format!("{name} NaN"), &format!("{name}_total 5")] {
            assert_eq!(last_reconcile(text), None, "{text}");
        }
    }
}

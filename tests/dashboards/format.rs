//! Numbers and legends as Grafana writes them, near enough.

use regex::Regex;
use serde_json::Value as Json;

/// A value with its unit.
pub(crate) fn shown(value: f64, unit: &str) -> String {
    if value.is_nan() {
        return String::from("-");
    }
    match unit {
        "s" => duration(value),
        "percentunit" => format!("{} %", digits(value * 100.0)),
        "reqps" => format!("{} req/s", digits(value)),
        "cps" => format!("{} c/s", digits(value)),
        "bytes" => scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"]),
        "dateTimeFromNow" => format!("{} ago", duration((now() - value / 1000.0).max(0.0))),
        "short" | "none" => scaled(value, 1000.0, &["", "K", "M", "G"]).trim_end().to_owned(),
        other => panic!("{other} is written nowhere yet"),
    }
}

/// `{{label}}` replaced by the value of the label, as in a legend of Grafana.
pub(crate) fn legend(template: &str, metric: &Json) -> String {
    let place = Regex::new(r"\{\{(\w+)\}\}").unwrap();
    let label = |found: &regex::Captures<'_>| metric[&found[1]].as_str().unwrap_or_default().to_owned();
    let text = place.replace_all(template, label);
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

fn now() -> f64 {
    dns_drift::clock::Clock::now(&dns_drift::clock::SystemClock).as_duration().as_secs_f64()
}

fn duration(seconds: f64) -> String {
    for (length, unit) in [(86_400.0, "days"), (3_600.0, "hours"), (60.0, "min")] {
        if length <= seconds {
            return format!("{} {unit}", digits(seconds / length));
        }
    }
    if seconds < 1.0 && 0.0 < seconds {
        format!("{:.0} ms", seconds * 1000.0)
    } else {
        format!("{} s", digits(seconds))
    }
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut rest = value;
    let mut units = units.iter();
    let mut unit = units.next().unwrap();
    while step <= rest.abs() {
        let Some(next) = units.next() else { break };
        (rest, unit) = (rest / step, next);
    }
    format!("{} {unit}", digits(rest))
}

/// Three digits at most, without zeros behind.
fn digits(value: f64) -> String {
    let text = match value.abs() {
        size if 100.0 <= size => format!("{value:.0}"),
        size if 10.0 <= size => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[test]
fn values_are_written_as_people_read_them() {
    for (value, unit, expected) in [
        (0.0, "short", "0"),
        (1234.0, "short", "1.23 K"),
        (0.25, "s", "250 ms"),
        (90.0, "s", "1.5 min"),
        (0.9944, "percentunit", "99.4 %"),
        (3.5 * 1024.0 * 1024.0, "bytes", "3.5 MiB"),
        (f64::NAN, "short", "-"),
    ] {
        assert_eq!(shown(value, unit), expected);
    }
    let metric = serde_json::json!({"zone": "example.com"});
    assert_eq!(legend("{{zone}} {{zone_id}} refused", &metric), "example.com refused");
}

//! Go's duration syntax, as in flags and TTL annotations. Pure.
//!
//! Source: Go standard library, `time.ParseDuration`.

use std::time::Duration;

/// Reads `60s`, `1h30m`, `1.5s`, `500ms`; `None` for anything else, a bare number or a negative
/// duration included (`0` alone is valid in Go).
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let unit =
            tail.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(tail.len());
        let (unit, next) = tail.split_at_checked(unit)?;
        total += number.parse::<f64>().ok()? * seconds_of(unit)?;
        rest = next;
    }
    Duration::try_from_secs_f64(total).ok()
}

fn seconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(parse(text).map(|duration| duration.as_secs()), expected, "{text:?}");
        };
        check("1m", Some(60));
        check("1h30m", Some(5400));
        check("1m0s", Some(60));
        check("0", Some(0));
        check("60", None);
        check("", None);
        check("1x", None);
        check("s", None);
        check("-1m", None);
        check("99999999999999999999h", None);
    }
}

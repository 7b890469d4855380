//! The two text formats of `/metrics`, and which one a client gets.
//!
//! The encoder writes OpenMetrics 1.0. Browsers, curl and `promtool check metrics` want the
//! classic format, so that one is translated from it.

use std::fmt;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format 0.0.4 of Prometheus.
    Classic,
}

// === impl Format ===

impl Format {
    /// What to send for an `Accept` header: OpenMetrics to those who name it, else classic.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        let names_it = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let refused = parts.filter_map(|part| part.strip_prefix("q=")).any(is_zero);
            media.eq_ignore_ascii_case("application/openmetrics-text") && !refused
        };
        if accept.split(',').any(names_it) { Self::OpenMetrics } else { Self::Classic }
    }

    /// The exact content type. Prometheus 3 refuses a body without a right one.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Everything that is registered, as text.
    ///
    /// # Errors
    ///
    /// Only when a collector fails, and ours do not.
    pub fn encode(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut body = String::with_capacity(64 * 1024);
        text::encode(&mut body, registry)?;
        Ok(match self {
            Self::OpenMetrics => body,
            Self::Classic => classic(&body),
        })
    }
}

fn is_zero(quality: &str) -> bool {
    quality.parse::<f32>().is_ok_and(|value| value <= 0.0)
}

/// Translates our OpenMetrics text into the classic format.
///
/// Samples are the same in both, without the exemplars (we write no time stamps). The classic format
/// names a family with the suffix of its samples, knows no `info`, no units and no end mark.
#[must_use]
pub fn classic(openmetrics: &str) -> String {
    let mut out = String::with_capacity(openmetrics.len());
    let mut help = "";
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            push_head(&mut out, rest, help);
        } else if !line.starts_with("# ") {
            push(&mut out, &[without_exemplar(line), "\n"]);
        }
    }
    out
}

/// `help` is `name text`, `kind` is `name type`.
fn push_head(out: &mut String, kind: &str, help: &str) {
    let (name, kind) = kind.split_once(' ').unwrap_or((kind, "unknown"));
    let (suffix, kind) = match kind {
        "counter" => ("_total", kind),
        "info" => ("_info", "gauge"),
        "unknown" => ("", "untyped"),
        _ => ("", kind),
    };
    let help = help.strip_prefix(name).unwrap_or_default();
    push(out, &["# HELP ", name, suffix, help, "\n# TYPE ", name, suffix, " ", kind, "\n"]);
}

/// A sample ends where ` # ` begins outside of a label value.
fn without_exemplar(line: &str) -> &str {
    // Nearly all lines have none.
    if !line.contains(" # ") {
        return line;
    }
    let (mut quoted, mut escaped) = (false, false);
    let end = line.char_indices().find(|(at, character)| {
        let ends = !quoted && line.get(*at..).is_some_and(|rest| rest.starts_with(" # "));
        quoted ^= *character == '"' && !escaped;
        escaped = *character == '\\' && !escaped;
        ends
    });
    end.and_then(|(at, _)| line.get(..at)).unwrap_or(line)
}

fn push(out: &mut String, parts: &[&str]) {
    out.extend(parts.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_who_name_openmetrics_get_it() {
        let check =
            |accept: &str, expected: Format| assert_eq!(Format::accepted(accept), expected, "{accept}");
        check("", Format::Classic);
        check("*/*", Format::Classic);
        check("text/html,application/xhtml+xml,*/*;q=0.8", Format::Classic);
        check("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", Format::OpenMetrics);
        check(
            "text/plain;version=0.0.4;q=0.3, Application/OpenMetrics-Text; version=1.0.0; q=0.6",
            Format::OpenMetrics,
        );
        check("application/openmetrics-text;q=0,text/plain", Format::Classic);
        check("application/openmetrics-text;q=0.0", Format::Classic);
    }

    #[test]
    fn translates_heads_and_keeps_samples() {
        let openmetrics = "# HELP a Counts.\n# TYPE a counter\na_total{x=\"# HELP\"} 1\n\
                           # HELP h_seconds Takes.\n# TYPE h_seconds histogram\n\
                           h_seconds_bucket{le=\"1.0\"} 1 # {name=\"a # b\"} 0.5\nd{x=\"\\\" # \"} 1\n\
                           # HELP b Tells.\n# TYPE b info\nb_info{} 1\n\
                           # HELP c_seconds Waits.\n# TYPE c_seconds gauge\n# UNIT c_seconds seconds\n\
                           c_seconds 1.5\n# EOF\n";
        let expected = "# HELP a_total Counts.\n# TYPE a_total counter\na_total{x=\"# HELP\"} 1\n\
                        # HELP h_seconds Takes.\n# TYPE h_seconds histogram\n\
                        h_seconds_bucket{le=\"1.0\"} 1\nd{x=\"\\\" # \"} 1\n\
                        # HELP b_info Tells.\n# TYPE b_info gauge\nb_info{} 1\n\
                        # HELP c_seconds Waits.\n# TYPE c_seconds gauge\nc_seconds 1.5\n";
        assert_eq!(classic(openmetrics), expected);
    }
}

//! One line of a container log, taken apart.
//!
//! ExternalDNS writes with logrus, as text (`time="..." level=info msg="..." zoneID=...`) or as
//! JSON. Before that the line may have passed `kubectl logs --timestamps` (an RFC 3339 prefix), a
//! container runtime (`<time> stderr F `) or Docker (`{"log": ...}`). A line of any other shape,
//! such as a panic, is all message. Source: `sirupsen/logrus:text_formatter.go`.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use crate::limits::MAX_LOG_LINE;
use crate::model::{DomainName, ZoneId};

/// Longest RFC 3339 time that is tried: nanoseconds and a numeric offset.
const MAX_TIME: usize = 40;

/// A line and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The time in the line, else the one before it; `None` when it tells neither.
    pub at: Option<Timestamp>,
    /// `None` when the line tells none.
    pub level: Option<Level>,
    /// The message, unquoted. It may hold newlines and anything else.
    pub message: Cow<'a, str>,
    /// Field `zoneID` (from v0.15.0).
    pub zone_id: Option<ZoneId>,
    /// Field `zoneName` (from v0.15.0).
    pub zone_name: Option<DomainName>,
    /// Field `profile` (from v0.15.0), the AWS profile.
    pub profile: Option<Cow<'a, str>>,
    /// True if the line is longer than [`MAX_LOG_LINE`] and its end was dropped.
    pub oversize: bool,
}

/// How serious the writer takes it. Order: the last one is the gravest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `trace` and `debug`.
    Debug,
    /// `info`.
    Info,
    /// `warning`.
    Warning,
    /// `error`.
    Error,
    /// `fatal` and `panic`: the process ends.
    Fatal,
}

/// The keys of logrus' JSON format. Anything else, or of another type, is not ours.
#[derive(Deserialize)]
struct JsonLine<'a> {
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
    #[serde(borrow)]
    level: Option<Cow<'a, str>>,
    #[serde(borrow)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "zoneID")]
    zone_id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "zoneName")]
    zone_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    profile: Option<Cow<'a, str>>,
}

/// Docker's json-file log driver wraps each line.
#[derive(Deserialize)]
struct DockerLine {
    log: String,
    time: Option<String>,
}

/// Takes a line apart. Total: what has no known shape is all message.
#[must_use]
pub fn read(line: &str) -> LogLine<'_> {
    let (line, oversize) = bound(line);
    let (prefix_at, body) = split_prefix(line);
    let mut parts = if body.starts_with('{') { read_json(body) } else { read_text(body) }
        .unwrap_or_else(|| LogLine::bare(Cow::Borrowed(body)));
    parts.at = parts.at.or(prefix_at);
    parts.oversize = oversize;
    parts
}

/// The time that `kubectl logs --timestamps` or the container runtime put before the line, and
/// the line without it.
#[must_use]
pub fn split_prefix(line: &str) -> (Option<Timestamp>, &str) {
    let Some((head, rest)) = line.split_once(' ') else {
        return (None, line);
    };
    let Some(at) = read_time(head) else {
        return (None, line);
    };
    let tags = ["stderr F ", "stdout F ", "stderr P ", "stdout P "];
    (Some(at), tags.iter().find_map(|tag| rest.strip_prefix(tag)).unwrap_or(rest))
}

fn read_time(text: &str) -> Option<Timestamp> {
    // The cheap look first: most words of most lines are no time.
    let dated = text.len() <= MAX_TIME && text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    dated.then(|| text.parse().ok()).flatten()
}

/// Cuts off line ends and whatever lies behind the bound.
fn bound(line: &str) -> (&str, bool) {
    let oversize = MAX_LOG_LINE < line.len();
    let end = if oversize {
        (0..=MAX_LOG_LINE).rev().find(|index| line.is_char_boundary(*index)).unwrap_or(0)
    } else {
        line.len()
    };
    (line.get(..end).unwrap_or_default().trim_end_matches(['\r', '\n']), oversize)
}

fn read_json(body: &str) -> Option<LogLine<'_>> {
    if let Some(line) = read_logrus(body) {
        return Some(line);
    }
    let DockerLine { log, time } = serde_json::from_str(body).ok()?;
    let inner = log.trim_end_matches(['\r', '\n']);
    let parts = if inner.starts_with('{') { read_logrus(inner) } else { read_text(inner) };
    let mut parts = parts.unwrap_or_else(|| LogLine::bare(Cow::Borrowed(inner))).into_owned();
    parts.at = parts.at.or_else(|| read_time(&time?));
    Some(parts)
}

/// Reads a line of `--log-format=json`; `None` for any other object.
fn read_logrus(body: &str) -> Option<LogLine<'_>> {
    let Ok(JsonLine { msg: Some(message), level, time, zone_id, zone_name, profile }) =
        serde_json::from_str(body)
    else {
        return None;
    };
    Some(LogLine {
        at: time.and_then(|text| read_time(&text)),
        level: level.and_then(|text| Level::from_word(&text)),
        message,
        zone_id: zone_id.and_then(|text| read_zone_id(&text)),
        zone_name: zone_name.map(|text| DomainName::from_route53(&text)),
        profile,
        oversize: false,
    })
}

/// Reads `key=value key="value" ...`; `None` unless it is a line of logrus.
fn read_text(body: &str) -> Option<LogLine<'_>> {
    if !["time=", "level=", "msg="].iter().any(|key| body.starts_with(key)) {
        return None;
    }
    let mut parts = LogLine::bare(Cow::Borrowed(""));
    let mut has_message = false;
    let mut rest = body;
    while let Some((key, tail)) = rest.trim_start().split_once('=') {
        let (value, tail) = read_value(tail);
        rest = tail;
        match key {
            "time" => parts.at = read_time(&value),
            "level" => parts.level = Level::from_word(&value),
            // A field of the same name cannot follow: logrus renames it to fields.msg.
            "msg" if !has_message => {
                parts.message = value;
                has_message = true;
            }
            "zoneID" => parts.zone_id = read_zone_id(&value),
            "zoneName" => parts.zone_name = Some(DomainName::from_route53(&value)),
            "profile" => parts.profile = Some(value),
            _other_field => {}
        }
    }
    has_message.then_some(parts)
}

fn read_zone_id(text: &str) -> Option<ZoneId> {
    let bounded = !text.is_empty() && text.len() <= 100;
    bounded.then(|| ZoneId::new(text)).filter(|id| !id.as_str().is_empty())
}

/// One value and what follows it. A quoted value without an end (a cut line) ends with the line.
fn read_value(text: &str) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(' ').unwrap_or((text, ""));
        return (Cow::Borrowed(value), rest);
    };
    let mut escaped = false;
    let mut any_escape = false;
    for (index, byte) in quoted.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => (escaped, any_escape) = (true, true),
            b'"' => {
                let value = quoted.get(..index).unwrap_or_default();
                return (unquote(value, any_escape), quoted.get(index + 1..).unwrap_or_default());
            }
            _plain => {}
        }
    }
    (unquote(quoted, any_escape), "")
}

/// Undoes Go's `strconv.Quote`; what is no escape of it stays as it is.
fn unquote(text: &str, any_escape: bool) -> Cow<'_, str> {
    if !any_escape {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, tail)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        rest = push_escape(&mut bytes, tail);
    }
    bytes.extend_from_slice(rest.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Appends what the escape at the start of `tail` (behind the backslash) stands for and gives
/// back what follows it.
fn push_escape<'a>(bytes: &mut Vec<u8>, tail: &'a str) -> &'a str {
    let mut characters = tail.chars();
    let Some(kind) = characters.next() else {
        bytes.push(b'\\');
        return tail;
    };
    let simple = match kind {
        'a' => Some(0x07),
        'b' => Some(0x08),
        'f' => Some(0x0c),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(0x0b),
        '\\' => Some(b'\\'),
        '"' => Some(b'"'),
        '\'' => Some(b'\''),
        _numeric => None,
    };
    if let Some(byte) = simple {
        bytes.push(byte);
        return characters.as_str();
    }
    let digits = match kind {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _unknown => 0,
    };
    let number = tail.get(1..=digits).filter(|text| !text.is_empty() && !text.starts_with('+'));
    match number.and_then(|text| u32::from_str_radix(text, 16).ok()) {
        // \x is a byte, perhaps one of several of a character; \u and \U are characters.
        Some(value) if kind == 'x' => bytes.extend(u8::try_from(value).ok()),
        Some(value) => {
            let character = char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER);
            bytes.extend_from_slice(character.to_string().as_bytes());
        }
        None => {
            bytes.push(b'\\');
            return tail;
        }
    }
    tail.get(1 + digits..).unwrap_or_default()
}

// === impl LogLine ===

impl<'a> LogLine<'a> {
    fn bare(message: Cow<'a, str>) -> Self {
        Self {
            at: None,
            level: None,
            message,
            zone_id: None,
            zone_name: None,
            profile: None,
            oversize: false,
        }
    }

    fn into_owned<'b>(self) -> LogLine<'b> {
        LogLine {
            at: self.at,
            level: self.level,
            message: Cow::Owned(self.message.into_owned()),
            zone_id: self.zone_id,
            zone_name: self.zone_name,
            profile: self.profile.map(|text| Cow::Owned(text.into_owned())),
            oversize: self.oversize,
        }
    }
}

// === impl Level ===

impl Level {
    /// The level of logrus' word; `None` for another word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "trace" | "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warning" | "warn" => Some(Self::Warning),
            "error" => Some(Self::Error),
            "fatal" | "panic" => Some(Self::Fatal),
            _other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn text_format() {
        let line = read(
            r#"time="2026-11-23T08:51:54Z" level=error msg="Failure: \"a\"\n\tstatus \u00fc\x41\\052" profile=default zoneID=/hostedzone/ZPUB zoneName=example.com."#,
        );
        assert_eq!(line.at, Some(at("2026-11-23T08:51:54Z")));
        assert_eq!(line.level, Some(Level::Error));
        assert_eq!(line.message, "Failure: \"a\"\n\tstatus \u{fc}A\\052");
        assert_eq!(line.zone_id, Some(ZoneId::new("ZPUB")));
        assert_eq!(line.zone_name, Some(DomainName::new("example.com")));
        assert_eq!(line.profile.as_deref(), Some("default"));
        assert!(!line.oversize);
    }

    #[test]
    fn json_format() {
        let line = read(
            r#"{"level":"info","msg":"1 record(s)\nwere","profile":"default","time":"2026-11-23T08:51:54Z","zoneID":"/hostedzone/ZPUB","zoneName":"example.com."}"#,
        );
        assert_eq!(line.at, Some(at("2026-11-23T08:51:54Z")));
        assert_eq!(line.level, Some(Level::Info));
        assert_eq!(line.message, "1 record(s)\nwere");
        assert_eq!(line.zone_id, Some(ZoneId::new("ZPUB")));
        assert_eq!(line.zone_name, Some(DomainName::new("example.com")));
    }

    #[test]
    fn prefixes_and_their_times() {
        let check = |input: &str, time: &str, message: &str| {
            let line = read(input);
            assert_eq!((line.at, &*line.message), (Some(at(time)), message), "{input}");
        };
        let own = "2026-11-23T08:51:54Z";
        let prefix = "2026-11-23T08:51:54.123456789Z";
        check(&format!(r#"{prefix} time="{own}" level=info msg=hello"#), own, "hello");
        check(&format!("{prefix} level=info msg=hello"), prefix, "hello");
        check(&format!(r#"{prefix} stderr F time="{own}" level=info msg="a b""#), own, "a b");
        check(&format!("{prefix} panic: oh no\r\n"), prefix, "panic: oh no");
        check("2026-11-23T09:51:54+01:00 x", own, "x");
        check(
            &format!(r#"{{"log":"level=info msg=\"a b\"\n","stream":"stderr","time":"{prefix}"}}"#),
            prefix,
            "a b",
        );
    }

    #[test]
    fn neither_format_is_all_message() {
        for line in
            ["", "hello", "{\"a\":1}", "time=x level=info", "E1123 09:56:51.1 1 reflector.go:1] x=y", "{"]
        {
            let parts = read(line);
            assert_eq!((&*parts.message, parts.level, parts.at), (line, None, None), "{line}");
        }
    }

    #[test]
    fn a_huge_line_is_cut() {
        let line = format!("level=error msg=\"Failure {}\"", "\u{fc}".repeat(500_000));
        let parts = read(&line);
        assert!(
            parts.oversize && parts.message.len() <= MAX_LOG_LINE && parts.message.starts_with("Failure")
        );
    }

    proptest! {
        #[test]
        fn never_panics(line in ".{0,200}", head in "(time=|level=|msg=\"|\\{\"msg\":\"|2026-11-23T08:51:54Z )?") {
            let text = format!("{head}{line}");
            let parts = read(&text);
            // Invalid UTF-8 behind \x escapes triples in size.
            prop_assert!(parts.message.len() <= 3 * text.len());
        }

        #[test]
        fn undoes_quoting(message in "\\PC{0,60}") {
            let quoted = message.replace('\\', "\\\\").replace('"', "\\\"");
            let line = format!("level=info msg=\"{quoted}\" zoneID=Z1");
            let parts = read(&line);
            prop_assert_eq!(&*parts.message, message);
            prop_assert_eq!(parts.zone_id, Some(ZoneId::new("Z1")));
        }
    }
}

//! The web configuration file (`--web.config.file`): TLS, logins, headers and a rate limit, in the format
//! that Prometheus and its exporters share.
//!
//! Source: prometheus/exporter-toolkit, `docs/web-configuration.md`. What rustls does not have (TLS
//! before 1.2, CBC suites) and what would only look like protection (client certificates that nobody
//! verifies) is refused by name. HTTP/2 is not served, whatever `http2` says: a scraper gains
//! nothing from it, and it is a surface of its own.

pub mod guard;
pub mod users;

mod reload;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use jiff::SignedDuration;
use rustls::ServerConfig;
use serde::Deserialize;
use serde_saphyr::Spanned;
use sha2::{Digest, Sha256};

use crate::limits::MAX_WEB_CONFIG_FILE;
use crate::model::text::printable;
use crate::publish::web_config::users::{LoginError, Users};

pub use self::reload::{RELOAD_EVERY, WebConfigHealth, follow};

/// Headers that the file may set; others belong to the program.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
];

/// What the file asks for. The default is plain HTTP for everybody.
#[derive(Clone, Debug, Default)]
pub struct WebConfig {
    /// `None` for plain HTTP.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// Set on every answer, over the program's own.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Who may read; empty for everybody.
    pub(crate) users: Users,
    /// `None` for no limit.
    pub(crate) limiter: Option<Arc<DefaultDirectRateLimiter>>,
    /// Of the file and of all files that it names.
    fingerprint: [u8; 32],
}

/// Why there is no web configuration. The text never holds a part of the file: it has secrets.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// The file cannot be read.
    #[error("read web configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The text is not of this format.
    #[error("web configuration {}{line}: {text}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Where.
        line: Line,
        /// Why, printable.
        text: String,
    },
    /// A key has a value that cannot be used.
    #[error("web configuration {}{line}: {key}: {text}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Where.
        line: Line,
        /// The path of the key.
        key: String,
        /// Why, printable.
        text: String,
    },
}

/// A line of the file; 0 where it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line(pub u64);

/// A value that cannot be used.
#[derive(Debug)]
struct Mistake {
    key: String,
    line: Line,
    text: String,
}

/// Reads the files that the configuration names, relative to its own folder.
struct Files<'a> {
    folder: &'a Path,
    digest: Sha256,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    tls_server_config: Option<Spanned<tls::Raw>>,
    http_server_config: Option<RawHttp>,
    basic_auth_users: Option<BTreeMap<String, Spanned<String>>>,
    rate_limit: Option<Spanned<RawLimit>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawHttp {
    /// Taken so that shared files are valid.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    headers: Option<BTreeMap<String, Spanned<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    interval: Spanned<String>,
    burst: Option<NonZeroU32>,
}

// === impl Line ===

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, ", line {}", self.0) }
    }
}

// === impl Mistake ===

impl Mistake {
    fn at<T>(place: &Spanned<T>, key: impl Into<String>, text: impl AsRef<str>) -> Self {
        Self { key: key.into(), line: Line(place.referenced.line()), text: printable(text.as_ref()) }
    }
}

// === impl WebConfig ===

impl WebConfig {
    /// Reads and checks the file and all files that it names. Blocking: the files are small and local.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be used, with its key and line.
    pub fn load(path: &Path) -> Result<Self, WebConfigError> {
        let bytes = read(path).map_err(|source| WebConfigError::Read { path: path.to_owned(), source })?;
        let text = String::from_utf8_lossy(&bytes);
        let raw = parse(&text).map_err(|(line, text)| WebConfigError::Format {
            path: path.to_owned(),
            line,
            text: printable(&text),
        })?;
        let mut files = Files { folder: path.parent().unwrap_or(Path::new(".")), digest: Sha256::new() };
        files.digest.update(&bytes);
        let config = Self::build(raw, &mut files).map_err(|mistake| WebConfigError::Value {
            path: path.to_owned(),
            line: mistake.line,
            key: printable(&mistake.key),
            text: mistake.text,
        })?;
        Ok(Self { fingerprint: files.digest.finalize().into(), ..config })
    }

    fn build(raw: Raw, files: &mut Files<'_>) -> Result<Self, Mistake> {
        let tls = raw.tls_server_config.map(|tls| tls::server_config(&tls, files)).transpose()?.flatten();
        let headers = raw.http_server_config.and_then(|http| http.headers).unwrap_or_default();
        let headers: Result<_, _> = headers.iter().map(|(name, value)| header(name, value)).collect();
        let mut users = BTreeMap::new();
        for (name, hash) in raw.basic_auth_users.unwrap_or_default() {
            let key = format!("basic_auth_users.{name}");
            Users::check(&name, &hash.value)
                .map_err(|error: LoginError| Mistake::at(&hash, key, error.to_string()))?;
            users.insert(name, hash.value);
        }
        Ok(Self {
            tls,
            headers: headers?,
            users: Users::new(users),
            limiter: raw.rate_limit.map(|limit| limiter(&limit)).transpose()?,
            fingerprint: [0; 32],
        })
    }

    /// True if both were made of the same bytes.
    fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

fn parse(text: &str) -> Result<Raw, (Line, String)> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Raw::default());
    }
    // A snippet would show the neighbouring lines, which may be a key.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        (Line(error.location().map_or(0, |at| at.line())), error.without_snippet().to_string())
    })
}

fn header(name: &str, value: &Spanned<String>) -> Result<(HeaderName, HeaderValue), Mistake> {
    let wrong = |text: &str| Mistake::at(value, format!("http_server_config.headers.{name}"), text);
    if !HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Err(wrong(&format!("this header cannot be set; those that can are {}", HEADERS.join(", "))));
    }
    let name: HeaderName = name.parse().map_err(|_not_a_name| wrong("is no header name"))?;
    let text = value.value.parse().map_err(|_not_a_value| wrong("has characters that no header may have"))?;
    Ok((name, text))
}

fn limiter(limit: &Spanned<RawLimit>) -> Result<Arc<DefaultDirectRateLimiter>, Mistake> {
    let text = &limit.value.interval;
    let wrong = |words: &str| Mistake::at(text, "rate_limit.interval", words);
    let interval = text.value.parse::<SignedDuration>().ok();
    let interval = interval.and_then(|span| Duration::try_from(span).ok());
    let interval = interval.ok_or_else(|| wrong("is no duration like 100ms or 1s"))?;
    let quota = Quota::with_period(interval).ok_or_else(|| wrong("must be above 0"))?;
    let quota = limit.value.burst.map_or(quota, |burst| quota.allow_burst(burst));
    Ok(Arc::new(RateLimiter::direct(quota)))
}

// === impl Files ===

impl Files<'_> {
    fn read(&mut self, name: &str) -> io::Result<Vec<u8>> {
        let bytes = read(&self.folder.join(name))?;
        self.digest.update([0]);
        self.digest.update(&bytes);
        Ok(bytes)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_WEB_CONFIG_FILE + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size <= MAX_WEB_CONFIG_FILE) {
        Ok(bytes)
    } else {
        Err(io::Error::other("larger than 1 MiB"))
    }
}

#[cfg(test)]
mod tests;

//! `check --server`: the verdict of a dns-drift that runs already, by its API.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use http::StatusCode;
use http::header;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::board::progress::Goal;
use crate::cli::ask::{Answer, AskError, Asker, Login};
use crate::cli::progress;
use crate::clock::{Clock as _, SystemClock};
use crate::live::encrypted::{TlsError, tls};
use crate::model::DomainName;
use crate::model::text::printable;
use crate::publish::api::BASE;
use crate::report::Report;
use crate::report::read::{ReadReportError, report};

/// How long a report may take on its way.
const REPORT_WITHIN: Duration = Duration::from_mins(1);

/// How long a server may take to have a report: it starts, or a replica takes over.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// Between two attempts.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What a request that waits may take beside the waiting.
const BESIDE: Duration = Duration::from_secs(15);

/// A server takes a round each minute unless told otherwise; one as old as that is worth a word.
const OLD_SECONDS: i64 = 600;

/// Largest file with a secret.
const MAX_SECRET: u64 = 16 * 1024;

/// Where a running dns-drift is, and how it lets us in.
#[derive(Args, Debug)]
#[command(next_help_heading = "Ask a running dns-drift in the place of the sources")]
pub struct Server {
    /// Where it serves, for example `http://dns-drift.dns:9853`: its last round is the verdict. Needs
    /// no access to cluster and account.
    #[arg(long = "server", value_name = "URL", conflicts_with_all = ["recording", "sweep"])]
    pub url: Option<String>,
    /// File with a bearer token.
    #[arg(long = "server-token-file", value_name = "FILE", requires = "url", conflicts_with = "login_file")]
    pub token_file: Option<PathBuf>,
    /// File with `USER:PASSWORD`.
    #[arg(long = "server-login-file", value_name = "FILE", requires = "url")]
    pub login_file: Option<PathBuf>,
    /// Certificate authorities (PEM) that are trusted besides those of the system.
    #[arg(long = "server-ca-file", value_name = "FILE", requires = "url")]
    pub ca_file: Option<PathBuf>,
}

/// What is waited for before the verdict.
pub(super) struct Wish<'a> {
    pub(super) name: &'a DomainName,
    pub(super) until: Goal,
    pub(super) within: Duration,
}

/// Why a server gives no verdict.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Not an address.
    #[error("--server {0:?} is no address of a server; for example http://dns-drift.dns:9853")]
    Address(String),
    /// A file cannot be read.
    #[error("read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {what}", path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The authorities cannot be used.
    #[error(transparent)]
    Authorities(#[from] TlsError),
    /// No answer.
    #[error("ask {server}")]
    Ask {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: AskError,
    },
    /// It does not let us in.
    #[error(
        "{server} answers 401: name the credentials by --server-login-file or --server-token-file, or mend them"
    )]
    Unauthorized {
        /// The server.
        server: String,
    },
    /// It is there and has nothing to say yet.
    #[error("{server} has no report: {why}; ask again in a moment")]
    NotReady {
        /// The server.
        server: String,
        /// What it waits for.
        why: String,
    },
    /// It refuses.
    #[error("{server} answers {status}: {detail}")]
    Refused {
        /// The server.
        server: String,
        /// The status.
        status: StatusCode,
        /// Its own words.
        detail: String,
    },
    /// Somebody else answers.
    #[error("{server} is no dns-drift, or one without this API: it answers {status} to {path}")]
    Stranger {
        /// The server.
        server: String,
        /// The status.
        status: StatusCode,
        /// What it was asked for.
        path: String,
    },
    /// The report cannot be read here.
    #[error("the report of {server} cannot be read; use a dns-drift of the same version as the server")]
    Report {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: ReadReportError,
    },
}

/// What the API says about an error. Source: RFC 9457.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    #[serde(rename = "type")]
    kind: String,
    detail: String,
    advice: String,
}

/// A server that is asked.
struct Client<'a> {
    asker: Asker,
    server: &'a str,
}

/// Gets the last report; waits for a name first, if asked to. Tells whether the name came.
pub(super) async fn verdict(
    server: &Server,
    url: &str,
    wish: Option<Wish<'_>>,
) -> Result<(bool, Report), ServerError> {
    let client = Client { asker: asker(server, url)?, server: url };
    let what = format!("asking {}", printable(url));
    let asking = Box::pin(async {
        let there = match wish {
            Some(wish) => client.wait(&wish).await?,
            None => true,
        };
        Ok::<_, ServerError>((there, client.report().await?))
    });
    let (there, report) = progress::shown(&what, Arc::default(), asking).await?;
    let seconds = SystemClock.now().duration_since(report.at).as_secs();
    if OLD_SECONDS < seconds {
        tracing::warn!(server = printable(url), round = %report.at, seconds, "the last round is old: does the server still judge?");
    }
    Ok((there, report))
}

fn asker(server: &Server, url: &str) -> Result<Asker, ServerError> {
    let token = server.token_file.as_deref().map(|path| secret(path, "bearer token")).transpose()?;
    let login = server.login_file.as_deref().map(|path| secret(path, "USER:PASSWORD")).transpose()?;
    if let (Some(path), Some(false)) = (&server.login_file, login.as_ref().map(|text| text.contains(':'))) {
        return Err(ServerError::Secret { path: path.clone(), what: "USER:PASSWORD" });
    }
    let login = match (&token, &login) {
        (Some(token), _) => Login::Token(token),
        (None, Some(login)) => Login::User(login),
        (None, None) => Login::Nobody,
    };
    let asker = Asker::new(url, || tls(server.ca_file.as_deref()), &login)?;
    asker.ok_or_else(|| ServerError::Address(printable(url)))
}

/// One line of text; the line end is not part of it.
fn secret(path: &Path, what: &'static str) -> Result<String, ServerError> {
    let unreadable = |source| ServerError::File { path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MAX_SECRET).read_to_string(&mut text)).map_err(unreadable)?;
    let text = text.trim_end_matches(['\r', '\n']);
    let is_one = !text.is_empty() && !text.contains(char::is_control);
    if is_one { Ok(text.to_owned()) } else { Err(ServerError::Secret { path: path.to_owned(), what }) }
}

// === impl Client ===

impl Client<'_> {
    async fn report(&self) -> Result<Report, ServerError> {
        let until = Instant::now() + READY_WITHIN;
        loop {
            match self.last_report().await {
                // A replica on standby answers for the leader's address too; the next one may lead.
                Err(ServerError::NotReady { .. }) if Instant::now() < until => sleep(AGAIN_AFTER).await,
                ended => return ended,
            }
        }
    }

    async fn last_report(&self) -> Result<Report, ServerError> {
        let path = format!("{BASE}/report");
        let answer = self.get(&path, REPORT_WITHIN).await?;
        let role = answer.headers.get("dns-drift-role").map(http::HeaderValue::as_bytes);
        if role == Some(b"standby") {
            let why = String::from("it is a replica on standby, and another one judges");
            return Err(ServerError::NotReady { server: self.shown(), why });
        }
        if answer.status != StatusCode::OK {
            return Err(self.refusal(&path, &answer));
        }
        report(&answer.body).map_err(|source| match source {
            ReadReportError::NoReport => self.stranger(&path, answer.status),
            source @ (ReadReportError::Format(_) | ReadReportError::Version(_)) => {
                ServerError::Report { server: self.shown(), source }
            }
        })
    }

    /// True if the name came in time.
    async fn wait(&self, wish: &Wish<'_>) -> Result<bool, ServerError> {
        let name = utf8_percent_encode(wish.name.as_str(), NON_ALPHANUMERIC);
        let (until, seconds) = (wish.until.as_str(), wish.within.as_secs());
        let path = format!("{BASE}/hosts/{name}/wait?until={until}&timeout={seconds}s");
        let answer = self.get(&path, wish.within.saturating_add(BESIDE)).await?;
        if answer.status == StatusCode::OK && is_json(&answer, "application/json") {
            return Ok(true);
        }
        let in_vain = ["urn:dns-drift:problem:not-in-time", "urn:dns-drift:problem:nobody-wants-it"];
        match problem(&answer) {
            Some(problem) if in_vain.contains(&problem.kind.as_str()) => {
                tracing::warn!(name = %wish.name, missing = printable(&problem.detail), "waited in vain");
                Ok(false)
            }
            Some(_) | None => Err(self.refusal(&path, &answer)),
        }
    }

    async fn get(&self, path: &str, within: Duration) -> Result<Answer, ServerError> {
        let asked = self.asker.get(path, within).await;
        asked.map_err(|source| ServerError::Ask { server: self.shown(), source })
    }

    fn refusal(&self, path: &str, answer: &Answer) -> ServerError {
        let server = self.shown();
        if answer.status == StatusCode::UNAUTHORIZED {
            return ServerError::Unauthorized { server };
        }
        if let Some(Problem { kind, detail, advice }) = problem(answer) {
            let passes = ["urn:dns-drift:problem:not-ready", "urn:dns-drift:problem:stopping"];
            if passes.contains(&kind.as_str()) {
                return ServerError::NotReady { server, why: printable(&detail) };
            }
            let detail = printable(&format!("{detail}. {advice}"));
            return ServerError::Refused { server, status: answer.status, detail };
        }
        if answer.status.is_redirection() {
            let there = answer.headers.get(header::LOCATION).and_then(|there| there.to_str().ok());
            let detail = format!("it sends us to {}, name that", printable(there.unwrap_or("nowhere")));
            return ServerError::Refused { server, status: answer.status, detail };
        }
        let busy = [StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS];
        if answer.status.is_server_error() || busy.contains(&answer.status) {
            let words = String::from_utf8_lossy(&answer.body);
            let detail = printable(words.lines().next().unwrap_or("it says no more"));
            return ServerError::Refused { server, status: answer.status, detail };
        }
        self.stranger(path, answer.status)
    }

    fn stranger(&self, path: &str, status: StatusCode) -> ServerError {
        ServerError::Stranger { server: self.shown(), status, path: path.to_owned() }
    }

    fn shown(&self) -> String {
        printable(self.server)
    }
}

fn problem(answer: &Answer) -> Option<Problem> {
    let ours = |problem: &Problem| problem.kind.starts_with("urn:dns-drift:problem:");
    if !is_json(answer, "application/problem+json") {
        return None;
    }
    serde_json::from_slice(&answer.body).ok().filter(ours)
}

fn is_json(answer: &Answer, media_type: &str) -> bool {
    let told = answer.headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    told.is_some_and(|told| told.starts_with(media_type.as_bytes()))
}

// === impl ServerError ===

impl ServerError {
    /// True if there is no verdict now, and may be one later; false if the command has to be mended.
    pub(super) fn is_blind(&self) -> bool {
        match self {
            Self::Ask { source, .. } => source.is_unreachable(),
            Self::NotReady { .. } => true,
            Self::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            Self::Address(_)
            | Self::File { .. }
            | Self::Secret { .. }
            | Self::Authorities(_)
            | Self::Unauthorized { .. }
            | Self::Stranger { .. }
            | Self::Report { .. } => false,
        }
    }
}

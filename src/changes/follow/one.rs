//! Following the log of one container.

use std::collections::VecDeque;
use std::time::Duration;

use futures::AsyncBufRead;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::changes::follow::lines::{Lines, Seen, split_time};
use crate::changes::follow::{FollowSettings, Key, LogHealth, LogLine, LogTarget, key_of};
use crate::error_chain::ErrorChain;
use crate::finding::Reason;
use crate::model::text::printable;

/// Lines that are read of a container's last run: enough for the reason of its end and the
/// reconcile before.
const PREVIOUS_LINES: i64 = 200;

/// Lines that are read where the window holds none: they tell since when a log is silent.
const LAST_WORDS: i64 = 20;

/// Bytes that are kept of one bounded reading: the last ones. The API's own byte limit counts from the
/// *start* of what was asked for and would cut off the end, which is the part that matters.
const MAX_TAIL_BYTES: usize = 4 * 1024 * 1024;

/// Lines of one bounded reading.
const MAX_TAIL_LINES: i64 = 20_000;

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The server refused or could not be reached.
    #[error("read log of {}/{} container {}", .target.namespace, .target.pod, .target.container)]
    Request {
        /// Whose.
        target: LogTarget,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The connection broke.
    #[error("read log of {}/{} container {}: connection", .target.namespace, .target.pod, .target.container)]
    Broken {
        /// Whose.
        target: LogTarget,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nothing came in time.
    #[error("read log of {}/{} container {}: silent for {} s",
        .target.namespace, .target.pod, .target.container, .after.as_secs())]
    Silent {
        /// Whose.
        target: LogTarget,
        /// The time that was waited.
        after: Duration,
    },
}

/// Reads the end of a container's log, with that of its last run if there was one: what was
/// written in the last `window`, at most 20,000 lines and 4 MiB.
///
/// # Errors
///
/// The log of the present run cannot be read. A last run that cannot be read is no error: the
/// runtime may have removed it.
pub async fn read_tail(
    client: &kube::Client,
    target: &LogTarget,
    window: Duration,
) -> Result<Vec<LogLine>, LogError> {
    let reader = Reader::new(client, FollowSettings::default());
    let params = LogParams {
        since_seconds: Some(seconds(window)),
        tail_lines: Some(MAX_TAIL_LINES),
        ..params_of(target)
    };
    let mut seen = Seen::default();
    let mut all = Vec::new();
    if target.restarts > 0 {
        let previous = LogParams { previous: true, tail_lines: Some(PREVIOUS_LINES), ..params.clone() };
        if let Ok(lines) = reader.read(target, &previous).await {
            all.extend(lines.into_iter().filter(|line| seen.is_new(line.at, &line.text)));
        }
    }
    // In a crash loop the "present" log may be that of the last run.
    let present = reader.read_or_last_words(target, &params).await?;
    all.extend(present.into_iter().filter(|line| seen.is_new(line.at, &line.text)));
    Ok(all)
}

/// Follows one container until dropped.
pub(super) struct Follower {
    reader: Reader,
    target: watch::Receiver<LogTarget>,
    lines: mpsc::Sender<LogLine>,
    health: LogHealth,
    key: Key,
    seen: Seen,
    /// The newest time of a line.
    last: Option<Timestamp>,
    /// Restarts whose last run has been read.
    restarts_read: i32,
    /// What was written before has been read.
    caught_up: bool,
}

struct Reader {
    client: kube::Client,
    settings: FollowSettings,
}

// === impl Follower ===

impl Follower {
    pub(super) fn new(
        client: &kube::Client,
        target: watch::Receiver<LogTarget>,
        settings: FollowSettings,
        lines: mpsc::Sender<LogLine>,
        health: LogHealth,
    ) -> Self {
        let key = key_of(&target.borrow());
        Self {
            reader: Reader::new(client, settings),
            target,
            lines,
            health,
            key,
            seen: Seen::default(),
            last: None,
            restarts_read: 0,
            caught_up: false,
        }
    }

    pub(super) async fn run(mut self) {
        let settings = self.reader.settings.clone();
        let mut pause = settings.first_pause;
        loop {
            self.read_last_run().await;
            let before = self.last;
            let result = match self.catch_up().await {
                Ok(()) => self.follow().await,
                Err(error) => Err(error),
            };
            let failure =
                result.err().map(|error| (error.code(), printable(&ErrorChain(&error).to_string())));
            self.health.update(&self.key, |figure| figure.failure = failure);
            pause = if self.last == before {
                pause.saturating_mul(2).min(settings.longest_pause)
            } else {
                settings.first_pause
            };
            // A restart is news: its last run is read at once.
            tokio::select! {
                () = sleep(pause) => {}
                Ok(()) = self.target.changed() => {}
            }
            if self.lines.is_closed() {
                return;
            }
        }
    }

    /// The end of the last run tells why a container ended; it is read once for each restart.
    async fn read_last_run(&mut self) {
        let target = self.target.borrow_and_update().clone();
        if target.restarts <= self.restarts_read {
            return;
        }
        self.restarts_read = target.restarts;
        let params = LogParams { previous: true, tail_lines: Some(PREVIOUS_LINES), ..self.position(&target) };
        if let Ok(lines) = self.reader.read(&target, &params).await {
            for line in lines {
                self.hand_on(line).await;
            }
        }
    }

    /// Reads what was written before, once: a stream that goes on does not tell where that ends.
    async fn catch_up(&mut self) -> Result<(), LogError> {
        if self.caught_up {
            return Ok(());
        }
        let target = self.target.borrow().clone();
        let lines = self.reader.read_or_last_words(&target, &self.position(&target)).await?;
        for line in lines {
            self.hand_on(line).await;
        }
        self.caught_up = true;
        self.health.update(&self.key, |figure| figure.caught_up = true);
        Ok(())
    }

    async fn follow(&mut self) -> Result<(), LogError> {
        let target = self.target.borrow().clone();
        let params = LogParams { follow: true, ..self.position(&target) };
        let mut lines = self.reader.open(&target, &params).await?;
        self.health.update(&self.key, |figure| {
            figure.connections = figure.connections.saturating_add(1);
            figure.failure = None;
        });
        let idle = self.reader.settings.idle;
        loop {
            let next = tokio::select! {
                next = timeout(idle, lines.next()) => next,
                // Restarted: the last run is to be read. A line that was cut here comes again.
                Ok(()) = self.target.changed() => return Ok(()),
            };
            match next {
                Ok(Ok(Some(line))) => self.hand_on(log_line(&target, &line)).await,
                Ok(Err(source)) => return Err(LogError::Broken { target, source }),
                // The end, or idle: a connection cut without a word looks the same as a quiet log.
                Ok(Ok(None)) | Err(_) => return Ok(()),
            }
        }
    }

    /// Where to go on. The API knows whole seconds only and kube rounds to the nearest, so a
    /// second is read again.
    fn position(&self, target: &LogTarget) -> LogParams {
        let params = params_of(target);
        match self.last.and_then(|last| last.checked_sub(SignedDuration::from_secs(1)).ok()) {
            Some(since) => LogParams { since_time: Some(since), ..params },
            None => LogParams {
                since_seconds: Some(seconds(self.reader.settings.first_window)),
                tail_lines: Some(self.reader.settings.first_lines),
                ..params
            },
        }
    }

    async fn hand_on(&mut self, line: LogLine) {
        if !self.seen.is_new(line.at, &line.text) {
            return;
        }
        self.last = self.last.max(line.at);
        self.health.update(&self.key, |figure| figure.lines = figure.lines.saturating_add(1));
        // Nobody listens: `run` sees it and ends.
        drop(self.lines.send(line).await);
    }
}

// === impl Reader ===

impl Reader {
    fn new(client: &kube::Client, settings: FollowSettings) -> Self {
        Self { client: client.clone(), settings }
    }

    async fn open(
        &self,
        target: &LogTarget,
        params: &LogParams,
    ) -> Result<Lines<impl AsyncBufRead + Unpin + use<>>, LogError> {
        let api = Api::<Pod>::namespaced(self.client.clone(), &target.namespace);
        let limit = self.settings.start_within;
        match timeout(limit, api.log_stream(&target.pod, params)).await {
            Ok(Ok(stream)) => Ok(Lines::new(Box::pin(stream))),
            Ok(Err(source)) => Err(LogError::Request { target: target.clone(), source: Box::new(source) }),
            Err(_) => Err(LogError::Silent { target: target.clone(), after: limit }),
        }
    }

    /// Reads a log; one that has been silent for longer than the window tells since when.
    async fn read_or_last_words(
        &self,
        target: &LogTarget,
        params: &LogParams,
    ) -> Result<Vec<LogLine>, LogError> {
        let lines = self.read(target, params).await?;
        if !lines.is_empty() {
            return Ok(lines);
        }
        self.read(target, &LogParams { tail_lines: Some(LAST_WORDS), ..params_of(target) }).await
    }

    /// Reads a log that ends; of a longer one the end.
    async fn read(&self, target: &LogTarget, params: &LogParams) -> Result<Vec<LogLine>, LogError> {
        let mut lines = self.open(target, params).await?;
        let limit = self.settings.start_within;
        let (mut all, mut bytes) = (VecDeque::new(), 0_usize);
        loop {
            match timeout(limit, lines.next()).await {
                Ok(Ok(Some(line))) => {
                    let line = log_line(target, &line);
                    bytes = bytes.saturating_add(line.text.len());
                    all.push_back(line);
                }
                Ok(Ok(None)) => return Ok(all.into()),
                Ok(Err(source)) => return Err(LogError::Broken { target: target.clone(), source }),
                Err(_) => return Err(LogError::Silent { target: target.clone(), after: limit }),
            }
            while MAX_TAIL_BYTES < bytes {
                let Some(oldest) = all.pop_front() else { break };
                bytes = bytes.saturating_sub(oldest.text.len());
            }
        }
    }
}

impl LogError {
    /// In the words of `observer_blind`.
    #[must_use]
    pub fn code(&self) -> Reason {
        let Self::Request { source, .. } = self else { return Reason::Unreachable };
        let kube::Error::Api(status) = source.as_ref() else { return Reason::Unreachable };
        match status.code {
            401 | 403 => Reason::Forbidden,
            429 => Reason::Throttled,
            _ => Reason::Unreachable,
        }
    }
}

fn params_of(target: &LogTarget) -> LogParams {
    LogParams {
        container: Some(target.container.to_string()).filter(|name| !name.is_empty()),
        timestamps: true,
        ..LogParams::default()
    }
}

fn log_line(target: &LogTarget, line: &str) -> LogLine {
    let (at, text) = split_time(line);
    LogLine { target: target.clone(), at, text: text.to_owned() }
}

fn seconds(window: Duration) -> i64 {
    i64::try_from(window.as_secs()).unwrap_or(i64::MAX).max(1)
}

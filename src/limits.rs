//! Every bound of the program in one place, each with its reason.

use std::time::Duration;

/// Longest text that is kept of anything an outsider wrote (log lines, error messages, DNS text).
/// Long enough for the bracketed list of a refused batch with a handful of records.
pub const MAX_TEXT: usize = 2_048;

/// Longest domain name text that is kept as it is, in bytes. A legal name has at most 253; an
/// illegal one is kept for display, and past this bound as a prefix and a digest.
pub const MAX_NAME: usize = 512;

/// Findings that get series of their own on `/metrics`, unless told otherwise. Two series each:
/// a Prometheus server spends 3 to 5 KB on one, so this many cost it less than 100 MB.
pub const MAX_FINDING_SERIES: usize = 10_000;

/// Label sets of one family of request counters; what goes beyond is added up as `other`.
pub const MAX_COST_ROWS: usize = 1_000;

/// Findings, zones or instances on one page of the status page; the rest is on the next ones.
pub const MAX_PAGE_ROWS: usize = 100;

/// Findings of one name, zone or instance that are shown in full; the rest as a filtered list.
pub const MAX_PAGE_CARDS: usize = 20;

/// Suggestions for one filter of the status page; others can still be typed.
pub const MAX_SUGGESTIONS: usize = 200;

/// Longest value of a filter, bytes. A name of DNS has at most 253.
pub const MAX_FILTER_TEXT: usize = 300;

/// Steps that are kept of one finding: enough for a bad night, small beside the finding itself.
pub const MAX_STEPS: usize = 20;

/// Browsers that are told of each round. Far below [`MAX_CONNECTIONS`]: scrapers must find a place.
pub const MAX_LISTENERS: usize = 64;

/// A browser is told so often that the connection still lives; proxies end silent ones after a
/// minute.
pub const LISTENER_KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Findings, hosts or silent comparisons of one answer of the API, unless asked for fewer.
pub const API_PAGE: usize = 100;

/// Rows of one answer of the API at most: some two megabytes of findings.
pub const MAX_API_PAGE: usize = 1_000;

/// Longest word of a query that is looked at, in bytes; a name fits twice.
pub const MAX_QUERY_WORD: usize = 1_024;

/// Answers of servers about one host that are shown.
pub const MAX_HOST_OBSERVATIONS: usize = 500;

/// Changes of one host that are shown.
pub const MAX_HOST_CHANGES: usize = 100;

/// Requests that wait for a host at once. Each makes its host be read every few seconds, out of the
/// one budget of Route 53 that all share.
pub const MAX_WAITERS: usize = 32;

/// How long a request may wait for a host; below the life of a connection.
pub const MAX_WAIT: Duration = Duration::from_mins(30);

/// How long a change may be under way between the Kubernetes API and us: a round that began sooner
/// after the question may show what was before it.
pub const WATCH_LAG: Duration = Duration::from_secs(2);

/// While somebody waits, rounds follow each other at least so often.
pub const ROUND_WHILE_WAITED: Duration = Duration::from_secs(5);

/// Connections that are served at once. A scraper keeps one or two.
pub const MAX_CONNECTIONS: usize = 256;

/// Bodies that are rendered at once: each may hold megabytes.
pub const MAX_RENDERINGS: usize = 4;

/// Largest request body; no request needs one.
pub const MAX_REQUEST_BODY: usize = 1_024;

/// How long a request may take; the scrape timeout that Prometheus uses by default.
pub const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// How long a client may take to send the head of a request, idle time between two included.
pub const REQUEST_HEAD_WITHIN: Duration = Duration::from_secs(30);

/// How long a connection may live. Ends clients that never read their answer; others reconnect.
pub const CONNECTION_WITHIN: Duration = Duration::from_hours(1);

/// How long open connections may take to end once the program stops.
pub const CONNECTIONS_STOP_WITHIN: Duration = Duration::from_secs(5);

/// Longest annotation value that is looked at: what Kubernetes allows for all annotations of an object
/// together. A host that is cut off would count as one that nobody wants.
pub const MAX_ANNOTATION: usize = 262_144;

/// Longest text that the arguments and variables of a container may come to.
pub const MAX_ARGUMENTS: usize = 16_384;

/// Names that one object may ask for: more than one of the API server's size limit holds with hosts of a
/// usual length. A name that is cut off would count as one that nobody wants.
pub const MAX_NAMES_PER_OBJECT: usize = 50_000;

/// Longest log line that is parsed; the rest of a longer one is dropped and counted.
pub const MAX_LOG_LINE: usize = 65_536;

/// Lines of one stream that are parsed within a minute; more are counted and dropped. A reconcile
/// that replaces 1,000 names writes a tenth of it, and it is 1 % of a core.
pub const MAX_LINES_A_MINUTE: u32 = 20_000;

/// Kubernetes Events about records that are kept at once.
pub const MAX_NOTICES: usize = 1_000;

/// Change events that are kept at once, over all feeds; the oldest go first.
pub const MAX_CHANGE_EVENTS: usize = 20_000;

/// Mutes that a report lists.
pub const MAX_MUTES: usize = 1_000;

/// How long a change event is kept. A refusal that nobody repeated for this long comes from a
/// controller that has stopped trying, and that is a finding of its own.
pub const KEEP_CHANGE_EVENTS: Duration = Duration::from_hours(6);

/// Memory that the kept change events may take together, roughly, in bytes. Every batch repeats
/// its changes each minute while it fails; without this bound a few huge batches would grow to
/// gigabytes within [`KEEP_CHANGE_EVENTS`].
pub const MAX_CHANGE_FEED_BYTES: usize = 64 * 1_024 * 1_024;

/// Part of the change feed that the state file keeps, roughly, in bytes: it is written each minute, and what
/// is refused over and over is told by its latest refusals.
pub const MAX_STORED_FEED_BYTES: usize = 8 * 1_024 * 1_024;

/// Changes of one batch that are kept. The largest batch that any ExternalDNS sent by default was
/// 4,000 (up to v0.5.9); Route 53 itself takes 1,000 records.
pub const MAX_BATCH_CHANGES: usize = 4_000;

/// Changes that a refusal of a single group lists as candidates. A group is one name; a longer
/// list would say nothing, and it would be repeated for each refused group of the batch.
pub const MAX_CANDIDATES: usize = 250;

/// Sentences of one refusal, and zones that one line names, that are kept.
pub const MAX_SENTENCES: usize = 1_000;

/// Zones, streams and the like that one part of the change feed remembers at once. Route 53
/// grants an account 500 zones by default.
pub const MAX_FEED_ZONES: usize = 1_000;

/// Longest CloudTrail record that is parsed, in bytes. CloudTrail itself cuts at 256 KB.
pub const MAX_TRAIL_RECORD: usize = 1_024 * 1_024;

/// Pages of 50 events that one question to CloudTrail may take. The account shares two requests a
/// second, and 3,000 changes within twenty minutes are a migration, not a watch.
pub const MAX_LOOKUP_PAGES: usize = 60;

/// Longest exposition of metrics that is read, in bytes. That of ExternalDNS has some 50 KB.
pub const MAX_SCRAPE: usize = 4 * 1_024 * 1_024;

/// Largest file of CloudTrail records that is read for a diagnosis, in bytes: a page of
/// `LookupEvents` has 50 records, a file of a trail a few megabytes.
pub const MAX_TRAIL_FILE: u64 = 256 * 1_024 * 1_024;

/// Longest text of a start-up line (the options of an ExternalDNS process) that is kept.
pub const MAX_STARTUP_TEXT: usize = 16_384;

/// How far into the future an event may date itself before its time is not believed.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_mins(10);
/// Objects of one kind that are named because they could not be understood; the rest is counted.
pub const MAX_BROKEN_OBJECTS: usize = 50;

/// Containers whose logs are followed at once. A cluster runs a handful of ExternalDNS; each
/// follower holds a connection and a task.
pub const MAX_LOG_FOLLOWERS: usize = 32;

/// Log lines between the followers and their reader; a follower waits when there is no room.
pub const LOG_QUEUE: usize = 1_000;

/// Deliveries of the optional feeds (CloudTrail, metrics) that wait for their reader.
pub const DELIVERY_QUEUE: usize = 64;

/// Texts that the rows of one kind share. Further ones are kept once for each row.
pub const MAX_SHARED_TEXTS: usize = 8_192;

/// Steps of the Kubernetes watches that wait to be taken in.
pub const WATCH_QUEUE: usize = 1_024;

/// Evidence lines of one finding.
pub const MAX_EVIDENCE: usize = 12;

/// Size of the state file. Ten thousand names with their records and findings stay far below.
pub const MAX_STATE_BYTES: usize = 128 * 1_024 * 1_024;

/// VPCs that private zones have lost. A zone has at most 300, and loses one seldom.
pub const MAX_SEPARATIONS: usize = 1_000;

/// The state is saved at most this often: a crash loses so much of the past at most.
pub const SAVE_EVERY: Duration = Duration::from_mins(1);

/// How long writing the state may take; at the end of the program it must fit into its stop.
pub const SAVE_WITHIN: Duration = Duration::from_secs(5);

/// How long the program may take to stop after a signal.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);

const _: () = assert!(MAX_WAIT.as_secs() < CONNECTION_WITHIN.as_secs(), "who waits keeps the connection");
const _: () = assert!(MAX_NAME < MAX_QUERY_WORD, "a name must fit into a query");
const _: () = assert!(MAX_NAME < MAX_TEXT, "a name must fit into a message");
const _: () = assert!(MAX_TEXT < MAX_LOG_LINE, "a log line must be able to carry a message");
const _: () = assert!(MAX_CANDIDATES < MAX_BATCH_CHANGES, "candidates are a part of a batch");
const _: () = assert!(MAX_LOG_LINE < MAX_TRAIL_RECORD, "a record holds more than a line");
const _: () =
    assert!(SAVE_WITHIN.as_secs() < STOP_WITHIN.as_secs(), "the last state is saved while stopping");
const _: () = assert!(
    CONNECTIONS_STOP_WITHIN.as_secs() < STOP_WITHIN.as_secs(),
    "connections must end before the program does"
);

/// New hosts on their way that are timed at once; a whole fleet that appears is more than enough.
pub const MAX_JOURNEYS: usize = 10_000;

/// A host that has not arrived after a day is counted as late and timed no longer.
pub const KEEP_JOURNEY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Web configuration, certificate or key file, in bytes.
pub const MAX_WEB_CONFIG_FILE: u64 = 1_024 * 1_024;

/// Cost of a bcrypt hash; one more doubles the time of a check, and 10 takes 60 ms.
pub const MAX_BCRYPT_COST: u32 = 14;

/// Logins that are checked at once: the rest of the cores belongs to the watch.
pub const MAX_LOGIN_CHECKS: usize = 1;

/// Outcomes of logins that are kept; upstream keeps as many.
pub const MAX_KEPT_LOGINS: usize = 100;

/// Longest `Authorization` header that is looked at; bcrypt reads 72 bytes of a password.
pub const MAX_LOGIN: usize = 1_024;

/// Bytes of the head of a request. A scrape has a few hundred.
pub const MAX_REQUEST_HEAD: usize = 16 * 1_024;

/// Headers of a request.
pub const MAX_REQUEST_HEADERS: usize = 64;

/// How long a TLS handshake may take.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// How long an answer may wait for a client that reads nothing.
pub const STALLED_WRITE_WITHIN: Duration = Duration::from_secs(30);

/// Connections of one address at once: a client that hangs on to them does not lock out the others.
pub const MAX_CONNECTIONS_OF_PEER: usize = 64;

const _: () = assert!(MAX_CONNECTIONS_OF_PEER < MAX_CONNECTIONS, "no single client takes them all");

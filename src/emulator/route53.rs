//! Route 53 (and the calls of STS and CloudTrail that clients need) over its wire protocols.
//!
//! Batches are validated with the service's own texts, are atomic, and reach the emulated name
//! servers after a delay of choice, as on the real service.

mod bucket;
mod fault;
mod handler;
mod listing;
mod parse;
mod probe;
mod sts;
mod trail;
mod validate;
mod world;
mod write;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::bucket::Bucket;
use self::trail::Trail;
use self::world::World;
use super::fault::Faults;
use super::http;
use super::zones::{RecordSet, ServedZone, ZoneSource};
use crate::clock::Clock;

pub use self::fault::{R53Fault, R53FaultKind};
pub(super) use self::validate::quoted_strings;
pub use self::world::{AppliedChange, ZoneOptions};

/// The account that every principal belongs to.
pub const ACCOUNT: &str = "111122223333";

/// Requests that are remembered; the oldest go first.
const MAX_REQUESTS: usize = 100_000;

/// The emulated service. Clones share it; it serves until its token is cancelled.
#[derive(Clone)]
pub struct Route53 {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    world: Mutex<World>,
    faults: Faults<R53Fault>,
    requests: Mutex<std::collections::VecDeque<SeenRequest>>,
    trail: Mutex<Trail>,
    /// The account's bucket; `None` for a service that never throttles by itself.
    bucket: Mutex<Option<Bucket>>,
    sessions: Mutex<Sessions>,
    changed: tokio::sync::watch::Sender<u64>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
}

/// The temporary credentials that STS gave out, by their number in the access key.
#[derive(Debug, Default)]
struct Sessions {
    given: u64,
    /// Sessions up to this number have ended.
    ended: u64,
    /// The only web identity token that is taken; `None` takes every one.
    token: Option<String>,
}

/// One request that arrived, refused ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRequest {
    /// Name of the API operation, for instance `ListResourceRecordSets`; `Unknown` for other paths.
    pub operation: &'static str,
    /// The hosted zone it named.
    pub zone: Option<String>,
    /// When it arrived.
    pub at: Instant,
    /// The `amz-sdk-request` header, for instance `attempt=1; max=3`.
    pub attempt: Option<String>,
    /// Who signed it, by the access key.
    pub principal: String,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Change {
    /// `CREATE`, `UPSERT` or `DELETE`.
    pub action: String,
    /// The record set.
    pub resource_record_set: RecordSet,
}

/// The id of an accepted batch, without `/change/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeId(pub String);

/// Why a request was refused, as the service answers it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// Error code, for instance `InvalidChangeBatch`.
    pub code: String,
    /// The service's text.
    pub message: String,
    /// HTTP status.
    pub status: u16,
    /// The request id in the answer and its header.
    pub request_id: String,
}

// === impl Route53 ===

impl Route53 {
    /// Starts on a free loopback port. Call inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When no loopback port can be bound.
    pub fn start(
        tasks: &mut JoinSet<()>,
        stop: CancellationToken,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            world: Mutex::new(World::default()),
            faults: Faults::default(),
            requests: Mutex::default(),
            trail: Mutex::default(),
            bucket: Mutex::default(),
            sessions: Mutex::default(),
            changed: tokio::sync::watch::Sender::new(0),
            clock,
            stop: stop.clone(),
        });
        let router = Router::new()
            .fallback(handler::handle)
            .layer(axum::extract::DefaultBodyLimit::max(http::MAX_BODY))
            .with_state(Arc::clone(&shared));
        Ok(Self { address: http::serve(tasks, stop, router)?, shared })
    }

    /// `http://127.0.0.1:<port>`, for `AWS_ENDPOINT_URL`. STS answers there too.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Creates a zone with its NS and SOA record sets; gives its id.
    pub fn create_zone(&self, name: &str, options: ZoneOptions) -> String {
        let id = self.shared.world().create_zone(name, options);
        self.shared.note_change();
        id
    }

    /// Deletes a zone with all that is in it; false if there is none of this id.
    pub fn delete_zone(&self, zone_id: &str) -> bool {
        let found = self.shared.world().delete_zone(zone_id);
        self.shared.note_change();
        found
    }

    /// Puts record sets into a zone as they are: no validation, no batch, served at once. For worlds
    /// that are larger than batches can make in time. False if there is no such zone.
    pub fn fill_zone(&self, zone_id: &str, record_sets: impl IntoIterator<Item = RecordSet>) -> bool {
        let found = self.shared.world().fill_zone(zone_id, record_sets);
        self.shared.note_change();
        found
    }

    /// Tries a batch, with the validation that the HTTP operation does.
    ///
    /// # Errors
    ///
    /// The refusal that the service would answer; then nothing was changed.
    pub fn change(&self, zone_id: &str, changes: Vec<Change>, principal: &str) -> Result<ChangeId, Refusal> {
        self.shared.change(zone_id, changes, principal, None).map(|applied| ChangeId(applied.id))
    }

    /// The record sets of a zone in the order of its listing; empty for an unknown zone.
    #[must_use]
    pub fn record_sets(&self, zone_id: &str) -> Vec<RecordSet> {
        self.shared
            .world()
            .zone(zone_id)
            .map(|zone| zone.records.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The delegation set of a zone; empty for a private or unknown one.
    #[must_use]
    pub fn name_servers(&self, zone_id: &str) -> Vec<String> {
        self.shared.world().zone(zone_id).map(|zone| zone.name_servers.clone()).unwrap_or_default()
    }

    /// Replaces the tags of a zone.
    pub fn set_tags(&self, zone_id: &str, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if let Some(zone) = self.shared.world().zone_mut(zone_id) {
            zone.tags = tags;
        }
    }

    /// Sets the signing state of a zone: `ServeSignature`, and the DS record of each active key.
    pub fn set_dnssec(&self, zone_id: &str, serve_signature: &str, ds_records: &[String]) {
        if let Some(zone) = self.shared.world().zone_mut(zone_id) {
            zone.dnssec = (serve_signature.to_owned(), ds_records.to_vec());
        }
    }

    /// Creates a health check, or changes what its checkers say.
    pub fn set_health(&self, health_check: &str, healthy: bool) {
        self.shared.world().health_checks.insert(health_check.to_owned(), healthy);
    }

    /// How long an accepted change stays PENDING and invisible to DNS. Zero at first.
    pub fn set_propagation(&self, delay: Duration) {
        self.shared.world().propagation = delay;
    }

    /// How late CloudTrail shows a call. Zero at first.
    pub fn set_trail_delay(&self, delay: Duration) {
        lock(&self.shared.trail).delay = delay;
    }

    /// The records that CloudTrail shows now, oldest first.
    #[must_use]
    pub fn trail(&self) -> Vec<serde_json::Value> {
        lock(&self.shared.trail).records(self.shared.clock.now())
    }

    /// Largest pages: of record sets (the service's own bound is 300) and of zones (100).
    pub fn set_page_sizes(&self, record_sets: usize, zones: usize) {
        let mut world = self.shared.world();
        world.record_page = record_sets.clamp(1, 300);
        world.zone_page = zones.clamp(1, 100);
    }

    /// Puts a fault in force; the most recent one that concerns a request wins.
    pub fn set_fault(&self, fault: R53Fault) {
        let times = fault.times;
        self.shared.faults.set(fault, times);
    }

    /// Lifts all faults.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Throttles all clients together: a full bucket of so many requests, refilled with so many a
    /// second. Without it only faults throttle.
    pub fn limit_requests(&self, capacity: u32, refill_per_second: u32) {
        let bucket = Bucket::new(f64::from(capacity), f64::from(refill_per_second));
        *lock(&self.shared.bucket) = Some(bucket);
    }

    /// Ends all sessions that STS has given out: what they signed is answered with `ExpiredToken`.
    pub fn expire_sessions(&self) {
        let mut sessions = lock(&self.shared.sessions);
        sessions.ended = sessions.given;
    }

    /// From now on STS takes only this web identity token.
    pub fn accept_only_token(&self, token: &str) {
        lock(&self.shared.sessions).token = Some(token.to_owned());
    }

    /// Answers a request in memory, without a connection: for tests in simulated time, where nothing
    /// may wait for a socket.
    ///
    /// # Errors
    ///
    /// When a fault breaks the connection in the middle of the answer.
    pub async fn answer(&self, request: ::http::Request<Bytes>) -> io::Result<::http::Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let state = axum::extract::State(Arc::clone(&self.shared));
        let answer = handler::handle(state, parts.method, parts.uri, parts.headers, body).await;
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.map_err(io::Error::other)?;
        Ok(::http::Response::from_parts(parts, body))
    }

    /// Every request so far, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        lock(&self.shared.requests).iter().cloned().collect()
    }

    /// How often an operation was asked for.
    #[must_use]
    pub fn count(&self, operation: &str) -> usize {
        lock(&self.shared.requests).iter().filter(|request| request.operation == operation).count()
    }

    /// The accepted batches, oldest first.
    #[must_use]
    pub fn applied(&self) -> Vec<AppliedChange> {
        self.shared.world().applied(Instant::now())
    }

    /// Counts accepted changes of zones and record sets.
    #[must_use]
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }
}

impl ZoneSource for Route53 {
    fn zones(&self) -> Vec<Arc<ServedZone>> {
        self.shared.world().served(Instant::now())
    }
}

// === impl Change ===

impl Change {
    /// Fails if the record set exists.
    #[must_use]
    pub fn create(record_set: RecordSet) -> Self {
        Self { action: "CREATE".to_owned(), resource_record_set: record_set }
    }

    /// Creates or replaces.
    #[must_use]
    pub fn upsert(record_set: RecordSet) -> Self {
        Self { action: "UPSERT".to_owned(), resource_record_set: record_set }
    }

    /// Deletes; the record set must equal the present one.
    #[must_use]
    pub fn delete(record_set: RecordSet) -> Self {
        Self { action: "DELETE".to_owned(), resource_record_set: record_set }
    }
}

// === impl Refusal ===

impl Refusal {
    fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        let request_id = new_request_id();
        Self { code: code.to_owned(), message: message.into(), status, request_id }
    }
}

// === impl Shared ===

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    fn note_change(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn change(
        &self,
        zone_id: &str,
        changes: Vec<Change>,
        principal: &str,
        comment: Option<String>,
    ) -> Result<AppliedChange, Refusal> {
        let at = self.clock.now();
        let told = changes.clone();
        let outcome = self.world().change(zone_id, changes, principal, comment, at, Instant::now());
        lock(&self.trail).note(at, zone_id, &told, principal, outcome.as_ref().err());
        let applied = outcome?;
        self.note_change();
        Ok(applied)
    }

    fn note_request(&self, request: SeenRequest) {
        let mut requests = lock(&self.requests);
        requests.push_back(request);
        if MAX_REQUESTS < requests.len() {
            requests.pop_front();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unlike any other, in the form of the service's request ids.
fn new_request_id() -> String {
    let random: u128 = rand::random();
    let hex = format!("{random:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

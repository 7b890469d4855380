//! The SDK's client, and how it comes to new credentials before the old ones were to expire.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_route53::config::{Builder, IdentityCache};
use tokio::time::Instant;

/// Renewals that follow each other faster help nobody, and each one asks STS.
const RENEW_EVERY: Duration = Duration::from_mins(1);

/// A client with the credentials of the day.
///
/// The SDK keeps credentials until shortly before the time that came with them. A session that was
/// revoked, or a clock that is wrong, ends them earlier, and the SDK then sends them until that time
/// all the same.
#[derive(Debug)]
pub(super) struct Session {
    config: Builder,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    sdk: aws_sdk_route53::Client,
    renewed_at: Option<Instant>,
}

// === impl Session ===

impl Session {
    pub(super) fn new(config: Builder) -> Self {
        let sdk = fresh(&config);
        Self { config, current: Mutex::new(Current { sdk, renewed_at: None }) }
    }

    /// The client to send with; clones share one connection pool.
    pub(super) fn sdk(&self) -> aws_sdk_route53::Client {
        self.lock().sdk.clone()
    }

    /// Forgets the credentials, so that the next request asks for new ones; false if that was done
    /// a moment ago, and did not help.
    pub(super) fn renew(&self) -> bool {
        let now = Instant::now();
        let mut current = self.lock();
        if current.renewed_at.is_some_and(|at| now < at + RENEW_EVERY) {
            return false;
        }
        *current = Current { sdk: fresh(&self.config), renewed_at: Some(now) };
        true
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that has no credentials yet.
fn fresh(config: &Builder) -> aws_sdk_route53::Client {
    let config = config.clone().identity_cache(IdentityCache::lazy().build());
    aws_sdk_route53::Client::from_conf(config.build())
}

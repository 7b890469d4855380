//! `basic_auth_users`: names with bcrypt hashes, and whether a login is one of them.
//!
//! A check costs tens of milliseconds of CPU on purpose, so few run at once and their outcomes are
//! kept for a while: else a scraper would burn a core and a flood of wrong passwords all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::limits::{MAX_BCRYPT_COST, MAX_KEPT_LOGINS, MAX_LOGIN, MAX_LOGIN_CHECKS};

/// Who may read.
#[derive(Clone, Debug, Default)]
pub struct Users {
    hashes: Arc<BTreeMap<String, String>>,
}

/// Why a user cannot be one. The hash is never told.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// A colon ends the name on the wire.
    #[error("a user name is neither empty nor has a colon")]
    Name,
    /// Not what `htpasswd -B` prints.
    #[error("is no bcrypt hash; `htpasswd -nBC 10 NAME` makes one")]
    Hash,
    /// A check would take seconds.
    #[error("cost {0} is too high: a login would take seconds; {MAX_BCRYPT_COST} is the most")]
    Cost(u32),
}

/// Outcomes of checks, and the right to make one. Lives longer than a configuration.
#[derive(Debug)]
pub struct Checks {
    /// Digest of name, hash and password, with a secret of this process, and the outcome.
    kept: Mutex<BTreeMap<[u8; 32], bool>>,
    secret: [u8; 32],
    slots: Arc<Semaphore>,
}

// === impl Users ===

impl Users {
    pub(crate) fn new(hashes: BTreeMap<String, String>) -> Self {
        Self { hashes: Arc::new(hashes) }
    }

    pub(crate) fn check(name: &str, hash: &str) -> Result<(), LoginError> {
        if name.is_empty() || name.contains(':') {
            return Err(LoginError::Name);
        }
        let parts: bcrypt::HashParts = hash.parse().map_err(|_reason| LoginError::Hash)?;
        if MAX_BCRYPT_COST < parts.get_cost() {
            return Err(LoginError::Cost(parts.get_cost()));
        }
        Ok(())
    }

    /// True if everybody may read.
    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// The hash to check against, and whether a right password counts: for an unknown name another
    /// hash is checked in vain, so that the time tells no names.
    fn hash(&self, name: &str) -> Option<(String, bool)> {
        let own = self.hashes.get(name).map(|hash| (hash.clone(), true));
        own.or_else(|| self.hashes.values().next().map(|hash| (hash.clone(), false)))
    }
}

// === impl Checks ===

impl Default for Checks {
    fn default() -> Self {
        let slots = Arc::new(Semaphore::new(MAX_LOGIN_CHECKS));
        Self { kept: Mutex::default(), secret: rand::random(), slots }
    }
}

impl Checks {
    /// True if the value of an `Authorization` header is the login of one of the users.
    pub(crate) async fn admits(&self, users: &Users, authorization: Option<&[u8]>) -> bool {
        let Some((name, password)) = authorization.and_then(credentials) else { return false };
        let Some((hash, counts)) = users.hash(&name) else { return false };
        let key = self.key(&name, &hash, &password);
        if let Some(known) = self.known(&key) {
            return known;
        }
        // Waiting is bounded by the time that a request may take.
        let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else { return false };
        if let Some(known) = self.known(&key) {
            return known;
        }
        let checking = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            bcrypt::verify(password, &hash).unwrap_or(false)
        });
        // An outcome is kept only if there is one.
        let Ok(right) = checking.await else { return false };
        let admitted = right && counts;
        self.keep(key, admitted);
        admitted
    }

    fn key(&self, name: &str, hash: &str, password: &str) -> [u8; 32] {
        let mut digest = Sha256::new_with_prefix(self.secret);
        for part in [name, hash, password] {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    fn known(&self, key: &[u8; 32]) -> Option<bool> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    /// The keys are as good as random, so the one that leaves is any; a right one goes last, or
    /// wrong guesses would push the scraper's own out.
    fn keep(&self, key: [u8; 32], admitted: bool) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if MAX_KEPT_LOGINS <= kept.len() {
            let wrong = kept.iter().find(|(_, admitted)| !**admitted).map(|(key, _)| *key);
            let leaving = wrong.or_else(|| kept.keys().next().copied());
            if let Some(leaving) = leaving {
                kept.remove(&leaving);
            }
        }
        kept.insert(key, admitted);
    }
}

/// Name and password of `Basic <base64>`.
fn credentials(value: &[u8]) -> Option<(String, String)> {
    if MAX_LOGIN < value.len() {
        return None;
    }
    let (scheme, text) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = String::from_utf8(BASE64_STANDARD.decode(text.trim()).ok()?).ok()?;
    let (name, password) = plain.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(text: &str) -> Vec<u8> {
        format!("Basic {}", BASE64_STANDARD.encode(text)).into_bytes()
    }

    #[tokio::test]
    async fn only_the_right_login_is_admitted_and_outcomes_are_kept() {
        let hash = bcrypt::hash("right", 4).expect("a hash");
        let users = Users::new(BTreeMap::from([("ann".to_owned(), hash)]));
        let checks = Checks::default();
        for (login, admitted) in [("ann:right", true), ("ann:wrong", false), ("bob:right", false)] {
            for _ in 0..2 {
                assert_eq!(checks.admits(&users, Some(&basic(login))).await, admitted, "{login}");
            }
        }
        assert_eq!(checks.kept.lock().expect("a lock").len(), 3);
        let others: [&[u8]; 5] = [b"", b"Basic", b"Basic ###", b"Bearer x", b"Basic YW5u"];
        for other in others {
            assert!(!checks.admits(&users, Some(other)).await);
        }
        assert!(!checks.admits(&users, None).await);
        assert!(!checks.admits(&users, Some(&basic(&format!("ann:{}", "x".repeat(MAX_LOGIN))))).await);
        // A changed hash is another question.
        let other = bcrypt::hash("other", 4).expect("a hash");
        let users = Users::new(BTreeMap::from([("ann".to_owned(), other)]));
        assert!(!checks.admits(&users, Some(&basic("ann:right"))).await);
    }

    #[test]
    fn wrong_guesses_do_not_push_out_the_right_login() {
        let checks = Checks::default();
        checks.keep(checks.key("ann", "h", "right"), true);
        for guess in 0..3 * MAX_KEPT_LOGINS {
            checks.keep(checks.key("ann", "h", &guess.to_string()), false);
        }
        assert_eq!(checks.known(&checks.key("ann", "h", "right")), Some(true));
        assert_eq!(checks.kept.lock().expect("a lock").len(), MAX_KEPT_LOGINS);
    }

    #[test]
    fn what_cannot_be_a_user() {
        let said = |name: &str, hash: &str| Users::check(name, hash).err().map(|error| error.to_string());
        let dear = "$2y$20$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
        assert!(said("ann", dear).is_some_and(|text| text.starts_with("cost 20 is too high")));
        assert_eq!(said("ann", &dear.replace("$20$", "$10$")), None);
        assert!(said("ann", "hunter2").is_some_and(|text| !text.contains("hunter2")));
        assert!(said("a:b", dear).is_some());
    }
}

//! Bodies that are made from a round: a few at a time, and kept by clients as long as the round lasts.

use std::fmt::Display;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, header};
use tokio::sync::Semaphore;

use crate::limits::MAX_RENDERINGS;

/// Makes bodies away from the threads that serve connections; each may hold megabytes.
#[derive(Clone, Debug)]
pub(crate) struct Renderings(Arc<Semaphore>);

/// What a body was made from, as its `ETag` names it.
#[derive(Debug)]
pub(crate) struct Edition(String);

// === impl Renderings ===

impl Renderings {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_RENDERINGS)))
    }

    /// Makes one when it is its turn; `None` if that panicked, or the program stops.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let permit = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let rendering = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            make()
        });
        rendering.await.ok()
    }
}

// === impl Edition ===

impl Edition {
    pub(crate) fn new(word: impl Display) -> Self {
        // Weak: the body may be compressed in several ways.
        Self(format!("W/\"{word}\""))
    }

    /// True if the client says that it has this one. Source: RFC 9110 section 13.1.2.
    pub(crate) fn is_known(&self, headers: &HeaderMap) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = opaque(&self.0);
        let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        lists.flat_map(|list| list.split(',')).any(|one| one.trim() == "*" || opaque(one) == own)
    }

    pub(crate) fn headers(self) -> [(HeaderName, String); 2] {
        [(header::ETAG, self.0), (header::CACHE_CONTROL, String::from("private, no-cache"))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_name_what_they_have() {
        let check = |told: &'static str, expected: bool| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, told.parse().expect("a value"))]);
            assert_eq!(Edition::new("7").is_known(&headers), expected, "{told}");
        };
        check("W/\"7\"", true);
        check("\"7\"", true);
        check("\"6\", W/\"7\"", true);
        check("*", true);
        check("\"77\"", false);
        check("7", false);
    }
}

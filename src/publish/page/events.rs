//! Tells browsers of each round, so that they can fetch what is new.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;

use crate::limits::LISTENER_KEEP_ALIVE;
use crate::publish::page::frame::round;
use crate::publish::page::serve::Pages;

/// A browser that finds no place comes back after so long.
const COME_BACK: &str = "30";

/// A stream of rounds: the present one at once, then each that follows. Ends with the rounds.
pub(super) async fn serve(State(pages): State<Pages>) -> Response {
    let Ok(place) = Arc::clone(&pages.listeners).try_acquire_owned() else {
        let sentence = "too many browsers listen; the page still works, reload it by hand\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, COME_BACK)], sentence)
            .into_response();
    };
    let mut latest = pages.latest;
    // Whatever is there now counts as new, so that a browser that was away learns what it missed.
    latest.mark_changed();
    let events = unfold((latest, place), async |(mut latest, place)| {
        loop {
            latest.changed().await.ok()?;
            let name = latest.borrow_and_update().as_deref().map(round);
            if let Some(name) = name {
                let event = Event::default().event("round").data(name);
                return Some((Ok::<_, Infallible>(event), (latest, place)));
            }
        }
    });
    let alive = KeepAlive::new().interval(LISTENER_KEEP_ALIVE);
    ([(header::CACHE_CONTROL, "no-store")], Sse::new(events).keep_alive(alive)).into_response()
}

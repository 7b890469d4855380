//! What the feeds told, as it outlives a restart: a log is not read so far back again, and a queue gives
//! each message once. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use crate::limits::MAX_STORED_FEED_BYTES;
use crate::model::change::{ChangeEvent, ChangeFeed, FeedSource};
use crate::snapshot::Reading;

/// The latest reading of the feeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// When it was complete.
    pub read_at: Option<Timestamp>,
    /// What it holds; `None` before the first.
    #[serde(serialize_with = "bounded")]
    pub feed: Option<Arc<ChangeFeed>>,
}

// === impl Told ===

impl Told {
    /// Takes in what this round was told.
    pub(super) fn observe(&mut self, reading: &Reading<ChangeFeed>) {
        if let Some(feed) = &reading.value {
            (self.read_at, self.feed) = (reading.read_at, Some(Arc::clone(feed)));
        }
    }
}

/// A batch that fails each minute is told by its latest failures.
#[expect(clippy::ref_option, reason = "serde gives the field so")]
fn bounded<S: Serializer>(feed: &Option<Arc<ChangeFeed>>, serializer: S) -> Result<S::Ok, S::Error> {
    feed.as_deref().map(newest).serialize(serializer)
}

/// As much as is kept: the oldest events of the stream with the largest share go first.
fn newest(feed: &ChangeFeed) -> Cow<'_, ChangeFeed> {
    let mut total: usize = feed.events.iter().map(ChangeEvent::rough_bytes).sum();
    if total <= MAX_STORED_FEED_BYTES {
        return Cow::Borrowed(feed);
    }
    let mut shares: BTreeMap<FeedSource, (usize, VecDeque<(usize, usize)>)> = BTreeMap::new();
    for (place, event) in feed.events.iter().enumerate() {
        let bytes = event.rough_bytes();
        let share = shares.entry(event.source.stream()).or_default();
        share.0 = share.0.saturating_add(bytes);
        share.1.push_back((place, bytes));
    }
    let mut dropped = BTreeSet::new();
    while MAX_STORED_FEED_BYTES < total {
        let Some(largest) = shares.values_mut().max_by_key(|share| share.0) else { break };
        let Some((place, bytes)) = largest.1.pop_front() else { break };
        largest.0 = largest.0.saturating_sub(bytes);
        total = total.saturating_sub(bytes);
        dropped.insert(place);
    }
    let kept = feed.events.iter().enumerate().filter(|(place, _)| !dropped.contains(place));
    let events = kept.map(|(_, event)| event.clone()).collect();
    Cow::Owned(ChangeFeed {
        events,
        streams: feed.streams.clone(),
        controllers: feed.controllers.clone(),
        notices: feed.notices.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::change::{ChangeEventKind, RefusedBatch};

    fn event(second: i64, pod: &str, bytes: usize) -> ChangeEvent {
        ChangeEvent {
            at: Timestamp::from_second(second).expect("in range"),
            source: FeedSource::Log { namespace: "dns".into(), pod: pod.into(), container: "c".into() },
            kind: ChangeEventKind::Refused(RefusedBatch {
                message: "x".repeat(bytes).into(),
                ..RefusedBatch::default()
            }),
        }
    }

    fn stored(events: Vec<ChangeEvent>) -> Vec<ChangeEvent> {
        let feed = Some(Arc::new(ChangeFeed { events, ..ChangeFeed::default() }));
        let text = serde_json::to_string(&Told { read_at: None, feed }).expect("a form");
        let back: Told = serde_json::from_str(&text).expect("read again");
        back.feed.expect("there").events.clone()
    }

    #[test]
    fn comes_back_as_it_was() {
        let events = vec![event(1, "a", 10), event(2, "b", 10)];
        assert_eq!(stored(events.clone()), events);
        let text = serde_json::to_string(&Told::default()).expect("a form");
        assert_eq!(serde_json::from_str::<Told>(&text).expect("read again"), Told::default());
    }

    #[test]
    fn a_storm_in_one_log_does_not_push_out_what_others_told() {
        let large = MAX_STORED_FEED_BYTES / 4;
        let mut events = vec![event(1, "quiet", 10)];
        events.extend((2..8).map(|second| event(second, "loud", large)));
        let kept: Vec<i64> = stored(events).iter().map(|event| event.at.as_second()).collect();
        assert_eq!(kept, [1, 5, 6, 7]);
    }
}

//! Who waits for which name: the rounds look there, so that such names are read at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::limits::MAX_WAITERS;
use crate::model::DomainName;

/// Names with the number of those who wait for them.
pub type Waited = BTreeMap<DomainName, usize>;

/// Keeps the list.
#[derive(Clone, Debug)]
pub struct Waiters {
    slots: Arc<Semaphore>,
    names: watch::Sender<Arc<Waited>>,
}

/// A place among those who wait; given up when dropped.
#[derive(Debug)]
pub struct Ticket {
    name: DomainName,
    names: watch::Sender<Arc<Waited>>,
    _slot: OwnedSemaphorePermit,
}

impl Waiters {
    /// Nobody waits. What is returned beside the list sees it change.
    #[must_use]
    pub fn new() -> (Self, watch::Receiver<Arc<Waited>>) {
        let (names, seen) = watch::channel(Arc::default());
        (Self { slots: Arc::new(Semaphore::new(MAX_WAITERS)), names }, seen)
    }

    /// Joins; `None` when [`MAX_WAITERS`] wait already.
    #[must_use]
    pub fn join(&self, name: &DomainName) -> Option<Ticket> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        self.names.send_modify(|names| *Arc::make_mut(names).entry(name.clone()).or_default() += 1);
        Some(Ticket { name: name.clone(), names: self.names.clone(), _slot: slot })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.names.send_modify(|names| {
            let names = Arc::make_mut(names);
            let left = names.remove(&self.name).unwrap_or_default().saturating_sub(1);
            if 0 < left {
                names.insert(self.name.clone(), left);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_listed_while_somebody_waits_and_places_are_few() {
        let (waiters, seen) = Waiters::new();
        let name = DomainName::new("app.example.com");
        let tickets: Vec<Ticket> = (0..MAX_WAITERS).map(|_| waiters.join(&name).expect("a place")).collect();
        assert!(waiters.join(&name).is_none());
        assert_eq!(seen.borrow().get(&name), Some(&MAX_WAITERS));
        drop(tickets);
        assert!(seen.borrow().is_empty());
        assert!(waiters.join(&name).is_some());
    }
}

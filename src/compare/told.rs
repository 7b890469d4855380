//! What was observed about each question name in a round. Pure.

use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::model::DomainName;
use crate::model::observation::Observation;
use crate::model::table::Table;

/// Observations by question name.
#[derive(Debug, Default)]
pub struct Told<'a>(Table<&'a DomainName, Looks<'a>>);

/// The observations of one name.
#[derive(Debug)]
enum Looks<'a> {
    /// As the view holds them, side by side: nearly always so, and nothing has to be kept for them.
    Together(&'a [Arc<Observation>]),
    /// From several places of the view, or not all of those in one.
    Apart(Vec<&'a Observation>),
}

// === impl Told ===

impl<'a> Told<'a> {
    /// Room for that many names.
    #[must_use]
    pub fn with_room(names: usize) -> Self {
        Self(Table::with_capacity_and_hasher(names, RandomState::default()))
    }

    /// Adds observations of one name that stand side by side.
    pub fn add(&mut self, name: &'a DomainName, looks: &'a [Arc<Observation>]) {
        self.0
            .entry(name)
            .and_modify(|known| known.extend(looks.iter().map(Arc::as_ref)))
            .or_insert(Looks::Together(looks));
    }

    /// Adds some of them.
    pub fn add_some(&mut self, name: &'a DomainName, looks: Vec<&'a Observation>) {
        if !looks.is_empty() {
            self.0.entry(name).or_insert(Looks::Apart(Vec::new())).extend(looks);
        }
    }

    /// All observations of a name, in the order of the view.
    pub fn about(&self, name: &DomainName) -> impl Iterator<Item = &'a Observation> + Clone + use<'_, 'a> {
        let (together, apart): (&'a [Arc<Observation>], &[&'a Observation]) = match self.0.get(name) {
            Some(Looks::Together(looks)) => (looks, &[]),
            Some(Looks::Apart(looks)) => (&[], looks),
            None => (&[], &[]),
        };
        together.iter().map(Arc::as_ref).chain(apart.iter().copied())
    }

    /// The names, in no order that means anything.
    pub fn names(&self) -> impl Iterator<Item = &'a DomainName> {
        self.0.keys().copied()
    }
}

// === impl Looks ===

impl<'a> Looks<'a> {
    fn extend(&mut self, more: impl IntoIterator<Item = &'a Observation>) {
        if let Self::Together(first) = self {
            *self = Self::Apart(first.iter().map(Arc::as_ref).collect());
        }
        if let Self::Apart(looks) = self {
            looks.extend(more);
        }
    }
}

//! What the optional sources of the feed hand on, and how they fare.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::change::{ChangeEvent, ControllerMetrics, Notice};
use crate::snapshot::Problem;

/// One delivery.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivery {
    /// Records of CloudTrail, in any order, perhaps not for the first time.
    Trail(Vec<ChangeEvent>),
    /// A reading of the metrics of a Pod.
    Metrics(ControllerMetrics),
    /// Events of the cluster, perhaps not for the first time.
    Notices(Vec<Notice>),
}

/// How the optional sources fare. Clones share the same figures.
#[derive(Clone, Debug, Default)]
pub struct SourceHealth(Arc<Mutex<Figures>>);

#[derive(Debug, Default)]
struct Figures {
    /// By source: whether its last reading was complete; `None` before the first.
    sources: BTreeMap<&'static str, Option<bool>>,
    /// By scope.
    problems: BTreeMap<String, Problem>,
    requests: BTreeMap<(&'static str, &'static str), u64>,
    set_aside: u64,
}

// === impl SourceHealth ===

impl SourceHealth {
    /// Says that a source is in use and has not been read yet.
    pub fn expect(&self, source: &'static str) {
        self.lock().sources.insert(source, None);
    }

    /// True once each source in use has been read, or could not be.
    #[must_use]
    pub fn spoke(&self) -> bool {
        self.lock().sources.values().all(Option::is_some)
    }

    /// A reading of a source ended; its problem is over, or is this one.
    pub fn ended(&self, source: &'static str, problem: Option<Problem>) {
        let mut figures = self.lock();
        figures.sources.insert(source, Some(problem.is_none()));
        let before = figures.problems.remove(source);
        if let Some(problem) = problem {
            // Once, and again only when it is another one.
            if before.as_ref() != Some(&problem) {
                tracing::warn!(source, problem = problem.message, "a source of changes cannot be read");
            }
            figures.problems.insert(source.to_owned(), problem);
        }
    }

    /// Replaces the problems of the parts of a source: those whose scope begins with it.
    pub fn replace_parts(&self, source: &'static str, problems: Vec<Problem>) {
        let mut figures = self.lock();
        let part_of = |scope: &str| scope.strip_prefix(source).is_some_and(|rest| rest.starts_with(' '));
        figures.problems.retain(|scope, _| !part_of(scope));
        figures.problems.extend(problems.into_iter().map(|problem| (problem.scope.clone(), problem)));
    }

    /// Counts a request to AWS.
    pub fn count(&self, operation: &'static str, outcome: &'static str) {
        let mut figures = self.lock();
        let count = figures.requests.entry((operation, outcome)).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts a message that could not be understood.
    pub fn set_aside(&self) {
        let mut figures = self.lock();
        figures.set_aside = figures.set_aside.saturating_add(1);
    }

    /// What is wrong now, sorted.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.lock().problems.values().cloned().collect()
    }

    /// Sources in use, and how many of them were read at last.
    #[must_use]
    pub fn sources(&self) -> (usize, usize) {
        let figures = self.lock();
        let read = figures.sources.values().filter(|read| **read == Some(true)).count();
        (figures.sources.len(), read)
    }

    /// Requests to AWS by operation and outcome.
    #[must_use]
    pub fn requests(&self) -> Vec<(&'static str, &'static str, u64)> {
        self.lock()
            .requests
            .iter()
            .map(|((operation, outcome), count)| (*operation, *outcome, *count))
            .collect()
    }

    /// Messages that could not be understood, since the start.
    #[must_use]
    pub fn messages_set_aside(&self) -> u64 {
        self.lock().set_aside
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

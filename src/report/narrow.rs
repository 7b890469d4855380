//! A report about one name. Pure.

use std::collections::BTreeSet;

use crate::finding::{State, Subject};
use crate::model::DomainName;
use crate::report::Report;

impl Report {
    /// Keeps the findings about a name, those that explain them, and what was kept quiet about it.
    pub fn narrow(&mut self, name: &DomainName) {
        let is_about = |subject: &Subject| subject.record().is_some_and(|key| key.name == *name);
        let own = self.findings.iter().filter(|finding| is_about(&finding.subject));
        let outer: BTreeSet<String> = own.filter_map(|finding| finding.explained_by.clone()).collect();
        self.findings.retain(|finding| is_about(&finding.subject) || outer.contains(&finding.id));
        self.silent.retain(|silent| is_about(&silent.subject));
        let count = |state| self.findings.iter().filter(|finding| finding.state == state).count();
        (self.summary.open, self.summary.pending) = (count(State::Open), count(State::Pending));
        self.summary.silent.clear();
        for silent in &self.silent {
            *self.summary.silent.entry(silent.reason).or_default() += 1;
        }
    }
}

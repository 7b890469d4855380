//! A report about one name. Pure.

use std::collections::BTreeSet;

use crate::finding::State;
use crate::model::DomainName;
use crate::report::Report;

impl Report {
    /// Keeps the findings about a name, those that explain them, and what was kept quiet about it.
    pub fn narrow(&mut self, name: &DomainName) {
        let own = self.findings.iter().filter(|finding| finding.subject.is_about(name));
        let outer: BTreeSet<String> = own.filter_map(|finding| finding.explained_by.clone()).collect();
        self.findings.retain(|finding| finding.subject.is_about(name) || outer.contains(&finding.id));
        self.silent.retain(|silent| silent.subject.is_about(name));
        let count = |state| self.findings.iter().filter(|finding| finding.state == state).count();
        (self.summary.open, self.summary.pending) = (count(State::Open), count(State::Pending));
        self.summary.silent.clear();
        for silent in &self.silent {
            *self.summary.silent.entry(silent.reason).or_default() += 1;
        }
    }
}

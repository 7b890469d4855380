//! What a report says about one name. Pure.

use crate::finding::{State, Subject};
use crate::model::DomainName;
use crate::model::object::team;
use crate::report::{Finding, Report, ZoneReport};

impl Finding {
    /// Who looks after the object: the label `team`, with or without a prefix.
    #[must_use]
    pub fn team(&self) -> Option<&str> {
        team(self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

impl Report {
    /// The hosted zones that could hold the name: those with the longest matching zone name.
    #[must_use]
    pub fn zones_for(&self, name: &DomainName) -> Vec<&ZoneReport> {
        let holds = |zone: &&ZoneReport| name.is_within(&zone.zone.name);
        let depth = |zone: &ZoneReport| zone.zone.name.labels().count();
        let deepest = self.zones.iter().filter(holds).map(depth).max();
        self.zones.iter().filter(holds).filter(|zone| Some(depth(zone)) == deepest).collect()
    }

    /// Open findings that bear on the name without being about it: those that explain its own, and
    /// those of its hosted zone.
    #[must_use]
    pub fn bearing_on(&self, name: &DomainName, own: &[&Finding]) -> Vec<&Finding> {
        let zones = self.zones_for(name);
        let explains =
            |finding: &Finding| own.iter().any(|own| own.explained_by.as_ref() == Some(&finding.id));
        let is_of_zone = |finding: &Finding| matches!(&finding.subject, Subject::Zone(zone) if zones.iter().any(|known| known.zone.name == *zone));
        self.findings
            .iter()
            .filter(|finding| finding.state == State::Open && !finding.subject.is_about(name))
            .filter(|finding| explains(finding) || is_of_zone(finding))
            .collect()
    }
}

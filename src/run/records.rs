//! The state of every wanted record, for those who want a series for each.

use std::collections::BTreeSet;

use crate::finding::State;
use crate::model::want::InstanceWants;
use crate::model::zone::Zones;
use crate::publish::cost::{RecordState, RecordStates};
use crate::report::Report;

/// Wanted records in zones, in the order of the wishes, as many as may have series.
pub(super) fn states(
    wants: &[InstanceWants],
    zones: Option<&Zones>,
    report: &Report,
    max: usize,
) -> RecordStates {
    let present = report.findings.iter().filter(|finding| finding.state != State::Resolved);
    let faulty: BTreeSet<_> = present
        .filter_map(|finding| Some((finding.subject.record()?, finding.zone.as_ref().map(|zone| &zone.id))))
        .collect();
    let all = wants.iter().flat_map(|one| one.wants.iter().map(|want| (&one.instance.id, want)));
    let mut states = RecordStates::default();
    for (owner, want) in all {
        let Some(zone_id) = want.zone_id() else { continue };
        if max <= states.rows.len() {
            states.omitted += 1;
            continue;
        }
        let key = want.key();
        let zone = zones.and_then(|zones| zones.zones.get(zone_id));
        let in_sync = !faulty.contains(&(&key, Some(zone_id)));
        states.rows.push(RecordState {
            zone: zone.map(|reading| reading.zone.name.clone()),
            zone_id: zone_id.clone(),
            owner_id: owner.clone(),
            in_sync,
            key,
        });
    }
    states
}

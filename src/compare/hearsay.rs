//! Kubernetes Events as weak evidence: a line under a finding that holds without them. Pure.
//!
//! ExternalDNS writes `RecordError` for every change of a failed plan, the good ones too. So an Event
//! makes no finding and no cause. Source: findings.md section 4.

use crate::compare::verdict::Candidate;
use crate::compare::world::World;
use crate::finding::Subject;
use crate::limits::MAX_EVIDENCE;
use crate::model::ObjectRef;
use crate::model::change::Notice;

/// Adds what ExternalDNS says about the record of a finding, once.
pub fn attach(world: &World<'_>, candidate: &mut Candidate) {
    let (Subject::Record(key), Some(object)) = (&candidate.key.subject, &candidate.object) else { return };
    let about = |notice: &&Notice| {
        notice.name == key.name
            && notice.record_type.as_ref().is_none_or(|kind| *kind == key.record_type)
            && same_object(&notice.object, object)
    };
    let notices = world.snapshot.changes.value().into_iter().flat_map(|feed| &feed.notices);
    let newest = notices.filter(about).max_by_key(|notice| notice.at);
    if let Some(notice) = newest
        && candidate.evidence.len() < MAX_EVIDENCE
    {
        let text = format!(
            "an Event of ExternalDNS, at {}, which alone proves nothing: RecordError {}",
            notice.at, notice.message
        );
        candidate.evidence.push(text);
    }
}

/// Events tell a kind without its group.
fn same_object(told: &ObjectRef, object: &ObjectRef) -> bool {
    let word = object.kind.split(|letter: char| !letter.is_ascii_alphanumeric()).next();
    told.namespace == object.namespace && told.name == object.name && word == Some(&*told.kind)
}

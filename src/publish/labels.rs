//! The labels of one finding.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::finding::Subject;
use crate::limits::MAX_NAME;
use crate::model::text::{printable, truncate};
use crate::publish::catalogue::FINDING_LABELS;
use crate::report::Finding;

/// Name and value pairs in the order of the exposition, without empty values.
pub(crate) type Labels = Vec<(Cow<'static, str>, String)>;

/// Builds [`Labels`]: the only place where a label value is made, so that all are bounded and
/// printable.
#[derive(Clone, Debug, Default)]
pub(crate) struct LabelSet(Labels);

// === impl LabelSet ===

impl LabelSet {
    /// Adds a label; an empty value is left out, which is the same to PromQL.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.push(Cow::Borrowed(name), value);
        self
    }

    pub(crate) fn into_labels(self) -> Labels {
        self.0
    }

    fn push(&mut self, name: Cow<'static, str>, value: &str) {
        if !value.is_empty() {
            // Nearly all are short, and there are tens of thousands of them in a scrape.
            let value = if value.len() <= MAX_NAME {
                printable(value)
            } else {
                printable(&truncate(value, MAX_NAME))
            };
            self.0.push((name, value));
        }
    }
}

/// All labels of `dns_drift_finding`.
pub(crate) fn of_finding(finding: &Finding) -> Labels {
    let set = classified(finding)
        .with("severity", finding.severity.as_str())
        .with("impact", finding.impact.as_str())
        .with("state", finding.state.as_str());
    copied(set, finding)
}

/// The labels that stay the same while a finding lasts, for its time stamp.
pub(crate) fn of_first_seen(finding: &Finding) -> Labels {
    copied(classified(finding), finding)
}

fn classified(finding: &Finding) -> LabelSet {
    let cause = finding.cause.as_ref().map(ToString::to_string).unwrap_or_default();
    subject(finding)
        .with("kind", finding.kind.as_str())
        .with("reason", finding.reason.as_str())
        .with("cause", &cause)
}

/// What the finding is about. Two subjects never give the same labels: only a record has a
/// `name`, only a source a `view`.
fn subject(finding: &Finding) -> LabelSet {
    let record = finding.subject.record();
    let zone = match (&finding.zone, &finding.subject) {
        (Some(zone), _) => zone.name.as_str(),
        (None, Subject::Zone(name)) => name.as_str(),
        (None, _) => "",
    };
    let owner = match (&finding.instance, &finding.subject) {
        (Some(instance), _) | (None, Subject::Instance(instance)) => instance,
        (None, _) => "",
    };
    let object = match (&finding.object, &finding.subject) {
        (Some(object), _) | (None, Subject::Object(object)) => Some(object),
        (None, _) => None,
    };
    let view = if let Subject::Source(view) = &finding.subject { view.as_str() } else { "" };
    LabelSet(Vec::with_capacity(FINDING_LABELS.len()))
        .with("name", record.map_or("", |key| key.name.as_str()))
        .with("record_type", record.map_or("", |key| key.record_type.as_str()))
        .with("set_identifier", record.and_then(|key| key.set_identifier.as_deref()).unwrap_or_default())
        .with("zone", zone)
        .with("zone_id", finding.zone.as_ref().map_or("", |zone| zone.id.as_str()))
        .with("owner_id", owner)
        .with("object_kind", object.map_or("", |object| &object.kind))
        .with("object_namespace", object.map_or("", |object| &object.namespace))
        .with("object", object.map_or("", |object| &object.name))
        .with("view", view)
}

/// Adds the labels copied from the object. Two that differ only in characters which a label name
/// cannot have would meet under one name; the first one stays.
fn copied(mut set: LabelSet, finding: &Finding) -> Labels {
    let mut copied: BTreeMap<String, &str> = BTreeMap::new();
    for (name, value) in &finding.labels {
        copied.entry(label_name(name)).or_insert(value);
    }
    for (name, value) in copied {
        set.push(Cow::Owned(name), value);
    }
    set.into_labels()
}

/// `app.kubernetes.io/team` becomes `label_app_kubernetes_io_team`.
fn label_name(key: &str) -> String {
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    format!("label_{}", truncate(key, 128).chars().map(plain).collect::<String>())
}

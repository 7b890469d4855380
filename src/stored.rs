//! Forms of values in the state file that differ from their forms in reports. Pure.
//!
//! Reports show a subject as one word; a file that is read again needs its parts.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::finding::{Kind, Subject};
use crate::model::{DomainName, ObjectRef, RecordKey};
use crate::snapshot::ViewName;

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredSubject {
    Record(RecordKey),
    Zone(DomainName),
    Instance(std::sync::Arc<str>),
    Object(ObjectRef),
    Source(ViewName),
}

impl From<&Subject> for StoredSubject {
    fn from(subject: &Subject) -> Self {
        match subject.clone() {
            Subject::Record(key) => Self::Record(key),
            Subject::Zone(name) => Self::Zone(name),
            Subject::Instance(id) => Self::Instance(id),
            Subject::Object(object) => Self::Object(object),
            Subject::Source(view) => Self::Source(view),
        }
    }
}

impl From<StoredSubject> for Subject {
    fn from(stored: StoredSubject) -> Self {
        match stored {
            StoredSubject::Record(key) => Self::Record(key),
            StoredSubject::Zone(name) => Self::Zone(name),
            StoredSubject::Instance(id) => Self::Instance(id),
            StoredSubject::Object(object) => Self::Object(object),
            StoredSubject::Source(view) => Self::Source(view),
        }
    }
}

/// A subject.
pub(crate) mod subject {
    use super::{Deserialize, Deserializer, Serialize, Serializer, StoredSubject, Subject};

    pub(crate) fn serialize<S: Serializer>(subject: &Subject, serializer: S) -> Result<S::Ok, S::Error> {
        StoredSubject::from(subject).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Subject, D::Error> {
        StoredSubject::deserialize(deserializer).map(Subject::from)
    }
}

/// A subject with its kind, if there is one.
pub(crate) mod statement {
    use super::{Deserialize, Deserializer, Kind, Serialize, Serializer, StoredSubject, Subject};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub(crate) fn serialize<S: Serializer>(
        statement: &Option<(Subject, Kind)>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let stored = statement.as_ref().map(|(subject, kind)| (StoredSubject::from(subject), *kind));
        stored.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<(Subject, Kind)>, D::Error> {
        let stored = Option::<(StoredSubject, Kind)>::deserialize(deserializer)?;
        Ok(stored.map(|(subject, kind)| (subject.into(), kind)))
    }
}

/// A map whose keys are no texts: a list of pairs.
pub(crate) mod pairs {
    use std::collections::BTreeMap;

    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Vec::<(K, V)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}

/// The views that a statement rests on; statements only ever name fixed sets.
pub(crate) mod views {
    use super::{Deserialize, Deserializer, Serialize, Serializer, ViewName};
    use ViewName::{Changes, Dns, Kubernetes, Route53};

    /// Every set, each in reading order.
    const SETS: [&[ViewName]; 16] = [
        &[],
        &[Kubernetes],
        &[Route53],
        &[Kubernetes, Route53],
        &[Dns],
        &[Kubernetes, Dns],
        &[Route53, Dns],
        &[Kubernetes, Route53, Dns],
        &[Changes],
        &[Kubernetes, Changes],
        &[Route53, Changes],
        &[Kubernetes, Route53, Changes],
        &[Dns, Changes],
        &[Kubernetes, Dns, Changes],
        &[Route53, Dns, Changes],
        &[Kubernetes, Route53, Dns, Changes],
    ];

    pub(crate) fn serialize<S: Serializer>(
        views: &&'static [ViewName],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        views.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<&'static [ViewName], D::Error> {
        let mut views = Vec::<ViewName>::deserialize(deserializer)?;
        views.sort_unstable();
        views.dedup();
        let set = SETS.into_iter().find(|set| *set == views.as_slice());
        set.ok_or_else(|| super::no_such("set of views"))
    }
}

fn no_such<E: serde::de::Error>(what: &str) -> E {
    E::custom(format!("no such {what}"))
}

/// Reads a word of a closed vocabulary.
pub(crate) fn word<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    read(&text).ok_or_else(|| {
        D::Error::custom(format!("no such word: {:?}", text.chars().take(60).collect::<String>()))
    })
}

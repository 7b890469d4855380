//! The values of a record set. Pure.

use std::ops::Deref;

use serde::{Serialize, Serializer};

use crate::model::record::Value;

/// Values, sorted and without duplicates. Nearly every record set has one, and there are hundreds of thousands:
/// one takes no memory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values(Held);

/// Equal values are held in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    One(Value),
    Other(Box<[Value]>),
}

impl Values {
    /// The values, to replace each by an equal one.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [Value] {
        match &mut self.0 {
            Held::One(value) => std::slice::from_mut(value),
            Held::Other(values) => values,
        }
    }
}

impl FromIterator<Value> for Values {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return Self(Held::Other(Box::default())) };
        let Some(second) = values.next() else { return Self(Held::One(first)) };
        let mut all: Vec<Value> = [first, second].into_iter().chain(values).collect();
        all.sort();
        all.dedup();
        match <[Value; 1]>::try_from(all) {
            Ok([one]) => Self(Held::One(one)),
            Err(all) => Self(Held::Other(all.into())),
        }
    }
}

impl Deref for Values {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        match &self.0 {
            Held::One(value) => std::slice::from_ref(value),
            Held::Other(values) => values,
        }
    }
}

impl<'a> IntoIterator for &'a Values {
    type Item = &'a Value;
    type IntoIter = std::slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordType;

    fn values(texts: &[&str]) -> Values {
        texts.iter().map(|text| Value::new(&RecordType::A, text)).collect()
    }

    #[test]
    fn they_are_a_set_however_many() {
        let shown = |texts: &[&str]| values(texts).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&[]), [""; 0]);
        assert_eq!(shown(&["192.0.2.1"]), ["192.0.2.1"]);
        assert_eq!(shown(&["192.0.2.2", "192.0.2.1", "192.0.2.2"]), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(values(&["192.0.2.1", "192.0.2.1"]), values(&["192.0.2.1"]));
        assert_ne!(values(&["192.0.2.1"]), values(&[]));
        let mut changed = values(&["192.0.2.1", "192.0.2.2"]);
        changed.as_mut_slice().iter_mut().for_each(|value| *value = Value::Text("x".into()));
        assert!(changed.into_iter().all(|value| *value == Value::Text("x".into())));
    }

    #[test]
    fn one_value_takes_no_more_than_itself() {
        assert_eq!(size_of::<Values>(), size_of::<Value>());
    }
}

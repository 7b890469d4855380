//! Reading an object of the API without its largest useless parts: they are skipped while
//! parsing and never take memory. Pure.

use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// kubectl's copy of the whole object.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Where in an object a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The object itself.
    Object,
    /// `metadata`.
    Meta,
    /// `metadata.annotations`.
    Annotations,
    /// `metadata.managedFields`.
    Managers,
    /// One row of them.
    Manager,
    /// Anywhere else.
    Elsewhere,
}

impl Place {
    /// The place of a member; `None` for one that is skipped.
    fn member(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Object, "metadata") => Some(Self::Meta),
            (Self::Meta, "annotations") => Some(Self::Annotations),
            (Self::Meta, "managedFields") => Some(Self::Managers),
            (Self::Annotations, LAST_APPLIED) | (Self::Manager, "fieldsV1") => None,
            _ => Some(Self::Elsewhere),
        }
    }

    fn element(self) -> Self {
        if self == Self::Managers { Self::Manager } else { Self::Elsewhere }
    }
}

impl<'de> DeserializeSeed<'de> for Place {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self {
            Self::Elsewhere => Value::deserialize(deserializer),
            Self::Object | Self::Meta | Self::Annotations | Self::Managers | Self::Manager => {
                deserializer.deserialize_any(self)
            }
        }
    }
}

impl<'de> Visitor<'de> for Place {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(self.element())? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            match self.member(&key) {
                Some(place) => {
                    let value = access.next_value_seed(place)?;
                    members.insert(key, value);
                }
                None => drop(access.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pruned(text: &str) -> Value {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        Place::Object.deserialize(&mut deserializer).expect("read")
    }

    #[test]
    fn only_the_large_parts_are_left_out() {
        let object = json!({"metadata": {"annotations": {LAST_APPLIED: "{}", "a": "b"}, "generation": 2,
            "managedFields": [{"time": "2026-11-22T10:01:00Z", "fieldsV1": {"f:spec": {}}}, 7]},
            "spec": {"metadata": {"annotations": {LAST_APPLIED: "kept"}}, "x": [1, -2, 1.5, null, true]}});
        let expected = json!({"metadata": {"annotations": {"a": "b"}, "generation": 2,
            "managedFields": [{"time": "2026-11-22T10:01:00Z"}, 7]},
            "spec": {"metadata": {"annotations": {LAST_APPLIED: "kept"}}, "x": [1, -2, 1.5, null, true]}});
        assert_eq!(pruned(&object.to_string()), expected);
        assert_eq!(Place::Object.deserialize(object).expect("read"), expected);
    }

    #[test]
    fn odd_shapes_are_taken_as_they_are() {
        for text in ["null", "[1]", "true", "-3", "1.5", "\"x\"", r#"{"metadata":{"managedFields":"no"}}"#] {
            assert_eq!(pruned(text), serde_json::from_str::<Value>(text).expect("JSON"), "{text}");
        }
    }
}

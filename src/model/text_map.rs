//! A small sorted map of texts, as labels and annotations are.
//!
//! A `BTreeMap` takes half a kilobyte for its first entry. Tens of thousands of objects with a
//! handful of labels each are the common case here, and their keys repeat: they are shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Texts by text, sorted by key. Immutable but for sharing its texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextMap(Box<[(Arc<str>, Arc<str>)]>);

impl TextMap {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let place = self.0.binary_search_by(|(own, _)| (**own).cmp(key)).ok()?;
        self.0.get(place).map(|(_, value)| &**value)
    }

    /// True if the key is there, whatever its value.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Keys and values in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The shared text of the first value that is this one.
    #[must_use]
    pub fn shared_value(&self, text: &str) -> Option<&Arc<str>> {
        self.0.iter().map(|(_, value)| value).find(|value| ***value == *text)
    }

    /// Keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// True if there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A copy that can be changed.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Replaces each text by an equal one that is shared.
    pub fn share(&mut self, mut shared: impl FnMut(&Arc<str>) -> Arc<str>) {
        for (key, value) in &mut self.0 {
            *key = shared(key);
            *value = shared(value);
        }
    }
}

impl From<BTreeMap<String, String>> for TextMap {
    fn from(map: BTreeMap<String, String>) -> Self {
        Self(map.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl FromIterator<(String, String)> for TextMap {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(entries: I) -> Self {
        BTreeMap::from_iter(entries).into()
    }
}

impl Serialize for TextMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for TextMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, String>::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_map() {
        let text = r#"{"b":"2","a":"1","":""}"#;
        let map: TextMap = serde_json::from_str(text).expect("read");
        assert_eq!(map.keys().collect::<Vec<_>>(), ["", "a", "b"]);
        assert_eq!((map.get("b"), map.get("c")), (Some("2"), None));
        assert!(map.contains_key("") && !map.is_empty());
        assert_eq!((map.shared_value("2").map(|value| &**value), map.shared_value("b")), (Some("2"), None));
        assert_eq!(serde_json::to_string(&map).expect("written"), r#"{"":"","a":"1","b":"2"}"#);
        assert_eq!(TextMap::from(map.to_map()), map);
    }
}

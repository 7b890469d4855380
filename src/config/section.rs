//! Reads a tree of configuration values, and collects every mistake with its path.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value};

use crate::model::text::printable;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Where, for example `dns.resolvers[0].address`; empty for the whole file.
    pub path: String,
    /// What is wrong, printable.
    pub text: String,
}

/// Mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(RefCell<Vec<Mistake>>);

/// One mapping, with the keys that were asked for.
pub(super) struct Section<'a> {
    path: String,
    map: Option<&'a Map<String, Value>>,
    asked: RefCell<BTreeSet<&'static str>>,
    mistakes: &'a Mistakes,
}

// === impl Mistake ===

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.text) } else { write!(f, "{}: {}", self.path, self.text) }
    }
}

// === impl Mistakes ===

impl Mistakes {
    pub(super) fn add(&self, path: &str, text: &str) {
        self.0.borrow_mut().push(Mistake { path: path.to_owned(), text: printable(text) });
    }

    pub(super) fn into_sorted(self) -> Vec<Mistake> {
        let mut all = self.0.into_inner();
        all.sort();
        all.dedup();
        all
    }
}

// === impl Section ===

impl<'a> Section<'a> {
    pub(super) fn root(value: &'a Value, mistakes: &'a Mistakes) -> Self {
        Self::of(String::new(), Some(value), mistakes)
    }

    fn of(path: String, value: Option<&'a Value>, mistakes: &'a Mistakes) -> Self {
        let map = match value {
            None | Some(Value::Null) => None,
            Some(Value::Object(map)) => Some(map),
            Some(other) => {
                mistakes.add(&path, &format!("expected a mapping, found {}", shape(other)));
                None
            }
        };
        Self { path, map, asked: RefCell::default(), mistakes }
    }

    /// True if the mapping stands in the file.
    pub(super) fn is_there(&self) -> bool {
        self.map.is_some()
    }

    pub(super) fn section(&self, key: &'static str) -> Self {
        Section::of(self.path_of(key), self.get(key), self.mistakes)
    }

    /// The mappings of a list.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Self> {
        let path = self.path_of(key);
        let list = self.list(key);
        let numbered = list.iter().enumerate();
        numbered
            .map(|(index, value)| Section::of(format!("{path}[{index}]"), Some(value), self.mistakes))
            .collect()
    }

    pub(super) fn list(&self, key: &'static str) -> &'a [Value] {
        match self.get(key) {
            None => &[],
            Some(Value::Array(list)) => list,
            Some(other) => {
                self.wrong(key, &format!("expected a list, found {}", shape(other)));
                &[]
            }
        }
    }

    pub(super) fn texts(&self, key: &'static str) -> Vec<String> {
        let mut all = Vec::new();
        for (index, value) in self.list(key).iter().enumerate() {
            match scalar(value) {
                Some(text) => all.push(text),
                None => self.mistakes.add(
                    &format!("{}[{index}]", self.path_of(key)),
                    &format!("expected text, found {}", shape(value)),
                ),
            }
        }
        all
    }

    /// Each text of a list as a value of its own type.
    pub(super) fn parsed_list<T: FromStr>(&self, key: &'static str) -> Vec<T>
    where
        T::Err: fmt::Display,
    {
        let mut all = Vec::new();
        for (index, text) in self.texts(key).iter().enumerate() {
            match text.parse() {
                Ok(value) => all.push(value),
                Err(error) => {
                    let path = format!("{}[{index}]", self.path_of(key));
                    self.mistakes.add(&path, &format!("{text:?}: {error}"));
                }
            }
        }
        all
    }

    pub(super) fn text(&self, key: &'static str) -> Option<String> {
        let value = self.get(key)?;
        let text = scalar(value);
        if text.is_none() {
            self.wrong(key, &format!("expected text, found {}", shape(value)));
        }
        text
    }

    pub(super) fn parsed<T: FromStr>(&self, key: &'static str) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        let text = self.text(key)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(key, &format!("{text:?}: {error}"));
                None
            }
        }
    }

    pub(super) fn required<T: FromStr>(&self, key: &'static str) -> Option<T>
    where
        T::Err: fmt::Display,
    {
        if self.get(key).is_none() {
            self.wrong(key, "is required");
        }
        self.parsed(key)
    }

    pub(super) fn flag(&self, key: &'static str) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" => false,
            Some(other) => {
                self.wrong(key, &format!("expected true or false, found {}", shape(other)));
                false
            }
        }
    }

    /// `90s`, `5m`, `1h30m`, or a number of seconds; between the two bounds.
    pub(super) fn duration(&self, key: &'static str, least: u64, most: u64) -> Option<Duration> {
        let text = self.text(key)?;
        let seconds = text.parse::<u64>().map(Duration::from_secs).ok();
        let parsed = || text.parse::<SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok());
        let Some(length) = seconds.or_else(parsed) else {
            self.wrong(key, &format!("{text:?} is no duration like 90s, 5m or 1h30m"));
            return None;
        };
        if length < Duration::from_secs(least) || Duration::from_secs(most) < length {
            self.wrong(key, &format!("{text} is out of range: {least}s to {most}s"));
            return None;
        }
        Some(length)
    }

    pub(super) fn wrong(&self, key: &str, text: &str) {
        self.mistakes.add(&self.path_of(key), text);
    }

    /// Names keys that nobody asked for. Call last.
    pub(super) fn finish(self) {
        let asked = self.asked.borrow();
        for key in self.map.into_iter().flat_map(Map::keys) {
            if asked.contains(key.as_str()) {
                continue;
            }
            let near = asked.iter().find(|known| 0.7 < strsim::normalized_levenshtein(known, key));
            let hint = near.map(|known| format!("; did you mean {known}?")).unwrap_or_default();
            self.wrong(key, &format!("unknown key{hint}"));
        }
    }

    fn get(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key);
        self.map?.get(key).filter(|value| !value.is_null())
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

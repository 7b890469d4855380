//! Label and field selectors.

use serde_json::Value;

/// A parsed selector; the empty one selects everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector(Vec<Requirement>);

#[derive(Clone, Debug)]
struct Requirement {
    key: String,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    Present,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
}

// === impl Selector ===

impl Selector {
    /// Parses `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    pub(super) fn parse(text: &str) -> Self {
        Self(split(text).iter().map(|part| Requirement::parse(part.trim())).collect())
    }

    /// True if every requirement holds; `lookup` gives the value of a key.
    pub(super) fn selects<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|requirement| {
            let value = lookup(&requirement.key);
            match &requirement.wanted {
                Wanted::Present => value.is_some(),
                Wanted::Absent => value.is_none(),
                Wanted::In(values) => value.is_some_and(|value| values.iter().any(|v| v == value)),
                Wanted::NotIn(values) => value.is_none_or(|value| values.iter().all(|v| v != value)),
            }
        })
    }
}

impl Requirement {
    fn parse(text: &str) -> Self {
        let of = |key: &str, wanted| Self { key: key.trim().to_owned(), wanted };
        let one = |value: &str| vec![value.trim().to_owned()];
        let list = |values: &str| {
            values.trim().trim_matches(['(', ')']).split(',').map(|value| value.trim().to_owned()).collect()
        };
        if let Some((key, value)) = text.split_once("!=") {
            of(key, Wanted::NotIn(one(value)))
        } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            of(key, Wanted::In(one(value)))
        } else if let Some((key, values)) = text.split_once(" notin ") {
            of(key, Wanted::NotIn(list(values)))
        } else if let Some((key, values)) = text.split_once(" in ") {
            of(key, Wanted::In(list(values)))
        } else if let Some(key) = text.strip_prefix('!') {
            of(key, Wanted::Absent)
        } else {
            of(text, Wanted::Present)
        }
    }
}

/// What a list or watch asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// `None` means all namespaces.
    pub(super) namespace: Option<String>,
    pub(super) labels: Selector,
    pub(super) fields: Selector,
}

// === impl Filter ===

impl Filter {
    pub(super) fn selects(&self, object: &Value) -> bool {
        let meta = |key: &str| object.get("metadata")?.get(key)?.as_str();
        self.namespace.as_deref().is_none_or(|own| meta("namespace") == Some(own))
            && self.labels.selects(|key| object.get("metadata")?.get("labels")?.get(key)?.as_str())
            && self.fields.selects(|key| key.split('.').try_fold(object, |at, part| at.get(part))?.as_str())
    }
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut current = String::new();
    let mut inside = false;
    for character in text.chars() {
        match character {
            ',' if !inside => parts.push(std::mem::take(&mut current)),
            _ => {
                inside = match character {
                    '(' => true,
                    ')' => false,
                    _ => inside,
                };
                current.push(character);
            }
        }
    }
    parts.push(current);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_by_labels() {
        let check = |selector: &str, expected: bool| {
            let lookup = |key: &str| match key {
                "app" => Some("external-dns"),
                "tier" => Some("infra"),
                _ => None,
            };
            assert_eq!(Selector::parse(selector).selects(lookup), expected, "{selector}");
        };
        check("", true);
        check("app=external-dns,tier==infra", true);
        check("app!=external-dns", false);
        check("app in (a, external-dns),!missing", true);
        check("tier notin (infra)", false);
        check("missing", false);
        check("missing!=x,app", true);
    }
}

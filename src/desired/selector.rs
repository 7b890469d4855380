//! Label selectors, as `--label-filter` and `--annotation-filter` use them. Pure.
//!
//! Source: Kubernetes documentation, "Labels and Selectors"; k8s.io/apimachinery/pkg/labels.

use crate::model::TextMap;

/// A parsed selector; matches when every requirement holds. The empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
    Greater(String, i64),
    Less(String, i64),
}

/// The text is no selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a label selector (example: env=prod,tier in (web, api),!legacy)")]
pub struct ParseSelectorError(pub String);

impl Selector {
    /// Parses a selector.
    ///
    /// # Errors
    ///
    /// When a requirement has none of the documented forms.
    pub fn parse(text: &str) -> Result<Self, ParseSelectorError> {
        split_outside_brackets(text)
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| {
                requirement(part).ok_or_else(|| ParseSelectorError(crate::model::text::truncate(text, 200)))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// True if every requirement holds for these labels (or annotations).
    #[must_use]
    pub fn matches(&self, labels: &TextMap) -> bool {
        self.0.iter().all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    fn holds(&self, labels: &TextMap) -> bool {
        let number = |key: &str| labels.get(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::In(key, values) => {
                labels.get(key).is_some_and(|value| values.iter().any(|one| one == value))
            }
            Self::NotIn(key, values) => {
                labels.get(key).is_none_or(|value| !values.iter().any(|one| one == value))
            }
            Self::Exists(key) => labels.contains_key(key),
            Self::Missing(key) => !labels.contains_key(key),
            Self::Greater(key, bound) => number(key).is_some_and(|value| *bound < value),
            Self::Less(key, bound) => number(key).is_some_and(|value| value < *bound),
        }
    }
}

fn split_outside_brackets(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    text.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
}

fn requirement(part: &str) -> Option<Requirement> {
    if let Some(key) = part.strip_prefix('!') {
        return Some(Requirement::Missing(word(key)?));
    }
    for (operator, make) in OPERATORS {
        if let Some((key, value)) = part.split_once(operator) {
            return Some(make(word(key)?, value.trim()));
        }
    }
    if let Some((key, bound)) = part.split_once('>') {
        return Some(Requirement::Greater(word(key)?, bound.trim().parse().ok()?));
    }
    if let Some((key, bound)) = part.split_once('<') {
        return Some(Requirement::Less(word(key)?, bound.trim().parse().ok()?));
    }
    let mut words = part.splitn(2, char::is_whitespace);
    let key = words.next()?;
    let Some(rest) = words.next().map(str::trim) else { return Some(Requirement::Exists(word(key)?)) };
    if let Some(set) = rest.strip_prefix("notin") {
        return Some(Requirement::NotIn(word(key)?, values(set)?));
    }
    Some(Requirement::In(word(key)?, values(rest.strip_prefix("in")?)?))
}

type Make = fn(String, &str) -> Requirement;

/// Longest operator first, so that `==` and `!=` are not read as `=`.
const OPERATORS: [(&str, Make); 3] = [
    ("!=", |key, value| Requirement::NotIn(key, vec![value.to_owned()])),
    ("==", |key, value| Requirement::In(key, vec![value.to_owned()])),
    ("=", |key, value| Requirement::In(key, vec![value.to_owned()])),
];

fn word(text: &str) -> Option<String> {
    let text = text.trim();
    let legal = |character: char| character.is_ascii_alphanumeric() || "-_./".contains(character);
    (!text.is_empty() && text.chars().all(legal)).then(|| text.to_owned())
}

fn values(text: &str) -> Option<Vec<String>> {
    let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    Some(inner.split(',').map(|value| value.trim().to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects() {
        let labels =
            TextMap::from_iter([("env".to_owned(), "prod".to_owned()), ("n".to_owned(), "5".to_owned())]);
        let check = |text: &str, expected: bool| {
            assert_eq!(Selector::parse(text).expect(text).matches(&labels), expected, "{text}");
        };
        check("", true);
        check("env=prod", true);
        check("env==prod,n in (4, 5)", true);
        check("env!=prod", false);
        check("env notin (dev,test)", true);
        check("other notin (dev)", true);
        check("!other", true);
        check("env", true);
        check("other", false);
        check("n>4,n<6", true);
    }

    #[test]
    fn refuses_what_is_no_selector() {
        for text in ["env in prod", "=x", "a b c", "a>x"] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}

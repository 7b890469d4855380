//! The filter of the list of findings: words in the URL, so that a view can be sent to somebody.

use std::collections::BTreeSet;
use std::fmt::Display;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::finding::{Kind, Severity, State, Subject};
use crate::limits::{MAX_FILTER_TEXT, MAX_SUGGESTIONS};
use crate::model::DomainName;
use crate::model::text::truncate;
use crate::report::{Finding, Report};

/// As it stands in the URL. An empty word narrows nothing down; unknown parameters are nobody's.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct Filter {
    pub(super) q: String,
    pub(super) state: String,
    pub(super) severity: String,
    pub(super) kind: String,
    pub(super) zone: String,
    pub(super) namespace: String,
    pub(super) team: String,
    pub(super) instance: String,
    pub(super) page: String,
}

/// One value of a menu.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) value: &'static str,
    pub(super) chosen: bool,
}

/// What may be chosen.
#[derive(Debug)]
pub(super) struct Choices {
    pub(super) states: Vec<Choice>,
    pub(super) severities: Vec<Choice>,
    pub(super) kinds: Vec<Choice>,
    pub(super) zones: Vec<String>,
    pub(super) namespaces: Vec<String>,
    pub(super) teams: Vec<String>,
}

// === impl Filter ===

impl Filter {
    /// Bounded and without space at the ends.
    pub(super) fn tidy(&self) -> Self {
        Self {
            q: tidy(&self.q),
            state: tidy(&self.state),
            severity: tidy(&self.severity),
            kind: tidy(&self.kind),
            zone: tidy(&self.zone),
            namespace: tidy(&self.namespace),
            team: tidy(&self.team),
            instance: tidy(&self.instance),
            page: tidy(&self.page),
        }
    }

    fn words(&self) -> [(&'static str, &str); 8] {
        [
            ("q", &self.q),
            ("state", &self.state),
            ("severity", &self.severity),
            ("kind", &self.kind),
            ("zone", &self.zone),
            ("namespace", &self.namespace),
            ("team", &self.team),
            ("instance", &self.instance),
        ]
    }

    /// True if it narrows anything down.
    pub(super) fn narrows(&self) -> bool {
        self.words().iter().any(|(_, value)| !value.is_empty())
    }

    /// The URL of a page of the same list.
    pub(super) fn url(&self, page: usize) -> String {
        address("/", &self.words(), page)
    }

    /// The findings that pass, in the order of the report.
    pub(super) fn select<'a>(&self, report: &'a Report) -> Vec<&'a Finding> {
        let zone = DomainName::new(&self.zone);
        let text = self.q.to_lowercase();
        report.findings.iter().filter(|finding| self.takes(finding, &zone, &text)).collect()
    }

    fn takes(&self, finding: &Finding, zone: &DomainName, text: &str) -> bool {
        let is = |word: &str, value: &str| word.is_empty() || word == value;
        is(&self.state, finding.state.as_str())
            && is(&self.severity, finding.severity.as_str())
            && is(&self.kind, finding.kind.as_str())
            && is(&self.instance, finding.instance.as_deref().unwrap_or_default())
            && is(&self.namespace, finding.object.as_ref().map_or("", |object| &object.namespace))
            && is(&self.team, finding.team().unwrap_or_default())
            && (self.zone.is_empty() || in_zone(finding, &self.zone, zone))
            && (text.is_empty() || says(finding, text))
    }

    /// What may be chosen with this report.
    pub(super) fn choices(&self, report: &Report) -> Choices {
        fn menu<T>(all: &[T], word: fn(&T) -> &'static str, chosen: &str) -> Vec<Choice> {
            all.iter().map(|one| Choice { value: word(one), chosen: word(one) == chosen }).collect()
        }
        let findings = || report.findings.iter();
        Choices {
            states: menu(State::ALL, |state| state.as_str(), &self.state),
            severities: menu(Severity::ALL, |severity| severity.as_str(), &self.severity),
            kinds: menu(Kind::ALL, |kind| kind.as_str(), &self.kind),
            zones: some(report.zones.iter().map(|zone| zone.zone.name.as_str())),
            namespaces: some(findings().filter_map(|finding| Some(&*finding.object.as_ref()?.namespace))),
            teams: some(findings().filter_map(Finding::team)),
        }
    }
}

/// The words of a closed set.
pub(super) fn menu<T>(all: &[T], word: fn(&T) -> &'static str, chosen: &str) -> Vec<Choice> {
    all.iter().map(|one| Choice { value: word(one), chosen: word(one) == chosen }).collect()
}

/// The URL of a page of a list that is narrowed down by words.
pub(super) fn address(path: &str, words: &[(&'static str, &str)], page: usize) -> String {
    let number = page.to_string();
    let page = if 1 < page { number.as_str() } else { "" };
    let pairs: Vec<String> = words
        .iter()
        .copied()
        .chain([("page", page)])
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}

/// Words to suggest, sorted and each once.
pub(super) fn some<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    for word in words.filter(|word| !word.is_empty()) {
        if MAX_SUGGESTIONS <= seen.len() {
            break;
        }
        seen.insert(word);
    }
    seen.into_iter().map(str::to_owned).collect()
}

/// Bounded and without space at the ends.
pub(super) fn tidy(text: &str) -> String {
    truncate(text.trim(), MAX_FILTER_TEXT)
}

fn in_zone(finding: &Finding, word: &str, name: &DomainName) -> bool {
    let is_zone = matches!(&finding.subject, Subject::Zone(zone) if zone == name);
    is_zone || finding.zone.as_ref().is_some_and(|zone| zone.id.as_str() == word || zone.name == *name)
}

fn says(finding: &Finding, text: &str) -> bool {
    fn has(value: impl Display, text: &str) -> bool {
        value.to_string().to_lowercase().contains(text)
    }
    has(&finding.subject, text)
        || has(&finding.summary, text)
        || has(finding.kind.as_str(), text)
        || has(finding.reason.as_str(), text)
        || finding.cause.as_ref().is_some_and(|cause| has(cause, text))
        || finding.object.as_ref().is_some_and(|object| has(object, text))
        || finding.instance.as_ref().is_some_and(|instance| has(instance, text))
        || finding.labels.values().any(|value| has(value, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_carries_every_word_and_nothing_else() {
        let filter = Filter {
            q: String::from("a&b=<\u{fc}>"),
            zone: String::from("example.com"),
            page: String::from("7"),
            ..Filter::default()
        };
        assert_eq!(filter.url(2), "/?q=a%26b%3D%3C%C3%BC%3E&zone=example%2Ecom&page=2");
        assert_eq!(filter.url(1), "/?q=a%26b%3D%3C%C3%BC%3E&zone=example%2Ecom");
        assert_eq!(Filter::default().url(1), "/");
        assert!(filter.narrows() && !Filter::default().narrows());
    }

    #[test]
    fn words_are_bounded() {
        let filter =
            Filter { q: "\u{fc}".repeat(10_000), state: String::from(" open "), ..Filter::default() };
        let tidy = filter.tidy();
        assert!(tidy.q.len() <= MAX_FILTER_TEXT);
        assert_eq!(tidy.state, "open");
    }
}

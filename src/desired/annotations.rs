//! Annotations of ExternalDNS, read as ExternalDNS reads them. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/annotations/annotations.go and processors.go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::desired::duration;
use crate::desired::versions::{Behaviour, does};
use crate::model::instance::Flags;
use crate::model::{TextMap, Version};

/// The annotations of one object as one instance reads them.
#[derive(Clone, Copy, Debug)]
pub struct Annotations<'a> {
    all: &'a TextMap,
    prefix: &'a str,
    /// A second prefix, whose keys count where the first has none; `None` for most.
    fallback: Option<&'a str>,
}

/// Which hosts of an Ingress count. Source: annotation `ingress-hostname-source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostSource {
    /// Without the annotation: all sources.
    All,
    /// `annotation-only`.
    AnnotationOnly,
    /// `defined-hosts-only`.
    DefinedHostsOnly,
    /// Any other value: no hosts at all.
    Nothing,
}

/// Providers that have annotations with a prefix of their own.
const PROVIDERS: [&str; 3] = ["aws", "scw", "webhook"];

/// Annotations of Cloudflare; their properties carry the whole key.
const CLOUDFLARE: [&str; 5] = [
    "cloudflare-custom-hostname",
    "cloudflare-proxied",
    "cloudflare-record-comment",
    "cloudflare-region-key",
    "cloudflare-tags",
];

impl<'a> Annotations<'a> {
    /// Looks at an object's annotations through the prefix in force.
    #[must_use]
    pub fn of(all: &'a TextMap, flags: &'a Flags) -> Self {
        Self { all, prefix: &flags.annotation_prefix, fallback: flags.legacy_prefix() }
    }

    /// The value of `<prefix><name>`; an empty value is present.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        let under = |prefix: &str| self.all.get(&format!("{prefix}{name}"));
        under(self.prefix).or_else(|| self.fallback.and_then(under))
    }

    /// Keys under the prefix, without it; under the second one those that the first has not.
    pub fn names(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let under = |prefix: &'a str| {
            self.all.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value)))
        };
        let (all, prefix) = (self.all, self.prefix);
        let is_new = move |(name, _): &(&str, &str)| all.get(&format!("{prefix}{name}")).is_none();
        under(prefix).chain(self.fallback.into_iter().flat_map(under).filter(is_new))
    }

    /// True if the object belongs to another controller: the key is present with another value,
    /// the empty one included.
    #[must_use]
    pub fn is_for_other_controller(&self) -> bool {
        self.get("controller").is_some_and(|value| value != "dns-controller")
    }

    /// A comma list: blanks removed anywhere, then trimmed and split. Tabs and newlines inside stay.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        self.get(name).map(split_list).unwrap_or_default()
    }

    /// The `target` annotation: a list with one trailing dot cut from each element.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        let cut = |text: String| text.strip_suffix('.').map_or_else(|| text.clone(), str::to_owned);
        if self.get("target").is_none_or(str::is_empty) {
            return Vec::new();
        }
        self.list("target").into_iter().map(cut).collect()
    }

    /// The demanded TTL in seconds; `None` when absent or not valid for the release.
    #[must_use]
    pub fn ttl(&self, version: Version) -> Option<u32> {
        let text = self.get("ttl")?;
        let duration = duration::parse(text).filter(|_| does(version, Behaviour::TtlAsDuration));
        let seconds = match duration {
            Some(duration) => i64::try_from(duration.as_secs()).ok()?,
            None => text.parse::<i64>().ok()?,
        };
        u32::try_from(seconds).ok().filter(|ttl| (1..=2_147_483_647).contains(ttl))
    }

    /// The alias annotation; only the exact word `true` counts.
    #[must_use]
    pub fn alias(&self) -> bool {
        self.get("alias") == Some("true")
    }

    /// The set identifier; `None` when absent or empty.
    #[must_use]
    pub fn set_identifier(&self) -> Option<Arc<str>> {
        self.get("set-identifier").filter(|text| !text.is_empty()).map(Arc::from)
    }

    /// Which hosts of an Ingress count.
    #[must_use]
    pub fn ingress_host_source(&self) -> HostSource {
        match self.get("ingress-hostname-source").map(str::to_ascii_lowercase).as_deref() {
            None => HostSource::All,
            Some("annotation-only") => HostSource::AnnotationOnly,
            Some("defined-hosts-only") => HostSource::DefinedHostsOnly,
            Some(_) => HostSource::Nothing,
        }
    }

    /// Provider properties: `alias`, and `aws/<x>` for each `aws-<x>`; those for other providers
    /// too, which the AWS provider drops later.
    #[must_use]
    pub fn provider_properties(&self) -> BTreeMap<String, String> {
        let property = |name: &str| {
            if CLOUDFLARE.contains(&name) {
                return Some(format!("{}{name}", self.prefix));
            }
            let (provider, attribute) = name.split_once('-')?;
            PROVIDERS.contains(&provider).then(|| format!("{provider}/{attribute}"))
        };
        let mut properties: BTreeMap<String, String> =
            self.names().filter_map(|(name, value)| Some((property(name)?, value.to_owned()))).collect();
        if self.alias() {
            properties.insert("alias".to_owned(), "true".to_owned());
        }
        properties
    }
}

fn split_list(text: &str) -> Vec<String> {
    let compact: String = text.chars().filter(|character| *character != ' ').collect();
    let trimmed = compact.trim();
    trimmed.split(',').map(str::to_owned).collect()
}

#[cfg(test)]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method path is not general enough over the lifetime"
)]
mod tests {
    use super::*;

    const NEW: Version = Version::new(0, 20, 0);

    fn with<T>(key: &str, value: &str, read: impl Fn(&Annotations<'_>) -> T) -> T {
        let all = TextMap::from_iter([(format!("p/{key}"), value.to_owned())]);
        read(&Annotations { all: &all, prefix: "p/", fallback: None })
    }

    #[test]
    fn the_second_prefix_counts_where_the_first_has_nothing() {
        let pairs = [("p/target", "192.0.2.1"), ("old/target", "192.0.2.2"), ("old/ttl", "60")];
        let all = TextMap::from_iter(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let read = Annotations { all: &all, prefix: "p/", fallback: Some("old/") };
        assert_eq!((read.get("target"), read.ttl(NEW)), (Some("192.0.2.1"), Some(60)));
        let mut names: Vec<(&str, &str)> = read.names().collect();
        names.sort_unstable();
        assert_eq!(names, [("target", "192.0.2.1"), ("ttl", "60")]);
    }

    #[test]
    fn lists_are_split_like_upstream() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(with("hostname", text, |read| read.list("hostname")), expected, "{text:?}");
        };
        check("a.example.com, b.example.com", &["a.example.com", "b.example.com"]);
        check("a. example.com,", &["a.example.com", ""]);
        check("", &[""]);
        check(" ", &[""]);
        check("a,\n\th2.example.com", &["a", "\n\th2.example.com"]);
    }

    #[test]
    fn ttl_is_a_duration_or_a_number() {
        let check = |text: &str, expected: Option<u32>| {
            assert_eq!(with("ttl", text, |read| read.ttl(NEW)), expected, "{text:?}");
        };
        assert_eq!(with("ttl", "10m", |read| read.ttl(Version::new(0, 5, 18))), None);
        assert_eq!(with("ttl", "600", |read| read.ttl(Version::new(0, 5, 18))), Some(600));
        check("60", Some(60));
        check("60s", Some(60));
        check("1h30m", Some(5400));
        check("1.5s", Some(1));
        check("0", None);
        check("-5", None);
        check(" 60", None);
        check("99999999999", None);
        check("soon", None);
    }

    #[test]
    fn only_the_word_true_is_an_alias() {
        for text in ["True", "TRUE", "A", "yes", "", "false"] {
            assert!(!with("alias", text, |read| read.alias()), "{text:?}");
        }
        assert!(with("alias", "true", |read| read.alias()));
    }

    #[test]
    fn any_other_host_source_means_nothing() {
        let check = |text: &str, expected: HostSource| {
            assert_eq!(with("ingress-hostname-source", text, |read| read.ingress_host_source()), expected);
        };
        check("Annotation-Only", HostSource::AnnotationOnly);
        check("", HostSource::Nothing);
        check("both", HostSource::Nothing);
    }
}

//! Annotations of ExternalDNS, read as ExternalDNS reads them. Pure.
//!
//! Source: kubernetes-sigs/external-dns:source/annotations/annotations.go and processors.go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::desired::duration;
use crate::model::TextMap;

/// The annotations of one object under one prefix.
#[derive(Clone, Copy, Debug)]
pub struct Annotations<'a> {
    all: &'a TextMap,
    prefix: &'a str,
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
    /// Looks at an object's annotations through one prefix.
    #[must_use]
    pub fn new(all: &'a TextMap, prefix: &'a str) -> Self {
        Self { all, prefix }
    }

    /// The value of `<prefix><name>`; an empty value is present.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.all.get(&format!("{}{name}", self.prefix))
    }

    /// Keys under the prefix, without it.
    pub fn names(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let prefix = self.prefix;
        self.all.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value)))
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
        self.list("target").into_iter().map(cut).collect()
    }

    /// The demanded TTL in seconds; `None` when absent or not valid.
    #[must_use]
    pub fn ttl(&self) -> Option<u32> {
        let text = self.get("ttl")?;
        let seconds = match duration::parse(text) {
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
    if text.is_empty() {
        return Vec::new();
    }
    trimmed.split(',').map(str::to_owned).collect()
}

#[cfg(test)]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method path is not general enough over the lifetime"
)]
mod tests {
    use super::*;

    fn with<T>(key: &str, value: &str, read: impl Fn(&Annotations<'_>) -> T) -> T {
        let all = TextMap::from_iter([(format!("p/{key}"), value.to_owned())]);
        read(&Annotations::new(&all, "p/"))
    }

    #[test]
    fn lists_are_split_like_upstream() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(with("hostname", text, |read| read.list("hostname")), expected, "{text:?}");
        };
        check("a.example.com, b.example.com", &["a.example.com", "b.example.com"]);
        check("a. example.com,", &["a.example.com", ""]);
        check("", &[]);
        check(" ", &[""]);
        check("a,\n\th2.example.com", &["a", "\n\th2.example.com"]);
    }

    #[test]
    fn ttl_is_a_duration_or_a_number() {
        let check = |text: &str, expected: Option<u32>| {
            assert_eq!(with("ttl", text, |read| read.ttl()), expected, "{text:?}");
        };
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

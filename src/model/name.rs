//! Domain names in one canonical spelling.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::limits::MAX_NAME;

/// A domain name in canonical form: lower-case A-labels, no trailing dot, `*` spelled `*`.
///
/// A text that is no legal DNS name is kept (canonical as far as it goes), because a finding must
/// be able to name it; [`DomainName::defect`] says what is wrong with it. Bytes outside the
/// printable ASCII range become `\ooo` octal escapes, so a name is always one printable word.
/// The root is the empty text.
#[derive(Clone, Eq, Hash)]
#[expect(clippy::derived_hash_with_manual_eq, reason = "equal are equal texts, however they are found to be")]
pub struct DomainName(Arc<str>);

/// Why a name can never exist in DNS. Source: RFC 1035 section 2.3.4, RFC 2181 section 11.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameDefect {
    /// Two dots in a row, or a leading dot.
    EmptyLabel,
    /// A label of more than 63 octets.
    LabelTooLong,
    /// More than 253 characters without the trailing dot.
    NameTooLong,
    /// A character that no host name has and that Route 53 would store as an escape.
    BadCharacters,
}

// === impl DomainName ===

/// A text that both share is not read: what is wanted, what is asked and what was answered mostly do.
impl PartialEq for DomainName {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl PartialOrd for DomainName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DomainName {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl DomainName {
    /// Makes the canonical form of a name as people and Kubernetes objects write it.
    ///
    /// Unicode labels become A-labels (UTS 46). Total: never fails.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let bare = text.strip_suffix('.').unwrap_or(text);
        if is_plain(bare) {
            return Self(bound(bare).as_ref().into());
        }
        let ascii = if bare.is_ascii() {
            bare.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(bare).unwrap_or_else(|_not_idna| bare.to_lowercase())
        };
        Self(bound(&escape(&ascii)).as_ref().into())
    }

    /// The same of a text that is shared: one in canonical form is not copied.
    #[must_use]
    pub fn of_shared(text: &Arc<str>) -> Self {
        let is_kept = Self::is_canonical(text) && text.len() <= MAX_NAME;
        if is_kept { Self(Arc::clone(text)) } else { Self::new(text) }
    }

    /// True if a name is spelled as its canonical form is: no capital, no trailing dot, no Unicode.
    #[must_use]
    pub fn is_canonical(text: &str) -> bool {
        is_plain(text) && !text.ends_with('.')
    }

    /// Makes the canonical form of a name as the Route 53 API writes it: octal escapes decoded.
    ///
    /// Source: Route 53 Developer Guide, "DNS domain name format".
    #[must_use]
    pub fn from_route53(text: &str) -> Self {
        if text.contains('\\') { Self::new(&unescape(text)) } else { Self::new(text) }
    }

    /// The canonical text, without the trailing dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The canonical text, shared.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The text with the trailing dot, as DNS tools and the Route 53 API show it.
    #[must_use]
    pub fn fqdn(&self) -> String {
        format!("{}.", self.0)
    }

    /// The text without the prefix `dualstack.` of a load balancer of AWS: both names lead to the same one.
    #[must_use]
    pub fn bare(&self) -> &str {
        let is_of_aws = |name: &&str| name.contains(".elb.") && name.contains(".amazonaws.com");
        self.0.strip_prefix("dualstack.").filter(is_of_aws).unwrap_or(&self.0)
    }

    /// Labels from the host to the root; none for the root itself.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.').filter(|_| !self.0.is_empty())
    }

    /// The name itself and every name above it, down to the root, which is the empty text.
    pub fn suffixes(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(&*self.0), |name| {
            (!name.is_empty()).then(|| name.split_once('.').map_or("", |(_, rest)| rest))
        })
    }

    /// The name without its first label; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        Some(Self(self.0.split_once('.').map_or("", |(_, rest)| rest).into()))
    }

    /// True for the zone name itself and for every name below it.
    #[must_use]
    pub fn is_within(&self, zone: &Self) -> bool {
        if zone.0.is_empty() || self.0 == zone.0 {
            return true;
        }
        self.0.strip_suffix(&*zone.0).is_some_and(|head| head.ends_with('.'))
    }

    /// True if the first label is `*`.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        &*self.0 == "*" || self.0.starts_with("*.")
    }

    /// The wildcard that would cover this name one level up: `a.b.c` gives `*.b.c`.
    #[must_use]
    pub fn wildcard_sibling(&self) -> Option<Self> {
        self.parent().filter(|parent| !parent.0.is_empty()).map(|parent| Self(format!("*.{parent}").into()))
    }

    /// What keeps this text from being a DNS name; `None` for a legal one.
    #[must_use]
    pub fn defect(&self) -> Option<NameDefect> {
        if self.labels().any(str::is_empty) {
            return Some(NameDefect::EmptyLabel);
        }
        if self.labels().any(|label| 63 < label.len()) {
            return Some(NameDefect::LabelTooLong);
        }
        if 253 < self.0.len() {
            return Some(NameDefect::NameTooLong);
        }
        let odd = |byte: u8| !byte.is_ascii_alphanumeric() && !b"-._*".contains(&byte);
        if self.0.bytes().any(odd) || self.labels().skip(1).any(|label| label == "*") {
            return Some(NameDefect::BadCharacters);
        }
        None
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<&str> for DomainName {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Borrow<str> for DomainName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for DomainName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DomainName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::new(&text))
    }
}

/// True if every character is one that the canonical form leaves as it is.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._*".contains(&byte))
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_graphic() {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(out, "\\{byte:03o}").unwrap_or_default();
        }
    }
    out
}

/// Decodes `\ooo`; anything else after a backslash stays as it is.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok()))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        // A dot inside a label (\056) must not become a label border.
        if let Some(value) = octal.filter(|value| *value != b'.' && *value != b'\\') {
            bytes.push(value);
            rest = tail.get(3..).unwrap_or_default();
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Decodes the octal escapes `\ooo` of a label or text; anything else after a backslash stays as it
/// is.
#[must_use]
pub fn decode_octal(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let octal = (*first == b'\\')
            .then(|| tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok()))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { tail.get(3..).unwrap_or_default() } else { tail };
    }
    bytes
}

/// Keeps absurdly long names distinguishable without keeping them: both ends and a digest. The end
/// matters, because it says which zone the name would lie in.
fn bound(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_NAME {
        return Cow::Borrowed(text);
    }
    let digest = Sha256::digest(text.as_bytes());
    let mut kept: String = text.chars().take(80).chain(['~']).collect();
    for byte in digest.iter().take(8) {
        // Writing into a String cannot fail.
        let _infallible = write!(kept, "{byte:02x}");
    }
    let tail: Vec<char> = text.chars().rev().take(120).collect();
    kept.extend(tail.into_iter().rev());
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        let check =
            |input: &str, expected: &str| assert_eq!(DomainName::new(input).as_str(), expected, "{input}");
        check("App.Example.COM.", "app.example.com");
        check("b\u{fc}cher.example.com", "xn--bcher-kva.example.com");
        check("xn--bcher-kva.example.com", "xn--bcher-kva.example.com");
        check("..sub.example.com", "..sub.example.com");
        check("a b\n.example.com", "a\\040b\\012.example.com");
        check("", "");
    }

    #[test]
    fn canonical_spelling_is_known() {
        for text in ["app.example.com", "*.example.com", "xn--bcher-kva.example.com", ""] {
            assert!(DomainName::is_canonical(text), "{text}");
            assert_eq!(DomainName::new(text).as_str(), text);
            let shared: Arc<str> = text.into();
            assert!(Arc::ptr_eq(&DomainName::of_shared(&shared).0, &shared));
        }
        for text in ["App.example.com", "app.example.com.", "b\u{fc}cher.example.com", "\\052.example.com"] {
            assert!(!DomainName::is_canonical(text), "{text}");
            assert_eq!(DomainName::of_shared(&text.into()), DomainName::new(text));
        }
        let long: Arc<str> = "a".repeat(MAX_NAME + 1).into();
        assert_eq!(DomainName::of_shared(&long), DomainName::new(&long));
    }

    #[test]
    fn route53_spelling() {
        let check = |input: &str, expected: &str| {
            assert_eq!(DomainName::from_route53(input).as_str(), expected, "{input}");
        };
        check("\\052.example.com.", "*.example.com");
        check("\\100.example.com.", "@.example.com");
        check("a\\056b.example.com.", "a\\056b.example.com");
        check("a\\04", "a\\04");
        check("a\\999.example.com", "a\\999.example.com");
    }

    #[test]
    fn within_is_by_label() {
        let zone = DomainName::new("example.com");
        assert!(DomainName::new("example.com").is_within(&zone));
        assert!(DomainName::new("a.b.example.com").is_within(&zone));
        assert!(!DomainName::new("notexample.com").is_within(&zone));
        assert!(!DomainName::new("com").is_within(&zone));
    }

    #[test]
    fn defects() {
        let check = |input: &str, expected: Option<NameDefect>| {
            assert_eq!(DomainName::new(input).defect(), expected, "{input}");
        };
        check("app.example.com", None);
        check("*.example.com", None);
        check("_acme.example.com", None);
        check("..sub.example.com", Some(NameDefect::EmptyLabel));
        check(&format!("{}.example.com", "a".repeat(64)), Some(NameDefect::LabelTooLong));
        check(&vec!["a".repeat(60); 5].join("."), Some(NameDefect::NameTooLong));
        check("a b.example.com", Some(NameDefect::BadCharacters));
        check("a.*.example.com", Some(NameDefect::BadCharacters));
    }

    #[test]
    fn a_huge_name_is_bounded_and_still_itself() {
        let long = DomainName::new(&"a".repeat(10_000));
        let other = DomainName::new(&"a".repeat(10_001));
        assert!(long.as_str().len() < 300);
        assert_ne!(long, other);
        assert_eq!(long.defect(), Some(NameDefect::LabelTooLong));
        let zoned = DomainName::new(&format!("{}.example.com", "a".repeat(10_000)));
        assert!(zoned.is_within(&DomainName::new("example.com")));
    }
}

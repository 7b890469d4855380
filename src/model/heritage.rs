//! Ownership records of ExternalDNS' TXT registry.
//!
//! Source: kubernetes-sigs/external-dns:registry/mapper/mapper.go and endpoint/labels.go.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::model::record::{RecordSet, RecordType, Value};
use crate::model::{DomainName, ObjectRef};

/// What an ownership TXT says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heritage<'a> {
    /// `external-dns/owner`; `None` when the label is missing.
    pub owner: Option<&'a str>,
    /// `external-dns/resource` as written, for example `ingress/shop/web`.
    pub resource: Option<&'a str>,
}

/// What a TXT record set is to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxtRole<'a> {
    /// An ownership record in clear text.
    Heritage(Heritage<'a>),
    /// Looks like an encrypted ownership record: one base64 word, nothing a person wrote.
    Encrypted,
    /// Some other text.
    Other,
}

/// How an instance derives the name of an ownership TXT from the name of its record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxtAffixes {
    /// `--txt-prefix`, lower case; may contain `%{record_type}`.
    pub prefix: String,
    /// `--txt-suffix`, lower case; may contain `%{record_type}`.
    pub suffix: String,
    /// `--txt-wildcard-replacement`; empty when unset.
    pub wildcard_replacement: String,
}

/// Placeholder for the record type in an affix.
const TEMPLATE: &str = "%{record_type}";

/// Types that the registry writes in front of a name, longest first so that `aaaa-` is not `a-`.
const TYPED: [&str; 10] = ["cname", "dname", "naptr", "aaaa", "ptr", "srv", "txt", "mx", "ns", "a"];

// === impl Heritage ===

impl<'a> Heritage<'a> {
    /// Reads the value of a TXT record; `None` when it is no ownership record.
    ///
    /// Only the first value of a set counts, as ExternalDNS reads it.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        let text = value.trim().trim_matches('"');
        let (mut heritage, mut owner, mut resource) = (None, None, None);
        // The last one counts.
        for (key, value) in text.split(',').filter_map(|pair| pair.split_once('=')) {
            match key {
                "heritage" => heritage = Some(value),
                "external-dns/owner" => owner = Some(value),
                "external-dns/resource" => resource = Some(value),
                _ => {}
            }
        }
        (heritage == Some("external-dns")).then_some(Self { owner, resource })
    }

    /// The object that the record was made for, with the kind as the registry spells it
    /// (`ingress`, `service`, `crd`, ...).
    #[must_use]
    pub fn object(self) -> Option<ObjectRef> {
        self.parts().map(|(kind, namespace, name)| ObjectRef::new(kind, namespace, name))
    }

    /// Kind, namespace and name of that object; the namespace is empty for one that has none.
    #[must_use]
    pub fn parts(self) -> Option<(&'a str, &'a str, &'a str)> {
        let mut parts = self.resource?.split('/');
        let kind = parts.next()?;
        let (second, third) = (parts.next()?, parts.next());
        Some(third.map_or((kind, "", second), |name| (kind, second, name)))
    }
}

impl<'a> TxtRole<'a> {
    /// Says what a TXT record set is to the registry.
    #[must_use]
    pub fn of(set: &'a RecordSet) -> Self {
        let values = set.content.plain_values();
        let Some(Value::Text(first)) = values.first() else { return Self::Other };
        // At an apex it may stand beside other texts, of which the order tells nothing.
        let heritage = values.iter().find_map(|value| match value {
            Value::Text(text) => Heritage::parse(text),
            Value::Ip(_) | Value::Host(_) | Value::Named(_) => None,
        });
        match heritage {
            Some(heritage) => Self::Heritage(heritage),
            None if looks_encrypted(first) => Self::Encrypted,
            None => Self::Other,
        }
    }
}

/// AES-GCM over gzip in base64 is one long word; text of other tools is short, has blanks, or
/// `key=value`.
fn looks_encrypted(value: &str) -> bool {
    let text = value.trim().trim_matches('"');
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    80 <= text.len()
        && text.len().is_multiple_of(4)
        && text.bytes().all(base64)
        && !text.trim_end_matches('=').contains('=')
}

// === impl TxtAffixes ===

impl TxtAffixes {
    /// Name of the ownership TXT of `name` in the typed format (v0.12.0 and later).
    #[must_use]
    pub fn typed_name(&self, name: &DomainName, record_type: &RecordType) -> DomainName {
        self.txt_name(name, Some(record_type))
    }

    /// Name of the ownership TXT of `name` in the old format, without a type.
    #[must_use]
    pub fn plain_name(&self, name: &DomainName) -> DomainName {
        self.txt_name(name, None)
    }

    fn txt_name(&self, name: &DomainName, record_type: Option<&RecordType>) -> DomainName {
        DomainName::new(&self.txt_text(name.as_str(), record_type))
    }

    /// The name of the ownership TXT as it is submitted, in the spelling of the record's name: with
    /// a type the new format, without one the old.
    #[must_use]
    pub fn txt_text(&self, name: &str, record_type: Option<&RecordType>) -> String {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let first = if first == "*" && !self.wildcard_replacement.is_empty() {
            &self.wildcard_replacement
        } else {
            first
        };
        let mut type_text = record_type.map(|kind| kind.as_str().to_owned()).unwrap_or_default();
        type_text.make_ascii_lowercase();
        let templated = self.has_template();
        let (prefix, suffix) = (fill(&self.prefix, &type_text), fill(&self.suffix, &type_text));
        let dash = if type_text.is_empty() || templated { ["", ""] } else { [&type_text, "-"] };
        let [typed, dash] = dash;
        let dot = if rest.is_empty() { "" } else { "." };
        [&*prefix, typed, dash, first, &*suffix, dot, rest].concat()
    }

    /// True if the ownership TXT of this name stands under more than the type and the name itself.
    #[must_use]
    pub fn maps(&self, name: &DomainName) -> bool {
        !self.prefix.is_empty()
            || !self.suffix.is_empty()
            || name.is_wildcard() && !self.wildcard_replacement.is_empty()
    }

    /// True if prefix or suffix has a place for the record type.
    #[must_use]
    pub fn has_template(&self) -> bool {
        self.prefix.contains(TEMPLATE) || self.suffix.contains(TEMPLATE)
    }

    /// Maps the name of an ownership TXT back to the name and type of its record.
    ///
    /// The type is `None` for the old format. `None` altogether when the name does not carry this
    /// instance's affixes. The wildcard replacement is undone only where the caller cannot know
    /// better: both readings are possible, and the returned name is the wildcard's.
    #[must_use]
    pub fn owner_name(&self, txt: &DomainName) -> Option<(DomainName, Option<RecordType>)> {
        self.owner_text(txt).map(|(name, kind)| (DomainName::new(&name), kind))
    }

    /// The same without a copy of the name, where it is a part of that of the TXT.
    #[must_use]
    pub fn owner_text<'t>(&self, txt: &'t DomainName) -> Option<(Cow<'t, str>, Option<RecordType>)> {
        if self.has_template() {
            return TYPED.iter().find_map(|kind| {
                let name = self.strip(txt, kind)?;
                Some((self.undo_wildcard(name), Some(RecordType::new(kind))))
            });
        }
        let bare = self.strip(txt, "")?;
        let typed = bare.split_once('-').and_then(|(kind, name)| {
            let kind = TYPED.contains(&kind).then(|| RecordType::new(kind));
            kind.filter(|_| !name.is_empty()).map(|kind| (name.len(), kind))
        });
        Some(match typed {
            Some((length, kind)) => (self.undo_wildcard(last(bare, length)), Some(kind)),
            None => (self.undo_wildcard(bare), None),
        })
    }

    /// The same where every ownership TXT has the old format: `a-x` is that of a host `a-x`.
    #[must_use]
    pub fn plain_owner_text<'t>(&self, txt: &'t DomainName) -> Option<Cow<'t, str>> {
        self.strip(txt, "").map(|bare| self.undo_wildcard(bare))
    }

    /// Every name whose record an ownership TXT can be about: `a-x` is what `x` has for its type A, and
    /// what a host `a-x` has in the old format; a replacement may be the label itself. Empty when the
    /// name does not carry this instance's affixes.
    #[must_use]
    pub fn readings(&self, txt: &DomainName) -> BTreeSet<DomainName> {
        let kinds = TYPED.iter().copied().filter(|_| self.has_template());
        let mut texts: Vec<Cow<'_, str>> = kinds.filter_map(|kind| self.strip(txt, kind)).collect();
        if let Some(bare) = self.strip(txt, "").filter(|_| !self.has_template()) {
            let typed = bare.split_once('-').filter(|(kind, _)| TYPED.contains(kind));
            let typed = typed.map(|(_, name)| name.to_owned()).filter(|name| !name.is_empty());
            texts.extend(typed.map(Cow::Owned));
            texts.push(bare);
        }
        let both = texts.into_iter().flat_map(|text| [self.undo_wildcard(text.clone()), text]);
        both.map(|text| DomainName::new(&text)).collect()
    }

    /// Removes prefix and suffix; the suffix stands behind the first label and may go on over several.
    fn strip<'t>(&self, txt: &'t DomainName, kind: &str) -> Option<Cow<'t, str>> {
        let (prefix, suffix) = (fill(&self.prefix, kind), fill(&self.suffix, kind));
        let rest = txt.as_str().strip_prefix(&*prefix)?;
        if suffix.is_empty() {
            return (!rest.is_empty() && !rest.starts_with('.')).then_some(Cow::Borrowed(rest));
        }
        let dots = suffix.bytes().filter(|byte| *byte == b'.').count();
        let end = rest.match_indices('.').nth(dots).map(|(at, _)| at);
        let (first, tail) = end.and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
        let tail = tail.strip_prefix('.').unwrap_or(tail);
        let first = first.strip_suffix(&*suffix)?;
        if first.is_empty() {
            return None;
        }
        Some(if tail.is_empty() { Cow::Borrowed(first) } else { Cow::Owned(format!("{first}.{tail}")) })
    }

    fn undo_wildcard<'t>(&self, name: Cow<'t, str>) -> Cow<'t, str> {
        let (first, rest) = name.split_once('.').unwrap_or((&name, ""));
        if !self.wildcard_replacement.is_empty() && first == self.wildcard_replacement {
            return Cow::Owned(format!("*.{rest}"));
        }
        name
    }
}

/// The last bytes of a text.
fn last(text: Cow<'_, str>, length: usize) -> Cow<'_, str> {
    let from = text.len().saturating_sub(length);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(from..).unwrap_or_default()),
        Cow::Owned(mut text) => Cow::Owned(text.split_off(from)),
    }
}

/// An affix for one type. Most affixes are plain, and every record of every round comes by here.
fn fill<'a>(affix: &'a str, kind: &str) -> Cow<'a, str> {
    if affix.contains(TEMPLATE) { Cow::Owned(affix.replace(TEMPLATE, kind)) } else { Cow::Borrowed(affix) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affixes(prefix: &str, suffix: &str, wildcard: &str) -> TxtAffixes {
        TxtAffixes { prefix: prefix.into(), suffix: suffix.into(), wildcard_replacement: wildcard.into() }
    }

    /// The examples of facts/external-dns.md section 3.1, each there and back.
    #[test]
    fn names_go_there_and_back() {
        let check = |affixes: &TxtAffixes, name: &str, txt: &str| {
            let name = DomainName::new(name);
            assert_eq!(affixes.typed_name(&name, &RecordType::A).as_str(), txt);
            assert_eq!(affixes.owner_name(&DomainName::new(txt)), Some((name, Some(RecordType::A))), "{txt}");
        };
        check(&affixes("", "", ""), "app.example.com", "a-app.example.com");
        check(&affixes("edns-", "", ""), "app.example.com", "edns-a-app.example.com");
        check(&affixes("edns.", "", ""), "app.example.com", "edns.a-app.example.com");
        check(&affixes("", "-edns", ""), "app.example.com", "a-app-edns.example.com");
        check(&affixes("%{record_type}-edns.", "", ""), "app.example.com", "a-edns.app.example.com");
        check(&affixes("", "-%{record_type}-edns", ""), "app.example.com", "app-a-edns.example.com");
        check(&affixes("", "", ""), "*.example.com", "a-*.example.com");
        check(&affixes("", "", "any"), "*.example.com", "a-any.example.com");
    }

    #[test]
    fn an_ownership_record_may_be_about_several_names() {
        let check = |affixes: &TxtAffixes, txt: &str, expected: &[&str]| {
            let found = affixes.readings(&DomainName::new(txt));
            let found: Vec<&str> = found.iter().map(DomainName::as_str).collect();
            assert_eq!(found, expected, "{txt}");
        };
        check(&TxtAffixes::default(), "a-app.example.com", &["a-app.example.com", "app.example.com"]);
        check(&affixes("edns-", "", ""), "edns-a-x.example.com", &["a-x.example.com", "x.example.com"]);
        check(&affixes("edns-", "", ""), "a-x.example.com", &[]);
        check(&affixes("%{record_type}-edns.", "", ""), "a-edns.app.example.com", &["app.example.com"]);
        let all = ["*.example.com", "a-any.example.com", "any.example.com"];
        check(&affixes("", "", "any"), "a-any.example.com", &all);
    }

    #[test]
    fn old_format_has_no_type() {
        let none = TxtAffixes::default();
        assert_eq!(
            none.owner_name(&DomainName::new("app.example.com")),
            Some((DomainName::new("app.example.com"), None))
        );
        assert_eq!(affixes("edns-", "", "").owner_name(&DomainName::new("a-app.example.com")), None);
        assert_eq!(
            none.owner_name(&DomainName::new("cname-app.example.com")),
            Some((DomainName::new("app.example.com"), Some(RecordType::Cname)))
        );
    }

    #[test]
    fn values() {
        let text =
            "\"heritage=external-dns,external-dns/owner=gke-prod,external-dns/resource=ingress/shop/web\"";
        let heritage = Heritage::parse(text).expect("heritage");
        assert_eq!(heritage.owner, Some("gke-prod"));
        assert_eq!(heritage.object(), Some(ObjectRef::new("ingress", "shop", "web")));
        assert_eq!(Heritage::parse("\"v=spf1 -all\""), None);
        assert_eq!(Heritage::parse("\"heritage=external-dns\"").map(|h| h.owner), Some(None));
    }
}

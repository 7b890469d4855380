//! Ownership records of ExternalDNS' TXT registry.
//!
//! Source: kubernetes-sigs/external-dns:registry/mapper/mapper.go and endpoint/labels.go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::record::{RecordSet, RecordType, Value};
use crate::model::{DomainName, ObjectRef};

/// What an ownership TXT says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heritage {
    /// `external-dns/owner`; `None` when the label is missing.
    pub owner: Option<Arc<str>>,
    /// `external-dns/resource` as written, for example `ingress/shop/web`.
    pub resource: Option<Arc<str>>,
}

/// What a TXT record set is to the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxtRole {
    /// An ownership record in clear text.
    Heritage(Heritage),
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

impl Heritage {
    /// Reads the value of a TXT record; `None` when it is no ownership record.
    ///
    /// Only the first value of a set counts, as ExternalDNS reads it.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let text = value.trim().trim_matches('"');
        let labels: BTreeMap<&str, &str> = text.split(',').filter_map(|pair| pair.split_once('=')).collect();
        if labels.get("heritage").copied() != Some("external-dns") {
            return None;
        }
        let label = |key: &str| labels.get(key).map(|value| Arc::from(*value));
        Some(Self { owner: label("external-dns/owner"), resource: label("external-dns/resource") })
    }

    /// The object that the record was made for, with the kind as the registry spells it
    /// (`ingress`, `service`, `crd`, ...).
    #[must_use]
    pub fn object(&self) -> Option<ObjectRef> {
        let mut parts = self.resource.as_deref()?.split('/');
        let kind = parts.next()?;
        let (second, third) = (parts.next()?, parts.next());
        Some(match third {
            Some(name) => ObjectRef::new(kind, second, name),
            None => ObjectRef::new(kind, "", second),
        })
    }
}

impl TxtRole {
    /// Says what a TXT record set is to the registry.
    #[must_use]
    pub fn of(set: &RecordSet) -> Self {
        let Some(Value::Text(first)) = set.content.plain_values().first() else { return Self::Other };
        match Heritage::parse(first) {
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
        let type_text = record_type.map(|kind| kind.as_str().to_ascii_lowercase()).unwrap_or_default();
        let affix = |text: &str| text.replace(TEMPLATE, &type_text);
        let typed =
            if type_text.is_empty() || self.has_template() { String::new() } else { format!("{type_text}-") };
        let label = format!("{}{typed}{first}{}", affix(&self.prefix), affix(&self.suffix));
        if rest.is_empty() { label } else { format!("{label}.{rest}") }
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
        if self.has_template() {
            return TYPED.iter().find_map(|kind| {
                let name = self.strip(txt, kind)?;
                Some((self.undo_wildcard(&name), Some(RecordType::new(kind))))
            });
        }
        let bare = self.strip(txt, "")?;
        let typed = TYPED.iter().find_map(|kind| {
            let name = bare.strip_prefix(kind)?.strip_prefix('-')?;
            (!name.is_empty()).then(|| (self.undo_wildcard(name), Some(RecordType::new(kind))))
        });
        Some(typed.unwrap_or_else(|| (self.undo_wildcard(&bare), None)))
    }

    /// Removes prefix and suffix; the suffix stands at the end of the first label.
    fn strip(&self, txt: &DomainName, kind: &str) -> Option<String> {
        let prefix = self.prefix.replace(TEMPLATE, kind);
        let suffix = self.suffix.replace(TEMPLATE, kind);
        let rest = txt.as_str().strip_prefix(prefix.as_str())?;
        let (first, tail) = rest.split_once('.').unwrap_or((rest, ""));
        let first = first.strip_suffix(suffix.as_str())?;
        if first.is_empty() {
            return None;
        }
        Some(if tail.is_empty() { first.to_owned() } else { format!("{first}.{tail}") })
    }

    fn undo_wildcard(&self, name: &str) -> DomainName {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        if !self.wildcard_replacement.is_empty() && first == self.wildcard_replacement {
            return DomainName::new(&format!("*.{rest}"));
        }
        DomainName::new(name)
    }
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
        assert_eq!(heritage.owner.as_deref(), Some("gke-prod"));
        assert_eq!(heritage.object(), Some(ObjectRef::new("ingress", "shop", "web")));
        assert_eq!(Heritage::parse("\"v=spf1 -all\""), None);
        assert_eq!(Heritage::parse("\"heritage=external-dns\"").map(|h| h.owner), Some(None));
    }
}

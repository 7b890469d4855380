//! Flags and annotations of ExternalDNS that advice may name, with the releases that know them. Pure data.
//!
//! A release that does not know a flag does not start with it, and an annotation that it does not know is read
//! by nobody: such advice makes things worse, or nothing happens. Source: the oldest tag of
//! kubernetes-sigs/external-dns whose `pkg/apis/externaldns` binds the flag, or whose code reads the annotation.

use crate::model::Version;

/// A flag, with its dashes, or an annotation without its prefix.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// As it is written.
    pub text: &'static str,
    /// First release that knows it.
    pub since: Version,
}

/// True if the release knows the word; false for one that is not in the table.
#[must_use]
pub fn knows(version: Version, text: &str) -> bool {
    WORDS.iter().any(|word| word.text == text && word.since <= version)
}

const fn word(text: &'static str, since: Version) -> Word {
    Word { text, since }
}

/// The table, in the order of the words. No release up to v0.22.0 has dropped one of them again.
pub const WORDS: &[Word] = &[
    word("--annotation-filter", Version::new(0, 4, 8)),
    word("--annotation-prefix", Version::new(0, 20, 0)),
    word("--aws-batch-change-size", Version::new(0, 5, 7)),
    word("--aws-zone-match-parent", Version::new(0, 14, 1)),
    word("--aws-zone-tags", Version::new(0, 5, 10)),
    word("--aws-zone-type", Version::new(0, 4, 5)),
    word("--aws-zones-cache-duration", Version::new(0, 7, 4)),
    word("--domain-filter", Version::new(0, 3, 0)),
    word("--dry-run", Version::new(0, 1, 0)),
    word("--exclude-domains", Version::new(0, 5, 15)),
    word("--ingress-class", Version::new(0, 13, 5)),
    word("--interval", Version::new(0, 2, 0)),
    word("--managed-record-types", Version::new(0, 7, 6)),
    word("--migrate-from-txt-owner", Version::new(0, 20, 0)),
    word("--namespace", Version::new(0, 1, 0)),
    word("--policy", Version::new(0, 3, 0)),
    word("--prefer-alias", Version::new(0, 21, 0)),
    word("--provider-cache-time", Version::new(0, 15, 0)),
    word("--regex-domain-exclusion", Version::new(0, 8, 0)),
    word("--regex-domain-filter", Version::new(0, 8, 0)),
    word("--registry", Version::new(0, 3, 0)),
    word("--source", Version::new(0, 1, 0)),
    word("--txt-cache-interval", Version::new(0, 5, 3)),
    word("--txt-owner-id", Version::new(0, 3, 0)),
    word("--txt-prefix", Version::new(0, 3, 0)),
    word("--txt-suffix", Version::new(0, 7, 2)),
    word("--zone-id-filter", Version::new(0, 5, 0)),
    word("alias", Version::new(0, 5, 9)),
    word("aws-hosted-zone-id", Version::new(0, 22, 0)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders() {
        let check = |text: &str, version: Version, expected: bool| {
            assert_eq!(knows(version, text), expected, "{text} {version}");
        };
        check("--provider-cache-time", Version::new(0, 14, 2), false);
        check("--provider-cache-time", Version::new(0, 15, 0), true);
        check("--migrate-from-txt-owner", Version::new(0, 19, 0), false);
        check("--migrate-from-txt-owner", Version::new(0, 20, 0), true);
        check("aws-hosted-zone-id", Version::new(0, 21, 0), false);
        check("aws-hosted-zone-id", Version::new(0, 22, 0), true);
        check("--no-such-flag", Version::new(0, 22, 0), false);
    }

    #[test]
    fn no_word_stands_twice() {
        assert!(WORDS.iter().zip(WORDS.iter().skip(1)).all(|(one, next)| one.text < next.text));
    }
}

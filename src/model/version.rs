//! Versions of ExternalDNS.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A release of ExternalDNS: major, minor, patch. Order is release order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number.
    pub major: u16,
    /// Second number.
    pub minor: u16,
    /// Third number; 0 when the tag names only two.
    pub patch: u16,
}

/// The text holds no version number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version number like v0.14.2")]
pub struct ParseVersionError(pub String);

impl Version {
    /// Version `major.minor.patch`.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }
}

impl FromStr for Version {
    type Err = ParseVersionError;

    /// Reads `v0.14.2`, `0.14.2`, `0.14`, and image tags with a suffix such as
    /// `0.14.2-debian-11-r1` or `v20260404-v0.21.0`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(['-', '+', '_'])
            .find_map(dotted)
            .ok_or_else(|| ParseVersionError(crate::model::text::truncate(text, 100)))
    }
}

fn dotted(part: &str) -> Option<Version> {
    let mut numbers = part.strip_prefix('v').unwrap_or(part).split('.');
    let version = Version {
        major: numbers.next()?.parse().ok()?,
        minor: numbers.next()?.parse().ok()?,
        patch: match numbers.next() {
            Some(patch) => patch.parse().ok()?,
            None => 0,
        },
    };
    numbers.next().is_none().then_some(version)
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tags() {
        let check = |text: &str, expected: Option<Version>| assert_eq!(text.parse().ok(), expected, "{text}");
        check("v0.14.2", Some(Version::new(0, 14, 2)));
        check("0.14.2-debian-11-r1", Some(Version::new(0, 14, 2)));
        check("v20260404-v0.21.0", Some(Version::new(0, 21, 0)));
        check("0.15", Some(Version::new(0, 15, 0)));
        check("latest", None);
        check("", None);
        check("sha256:0123", None);
    }

    #[test]
    fn orders_by_number() {
        assert!(Version::new(0, 9, 0) < Version::new(0, 10, 0));
    }
}

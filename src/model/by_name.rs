//! Rows that are sorted by domain name, with an index: a round asks for thousands of names again and
//! again, and a search among strings is the slow part of that.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::OnceLock;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::model::DomainName;

/// Something that stands at a domain name.
pub trait Row {
    /// Where it stands.
    fn name(&self) -> &DomainName;

    /// The order of rows: by name first.
    fn order(&self, other: &Self) -> Ordering;
}

/// Sorted rows with an index by name. Reads as a slice.
#[derive(Clone, Debug)]
pub struct ByName<T> {
    rows: Vec<T>,
    /// Where the rows of each name lie. Of the names themselves nothing is held twice.
    places: HashTable<Place>,
    hasher: RandomState,
    /// Names without rows above names with rows. Found when first asked for: hardly any round has to know.
    hollow: OnceLock<HashSet<Box<str>, RandomState>>,
}

/// The rows of one name.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where they begin.
    from: u32,
    /// How many they are. Finding out where they end would read the name of the next row.
    count: u32,
}

/// A place among rows that are sorted by name. Look-ups that mostly go forward find the next name beside the last
/// one, where a search in all rows would wait for memory at each step.
#[derive(Clone, Debug)]
pub struct Finger<'a, T> {
    rows: &'a [T],
    at: usize,
}

// === impl ByName ===

impl<T: Row> ByName<T> {
    /// Sorts and indexes.
    #[must_use]
    pub fn new(mut rows: Vec<T>) -> Self {
        rows.sort_by(Row::order);
        let hasher = RandomState::default();
        let names = || rows.chunk_by(|one, other| one.name() == other.name());
        let mut places = HashTable::with_capacity(names().count());
        let mut from = 0_u32;
        for of_name in names() {
            let Some(first) = of_name.first() else { continue };
            let count = u32::try_from(of_name.len()).unwrap_or(u32::MAX);
            // Never made anew: there is room for all.
            places.insert_unique(hasher.hash_one(first.name().as_str()), Place { from, count }, |_| 0);
            from = from.saturating_add(count);
        }
        Self { rows, places, hasher, hollow: OnceLock::new() }
    }

    /// The rows at one name.
    #[must_use]
    pub fn at(&self, name: &DomainName) -> &[T] {
        self.at_text(name.as_str())
    }

    /// The same by the canonical text of the name.
    #[must_use]
    pub fn at_text(&self, name: &str) -> &[T] {
        let first = |place: &Place| self.rows.get(usize::try_from(place.from).ok()?);
        let is_there = |place: &Place| first(place).is_some_and(|row| row.name().as_str() == name);
        let place = self.places.find(self.hasher.hash_one(name), is_there);
        place.and_then(|place| self.rows_at(*place)).unwrap_or_default()
    }

    fn rows_at(&self, place: Place) -> Option<&[T]> {
        let from = usize::try_from(place.from).ok()?;
        self.rows.get(from..from.checked_add(usize::try_from(place.count).ok()?)?)
    }

    /// True for a name that has no rows and exists all the same, because a name below it has. Source: RFC 4592
    /// section 2.2.2, empty non-terminals.
    #[must_use]
    pub fn is_empty_non_terminal(&self, name: &DomainName) -> bool {
        self.hollow.get_or_init(|| self.hollow()).contains(name.as_str())
    }

    fn hollow(&self) -> HashSet<Box<str>, RandomState> {
        let mut found: HashSet<Box<str>, RandomState> = HashSet::default();
        for row in &self.rows {
            let above = row.name().suffixes().skip(1);
            let unknown = above.take_while(|name| self.at_text(name).is_empty() && !name.is_empty());
            for name in unknown {
                if !found.insert(name.into()) {
                    break;
                }
            }
        }
        found
    }
}

// === impl Finger ===

impl<'a, T: Row> Finger<'a, T> {
    /// Points at the first of the rows, which are sorted by name.
    #[must_use]
    pub fn new(rows: &'a [T]) -> Self {
        Self { rows, at: 0 }
    }

    /// The rows at one name, by its canonical text.
    pub fn at_text(&mut self, name: &str) -> &'a [T] {
        self.at = self.first(name);
        let rest = self.rows.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|row| row.name().as_str() == name).count();
        rest.get(..count).unwrap_or_default()
    }

    /// Where the name is, or would be.
    fn first(&self, name: &str) -> usize {
        let is_before = |row: &T| row.name().as_str() < name;
        let (passed, rest) = self.rows.split_at_checked(self.at).unwrap_or((self.rows, &[]));
        if passed.last().is_some_and(|row| !is_before(row)) {
            return passed.partition_point(is_before);
        }
        let mut span = 1_usize;
        while rest.get(span).is_some_and(is_before) {
            span = span.saturating_mul(2);
        }
        let near = rest.get(..=span).unwrap_or(rest);
        self.at.saturating_add(near.partition_point(is_before))
    }
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            places: HashTable::new(),
            hasher: RandomState::default(),
            hollow: OnceLock::new(),
        }
    }
}

impl<T> Deref for ByName<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.rows
    }
}

impl<'a, T> IntoIterator for &'a ByName<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

/// The index follows from the rows.
impl<T: PartialEq> PartialEq for ByName<T> {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Row for (DomainName, u8) {
        fn name(&self) -> &DomainName {
            &self.0
        }

        fn order(&self, other: &Self) -> Ordering {
            self.cmp(other)
        }
    }

    #[test]
    fn rows_are_found_by_name_whatever_their_order() {
        let row = |name: &str, number| (DomainName::new(name), number);
        let rows = ByName::new(vec![
            row("c.example.com", 5),
            row("a.example.com", 1),
            row("b.example.com", 4),
            row("a.example.com", 0),
        ]);
        let at = |name: &str| rows.at(&DomainName::new(name)).iter().map(|row| row.1).collect::<Vec<_>>();
        assert_eq!(at("A.example.com."), [0, 1]);
        assert_eq!(at("b.example.com"), [4]);
        assert_eq!(at("c.example.com"), [5]);
        assert!(at("d.example.com").is_empty());
        assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), [0, 1, 4, 5]);
        assert_eq!(ByName::<(DomainName, u8)>::default().at(&DomainName::new("a.example.com")), []);
    }

    #[test]
    fn a_finger_finds_what_a_search_finds() {
        let names = ["a", "a", "b", "d", "e", "e", "f", "g", "h", "i", "k", "l", "m", "n"];
        let rows = ByName::new(names.iter().zip(0..).map(|(name, at)| (DomainName::new(name), at)).collect());
        for first in "abcdefghijklmno".chars() {
            for second in "0abcdefghijklmno".chars() {
                let mut finger = Finger::new(&rows);
                for name in [first, second, first] {
                    let name = name.to_string();
                    assert_eq!(finger.at_text(&name), rows.at_text(&name), "{first}{second}{first}");
                }
            }
        }
        assert_eq!(Finger::<(DomainName, u8)>::new(&[]).at_text("a"), []);
    }

    #[test]
    fn a_name_above_others_exists_without_rows() {
        let row = |name: &str| (DomainName::new(name), 0);
        let rows = ByName::new(vec![row("example.com"), row("x.a.b.example.com"), row("y.a.b.example.com")]);
        let is_one = |name: &str| rows.is_empty_non_terminal(&DomainName::new(name));
        assert!(is_one("a.b.example.com") && is_one("b.example.com"));
        for name in ["x.a.b.example.com", "example.com", "c.example.com", ""] {
            assert!(!is_one(name), "{name}");
        }
    }
}

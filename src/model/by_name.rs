//! Rows that are sorted by domain name, with an index: a round asks for thousands of names again and
//! again, and a search among strings is the slow part of that.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::Deref;

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
    /// Where the rows of each name begin.
    places: HashMap<DomainName, usize>,
}

// === impl ByName ===

impl<T: Row> ByName<T> {
    /// Sorts and indexes.
    #[must_use]
    pub fn new(mut rows: Vec<T>) -> Self {
        rows.sort_by(Row::order);
        let mut places: HashMap<DomainName, usize> = HashMap::new();
        for (place, row) in rows.iter().enumerate() {
            if !places.contains_key(row.name()) {
                places.insert(row.name().clone(), place);
            }
        }
        Self { rows, places }
    }

    /// The rows at one name.
    #[must_use]
    pub fn at(&self, name: &DomainName) -> &[T] {
        let Some(start) = self.places.get(name) else { return &[] };
        let rest = self.rows.get(*start..).unwrap_or_default();
        rest.get(..rest.iter().take_while(|row| row.name() == name).count()).unwrap_or_default()
    }
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), places: HashMap::new() }
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
}

//! Texts put into a source text, so that rewritings nest without a printer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A text that takes the place of a range; an empty range only inserts.
#[derive(Debug)]
struct Edit {
    range: Range<usize>,
    text: String,
    /// Ends what another edit of the site began.
    closes: bool,
}

/// One rewriting. It carries all mutants that compile together or not at all.
#[derive(Debug, Default)]
pub struct Site {
    /// The numbers of its mutants.
    pub mutants: Vec<u32>,
    edits: Vec<Edit>,
}

impl Site {
    /// A rewriting that changes nothing yet.
    #[must_use]
    pub fn of(mutants: &[u32]) -> Self {
        Self { mutants: mutants.to_vec(), edits: Vec::new() }
    }

    /// Puts a text before an expression.
    #[must_use]
    pub fn open(self, at: usize, text: impl Into<String>) -> Self {
        self.edit(at..at, text.into(), false)
    }

    /// Puts a text behind an expression.
    #[must_use]
    pub fn close(self, at: usize, text: impl Into<String>) -> Self {
        self.edit(at..at, text.into(), true)
    }

    /// Puts a text in the place of another.
    #[must_use]
    pub fn replace(self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.edit(range, text.into(), false)
    }

    fn edit(mut self, range: Range<usize>, text: String, closes: bool) -> Self {
        self.edits.push(Edit { range, text, closes });
        self
    }
}

/// Where the sites have come to lie in the new text.
pub type Places = BTreeMap<usize, Range<usize>>;

/// The text with all sites but those left out. The sites are in the order of a walk that sees the outer
/// before the inner: at one position what is closed comes first, inner before outer, then what is opened,
/// outer before inner.
pub fn splice(text: &str, sites: &[Site], without: &BTreeSet<usize>) -> (String, Places) {
    let kept = sites.iter().enumerate().filter(|(place, _)| !without.contains(place));
    let mut edits: Vec<(usize, &Edit)> =
        kept.flat_map(|(place, site)| site.edits.iter().map(move |edit| (place, edit))).collect();
    let rank = |place: usize, edit: &Edit| if edit.closes { (0, usize::MAX - place) } else { (1, place) };
    edits.sort_by_key(|(place, edit)| (edit.range.start, rank(*place, edit)));
    let (mut out, mut places, mut done) = (String::new(), Places::new(), 0);
    for (place, edit) in edits {
        out.push_str(&text[done..edit.range.start]);
        let start = out.len();
        out.push_str(&edit.text);
        done = edit.range.end;
        let whole = places.entry(place).or_insert(start..start);
        whole.end = out.len();
    }
    out.push_str(&text[done..]);
    (out, places)
}

/// The innermost site around a range of the new text, else all that touch it.
pub fn blamed(places: &Places, range: &Range<usize>) -> Vec<usize> {
    let around = places.iter().filter(|(_, one)| one.start <= range.start && range.end <= one.end);
    if let Some((place, _)) = around.min_by_key(|(_, one)| one.len()) {
        return vec![*place];
    }
    let touches = |one: &Range<usize>| one.start < range.end && range.start < one.end;
    places.iter().filter(|(_, one)| touches(one)).map(|(place, _)| *place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewritings_nest() {
        let outer = Site::default().open(0, "(").replace(2..4, "or").close(6, ")");
        let inner = Site::default().open(0, "[").close(1, "]");
        let last = Site::default().open(5, "{").close(6, "}");
        let sites = [outer, inner, last];
        assert_eq!(splice("a || b", &sites, &BTreeSet::new()).0, "([a] or {b})");
        let (text, places) = splice("a || b", &sites, &BTreeSet::from([1]));
        assert_eq!(text, "(a or {b})");
        assert_eq!(blamed(&places, &(6..9)), [2]);
        assert_eq!(blamed(&places, &(3..5)), [0]);
        assert_eq!(blamed(&places, &(9..20)), [0]);
    }
}

//! What `docs/sources.md` says that each source needs.

use std::collections::{BTreeMap, BTreeSet};

/// What the row of one source lists.
#[derive(Default)]
pub(crate) struct Needs {
    pub(crate) kinds: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
}

/// Words in code marks: a group has dots, a kind is a plural in small letters.
fn marked(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn is_kind(word: &str) -> bool {
    word.ends_with('s') && word.chars().all(|letter| letter.is_ascii_lowercase())
}

/// The table, with "the same" filled in from the row above.
pub(crate) fn sources(page: &str) -> BTreeMap<String, Needs> {
    let mut above = String::new();
    let mut found = BTreeMap::new();
    let rows = page.lines().skip_while(|line| !line.starts_with("| `--source`")).skip(2);
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let &[source, asks, besides, group] = cells.as_slice() else { panic!("not four cells: {row}") };
        let besides = besides.replace("the same", &above);
        let words = [asks, besides.as_str(), group];
        let mut needs = Needs::default();
        for word in words.into_iter().flat_map(marked) {
            if is_kind(word) {
                needs.kinds.insert(word.to_owned());
            } else if word.contains('.') {
                needs.groups.insert(word.to_owned());
            }
        }
        if words.iter().skip(1).any(|cell| cell.split_whitespace().any(|word| word == "core")) {
            needs.groups.insert("core".to_owned());
        }
        found.insert(marked(source).next().unwrap().to_owned(), needs);
        above = besides;
    }
    found
}

/// The kinds that are always read, from the sentence above the table.
pub(crate) fn always(page: &str) -> BTreeSet<String> {
    let (_, rest) = page.split_once("Always read").expect("the sentence");
    let sentence = rest.split("\n\n").next().unwrap().to_lowercase();
    let words = sentence.split(|letter: char| !letter.is_ascii_alphabetic());
    let kinds = ["deployments", "statefulsets", "daemonsets", "pods", "ingresses"];
    let said: BTreeSet<String> = words.filter(|word| kinds.contains(word)).map(str::to_owned).collect();
    assert_eq!(said.len(), kinds.len(), "{sentence}");
    said
}

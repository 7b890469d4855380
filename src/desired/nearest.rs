//! The hosted zone that a misspelt host was meant for. Pure.
//!
//! Told is what a slip of the fingers makes: letters lost, doubled, swapped or hit beside, and dots. What two
//! names differ in on purpose is none: `eu1` is no typo of `eu2`, and `.de` none of `.se`.

use std::cmp::Reverse;

use crate::model::DomainName;

/// Letters that may differ in all labels together.
const MOST_SLIPS: usize = 3;

/// Up to this length a letter is half of the meaning: none may stand for another one.
const SHORT: usize = 3;

/// The zone whose name differs least from the end of the name; of several the most specific one. `None` when
/// all differ by more than a typo.
#[must_use]
pub fn nearest<'a>(name: &DomainName, zones: impl Iterator<Item = &'a DomainName>) -> Option<&'a DomainName> {
    let near = zones.filter_map(|zone| Some((slips(name, zone)?, Reverse(zone.labels().count()), zone)));
    near.min().map(|(_, _, zone)| zone)
}

/// How many slips lead from the zone to the end of the name; `None` for more than a typo.
fn slips(name: &DomainName, zone: &DomainName) -> Option<usize> {
    let (labels, wanted): (Vec<&str>, Vec<&str>) = (name.labels().collect(), zone.labels().collect());
    let tail = |count: usize| labels.get(labels.len().checked_sub(count)?..);
    // A dot that was lost, or one too many.
    let plain = wanted.concat();
    let is_dot = |count: usize| tail(count).is_some_and(|tail| tail.concat() == plain);
    if is_dot(wanted.len().saturating_sub(1)) || is_dot(wanted.len().saturating_add(1)) {
        return Some(1);
    }
    let each = tail(wanted.len())?.iter().zip(&wanted).map(|(found, wanted)| slips_in_label(found, wanted));
    let all: usize = each.sum::<Option<usize>>()?;
    // A name that lies in the zone is misspelt nowhere.
    (0 < all && all <= MOST_SLIPS).then_some(all)
}

fn slips_in_label(found: &str, wanted: &str) -> Option<usize> {
    if found == wanted {
        return Some(0);
    }
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    // In Punycode one letter more makes another word.
    if digits(found) != digits(wanted) || [found, wanted].iter().any(|label| label.starts_with("xn--")) {
        return None;
    }
    let slips = strsim::damerau_levenshtein(found, wanted);
    let shorter = found.len().min(wanted.len());
    if shorter <= SHORT {
        let sorted = |text: &str| {
            let mut letters: Vec<char> = text.chars().collect();
            letters.sort_unstable();
            letters
        };
        let is_slip = found.len() != wanted.len() || sorted(found) == sorted(wanted);
        return (slips == 1 && 1 < shorter && is_slip).then_some(1);
    }
    // Nobody misses the first letter and another one, too.
    let starts_alike = found.chars().next() == wanted.chars().next();
    let allowed = if starts_alike { wanted.len().saturating_add(1) / 4 } else { 1 };
    (slips <= allowed).then_some(slips)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, zones: &[&str], expected: Option<&str>) {
        let zones: Vec<DomainName> = zones.iter().map(|zone| DomainName::new(zone)).collect();
        let found = nearest(&DomainName::new(name), zones.iter());
        assert_eq!(found.map(DomainName::as_str), expected, "{name} among {zones:?}");
    }

    #[test]
    fn slips_of_the_fingers_are_told() {
        for name in [
            "app.exmaple.com",
            "exampl.com",
            "a.b.examplle.com",
            "app.wxample.com",
            "app.exmplae.com",
            "x.example.cm",
        ] {
            check(name, &["example.org", "example.com"], Some("example.com"));
        }
        check("app.example.con", &["example.com"], None);
        check("app.example.cmo", &["example.com"], Some("example.com"));
        check("app.examplecom", &["example.com"], Some("example.com"));
        check("app.example.co.m", &["example.com"], Some("example.com"));
        check("app.sohp.example.com.", &["shop.example.com"], Some("shop.example.com"));
    }

    #[test]
    fn the_most_specific_of_two_comes_first() {
        check("app.dev.exmaple.com", &["example.com", "dev.example.com"], Some("dev.example.com"));
        check("app.prod.exmaple.com", &["example.com", "dev.example.com"], Some("example.com"));
    }

    #[test]
    fn what_differs_on_purpose_is_no_typo() {
        check("app.eu1.example.com", &["eu2.example.com"], None);
        check("app.example.org", &["example.com"], None);
        check("app.example.se", &["example.de"], None);
        check("app.dev.example.com", &["prd.example.com"], None);
        check("app.sample.com", &["example.com"], None);
        check("shop.customer.net", &["example.com", "example.net"], None);
        check("com", &["example.com"], None);
        check("app.example.com", &["example.com"], None);
        check("app.xn--mnchen-3ya.de", &["xn--mnchn-4ya.de"], None);
    }
}

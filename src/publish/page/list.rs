//! A finding as a row of a table, and long lists in pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::finding::Subject;
use crate::limits::MAX_PAGE_ROWS;
use crate::publish::page::time::When;
use crate::report::{Finding, Report};

/// What stays as it is in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// One finding.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) severity: &'static str,
    pub(super) state: &'static str,
    pub(super) name: String,
    /// `A`, `CNAME #blue`; empty for what is no record.
    pub(super) detail: String,
    pub(super) href: String,
    pub(super) summary: String,
    pub(super) kind: &'static str,
    pub(super) reason: &'static str,
    pub(super) cause: String,
    pub(super) since: When,
    pub(super) impact: &'static str,
    pub(super) object: String,
    pub(super) team: String,
    /// `example.com`, marked when private.
    pub(super) zone: String,
}

/// Where one is in a long list.
#[derive(Debug)]
pub(super) struct Paging {
    pub(super) total: usize,
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) page: usize,
    pub(super) pages: usize,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
}

// === impl Row ===

impl Row {
    pub(super) fn new(report: &Report, finding: &Finding) -> Self {
        let (name, detail) = subject(&finding.subject);
        Self {
            severity: finding.severity.as_str(),
            state: finding.state.as_str(),
            name,
            detail,
            href: href(finding),
            summary: finding.summary.clone(),
            kind: finding.kind.as_str(),
            reason: finding.reason.as_str(),
            cause: finding.cause.as_ref().map(ToString::to_string).unwrap_or_default(),
            since: When::new(finding.first_seen, report.at),
            impact: finding.impact.as_str(),
            object: finding.object.as_ref().map(ToString::to_string).unwrap_or_default(),
            team: finding.team().unwrap_or_default().to_owned(),
            zone: finding.zone.as_ref().map_or_else(String::new, |zone| {
                if zone.private { format!("{} (private)", zone.name) } else { zone.name.to_string() }
            }),
        }
    }
}

/// Name and detail of what a finding is about.
pub(super) fn subject(subject: &Subject) -> (String, String) {
    match subject {
        Subject::Record(key) => {
            let member = key.set_identifier.as_ref().map(|member| format!(" #{member}")).unwrap_or_default();
            (key.name.to_string(), format!("{}{member}", key.record_type))
        }
        Subject::Zone(name) => (name.to_string(), String::from("zone")),
        Subject::Instance(id) => (id.to_string(), String::from("instance")),
        Subject::Object(object) => (object.to_string(), String::from("object")),
        Subject::Source(view) => (view.as_str().to_owned(), String::from("view")),
    }
}

/// The page that shows the finding in full.
pub(super) fn href(finding: &Finding) -> String {
    let id = &finding.id;
    match &finding.subject {
        Subject::Record(key) => format!("{}#f{id}", host_href(key.name.as_str())),
        Subject::Zone(name) => format!("/zones/{}#f{id}", segment(name.as_str())),
        Subject::Instance(owner) => format!("{}#f{id}", instance_href(owner)),
        Subject::Object(_) | Subject::Source(_) => format!("/findings/{}", segment(id)),
    }
}

pub(super) fn host_href(name: &str) -> String {
    format!("/hosts/{}", segment(name))
}

pub(super) fn zone_href(id: &str) -> String {
    format!("/zones/{}", segment(id))
}

pub(super) fn instance_href(id: &str) -> String {
    format!("/instances/{}", segment(id))
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

// === impl Paging ===

impl Paging {
    /// `page` as it stands in the URL; what is no number is the first page, what is too large the
    /// last one.
    pub(super) fn new(total: usize, page: &str, url: impl Fn(usize) -> String) -> Self {
        let pages = total.div_ceil(MAX_PAGE_ROWS).max(1);
        let page = page.parse().unwrap_or(1_usize).clamp(1, pages);
        let first = (page - 1) * MAX_PAGE_ROWS;
        Self {
            total,
            first,
            last: (first + MAX_PAGE_ROWS).min(total),
            page,
            pages,
            previous: (1 < page).then(|| url(page - 1)),
            next: (page < pages).then(|| url(page + 1)),
        }
    }

    /// The part of the list that this page shows.
    pub(super) fn of<'a, T>(&self, rows: &'a [T]) -> &'a [T] {
        rows.get(self.first..self.last).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_the_list_once() {
        let rows: Vec<usize> = (0..=2 * MAX_PAGE_ROWS).collect();
        let shown = |page: &str| Paging::new(rows.len(), page, |page| page.to_string()).of(&rows).to_vec();
        let all: Vec<usize> = ["1", "2", "3"].into_iter().flat_map(shown).collect();
        assert_eq!(all, rows);
        assert_eq!(shown("99"), [2 * MAX_PAGE_ROWS]);
        assert_eq!(shown("-1"), shown("1"));
        let only = Paging::new(0, "", |page| page.to_string());
        assert_eq!((only.pages, only.previous, only.next), (1, None, None));
    }

    #[test]
    fn a_name_is_one_segment() {
        assert_eq!(host_href("*.a/../b?#\u{fc}"), "/hosts/%2A.a%2F..%2Fb%3F%23%C3%BC");
    }
}

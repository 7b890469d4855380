//! What all pages have around their content.

use crate::board::Board;
use crate::publish::page::assets::{ASSETS, Assets};
use crate::publish::page::time::When;
use crate::publish::role::Role;
use crate::report::Report;

/// What a page is made from: the round, and the part of the replica that shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) board: &'a Board,
    pub(super) role: Role,
}

/// Head, navigation and foot of a page.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    /// Which entry of the navigation is this page; empty for none.
    pub(super) here: &'static str,
    /// When the round was; `None` before the first.
    pub(super) at: Option<When>,
    /// Which round.
    pub(super) round: String,
    /// The replica waits for its turn and shows what it saw when it judged last.
    pub(super) standby: bool,
    pub(super) assets: &'static Assets,
    pub(super) version: &'static str,
}

// === impl Scene ===

impl<'a> Scene<'a> {
    pub(super) fn report(self) -> &'a Report {
        &self.board.report
    }

    /// What surrounds a page of this round.
    pub(super) fn frame(self, title: String, here: &'static str) -> Frame {
        let report = self.report();
        Frame {
            at: Some(When::new(report.at, report.at)),
            round: round(report),
            ..Frame::bare(self.role, title, here)
        }
    }
}

// === impl Frame ===

impl Frame {
    /// Of a page that no round is needed for.
    pub(super) fn bare(role: Role, title: String, here: &'static str) -> Self {
        Self {
            title,
            here,
            at: None,
            round: String::new(),
            standby: role == Role::Standby,
            assets: &ASSETS,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Names a round to browsers.
pub(super) fn round(report: &Report) -> String {
    format!("{}-{}", report.at.as_nanosecond(), ASSETS.build)
}

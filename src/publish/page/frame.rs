//! What all pages have around their content.

use crate::publish::page::assets::{ASSETS, Assets};
use crate::publish::page::time::When;
use crate::report::Report;

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
    pub(super) assets: &'static Assets,
    pub(super) version: &'static str,
}

// === impl Frame ===

impl Frame {
    pub(super) fn new(report: &Report, title: String, here: &'static str) -> Self {
        Self {
            at: Some(When::new(report.at, report.at)),
            round: round(report),
            ..Self::starting(title, here)
        }
    }

    /// Before the first round.
    pub(super) fn starting(title: String, here: &'static str) -> Self {
        Self {
            title,
            here,
            at: None,
            round: String::new(),
            assets: &ASSETS,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Names a round to browsers.
pub(super) fn round(report: &Report) -> String {
    format!("{}-{}", report.at.as_nanosecond(), ASSETS.build)
}

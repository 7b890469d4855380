//! One family of the exposition as a value: rows in, text out.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::publish::catalogue::{MetricDoc, Type};
use crate::publish::labels::{LabelSet, Labels};

/// A value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// A whole number.
    Whole(u64),
    /// Any other.
    Real(f64),
}

/// The samples of one family.
#[derive(Debug)]
pub(crate) struct Family {
    doc: &'static MetricDoc,
    rows: Vec<(Labels, Number)>,
}

// === impl Family ===

impl Family {
    /// A family of the catalogue, still empty.
    ///
    /// A name that is not in the catalogue is a mistake of ours; it shows up under the name of
    /// the build metric, and the test that compares exposition and catalogue fails.
    pub(crate) fn new(name: &str) -> Self {
        const UNKNOWN: &MetricDoc =
            &MetricDoc { name: "dns_drift_undocumented", kind: Type::Gauge, labels: &[], help: "A mistake." };
        Self { doc: MetricDoc::find(name).unwrap_or(UNKNOWN), rows: Vec::new() }
    }

    /// A family with one sample that has no labels.
    pub(crate) fn single(name: &str, number: Number) -> Self {
        let mut family = Self::new(name);
        family.add(LabelSet::default(), number);
        family
    }

    pub(crate) fn add(&mut self, labels: LabelSet, number: Number) {
        self.rows.push((labels.into_labels(), number));
    }

    pub(crate) fn add_row(&mut self, labels: Labels, number: Number) {
        self.rows.push((labels, number));
    }

    /// Writes the family, sorted by labels; nothing at all when it is empty.
    ///
    /// Two samples with the same labels would make a scraper refuse the whole body, so the second
    /// one is dropped, whatever made it. Returns how many were.
    pub(crate) fn encode(mut self, encoder: &mut DescriptorEncoder<'_>) -> Result<usize, fmt::Error> {
        if self.rows.is_empty() {
            return Ok(0);
        }
        self.rows.sort_by(|left, right| left.0.cmp(&right.0));
        let before = self.rows.len();
        self.rows.dedup_by(|later, earlier| later.0 == earlier.0);
        let kind = match self.doc.kind {
            Type::Gauge => MetricType::Gauge,
            Type::Counter => MetricType::Counter,
            Type::Info => MetricType::Info,
            // Histograms keep their own state and are written by `publish::convergence`.
            Type::Histogram => MetricType::Histogram,
        };
        let mut metric = encoder.encode_descriptor(self.doc.family(), self.doc.help, None, kind)?;
        for (labels, number) in &self.rows {
            if self.doc.kind == Type::Info {
                metric.encode_info(labels)?;
            } else if labels.is_empty() {
                number.encode(self.doc.kind, &mut metric)?;
            } else {
                number.encode(self.doc.kind, &mut metric.encode_family(labels)?)?;
            }
        }
        Ok(before - self.rows.len())
    }
}

// === impl Number ===

impl Number {
    fn encode(self, kind: Type, metric: &mut MetricEncoder<'_>) -> fmt::Result {
        match (kind, self) {
            (Type::Counter, Self::Whole(whole)) => metric.encode_counter::<NoLabelSet, _, f64>(&whole, None),
            (Type::Counter, Self::Real(real)) => metric.encode_counter::<NoLabelSet, _, f64>(&real, None),
            (Type::Gauge | Type::Info | Type::Histogram, Self::Whole(whole)) => metric.encode_gauge(&whole),
            (Type::Gauge | Type::Info | Type::Histogram, Self::Real(real)) => metric.encode_gauge(&real),
        }
    }
}

impl From<usize> for Number {
    fn from(count: usize) -> Self {
        u64::try_from(count).map_or(Self::Real(f64::INFINITY), Self::Whole)
    }
}

impl From<u64> for Number {
    fn from(count: u64) -> Self {
        Self::Whole(count)
    }
}

impl From<jiff::Timestamp> for Number {
    /// Unix time in seconds, with a fraction where there is one.
    fn from(at: jiff::Timestamp) -> Self {
        Self::Real(at.as_duration().as_secs_f64())
    }
}

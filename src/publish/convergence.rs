//! The histograms of how long new hosts take, and the counters of the objective.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;

use crate::convergence::{Arrival, OBJECTIVE, Stage};
use crate::model::text::{printable, truncate};
use crate::publish::catalogue::MetricDoc;
use crate::publish::family::{Family, Number};
use crate::publish::labels::LabelSet;

/// From the quickest controller to an hour of trouble.
const BUCKETS: [f64; 10] = [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0];

/// All labels of an exemplar may have 128 characters. Source: OpenMetrics 1.0, "Exemplars".
const MAX_EXEMPLAR: usize = 120;

const DURATION: &str = "dns_drift_convergence_duration_seconds";

type Exemplar = [(&'static str, String); 1];

/// Counts arrivals; shared by reference.
#[derive(Debug)]
pub struct ConvergenceMetrics {
    stages: [StageMetrics; 2],
}

#[derive(Debug)]
struct StageMetrics {
    stage: Stage,
    durations: HistogramWithExemplars<Exemplar>,
    decided: AtomicU64,
    slow: AtomicU64,
    pending: AtomicU64,
}

// === impl ConvergenceMetrics ===

impl Default for ConvergenceMetrics {
    fn default() -> Self {
        let stage = |stage| StageMetrics {
            stage,
            durations: HistogramWithExemplars::new(BUCKETS.into_iter()),
            decided: AtomicU64::default(),
            slow: AtomicU64::default(),
            pending: AtomicU64::default(),
        };
        Self { stages: Stage::ALL.map(stage) }
    }
}

impl ConvergenceMetrics {
    /// Takes in what happened in a round.
    pub fn record(&self, arrivals: &[Arrival]) {
        for arrival in arrivals {
            for stage in self.stages.iter().filter(|stage| stage.stage == arrival.stage) {
                stage.record(arrival);
            }
        }
    }

    /// How many hosts are on their way to a stage.
    pub fn set_pending(&self, pending: impl Fn(Stage) -> usize) {
        for stage in &self.stages {
            let count = u64::try_from(pending(stage.stage)).unwrap_or(u64::MAX);
            stage.pending.store(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = MetricDoc::find(DURATION).map_or("", |doc| doc.help);
        {
            let mut metric = encoder.encode_descriptor(DURATION, help, None, MetricType::Histogram)?;
            for stage in &self.stages {
                let labels = [("stage", stage.stage.as_str())];
                stage.durations.encode(metric.encode_family(&labels)?)?;
            }
        }
        let family = |name: &str, value: fn(&StageMetrics) -> &AtomicU64| {
            let mut family = Family::new(name);
            for stage in &self.stages {
                let labels = LabelSet::default().with("stage", stage.stage.as_str());
                family.add(labels, value(stage).load(Ordering::Relaxed).into());
            }
            family
        };
        for family in [
            family("dns_drift_convergences_total", |stage| &stage.decided),
            family("dns_drift_slow_convergences_total", |stage| &stage.slow),
            family("dns_drift_convergence_pending_records", |stage| &stage.pending),
            Family::single("dns_drift_convergence_objective_seconds", Number::Real(OBJECTIVE.as_secs_f64())),
        ] {
            family.encode(encoder)?;
        }
        Ok(())
    }
}

// === impl StageMetrics ===

impl StageMetrics {
    fn record(&self, arrival: &Arrival) {
        if let Some(took) = arrival.took {
            let name = printable(&truncate(arrival.name.as_str(), MAX_EXEMPLAR));
            self.durations.observe(took.as_secs_f64(), Some([("name", name)]), None);
        }
        if arrival.decided {
            self.decided.fetch_add(1, Ordering::Relaxed);
            if arrival.took.is_none_or(|took| OBJECTIVE < took) {
                self.slow.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

//! Data that fills every panel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dns_drift::convergence::{Arrival, Stage};
use dns_drift::model::DomainName;
use dns_drift::publish::convergence::ConvergenceMetrics;
use dns_drift::publish::cost::{CostSnapshot, CostSource, RecordStates};
use jiff::SignedDuration;

use crate::fixture;

/// The costs of the fixture, growing with each scrape.
#[derive(Debug, Default)]
pub(crate) struct Growing {
    scrapes: AtomicU64,
    convergence: ConvergenceMetrics,
}

impl CostSource for Growing {
    fn snapshot(&self) -> CostSnapshot {
        let scrapes = self.scrapes.fetch_add(1, Ordering::Relaxed) + 1;
        let arrival = |stage, seconds| Arrival {
            stage,
            name: DomainName::new("new.example.com"),
            took: Some(SignedDuration::from_secs(seconds)),
            decided: true,
        };
        let late = if scrapes.is_multiple_of(10) { 900 } else { 80 };
        self.convergence.record(&[arrival(Stage::Recorded, 40), arrival(Stage::Live, late)]);
        let mut costs = fixture::Costs::new().snapshot();
        for row in &mut costs.aws_requests {
            row.count *= scrapes;
        }
        for row in &mut costs.dns_queries {
            row.count *= scrapes;
        }
        for row in &mut costs.kubernetes_requests {
            row.count *= scrapes;
        }
        costs.log_lines *= scrapes;
        costs.log_lines_dropped *= scrapes;
        costs.rounds *= scrapes;
        costs
    }

    fn records(&self) -> Option<Arc<RecordStates>> {
        fixture::Costs::new().records()
    }

    fn convergence(&self) -> Option<&ConvergenceMetrics> {
        Some(&self.convergence)
    }
}

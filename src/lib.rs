//! dns-drift: a read-only third eye beside ExternalDNS and Route 53.
//!
//! Four views flow into one snapshot, one pure comparison, one report:
//!
//! ```text
//! kubernetes --> desired  --\
//! route 53   --> recorded ---\                                   /-> metrics, alerts, dashboards
//! dns        --> live     ----+--> snapshot --> compare --> history --> report --> pages, JSON, CLI
//! logs, trail -> changes  ---/
//! ```
//!
//! Modules in reading order: [`model`], [`snapshot`], [`finding`], the sources
//! ([`desired`], [`recorded`], [`live`], [`changes`]), then `compare`, `history`,
//! `report`, `publish` and `run`.

/// A round makes and drops millions of small things on whichever thread it runs; the system's allocator
/// keeps half as much again for later, and that of the static image's C library is slow with threads.
/// Here and not in the program, so that tests and benches measure what is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod board;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod config;
pub mod convergence;
pub mod demo;
pub mod desired;
pub mod diagnose;
pub mod emulator;
pub mod engine;
pub mod error_chain;
pub mod finding;
#[cfg(test)]
mod fixture;
pub mod history;
pub mod limits;
pub mod live;
mod meter;
pub mod model;
pub mod once;
pub mod past;
pub mod policy;
pub mod preview;
pub mod publish;
pub mod recorded;
pub mod recording;
pub mod replay;
pub mod report;
pub mod run;
pub mod snapshot;
pub mod state;
mod stored;

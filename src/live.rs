//! The live view: what parents, authoritative servers and resolvers answer now.
//!
//! [`task::run`] keeps it for the running program, [`task::sweep`] makes it once. Both follow a
//! [`plan::ProbePlan`] that the caller makes, and yield observations in the form of recordings.
//! Nothing here judges an answer.

pub mod answer;
pub mod cost;
mod cuts;
pub mod encrypted;
pub mod endpoint;
#[cfg(test)]
pub(crate) mod fake;
mod health;
mod names;
mod pace;
pub mod plan;
mod probe;
pub mod prober;
pub mod question;
mod server;
pub mod servers;
pub mod settings;
mod socket;
mod store;
mod stream;
pub mod task;

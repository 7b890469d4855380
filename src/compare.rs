//! The comparison: four views and the past in, statements out. Pure and total.
//!
//! A view that could not be read yields no statement about it: absence of knowledge is not drift.
//! Confirmation, windows and states over time are the business of [`crate::history`].

pub mod severity;
pub mod verdict;

pub use verdict::{Candidate, Coverage, Verdicts};

//! The changes view: what was tried on Route 53, and what was refused.

pub mod follow;

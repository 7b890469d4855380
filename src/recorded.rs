//! The recorded view: what stands in each Route 53 hosted zone.
//!
//! [`decode`] is pure and serves both the SDK and recordings.

pub mod decode;

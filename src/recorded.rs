//! The recorded view: what stands in each Route 53 hosted zone.
//!
//! [`decode`] is pure and serves both the SDK and recordings. The live reader: [`route53`] has the
//! settings and the two entrances, [`task`] keeps the view, [`walk`] lists, [`client`] calls,
//! [`budget`] holds it back.

pub mod budget;
pub mod client;
pub mod decode;
mod encode;
pub mod error;
pub mod route53;
mod sdk;
pub mod stats;
pub mod task;
pub mod walk;

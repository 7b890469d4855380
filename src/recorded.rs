//! The recorded view: what stands in each Route 53 hosted zone.
//!
//! [`decode`] is pure and serves both the SDK and recordings. The live reader: [`route53`] has the
//! settings and the two entrances, [`accounts`] goes over the accounts, [`task`] keeps the view of
//! one, [`urgent`] reads names that matter now, [`walk`] lists, [`client`] calls, [`budget`] holds it
//! back.

pub mod accounts;
pub mod budget;
pub mod client;
pub mod decode;
mod encode;
pub mod error;
mod extras;
pub mod filter;
mod health;
pub mod route53;
mod sdk;
mod session;
pub mod stats;
pub mod task;
mod tested;
pub mod urgent;
mod view;
pub mod walk;

#[cfg(test)]
mod tests;

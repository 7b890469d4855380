//! The desired view: what the cluster's objects ask for, as each running ExternalDNS reads them.
//!
//! Pure: [`objects`], [`workloads`], [`flags`], [`discover`], [`kinds`], [`health`], [`view`]; they
//! serve the live API and recordings alike. [`client`], [`contact`], [`watch`], [`read`] and [`task`]
//! talk with the API server.

pub mod client;
pub mod contact;
pub mod discover;
pub mod flags;
pub mod health;
pub mod kinds;
pub mod objects;
pub mod read;
pub mod task;
pub mod view;
pub mod watch;
pub mod workloads;

//! The desired view: what the cluster's objects ask for, as each running ExternalDNS reads them.

pub mod discover;
pub mod flags;
pub mod objects;
pub mod workloads;

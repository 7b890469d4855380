//! The desired view: what the cluster's objects ask for, as each running ExternalDNS reads them.

pub mod annotations;
pub mod duration;
pub mod objects;
pub mod selector;

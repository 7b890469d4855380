//! Everything that renders a report: metrics, the status page, the JSON API, text for a terminal.
//!
//! All of it reads one immutable [`Report`](crate::report::Report); nothing here keeps state
//! between two requests, so nothing can go stale or disagree. Foreign text is escaped where it is
//! written, by the only function that can write it.

pub mod api;
pub mod catalogue;
pub mod convergence;
pub mod cost;
pub mod document;
pub mod explain;
pub mod exposition;
mod family;
pub mod junit;
mod labels;
pub mod markdown;
pub mod metrics;
mod page;
pub mod process;
mod rendering;
pub mod role;
mod rounds;
pub mod sarif;
pub mod server;
pub mod table;
pub mod trace;
pub mod web;
pub mod web_config;
mod words;

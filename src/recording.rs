//! Recordings: what was seen, as files in the formats of the ordinary tools.
//!
//! One reader for bug reports, scenarios and pipelines without cluster access; one writer for
//! `record`. The files come from strangers: every read is bounded, and one bad file becomes a
//! problem of its view and never hides the others. A view whose folder is missing was not read,
//! which is never the same as empty. Format: `recording.md`.

pub(crate) mod config_maps;
pub mod dns;
mod file;
pub mod index;
pub mod kubernetes;
pub mod logs;
pub mod problems;
pub mod round;
pub mod route53;
mod shapes;
pub mod write;

//! The status page: HTML made on the server, complete without a script.
//!
//! Templates escape whatever they show ([`escape`]); the script only copies, and swaps parts of a
//! page for those of the next round. Nothing here keeps state between two requests.

mod assets;
mod card;
pub(crate) mod escape;
mod events;
mod filter;
mod frame;
mod host;
mod hosts;
mod instance;
mod list;
mod overview;
mod serve;
mod single;
mod state;
mod time;
mod zone;

pub(crate) use serve::{Pages, routes};

//! The live view: what parents, authoritative servers and resolvers answer now.

pub mod answer;
#[cfg(test)]
pub(crate) mod fake;
mod health;
mod names;
mod pace;
pub mod prober;
pub mod question;
mod server;
mod socket;

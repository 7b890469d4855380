//! In-process stand-ins for Kubernetes, Route 53 and DNS that speak the real wire protocols.
//!
//! They listen on loopback only and serve two ends: the `demo` command, which needs neither a
//! cluster nor an account, and tests that need faults to order. They know nothing of the
//! comparison, and the product knows nothing of them: whatever works here works through the same
//! bytes that the real services send.

pub mod dns;
mod fault;
mod http;
pub mod kubernetes;
pub mod route53;
pub mod zones;

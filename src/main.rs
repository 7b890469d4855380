//! The `dns-drift` program.

fn main() {}

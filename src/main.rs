//! The `dns-drift` program.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "replaced by the command line in the next commit"
)]

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dir = args.iter().skip_while(|a| *a != "--recording").nth(1).unwrap();
    let report = dns_drift::replay::replay(std::path::Path::new(dir)).unwrap();
    println!("{}", serde_json::to_string(&report).unwrap());
}

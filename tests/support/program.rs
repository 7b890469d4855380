//! The built program, as a user would start it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use dns_drift::emulator::dns::CONTROL_NAME;
use serde_json::json;

use crate::servers::{Server, spawn};
use crate::world::World;

/// The built program against the emulators, as a user would start it.
#[allow(dead_code, reason = "each test uses its part")]
pub(crate) fn program(folder: &Path, world: &World, listen: SocketAddr) -> Server {
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    program_in(folder, world, listen, &keys, &[])
}

/// As [`program`], with more arguments.
#[allow(dead_code, reason = "each test uses its part")]
pub(crate) fn program_with(folder: &Path, world: &World, listen: SocketAddr, more: &[&str]) -> Server {
    let keys = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    program_in(folder, world, listen, &keys, more)
}

/// The same with an environment of choice, which tells where the credentials come from.
#[allow(dead_code, reason = "each test uses its part")]
pub(crate) fn program_in(
    folder: &Path,
    world: &World,
    listen: SocketAddr,
    environment: &[(&str, &str)],
    more: &[&str],
) -> Server {
    let kubeconfig = folder.join("kubeconfig");
    fs::write(&kubeconfig, world.kubernetes.kubeconfig()).unwrap();
    let servers = world.dns.server_map().into_iter().map(|(name, address)| format!("{name}={address}"));
    let servers: Vec<String> = servers.chain([format!("parent={}", world.dns.parent())]).collect();
    let resolver = json!({"address": world.dns.resolver().to_string(), "view": "public"});
    let config = json!({
        "listen": listen.to_string(), "interval": "10s",
        "kubernetes": {"kubeconfig": kubeconfig.display().to_string()},
        "route53": {"endpoint_url": world.route53.url(), "requests_per_second": 5},
        "dns": {"resolvers": [resolver], "server_map": servers, "control_name": CONTROL_NAME,
                "doubtful_interval": "1s"},
        "windows": {"sync_floor": "1s", "new_object": "1s", "first_address": "1s", "deleted_floor": "1s",
                    "propagation": "1s"}});
    let file = folder.join("config.yaml");
    fs::write(&file, config.to_string()).unwrap();
    spawn(
        Command::new(env!("CARGO_BIN_EXE_dns-drift"))
            .args(["serve", "--config"])
            .arg(&file)
            .args(more)
            .env_clear()
            .envs(environment.iter().copied()),
        &folder.join("program.log"),
    )
}

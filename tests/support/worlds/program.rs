//! The built program, started against one cluster of a poured world as a user would start it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dns_drift::emulator::dns::CONTROL_NAME;
use serde_json::{Value, json};

use super::Poured;

/// Ends with its value.
pub(crate) struct Program {
    child: Child,
    pub(crate) listen: SocketAddr,
}

impl Program {
    /// Starts `serve` on the cluster of that index. `more` is merged into its configuration, section
    /// by section. What it says goes to `program.log` in the folder.
    pub(crate) fn start(folder: &Path, poured: &Poured, cluster: usize, more: &Value) -> Self {
        let listen = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let kubeconfig = folder.join("kubeconfig");
        fs::write(&kubeconfig, poured.kubernetes[cluster].kubeconfig()).expect("written");
        let config = folder.join("config.yaml");
        fs::write(&config, configuration(poured, &kubeconfig, listen, more).to_string()).expect("written");
        let log = fs::File::create(folder.join("program.log")).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_dns-drift"))
            .args(["serve", "--config"])
            .arg(&config)
            .env_clear()
            .envs([("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("started");
        Self { child, listen }
    }

    #[allow(dead_code, reason = "a measurement asks the system about it")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The body of a page; `None` while it does not answer with 200.
    pub(crate) fn get(&self, path: &str) -> Option<String> {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_mins(1))).build();
        let mut answer =
            ureq::Agent::new_with_config(config).get(format!("http://{}{path}", self.listen)).call().ok()?;
        answer.body_mut().with_config().limit(1 << 30).read_to_string().ok()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself already.
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

fn configuration(poured: &Poured, kubeconfig: &Path, listen: SocketAddr, more: &Value) -> Value {
    let dns = &poured.dns;
    let servers = dns.server_map().into_iter().map(|(name, address)| format!("{name}={address}"));
    let servers: Vec<String> = servers.chain([format!("parent={}", dns.parent())]).collect();
    let mut config = json!({
        "listen": listen.to_string(),
        "kubernetes": {"kubeconfig": kubeconfig.display().to_string()},
        "route53": {"endpoint_url": poured.route53.url(), "requests_per_second": 5},
        "dns": {"resolvers": [{"address": dns.resolver().to_string(), "view": "public"}],
                "server_map": servers, "control_name": CONTROL_NAME},
        // Everything in the world is old; only what is first seen now would wait.
        "windows": {"sync_floor": "1s", "new_object": "1s", "first_address": "1s", "deleted_floor": "1s",
                    "propagation": "1s"}});
    for (section, values) in more.as_object().into_iter().flatten() {
        match (config[section].as_object_mut(), values.as_object()) {
            (Some(present), Some(values)) => present.extend(values.clone()),
            _ => config[section] = values.clone(),
        }
    }
    config
}

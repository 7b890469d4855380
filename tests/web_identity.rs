//! The credentials of a service account: a token in a file, which the kubelet replaces each hour.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[allow(dead_code, reason = "this test uses a part")]
#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "this test uses a part")]
#[path = "support/servers.rs"]
mod servers;
#[allow(dead_code, reason = "this test uses a part")]
#[path = "support/world.rs"]
mod world;

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use world::World;

/// Listings of record sets that were signed in this session of STS.
fn listings(world: &World, session: &str) -> usize {
    let of_session = |principal: &str| principal.contains(&format!("user/{session}"));
    let requests = world.route53.requests();
    requests
        .iter()
        .filter(|one| one.operation == "ListResourceRecordSets" && of_session(&one.principal))
        .count()
}

async fn listed(world: &World, session: &str, folder: &Path) {
    let until = Instant::now() + servers::DEADLINE;
    while listings(world, session) == 0 {
        assert!(Instant::now() < until, "no listing of {session}: {}", servers::logs(folder));
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_token_is_read_when_the_session_ends() {
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let world = World::start(&mut tasks, &stop);
    world.external_dns();
    world.ingress("healthy", "healthy.example.com", &serde_json::json!({}));
    world.records("healthy.example.com");
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "first").unwrap();
    world.route53.accept_only_token("first");
    let url = world.route53.url();
    let environment = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/dns-drift"),
        ("AWS_ROLE_SESSION_NAME", "dns-drift"),
        ("AWS_ENDPOINT_URL_STS", &url),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let listen = servers::free();
    let _program = program::program_in(folder.path(), &world, listen, &environment, &[]);
    listed(&world, "ASIA0001", folder.path()).await;

    // The old token is worth nothing any more, and neither is what it was exchanged for.
    fs::write(&token, "second").unwrap();
    world.route53.accept_only_token("second");
    world.route53.expire_sessions();
    listed(&world, "ASIA0002", folder.path()).await;
    assert_eq!(world.route53.count("AssumeRoleWithWebIdentity"), 2);

    let report = servers::get(listen, "/api/v1/report", ("", String::new())).await;
    assert!(report["views"]["route53"].is_object(), "{report}; {}", servers::logs(folder.path()));
    let problems = &report["views"]["route53"]["problems"];
    assert!(problems.is_null(), "{problems}; {}", servers::logs(folder.path()));
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let open: Vec<_> = findings.iter().filter(|one| one["state"] == "open").collect();
    assert!(open.is_empty(), "{open:?}");
}

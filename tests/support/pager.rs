//! A real Alertmanager for tests, and somebody who gets the pages.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::routing::post;
use axum::{Json as Body, Router};
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::servers::{DEADLINE, Server, logs, spawn};

/// Debian's Alertmanager, without gossip.
pub(crate) fn alertmanager(folder: &Path, config: &str, listen: SocketAddr) -> Server {
    let file = folder.join("alertmanager.yml");
    fs::write(&file, config).unwrap();
    spawn(
        Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
            .arg(format!("--web.listen-address={listen}"))
            .arg("--cluster.listen-address="),
        &folder.join("alertmanager.log"),
    )
}

/// Somebody who gets notifications, and keeps them with the path that they came by.
#[derive(Clone, Default)]
pub(crate) struct Receiver(Arc<Mutex<Vec<(String, Json)>>>);

impl Receiver {
    /// Starts to listen.
    pub(crate) async fn start(&self, tasks: &mut JoinSet<()>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let kept = self.0.clone();
        let take = async move |axum::extract::Path(path): axum::extract::Path<String>,
                               Body(body): Body<Json>| {
            kept.lock().unwrap().push((path, body));
        };
        let app = Router::new().route("/{receiver}", post(take));
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        address
    }

    /// All notifications of a receiver so far.
    pub(crate) fn of(&self, receiver: &str) -> Vec<Json> {
        let kept = self.0.lock().unwrap();
        kept.iter().filter(|(path, _)| path == receiver).map(|(_, body)| body.clone()).collect()
    }

    /// Waits for a notification that is as wanted.
    pub(crate) async fn until(&self, receiver: &str, folder: &Path, wanted: impl Fn(&Json) -> bool) -> Json {
        let until = Instant::now() + DEADLINE;
        while Instant::now() < until {
            if let Some(found) = self.of(receiver).into_iter().find(&wanted) {
                return found;
            }
            sleep(Duration::from_millis(100)).await;
        }
        let got = self.0.lock().unwrap().clone();
        panic!("{receiver} got no such notification, but {got:#?}; {}", logs(folder));
    }
}

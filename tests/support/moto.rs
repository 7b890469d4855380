//! A moto server: AWS services that other people wrote.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) struct Moto {
    process: Child,
    pub(crate) url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Moto {
    pub(crate) async fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the place of the peer is no configuration of the program"
        )]
        let program = std::env::var("DNS_DRIFT_TEST_MOTO").unwrap_or_else(|_| "moto_server".to_owned());
        let address = TcpListener::bind("127.0.0.1:0").expect("bind").local_addr().expect("address");
        let process = Command::new(&program)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "cannot start {program:?}: {error}; pip install 'moto[server]==5.2.5' and put moto_server on \
                     PATH, or name it in DNS_DRIFT_TEST_MOTO"
                )
            });
        let mut moto = Self { process, url: format!("http://{address}") };
        moto.wait_until_it_listens(address).await;
        moto
    }

    async fn wait_until_it_listens(&mut self, address: SocketAddr) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.process.try_wait().expect("process") {
                panic!(
                    "moto_server ended: {status}; is the extra `server` installed? pip install 'moto[server]==5.2.5'"
                );
            }
            assert!(tokio::time::Instant::now() < deadline, "moto_server does not listen on {address}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

//! What is optional and forbidden is told once, with the action to add.

use std::collections::BTreeSet;
use std::io;
use std::sync::Mutex;

use super::*;
use crate::model::RecordType;
use crate::model::zone::TestedName;
use crate::recorded::health::HealthReader;
use crate::recorded::tested::TestReader;
use crate::recorded::view::View;

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn each_refusal_is_told_once_with_the_action_to_add() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Server::start();
    server.route53.create_zone("example.net", ZoneOptions::default());
    let optional = [
        "GetHostedZone",
        "GetHostedZoneLimit",
        "GetDNSSEC",
        "ListTagsForResources",
        "GetHealthCheckStatus",
        "TestDNSAnswer",
    ];
    for operation in optional {
        server.route53.set_fault(R53Fault::new(R53FaultKind::AccessDenied).on(operation));
    }
    let mut reader = server.reader().await;
    for _ in 0..3 {
        reader.read_all(|_| ()).await;
        reader.read_extras(100).await;
    }
    let settings = server.settings();
    let client = Client::with(&settings, &settings.default_account(), Arc::new(quick())).await;
    let (mut health, view) = (HealthReader::default(), Mutex::new(View::new()));
    for id in ["hc-1", "hc-2"] {
        let ids: BTreeSet<Arc<str>> = [id.into()].into();
        assert!(!health.refresh(&client, &SystemClock, &view, ids).await);
    }
    let mut tests = TestReader::default();
    for name in ["h1.example.com", "h2.example.com"] {
        let (zone_id, record_type) = (ZoneId::new(&server.zone), RecordType::A);
        let asked = TestedName { zone_id, name: DomainName::new(name), record_type };
        assert!(!tests.refresh(&client, &SystemClock, &view, [asked]).await);
    }
    let text = String::from_utf8(log.0.lock().expect("lock").clone()).expect("UTF-8");
    for operation in optional {
        let told = text.lines().filter(|line| line.contains(&format!("action=route53:{operation} "))).count();
        assert_eq!(told, 1, "{operation}: {text}");
    }
}

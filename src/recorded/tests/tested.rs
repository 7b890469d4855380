//! What the service computes for names that matter now.

use super::*;
use crate::model::RecordType;
use crate::model::zone::{TestedAnswer, TestedName, ZoneReading};
use crate::recorded::tested::{TestReader, undecided};
use crate::recorded::urgent::lock;
use crate::recorded::view::View;

/// A client, and the view after one listing.
async fn listed(server: &Server) -> (Client, std::sync::Mutex<View>) {
    let mut reader = server.reader().await;
    reader.read_all(|_| ()).await;
    let view = View { zones: reader.reading().value().expect("read").zones.clone(), ..View::new() };
    let settings = server.settings();
    let client = Client::with(&settings, &settings.default_account(), Arc::new(quick())).await;
    (client, std::sync::Mutex::new(view))
}

fn undecided_names(server: &Server, reading: &ZoneReading, names: &[&str]) -> Vec<TestedName> {
    assert_eq!(reading.zone.id, ZoneId::new(&server.zone));
    let names: Vec<DomainName> = names.iter().map(|name| DomainName::new(name)).collect();
    undecided(reading, names.iter()).collect()
}

#[tokio::test]
async fn a_withheld_member_is_told_from_one_that_is_served() {
    let server = Server::start();
    let member = |number: usize, value: &str, check: &str| RecordSet {
        health_check_id: Some(check.to_owned()),
        ..host(number, value).weighted("blue", 10)
    };
    let sets = [member(98, "203.0.113.98", "hc-1"), member(99, "203.0.113.99", "hc-2")];
    server.route53.set_health("hc-1", false);
    server.route53.set_health("hc-2", true);
    server.route53.change(&server.zone, sets.map(Change::create).into(), "test").expect("created");
    let (client, view) = listed(&server).await;
    let names = {
        let view = lock(&view);
        let reading = &view.zones[&ZoneId::new(&server.zone)];
        undecided_names(&server, reading, &["h98.example.com", "h99.example.com", "h1.example.com"])
    };
    assert_eq!(names.len(), 2, "a plain record says all by itself: {names:?}");
    let mut reader = TestReader::default();
    let mut tests = server.route53.count("TestDNSAnswer");
    for learns in [true, false] {
        assert_eq!(reader.refresh(&client, &SystemClock, &view, names.clone()).await, learns);
    }
    tests = server.route53.count("TestDNSAnswer") - tests;
    assert_eq!(tests, 2, "an answer is believed for a while");
    let said = |name: &str| {
        let asked = TestedName {
            zone_id: ZoneId::new(&server.zone),
            name: DomainName::new(name),
            record_type: RecordType::A,
        };
        let TestedAnswer { rcode, values, .. } = lock(&view).tested[&asked].clone();
        (rcode.to_string(), values.join(" "))
    };
    assert_eq!(said("h98.example.com"), ("NOERROR".to_owned(), String::new()));
    assert_eq!(said("h99.example.com"), ("NOERROR".to_owned(), "203.0.113.99".to_owned()));
}

#[tokio::test]
async fn a_cut_answer_and_a_service_without_the_operation_teach_nothing() {
    let server = Server::start();
    let (client, view) = listed(&server).await;
    let asked = |name: &str| TestedName {
        zone_id: ZoneId::new(&server.zone),
        name: DomainName::new(name),
        record_type: RecordType::A,
    };
    for kind in [R53FaultKind::HalfBody, R53FaultKind::NoSuchHostedZone, R53FaultKind::AccessDenied] {
        server.route53.set_fault(R53Fault::new(kind.clone()).on("TestDNSAnswer"));
        let mut reader = TestReader::default();
        assert!(!reader.refresh(&client, &SystemClock, &view, [asked("h1.example.com")]).await, "{kind:?}");
        server.route53.clear_faults();
    }
    assert!(lock(&view).tested.is_empty());
}

//! Two accounts over several listings: each with its role, its budget and its troubles.

use super::*;
use crate::recorded::route53::run;

const FIRST: &str = "444455556666";
const SECOND: &str = "777788889999";

fn role(arn: String, external_id: Option<&str>) -> AccountSettings {
    AccountSettings {
        role_arn: Some(arn),
        external_id: external_id.map(str::to_owned),
        requests_per_second: 5.0,
    }
}

/// Requests that were signed in an account.
fn asked_by(server: &Server, account: &str) -> usize {
    server.route53.requests().iter().filter(|request| request.principal.ends_with(account)).count()
}

#[tokio::test]
async fn trouble_in_one_account_stays_there() {
    let server = Server::start();
    let of = |account: &str| ZoneOptions { account: Some(account.to_owned()), ..ZoneOptions::default() };
    // The same name in both accounts; the zone of `Server` is visible to both.
    let first = ZoneId::new(&server.route53.create_zone("twin.example.net", of(FIRST)));
    let second = ZoneId::new(&server.route53.create_zone("twin.example.net", of(SECOND)));
    let twin = RecordSet::simple("only-here.twin.example.net", "A", 60, &["203.0.113.20"]);
    server.route53.change(first.as_str(), vec![Change::create(twin.clone())], "test").expect("created");
    server.route53.change(second.as_str(), vec![Change::create(twin)], "test").expect("created");
    let mut settings = Route53Settings { interval: Duration::from_millis(10), ..server.settings() };
    settings.accounts = vec![
        role(format!("arn:aws:iam::{FIRST}:role/dns-drift"), None),
        role(format!("arn:aws:iam::{SECOND}:role/external"), Some("secret-id")),
    ];
    let (publish, mut latest) = watch::channel(Reading::unread(Vec::new()));
    let stop = CancellationToken::new();
    let (_ask, urgent) = watch::channel(Arc::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(run(
        settings,
        std::collections::BTreeSet::new(),
        urgent,
        Arc::new(SystemClock),
        publish,
        stop.clone(),
    ));
    let deadline = Duration::from_mins(1);
    let read_at = |reading: &Reading<Zones>, id: &ZoneId| {
        reading.value().and_then(|zones| zones.zones.get(id)).and_then(|zone| zone.read_at)
    };

    let whole = latest.wait_for(|reading| reading.is_whole() && read_at(reading, &second).is_some());
    let whole = tokio::time::timeout(deadline, whole).await.expect("in time").expect("alive").clone();
    let zones = &whole.value().expect("value").zones;
    assert_eq!(zones.len(), 3, "two of one name, and the shared one once");
    assert_eq!((records(&whole, first.as_str()), records(&whole, second.as_str())), (3, 3));
    assert_eq!(records(&whole, &server.zone), HOSTS + 2);
    assert_eq!(server.route53.count("AssumeRole"), 2);

    // The second account is throttled in its own zone: it waits, and the first goes on.
    server.route53.set_fault(R53Fault::new(R53FaultKind::Throttle).in_zone(second.as_str()));
    let (mut seen, before) = (read_at(&whole, &first), [FIRST, SECOND].map(|one| asked_by(&server, one)));
    for _ in 0..5 {
        let newer = latest.wait_for(|reading| seen < read_at(reading, &first));
        let newer = tokio::time::timeout(deadline, newer).await.expect("in time").expect("alive").clone();
        assert_eq!(records(&newer, second.as_str()), 3, "the last state is kept");
        seen = read_at(&newer, &first);
    }
    let [of_first, of_second] = [(FIRST, before[0]), (SECOND, before[1])]
        .map(|(account, before)| asked_by(&server, account) - before);
    assert!(of_second < of_first, "{of_second} requests of the throttled account, {of_first} of the other");

    // It may not read its zone any more: told once for the zone, and nothing is missing.
    server.route53.clear_faults();
    server.route53.set_fault(R53Fault::new(R53FaultKind::AccessDenied).in_zone(second.as_str()));
    let told = latest.wait_for(|reading| {
        reading.problems.iter().any(|one| one.code == Reason::Forbidden && one.scope == second.as_str())
    });
    let told = tokio::time::timeout(deadline, told).await.expect("in time").expect("alive").clone();
    assert!(told.problems[0].message.contains("route53:ListResourceRecordSets"), "{:?}", told.problems);
    assert_eq!((records(&told, first.as_str()), records(&told, second.as_str())), (3, 3));
    stop.cancel();
    tokio::time::timeout(deadline, tasks.join_next()).await.expect("stops");
}

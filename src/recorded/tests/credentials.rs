//! Credentials that end before their time, in the middle of a listing.

use super::*;

const ROLE: &str = "arn:aws:iam::444455556666:role/dns-drift";

async fn reader_of_role(server: &Server) -> Reader {
    let settings = server.settings();
    let account = AccountSettings { role_arn: Some(ROLE.to_owned()), ..settings.default_account() };
    let client = Client::with(&settings, &account, Arc::new(quick())).await;
    Reader::new(client, ZoneFilter::default(), Arc::new(SystemClock))
}

#[tokio::test]
async fn a_session_that_ends_is_renewed_and_the_listing_goes_on() {
    let server = Server::start();
    let mut reader = reader_of_role(&server).await;
    // The list of zones is answered; the second page of the zone is not.
    let expired = R53Fault::new(R53FaultKind::ExpiredToken).on("ListResourceRecordSets");
    server.route53.set_fault(expired.later_pages().times(1));
    reader.read_all(|_| ()).await;
    let reading = reader.reading();
    assert!(reading.is_whole(), "{:?}", reading.problems);
    assert_eq!(records(&reading, &server.zone), HOSTS + 2);
    assert_eq!(server.route53.count("AssumeRole"), 2);
    let pages = (HOSTS + 2).div_ceil(PAGE);
    assert_eq!(server.route53.count("ListResourceRecordSets"), pages + 1, "the listing did not start anew");
}

#[tokio::test]
async fn credentials_that_stay_bad_are_not_renewed_again_and_again() {
    let server = Server::start();
    let mut reader = reader_of_role(&server).await;
    reader.read_all(|_| ()).await;
    server.route53.expire_sessions();
    reader.read_all(|_| ()).await;
    assert!(reader.reading().is_whole(), "{:?}", reader.reading().problems);
    assert_eq!(server.route53.count("AssumeRole"), 2);
    // Whatever STS gives is refused now.
    server.route53.set_fault(R53Fault::new(R53FaultKind::ExpiredToken).on("ListHostedZones"));
    for _ in 0..3 {
        reader.read_all(|_| ()).await;
    }
    let reading = reader.reading();
    assert_eq!((reading.state, reading.problems[0].code), (ViewState::Stale, Reason::Forbidden));
    assert_eq!(records(&reading, &server.zone), HOSTS + 2, "nothing is missing");
    assert_eq!(server.route53.count("AssumeRole"), 2, "renewed a moment ago");
}

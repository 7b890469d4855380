#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]
//! The reader against a Route 53 that other people wrote.

#[path = "support/moto.rs"]
mod moto;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_route53::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, HostedZoneConfig, ResourceRecord, ResourceRecordSet,
    RrType, Tag, TagResourceType, Vpc, VpcRegion,
};
use dns_drift::clock::SystemClock;
use dns_drift::model::{DomainName, Routing};
use dns_drift::recorded::accounts::AccountSettings;
use dns_drift::recorded::route53::{Route53Settings, read_once};
use dns_drift::recorded::stats::{Operation, Outcome};
use dns_drift::snapshot::ViewState;

use crate::moto::Moto;

const HOSTS: usize = 700;

impl Moto {
    fn writer(&self) -> aws_sdk_route53::Client {
        let config = aws_sdk_route53::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(&self.url)
            .build();
        aws_sdk_route53::Client::from_conf(config)
    }

    fn settings(&self) -> Route53Settings {
        Route53Settings {
            requests_per_second: 5.0,
            endpoint_url: Some(self.url.clone()),
            credentials: Some(credentials()),
            ..Route53Settings::default()
        }
    }
}

fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", "secret", None, None, "test")
}

fn address(name: &str, last: usize) -> ResourceRecordSet {
    ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::A)
        .ttl(300)
        .resource_records(ResourceRecord::builder().value(format!("192.0.2.{}", last % 250)).build().unwrap())
        .build()
        .unwrap()
}

fn weighted(name: &str, n: usize) -> ResourceRecordSet {
    let mut set = address(name, n);
    set.set_identifier = Some(format!("m{n:03}"));
    set.weight = Some(1);
    set
}

fn alias(name: &str, target: &str) -> ResourceRecordSet {
    let target =
        AliasTarget::builder().hosted_zone_id("Z35SXDOTRQ7X7K").dns_name(target).evaluate_target_health(true);
    ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::A)
        .alias_target(target.build().unwrap())
        .build()
        .unwrap()
}

async fn create(writer: &aws_sdk_route53::Client, zone: &str, sets: Vec<ResourceRecordSet>) {
    let change =
        |set| Change::builder().action(ChangeAction::Create).resource_record_set(set).build().unwrap();
    let batch =
        ChangeBatch::builder().set_changes(Some(sets.into_iter().map(change).collect())).build().unwrap();
    writer
        .change_resource_record_sets()
        .hosted_zone_id(zone)
        .change_batch(batch)
        .send()
        .await
        .expect("created");
}

#[tokio::test]
async fn every_zone_and_every_record_set_is_read() {
    let moto = Moto::start().await;
    let empty = read_once(moto.settings(), Arc::new(SystemClock)).await;
    assert_eq!(empty.state, ViewState::Read, "{:?}", empty.problems);
    assert_eq!(empty.value().expect("value").zones.len(), 0, "an account without zones is read, and empty");

    let writer = moto.writer();
    let public =
        writer.create_hosted_zone().name("example.com").caller_reference("1").send().await.expect("zone");
    let public_id = public.hosted_zone.expect("zone").id;
    writer
        .create_hosted_zone()
        .name("example.com")
        .caller_reference("2")
        .hosted_zone_config(HostedZoneConfig::builder().private_zone(true).build())
        .vpc(Vpc::builder().vpc_id("vpc-1").vpc_region(VpcRegion::UsEast1).build())
        .send()
        .await
        .expect("zone");
    let mut sets: Vec<_> = (0..HOSTS).map(|n| address(&format!("h{n:03}.example.com"), n)).collect();
    sets.push(address("*.wild.example.com", 1));
    sets.push(alias("alias.example.com", "dualstack.lb-1.us-east-1.elb.amazonaws.com"));
    create(&writer, &public_id, sets).await;

    writer
        .change_tags_for_resource()
        .resource_type(TagResourceType::Hostedzone)
        .resource_id(public_id.trim_start_matches("/hostedzone/"))
        .add_tags(Tag::builder().key("team").value("web").build())
        .send()
        .await
        .expect("tagged");
    let settings = moto.settings();
    let stats = Arc::clone(&settings.stats);
    let reading = read_once(settings, Arc::new(SystemClock)).await;
    assert!(reading.is_whole(), "{:?} {:?}", reading.state, reading.problems);
    let zones = &reading.value().expect("value").zones;
    assert_eq!(zones.len(), 2);
    let private = zones.values().find(|zone| zone.zone.private).expect("private zone");
    assert_eq!(private.zone.vpcs.as_ref().map(|vpcs| vpcs[0].id.to_string()), Some("vpc-1".to_owned()));
    let public = zones.values().find(|zone| !zone.zone.private).expect("public zone");
    assert!(!public.zone.delegation_set.is_empty());
    assert_eq!(public.records().len(), HOSTS + 4, "with NS, SOA, wildcard and alias");
    for n in 0..HOSTS {
        assert_eq!(public.at(&DomainName::new(&format!("h{n:03}.example.com"))).len(), 1, "h{n:03}");
    }
    assert_eq!(public.at(&DomainName::new("*.wild.example.com")).len(), 1);
    let alias = &public.at(&DomainName::new("alias.example.com"))[0];
    assert_eq!(
        alias.content.alias().map(|target| target.dns_name.to_string()),
        Some("dualstack.lb-1.us-east-1.elb.amazonaws.com".to_owned())
    );
    assert_eq!(public.zone.tags.as_ref().map(|tags| tags["team"].clone()), Some("web".to_owned()));
    assert_eq!(private.zone.tags.as_ref().map(BTreeMap::len), Some(0), "read, and none");
    let pages = stats.totals().into_iter().find(|(operation, outcome, _)| {
        (*operation, *outcome) == (Operation::ListResourceRecordSets, Outcome::Ok)
    });
    assert_eq!(pages.map(|(_, _, totals)| totals.attempts), Some(4), "three pages and one");

    let mut tagged = moto.settings();
    tagged.filter.tags = vec!["team=web".parse().expect("a tag")];
    let reading = read_once(tagged, Arc::new(SystemClock)).await;
    let ids: Vec<_> = reading.value().expect("value").zones.keys().cloned().collect();
    assert_eq!(ids, std::slice::from_ref(&public.zone.id), "{:?}", reading.problems);
    let mut private_only = moto.settings();
    private_only.filter.private = Some(true);
    let reading = read_once(private_only, Arc::new(SystemClock)).await;
    assert!(reading.value().expect("value").zones.values().all(|zone| zone.zone.private));
}

/// moto forgets the set identifier in its cursor, and so lists sets at a border twice.
#[tokio::test]
async fn weighted_sets_across_a_page_count_once() {
    let moto = Moto::start().await;
    let writer = moto.writer();
    let zone =
        writer.create_hosted_zone().name("example.com").caller_reference("1").send().await.expect("zone");
    let id = zone.hosted_zone.expect("zone").id;
    let mut sets: Vec<_> = (0..250).map(|n| address(&format!("a{n:03}.example.com"), n)).collect();
    sets.extend((0..100).map(|n| weighted("w.example.com", n)));
    create(&writer, &id, sets).await;
    let settings = moto.settings();
    let stats = Arc::clone(&settings.stats);
    let reading = read_once(settings, Arc::new(SystemClock)).await;
    assert!(reading.is_whole(), "{:?}", reading.problems);
    let zone = reading.value().expect("value").zones.values().next().expect("a zone");
    assert_eq!(zone.records().len(), 352, "with NS and SOA");
    let members = zone.at(&DomainName::new("w.example.com"));
    let ids: BTreeSet<_> = members.iter().filter_map(|set| set.set_identifier.clone()).collect();
    assert_eq!((members.len(), ids.len()), (100, 100));
    assert!(members.iter().all(|set| matches!(set.routing.as_deref(), Some(Routing::Weighted(_)))));
    assert!(0 < stats.duplicate_rows(), "moto listed some twice; without that this test proves nothing");
}

/// A role is assumed with the STS of the same server.
#[tokio::test]
async fn a_role_of_another_account_is_assumed() {
    let moto = Moto::start().await;
    let mut settings = moto.settings();
    settings.sts_endpoint_url = Some(moto.url.clone());
    settings.accounts = vec![AccountSettings {
        role_arn: Some("arn:aws:iam::444455556666:role/dns-drift".to_owned()),
        external_id: Some("x".to_owned()),
        requests_per_second: 5.0,
    }];
    let reading = read_once(settings, Arc::new(SystemClock)).await;
    assert!(reading.is_whole(), "{:?}", reading.problems);
    assert_eq!(reading.value().expect("value").zones.len(), 0, "moto keeps the zones of accounts apart");
}

use std::sync::Arc;

use tokio::task::JoinSet;

use super::*;
use crate::clock::SystemClock;

const ZONE: &str = "ZDEMOEXAMPLECOM";

fn wish(host: &str, address: &str, alias: bool) -> Wish {
    Wish {
        host: host.to_owned(),
        addresses: vec![address.to_owned()],
        alias,
        resource: format!("ingress/shop/{host}"),
    }
}

/// Name, type and content of what the controller left in the zone, without NS and SOA.
fn held(endpoints: &Endpoints) -> Vec<String> {
    let sets = endpoints.route53.record_sets(ZONE);
    let ours = sets.iter().filter(|set| !["NS", "SOA"].contains(&set.kind.as_str()));
    ours.map(|set| format!("{} {}", bare(&set.name), set.kind)).collect()
}

async fn log_of(endpoints: &Endpoints, pod: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(endpoints.kubernetes_address()).await.unwrap();
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}/log?container={CONTAINER}");
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

fn world(tasks: &mut JoinSet<()>, stop: &CancellationToken, release: Release) -> (Endpoints, Running) {
    let endpoints = Endpoints::start(tasks, stop, Arc::new(SystemClock)).unwrap();
    let pod = endpoints.deploy(release, None);
    (endpoints, Running { release, pod })
}

#[tokio::test]
async fn the_old_release_writes_a_plain_record_for_an_alias_on_an_address() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let (endpoints, running) = world(&mut tasks, &stop, Release::V0_13_6);
    reconcile(&endpoints, &running, &[wish("realtime.example.com", "74.17.111.38", true)]);
    let expected = ["a-realtime.example.com TXT", "realtime.example.com A", "realtime.example.com TXT"];
    assert_eq!(held(&endpoints), expected);
    let log = log_of(&endpoints, &running.pod).await;
    assert!(log.contains("3 record(s) in zone example.com. [Id: /hostedzone/ZDEMOEXAMPLECOM] were success"));
    stop.cancel();
}

#[tokio::test]
async fn the_new_release_is_refused_until_the_annotation_goes_and_writes_good_siblings() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let (endpoints, running) = world(&mut tasks, &stop, Release::V0_14_2);
    let sibling = wish("www.example.com", "74.17.111.10", false);
    let poison = wish("realtime.example.com", "74.17.111.38", true);
    reconcile(&endpoints, &running, &[poison.clone(), sibling.clone()]);
    let good = ["a-www.example.com TXT", "www.example.com A", "www.example.com TXT"];
    assert_eq!(held(&endpoints), good);
    reconcile(&endpoints, &running, &[poison.clone(), sibling.clone()]);
    let log = log_of(&endpoints, &running.pod).await;
    for part in [
        "Desired change: CREATE cname-realtime.example.com TXT [Id: /hostedzone/ZDEMOEXAMPLECOM]",
        "Failure in zone example.com. [Id: /hostedzone/ZDEMOEXAMPLECOM] when submitting change batch: InvalidChangeBatch: [Tried to create an alias that targets 74.17.111.38., type A in zone ZDEMOEXAMPLECOM, but the alias target name does not lie within the target zone",
        "Failed submitting change (error: InvalidChangeBatch: [Tried to create an alias",
        "Failed to do run once: soft error\\nfailed to submit all changes for the following zones: [/hostedzone/ZDEMOEXAMPLECOM]",
    ] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
    let single = "Failed submitting change";
    assert_eq!(log.matches(single).count(), 1, "a batch of one group is not retried");
    reconcile(&endpoints, &running, &[Wish { alias: false, ..poison }, sibling]);
    assert_eq!(held(&endpoints).len(), 6);
    assert!(held(&endpoints).contains(&"realtime.example.com A".to_owned()));
    stop.cancel();
}

#[tokio::test]
async fn a_changed_address_is_written_and_a_dropped_host_is_removed() {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    let (endpoints, running) = world(&mut tasks, &stop, Release::V0_14_2);
    reconcile(&endpoints, &running, &[wish("www.example.com", "74.17.111.10", false)]);
    reconcile(&endpoints, &running, &[wish("www.example.com", "74.17.111.11", false)]);
    let sets = endpoints.route53.record_sets(ZONE);
    let values: Vec<&str> = sets
        .iter()
        .filter(|set| set.kind == "A")
        .flat_map(crate::emulator::zones::RecordSet::values)
        .collect();
    assert_eq!(values, ["74.17.111.11"]);
    reconcile(&endpoints, &running, &[]);
    assert!(held(&endpoints).is_empty());
    stop.cancel();
}

#[test]
fn an_ingress_without_an_address_asks_for_nothing() {
    let with = |status: Value| {
        json!({ "items": [{
            "metadata": { "namespace": "shop", "name": "web",
                "annotations": { "external-dns.alpha.kubernetes.io/alias": "true" } },
            "spec": { "rules": [{ "host": "WWW.example.com" }, {}] },
            "status": status,
        }]})
    };
    assert!(wishes(&with(json!({}))).is_empty());
    let found = wishes(&with(json!({ "loadBalancer": { "ingress": [{ "ip": "74.17.111.10" }] } })));
    let resource = "ingress/shop/web".to_owned();
    assert_eq!(found, [Wish { resource, ..wish("www.example.com", "74.17.111.10", true) }]);
}

//! The emulators against the clients that the product and its users have: `kube`, the AWS SDK,
//! hickory's resolver.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_route53::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use aws_sdk_route53::error::ProvideErrorMetadata;
use aws_sdk_route53::types::ResourceRecordSet;
use dns_drift::clock::SystemClock;
use dns_drift::emulator::dns::{CONTROL_NAME, Dns, DnsFault, DnsFaultKind};
use dns_drift::emulator::kubernetes::{KubeFault, KubeFaultKind, Kubernetes};
use dns_drift::emulator::route53::{Change, R53Fault, R53FaultKind, Route53, ZoneOptions};
use dns_drift::emulator::zones::RecordSet;
use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::{Resolver, TokioResolver};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, ListParams, LogParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Runs a test with tasks that must end soon after the stop.
async fn with_tasks<F: Future<Output = ()>>(
    test: impl FnOnce(JoinSet<()>, CancellationToken) -> (JoinSet<()>, F),
) {
    let stop = CancellationToken::new();
    let (mut tasks, test) = test(JoinSet::new(), stop.clone());
    soon("the test", test).await;
    stop.cancel();
    soon("the end of all tasks", async { while tasks.join_next().await.is_some() {} }).await;
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), future)
        .await
        .unwrap_or_else(|_| panic!("{what} took too long"))
}

// === Kubernetes ===

fn ingress(name: &str, host: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"namespace": "shop", "name": name, "labels": {"app": name}},
        "spec": {"rules": [{"host": host}]},
    })
}

async fn kube_client(server: &Kubernetes) -> kube::Client {
    let file = Kubeconfig::from_yaml(&server.kubeconfig()).unwrap();
    let mut config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

async fn next_event(
    stream: &mut (impl StreamExt<Item = kube::Result<WatchEvent<Ingress>>> + Unpin),
) -> String {
    let event = soon("a watch event", stream.next()).await.expect("the watch goes on");
    match event {
        Ok(WatchEvent::Added(object)) => format!("added {}", object.metadata.name.unwrap()),
        Ok(WatchEvent::Modified(object)) => format!(
            "modified {} g{} {}",
            object.metadata.name.unwrap(),
            object.metadata.generation.unwrap(),
            object.status.and_then(|s| s.load_balancer?.ingress?.first()?.ip.clone()).unwrap_or_default()
        ),
        Ok(WatchEvent::Deleted(object)) => format!("deleted {}", object.metadata.name.unwrap()),
        Ok(WatchEvent::Bookmark(_)) => "bookmark".to_owned(),
        Ok(WatchEvent::Error(status)) => format!("error {}", status.code),
        Err(error) => format!("broken {}", error.to_string().is_empty()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_lists_in_pages_and_watches_from_there() {
    with_tasks(|mut tasks, stop| {
        let server = Kubernetes::start(&mut tasks, stop, Arc::new(SystemClock)).unwrap();
        (tasks, async move {
            let client = kube_client(&server).await;
            let all: Api<Ingress> = Api::all(client.clone());
            for index in 0..5 {
                server.apply(ingress(&format!("web-{index}"), "a.example.com"));
            }
            let first = all.list(&ListParams::default().limit(3)).await.unwrap();
            assert_eq!((first.items.len(), first.metadata.remaining_item_count), (3, Some(2)));
            let token = first.metadata.continue_.clone().unwrap();
            let second = all.list(&ListParams::default().limit(3).continue_token(&token)).await.unwrap();
            assert_eq!(second.items.len(), 2);
            assert_eq!(second.metadata.resource_version, first.metadata.resource_version);
            let labelled = all.list(&ListParams::default().labels("app in (web-1,web-2)")).await.unwrap();
            assert_eq!(labelled.items.len(), 2);

            server.set_fault(KubeFault::new(KubeFaultKind::ExpireContinue).on("ingresses").times(1));
            let expired = all.list(&ListParams::default().continue_token(&token)).await.unwrap_err();
            assert!(matches!(&expired, kube::Error::Api(status) if status.code == 410), "{expired}");

            server.set_bookmark_interval(Duration::from_millis(50));
            let version = first.metadata.resource_version.unwrap();
            let mut watch = all.watch(&WatchParams::default(), &version).await.unwrap().boxed();
            assert_eq!(next_event(&mut watch).await, "bookmark");
            server.set_bookmark_interval(Duration::from_mins(10));
            let status = json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}});
            assert!(server.set_status("Ingress", "shop", "web-0", status.clone()));
            assert!(server.set_status("Ingress", "shop", "web-0", status), "no change, no event");
            server.apply(ingress("web-0", "b.example.com"));
            server.delete("Ingress", "shop", "web-4");
            let mut events = Vec::new();
            while events.len() < 3 {
                match next_event(&mut watch).await.as_str() {
                    "bookmark" => {}
                    event => events.push(event.to_owned()),
                }
            }
            assert_eq!(
                events,
                ["modified web-0 g1 203.0.113.10", "modified web-0 g2 203.0.113.10", "deleted web-4"]
            );

            let web = all.list(&ListParams::default().fields("metadata.name=web-0")).await.unwrap();
            let rows = web.items[0].metadata.managed_fields.clone().unwrap();
            let subresources: Vec<_> = rows.iter().map(|row| row.subresource.as_deref()).collect();
            assert_eq!(subresources, [Some("status"), None]);

            server.set_fault(KubeFault::new(KubeFaultKind::CutWatches).on("ingresses"));
            let cut = soon("the cut", watch.next()).await;
            assert!(!matches!(cut, Some(Ok(_))), "kube takes a lost connection for an end or an error");
            server.compact();
            let mut old = all.watch(&WatchParams::default(), "2").await.unwrap().boxed();
            assert_eq!(next_event(&mut old).await, "error 410");
            assert_eq!(server.count("watch", "ingresses"), 2);
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_fails_to_order() {
    with_tasks(|mut tasks, stop| {
        let server = Kubernetes::start(&mut tasks, stop, Arc::new(SystemClock)).unwrap();
        (tasks, async move {
            let client = kube_client(&server).await;
            let all: Api<Ingress> = Api::all(client.clone());
            server.apply(ingress("web", "a.example.com"));
            let refused = |error: kube::Error| {
                let kube::Error::Api(status) = error else { panic!("{error}") };
                format!("{} {} {}", status.code, status.reason, status.message)
            };
            server.set_fault(KubeFault::new(KubeFaultKind::ForbidWatch).on("ingresses"));
            assert_eq!(all.list(&ListParams::default()).await.unwrap().items.len(), 1);
            let denied = all.watch(&WatchParams::default(), "0").await.err().map(refused).unwrap();
            assert!(
                denied.starts_with("403 Forbidden ingresses.networking.k8s.io is forbidden: User ")
                    && denied.ends_with("at the cluster scope"),
                "{denied}"
            );
            server.clear_faults();
            server.set_fault(KubeFault::new(KubeFaultKind::Status { code: 503, retry_after: None }).times(1));
            assert!(refused(all.list(&ListParams::default()).await.unwrap_err()).starts_with("503 "));
            server.set_fault(KubeFault::new(KubeFaultKind::UnparsableInList).on("ingresses").times(1));
            assert!(all.list(&ListParams::default()).await.is_err());
            assert_eq!(all.list(&ListParams::default()).await.unwrap().items.len(), 1);

            // A silent watch and a hung list say nothing, and end with the server.
            server.set_fault(KubeFault::new(KubeFaultKind::SilentWatch));
            let mut watch = all.watch(&WatchParams::default(), "0").await.unwrap().boxed();
            let quiet = tokio::time::timeout(Duration::from_millis(200), watch.next()).await;
            assert!(quiet.is_err());
            server.clear_faults();
            assert_eq!(next_event(&mut watch).await, "added web");
            let gateway = kube::core::GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "Gateway");
            let gateways = kube::discovery::pinned_kind(&client, &gateway);
            assert!(refused(gateways.await.unwrap_err()).starts_with("404 "));
            let known = kube::discovery::group(&client, "networking.k8s.io").await.unwrap();
            assert_eq!(known.recommended_kind("Ingress").unwrap().0.plural, "ingresses");
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubernetes_follows_logs_over_a_restart() {
    with_tasks(|mut tasks, stop| {
        let server = Kubernetes::start(&mut tasks, stop, Arc::new(SystemClock)).unwrap();
        (tasks, async move {
            let pods: Api<Pod> = Api::namespaced(kube_client(&server).await, "dns");
            server.apply(json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "dns", "name": "external-dns-1"},
                "spec": {"containers": [{"name": "external-dns"}, {"name": "proxy"}]},
            }));
            let unnamed = pods.logs("external-dns-1", &LogParams::default()).await.unwrap_err().to_string();
            let expected =
                "a container name must be specified for pod external-dns-1, choose one of: [external-dns proxy]";
            assert!(unnamed.contains(expected), "{unnamed}");
            assert!(matches!(pods.logs("gone", &LogParams::default()).await, Err(kube::Error::Api(s)) if s.code == 404));

            server.append_log("dns", "external-dns-1", "external-dns", "one");
            let params = LogParams {
                container: Some("external-dns".to_owned()),
                follow: true,
                timestamps: true,
                ..LogParams::default()
            };
            let mut lines = pods.log_stream("external-dns-1", &params).await.unwrap().lines();
            let line = soon("a line", lines.try_next()).await.unwrap().unwrap();
            let (stamp, text) = line.split_once(' ').unwrap();
            assert_eq!((text, stamp.len()), ("one", "2026-01-01T00:00:00.123456789Z".len()));
            server.append_log("dns", "external-dns-1", "external-dns", "fatal: two");
            server.restart_container("dns", "external-dns-1", "external-dns");
            let rest: Vec<String> = soon("the end of the run", lines.try_collect()).await.unwrap();
            assert_eq!(rest.len(), 1);
            assert!(rest[0].ends_with(" fatal: two"));
            let previous = LogParams { previous: true, follow: false, timestamps: false, ..params };
            assert_eq!(pods.logs("external-dns-1", &previous).await.unwrap(), "one\nfatal: two\n");
            let pod = pods.get("external-dns-1").await.unwrap();
            assert_eq!(pod.status.unwrap().container_statuses.unwrap()[0].restart_count, 1);
        })
    })
    .await;
}

// === Route 53 ===

fn aws_client(server: &Route53, attempts: u32) -> aws_sdk_route53::Client {
    let config = aws_sdk_route53::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .endpoint_url(server.url())
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .build();
    aws_sdk_route53::Client::from_conf(config)
}

/// All record sets, as a careful client reads them.
async fn walk(client: &aws_sdk_route53::Client, zone: &str) -> (Vec<ResourceRecordSet>, usize) {
    let (mut rows, mut pages, mut cursor) = (Vec::new(), 0, None);
    loop {
        let mut call = client.list_resource_record_sets().hosted_zone_id(zone);
        if let Some((name, kind, identifier)) = cursor {
            call = call
                .set_start_record_name(name)
                .set_start_record_type(kind)
                .set_start_record_identifier(identifier);
        }
        let page = call.send().await.unwrap();
        assert_eq!(page.max_items, 300);
        rows.extend(page.resource_record_sets);
        pages += 1;
        if !page.is_truncated {
            return (rows, pages);
        }
        cursor = Some((page.next_record_name, page.next_record_type, page.next_record_identifier));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn route53_pages_through_wildcards_and_groups() {
    with_tasks(|mut tasks, stop| {
        let server = Route53::start(&mut tasks, stop, Arc::new(SystemClock)).unwrap();
        (tasks, async move {
            let zone = server.create_zone("Example.COM", ZoneOptions::default());
            let mut changes: Vec<Change> = (0..597)
                .map(|index| format!("n{index:03}.example.com"))
                .map(|name| Change::create(RecordSet::simple(&name, "A", 300, &["192.0.2.1"])))
                .collect();
            changes.push(Change::create(RecordSet::simple(
                "*.Example.com",
                "TXT",
                60,
                &["\"a & <b>\" \"c\""],
            )));
            server.change(&zone, changes, "test").unwrap();
            // n250x and its weighted neighbours straddle the border of the first page.
            let group = (0..100).map(|index| {
                let set = RecordSet::simple("n250x.example.com", "A", 60, &["192.0.2.2"]);
                Change::create(set.weighted(&format!("id-{index:03}"), 1))
            });
            server.change(&zone, group.collect(), "test").unwrap();

            let client = aws_client(&server, 1);
            let (rows, pages) = walk(&client, &zone).await;
            assert_eq!((rows.len(), pages), (700, 3));
            let mut keys: Vec<_> = rows
                .iter()
                .map(|row| format!("{} {} {:?}", row.name, row.r#type, row.set_identifier))
                .collect();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), rows.len(), "no row twice");
            assert_eq!(rows[300].set_identifier.as_deref(), Some("id-046"), "the border is inside the group");
            let wildcard = rows.iter().find(|row| row.name == "\\052.example.com.").expect("the wildcard");
            assert_eq!(wildcard.resource_records()[0].value, "\"a & <b>\" \"c\"");
            let zone_row = client.get_hosted_zone().id(&zone).send().await.unwrap();
            assert_eq!(zone_row.hosted_zone.unwrap().resource_record_set_count, Some(700));
            assert_eq!(zone_row.delegation_set.unwrap().name_servers.len(), 4);
            assert_eq!(server.count("ListResourceRecordSets"), 3);
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn route53_refuses_in_its_own_words() {
    use aws_sdk_route53::types as aws;
    with_tasks(|mut tasks, stop| {
        let server = Route53::start(&mut tasks, stop, Arc::new(SystemClock)).unwrap();
        (tasks, async move {
            let zone = server.create_zone("example.com", ZoneOptions { id: Some("Z1".to_owned()), ..Default::default() });
            let client = aws_client(&server, 1);
            // The change of ExternalDNS issue 4707, over the wire.
            let target = aws::AliasTarget::builder()
                .hosted_zone_id("Z1")
                .dns_name("74.17.111.38")
                .evaluate_target_health(true)
                .build()
                .unwrap();
            let alias = ResourceRecordSet::builder().name("realtime.example.com").r#type(aws::RrType::A);
            let change = |action, set: aws::builders::ResourceRecordSetBuilder| {
                aws::Change::builder().action(action).resource_record_set(set.build().unwrap()).build().unwrap()
            };
            let value = aws::ResourceRecord::builder().value("\"heritage=external-dns\"").build().unwrap();
            let text = ResourceRecordSet::builder().name("realtime.example.com").r#type(aws::RrType::Txt).ttl(300);
            let batch = aws::ChangeBatch::builder()
                .changes(change(aws::ChangeAction::Create, text.clone().resource_records(value.clone())))
                .changes(change(aws::ChangeAction::Create, alias.alias_target(target)))
                .build()
                .unwrap();
            let sent = client.change_resource_record_sets().hosted_zone_id(&zone).change_batch(batch).send().await;
            let error = sent.unwrap_err().into_service_error();
            assert_eq!(error.code(), Some("InvalidChangeBatch"));
            assert_eq!(
                error.message(),
                Some(
                    "[Tried to create an alias that targets 74.17.111.38., type A in zone Z1, but the alias target name \
                     does not lie within the target zone, Tried to create an alias that targets 74.17.111.38., type A in \
                     zone Z1, but that target was not found]"
                )
            );
            assert_eq!(server.record_sets(&zone).len(), 2, "the batch is atomic");

            server.set_propagation(Duration::from_hours(1));
            let batch = aws::ChangeBatch::builder()
                .changes(change(aws::ChangeAction::Upsert, text.resource_records(value)))
                .build()
                .unwrap();
            let sent = client.change_resource_record_sets().hosted_zone_id(&zone).change_batch(batch).send().await.unwrap();
            let id = sent.change_info.unwrap().id;
            let status = client.get_change().id(id).send().await.unwrap().change_info.unwrap().status;
            assert_eq!(status, aws::ChangeStatus::Pending);

            let refusal = |changes: Vec<Change>| server.change(&zone, changes, "test").unwrap_err().message;
            let a = |name: &str| RecordSet::simple(name, "A", 300, &["192.0.2.1"]);
            server.change(&zone, vec![Change::create(a("web.example.com"))], "test").unwrap();
            let lb = RecordSet::alias("lb.example.com", "A", "Z35SXDOTRQ7X7K", "dualstack.x.us-east-1.elb.amazonaws.com");
            let own = RecordSet::alias("own.example.com", "A", "Z1", "web.example.com");
            server.change(&zone, vec![Change::create(lb), Change::create(own)], "test").unwrap();
            let table = [
                (Change::create(a("web.example.com")), "[Tried to create resource record set [name='web.example.com.', type='A'] but it already exists]"),
                (Change::delete(a("gone.example.com")), "[Tried to delete resource record set [name='gone.example.com.', type='A'] but it was not found]"),
                (Change::delete(RecordSet::simple("web.example.com", "A", 60, &["192.0.2.1"])), "[Tried to delete resource record set [name='web.example.com.', type='A'] but the values provided do not match the current values]"),
                (Change::create(RecordSet::simple("web.example.com", "CNAME", 60, &["b.example.net"])), "[RRSet of type CNAME with DNS name web.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.]"),
                (Change::create(RecordSet::simple("example.com", "CNAME", 60, &["b.example.net"])), "[RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]"),
                (Change::create(a("web.example.org")), "[RRSet with DNS name web.example.org. is not permitted in zone example.com.]"),
                (Change::create(a("web.example.com").weighted("one", 1)), "[RRSet with DNS name web.example.com., type A cannot be created as other RRSets exist with the same name and type.]"),
                (Change::create(RecordSet::simple("x.example.com", "A", 60, &["lb.example.net"])), "[Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with 'lb.example.net'']"),
                (Change::create(RecordSet::simple("x.example.com", "TXT", 60, &["bare"])), "[Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'bare'']"),
                (Change::create(RecordSet::alias("x.example.com", "AAAA", "Z1", "web.example.com")), "[Tried to create an alias that targets web.example.com., type AAAA in zone Z1, but that target was not found]"),
            ];
            for (change, expected) in table {
                assert_eq!(refusal(vec![change]), expected);
            }
            let twice = vec![Change::upsert(a("t.example.com")), Change::upsert(a("t.example.com"))];
            assert_eq!(refusal(twice), "[The request contains an invalid set of changes for a resource record set 'A t.example.com.']");
            let many = (0..501).map(|index| Change::upsert(a(&format!("m{index}.example.com")))).collect();
            assert_eq!(refusal(many), "Number of records limit of 1000 exceeded.");
            let replaced = vec![
                Change::delete(a("web.example.com")),
                Change::create(RecordSet::simple("web.example.com", "A", 60, &["192.0.2.9"])),
            ];
            server.change(&zone, replaced, "test").unwrap();
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn route53_fails_to_order() {
    with_tasks(|mut tasks, stop| {
        let server = Route53::start(&mut tasks, stop, Arc::new(SystemClock)).unwrap();
        (tasks, async move {
            let zone = server.create_zone("example.com", ZoneOptions::default());
            let private = ZoneOptions {
                private: true,
                vpcs: vec![("eu-west-1".to_owned(), "vpc-1".to_owned())],
                ..Default::default()
            };
            let inner = server.create_zone("example.com", private);
            server.set_tags(&zone, &[("team", "shop")]);
            let client = aws_client(&server, 1);
            let list = || client.list_resource_record_sets().hosted_zone_id(&zone).send();
            let fault = |kind| {
                server.set_fault(R53Fault::new(kind).on("ListResourceRecordSets").in_zone(&zone).times(1));
            };
            for (kind, code) in [
                (R53FaultKind::Throttle, "Throttling"),
                (R53FaultKind::AccessDenied, "AccessDenied"),
                (R53FaultKind::ExpiredToken, "ExpiredToken"),
                (R53FaultKind::ClockSkew, "SignatureDoesNotMatch"),
                (R53FaultKind::NoSuchHostedZone, "NoSuchHostedZone"),
                (R53FaultKind::ServerError, "InternalFailure"),
            ] {
                fault(kind);
                assert_eq!(list().await.unwrap_err().code(), Some(code));
            }
            for kind in [R53FaultKind::UnavailableHtml, R53FaultKind::Empty, R53FaultKind::Cut] {
                fault(kind);
                assert_eq!(list().await.unwrap_err().code(), None);
            }
            // The SDK takes half of a page for a page; only the absent size tells.
            fault(R53FaultKind::HalfBody);
            assert_eq!(list().await.unwrap().max_items, 0);
            fault(R53FaultKind::TruncatedWithoutCursor);
            let page = list().await.unwrap();
            assert!(page.is_truncated && page.next_record_name.is_none());
            fault(R53FaultKind::DuplicateRows);
            assert_eq!(list().await.unwrap().resource_record_sets.len(), 4);
            fault(R53FaultKind::RepeatCursor);
            assert_eq!(list().await.unwrap().next_record_name.as_deref(), Some("example.com."));

            let both = client.list_hosted_zones().send().await.unwrap().hosted_zones;
            assert_eq!(
                both.iter().map(|zone| zone.config().unwrap().private_zone).collect::<Vec<_>>(),
                [false, true]
            );
            let named = client.list_hosted_zones_by_name().dns_name("example.com").send().await.unwrap();
            assert_eq!(named.hosted_zones.len(), 2);
            let inner = client.get_hosted_zone().id(inner).send().await.unwrap();
            assert!(inner.delegation_set.is_none() && inner.vpcs.unwrap().len() == 1);
            let tags = client.list_tags_for_resource().resource_type("hostedzone".into()).resource_id(&zone);
            assert_eq!(tags.send().await.unwrap().resource_tag_set.unwrap().tags.unwrap().len(), 1);
            let many =
                client.list_tags_for_resources().resource_type("hostedzone".into()).resource_ids(&zone);
            assert_eq!(many.send().await.unwrap().resource_tag_sets.len(), 1);
            let limit =
                client.get_hosted_zone_limit().hosted_zone_id(&zone).r#type("MAX_RRSETS_BY_ZONE".into());
            assert_eq!(limit.send().await.unwrap().count, 2);
            let signing = client.get_dnssec().hosted_zone_id(&zone).send().await.unwrap();
            assert_eq!(signing.status.unwrap().serve_signature.as_deref(), Some("NOT_SIGNING"));
            let made = client
                .create_hosted_zone()
                .name("sub.example.com")
                .caller_reference("1")
                .send()
                .await
                .unwrap();
            assert_eq!(made.hosted_zone.unwrap().name, "sub.example.com.");

            // Everything but the exchange of a web identity token must look signed.
            let url = server.url();
            let raw = tokio::task::spawn_blocking(move || {
                let agent: ureq::Agent =
                    ureq::Agent::config_builder().http_status_as_error(false).build().into();
                let unsigned =
                    agent.get(format!("{url}/2013-04-01/hostedzone")).call().unwrap().status().as_u16();
                let form = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&WebIdentityToken=t";
                let role = agent.post(&url).send(form).unwrap().body_mut().read_to_string().unwrap();
                (unsigned, role)
            });
            let (unsigned, role) = raw.await.unwrap();
            assert_eq!(unsigned, 403);
            assert!(role.contains("<SessionToken>emulated-session</SessionToken>"), "{role}");

            // A retry is visible as a second request of the same operation.
            server.set_fault(R53Fault::new(R53FaultKind::Throttle).on("ListHostedZones").times(1));
            let before = server.count("ListHostedZones");
            aws_client(&server, 3).list_hosted_zones().send().await.unwrap();
            assert_eq!(server.count("ListHostedZones") - before, 2);
        })
    })
    .await;
}

// === DNS ===

fn resolver(at: SocketAddr, recursive: bool) -> TokioResolver {
    let mut udp = ConnectionConfig::udp();
    udp.port = at.port();
    let mut tcp = ConnectionConfig::tcp();
    tcp.port = at.port();
    let server = NameServerConfig::new(at.ip(), true, vec![udp, tcp]);
    let mut builder = Resolver::builder_with_config(
        ResolverConfig::from_name_servers(vec![server]),
        TokioRuntimeProvider::default(),
    );
    let options = builder.options_mut();
    options.recursion_desired = recursive;
    options.cache_size = 0;
    options.attempts = 0;
    options.timeout = Duration::from_millis(700);
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().unwrap()
}

/// The answer on one line: data in order, or what stands in its place.
async fn ask(resolver: &TokioResolver, name: &str, kind: RecordType) -> String {
    match resolver.lookup(name, kind).await {
        // hickory takes a referral to the very name that was asked for an answer.
        Ok(lookup) if lookup.answers().is_empty() => format!("referral to {}", lookup.authorities().len()),
        Ok(lookup) => {
            let aa = lookup.message().metadata.authoritative;
            let data: Vec<String> = lookup.answers().iter().map(|row| row.data.to_string()).collect();
            format!("{}{}", if aa { "" } else { "aa=0 " }, data.join(" "))
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) if none.soa.is_some() => {
            let ttl = none.negative_ttl.unwrap_or_default();
            format!(
                "{} {ttl}",
                if none.response_code == ResponseCode::NXDomain { "nxdomain" } else { "nodata" }
            )
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            let servers = none.ns.map(|rows| rows.len()).unwrap_or_default();
            format!("referral to {servers}")
        }
        Err(NetError::Dns(DnsError::ResponseCode(code))) => format!("{code:?}").to_lowercase(),
        Err(NetError::Timeout) => "timeout".to_owned(),
        Err(other) => format!("failed: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dns_serves_what_route53_holds() {
    with_tasks(|mut tasks, stop| {
        let route53 = Route53::start(&mut tasks, stop.clone(), Arc::new(SystemClock)).unwrap();
        let dns = Dns::start(&mut tasks, stop, Arc::new(route53.clone())).unwrap();
        (tasks, async move {
            let zone = route53.create_zone("example.com", ZoneOptions::default());
            let records = [
                RecordSet::simple("web.example.com", "A", 300, &["192.0.2.1"]),
                RecordSet::simple("deep.er.example.com", "A", 300, &["192.0.2.2"]),
                RecordSet::simple("*.wild.example.com", "A", 300, &["192.0.2.3"]),
                RecordSet::simple("set.wild.example.com", "TXT", 300, &["\"one\" \"t\\167o\""]),
                RecordSet::simple("www.example.com", "CNAME", 300, &["web.example.com"]),
                RecordSet::simple("out.example.com", "CNAME", 300, &["elsewhere.example.net"]),
                RecordSet::simple("dangling.example.com", "CNAME", 300, &["gone.example.com"]),
                RecordSet::simple("child.example.com", "NS", 300, &["ns.example.net"]),
                RecordSet::alias("own.example.com", "A", &zone, "web.example.com"),
                RecordSet::alias(
                    "lb.example.com",
                    "A",
                    "Z35SXDOTRQ7X7K",
                    "dualstack.lb.us-east-1.elb.amazonaws.com",
                ),
                RecordSet::alias(
                    "lb.example.com",
                    "AAAA",
                    "Z35SXDOTRQ7X7K",
                    "dualstack.lb.us-east-1.elb.amazonaws.com",
                ),
                RecordSet::simple("turn.example.com", "A", 60, &["192.0.2.4"]).weighted("a", 1),
                RecordSet::simple("turn.example.com", "A", 60, &["192.0.2.5"]).weighted("b", 1),
            ];
            route53.change(&zone, records.into_iter().map(Change::create).collect(), "test").unwrap();
            let balancer: IpAddr = "198.51.100.7".parse().unwrap();
            dns.set_foreign("lb.us-east-1.elb.amazonaws.com", &[balancer]);
            dns.set_foreign("elsewhere.example.net", &["198.51.100.8".parse().unwrap()]);

            let names = route53.name_servers(&zone);
            assert_eq!(dns.server_map().len(), 5);
            let first = dns.server(&names[0]).unwrap();
            let authority = resolver(first, false);
            let table = [
                ("web.example.com.", RecordType::A, "192.0.2.1"),
                ("WEB.example.com.", RecordType::A, "192.0.2.1"),
                ("web.example.com.", RecordType::AAAA, "nodata 900"),
                ("er.example.com.", RecordType::A, "nodata 900"),
                ("gone.example.com.", RecordType::A, "nxdomain 900"),
                ("a.b.wild.example.com.", RecordType::A, "192.0.2.3"),
                ("set.wild.example.com.", RecordType::A, "nodata 900"),
                ("under.set.wild.example.com.", RecordType::A, "nxdomain 900"),
                ("set.wild.example.com.", RecordType::TXT, "onetwo"),
                ("www.example.com.", RecordType::A, "web.example.com. 192.0.2.1"),
                ("dangling.example.com.", RecordType::A, "nxdomain 900"),
                ("own.example.com.", RecordType::A, "192.0.2.1"),
                ("lb.example.com.", RecordType::A, "198.51.100.7"),
                ("lb.example.com.", RecordType::AAAA, "nodata 900"),
                ("host.child.example.com.", RecordType::A, "referral to 1"),
                ("example.org.", RecordType::A, "refused"),
            ];
            for (name, kind, expected) in table {
                assert_eq!(ask(&authority, name, kind).await, expected, "{name} {kind}");
            }
            let mut turns = [
                ask(&authority, "turn.example.com.", RecordType::A).await,
                ask(&authority, "turn.example.com.", RecordType::A).await,
            ];
            turns.sort();
            assert_eq!(turns, ["192.0.2.4", "192.0.2.5"]);

            assert_eq!(
                ask(&resolver(dns.parent(), false), "example.com.", RecordType::NS).await,
                "referral to 4"
            );
            let recursive = resolver(dns.resolver(), true);
            assert_eq!(ask(&recursive, CONTROL_NAME, RecordType::A).await, "aa=0 192.0.2.250");
            assert_eq!(
                ask(&recursive, "out.example.com.", RecordType::A).await,
                "aa=0 elsewhere.example.net. 198.51.100.8"
            );
            assert_eq!(ask(&recursive, "gone.example.com.", RecordType::A).await, "nxdomain 900");
            assert_eq!(ask(&recursive, "com.", RecordType::NS).await, "aa=0 a.parent-servers.test.");
            assert_eq!(ask(&recursive, &names[0], RecordType::A).await, format!("aa=0 {}", first.ip()));
            dns.set_delegation("example.com", None);
            assert_eq!(
                ask(&resolver(dns.parent(), false), "example.com.", RecordType::NS).await,
                "nxdomain 300"
            );

            // Recorded at once, served once in sync.
            route53.set_propagation(Duration::from_millis(300));
            route53
                .change(
                    &zone,
                    vec![Change::create(RecordSet::simple("new.example.com", "A", 60, &["192.0.2.6"]))],
                    "test",
                )
                .unwrap();
            assert_eq!(ask(&authority, "new.example.com.", RecordType::A).await, "nxdomain 900");
            let arrives = async {
                while ask(&authority, "new.example.com.", RecordType::A).await != "192.0.2.6" {
                    tokio::task::yield_now().await;
                }
            };
            soon("the change", arrives).await;
            assert!(route53.applied().iter().all(|change| change.in_sync));
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dns_fails_to_order() {
    with_tasks(|mut tasks, stop| {
        let route53 = Route53::start(&mut tasks, stop.clone(), Arc::new(SystemClock)).unwrap();
        let dns = Dns::start(&mut tasks, stop, Arc::new(route53.clone())).unwrap();
        (tasks, async move {
            let zone = route53.create_zone("example.com", ZoneOptions::default());
            let web = RecordSet::simple("web.example.com", "A", 300, &["192.0.2.1"]);
            route53.change(&zone, vec![Change::create(web)], "test").unwrap();
            let names = route53.name_servers(&zone);
            let (first, second) = (dns.server(&names[0]).unwrap(), dns.server(&names[1]).unwrap());
            let (one, two) = (resolver(first, false), resolver(second, false));
            for (kind, expected) in [
                (DnsFaultKind::ServFail, "servfail"),
                (DnsFaultKind::Refused, "refused"),
                (DnsFaultKind::Drop, "timeout"),
                (DnsFaultKind::WrongId, "timeout"),
                (DnsFaultKind::Truncated, "192.0.2.1"),
                (DnsFaultKind::TruncatedWithoutTcp, "timeout"),
                (DnsFaultKind::Lie("203.0.113.66".parse().unwrap()), "203.0.113.66"),
            ] {
                dns.set_fault(DnsFault::new(kind).at(first).on("web.example.com"));
                assert_eq!(ask(&one, "web.example.com.", RecordType::A).await, expected, "{kind:?}");
                assert_eq!(ask(&two, "web.example.com.", RecordType::A).await, "192.0.2.1");
                dns.clear_faults();
            }
            dns.set_fault(DnsFault::new(DnsFaultKind::RewriteDenials("203.0.113.66".parse().unwrap())));
            assert_eq!(ask(&one, "web.example.com.", RecordType::A).await, "192.0.2.1");
            assert_eq!(ask(&one, "nobody.example.com.", RecordType::A).await, "aa=0 203.0.113.66");
            dns.clear_faults();
            for kind in [DnsFaultKind::Malformed, DnsFaultKind::LyingLength] {
                dns.set_fault(DnsFault::new(kind));
                let answer = ask(&one, "web.example.com.", RecordType::A).await;
                assert!(answer == "timeout" || answer.starts_with("failed"), "{kind:?}: {answer}");
                dns.clear_faults();
            }
            let key = (second, "web.example.com.".to_owned(), "A".to_owned());
            assert_eq!(dns.queries().get(&key), Some(&7));
        })
    })
    .await;
}

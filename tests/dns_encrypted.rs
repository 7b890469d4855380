//! Resolvers over TLS and HTTPS: a real unbound with a certificate of a private authority.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "support/name_servers.rs"]
#[expect(dead_code, reason = "other tests need the rest")]
mod name_servers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use dns_drift::clock::SystemClock;
use dns_drift::live::encrypted::tls;
use dns_drift::live::endpoint::Endpoint;
use dns_drift::live::plan::{ProbeName, ProbePlan};
use dns_drift::live::prober::{Prober, ProberSettings, Silence};
use dns_drift::live::question::Question;
use dns_drift::live::settings::{LiveSettings, ResolverSettings};
use dns_drift::live::task::sweep;
use dns_drift::model::RecordType;
use dns_drift::model::observation::{Outcome, Transport, Vantage};
use name_servers::{Unbound, free_port};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::task::JoinSet;

const IP: Ipv4Addr = Ipv4Addr::new(127, 0, 62, 1);
const CONTROL: &str = "control.example.org";

struct Resolver {
    _unbound: Unbound,
    folder: tempfile::TempDir,
    dot: Endpoint,
    doh: Endpoint,
    dot_of_another_name: Endpoint,
}

impl Resolver {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        std::fs::write(file("ca.pem"), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().unwrap();
        let names = vec!["resolver.example.org".to_owned(), IP.to_string()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        std::fs::write(file("resolver.pem"), certificate.pem()).unwrap();
        std::fs::write(file("resolver.key"), key.serialize_pem()).unwrap();

        let port = || free_port(&[IpAddr::V4(IP)]);
        let (plain, dot, doh) = (port(), port(), port());
        let options = [
            format!("interface: {IP}@{dot}"),
            format!("tls-port: {dot}"),
            format!("interface: {IP}@{doh}"),
            format!("https-port: {doh}"),
            format!("tls-service-key: \"{}\"", file("resolver.key").display()),
            format!("tls-service-pem: \"{}\"", file("resolver.pem").display()),
        ];
        let unbound = Unbound::start(SocketAddr::from((IP, plain)), CONTROL, &[], &options).await;
        Self {
            _unbound: unbound,
            folder,
            dot: format!("tls://{IP}:{dot}#resolver.example.org").parse().unwrap(),
            doh: format!("https://{IP}:{doh}/dns-query").parse().unwrap(),
            dot_of_another_name: format!("tls://{IP}:{dot}#dns.example.net").parse().unwrap(),
        }
    }

    fn settings(&self) -> ProberSettings {
        let tls = tls(Some(&self.folder.path().join("ca.pem"))).unwrap();
        ProberSettings { tls: Some(tls), ..ProberSettings::default() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_resolvers_answer_and_only_with_the_right_certificate() {
    let resolver = Resolver::start().await;
    let question = Question::recursive(CONTROL.into(), RecordType::A);
    let prober = Prober::new(resolver.settings());
    for (endpoint, transport) in [(&resolver.dot, Transport::Dot), (&resolver.doh, Transport::Doh)] {
        // At once and one after the other: over shared and over kept connections.
        let mut asking = JoinSet::new();
        for _ in 0..20 {
            let (prober, endpoint, question) = (prober.clone(), endpoint.clone(), question.clone());
            asking.spawn(async move { prober.ask_at(&endpoint, &question, Transport::Udp).await });
        }
        while let Some(reply) = asking.join_next().await {
            let reply = reply.unwrap();
            assert_eq!((reply.outcome(Vantage::Control), reply.transport), (Outcome::Answer, transport));
            assert_eq!(&*reply.answer.unwrap().answers[0].data, "192.0.2.250");
        }
        let again = prober.ask_at(endpoint, &question, Transport::Udp).await;
        assert_eq!(again.outcome(Vantage::Control), Outcome::Answer);
        assert_eq!(prober.encrypted_stats()[endpoint].answers, 21);
    }
    let other = prober.ask_at(&resolver.dot_of_another_name, &question, Transport::Udp).await;
    assert_eq!(other.answer, Err(Silence::Unreachable), "the certificate carries another name");
    // Without the private authority nobody is trusted.
    let strict = Prober::new(ProberSettings { tls: Some(tls(None).unwrap()), ..ProberSettings::default() });
    let reply = strict.ask_at(&resolver.doh, &question, Transport::Udp).await;
    assert_eq!(reply.answer, Err(Silence::Unreachable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn their_answers_are_observed_like_those_of_others() {
    let resolver = Resolver::start().await;
    let resolvers = vec![
        ResolverSettings::new(resolver.dot.clone(), "public"),
        ResolverSettings::new(resolver.doh.clone(), "public"),
    ];
    let settings = LiveSettings {
        control_name: CONTROL.into(),
        prober: resolver.settings(),
        bootstrap: Vec::new(),
        ..LiveSettings::new(resolvers)
    };
    let name = ProbeName {
        name: CONTROL.into(),
        record_types: vec![RecordType::A],
        expected: Box::default(),
        zone_id: None,
        name_servers: Arc::default(),
        views: vec!["public".into()].into(),
        doubtful: true,
        waited: false,
    };
    let prober = Prober::new(settings.prober.clone());
    let plan = ProbePlan { names: vec![name.into()], zones: Vec::new() };
    let (observations, problems) = sweep(settings, &plan, Arc::new(SystemClock), prober).await;
    assert_eq!(problems, []);
    let mut seen: Vec<String> = observations
        .iter()
        .map(|one| format!("{:?} {} {:?} {}", one.vantage, one.server, one.transport, one.outcome.as_str()))
        .collect();
    seen.sort();
    let (dot, doh) = (resolver.dot, resolver.doh);
    assert_eq!(
        seen,
        [
            format!("Control {doh} Doh answer"),
            format!("Control {dot} Dot answer"),
            format!("Recursive {doh} Doh answer"),
            format!("Recursive {dot} Dot answer"),
        ]
    );
}

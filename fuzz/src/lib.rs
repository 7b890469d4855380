//! What is fuzzed: one function for each reader of foreign bytes, named as its folder in `corpus`.
//!
//! A function panics when the reader does, or when what it gives breaks a promise. The ordinary
//! tests run each over the committed corpus (`tests/fuzz_corpus.rs`), libFuzzer over what it makes up.
#![allow(missing_docs, clippy::expect_used, clippy::panic, reason = "a fuzz target may panic")]
#![allow(unreachable_pub, reason = "the tests include this file as a module")]

use std::collections::BTreeMap;

use dns_drift::changes::cloudtrail;
use dns_drift::changes::log::{LogParser, startup};
use dns_drift::changes::notices;
use dns_drift::config::Config;
use dns_drift::desired::annotations::Annotations;
use dns_drift::limits::{MAX_BATCH_CHANGES, MAX_SENTENCES, MAX_TEXT};
use dns_drift::live::answer::{Answer, MAX_RECORDS};
use dns_drift::model::change::{ChangeEvent, ChangeEventKind, FeedSource};
use dns_drift::model::heritage::TxtAffixes;
use dns_drift::model::instance::{Flags, NEWEST_KNOWN};
use dns_drift::model::observation::Vantage;
use dns_drift::model::{DomainName, Heritage, RecordType};
use dns_drift::recorded::decode::{RawRecordSet, to_route53};
use dns_drift::recording::round::read_round;
use dns_drift::replay::decode;
use hickory_resolver::proto::op::Message;
use jiff::Timestamp;

/// A target and the name of its corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 8] = [
    ("log", log),
    ("cloudtrail", trail),
    ("registry", registry),
    ("annotations", annotations),
    ("names", names),
    ("dns_answer", dns_answer),
    ("recording", recording),
    ("configuration", configuration),
];

/// The lines of a log, in all formats and of all versions.
pub fn log(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let source = FeedSource::Log { namespace: "n".into(), pod: "p".into(), container: "c".into() };
    let mut parser = LogParser::new(source, Timestamp::UNIX_EPOCH);
    let mut events = Vec::new();
    for line in text.split('\n') {
        events.extend(parser.push(line));
        drop(startup(line));
    }
    events.extend(parser.finish());
    events.extend(parser.interrupt());
    events.iter().for_each(check_event);
}

/// What `aws cloudtrail lookup-events` prints, a file of a trail, an `EventBridge` event.
pub fn trail(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    cloudtrail::read(&text).events.iter().for_each(check_event);
}

fn check_event(event: &ChangeEvent) {
    match &event.kind {
        ChangeEventKind::Refused(batch) => {
            assert!(batch.attempted.len() <= MAX_BATCH_CHANGES && batch.errors.len() <= MAX_SENTENCES);
            check_text(&batch.message);
            batch.errors.iter().for_each(|error| check_text(&error.message));
        }
        ChangeEventKind::Applied(batch) => assert!(batch.changes.len() <= MAX_BATCH_CHANGES),
        ChangeEventKind::RunFailed { message, .. } => check_text(message),
        ChangeEventKind::RunSucceeded | ChangeEventKind::Skipped { .. } => {}
    }
}

/// What is kept of a stranger's words is bounded and printable. An escape is longer than what it
/// stands for.
fn check_text(text: &str) {
    assert!(text.len() <= 10 * MAX_TEXT, "{} bytes", text.len());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// First line prefix, second suffix, third wildcard replacement, fourth a name, the rest a TXT value.
pub fn registry(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(5, '\n');
    let mut next = || lines.next().unwrap_or_default().to_owned();
    let affixes = TxtAffixes { prefix: next(), suffix: next(), wildcard_replacement: next() };
    let name = DomainName::new(&next());
    drop(affixes.owner_name(&name));
    for record_type in [RecordType::A, RecordType::Aaaa, RecordType::Cname] {
        let txt = affixes.typed_name(&name, &record_type);
        drop(affixes.owner_name(&txt));
    }
    if let Some(heritage) = Heritage::parse(&next()) {
        drop(heritage.object());
    }
}

/// Lines of `key=value`; the first line is the prefix.
pub fn annotations(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let prefix = lines.next().unwrap_or_default();
    let pairs = lines.filter_map(|line| line.split_once('='));
    let all: BTreeMap<String, String> =
        pairs.map(|(key, value)| (format!("{prefix}{key}"), value.to_owned())).collect();
    let all = all.into();
    let flags = Flags::from_args(&[format!("--annotation-prefix={prefix}")], &BTreeMap::new(), None);
    let read = Annotations::of(&all, &flags);
    let ttl = read.ttl(NEWEST_KNOWN);
    assert!(ttl.is_none_or(|ttl| 0 < ttl), "{ttl:?}");
    for target in read.targets() {
        drop(DomainName::new(&target));
    }
    drop((read.list("hostname"), read.alias(), read.set_identifier(), read.provider_properties()));
    std::hint::black_box((read.ingress_host_source(), read.is_for_other_controller(), read.names().count()));
}

/// A name as Route 53 spells it, and a record set as JSON.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let name = DomainName::from_route53(&text);
    drop((name.defect(), name.parent(), name.wildcard_sibling(), name.labels().count()));
    if name.defect().is_none() {
        assert_eq!(DomainName::from_route53(&to_route53(&name)), name, "there and back");
    }
    if let Ok(raw) = serde_json::from_str::<RawRecordSet>(&text)
        && let Ok(set) = raw.decode()
    {
        drop(RawRecordSet::from(&set));
    }
}

/// A DNS message off the wire.
pub fn dns_answer(data: &[u8]) {
    let Ok(message) = Message::from_vec(data) else { return };
    let answer = Answer::read(&message);
    assert!(answer.answers.len() <= MAX_RECORDS && answer.authority.len() <= MAX_RECORDS);
    for record in answer.answers.iter().chain(&answer.authority) {
        assert!(record.data.len() <= MAX_TEXT && !record.data.chars().any(char::is_control), "{record:?}");
    }
    for vantage in [Vantage::Parent, Vantage::Authoritative, Vantage::Recursive, Vantage::Control] {
        std::hint::black_box(answer.outcome(vantage));
    }
}

/// The first byte says which file of a round the rest is.
pub fn recording(data: &[u8]) {
    const FILES: [&str; 9] = [
        "kubernetes/objects.yaml",
        "kubernetes/objects.json",
        "route53/hosted-zones.json",
        "route53/Z1/record-sets.json",
        "route53/Z1/hosted-zone.json",
        "dns/observations.jsonl",
        "external-dns/n__p__c.log",
        "cloudtrail/events.json",
        "problems.yaml",
    ];
    // Without the list nobody looks into the zone.
    const LIST: (&str, &[u8]) =
        ("route53/hosted-zones.json", br#"{"HostedZones":[{"Id":"/hostedzone/Z1","Name":"example.com."}]}"#);
    thread_local! {
        // The folders stay: making them took longer than reading a file.
        static ROUND: tempfile::TempDir = tempfile::tempdir().expect("a folder");
    }
    let Some((which, content)) = data.split_first() else { return };
    ROUND.with(|dir| {
        let place = |file: &str| dir.path().join(file);
        let write = |file: &str, content: &[u8]| {
            std::fs::create_dir_all(place(file).parent().expect("a folder")).expect("created");
            std::fs::write(place(file), content).expect("written");
        };
        let file = FILES.get(usize::from(*which) % FILES.len()).expect("within");
        write(LIST.0, LIST.1);
        write(file, content);
        read(dir.path());
        std::fs::remove_file(place(file)).expect("removed");
    });
}

fn read(dir: &std::path::Path) {
    let round = read_round(dir, Timestamp::UNIX_EPOCH);
    let mut problems = Vec::new();
    let objects = round.kubernetes.unwrap_or_default();
    objects.iter().filter_map(notices::read).for_each(|notice| check_text(&notice.message));
    drop(decode(objects, None, &mut problems));
    for problem in &problems {
        check_text(&problem.message);
    }
}

/// A configuration file.
pub fn configuration(data: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), data).expect("written");
    match Config::load(Some(file.path()), Vec::new()) {
        Ok(config) => drop((config.effective_yaml(), config.verdict_keys(), config.policy())),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

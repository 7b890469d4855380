//! What must hold for every verdict: the properties of findings.md section 12, over the whole corpus.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[path = "properties/case.rs"]
mod case;
#[path = "properties/edits.rs"]
mod edits;
#[path = "properties/mixtures.rs"]
mod mixtures;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::{Case, Content, Outcome, as_recorded, cases, outcome};
use dns_drift::finding::{Kind, Reason, State};
use dns_drift::report::Finding;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// Windows without a judge today.
const NOT_YET: &[&str] = &["Q017", "Q018", "Q063"];

/// One in so many of our own cases is tried for a property; which ones hangs on both names. All of them take
/// twice as long as all other tests together, and nearly all cases are tried for several properties.
const SAMPLE: u64 = 4;

/// With this variable set every case is tried for every property.
const ALL: &str = "DNS_DRIFT_TEST_ALL_PROPERTIES";

/// Runs a check over every case of the shared corpus and a sample of our own.
fn for_each(property: &str, check: impl Fn(&Case) -> Result<(), String> + Sync) {
    let all = std::env::var_os(ALL).is_some();
    let tried: Vec<&Case> = cases().iter().filter(|case| all || is_tried(property, case)).collect();
    for_each_of(&tried, |case| case.id.clone(), |case| check(case));
}

fn is_tried(property: &str, case: &Case) -> bool {
    // FNV-1a: the same choice on every machine.
    let hash = property.bytes().chain(case.id.bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    case.shared || hash.is_multiple_of(SAMPLE)
}

/// Runs a check over every item, on all cores, and fails with all complaints at once.
fn for_each_of<T: Sync>(
    all: &[T],
    name: impl Fn(&T) -> String + Sync,
    check: impl Fn(&T) -> Result<(), String> + Sync,
) {
    let queue = Mutex::new(all.iter());
    let complaints = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(item) = queue.lock().unwrap().next() else { break };
                    if let Err(complaint) = check(item) {
                        // A crowd of two hundred would bury the others.
                        let complaint: String = complaint.chars().take(900).collect();
                        complaints.lock().unwrap().push(format!("{}: {complaint}", name(item)));
                    }
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(complaints.is_empty(), "{} of {} cases\n{}", complaints.len(), all.len(), complaints.join("\n"));
}

fn same(what: &str, before: &Outcome, after: &Outcome) -> Result<(), String> {
    if before == after {
        return Ok(());
    }
    let gone: Vec<_> = before.open.difference(&after.open).collect();
    let new: Vec<_> = after.open.difference(&before.open).collect();
    let quiet: Vec<_> = before.silent.symmetric_difference(&after.silent).collect();
    Err(format!("{what}: gone {gone:?}, new {new:?}, silent reasons that differ {quiet:?}"))
}

#[test]
fn order_never_matters() {
    for_each("order_never_matters", |case| {
        let before = case.as_it_is();
        for seed in case.some(&[1, 2]) {
            same("shuffled", &before, &edits::shuffled(case.clone(), seed).outcome())?;
        }
        Ok(())
    });
}

#[test]
fn spelling_and_filing_never_matter() {
    for_each("spelling_and_filing_never_matter", |case| {
        let before = case.as_it_is();
        let mut respelled = edits::respelled(case.clone(), 7).outcome();
        // It tells of the spelling itself.
        let spelled = "name_equivalent";
        respelled.silent.remove(spelled);
        respelled.silent.extend(before.silent.get(spelled).cloned());
        same("respelled", &before, &respelled)?;
        for together in case.some(&[true, false]) {
            same("other files", &before, &edits::refiled(case, together).outcome())?;
        }
        Ok(())
    });
}

/// Addresses and domains that stand inside of names: a reverse zone, and a suffix of ownership records.
const NAMED_BY_PARTS: [&str; 7] = [
    "conflicting_desired-quiet-ptr_of_two_hosts_on_one_address",
    "failed_change-already_exists_under_a_suffix_with_a_dot",
    "missing_record-quiet-opted_out_of_ptr",
    "owner_orphan-txt_suffix_with_a_dot",
    "stale_record-txt_suffix_with_a_dot",
    "stale_record-txt_suffix_with_a_type_and_a_dot",
    "wrong_target-quiet-ptr_of_two_hosts_of_one_object",
];

#[test]
fn names_never_matter() {
    for_each("names_never_matter", |case| {
        if NAMED_BY_PARTS.contains(&&*case.id) {
            return Ok(());
        }
        let renamed = edits::renamed(case);
        // The expectation is part of the recording's folder, so it is renamed with the world.
        let faults = expectation_faults(&renamed);
        let before = expectation_faults(case);
        if faults.len() == before.len() { Ok(()) } else { Err(format!("{faults:?}")) }
    });
}

/// Rows of `expected.yaml` that the report does not meet.
fn expectation_faults(case: &Case) -> Vec<String> {
    let outcome = case.as_it_is();
    let mut faults = Vec::new();
    let rows = case.expected()["open"].as_array().cloned().unwrap_or_default();
    let fields = ["kind", "reason", "severity", "impact", "cause"];
    for row in &rows {
        let met = outcome.open.iter().any(|[subject, _zone, found @ ..]| {
            row["subject"] == json!(subject)
                && fields.iter().zip(found).all(|(field, found)| {
                    row.get(field).is_none_or(|wanted| wanted.is_null() || *wanted == json!(found))
                })
        });
        if !met {
            faults.push(format!("not met: {row}; open: {:?}", outcome.open));
        }
    }
    let subjects: BTreeSet<&str> = rows.iter().filter_map(|row| row["subject"].as_str()).collect();
    let allowed = case.expected()["allowed"].as_array().cloned().unwrap_or_default();
    for [subject, _, kind, ..] in &outcome.open {
        if !subjects.contains(subject.as_str()) && !allowed.contains(&json!(kind)) {
            faults.push(format!("unexpected: {subject} {kind}"));
        }
    }
    faults
}

#[test]
fn absolute_time_never_matters() {
    for_each("absolute_time_never_matters", |case| {
        let before = case.as_it_is();
        for by in
            case.some(&[SignedDuration::from_hours(-24 * 400 - 5), SignedDuration::from_secs(98_765_432)])
        {
            same("shifted", &before, &edits::shifted(case, by).outcome())?;
        }
        Ok(())
    });
}

/// Whose flags reach what the neighbours have: their addresses have no reverse zone.
const REACHES_NEIGHBOURS: [&str; 3] = [
    "conflicting_desired-quiet-ptr_of_two_hosts_on_one_address",
    "missing_record-quiet-opted_out_of_ptr",
    "wrong_target-quiet-ptr_of_two_hosts_of_one_object",
];

#[test]
fn neighbours_never_matter() {
    for_each("neighbours_never_matter", |case| {
        if REACHES_NEIGHBOURS.contains(&&*case.id) {
            return Ok(());
        }
        let before = case.as_it_is();
        // With the zone of a neighbour the list of zones is not empty.
        if before.open.iter().any(|row| row[3] == "empty_suspicious" && row[0] == "source/route53") {
            return Ok(());
        }
        let mut after = edits::crowded(case.clone(), 200).outcome();
        // Who asks for right records of other owners gets those of the neighbours too.
        after.open.retain(|row| row[2] != "owner_foreign" || !row[0].ends_with(".fleet.example.org/A"));
        if before.open == after.open {
            return Ok(());
        }
        same("crowded", &before, &Outcome { silent: before.silent.clone(), ..after })
    });
}

/// How far apart in the list the two worlds of a mixture stand.
const STRIDES: [usize; 4] = [1, 17, 67, 131];

#[test]
fn worlds_do_not_touch_each_other() {
    let mut all = mixtures::neighbours();
    if std::env::var_os(ALL).is_none() {
        all.retain(|case| is_tried("worlds", case));
    }
    let moved: Vec<Case> = all.iter().map(mixtures::moved_in).collect();
    let mixed = AtomicUsize::new(0);
    let indices: Vec<usize> = (0..all.len()).collect();
    let check = |index: &usize| {
        let mut faults = Vec::new();
        for stride in STRIDES {
            let (one, other) = (&all[*index], &moved[(index + stride) % all.len()]);
            let Some(both) = mixtures::together(one, other) else { continue };
            let (mut wanted, others) = (one.as_it_is(), other.as_it_is());
            wanted.open.extend(others.open);
            wanted.explained.extend(others.explained);
            wanted.silent.extend(others.silent);
            // Each instance sees the hosts of the other one and leaves them alone, or reads none in its version.
            let mut found = both.outcome();
            for reason in ["domain_filter", "no_host", "outside_managed_zones", "record_type_filter"] {
                wanted.silent.insert(reason.to_owned());
                found.silent.insert(reason.to_owned());
            }
            mixed.fetch_add(1, Ordering::Relaxed);
            faults.extend(same(&format!("with {}", other.id), &wanted, &found).err());
        }
        if faults.is_empty() { Ok(()) } else { Err(faults.join("\n    ")) }
    };
    for_each_of(&indices, |index| all[*index].id.clone(), check);
    let mixed = mixed.into_inner();
    // Two worlds go together when their rounds do; most meet one or two others.
    assert!(all.len() / 2 < mixed, "only {mixed} mixtures of {} worlds", all.len());
}

#[test]
fn the_same_data_again_changes_nothing() {
    for_each("the_same_data_again_changes_nothing", |case| {
        let before = case.as_it_is();
        let after = case.clone().again(SignedDuration::ZERO).outcome();
        same("the last round twice", &before, &after)
    });
}

/// Records with an open finding.
fn faulty_records(outcome: &Outcome) -> BTreeSet<(String, String)> {
    let records = outcome
        .open
        .iter()
        .filter(|row| !row[0].starts_with(|c: char| c.is_ascii_alphabetic()) || is_record(&row[0]));
    records.map(|row| (row[0].clone(), row[1].clone())).collect()
}

fn is_record(subject: &str) -> bool {
    !["zone/", "instance/", "object/", "source/"].iter().any(|outer| subject.starts_with(outer))
}

fn rank_of(kind: &str) -> u8 {
    Kind::from_word(kind).unwrap().rank()
}

#[test]
fn feeds_only_add_the_cause() {
    for_each("feeds_only_add_the_cause", |case| {
        let blind = case.clone().without(|path| {
            let part = |name: &str| path.components().any(|part| part.as_os_str() == name);
            part("external-dns") && !part("kubernetes") || part("cloudtrail")
        });
        let before = case.as_it_is();
        // What one look and a feed tell takes two looks without.
        let is_told = case.rounds().len() == 1 && !before.open.is_empty();
        let blind = if is_told { blind.again(SignedDuration::from_mins(1)) } else { blind };
        let after = blind.outcome();
        // What only a feed can see.
        let only_feed = |row: &[String; 7]| {
            matches!(row[2].as_str(), "churn" | "flapping") || row[2] == "failed_change" && row[5] == "none"
        };
        let faulty = |outcome: &Outcome, all: bool| -> BTreeSet<String> {
            let rows = outcome.open.iter().filter(|row| is_record(&row[0]) && (all || !only_feed(row)));
            let open = rows.map(|row| row[0].clone());
            open.chain(outcome.explained.iter().filter(|subject| is_record(subject)).cloned()).collect()
        };
        // What an outer finding explains that only a feed can see stands alone without it.
        let explained = before.open.iter().any(|row| rank_of(&row[2]) <= 5);
        let still = faulty(&after, true);
        let lost: Vec<String> = faulty(&before, false).difference(&still).cloned().collect();
        let known = faulty(&before, true);
        let new: Vec<&String> = still.difference(&known).collect();
        if lost.is_empty() && (new.is_empty() || explained) {
            return Ok(());
        }
        Err(format!("without feeds: lost {lost:?}, new {new:?}"))
    });
}

#[test]
fn less_sight_never_means_less_fault() {
    for_each("less_sight_never_means_less_fault", |case| {
        let before = case.as_it_is();
        let after =
            case.clone().without(|path| path.components().any(|part| part.as_os_str() == "dns")).outcome();
        // What rests on live answers alone cannot be seen without them.
        let rests_on_dns =
            |kind: &str| matches!(rank_of(kind), 16 | 17 | 50..=52 | 60..=65) || kind == "dangling_record";
        let seen = before.open.iter().filter(|row| is_record(&row[0]) && !rests_on_dns(&row[2]));
        let still = faulty_records(&after);
        let lost: Vec<_> = seen.filter(|row| !still.contains(&(row[0].clone(), row[1].clone()))).collect();
        if lost.is_empty() { Ok(()) } else { Err(format!("without DNS: lost {lost:?}")) }
    });
}

#[test]
fn a_view_that_goes_dark_freezes_its_verdicts() {
    for_each("a_view_that_goes_dark_freezes_its_verdicts", |case| {
        let frozen = |report: &dns_drift::report::Report| -> BTreeSet<(String, Kind)> {
            let alive = |state: State| matches!(state, State::Open | State::Stale | State::Explained);
            let rows = report
                .findings
                .iter()
                .filter(|finding| alive(finding.state) && finding.kind != Kind::ObserverBlind);
            rows.map(|finding| (finding.subject.to_string(), finding.kind)).collect()
        };
        let before = frozen(as_recorded(case));
        for view in case.some(&["route53", "kubernetes", "dns"]) {
            let mut dark = case.clone();
            for _ in 0..3 {
                dark = dark.again(SignedDuration::from_mins(1));
                let (last, _) = dark.rounds().pop().unwrap();
                dark = dark.without(|path| path.starts_with(Path::new(&last).join(view)));
                let problem =
                    json!({ "view": view, "scope": "all", "code": "unreachable", "message": "gone" });
                let file = Path::new(&last).join("problems.yaml");
                if let Some(Content::Tree(Value::Array(problems))) = dark.files.get_mut(&file) {
                    problems.push(problem);
                } else {
                    dark.files.insert(file, Content::Tree(json!([problem])));
                }
            }
            let after = frozen(&dark.report());
            let lost: Vec<_> = before.difference(&after).collect();
            let new: Vec<_> = after.difference(&before).collect();
            if !lost.is_empty() || view != "dns" && !new.is_empty() {
                return Err(format!("{view} dark: lost {lost:?}, new {new:?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn every_report_keeps_its_promises() {
    for_each("every_report_keeps_its_promises", |case| {
        let report = as_recorded(case);
        let open: Vec<_> = report.findings.iter().filter(|finding| finding.state == State::Open).collect();
        let mut subjects = BTreeSet::new();
        for finding in &open {
            let zone = finding.zone.as_ref().map(|zone| zone.id.clone());
            if !subjects.insert((finding.subject.clone(), zone)) {
                return Err(format!("two open findings on {}", finding.subject));
            }
        }
        for finding in report.findings.iter().filter(|finding| finding.state == State::Explained) {
            let id = finding
                .explained_by
                .as_ref()
                .ok_or(format!("{} is explained by nothing", finding.subject))?;
            if !open.iter().any(|parent| parent.id == *id) {
                return Err(format!("{} {} is explained by what is not open", finding.subject, finding.kind));
            }
        }
        for finding in &report.findings {
            if finding.summary.is_empty() || finding.fix.summary.is_empty() {
                return Err(format!("{} {} has no sentence or no fix", finding.subject, finding.kind));
            }
        }
        Ok(())
    });
}

/// The round's record sets after a change batch, as Route 53 would hold them; an error where it would refuse
/// the batch. Source: the messages in findings.md section 4.
fn apply(records: &mut Vec<Value>, batch: &Value) -> Result<(), String> {
    let changes = batch["Changes"].as_array().ok_or("a batch without changes")?;
    for change in changes {
        let set = &change["ResourceRecordSet"];
        let at = records.iter().position(|other| key_of(other) == key_of(set));
        match (change["Action"].as_str().unwrap(), at) {
            ("CREATE", None) if !is_refused(set) => records.push(set.clone()),
            ("DELETE", Some(index)) if canonical(&records[index]) == canonical(set) => {
                records.remove(index);
            }
            (action, at) => {
                return Err(format!("refused: {action} of {set} beside {:?}", at.map(|at| &records[at])));
            }
        }
    }
    // A batch is judged as a whole: what stands together at the end counts.
    let touched: BTreeSet<String> =
        changes.iter().map(|change| name_of(&change["ResourceRecordSet"])).collect();
    for name in touched {
        let here: Vec<&Value> = records.iter().filter(|set| name_of(set) == name).collect();
        for (index, one) in here.iter().enumerate() {
            if let Some(other) = here.iter().skip(index + 1).find(|other| exclude(one, other)) {
                return Err(format!("refused: {one} beside {other}"));
            }
        }
    }
    Ok(())
}

const POLICIES: [&str; 7] = [
    "Weight",
    "Region",
    "Failover",
    "GeoLocation",
    "GeoProximityLocation",
    "CidrRoutingConfig",
    "MultiValueAnswer",
];

/// True if Route 53 does not hold both at one name.
fn exclude(one: &Value, other: &Value) -> bool {
    if one["Type"] != other["Type"] {
        return [one, other].iter().any(|set| set["Type"] == "CNAME");
    }
    let policy = |set: &Value| POLICIES.iter().position(|policy| set.get(policy).is_some());
    let places = ["Region", "Failover", "GeoLocation", "CidrRoutingConfig"];
    let same_place = |place: &str| one.get(place).is_some() && one[place] == other[place];
    policy(one) != policy(other) || places.into_iter().any(same_place)
}

/// True for strings in quotation marks of at most 255 characters each.
fn is_text(value: &str) -> bool {
    let inner = value.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.is_some_and(|inner| inner.split("\" \"").all(|text| text.len() <= 255))
}

/// What Route 53 refuses in a record set by itself, but for the target of an alias into its own zone.
fn is_refused(set: &Value) -> bool {
    let values = set["ResourceRecords"].as_array();
    let texts = values.into_iter().flatten().map(|value| value["Value"].as_str().unwrap());
    let member = POLICIES.iter().any(|policy| set.get(policy).is_some());
    set["Type"] == "TXT" && !texts.into_iter().all(is_text) || member != set.get("SetIdentifier").is_some()
}

fn name_of(set: &Value) -> String {
    folded(set["Name"].as_str().unwrap())
}

/// A name as Route 53 compares it.
fn folded(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase().replace("\\052", "*")
}

fn key_of(set: &Value) -> (String, String, String) {
    (name_of(set), set["Type"].to_string(), set["SetIdentifier"].to_string())
}

/// A record set as Route 53 compares the one that a DELETE names with the one that it holds.
fn canonical(set: &Value) -> Value {
    let mut set = set.clone();
    set["Name"] = json!(name_of(&set));
    let is_text = set["Type"] == "TXT";
    if let Some(records) = set["ResourceRecords"].as_array_mut() {
        for record in records.iter_mut().filter(|_| !is_text) {
            record["Value"] = json!(folded(record["Value"].as_str().unwrap()));
        }
        records.sort_by_key(Value::to_string);
        records.dedup();
    }
    if let Some(target) = set.get_mut("AliasTarget") {
        target["DNSName"] = json!(folded(target["DNSName"].as_str().unwrap()));
        target["HostedZoneId"] =
            json!(target["HostedZoneId"].as_str().map(|id| id.trim_start_matches("/hostedzone/")));
    }
    set
}

/// The zone that the batch is for: an instance is in none, but its command names it.
fn zone_of(finding: &Finding) -> Option<String> {
    let named = || {
        let command =
            finding.fix.commands.iter().find(|command| command.starts_with("aws route53 change"))?;
        let (_, rest) = command.split_once("--hosted-zone-id ")?;
        rest.split(' ').next().map(str::to_owned)
    };
    finding.zone.as_ref().map(|zone| zone.id.to_string()).or_else(named)
}

/// The ownership of an apex lies in another zone, which has a command of its own.
fn batches_of_others(finding: &Finding, zone: &str) -> Vec<(String, Value)> {
    let parts = finding.fix.commands.iter().filter_map(|command| {
        let (_, rest) = command.split_once("--hosted-zone-id ")?;
        let (id, batch) = rest.split_once(" --change-batch ")?;
        let batch = batch.strip_prefix('\'')?.strip_suffix('\'')?.replace("'\\''", "'");
        Some((id.to_owned(), serde_json::from_str(&batch).expect("a batch is JSON")))
    });
    parts.filter(|(id, _)| *id != zone).collect()
}

#[test]
fn the_fix_fixes() {
    for_each("the_fix_fixes", |case| {
        let report = as_recorded(case);
        let before = outcome(report);
        // What goes on while a graver fault waits for its second look is of an earlier zone.
        let open = |finding: &&Finding| finding.state == State::Open && finding.last_seen == report.at;
        for finding in report.findings.iter().filter(open) {
            let Some(batch) = &finding.fix.change_batch else { continue };
            let zone = zone_of(finding).ok_or("a batch without a zone")?;
            let mut mended = case.clone();
            for _ in 0..3 {
                mended = mended.again(SignedDuration::from_mins(2));
                let (last, _) = mended.rounds().pop().unwrap();
                // The old answers would contradict the mended zone, and by old gauges its instance stands still.
                mended = mended.without(|path| {
                    let is_gauge = path.extension().is_some_and(|extension| extension == "prom");
                    path.starts_with(Path::new(&last).join("dns")) || path.starts_with(&last) && is_gauge
                });
            }
            let rounds = mended.rounds();
            for (round, _) in rounds.iter().skip(rounds.len() - 3) {
                for (id, batch) in batches_of_others(finding, &zone) {
                    let path = Path::new(round).join(format!("route53/{id}/record-sets.json"));
                    let Some(Content::Tree(value)) = mended.files.get_mut(&path) else { return Ok(()) };
                    let records = value["ResourceRecordSets"].as_array_mut().unwrap();
                    apply(records, &batch)
                        .map_err(|fault| format!("{} in {id}: {fault}", finding.subject))?;
                }
                let path = Path::new(round).join(format!("route53/{zone}/record-sets.json"));
                // A zone that could not be read in the last round cannot be seen to be mended.
                let Some(Content::Tree(value)) = mended.files.get_mut(&path) else { return Ok(()) };
                let records = value["ResourceRecordSets"].as_array_mut().unwrap();
                let held: BTreeSet<String> = records.iter().map(|set| canonical(set).to_string()).collect();
                let named = |fault| format!("{} {}: {fault}", finding.subject, finding.kind);
                apply(records, batch).map_err(named)?;
                // The inverse takes it back.
                let mut back = records.clone();
                apply(&mut back, finding.fix.inverse_batch.as_ref().unwrap()).map_err(named)?;
                let back: BTreeSet<String> = back.iter().map(|set| canonical(set).to_string()).collect();
                if held != back {
                    return Err(named(format!("the inverse leaves {:?}", back.symmetric_difference(&held))));
                }
            }
            let after = mended.outcome();
            let subject = finding.subject.to_string();
            // The ownership of an apex would lie outside of the zone.
            let has_no_place = |row: &[String]| {
                let apex = finding.zone.as_ref().map(|zone| zone.name.as_str());
                row[2] == "owner_missing" && row[0].split('/').next() == apex
            };
            // Records come back; who asks for them does not.
            let is_of_objects = |row: &[String]| row[2] == Kind::MassDeletion.as_str();
            let left: Vec<_> = after
                .open
                .iter()
                .filter(|row| row[0] == subject && rank_of(&row[2]) < 60)
                .filter(|row| !has_no_place(&row[..]) && !is_of_objects(&row[..]))
                .collect();
            let subjects: BTreeSet<&String> = before.open.iter().map(|row| &row[0]).collect();
            let new: Vec<_> = after
                .open
                .iter()
                .filter(|row| !subjects.contains(&row[0]) && rank_of(&row[2]) < 60)
                // A problem that is repeated for three rounds makes a view blind.
                .filter(|row| row[2] != "observer_blind")
                // Metrics that show failing loops speak for themselves once they are the cause of nothing.
                .filter(|row| finding.cause.as_ref().is_none_or(|cause| cause.to_string() != row[2]))
                .collect();
            if !left.is_empty() || !new.is_empty() {
                return Err(format!("{subject} {}: after its fix {left:?}, new {new:?}", finding.kind));
            }
        }
        Ok(())
    });
}

/// Types that lead a host somewhere.
const ADDRESSES: [&str; 3] = ["A", "AAAA", "CNAME"];

/// What is left is that of an object that is gone; the member that is wanted has a batch of its own.
const LEFT_BY_ANOTHER: &str = "stale_record-ownership_of_a_wanted_member";

/// The hosts that objects name with addresses, whoever reads that.
fn named_hosts(case: &Case) -> BTreeSet<String> {
    let (last, _) = case.rounds().pop().unwrap();
    let mut case = case.clone();
    let mut hosts = Vec::new();
    case.each(&mut |path, content| {
        let Content::Tree(value) = content else { return };
        if !path.starts_with(Path::new(&last).join("kubernetes")) {
            return;
        }
        for object in edits::objects(value) {
            let annotations = object["metadata"]["annotations"].as_object().into_iter().flatten();
            let annotated = annotations.filter(|(key, _)| key.ends_with("/hostname"));
            let annotated =
                annotated.filter_map(|(_, value)| value.as_str()).flat_map(|text| text.split(','));
            let spec = &object["spec"];
            let rules = spec["rules"].as_array().into_iter().flatten().map(|rule| &rule["host"]);
            let listed = spec["hostnames"].as_array().into_iter().flatten();
            let endpoints = spec["endpoints"].as_array().into_iter().flatten();
            let leads = |one: &&Value| ADDRESSES.iter().any(|kind| one["recordType"] == *kind);
            let endpoints = endpoints.filter(leads).map(|one| &one["dnsName"]);
            let stated = rules.chain(listed).chain(endpoints).filter_map(Value::as_str);
            hosts.extend(annotated.chain(stated).map(|host| folded(host.trim())));
        }
    });
    hosts.into_iter().collect()
}

/// A tired person runs what is printed: it must not take down what somebody asks for.
#[test]
fn no_batch_takes_a_named_host_away() {
    for_each_of(
        &cases().iter().collect::<Vec<_>>(),
        |case| case.id.clone(),
        |case| {
            let report = as_recorded(case);
            let batches: Vec<_> = report
                .findings
                .iter()
                .filter(|finding| finding.state == State::Open)
                .filter_map(|finding| {
                    Some((finding, finding.fix.change_batch.as_ref()?["Changes"].as_array()?))
                })
                .collect();
            if batches.is_empty() {
                return Ok(());
            }
            let named = named_hosts(case);
            let is_address = |set: &Value| ADDRESSES.iter().any(|kind| set["Type"] == *kind);
            let (last, _) = case.rounds().pop().unwrap();
            for (finding, changes) in batches {
                let of = |action: &'static str| {
                    let changes = changes.iter().filter(move |change| change["Action"] == action);
                    changes.map(|change| &change["ResourceRecordSet"]).filter(move |set| is_address(set))
                };
                let Some(zone) = zone_of(finding) else { continue };
                let path = Path::new(&last).join(format!("route53/{zone}/record-sets.json"));
                let Some(Content::Tree(records)) = case.files.get(&path) else { continue };
                let records = records["ResourceRecordSets"].as_array().unwrap();
                let is_covered = |host: &&String, wildcard: &str| {
                    sibling(host).as_deref() == Some(wildcard)
                        && !records.iter().any(|set| name_of(set) == **host)
                };
                let is_named =
                    |name: &String| named.contains(name) || named.iter().any(|host| is_covered(&host, name));
                for gone in of("DELETE").filter(|set| is_named(&name_of(set))) {
                    let name = name_of(gone);
                    let mut left = records.iter().filter(|set| is_address(set) && name_of(set) == name);
                    let stays = left.any(|set| of("DELETE").all(|other| key_of(other) != key_of(set)));
                    if !stays && case.id != LEFT_BY_ANOTHER && !of("CREATE").any(|set| name_of(set) == name) {
                        return Err(format!(
                            "{} {} {}: {name} is left without",
                            finding.subject, finding.kind, finding.reason
                        ));
                    }
                }
            }
            Ok(())
        },
    );
}

/// The wildcard beside a name.
fn sibling(name: &str) -> Option<String> {
    name.split_once('.').map(|(_, above)| format!("*.{above}"))
}

/// The names that a record set leads to, mail and services among them.
fn leads_to(set: &Value) -> Vec<String> {
    let alias = set["AliasTarget"]["DNSName"].as_str();
    let is_name = ["CNAME", "MX", "NS", "SRV"].iter().any(|kind| set["Type"] == *kind);
    let values = set["ResourceRecords"].as_array().into_iter().flatten().filter(|_| is_name);
    let words = values.filter_map(|value| value["Value"].as_str()?.rsplit(' ').next());
    alias.into_iter().chain(words).map(folded).collect()
}

/// The record sets of the zone of a finding, before its batch and after; `None` where it has none, or one that is refused.
fn around_the_batch(case: &Case, finding: &Finding) -> Option<(Vec<Value>, Vec<Value>)> {
    let (last, _) = case.rounds().pop()?;
    let path = Path::new(&last).join(format!("route53/{}/record-sets.json", zone_of(finding)?));
    let batch = finding.fix.change_batch.as_ref()?;
    let Some(Content::Tree(held)) = case.files.get(&path) else { return None };
    let held = held["ResourceRecordSets"].as_array()?.clone();
    let mut left = held.clone();
    apply(&mut left, batch).is_ok().then_some((held, left))
}

/// Asks of each open finding with a batch what it does, by its record sets before and after; how much was asked about.
fn met_by_batches(check: impl Fn(&Finding, &[Value], &[Value]) -> Result<usize, String> + Sync) -> usize {
    let met = Mutex::new(0_usize);
    for_each_of(
        &cases().iter().collect::<Vec<_>>(),
        |case| case.id.clone(),
        |case| {
            for finding in as_recorded(case).findings.iter().filter(|one| one.state == State::Open) {
                if let Some((held, left)) = around_the_batch(case, finding) {
                    let count = check(finding, &held, &left)
                        .map_err(|complaint| format!("{}: {complaint}", finding.subject))?;
                    *met.lock().unwrap() += count;
                }
            }
            Ok(())
        },
    );
    met.into_inner().unwrap()
}

/// The record sets that a batch creates under a key that was free.
fn new_sets<'a>(held: &'a [Value], left: &'a [Value]) -> impl Iterator<Item = &'a Value> {
    left.iter().filter(|set| !held.iter().any(|other| key_of(other) == key_of(set)))
}

/// What others lead to is not taken away from under them, wanted here or not; whoever leads to a dead target is
/// served by nobody.
#[test]
fn no_batch_takes_away_what_others_lead_to() {
    let is_address = |set: &Value| ADDRESSES.iter().any(|kind| set["Type"] == *kind);
    let stands = |sets: &[Value], name: &str, kind: Option<&Value>| {
        let exists = sets.iter().any(|set| name_of(set) == name);
        let wildcard = sibling(name).filter(|_| !exists);
        let answers = wildcard.as_deref().unwrap_or(name);
        sets.iter().any(|set| {
            is_address(set) && name_of(set) == answers && kind.is_none_or(|kind| set["Type"] == *kind)
        })
    };
    let met = met_by_batches(|finding, held, left| {
        let mut met = 0;
        for set in left.iter().filter(|_| finding.kind != Kind::DanglingRecord) {
            let kind = set.get("AliasTarget").map(|_| &set["Type"]);
            for name in leads_to(set).iter().filter(|name| stands(held, name, kind)) {
                met += 1;
                if !stands(left, name, kind) {
                    return Err(format!("{} leads to {name}", name_of(set)));
                }
            }
        }
        Ok(met)
    });
    assert!(0 < met, "some batch is printed beside records that lead somewhere");
}

/// What the zone answers for is not cut off by a delegation above it.
#[test]
fn no_batch_delegates_what_is_answered_here() {
    let met = met_by_batches(|_, held, left| {
        let mut met = 0;
        for new in new_sets(held, left).filter(|set| set["Type"] == "NS") {
            met += 1;
            let below = format!(".{}", name_of(new));
            let servers = new["ResourceRecords"].to_string();
            let is_lost = |set: &&Value| {
                let (name, is_address) = (name_of(set), set["Type"] != "TXT" && set["Type"] != "NS");
                is_address && name.ends_with(&below) && !servers.contains(&name)
            };
            if let Some(lost) = left.iter().find(is_lost) {
                return Err(format!("{} lies below", name_of(lost)));
            }
        }
        Ok(met)
    });
    assert!(0 < met, "some batch delegates");
}

/// True for an ownership TXT of an owner other than that of the finding.
fn is_of_another_owner(set: &Value, finding: &Finding) -> bool {
    let text = set["ResourceRecords"].to_string();
    let is_ours = |owner: &str| {
        [",", "\\\""].iter().any(|end| text.contains(&format!("external-dns/owner={owner}{end}")))
    };
    set["Type"] == "TXT"
        && text.contains("external-dns/owner=")
        && finding.instance.as_deref().is_some_and(|owner| !is_ours(owner))
}

/// Whose ownership contradicts nothing that ExternalDNS reads keeps it.
#[test]
fn no_batch_takes_the_ownership_of_another_owner_away() {
    let met = met_by_batches(|finding, held, left| {
        // Left-overs of an owner that is gone, and owners that contradict each other, are what other kinds are about.
        let is_of_record =
            matches!(finding.kind, Kind::MissingRecord | Kind::WrongTarget | Kind::StaleTarget);
        let foreign = held.iter().filter(|set| is_of_record && is_of_another_owner(set, finding));
        let foreign: Vec<&Value> = foreign.collect();
        match foreign.iter().find(|set| !left.contains(set)) {
            Some(gone) => Err(format!("{} is taken away", name_of(gone))),
            None => Ok(foreign.len()),
        }
    });
    assert!(10 < met, "other owners live in the zones");
}

/// What is written where the ownership of somebody else stands is that owner's from its birth.
#[test]
fn no_batch_writes_into_the_hands_of_another_owner() {
    let met = met_by_batches(|finding, held, left| {
        let mut met = 0;
        for new in new_sets(held, left) {
            let title = format!("{}-{}", new["Type"].as_str().unwrap().to_lowercase(), name_of(new));
            let titles = left.iter().filter(|set| name_of(set) == title && set["Type"] == "TXT");
            for text in titles.filter(|set| set["SetIdentifier"] == new["SetIdentifier"]) {
                met += 1;
                if is_of_another_owner(text, finding) {
                    return Err(format!("{title} is {}", text["ResourceRecords"]));
                }
            }
        }
        Ok(met)
    });
    assert!(50 < met, "batches write records with their ownership");
}

/// An instance that does not write protects what its next loop would delete: nobody is sent to start it before that is
/// mended.
#[test]
fn nobody_is_sent_to_start_what_would_delete() {
    let met = Mutex::new(0_usize);
    let is_hazard = |reason: Reason| {
        matches!(
            reason,
            Reason::LbStatusLost
                | Reason::WantsVanished
                | Reason::AnnotationPrefixFlip
                | Reason::OwnerIdShared
        )
    };
    for_each_of(
        &cases().iter().collect::<Vec<_>>(),
        |case| case.id.clone(),
        |case| {
            let keeps = case.files.values().any(|file| {
                let Content::Tree(tree) = file else { return false };
                let text = tree.to_string();
                ["upsert-only", "create-only"].iter().any(|policy| text.contains(policy))
            });
            let report = as_recorded(case);
            let idle = report.findings.iter().filter(|finding| {
                matches!(finding.kind, Kind::ControllerStalled | Kind::ControllerFailing)
                    && finding.state == State::Open
                    && finding.also.iter().any(|also| is_hazard(also.reason))
            });
            for finding in idle.filter(|_| !keeps) {
                *met.lock().unwrap() += 1;
                let starts = finding.fix.commands.iter().any(|command| command.contains("scale"));
                if starts || !finding.fix.summary.starts_with("It must not write before this is mended") {
                    return Err(format!("{}: {:?}", finding.subject, finding.fix));
                }
            }
            Ok(())
        },
    );
    assert!(3 < *met.lock().unwrap(), "some instance is idle beside such a fault");
}

#[test]
fn a_quiet_case_speaks_when_its_window_has_passed() {
    let windowed = |case: &Case| {
        if NOT_YET.contains(&case.id.as_str()) {
            return None;
        }
        let silent = case.expected()["silent"].as_array().cloned().unwrap_or_default();
        let reasons: Vec<String> = silent.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        reasons.into_iter().find(|reason| reason.ends_with("_window") || reason.starts_with("grace_"))
    };
    let met = Mutex::new(BTreeSet::new());
    for_each("a_quiet_case_speaks_when_its_window_has_passed", |case| {
        let Some(reason) = windowed(case) else { return Ok(()) };
        let step = if reason == "delegation_ttl_window" {
            SignedDuration::from_hours(30)
        } else {
            SignedDuration::from_mins(25)
        };
        let mut later = (0..3).fold(case.clone(), |case, _| case.again(step));
        later.each(&mut |path, content| {
            if let Content::Tree(value) = content
                && path.ends_with("route53/changes.json")
            {
                // No change stays PENDING for that long.
                for change in value["Changes"].as_array_mut().into_iter().flatten() {
                    change["Status"] = json!("INSYNC");
                }
            }
        });
        let later = later.outcome();
        // What would be false inside of the window is right behind it.
        let twins = case.expected()["never"].as_array().cloned().unwrap_or_default();
        met.lock().unwrap().insert(reason.clone());
        if later.open.iter().any(|row| twins.contains(&json!(row[2]))) {
            return Ok(());
        }
        Err(format!("{reason} has passed, none of {twins:?} is open: {:?}", later.open))
    });
    assert!(4 <= met.into_inner().unwrap().len(), "too few windows in the corpus");
}

#[test]
fn a_drift_case_is_quiet_inside_its_window() {
    for_each("a_drift_case_is_quiet_inside_its_window", |case| {
        let ladder: Vec<String> = case.expected()["open"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|row| matches!(rank_of(row["kind"].as_str().unwrap()), 20..=25 | 72))
            .filter_map(|row| row["subject"].as_str().map(str::to_owned))
            .collect();
        if ladder.is_empty() {
            return Ok(());
        }
        let young = young(case).again(SignedDuration::from_secs(20)).outcome();
        let loud: Vec<_> = young
            .open
            .iter()
            .filter(|row| ladder.contains(&row[0]) && matches!(rank_of(&row[2]), 20..=25 | 72))
            .collect();
        if loud.is_empty() { Ok(()) } else { Err(format!("inside of the window: {loud:?}")) }
    });
}

/// Only the last round, with everything that asks for names made half a minute before it.
fn young(case: &Case) -> Case {
    let (last, at) = case.rounds().pop().unwrap();
    let mut young = case.clone().without(|path| {
        let round = path.components().next().unwrap().as_os_str();
        path.components().count() > 1 && round != last.as_str()
    });
    let born = json!(at - SignedDuration::from_secs(30));
    young.each(&mut |path, content| match content {
        Content::Tree(index) if path == Path::new("recording.yaml") => {
            index["rounds"].as_array_mut().unwrap().retain(|row| row["dir"] == last.as_str());
        }
        Content::Tree(value) if path.starts_with(Path::new(&last).join("kubernetes")) => {
            for object in edits::objects(value) {
                let kind = object["kind"].as_str().unwrap_or_default();
                let is_controller =
                    kind == "Pod" && object.to_string().contains("external-dns/external-dns:");
                if is_controller || matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
                {
                    continue;
                }
                object["metadata"]["creationTimestamp"] = born.clone();
                for row in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
                    row["time"] = born.clone();
                }
            }
        }
        Content::Tree(_) | Content::Lines(_) | Content::Text(_) => {}
    });
    young
}

//! Two worlds in one account and cluster: what is said of each must be what is said of it alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use crate::case::{Case, Content, cases};
use crate::edits::{in_folder, objects, renamed, rewrite};

/// The domains of the corpus, and of the world under other names.
const DOMAINS: [&str; 2] = ["example.com", "harbour.net"];

/// Namespaces that the corpus gives to the instances themselves.
const SYSTEM: [&str; 3] = ["external-dns", "kube-system", "dns"];

/// Files that tell of an account as a whole, or of a view that could not be read: they say something of
/// both worlds.
const SHARED: [&str; 5] = ["problems.yaml", "changes.json", "dnssec.json", "limit.json", "events.json"];

/// What a second instance whose filter matches no zone does to users hangs on who else goes without a
/// record.
const ALONE: &str = "controller_misconfigured-zone_filter_matches_nothing-other_instance";

/// Recordings whose flags stand in a script or in a Secret take no filter.
const WITHOUT_FLAGS: [&str; 17] = [
    // A later release leaves the host out, wherever that lies.
    "missing_record-hostname_source_annotation_before_v0_9",
    "controller_misconfigured-quiet-regex_filter_with_zone_match_parent",
    "missing_record-quiet-exclude_domains_alone_before_v0_9",
    "missing_record-regex_filter_with_zone_match_parent",
    // Two instances in one Pod, of which the filter would make one.
    "controller_failing-one_of_two_containers",
    "controller_failing-quiet-the_other_container",
    "controller_stalled-departed_with_two_containers",
    "controller_stalled-one_of_two_containers_hangs",
    "controller_misconfigured-quiet-domain_filter_from_a_secret",
    "controller_misconfigured-quiet-regex_filter_with_exclusion",
    "missing_record-absent-exclude_domains_alone",
    "missing_record-absent-regex_exclusion_alone",
    "missing_record-absent-regex_filter_with_exclusion",
    // Every Node of the cluster is under its name.
    "missing_record-quiet-node_name_beside_the_template",
    "missing_record-quiet-second_name_of_a_node_template",
    "stale_record-quiet-regex_filter_with_exclusion",
    "missing_record-arguments_in_a_shell_script",
];

/// Recordings that can live beside others, each with the filter that keeps to its own domain.
pub(crate) fn neighbours() -> Vec<Case> {
    let kept = cases().iter().filter(|case| can_share(case) && !WITHOUT_FLAGS.contains(&&*case.id));
    kept.map(|case| Case { id: format!("{}, filtered", case.id), ..with_filter(case.clone(), DOMAINS[0]) })
        .collect()
}

fn can_share(case: &Case) -> bool {
    let own_files = !case.files.keys().any(|path| SHARED.iter().any(|name| path.ends_with(name)));
    let config = case.config().and_then(Value::as_object).cloned().unwrap_or_default();
    let own_config = config.keys().all(|key| key == "maintenance" || key == "mutes");
    case.id != ALONE && own_files && own_config && case.files.values().all(controls_work)
}

/// A resolver that fails its control name is not heard about any other name either.
fn controls_work(content: &Content) -> bool {
    let Content::Lines(lines) = content else { return true };
    lines.iter().filter(|line| line["vantage"] == "control").all(|line| line["outcome"] == "answer")
}

/// The same world as another company in the same account: other names, other owner, other namespaces.
pub(crate) fn moved_in(case: &Case) -> Case {
    static BALANCER: LazyLock<Regex> = LazyLock::new(|| {
        let (name, region) = ("[a-z0-9-]+", "[a-z]{2}-[a-z]+-[0-9]");
        let pattern = format!(r"(?i)\b({name}\.(?:{region}\.elb|elb\.{region})\.amazonaws\.com)");
        Regex::new(&pattern).unwrap()
    });
    let plain =
        rewrite(&renamed(&without_filter(case)), &|text| BALANCER.replace_all(text, "two-$1").into_owned());
    let plain = with_filter(plain, DOMAINS[1]);
    let files = plain.files.into_iter().map(|(path, mut content)| {
        if in_folder(&path, "kubernetes") {
            if let Content::Tree(value) = &mut content {
                objects(value).into_iter().for_each(move_object);
            }
            return (renamed_file(&path, "moved-"), content);
        }
        (if in_folder(&path, "external-dns") { moved_log(&path) } else { path }, content)
    });
    Case { id: format!("{}, moved", case.id), files: files.collect(), ..plain }
}

fn renamed_file(path: &Path, prefix: &str) -> PathBuf {
    path.with_file_name(format!("{prefix}{}", path.file_name().unwrap().to_string_lossy()))
}

/// Logs and scrapes are named after the namespace of the Pod.
fn moved_log(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let moved = SYSTEM.iter().find_map(|system| name.strip_prefix(&format!("{system}__")));
    match moved {
        Some(rest) => {
            let system = name.trim_end_matches(rest).trim_end_matches('_');
            path.with_file_name(format!("{system}-two__{rest}"))
        }
        None => path.to_path_buf(),
    }
}

fn move_object(object: &mut Value) {
    for pointer in ["/metadata/namespace", "/involvedObject/namespace"] {
        if let Some(namespace) = object.pointer_mut(pointer)
            && SYSTEM.iter().any(|system| *namespace == json!(system))
        {
            *namespace = json!(format!("{}-two", namespace.as_str().unwrap()));
        }
    }
    for subject in object["subjects"].as_array_mut().into_iter().flatten() {
        let namespace = subject["namespace"].as_str().map(|namespace| format!("{namespace}-two"));
        if let Some(namespace) = namespace {
            subject["namespace"] = json!(namespace);
        }
    }
}

fn with_filter(case: Case, domain: &str) -> Case {
    edit_args(case, &|args| {
        let says_which = |arg: &Value| arg.as_str().is_some_and(|arg| arg.contains("domain-filter"));
        if !args.iter().any(says_which) {
            args.push(json!(format!("--domain-filter={domain}")));
        }
    })
}

fn without_filter(case: &Case) -> Case {
    let added = json!(format!("--domain-filter={}", DOMAINS[0]));
    edit_args(case.clone(), &|args| args.retain(|arg| *arg != added))
}

fn edit_args(mut case: Case, edit: &dyn Fn(&mut Vec<Value>)) -> Case {
    case.each(&mut |path, content| {
        let Content::Tree(value) = content else { return };
        if !in_folder(path, "kubernetes") {
            return;
        }
        for object in objects(value) {
            for list in ["/spec/template/spec/containers", "/spec/containers"] {
                let containers = object.pointer_mut(list).and_then(Value::as_array_mut);
                for container in containers.into_iter().flatten() {
                    let args = container.get_mut("args").and_then(Value::as_array_mut);
                    args.filter(|args| args.iter().any(|arg| *arg == json!("--provider=aws"))).map(edit);
                }
            }
        }
    });
    case
}

/// Both worlds in one recording; `None` when they cannot be told in the same rounds, or when both have
/// one object.
pub(crate) fn together(one: &Case, other: &Case) -> Option<Case> {
    let (names, more) = (names(one), names(other));
    // A kind that only one of them shows counts as not read in the other.
    let kinds =
        |names: &BTreeSet<[String; 3]>| names.iter().map(|[kind, ..]| kind.clone()).collect::<BTreeSet<_>>();
    if one.rounds() != other.rounds()
        || views(one) != views(other)
        || kinds(&names) != kinds(&more)
        || !names.is_disjoint(&more)
    {
        return None;
    }
    let mut out = one.clone();
    for (path, content) in &other.files {
        match (out.files.get_mut(path), content) {
            (None, content) => {
                out.files.insert(path.clone(), content.clone());
            }
            (Some(Content::Lines(all)), Content::Lines(more)) => all.extend(more.iter().cloned()),
            (Some(Content::Tree(all)), Content::Tree(more)) => {
                for list in ["/HostedZones", "/config/maintenance", "/config/mutes"] {
                    append(all, more, list);
                }
            }
            (Some(_), _) => return None,
        }
    }
    out.id = format!("{} with {}", one.id, other.id);
    Some(out)
}

/// Appends the list of one tree to that of another, which may lack it.
fn append(all: &mut Value, more: &Value, pointer: &str) {
    let Some(more) = more.pointer(pointer).and_then(Value::as_array) else { return };
    let mut place = all;
    for key in pointer.split('/').skip(1) {
        place = &mut place[key];
    }
    if place.is_null() {
        *place = json!([]);
    }
    place.as_array_mut().unwrap().extend(more.iter().cloned());
}

/// The views of each round.
fn views(case: &Case) -> BTreeSet<PathBuf> {
    let folders = case.files.keys().filter_map(|path| {
        let mut parts = path.components().take(2);
        Some(Path::new(parts.next()?.as_os_str()).join(parts.next()?.as_os_str()))
    });
    folders.filter(|folder| folder.extension().is_none_or(|ending| ending != "yaml")).collect()
}

/// The objects of all rounds.
fn names(case: &Case) -> BTreeSet<[String; 3]> {
    let mut out = BTreeSet::new();
    for (path, content) in &case.files {
        let Content::Tree(value) = content else { continue };
        if in_folder(path, "kubernetes") {
            for object in objects(&mut value.clone()) {
                let part = |pointer: &str| object.pointer(pointer).map(Value::to_string).unwrap_or_default();
                out.insert([part("/kind"), part("/metadata/namespace"), part("/metadata/name")]);
            }
        }
    }
    out
}

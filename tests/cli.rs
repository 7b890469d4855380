//! The built program: exit codes and what it says about mistakes.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

use std::path::Path;
use std::process::{Command, Output};

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_dns-drift"))
        .args(args)
        .env_clear()
        .output()
        .expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

fn file(dir: &Path, text: &str) -> String {
    let path = dir.join("config.yaml");
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

#[test]
fn bad_usage() {
    let (code, _, stderr) = run(&["check", "--fail-on", "never"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("one of info, warning, critical"), "{stderr}");
    assert_eq!(run(&["observe"]).0, Some(2));
    let (code, _, stderr) = run(&["explain", "bad..name"]);
    assert_eq!((code, stderr.trim()), (Some(2), "dns-drift: \"bad..name\" is no DNS name"));
}

#[test]
fn a_missing_recording() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().display().to_string();
    let (code, stdout, stderr) = run(&["check", "--recording", &path]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains(&format!("{path} is not a recording: it has no recording.yaml")), "{stderr}");
}

#[test]
fn configuration() {
    let dir = tempfile::tempdir().expect("folder");
    let good = file(dir.path(), "# nothing but a comment\n");
    let (code, stdout, stderr) = run(&["serve", "--check-config", "--config", &good]);
    assert_eq!((code, stdout.as_str()), (Some(0), "the configuration is valid\n"), "{stderr}");
    let bad = file(dir.path(), "interval: 1s\nrouting: 5\ndns: {control_name: 'a..b'}\n");
    let (code, _, stderr) = run(&["serve", "--check-config", "--config", &bad, "--listen", "nowhere"]);
    assert_eq!(code, Some(2));
    let named = format!("configuration {bad}: 4 mistakes");
    for line in [
        &*named,
        "  dns.control_name: is no DNS name",
        "  interval: 1s is out of range: 10s to 3600s",
        "  listen: \"nowhere\": invalid socket address syntax",
        "  routing: unknown key",
    ] {
        assert!(stderr.contains(line), "{line} in {stderr}");
    }
    let (code, _, stderr) = run(&["serve", "--config", "/nonexistent/config.yaml"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("read configuration /nonexistent/config.yaml: "), "{stderr}");
}

#[test]
fn no_cluster() {
    let (code, _, stderr) = run(&["check", "--kubeconfig", "/nonexistent/kubeconfig"]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("connect to Kubernetes: read kubeconfig /nonexistent/kubeconfig"), "{stderr}");
}

/// A manifest as it lies in a repository: what would v0.22.0 make of it?
#[test]
fn what_another_version_would_change() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("web.yaml");
    let manifest = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\n  namespace: shop\n  \
        annotations: {external-dns.alpha.kubernetes.io/hostname: extra.example.com}\nspec:\n  rules: [{host: app.example.com}]\n\
        status: {loadBalancer: {ingress: [{ip: 203.0.113.10}]}}\n";
    std::fs::write(&path, manifest).expect("written");
    let path = path.display().to_string();
    let given = ["-f", &path, "--zone=example.com", "-o", "json", "--external-dns-arg=--source=ingress"];
    let args =
        [&["what-if", "--from-version=v0.21.0", "--external-dns-version=v0.22.0"], &given[..]].concat();
    let (code, stdout, stderr) = run(&args);
    assert_eq!(code, Some(0), "{stderr}");
    let found: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let names = |list: &str| {
        let rows = found[list].as_array().expect("rows").iter();
        rows.map(|row| row["name"].as_str().expect("name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("removed"), ["a-extra.example.com", "extra.example.com"]);
    assert_eq!((names("added").len(), found["unchanged"].as_u64()), (0, Some(2)));

    let (code, stdout, _) = run(&[&["desired", "--external-dns-version=v0.21.0"], &given[..]].concat());
    let rows: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, rows.as_array().map(Vec::len)), (Some(0), Some(4)));
    let (code, _, stderr) = run(&["desired", "-f", &path]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("name them with --zone"), "{stderr}");
    let (code, _, stderr) = run(&["desired", "-f", &path, "--stage=source", "--instance=other"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("no ExternalDNS with the owner id \"other\""), "{stderr}");
    assert_eq!(run(&["desired", "-f", "/nowhere"]).0, Some(2));
}

/// Somebody with nothing but a log gets the name, the cause and what to do.
#[test]
fn a_log_alone() {
    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/D001/002/external-dns");
    let file = std::fs::read_dir(log)
        .expect("logs")
        .map(|entry| entry.expect("entry").path())
        .find(|path| path.extension().is_some_and(|end| end == "log"))
        .expect("a log")
        .display()
        .to_string();
    let (code, stdout, stderr) = run(&["changes", "--log", &file]);
    assert_eq!(code, Some(1), "{stderr}");
    for words in [
        "realtime.example.com/A",
        "alias_target_not_in_zone",
        "invalid_desired:alias_on_ip",
        "3 times",
        "request ad25c29f-f714-4f0b-b493-c1353b78222c",
        "remove the annotation",
        "1 change, still refused at the end",
    ] {
        assert!(stdout.contains(words), "{words} in {stdout}");
    }
    let (code, stdout, _) = run(&["changes", "--log", &file, "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, json["format"].as_str()), (Some(1), Some("dns-drift-changes/1")));
    assert_eq!(json["refused"][0]["subject"], "realtime.example.com/A");
    assert_eq!(run(&["changes"]).0, Some(2));
    let (code, _, stderr) = run(&["changes", "--cloudtrail", "/nonexistent/events.json"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("read /nonexistent/events.json: "), "{stderr}");
    let dir = tempfile::tempdir().expect("folder");
    let (code, stdout, _) =
        run(&["changes", "--log", &crate::file(dir.path(), "level=info msg=\"hello\"\n")]);
    assert_eq!(code, Some(0));
    assert!(stdout.ends_with("1 lines\nno refused change\n"), "{stdout}");
}

fn scenario(id: &str) -> String {
    format!("{}/tests/scenarios/{id}", env!("CARGO_MANIFEST_DIR"))
}

/// The gate of an upgrade: what was there before it does not fail it.
#[test]
fn a_baseline() {
    let dir = tempfile::tempdir().expect("folder");
    let (code, before, _) = run(&["check", "--recording", &scenario("D001"), "-o", "json"]);
    assert_eq!(code, Some(1));
    let known = file(dir.path(), &before);
    let check = |id: &str, form: &str| {
        run(&["check", "--recording", &scenario(id), "--baseline", &known, "-o", form])
    };
    let (code, stdout, stderr) = check("D001", "table");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("Against the report of 2026-11-23T10:00:00Z: 1 known left out, 0 gone."),
        "{stdout}"
    );
    let (code, stdout, _) = check("D002", "json");
    let json: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        (code, &json["baseline"]["known"], &json["baseline"]["gone"]),
        (Some(1), &0.into(), &1.into())
    );
    let (code, _, stderr) = run(&["check", "--recording", &scenario("D001"), "--baseline", "/nonexistent"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("read the baseline /nonexistent: "), "{stderr}");
    let (code, _, stderr) =
        run(&["check", "--recording", &scenario("D001"), "--baseline", &file(dir.path(), "{}")]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("not a report; write one with `dns-drift check -o json`"), "{stderr}");
}

#[test]
fn every_form_has_the_same_exit_code() {
    for (form, start) in [
        ("wide", "\u{2500}"),
        ("json", "{\n  \"format\": \"dns-drift-report/1\""),
        ("yaml", "format: dns-drift-report/1\n"),
        ("junit", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites"),
        ("sarif", "{\n  \"$schema\""),
        ("markdown", "## dns-drift: 1 open finding\n"),
    ] {
        let (code, stdout, stderr) = run(&["check", "--recording", &scenario("D001"), "-o", form]);
        assert_eq!(code, Some(1), "{form}: {stderr}");
        assert!(stdout.starts_with(start), "{form}: {stdout}");
    }
}

/// What a recording does not say is as the user wants it; what it says stays in force.
#[test]
fn the_configuration_of_the_user_lies_under_that_of_a_recording() {
    let dir = tempfile::tempdir().expect("folder");
    let wanted = file(dir.path(), "runbook_base: https://runbooks.example.net/\n");
    let runbook = |recording: &str| {
        let (_, stdout, stderr) =
            run(&["check", "--recording", recording, "--config", &wanted, "-o", "json"]);
        let json: serde_json::Value = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stderr}"));
        json["findings"][0]["runbook"].as_str().unwrap_or_default().to_owned()
    };
    assert!(runbook(&scenario("D001")).starts_with("https://runbooks.example.net/"));
    let copy = dir.path().join("recording");
    std::fs::create_dir(&copy).expect("folder");
    for part in std::fs::read_dir(scenario("D001")).expect("a recording") {
        let part = part.expect("part");
        if part.path().is_dir() {
            std::os::unix::fs::symlink(part.path(), copy.join(part.file_name())).expect("linked");
        }
    }
    let index = std::fs::read_to_string(format!("{}/recording.yaml", scenario("D001"))).expect("index");
    let own = format!("{index}\nconfig:\n  runbook_base: https://recorded.example.net/\n");
    std::fs::write(copy.join("recording.yaml"), own).expect("written");
    let seen = runbook(&copy.display().to_string());
    assert!(seen.starts_with("https://recorded.example.net/"), "{seen}");
}

/// A real terminal, 80 columns wide, as `script` of every Debian makes one.
#[test]
fn colour_only_where_it_is_welcome() {
    let program = env!("CARGO_BIN_EXE_dns-drift");
    let line = format!("stty cols 80; {program} check --recording {}", scenario("D001"));
    let on_terminal = |no_colour: Option<&str>| {
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env_remove("NO_COLOR").stdin(std::process::Stdio::null());
        if let Some(word) = no_colour {
            command.env("NO_COLOR", word);
        }
        String::from_utf8(command.output().expect("script of bsdutils").stdout).expect("UTF-8")
    };
    let coloured = on_terminal(None);
    assert!(coloured.contains("\u{1b}["), "{coloured}");
    assert!(on_terminal(Some("")).contains("\u{1b}["), "an empty NO_COLOR says nothing");
    let plain = on_terminal(Some("1"));
    assert!(plain.contains("critical") && !plain.contains('\u{1b}'), "{plain}");
    let drawn = plain.lines().take_while(|line| !line.contains(" names: "));
    assert!(drawn.into_iter().all(|line| line.trim_end().chars().count() <= 80), "{plain}");
    let (_, piped, _) = run(&["check", "--recording", &scenario("D001")]);
    assert!(!piped.contains('\u{1b}'), "{piped}");
}

/// They work where nothing is configured yet, or wrongly.
#[test]
fn completions_and_manual_pages() {
    let dir = tempfile::tempdir().expect("folder");
    let bad = file(dir.path(), "routing: 5\n");
    for (shell, word) in [
        ("bash", "complete -F _dns__drift"),
        ("zsh", "#compdef dns-drift"),
        ("fish", "complete -c dns-drift"),
    ] {
        let (code, stdout, stderr) = run(&["completions", shell, "--config", &bad]);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.contains(word) && stdout.contains("what-if"), "{shell}: {stdout}");
    }
    let (code, stdout, _) = run(&["man", "--config", &bad]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains(".TH dns-drift 1"), "{stdout}");
    let pages = dir.path().display().to_string();
    assert_eq!(run(&["man", "--out", &pages]).0, Some(0));
    for page in ["dns-drift.1", "dns-drift-check.1", "dns-drift-what-if.1"] {
        assert!(dir.path().join(page).is_file(), "{page}");
    }
    let (code, _, stderr) = run(&["man", "--out", "/nonexistent"]);
    assert_eq!(code, Some(2));
    assert!(stderr.contains("write manual pages into /nonexistent: "), "{stderr}");
    let (code, stdout, _) = run(&["check", "--help"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("dns-drift check --baseline before.json"), "{stdout}");
}

//! `dns/observations.jsonl`: one answer of one server on each line.

use std::sync::Arc;

use std::path::Path;

use crate::model::observation::Observation;
use crate::recording::file;
use crate::snapshot::Problem;

/// File of the observations within a round.
pub const FILE: &str = "dns/observations.jsonl";

/// Bad lines that are named one by one; the rest is only counted.
const MAX_NAMED_LINES: usize = 20;

/// Reads the observations of a round; `None` if the round has no `dns` folder.
///
/// A bad line becomes a problem with its number, and the others count.
#[must_use]
pub fn read_dns(round: &Path) -> (Option<Vec<Arc<Observation>>>, Vec<Problem>) {
    if !round.join("dns").is_dir() {
        return (None, Vec::new());
    }
    let text = match file::text(&round.join(FILE)) {
        Ok(text) => text,
        Err(error) => return (None, vec![file::problem("all", &error)]),
    };
    let mut observations = Vec::new();
    let mut problems = Vec::new();
    let mut unnamed = 0_usize;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<Observation>(line) {
            Ok(observation) => observations.push(Arc::new(observation)),
            Err(error) if problems.len() < MAX_NAMED_LINES => {
                problems.push(file::parse_problem("all", &format!("{FILE} line {}: {error}", index + 1)));
            }
            Err(_) => unnamed += 1,
        }
    }
    if 0 < unnamed {
        problems.push(file::parse_problem("all", &format!("{FILE}: {unnamed} more bad lines")));
    }
    (Some(observations), problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_lines_are_named_and_the_others_count() {
        let dir = tempfile::tempdir().expect("folder");
        assert_eq!(read_dns(dir.path()), (None, Vec::new()), "not read");
        std::fs::create_dir(dir.path().join("dns")).expect("folder");
        assert_eq!(read_dns(dir.path()).1.len(), 1, "a folder without the file");
        let good = r#"{"at":"2026-11-23T10:00:00Z","vantage":"authoritative","view":"public","server":"ns-1.awsdns-01.com","zone_id":"Z1","transport":"udp","name":"App.example.com.","type":"A","outcome":"answer","rcode":"NOERROR","answers":[{"name":"app.example.com.","type":"A","ttl":300,"data":"203.0.113.10"}],"authority":[],"ad":false,"cd":false,"ede":{"code":9,"text":"no key"},"rtt_ms":3.1}"#;
        let mut text = format!("{good}\n\n{{\"at\":1}}\n{good}\n");
        text.push_str(&"x\n".repeat(100));
        std::fs::write(dir.path().join(FILE), text).expect("written");
        let (observations, problems) = read_dns(dir.path());
        let observations = observations.expect("read");
        assert_eq!(observations.len(), 2);
        assert_eq!(observations[0].name.as_str(), "app.example.com");
        assert_eq!(problems.len(), MAX_NAMED_LINES + 1);
        assert!(problems[0].message.contains("line 3"), "{}", problems[0].message);
        assert!(
            problems[MAX_NAMED_LINES].message.contains("81 more"),
            "{}",
            problems[MAX_NAMED_LINES].message
        );
    }
}

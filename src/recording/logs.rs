//! `external-dns/`: container logs and scrapes of its metrics.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::limits::MAX_LOG_LINE;
use crate::model::text::truncate;
use crate::recording::file;
use crate::snapshot::Problem;

/// Folder of logs and scrapes within a round.
pub const FOLDER: &str = "external-dns";

/// What is read of one log, from its end: ExternalDNS at debug level writes less in a day.
pub const MAX_LOG: u64 = 64 * 1024 * 1024;

/// The log of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Namespace of the pod.
    pub namespace: String,
    /// Pod.
    pub pod: String,
    /// Container.
    pub container: String,
    /// Lines in order, each perhaps with the RFC 3339 prefix of `kubectl logs --timestamps`.
    pub lines: Vec<String>,
}

/// One scrape of the metrics of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrape {
    /// Namespace of the pod.
    pub namespace: String,
    /// Pod.
    pub pod: String,
    /// Exposition text.
    pub text: String,
}

/// All that the folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logs {
    /// Container logs, sorted by file name.
    pub logs: Vec<LogFile>,
    /// Scrapes, sorted by file name.
    pub scrapes: Vec<Scrape>,
}

/// Reads logs and scrapes of a round; empty if the round has no such folder.
#[must_use]
pub fn read_logs(round: &Path) -> (Logs, Vec<Problem>) {
    let mut read = Logs::default();
    let mut problems = Vec::new();
    let paths = match file::files(&round.join(FOLDER), &["log", "prom"]) {
        Ok(paths) => paths.unwrap_or_default(),
        Err(error) => return (read, vec![file::problem("all", &error)]),
    };
    for path in paths {
        let name = file::name(&path);
        let added = match name.rsplit_once('.').unwrap_or_default() {
            (stem, "log") => match parts(stem) {
                Some([namespace, pod, container]) => log(&path, MAX_LOG).map(|(lines, skipped)| {
                    if 0 < skipped {
                        let text = format!("{}: the first {skipped} bytes were skipped", path.display());
                        problems.push(file::parse_problem("all", &text));
                    }
                    read.logs.push(LogFile { namespace, pod, container, lines });
                }),
                None => Err(not_named(name, "<namespace>__<pod>__<container>.log")),
            },
            (stem, _) => match parts(stem) {
                Some([namespace, pod]) => file::text(&path)
                    .map(|text| read.scrapes.push(Scrape { namespace, pod, text }))
                    .map_err(|error| file::problem("all", &error)),
                None => Err(not_named(name, "<namespace>__<pod>.prom")),
            },
        };
        problems.extend(added.err());
    }
    (read, problems)
}

/// The parts of a file name between double underscores, none of them empty.
fn parts<const N: usize>(stem: &str) -> Option<[String; N]> {
    let parts: Vec<String> = stem.split("__").map(str::to_owned).collect();
    parts.try_into().ok().filter(|parts: &[String; N]| parts.iter().all(|part| !part.is_empty()))
}

fn not_named(name: &str, form: &str) -> Problem {
    file::parse_problem("all", &format!("{FOLDER}/{name} is not named {form}"))
}

/// The last `max` bytes as lines, and how many bytes before them were skipped.
fn log(path: &Path, max: u64) -> Result<(Vec<String>, u64), Problem> {
    tail(path, max)
        .map_err(|source| file::problem("all", &file::FileError::Read { path: path.to_owned(), source }))
}

fn tail(path: &Path, max: u64) -> io::Result<(Vec<String>, u64)> {
    let mut log = File::open(path)?;
    let skipped = log.metadata()?.len().saturating_sub(max);
    log.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    log.take(max).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let cut_line = usize::from(0 < skipped);
    Ok((text.lines().skip(cut_line).map(|line| truncate(line, MAX_LOG_LINE)).collect(), skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_container_and_long_logs_lose_their_beginning() {
        let dir = tempfile::tempdir().expect("folder");
        assert_eq!(read_logs(dir.path()), (Logs::default(), Vec::new()));
        let folder = dir.path().join(FOLDER);
        std::fs::create_dir(&folder).expect("folder");
        std::fs::write(folder.join("ops__external-dns-1__main.log"), b"one\r\ntwo \xff\n").expect("written");
        std::fs::write(folder.join("ops__external-dns-1.prom"), "up 1\n").expect("written");
        std::fs::write(folder.join("nameless.log"), "x\n").expect("written");
        let (read, problems) = read_logs(dir.path());
        assert_eq!(read.logs.len(), 1);
        let log_file = &read.logs[0];
        assert_eq!(
            (log_file.namespace.as_str(), log_file.pod.as_str(), log_file.container.as_str()),
            ("ops", "external-dns-1", "main")
        );
        assert_eq!(log_file.lines, ["one", "two \u{fffd}"]);
        assert_eq!(read.scrapes[0].text, "up 1\n");
        assert!(problems.len() == 1 && problems[0].message.contains("nameless.log"), "{problems:?}");

        let path = folder.join("ops__external-dns-1__main.log");
        std::fs::write(&path, "first\nsecond\nthird\n").expect("written");
        let (lines, skipped) = log(&path, 10).expect("read");
        assert_eq!((lines, skipped), (vec!["third".to_owned()], 9));
    }
}

//! Reading logs and CloudTrail files for a diagnosis.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::changes::cloudtrail;
use crate::changes::log::{LogParser, startup};
use crate::diagnose::{Collector, Diagnosis, InputReport};
use crate::limits::{MAX_LOG_LINE, MAX_TRAIL_FILE};
use crate::model::change::FeedSource;
use crate::model::text::printable;

/// The name of standard input.
const STDIN: &str = "-";

/// What is to be read.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Logs of ExternalDNS; `-` is standard input.
    pub logs: Vec<PathBuf>,
    /// What `aws cloudtrail lookup-events` printed, or files of a trail.
    pub cloudtrail: Vec<PathBuf>,
}

/// Why a file cannot be diagnosed.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// It cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is larger than what is read at once.
    #[error("read {}: larger than {} MiB", path.display(), MAX_TRAIL_FILE / 1024 / 1024)]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
}

/// Reads everything and says what was refused. `now` dates lines that tell no time.
///
/// # Errors
///
/// When a file cannot be read; what cannot be understood is listed with its file.
pub fn read(inputs: &Inputs, now: Timestamp) -> Result<Diagnosis, InputError> {
    let mut collector = Collector::default();
    let mut reports = Vec::new();
    for path in &inputs.cloudtrail {
        reports.push(trail(path, &mut collector)?);
    }
    for path in &inputs.logs {
        reports.push(log(path, &mut collector, now)?);
    }
    Ok(collector.finish(reports))
}

fn trail(path: &Path, collector: &mut Collector) -> Result<InputReport, InputError> {
    let unreadable = |source| InputError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    open(path).map_err(unreadable)?.take(MAX_TRAIL_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_TRAIL_FILE {
        return Err(InputError::TooLarge { path: path.to_owned() });
    }
    let mut reading = cloudtrail::read(&text);
    cloudtrail::dedup(&mut reading.events);
    reading.events.sort_by_key(|event| event.at);
    reading.events.iter().for_each(|event| collector.take(event));
    Ok(InputReport {
        name: shown(path),
        records: Some(reading.events.len()),
        problems: reading.problems.iter().map(|problem| problem.message.clone()).collect(),
        ..InputReport::default()
    })
}

fn log(path: &Path, collector: &mut Collector, now: Timestamp) -> Result<InputReport, InputError> {
    let unreadable = |source| InputError::Read { path: path.to_owned(), source };
    let name: Arc<str> = shown(path).into();
    let source = FeedSource::Log { namespace: "".into(), pod: name, container: "".into() };
    let mut parser = LogParser::new(source, now);
    let mut report = InputReport { name: shown(path), ..InputReport::default() };
    let mut lines = open(path).map_err(unreadable)?;
    while let Some(line) = next_line(&mut lines).map_err(unreadable)? {
        let line = without_shipper(&line);
        if let Some(info) = startup(line) {
            report.version = info.version.or(report.version);
            collector.start_up(&info);
        }
        parser.push(line).iter().for_each(|event| collector.take(event));
    }
    parser.finish().iter().for_each(|event| collector.take(event));
    report.lines = Some(parser.counts().lines);
    Ok(report)
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path.as_os_str() == STDIN {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    Ok(Box::new(BufReader::new(File::open(path)?)))
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}

/// The next line; what exceeds [`MAX_LOG_LINE`] of it is dropped.
fn next_line(reader: &mut dyn BufRead) -> io::Result<Option<String>> {
    let mut line: Vec<u8> = Vec::new();
    let mut any = false;
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(any.then(|| String::from_utf8_lossy(&line).into_owned()));
        }
        any = true;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
        line.extend(part.iter().take(MAX_LOG_LINE.saturating_sub(line.len())));
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

/// `kubectl logs --prefix` and stern put the Pod's name before each line.
fn without_shipper(line: &str) -> &str {
    if let Some((_, rest)) = line.strip_prefix("[pod/").and_then(|rest| rest.split_once("] ")) {
        return rest;
    }
    if line.starts_with(['{', '2']) || line.starts_with("time=") || line.starts_with("level=") {
        return line;
    }
    let start = ["time=\"", "{\"level\":", "{\"msg\":"].iter().filter_map(|mark| line.find(mark)).min();
    start
        .filter(|start| *start <= 300 && line.get(..*start).is_some_and(|head| head.ends_with(' ')))
        .and_then(|start| line.get(start..))
        .unwrap_or(line)
}

/// The value of an option in the `config: {...}` line: Go's `%+v`, blank-separated.
pub(super) fn option<'a>(flags: &'a str, key: &str) -> Option<&'a str> {
    let mark = format!("{key}:");
    flags.trim_start_matches('{').split([' ', '}']).find_map(|word| word.strip_prefix(mark.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_log_shippers_are_cut_off() {
        let line = "time=\"2026-11-23T09:00:00Z\" level=info msg=x";
        assert_eq!(without_shipper(&format!("[pod/external-dns-1/external-dns] {line}")), line);
        assert_eq!(without_shipper(&format!("external-dns-1 external-dns {line}")), line);
        assert_eq!(without_shipper("external-dns-1 {\"level\":\"info\"}"), "{\"level\":\"info\"}");
        assert_eq!(without_shipper(line), line);
        assert_eq!(without_shipper("panic: x"), "panic: x");
    }

    #[test]
    fn options_of_the_config_line() {
        let flags = "{APIServerURL: TXTOwnerID:gke-prod TXTPrefix:edns- TXTSuffix: Interval:1m0s}";
        assert_eq!(option(flags, "TXTPrefix"), Some("edns-"));
        assert_eq!(option(flags, "TXTSuffix"), Some(""));
        assert_eq!(option(flags, "Prefix"), None);
    }

    #[test]
    fn long_lines_are_cut_and_the_next_one_is_whole() {
        let text = format!("{}\nnext\nlast", "x".repeat(MAX_LOG_LINE + 10));
        let mut reader = BufReader::with_capacity(100, text.as_bytes());
        let lens: Vec<usize> =
            std::iter::from_fn(|| next_line(&mut reader).unwrap()).map(|l| l.len()).collect();
        assert_eq!(lens, [MAX_LOG_LINE, 4, 4]);
    }
}

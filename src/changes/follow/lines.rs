//! Lines of bounded length, and which of them were handed on already.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use futures::{AsyncBufRead, AsyncBufReadExt};
use jiff::Timestamp;

use crate::limits::MAX_LOG_LINE;

/// Lines that are remembered: more than a reconnect replays, and more than the tail of a
/// container's last run.
const REMEMBERED: usize = 4_096;

/// Reads lines; what exceeds [`MAX_LOG_LINE`] is dropped.
pub(super) struct Lines<R> {
    reader: R,
}

/// The lines of a container that were handed on last.
///
/// A reconnect replays lines of a second, and several lines may carry the same time; so each line
/// counts with its text.
#[derive(Default)]
pub(super) struct Seen {
    order: VecDeque<u64>,
    hashes: HashSet<u64>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader }
    }

    /// The next line without its end; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        loop {
            let chunk = self.reader.fill_buf().await?;
            if chunk.is_empty() {
                return Ok((!line.is_empty()).then(|| text(&line)));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            let room = MAX_LOG_LINE.saturating_sub(line.len());
            line.extend(part.iter().take(room));
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume_unpin(used);
            if end.is_some() {
                return Ok(Some(text(&line)));
            }
        }
    }
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut text = String::from_utf8_lossy(line).into_owned();
    // A replaced byte takes three.
    let end = (0..=MAX_LOG_LINE.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

/// Takes the time off that the runtime puts in front of each line.
pub(super) fn split_time(line: &str) -> (Option<Timestamp>, &str) {
    let time = line.split_once(' ').and_then(|(time, text)| Some((time.parse().ok()?, text)));
    // An empty line is its time alone.
    let time = time.or_else(|| Some((line.parse().ok()?, "")));
    time.map_or((None, line), |(at, text)| (Some(at), text))
}

impl Seen {
    /// True the first time for a line with a time; always true for one without.
    pub(super) fn is_new(&mut self, at: Option<Timestamp>, text: &str) -> bool {
        let Some(at) = at else { return true };
        let mut hasher = DefaultHasher::new();
        (at, text).hash(&mut hasher);
        let hash = hasher.finish();
        if !self.hashes.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(futures::io::BufReader::with_capacity(7, bytes));
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.expect("read") {
            all.push(line);
        }
        all
    }

    #[tokio::test]
    async fn lines_of_any_kind() {
        assert_eq!(read(b"one\r\n\nthree is longer\nlast").await, ["one", "", "three is longer", "last"]);
        assert_eq!(read(b"").await, Vec::<String>::new());
        assert_eq!(read(b"\xff\n").await, ["\u{fffd}"]);
        let long = [vec![b'x'; MAX_LOG_LINE + 100], b"\nnext\n".to_vec()].concat();
        let lines = read(&long).await;
        assert_eq!((lines[0].len(), lines[1].as_str()), (MAX_LOG_LINE, "next"));
        let odd = read(&vec![0xff; MAX_LOG_LINE]).await;
        assert!(odd[0].len() <= MAX_LOG_LINE);
    }

    #[test]
    fn times() {
        let at = Some("2026-11-22T10:00:00.5Z".parse().expect("time"));
        assert_eq!(split_time("2026-11-22T10:00:00.5Z level=info x"), (at, "level=info x"));
        assert_eq!(split_time("2026-11-22T10:00:00.5Z"), (at, ""));
        assert_eq!(split_time("level=info x"), (None, "level=info x"));
    }

    #[test]
    fn each_line_once_and_memory_bounded() {
        let mut seen = Seen::default();
        let at = Some(Timestamp::UNIX_EPOCH);
        assert!(seen.is_new(at, "a") && seen.is_new(at, "b") && !seen.is_new(at, "a"));
        assert!(seen.is_new(None, "a") && seen.is_new(None, "a"));
        for index in 0..REMEMBERED * 2 {
            seen.is_new(at, &index.to_string());
        }
        assert_eq!((seen.order.len(), seen.hashes.len()), (REMEMBERED, REMEMBERED));
    }
}

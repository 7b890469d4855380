//! Which lines of a log are new.
//!
//! Two readers repeat themselves: a recording holds the end of the log at each round, and a
//! follower that reconnects asks from a whole second on (`sinceTime` has no fractions).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use crate::changes::framing;

/// Merges the tails of one log that were taken one after the other.
#[derive(Clone, Debug, Default)]
pub struct TailMerger {
    /// Digests of the lines of the last tail.
    previous: Vec<u64>,
    /// Time of the last line that told one.
    last_at: Option<Timestamp>,
}

/// Drops lines that a follower has seen before it reconnected.
#[derive(Clone, Debug, Default)]
pub struct SeenLines {
    /// Time of the latest line, as the kubelet prefixed it.
    last_at: Option<Timestamp>,
    /// Digests of the lines at that very time, and how often each stood there.
    at_last: BTreeMap<u64, usize>,
    /// What may come again; `None` when everything is new.
    replay: Option<Replay>,
}

#[derive(Clone, Debug)]
struct Replay {
    until: Timestamp,
    at_last: BTreeMap<u64, usize>,
}

// === impl TailMerger ===

impl TailMerger {
    /// Takes the next tail and gives its lines that no earlier tail held.
    ///
    /// The overlap is the longest end of the last tail that the new one begins with, so a line
    /// may stand twice in one tail. Without any overlap (the log was rotated, or belongs to the
    /// next container) the lines after the last known time are new; without times, all.
    pub fn advance<'a>(&mut self, tail: &'a str) -> Vec<&'a str> {
        let lines: Vec<&str> = tail.lines().collect();
        let digests: Vec<u64> = lines.iter().map(|line| digest(line)).collect();
        let seen = overlap(&self.previous, &digests);
        let fresh: Vec<&str> = match seen {
            _ if self.previous.is_empty() => lines,
            0 => self.after_cut(&lines, &digests),
            seen => lines.into_iter().skip(seen).collect(),
        };
        let newest = fresh.iter().rev().find_map(|line| framing::read(line).at);
        self.last_at = self.last_at.max(newest);
        if !digests.is_empty() {
            self.previous = digests;
        }
        fresh
    }

    /// A tail of so many bytes begins in the middle of a line.
    fn after_cut<'a>(&self, lines: &[&'a str], digests: &[u64]) -> Vec<&'a str> {
        let seen = overlap(&self.previous, digests.get(1..).unwrap_or_default());
        if 0 < seen {
            return lines.iter().skip(1 + seen).copied().collect();
        }
        let Some(last_at) = self.last_at else {
            return lines.to_vec();
        };
        let mut at = None;
        let is_late = |line: &&&str| {
            at = framing::read(line).at.or(at);
            // A line before the first time is kept: nothing says that it is old.
            at.is_none_or(|at| last_at < at)
        };
        lines.iter().filter(is_late).copied().collect()
    }
}

/// Length of the longest end of `old` that `new` begins with (Knuth, Morris, Pratt).
fn overlap(old: &[u64], new: &[u64]) -> usize {
    let old = old.get(old.len().saturating_sub(new.len())..).unwrap_or_default();
    let mut borders = vec![0_usize; new.len()];
    for index in 1..new.len() {
        let before = borders.get(index - 1).copied().unwrap_or(0);
        let border = extend(new, &borders, before, new.get(index));
        if let Some(slot) = borders.get_mut(index) {
            *slot = border;
        }
    }
    old.iter().fold(0, |matched, digest| extend(new, &borders, matched, Some(digest)))
}

/// One step: the longest beginning of `new` that ends with `next`.
fn extend(new: &[u64], borders: &[usize], mut matched: usize, next: Option<&u64>) -> usize {
    while 0 < matched && (new.get(matched) != next || new.len() <= matched) {
        matched = borders.get(matched - 1).copied().unwrap_or(0);
    }
    if matched < new.len() && new.get(matched) == next { matched + 1 } else { matched }
}

// === impl SeenLines ===

impl SeenLines {
    /// Says that the stream is opened (again), so that the next lines may be old ones.
    pub fn reconnect(&mut self) {
        self.replay = self.last_at.map(|until| Replay { until, at_last: self.at_last.clone() });
    }

    /// Where to resume: the `sinceTime` of the next connection; `None` before the first line.
    #[must_use]
    pub fn resume_at(&self) -> Option<Timestamp> {
        self.last_at
    }

    /// True for a line that has not been seen. The line carries the prefix of `timestamps=true`;
    /// one without it is always new.
    pub fn is_new(&mut self, line: &str) -> bool {
        let (Some(at), body) = framing::split_prefix(line) else {
            return true;
        };
        let digest = digest(body);
        if let Some(replay) = &mut self.replay {
            if at < replay.until {
                return false;
            }
            if replay.until < at {
                self.replay = None;
            } else if let Some(count) = replay.at_last.get_mut(&digest).filter(|count| 0 < **count) {
                *count -= 1;
                return false;
            }
        }
        self.remember(at, digest);
        true
    }

    fn remember(&mut self, at: Timestamp, digest: u64) {
        // The two output streams of a container may arrive slightly out of order.
        if self.last_at.is_some_and(|last| at < last) {
            return;
        }
        if self.last_at != Some(at) {
            self.last_at = Some(at);
            self.at_last.clear();
        }
        let count = self.at_last.entry(digest).or_default();
        *count = count.saturating_add(1);
    }
}

fn digest(line: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    line.trim_end_matches(['\r', '\n']).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dated(second: u8, text: &str) -> String {
        format!("time=\"2026-11-23T09:00:{second:02}Z\" level=info msg={text}")
    }

    #[test]
    fn tails() {
        let check = |old: &[&str], new: &[&str], expected: &[&str]| {
            let (old, new) = (old.join("\n"), new.join("\n"));
            let mut merger = TailMerger::default();
            merger.advance(&old);
            assert_eq!(merger.advance(&new), expected, "{old} -> {new}");
        };
        check(&[], &["a", "b"], &["a", "b"]);
        check(&["a", "b"], &["a", "b"], &[]);
        check(&["a", "b"], &["a", "b", "c"], &["c"]);
        check(&["a", "b", "c"], &["b", "c", "d"], &["d"]);
        check(&["a", "a"], &["a", "a", "a"], &["a"]);
        check(&["a", "b", "a", "b"], &["b", "a", "b", "a"], &["a"]);
        check(&["a"], &["x", "y"], &["x", "y"]);
        // A tail of so many bytes.
        check(&["aaa", "bbb"], &["a", "bbb", "c"], &["c"]);
        // Another container: only what is later.
        let (first, second, third) = (dated(1, "x"), dated(2, "y"), dated(3, "z"));
        check(&[&first, &second], &[&dated(2, "new"), &third, "undated"], &[&third, "undated"]);
        check(&["a", "b"], &[], &[]);
    }

    #[test]
    fn an_empty_tail_forgets_nothing() {
        let mut merger = TailMerger::default();
        assert_eq!(merger.advance("a\nb").len(), 2);
        assert!(merger.advance("").is_empty());
        assert_eq!(merger.advance("b\nc"), ["c"]);
    }

    #[test]
    fn reconnecting() {
        let line = |fraction: &str, text: &str| format!("2026-11-23T09:00:01.{fraction}Z {text}");
        let mut seen = SeenLines::default();
        seen.reconnect();
        for (fraction, text) in [("1", "a"), ("2", "b"), ("2", "b"), ("2", "c")] {
            assert!(seen.is_new(&line(fraction, text)), "{text}");
        }
        assert_eq!(seen.resume_at(), Some("2026-11-23T09:00:01.2Z".parse().unwrap()));
        seen.reconnect();
        let again = [
            ("1", "a", false),
            ("2", "b", false),
            ("2", "b", false),
            ("2", "c", false),
            ("2", "b", true),
            ("2", "d", true),
            ("3", "a", true),
            ("3", "a", true),
        ];
        for (fraction, text, expected) in again {
            assert_eq!(seen.is_new(&line(fraction, text)), expected, "{fraction} {text}");
        }
        assert!(seen.is_new("no prefix"));
        seen.reconnect();
        assert!(!seen.is_new(&line("2", "d")));
        assert!(!seen.is_new(&line("3", "a")));
    }

    proptest! {
        /// Any two windows of one log that touch each other give each line once.
        #[test]
        fn windows_of_one_log(len in 1_usize..40, cut in 0_usize..40, grow in 0_usize..40) {
            let log: Vec<String> = (0..len + grow).map(|index| format!("line {index}")).collect();
            let cut = cut.min(len - 1);
            let mut merger = TailMerger::default();
            merger.advance(&log[..len].join("\n"));
            let window = log[cut..].join("\n");
            prop_assert_eq!(merger.advance(&window), &log[len..]);
        }

        #[test]
        fn overlap_is_the_longest(old in prop::collection::vec(0_u64..3, 0..12), new in prop::collection::vec(0_u64..3, 0..12)) {
            let naive = (0..=old.len().min(new.len())).rev().find(|len| old.ends_with(&new[..*len]));
            prop_assert_eq!(overlap(&old, &new), naive.unwrap());
        }
    }
}

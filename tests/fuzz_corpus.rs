//! Each fuzz target over its committed corpus, in the ordinary build.
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

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[path = "../fuzz/src/lib.rs"]
mod targets;

/// Changed forms of each input; libFuzzer tries millions.
const CHANGED: usize = 60;

/// A few bytes replaced, doubled or taken away, always in the same way.
fn changed(input: &[u8], random: &mut StdRng) -> Vec<u8> {
    const TELLING: &[u8] = b"\0\n\t \\\"'[]{}(),:=.*-/%\x7f\xff\xc3";
    let mut bytes = input.to_vec();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        let end = bytes.len().min(at + random.random_range(0..20));
        match random.random_range(0..3) {
            0 => bytes.insert(at, TELLING[random.random_range(0..TELLING.len())]),
            1 => drop(bytes.drain(at..end)),
            _ => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

#[test]
fn every_target_takes_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let files = std::fs::read_dir(corpus.join(name)).expect(name);
        let inputs: Vec<Vec<u8>> =
            files.map(|file| std::fs::read(file.expect(name).path()).expect(name)).collect();
        assert!(!inputs.is_empty(), "{name} has no corpus");
        let mut random = StdRng::seed_from_u64(1);
        for input in &inputs {
            target(input);
            // Cut anywhere: what a broken connection leaves behind.
            for end in (0..input.len()).step_by(37) {
                target(&input[..end]);
            }
            for _ in 0..CHANGED {
                target(&changed(input, &mut random));
            }
        }
        target(&[]);
        target(&[0xff; 64]);
    }
}

#[test]
fn every_target_has_a_program() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    for (name, _) in targets::TARGETS {
        assert!(programs.join(format!("{name}.rs")).is_file(), "{name}");
    }
    assert_eq!(std::fs::read_dir(programs).expect("a folder").count(), targets::TARGETS.len());
}

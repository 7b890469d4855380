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

#[path = "../fuzz/src/lib.rs"]
mod targets;

#[test]
fn every_target_takes_its_corpus() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let files = std::fs::read_dir(corpus.join(name)).expect(name);
        let inputs: Vec<Vec<u8>> =
            files.map(|file| std::fs::read(file.expect(name).path()).expect(name)).collect();
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in &inputs {
            target(input);
            // Cut anywhere: what a broken connection leaves behind.
            for end in (0..input.len()).step_by(37) {
                target(&input[..end]);
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

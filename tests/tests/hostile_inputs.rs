//! What fuzzing has found or covered stays tried: every input of `fuzz/corpus/` once more, without a fuzzer.

#[path = "../../fuzz/src/lib.rs"]
mod hostile;

use std::path::{Path, PathBuf};

/// Every file of one corpus, sorted.
fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name);
    let entries = std::fs::read_dir(&folder).expect("the corpora are in the repository");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("a readable folder").path()).collect();
    files.sort();
    assert!(files.len() > 10, "{name}: the corpus has only {} inputs", files.len());
    files
}

fn replay(name: &str, run: fn(&[u8])) {
    for file in corpus(name) {
        let input = std::fs::read(&file).expect("a readable input");
        let outcome = std::panic::catch_unwind(|| run(&input));
        assert!(outcome.is_ok(), "{} makes the host panic", file.display());
    }
}

#[test]
fn frames() {
    replay("frames", hostile::frames::run);
}

#[test]
fn replies() {
    replay("replies", hostile::replies::run);
}

#[test]
fn manifests() {
    replay("manifests", hostile::manifests::run);
}

#[test]
fn images() {
    replay("images", hostile::images::run);
}

//! Builds and finds the libraries of `examples/`, for tests and benches alike.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The example library of this name, in the profile of the running binary.
///
/// `cargo test` builds it beforehand; `cargo test --test` and `cargo bench` do not, so it is built here when it is
/// missing or older than its sources.
pub fn example(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a running test has an executable");
    // target/[triple/]PROFILE/deps/binary
    let profile = exe.ancestors().nth(2).expect("target/profile/deps/binary");
    let library = profile.join("examples").join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"));
    if !is_fresh(&library) {
        build(name, profile.parent().expect("target/profile"));
    }
    library
}

/// Whether the library is newer than each file that cargo's list beside it names.
fn is_fresh(library: &Path) -> bool {
    let modified = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let list = std::fs::read_to_string(library.with_extension("d")).unwrap_or_default();
    let Some((_, sources)) = list.split_once(": ") else { return false };
    let Some(built) = modified(library) else { return false };
    sources.split_whitespace().all(|source| modified(Path::new(source)).is_some_and(|at| at <= built))
}

fn build(name: &str, target: &Path) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--offline", "-p", "adeval-sdk", "--example", name]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    cargo.arg("--target-dir").arg(target);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

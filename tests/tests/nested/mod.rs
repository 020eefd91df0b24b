//! Cargo, run by a test on a project outside the workspace.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(1).expect("the tests are in a folder").to_owned()
}

/// Where nested projects are built: one folder for all, so that the sdk's dependencies are compiled once.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("nested")
}

/// Runs cargo in a folder, without a network: the crates are those that the workspace's own build has fetched.
///
/// # Panics
/// When it fails, with what it said.
#[track_caller]
pub fn cargo(folder: &Path, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TERM_COLOR", "never")
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("cargo can be started");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(status.success(), "cargo {arguments:?} in {}: {stderr}\n{stdout}", folder.display());
    stdout
}

/// The library of a crate after a release build.
///
/// # Panics
/// When it was not built.
#[track_caller]
pub fn library(name: &str) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let file = format!("{DLL_PREFIX}{}{DLL_SUFFIX}", name.replace('-', "_"));
    let path = target().join("release").join(file);
    assert!(path.is_file(), "{} was not built", path.display());
    path
}

//! Builds and finds the libraries of `examples/`, for tests and benches alike.

use std::path::PathBuf;
use std::process::Command;

/// The example library of this name, built in the profile of the running binary.
pub fn example(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("a running test has an executable");
    // target/[triple/]PROFILE/deps/binary
    let profile = exe.ancestors().nth(2).expect("target/profile/deps/binary");
    let target = profile.parent().expect("target/profile");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--offline", "--message-format", "json"]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--example", name]);
    cargo.arg("--target-dir").arg(target);
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["filenames"][0].as_str().map(PathBuf::from))
        .expect("cargo names the library that it built")
}

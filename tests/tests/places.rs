//! Places that cannot be written: a full disk, no permission, a file in the way. What was computed is kept.

use adeval_tests::{Ended, Program, Room, Suite, built};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

fn suite(name: &str) -> Suite {
    Suite::new(name).entry("e", "well-behaved", "").entry("f", "well-behaved", "red = 10")
}

/// Says that a test could not be made, on the real stderr, past the capture of the tests' output.
fn skipped(test: &str, why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

/// Runs a script of the shell in a room: `$1` is the program and `$2` a suite.
fn script(room: &Room, shell: &[&str], text: &str, suite: &Path) -> Ended {
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg("-c").arg(text).arg("sh");
    Program::of(command, &room.path(""), &room.plugin_path()).arg(built::program()).arg(suite).run()
}

fn number(room: &Room, file: &str) -> u64 {
    let text = fs::read_to_string(room.path(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
    text.trim().parse().unwrap_or_else(|e| panic!("{file}: {text:?}: {e}"))
}

/// A disk of 64 KiB, which is filled and then grows.
const FULL_DISK: &str = r#"
mkdir disk && mount -t tmpfs -o size=64k none "$PWD/disk" || exit 77
"$1" bench --runs disk/runs "$2" >first.out 2>first.err; echo $? >first.code
cat disk/runs/*/records.jsonl | wc -l >first.results
mount -o remount,size=16m "$PWD/disk" || exit 77
"$1" --json bench --runs disk/runs "$2" >second.out 2>second.err; echo $? >second.code
cp -r disk/runs kept
"#;

#[test]
fn a_full_disk_is_told_and_the_bench_goes_on_when_there_is_space() {
    let (room, file) = Room::with_suite(12, &suite("full"));
    let namespace = ["unshare", "--user", "--map-root-user", "--mount", "sh"];
    if !Command::new("unshare").args(["--user", "--mount", "true"]).status().is_ok_and(|s| s.success()) {
        return skipped(
            "a_full_disk",
            "this machine lets nobody mount a small disk (unshare --user --mount)",
        );
    }
    let ended = script(&room, &namespace, FULL_DISK, &file);
    if ended.code == Some(77) {
        return skipped("a_full_disk", &format!("no small disk can be mounted: {}", ended.stderr));
    }
    let told = fs::read_to_string(room.path("first.err")).unwrap();
    assert_eq!(number(&room, "first.code"), 1, "{told}");
    assert_eq!(told.lines().filter(|line| line.contains("error: ")).count(), 1, "one message: {told}");
    for word in ["error: ", "the disk is full", "what was computed before is kept"] {
        assert!(told.contains(word), "{word:?}: {told}");
    }
    let kept = number(&room, "first.results");
    assert!(kept > 0, "the first results fit");

    assert_eq!(number(&room, "second.code"), 0, "{:?}", fs::read_to_string(room.path("second.err")));
    let second: serde_json::Value =
        serde_json::from_slice(&fs::read(room.path("second.out")).unwrap()).unwrap();
    room.adeval("bench --runs undisturbed").arg(&file).run().done();
    let (run, whole) = (room.run_in("kept"), room.run_in("undisturbed"));
    assert_eq!(run.board_bytes(), whole.board_bytes());
    assert_eq!(run.images(), whole.images());
    assert!(
        second["computed"].as_u64().is_some_and(|n| n as usize + kept as usize <= whole.results() + 2),
        "{second}"
    );
}

/// The same where nobody may mount: no file may grow above some KiB.
#[test]
fn a_file_that_may_not_grow_is_named_and_the_bench_goes_on_without_the_limit() {
    let (room, file) = Room::with_suite(6, &suite("limited"));
    let text = r#"trap "" XFSZ; ulimit -f 8; exec "$1" bench --in-process "$2""#;
    let ended = script(&room, &["bash"], text, &file);
    ended.refused(1, &["cannot be written", "what was computed before is kept"]);
    let kept = room.run_in("runs").results();
    assert!(kept > 0, "the first results fit");
    room.adeval("bench --in-process").arg(&file).run().done();
    room.adeval("bench --in-process --runs undisturbed").arg(&file).run().done();
    assert_eq!(room.run_in("runs").board_bytes(), room.run_in("undisturbed").board_bytes());
}

#[test]
fn a_runs_folder_without_permission_is_named_with_the_mend() {
    let (room, file) = Room::with_suite(2, &suite("forbidden"));
    room.adeval("bench").arg(&file).run().done();
    let (run, runs) = (room.run_in("runs"), room.path("runs"));
    let board = run.board_bytes();
    // The superuser may write anywhere, except in a namespace where they are nobody.
    let shell: &[&str] =
        if rustix::process::geteuid().is_root() { &["unshare", "--user", "sh"] } else { &["sh"] };
    if !Command::new(shell[0]).args(&shell[1..]).args(["-c", "true"]).status().is_ok_and(|s| s.success()) {
        return skipped("a_runs_folder_without_permission", "the superuser cannot become nobody here");
    }
    let mode = |mode| fs::set_permissions(&runs, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let other = room.suite(&suite("other"));
    let ended = script(&room, shell, r#"exec "$1" bench "$2""#, &other);
    mode(0o755);
    ended.refused(1, &["runs/other-", "no permission", "--runs"]);
    assert_eq!(run.board_bytes(), board, "the earlier run is as it was");
}

#[test]
fn a_file_in_place_of_the_runs_folder_is_named() {
    let (room, file) = Room::with_suite(1, &suite("blocked"));
    room.write("runs", "a file");
    room.adeval("bench").arg(&file).run().refused(1, &["runs/blocked-", "cannot be written"]);
    assert_eq!(fs::read_to_string(room.path("runs")).unwrap(), "a file");
}

#[test]
fn a_stdout_that_is_full_is_told_and_one_that_is_closed_is_not() {
    let (room, file) = Room::with_suite(1, &suite("stdout"));
    let full = script(&room, &["sh"], r#"exec "$1" plugin list >/dev/full"#, &file);
    full.refused(1, &["stdout cannot be written", "No space left"]);
    let closed = script(&room, &["bash"], r#"set -o pipefail; "$1" plugin list | true"#, &file);
    assert!(closed.done().stderr.is_empty());
}

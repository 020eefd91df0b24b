//! `adeval snapshot`: accept, test, change, see, accept again.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Room, Suite};
use std::path::{Path, PathBuf};

fn suite(colour: &str) -> Suite {
    Suite::new("shop").entry("a", "well-behaved", colour).entry("b", "well-behaved", "red = 30")
}

/// A suite with an accepted snapshot of two of its three products.
fn accepted() -> (Room, PathBuf) {
    let (room, file) = Room::with_suite(3, &suite("red = 90"));
    room.adeval("snapshot accept --products 2").arg(&file).run().done();
    (room, file)
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

#[test]
fn a_changed_parameter_fails_with_a_picture_until_it_is_accepted() {
    let (room, file) = accepted();
    let (kept, new) = (room.path("shop.snapshots"), room.path("shop.snapshots.new"));
    assert_eq!(names(&kept), ["images", "manifest.json", "metrics.json", "prompts.json"]);
    assert_eq!(names(&kept.join("images/a")), ["p0-0.png", "p1-0.png"]);
    assert!(!new.exists(), "what was accepted needs no report");
    let same = room.adeval("snapshot test").arg(&file).run();
    assert!(same.stdout.contains("Everything is as it was accepted"), "{same:?}");
    same.done();

    room.suite(&suite("red = 160"));
    let ended = room.adeval("snapshot test").arg(&file).run().with_code(3);
    for wanted in
        ["pixels a/p0/0", "window_share: 64 of 64", "would have passed with", "old | new | difference"]
    {
        assert!(ended.stdout.contains(wanted), "{wanted}: {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("pixels b/"), "{}", ended.stdout);
    assert_eq!(names(&new.join("differences")), ["a-p0-0.png", "a-p1-0.png"]);
    let report = room.adeval("--json snapshot test").arg(&file).run().with_code(3).json();
    let layers: Vec<&str> =
        report["differences"].as_array().unwrap().iter().map(|d| d["layer"].as_str().unwrap()).collect();
    assert_eq!(layers[..2], ["pixels", "pixels"]);
    assert!(layers.contains(&"metrics") && !layers.contains(&"prompts"), "{layers:?}");
    assert_eq!(report["checked"]["pixels"], 4);

    room.adeval("snapshot accept").arg(&file).run().done();
    room.adeval("snapshot test").arg(&file).run().done();
    assert_eq!(names(&kept.join("images/a")).len(), 2, "as many products as before");
}

#[test]
fn tolerances_are_of_the_platform_and_in_one_file() {
    let (room, file) = accepted();
    room.suite(&suite("red = 98"));
    let ended = room.adeval("snapshot test").arg(&file).run().with_code(3);
    assert!(ended.stdout.contains("window_shift"), "{}", ended.stdout);
    let arch = std::env::consts::ARCH;
    let loose =
        format!("[platform.{arch}]\npixels = {{ window_shift = 0.5 }}\nmetrics = {{ relative = 1 }}\n");
    room.write("snapshot-tolerances.toml", loose);
    let ended = room.adeval("snapshot test").arg(&file).run();
    assert!(ended.stdout.contains("snapshot-tolerances.toml"), "{ended:?}");
    ended.done();
    room.write("snapshot-tolerances.toml", "[platform.other]\npixels = { pixle = 1 }\n");
    let refused = room.adeval("snapshot test").arg(&file).run();
    assert!(refused.stderr.contains("platform.other") && refused.stderr.contains("pixle"), "{refused:?}");
    assert_eq!(refused.code, Some(1));
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    let (room, file) = Room::with_suite(2, &suite("red = 90"));
    room.adeval("snapshot test")
        .arg(&file)
        .run()
        .refused(1, &["no snapshot of this suite yet", "snapshot accept"]);
    room.adeval("snapshot review").arg(&file).run().refused(1, &["this is no terminal", "snapshot accept"]);
    room.adeval("snapshot accept --products 0").arg(&file).run().with_code(2).speaks_plainly();
}

#[test]
fn a_folder_of_the_users_is_not_swept() {
    let (room, file) = accepted();
    room.write("mine/notes.txt", "keep");
    room.adeval("snapshot test --out mine").arg(&file).run().done();
    room.adeval("snapshot accept --out mine").arg(&file).run().done();
    assert_eq!(names(&room.path("mine")), ["notes.txt"]);
    room.write("mine/differences/own.png", "keep");
    room.adeval("snapshot accept --all --out mine").arg(&file).run().done();
    assert_eq!(names(&room.path("mine")), ["differences", "notes.txt"]);
}

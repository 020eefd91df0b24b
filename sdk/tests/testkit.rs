//! `assert_creative_snapshot!` as a plugin's tests use it. Each assertion runs in a process of its own, since insta reads
//! its settings from the environment once.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_sdk::testkit::{Tolerance, insta, machine_class};
use adeval_sdk::{Image, assert_creative_snapshot};
use std::path::Path;
use std::process::Command;

/// A disc on a backdrop of a grey level.
fn creative(level: u8) -> Image {
    let pixel = |x: u32, y: u32| {
        let inside = (f64::from(x) - 31.5).hypot(f64::from(y) - 31.5) < 18.0;
        if inside { image::Rgb([180, 60, 40]) } else { image::Rgb([level; 3]) }
    };
    image::RgbImage::from_fn(64, 64, pixel).into()
}

/// A test of a plugin.
#[test]
#[ignore = "the tests below run it with an environment"]
fn plugin() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(variable("TESTKIT_FOLDER"));
    settings.set_prepend_module_to_snapshot(false);
    let _guard = settings.bind_to_scope();
    let creative = creative(variable("TESTKIT_LEVEL").parse().unwrap());
    match variable("TESTKIT_FORM").as_str() {
        "unnamed" => assert_creative_snapshot!(creative),
        "loose" => {
            let tolerance = Tolerance { window_shift: 1.0, window_share: 1.0, ..Tolerance::default() };
            assert_creative_snapshot!("v1.5 flat", creative, tolerance);
        }
        _ => assert_creative_snapshot!("v1.5 flat", &creative),
    }
}

/// Whether the plugin's test passes, and what it prints.
fn run(folder: &Path, level: u8, form: &str) -> (bool, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["plugin", "--exact", "--ignored", "--nocapture"])
        .env("TESTKIT_FOLDER", folder)
        .env("TESTKIT_LEVEL", level.to_string())
        .env("TESTKIT_FORM", form)
        .env("ADEVAL_EVIDENCE_DIR", folder.join("evidence"))
        .env("INSTA_UPDATE", "new")
        .env("INSTA_FORCE_PASS", "0")
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

fn files(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

/// Accepts a pending snapshot as `cargo insta accept` does, by insta's own reading and writing.
fn accept(folder: &Path, name: &str) {
    let pending = folder.join(format!("{name}.snap.new"));
    insta::Snapshot::from_file(&pending).unwrap().save(&folder.join(format!("{name}.snap"))).unwrap();
    std::fs::remove_file(folder.join(format!("{name}.snap.new.png"))).unwrap();
    std::fs::remove_file(pending).unwrap();
}

#[test]
fn a_snapshot_is_pending_until_accepted_and_then_passes_within_the_tolerance() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (passes, _) = run(folder, 120, "named");
    assert!(!passes, "nothing was accepted yet");
    assert_eq!(files(folder), ["v1_5 flat.snap.new", "v1_5 flat.snap.new.png"]);
    accept(folder, "v1_5 flat");
    let text = std::fs::read_to_string(folder.join("v1_5 flat.snap")).unwrap();
    assert!(text.contains(&machine_class()) && text.contains("extension: png"), "{text}");

    for level in [120, 121] {
        let (passes, printed) = run(folder, level, "named");
        assert!(passes, "{level}: {printed}");
    }
    assert_eq!(files(folder), ["v1_5 flat.snap", "v1_5 flat.snap.png"], "a pass leaves nothing behind");

    let (passes, printed) = run(folder, 170, "named");
    assert!(!passes);
    for wanted in
        ["window_share: 64 of 64", "threshold sweep", "would have passed with", "mean FLIP", "made on"]
    {
        assert!(printed.contains(wanted), "{wanted}: {printed}");
    }
    assert!(files(folder).contains(&"v1_5 flat.snap.new.png".to_owned()));
    let evidence = folder.join("evidence");
    let picture = image::open(evidence.join(&files(&evidence)[0])).unwrap();
    assert_eq!(picture.width(), 3 * 64 + 4 * 8, "old, new and difference side by side");
    accept(folder, "v1_5 flat");
    assert!(run(folder, 170, "named").0, "what was accepted is the snapshot now");
}

#[test]
fn a_test_may_have_limits_of_its_own_and_no_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(folder, 120, "named");
    accept(folder, "v1_5 flat");
    assert!(run(folder, 170, "loose").0);
    assert!(!run(folder, 120, "unnamed").0);
    assert!(files(folder).contains(&"plugin.snap.new.png".to_owned()), "{:?}", files(folder));
}

#[test]
fn a_damaged_baseline_fails_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(folder, 120, "named");
    accept(folder, "v1_5 flat");
    std::fs::write(folder.join("v1_5 flat.snap.png"), b"not a picture").unwrap();
    let (passes, printed) = run(folder, 120, "named");
    assert!(
        !passes && printed.contains("the accepted snapshot cannot be compared: it is no PNG"),
        "{printed}"
    );
    std::fs::remove_file(folder.join("v1_5 flat.snap.png")).unwrap();
    assert!(!run(folder, 120, "named").0);
}

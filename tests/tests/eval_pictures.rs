//! `adeval eval fid` and `features`: from folders of pictures to distances, and what is said of sets that do not fit.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::Room;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Reference scenes of the default suite, which are renders.
fn scenes(room: &Room, folder: &str, range: std::ops::Range<usize>) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/reference/images");
    let mut files: Vec<PathBuf> = std::fs::read_dir(source).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let folder = room.path(folder);
    std::fs::create_dir_all(&folder).unwrap();
    for (at, file) in files[range].iter().enumerate() {
        let name = format!("scene{}-{}.jpg", at / 2, at % 2);
        let extension = file.extension().unwrap().to_str().unwrap();
        std::fs::copy(file, folder.join(name).with_extension(extension)).unwrap();
    }
}

fn room() -> Room {
    let room = Room::with_plugins(&["efficientnet_embedder"]);
    scenes(&room, "ours", 0..12);
    scenes(&room, "theirs", 12..26);
    room
}

fn json(room: &Room, command: &str) -> Value {
    room.adeval(&format!("--json {command}")).run().done().json()
}

#[test]
fn folders_and_files_of_features_give_the_same_numbers() {
    let room = room();
    let folders = json(&room, "eval fid ours theirs");
    assert_eq!(folders["frechet_name"], "FD-EfficientNet-Lite0");
    assert_eq!(folders["sample"]["images"], 12);
    assert!(folders["frechet"]["value"].as_f64().unwrap() > 1.0);
    for number in ["frechet", "kernel", "cmmd"] {
        let (low, high) = (&folders[number]["low"], &folders[number]["high"]);
        assert!(low.as_f64().unwrap() <= high.as_f64().unwrap(), "{number}: {low} {high}");
    }
    for (folder, images, cached) in [("ours", 12, 12), ("theirs", 14, 14)] {
        let made = json(&room, &format!("eval features {folder} --out {folder}.safetensors"));
        assert_eq!((&made["images"], &made["dimension"]), (&images.into(), &1280.into()));
        // The comparison above has left them in the cache.
        assert_eq!(made["cached"], cached);
    }
    let files = json(&room, "eval fid ours.safetensors theirs.safetensors");
    for number in ["frechet", "kernel", "cmmd", "neighbours_3", "neighbours_5"] {
        assert_eq!(files[number], folders[number], "{number}");
    }
    let grouped = json(&room, "eval fid ours theirs --group-by name");
    assert_eq!((&grouped["sample"]["products"], &grouped["frechet"]["n"]), (&6.into(), &6.into()));
    assert_eq!(grouped["frechet"]["value"], folders["frechet"]["value"]);
}

#[test]
fn a_set_is_at_no_distance_from_itself() {
    let room = room();
    let same = json(&room, "eval fid ours ours --no-cache");
    assert!(same["frechet"]["value"].as_f64().unwrap().abs() < 1e-6, "{}", same["frechet"]);
    for part in ["precision", "recall", "coverage"] {
        assert_eq!(same["neighbours_3"][part]["value"], 1.0, "{part}");
    }
    assert!(same["notes"][0].as_str().unwrap().contains("12 images are fewer than the 1280 features"));
}

#[test]
fn what_does_not_fit_is_refused_and_what_cannot_be_read_is_left_out_by_name() {
    let room = room();
    let fails = |command: &str, words: &[&str]| {
        room.adeval(command).run().refused(1, words);
    };
    fails("eval fid none theirs", &["none does not exist", "adeval eval features"]);
    std::fs::create_dir(room.path("empty")).unwrap();
    fails("eval fid empty theirs", &["empty holds no PNG, JPEG or WebP pictures"]);
    scenes(&room, "one", 0..1);
    fails("eval fid one theirs", &["needs at least 2 items, but there are 1"]);
    fails("eval fid ours theirs --embedder nobody", &["nobody", "embedder"]);
    fails("eval fid ours theirs --level 95", &["--level is 95"]);

    let first = std::fs::read_dir(room.path("ours")).unwrap().next().unwrap().unwrap();
    let whole = std::fs::read(first.path()).unwrap();
    room.write("ours/zz-broken.png", &whole[..whole.len() / 2]);
    let ended = room.adeval("eval features ours --out ours.safetensors").run().with_code(3);
    assert!(ended.stderr.contains("zz-broken.png") && ended.stderr.contains("left out"), "{}", ended.stderr);
    assert!(ended.stdout.contains("12 x 1280 features"), "{}", ended.stdout);

    // The same encoder's name, but not its weights or parameters.
    let file = room.path("ours.safetensors");
    let mut bytes = std::fs::read(&file).unwrap();
    let mark = b"\\\"fingerprint\\\":\\\"";
    let at = bytes.windows(mark.len()).position(|w| w == mark).unwrap() + mark.len();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    std::fs::write(&file, bytes).unwrap();
    fails("eval fid ours.safetensors theirs", &["different encoders", "one embedder"]);
}

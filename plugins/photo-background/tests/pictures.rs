//! The pictures: what they say of themselves, and which prompts choose them.

use photo_background::assets::{self, Role};
use photo_background::{Behind, Ground, Scene, choose};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

#[test]
fn every_picture_is_the_one_that_the_index_describes() {
    let licences = ["CC0-1.0", "CC-BY-4.0", "MIT"];
    let notice = include_str!("../NOTICE.md");
    for asset in assets::all() {
        let mut hash = String::new();
        for byte in Sha256::digest(asset.jpeg) {
            write!(hash, "{byte:02x}").unwrap();
        }
        assert_eq!(hash, asset.sha256, "{}", asset.file);
        assert!(licences.contains(&asset.licence), "{} is under {}", asset.file, asset.licence);
        assert!(
            notice.contains(&format!("| {} |", asset.file)) && notice.contains(asset.author),
            "{}",
            asset.file
        );
        for field in [asset.author, asset.package, asset.version, asset.source] {
            assert!(!field.is_empty(), "{}", asset.file);
        }
        assert!(!asset.names.is_empty() && !asset.places.is_empty(), "{}", asset.file);
    }
}

#[test]
fn the_index_and_the_folder_hold_the_same_files_within_the_size_that_was_set() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let on_disk: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".jpg"))
        .collect();
    let indexed: BTreeSet<String> = assets::all().iter().map(|a| a.file.to_owned()).collect();
    assert_eq!(on_disk, indexed);
    let bytes: usize = assets::all().iter().map(|a| a.jpeg.len()).sum();
    assert!(bytes < 7_000_000, "{bytes} bytes");
    for asset in assets::all() {
        let size = image::load_from_memory(asset.jpeg).unwrap();
        assert!(size.width().max(size.height()) <= 1024, "{}", asset.file);
        if let Role::Backdrop(backdrop) = asset.role {
            let length = backdrop.light.iter().map(|v| v * v).sum::<f32>();
            assert!((length - 1.0).abs() < 0.1, "the light of {} has the length {length}", asset.file);
            let known = |id: &&&str| assets::all().iter().any(|a| a.id == **id);
            assert_eq!(backdrop.floor.iter().filter(known).count(), backdrop.floor.len(), "{}", asset.file);
        }
    }
}

fn behind(scene: &Scene) -> &'static str {
    match scene.behind {
        Behind::Photograph(asset, _) | Behind::Wall(asset, _) => asset.id,
    }
}

fn under(scene: &Scene) -> &'static str {
    scene.surface.map_or("the photograph's own ground", |(asset, _)| asset.id)
}

#[test]
fn the_prompt_chooses_the_pictures() {
    for seed in 0..20 {
        let of = |prompt: &str| choose(prompt, "", false, seed).unwrap();
        let meadow = of("in a green alpine meadow with mountains");
        assert!(["meadow", "alpine-meadow"].contains(&behind(&meadow)), "{}", behind(&meadow));
        assert_eq!(meadow.ground, Ground::Natural);
        assert!(under(&of("on a marble counter in a boutique")).starts_with("marble"));
        assert!(behind(&of("on a marble counter in a shopping mall")).starts_with("shopping"));
        assert_eq!(behind(&of("on an oak table before a white brick wall")), "brick-white");
        assert_eq!(under(&of("on an oak table before a white brick wall")), "light-wood");
        assert!(behind(&of("deep in the woodland forest among pine trees")).starts_with("forest"));
        let park = of("on the grass of a park lawn");
        assert_eq!((under(&park), park.ground), ("grass", Ground::Blend));
        assert_eq!(behind(&of("night sky with stars")), "night-savanna");
        assert_eq!(behind(&of("waterfall")), "forest-stream");
    }
}

#[test]
fn what_is_not_wanted_is_not_chosen() {
    for seed in 0..20 {
        let scene =
            choose("by the sea or in a forest", "sea ocean water beach harbour", false, seed).unwrap();
        assert!(!behind(&scene).starts_with("sea"), "{}", behind(&scene));
    }
}

#[test]
fn seeds_break_ties() {
    let seen: BTreeSet<_> = (0..40).map(|seed| under(&choose("wooden", "", false, seed).unwrap())).collect();
    assert!(seen.len() >= 4, "{seen:?}");
    let any: BTreeSet<_> = (0..40).map(|seed| behind(&choose("", "", false, seed).unwrap())).collect();
    assert!(any.len() >= 4, "{any:?}");
}

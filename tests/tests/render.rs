//! `adeval render`: creatives of one's own products.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Room, Suite, built, pictures};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// The creatives of a folder: name, and size in pixels.
fn creatives(folder: &Path) -> Vec<(String, (u32, u32))> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "png"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, image::image_dimensions(&path).unwrap())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn one_image_becomes_a_creative_with_its_sidecar() {
    let room = Room::with_plugins(&built::REAL);
    room.write("red-mug.png", pictures::cut_out(0));
    let text = room.adeval("render red-mug.png --out made --size 96x64").run().done();
    assert_eq!(creatives(&room.path("made")), [("red-mug-scene-background-0.png".into(), (96, 64))]);
    assert!(text.stdout.contains("red-mug-scene-background-0.png"), "{text:?}");
    let sidecar = fs::read_to_string(room.path("made/red-mug-scene-background-0.json")).unwrap();
    let sidecar: Value = serde_json::from_str(&sidecar).unwrap();
    assert_eq!(sidecar["product"], "red-mug");
    assert_eq!(sidecar["prompt_generator"], "template-prompt");
    assert!(sidecar["prompt"].as_str().is_some_and(|prompt| prompt.len() > 10), "{sidecar}");
    assert!(sidecar["placement"]["width"].as_u64().is_some_and(|width| width > 0), "{sidecar}");
    let schema: Value = serde_json::from_str(include_str!("../../schemas/rendered.schema.json")).unwrap();
    jsonschema::validate(&schema, &sidecar).unwrap();
}

#[test]
fn the_same_command_gives_the_same_pixels_and_another_seed_others() {
    let room = Room::with_plugins(&built::REAL);
    room.write("mug.png", pictures::cut_out(1));
    let render = |options: &str| {
        room.adeval(&format!("render mug.png --size 64x64 {options}")).run().done();
    };
    render("--out a");
    render("--out b");
    render("--out c --in-process");
    render("--out d --seed 5");
    let pixels = |folder: &str| fs::read(room.path(folder).join("mug-scene-background-0.png")).unwrap();
    assert_eq!(pixels("a"), pixels("b"));
    assert_eq!(pixels("a"), pixels("c"), "in process and in a worker");
    assert_ne!(pixels("a"), pixels("d"));
}

#[test]
fn a_folder_and_a_list_give_a_creative_for_each_product_and_sample() {
    let room = Room::new();
    room.products(3);
    let render = "--json render --background well-behaved --prompt-generator plain-prompt --size 48x48";
    let list =
        room.adeval(render).args(["products/products.json", "--out", "list", "--samples", "2"]).run().done();
    let sidecars = list.json();
    assert_eq!(sidecars.as_array().map(Vec::len), Some(6));
    assert_eq!(creatives(&room.path("list")).len(), 6);
    assert!(sidecars[0]["prompt"].as_str().is_some_and(|p| p.starts_with("Ceramic mug 0")), "{sidecars}");
    room.adeval(render).args(["products", "--out", "folder"]).run().done();
    let names: Vec<String> = creatives(&room.path("folder")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["p0-well-behaved-0.png", "p1-well-behaved-0.png", "p2-well-behaved-0.png"]);
    let first = room.adeval(render).args(["products", "--out", "first", "--limit", "1"]).run().done();
    assert_eq!(first.json().as_array().map(Vec::len), Some(1));
}

#[test]
fn a_prompt_of_ones_own_takes_the_place_of_a_generator() {
    let room = Room::new();
    room.products(1);
    let command = ["products/p0.png", "--background", "well-behaved", "--prompt", "on a marble table"];
    let sidecars = room.adeval("--json render --size 48").args(command).run().done().json();
    assert_eq!(sidecars[0]["prompt"], "on a marble table");
    assert_eq!(sidecars[0]["prompt_generator"], Value::Null);
    assert_eq!(creatives(&room.path("creatives"))[0].1, (48, 48));
}

#[test]
fn parameters_reach_the_plugin_and_are_refused_by_name() {
    let room = Room::new();
    room.products(1);
    let render = "render products/p0.png --background well-behaved --prompt x --size 32";
    room.adeval(render).args(["--set", "background.red=10", "-p", "background.green=20"]).run().done();
    let made = image::open(room.path("creatives/p0-well-behaved-0.png")).unwrap().into_rgb8();
    let [r, g, b] = made.get_pixel(0, 0).0;
    assert!(r < 30 && g < 40 && b == 160, "{r} {g} {b}");
    let refused = |set: &str, words: &[&str]| {
        let ended = room.adeval(render).args(["--out", "none", "--set", set]).run().refused(1, words);
        assert!(!room.path("none").exists(), "{ended:?}");
    };
    refused("background.red=300", &["\"red\" is 300", "from 0 to 255"]);
    refused("background.reed=3", &["no parameter \"reed\"", "did you mean \"red\"?"]);
    refused("background.red=scarlet", &["\"red\" is \"scarlet\"", "an integer"]);
    let shape = room.adeval(render).args(["--set", "red=3"]).run().with_code(2);
    assert!(shape.stderr.contains("background.KEY=VALUE"), "{shape:?}");
}

#[test]
fn plugins_that_are_not_there_are_mended() {
    let room = Room::new();
    room.products(1);
    let words = ["well-behavd", "did you mean \"well-behaved\"?"];
    room.adeval("render products/p0.png --background well-behavd --prompt x").run().refused(1, &words);
    let kinds = ["\"brightness\" is a reward-model, not a background-generator"];
    room.adeval("render products/p0.png --background brightness --prompt x").run().refused(1, &kinds);
    room.adeval("render nothing.png").run().refused(1, &["nothing.png", "check the path"]);
    let size = room.adeval("render products/p0.png --size wide").run().with_code(2);
    assert!(size.stderr.contains("512x512"), "{size:?}");
    let huge = "render products/p0.png --size 9000x10 --background well-behaved --prompt x";
    room.adeval(huge).run().refused(1, &["9000", "8192"]);
}

#[test]
fn a_creative_that_fails_is_named_and_the_others_are_made() {
    let room = Room::new();
    room.products(3);
    let render = "render products --background dies-for-one --prompt x --size 32 --set background.product=p1";
    let text = room.adeval(render).run().with_code(3);
    text.speaks_plainly();
    assert!(text.stderr.contains("product \"p1\"") && text.stderr.contains("abort"), "{text:?}");
    let names: Vec<String> = creatives(&room.path("creatives")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["p0-dies-for-one-0.png", "p2-dies-for-one-0.png"]);
    let json = room.adeval(&format!("--json {render}")).run().with_code(3).json();
    assert!(json[1]["error"].as_str().is_some_and(|e| e.contains("misbehaving/dies-for-one")), "{json}");
}

#[test]
fn an_output_folder_that_cannot_be_made_is_named() {
    let room = Room::new();
    room.products(1);
    room.write("taken", "a file");
    let render = "render products/p0.png --background well-behaved --prompt x --size 32 --out taken";
    room.adeval(render).run().refused(1, &["taken"]);
    assert_eq!(fs::read_to_string(room.path("taken")).unwrap(), "a file");
}

/// A suite's product list serves `render`, too, and the program never needs the suite's judge for it.
#[test]
fn render_needs_no_judge() {
    let room = Room::with_plugins(&["template_prompt", "scene_background"]);
    room.products(1);
    room.suite(&Suite::new("unused"));
    room.adeval("render products/products.json --size 64").run().done();
}

//! `adeval eval consistency`, from creatives with sidecars to a verdict, and its columns on a board.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Room, Suite, built};
use serde_json::{Value, json};

/// Three creatives of three products, as `adeval render` makes them.
fn rendered() -> Room {
    let room = Room::with_plugins(&built::REAL);
    room.products(3);
    room.adeval("render products/products.json --out made --size 256x256").run().done();
    room
}

/// The sidecars of the creatives, in order.
fn sidecars(room: &Room) -> Vec<(std::path::PathBuf, Value)> {
    let entries = std::fs::read_dir(room.path("made")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, serde_json::from_str(&text).unwrap())
    };
    paths.into_iter().map(read).collect()
}

fn picture(sidecar: &Value, room: &Room) -> std::path::PathBuf {
    room.path(sidecar["image"].as_str().unwrap())
}

#[test]
fn creatives_as_they_were_rendered_can_all_be_used_and_changed_ones_say_why_not() {
    let room = rendered();
    let command = "--json eval consistency made --products products/products.json";
    let sound = room.adeval(command).run().done().json();
    let schema: Value =
        serde_json::from_str(include_str!("../../schemas/eval-consistency.schema.json")).unwrap();
    jsonschema::validate(&schema, &sound).unwrap();
    assert_eq!(sound["entries"][0]["creatives"], 3);
    assert_eq!(sound["entries"][0]["available"]["value"], 1.0, "{sound}");
    assert!(sound["entries"][0]["score"]["value"].as_f64().unwrap() > 0.98);
    assert!(sound["creatives"][0]["parts"]["segmented"].is_null());

    // Grey where there was colour, and a product that was declared elsewhere.
    let all = sidecars(&room);
    let path = picture(&all[0].1, &room);
    image::open(&path).unwrap().grayscale().to_rgb8().save(&path).unwrap();
    let mut moved = all[1].1.clone();
    moved["placement"]["left"] = json!(moved["placement"]["left"].as_i64().unwrap() - 5);
    std::fs::write(&all[1].0, moved.to_string()).unwrap();
    let changed = room.adeval(command).run().done().json();
    let one = |at: usize| &changed["creatives"][at];
    assert_eq!(one(0)["verdict"]["reasons"][0]["reason"], "changed", "{}", one(0));
    assert_eq!(one(1)["measures"]["right"], 5, "{}", one(1));
    assert_eq!(one(2), &sound["creatives"][2]);
    let page = room.adeval("eval consistency made --products products/products.json").run().done().stdout;
    assert!(page.contains("1 of 3 creatives cannot be used") && page.contains("colour is kept to"), "{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 100 || line.starts_with("  ")), "{page}");
}

#[test]
fn a_segmenter_adds_its_part() {
    let room = rendered();
    let found = room
        .adeval("--json eval consistency made --products products/products.json --segment")
        .run()
        .done()
        .json();
    let outline = &found["creatives"][0]["measures"]["segmented"];
    assert!(outline["boundary_f"].as_f64().is_some_and(|f| (0.0..=1.0).contains(&f)), "{found}");
    assert!(found["creatives"][0]["parts"]["segmented"].is_f64());
}

#[test]
fn an_encoder_and_a_judge_add_what_they_see() {
    let room = rendered();
    let command = "--json eval consistency made --products products/products.json";
    let asked = format!("{command} --embedder efficientnet-embedder --match-judge heuristic-reward");
    let found = room.adeval(&asked).run().done().json();
    assert_eq!(found["encoder"]["name"], "EfficientNet-Lite0");
    for one in found["creatives"].as_array().unwrap() {
        let similarity = one["scene_similarity"].as_f64().unwrap();
        assert!((0.0..0.99).contains(&similarity), "{one}");
        assert!(one["match_probability"].as_f64().is_some_and(|p| (0.0..=1.0).contains(&p)), "{one}");
        assert!(one["perceptual"].is_null(), "this encoder has no maps: {one}");
    }
    let entry = &found["entries"][0];
    assert!(entry["scene_similarity"]["value"].is_f64() && entry["match_rate"]["value"].is_f64(), "{entry}");
    room.adeval(&format!("{command} --embedder nobody")).run().refused(1, &["nobody"]);
}

#[test]
fn what_cannot_be_measured_is_left_out_by_name_and_nothing_to_measure_is_an_error() {
    let room = rendered();
    let all = sidecars(&room);
    std::fs::write(picture(&all[0].1, &room), b"no picture").unwrap();
    let mut other = all[1].1.clone();
    other["product"] = json!("nobody");
    std::fs::write(&all[1].0, other.to_string()).unwrap();
    room.write("made/notes.json", "{}");
    let command = "--json eval consistency made --products products/products.json";
    let result = room.adeval(command).run().with_code(3).json();
    assert_eq!(result["creatives"].as_array().unwrap().len(), 1);
    let reasons = result["left_out"].to_string();
    for words in ["notes.json", "no sidecar of a creative", "has no \\\"nobody\\\""] {
        assert!(reasons.contains(words), "{words}: {reasons}");
    }
    assert_eq!(result["left_out"].as_array().unwrap().len(), 3, "{reasons}");

    std::fs::create_dir(room.path("empty")).unwrap();
    let refused = |command: &str, words: &[&str]| {
        room.adeval(command).run().refused(1, words);
    };
    refused("eval consistency empty --products products", &["no creative with a sidecar", "adeval render"]);
    refused("eval consistency nowhere --products products", &["nowhere", "cannot be read"]);
    refused("eval consistency made --products products --least-contact 7", &["--least-contact is 7"]);
}

#[test]
fn a_board_shows_consistency_and_availability_and_a_rerun_measures_nothing_again() {
    let suite = Suite::new("shown")
        .set("metrics", r#"["product-consistency"]"#)
        .table("[consistency.limits]\nleast_canvas_share = 0.9\nmost_canvas_share = 1.0")
        .entry_with_prompt("scenes", "template-prompt", "scene-background", "")
        .judge("heuristic-reward");
    let room = Room::with_plugins(&built::REAL);
    room.products(2);
    let file = room.suite(&suite);
    let bench = format!("bench {}", file.display());
    room.adeval(&bench).run().done();
    let run = room.run_in("runs");
    let cells = &run.row("scenes")["cells"];
    assert!(cells["product_consistency"]["value"].as_f64().unwrap() > 0.9, "{cells}");
    // No product covers nine tenths of its canvas.
    assert_eq!(cells["availability"]["value"], 0.0, "{cells}");
    let results = run.results();
    room.adeval(&bench).run().done();
    assert_eq!(room.run_in("runs").results(), results);
}

//! `adeval bench`: from a suite to a leaderboard, once.

use adeval_tests::{Room, Suite, built, pictures};
use serde_json::Value;
use std::fs;

/// Two entries of which one is brighter.
fn bright_and_dark(name: &str) -> Suite {
    Suite::new(name).entry("dark", "well-behaved", "red = 10, green = 10, blue = 10").entry(
        "bright",
        "well-behaved",
        "red = 230, green = 230, blue = 230",
    )
}

#[test]
fn the_real_plugins_end_in_a_board_of_the_published_schema() {
    let room = Room::with_plugins(&built::REAL);
    room.products(3);
    for k in 0..4 {
        room.write(
            &format!("scenes/s{k}.png"),
            pictures::png(&image::DynamicImage::ImageRgb8(pictures::photograph())),
        );
        room.write(&format!("scenes/t{k}.png"), pictures::cut_out(k));
    }
    let metrics = ["win-rate", "predicted-ctr", "product-fidelity", "frechet-distance", "kernel-distance"];
    let suite = Suite::new("real")
        .set("metrics", &format!("{metrics:?}"))
        .entry_with_prompt("scene", "template-prompt", "scene-background", "")
        .entry_with_prompt("blurred", "template-prompt", "scene-background", "")
        .judge("heuristic-reward")
        .table("[embedder]\nplugin = \"efficientnet-embedder\"\n[reference]\npath = \"scenes\"");
    let file = room.suite(&suite);
    let ended = room.adeval("bench").arg(&file).run().done();
    for word in ["scene", "blurred", "Contact sheets", "outside plugins"] {
        assert!(ended.stdout.contains(word), "{word}: {ended:?}");
    }
    let run = room.run_in("runs");
    for file in ["run.json", "LEADERBOARD.md", "sheets/scene.png", "sheets/blurred.png"] {
        assert!(run.path.join(file).is_file(), "{file}");
    }
    let schema: Value = serde_json::from_str(include_str!("../../schemas/result.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let complaints: Vec<String> = validator.iter_errors(&run.result()).map(|e| e.to_string()).collect();
    assert_eq!(complaints, Vec::<String>::new());
    let cells = run.row("scene")["cells"].clone();
    let value = |id: &str| cells[id]["value"].as_f64().unwrap_or_else(|| panic!("no {id} in {cells}"));
    assert!((0.0..=1.0).contains(&value("win_rate:eye")) && value("predicted_ctr:eye") > 0.0);
    assert!(value("product_fidelity") > 0.5);
    for id in ["fd:", "kd:"] {
        assert!(cells.as_object().unwrap().keys().any(|key| key.starts_with(id)), "{id}: {cells}");
    }
    assert!(
        run.result()["costs"]["scene"]["cost"]["peak_memory_bytes"].as_u64().is_some_and(|b| b > 1 << 20)
    );
}

#[test]
fn the_brighter_entry_wins_the_judge_who_likes_brightness() {
    let (room, file) = Room::with_suite(4, &bright_and_dark("ranked"));
    let json = room.adeval("--json bench").arg(&file).run().done().json();
    let rows = json["board"]["rows"].as_array().cloned().unwrap_or_default();
    assert_eq!((&rows[0]["entry"], &rows[1]["entry"]), (&"bright".into(), &"dark".into()));
    let win = &rows[0]["cells"]["win_rate:eye"];
    assert!(win["value"].as_f64() > Some(0.5) && win["low"].as_f64() <= win["value"].as_f64(), "{win}");
    assert!(
        rows[0]["cells"]["product_fidelity"]["value"].as_f64() > Some(0.999),
        "the product is pasted as it is"
    );
    assert!(json["computed"].as_u64() > Some(20) && json["wall_seconds"].as_f64() > Some(0.0), "{json}");
    assert_eq!(
        json["run_dir"].as_str().map(std::path::PathBuf::from),
        Some("runs".into())
            .map(|runs: std::path::PathBuf| { runs.join(room.run_in("runs").path.file_name().unwrap()) })
    );
}

#[test]
fn a_second_run_computes_nothing_and_leaves_every_byte() {
    let (room, file) = Room::with_suite(3, &bright_and_dark("twice"));
    room.adeval("bench").arg(&file).run().done();
    let run = room.run_in("runs");
    let [result, markdown] = ["result.json", "LEADERBOARD.md"].map(|file| run.text(file));
    let again = room.adeval("--json bench").arg(&file).run().done().json();
    assert_eq!(again["computed"], 0, "{again}");
    let run = room.run_in("runs");
    assert_eq!([run.text("result.json"), run.text("LEADERBOARD.md")], [result, markdown]);
    let text = room.adeval("bench").arg(&file).run().done().stdout;
    assert!(text.contains("nothing was computed"), "{text}");
}

#[test]
fn rescoring_calls_no_generator() {
    let suite = Suite::new("rescored").entry("a", "prints", "").entry("b", "well-behaved", "");
    let (room, file) = Room::with_suite(3, &suite);
    let none = room.adeval("bench --rescore").arg(&file).run();
    none.refused(1, &["holds no creative", "without --rescore first"]);
    room.adeval("bench").arg(&file).run().done();
    let run = room.run_in("runs");
    let painted = |logs: String| logs.matches("painting p").count();
    let (images, before) = (run.images(), painted(run.logs()));
    assert_eq!(before, 3);
    let judged = room.suite(&suite.clone().judge("slow-brightness"));
    let json = room.adeval("--json bench --rescore").arg(&judged).run().done().json();
    // Two scores, two orders of one pair, and the fidelity of two creatives anew, for each of three products.
    assert_eq!(json["computed"], 3 * (2 + 2 + 2), "{json}");
    assert_eq!((room.run_in("runs").images(), painted(run.logs())), (images, before));
}

#[test]
fn in_process_makes_the_same_creatives_and_the_same_board() {
    let (room, file) = Room::with_suite(4, &bright_and_dark("isolated").set("samples", "2"));
    room.adeval("bench --runs workers").arg(&file).run().done();
    room.adeval("bench --runs process --in-process").arg(&file).run().done();
    let [workers, process] = ["workers", "process"].map(|runs| room.run_in(runs));
    assert_eq!(workers.images().len(), 16);
    assert_eq!(workers.images(), process.images());
    assert_eq!(workers.board_bytes(), process.board_bytes());
}

#[test]
fn a_limit_takes_the_first_products() {
    let (room, file) = Room::with_suite(4, &bright_and_dark("limited"));
    room.adeval("bench --limit 2").arg(&file).run().done();
    assert_eq!(room.run_in("runs").coverage("dark"), (2, 2));
}

#[test]
fn what_failed_is_tried_again_when_asked_for() {
    let (room, file) = Room::with_suite(3, &Suite::new("again").entry("a", "sleeps", "milliseconds = 700"));
    let failed = room.adeval("bench --timeout 0.3").arg(&file).run().with_code(3);
    assert!(failed.stderr.contains("timed out"), "{failed:?}");
    let run = room.run_in("runs");
    assert_eq!(run.coverage("a"), (0, 3));
    let unasked = room.adeval("--json bench").arg(&file).run().with_code(3).json();
    assert_eq!(unasked["computed"], 0, "{unasked}");
    room.adeval("bench --retry-failed").arg(&file).run().done();
    assert_eq!(run.coverage("a"), (3, 3));
}

#[test]
fn a_damaged_creative_is_made_again() {
    let (room, file) = Room::with_suite(2, &bright_and_dark("damaged"));
    room.adeval("bench").arg(&file).run().done();
    let run = room.run_in("runs");
    let images = run.images();
    let name = images.keys().next().unwrap();
    fs::write(run.path.join("images").join(&name[..2]).join(name), "no image").unwrap();
    let records = || fs::read_to_string(run.path.join("records.jsonl")).unwrap();
    let before = records();
    let json = room.adeval("--json bench").arg(&file).run().done().json();
    assert_eq!(json["computed"], 1, "{}", &records()[before.len()..]);
    assert_eq!(run.images(), images);
}

/// The default suite is found from a clone without being named.
#[test]
fn the_default_suite_is_found_above_the_folder() {
    let (room, _) = Room::with_suite(2, &bright_and_dark("unused"));
    let text =
        bright_and_dark("found").text().replace("products/products.json", "../../products/products.json");
    room.write("fixtures/suites/default.toml", text);
    for command in ["bench", "bench default"] {
        room.adeval(command).run().done();
    }
    assert!(room.run_in("runs").path.file_name().unwrap().to_string_lossy().starts_with("found-"));
}

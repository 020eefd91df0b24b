//! `adeval train reward` from outside: it learns from a synthetic market, goes on after a kill, and says what is wrong.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Program, Room, built, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A room with a **synthetic** market of clear preferences.
fn room(products: usize) -> Room {
    let room = Room::with_plugins(&[built::REAL.as_slice(), &[built::LEARNING, built::MISBEHAVING]].concat());
    room.products(products);
    let entry = "--prompt-generator template-prompt --background scene-background --samples 4";
    let market =
        format!("--json market products/products.json {entry} --preset easy --seed 3 --size 64x64 --out m");
    room.adeval(&market).run().done();
    room
}

fn recipe(room: &Room, changes: &[(&str, &str)]) -> PathBuf {
    let mut keys = BTreeMap::from([
        ("name", "\"judges\""),
        ("seed", "5"),
        ("data.market", "\"m\""),
        ("training.epochs", "6"),
        ("training.patience", "6"),
        ("training.learning_rate", "0.05"),
        ("training.batch", "4"),
    ]);
    keys.extend(changes.iter().copied());
    let text: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let models = "[[model]]\nid = \"logistic\"\nplugin = \"logistic-reward\"\n";
    room.write("reward.toml", text + models)
}

fn train(room: &Room, recipe: &PathBuf, out: &str) -> Program {
    room.adeval(&format!("--json train reward --out {out}")).arg(recipe)
}

/// What must not depend on how often a training was interrupted.
fn kept(room: &Room, out: &str) -> BTreeMap<String, Vec<u8>> {
    let home = room.path(out).join("models/logistic");
    let mut files = BTreeMap::new();
    for name in ["metrics.jsonl", "test_pairs.csv"] {
        files.insert(name.to_owned(), fs::read(home.join(name)).unwrap_or_default());
    }
    for file in fs::read_dir(home.join("best")).into_iter().flatten().flatten() {
        files.insert(format!("{:?}", file.file_name()), fs::read(file.path()).unwrap_or_default());
    }
    files
}

fn lines(room: &Room, out: &str) -> usize {
    let path = room.path(out).join("models/logistic/metrics.jsonl");
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn of<'a>(result: &'a Value, model: &str) -> &'a Value {
    result["models"].as_array().unwrap().iter().find(|row| row["id"] == model).unwrap()
}

#[test]
fn models_learn_from_clicks_and_are_compared_on_products_that_none_saw() {
    let room = room(40);
    let heuristic = "[[model]]\nid = \"fixed\"\nplugin = \"heuristic-reward\"\ntraining = { epochs = 0 }\n";
    let recipe = recipe(&room, &[("training.epochs", "12")]);
    fs::write(&recipe, fs::read_to_string(&recipe).unwrap() + heuristic).unwrap();
    let result = train(&room, &recipe, "out").run().done().json();
    let counts = ["training", "validation", "test"].map(|part| result[part]["products"].as_u64().unwrap());
    assert_eq!(counts, [24, 6, 10]);
    assert!(result["synthetic"].as_str().unwrap().starts_with("SYNTHETIC"));
    let learned = of(&result, "logistic");
    let number = |value: &Value| value["value"].as_f64().unwrap();
    // Ten features that the shoppers' likes are nearly made of: far above chance on other products' pairs.
    assert!(number(&learned["true_order"]) > 0.65, "{learned}");
    assert_eq!(number(&learned["report"]["swap_consistency"]), 1.0);
    assert!(learned["validation_loss"].as_f64().unwrap() < 0.67, "{learned}");
    assert!(learned["best_epoch"].as_u64().unwrap() > 0 && learned["steps"].as_u64().unwrap() > 100);
    assert!(learned["seconds"]["training"].as_f64().unwrap() > 0.0);
    let fixed = of(&result, "fixed");
    assert_eq!((&fixed["epochs"], &fixed["seconds"]["training"]), (&0.into(), &Value::Null));
    // The table of answers is what other commands read, and says the same.
    let table = "--json eval pairs out/models/logistic/test_pairs.csv --resamples 200";
    let judged = room.adeval(table).run().done().json();
    let (here, there) = (&judged["judges"][0]["report"]["overall"], &learned["report"]["overall"]);
    assert_eq!((&here["accuracy"]["value"], &here["pairs"]), (&there["accuracy"]["value"], &there["pairs"]));
    // The trained model is a judge's weights.
    let page = train_page(&room, &recipe);
    for word in ["SYNTHETIC", "True order*", "logistic", "tested once", "The ceiling is"] {
        assert!(page.contains(word), "{word}: {page}");
    }
    assert!(page.lines().all(|line| line.chars().count() <= 100 || line.starts_with("SYNTHETIC")), "{page}");

    // Beside another seed: the same models, means over both.
    train(&room, &recipe, "again").arg("--seed=6").run().done();
    let other = room.adeval("--json train compare seed=again").run().done().json();
    let both = room.adeval("--json train compare seeds=out,again").run().done().json();
    let accuracy = |compared: &Value| number(&of(compared, "logistic")["accuracy"]);
    let alone = number(&learned["report"]["overall"]["accuracy"]);
    assert!((accuracy(&both) - f64::midpoint(alone, accuracy(&other))).abs() < 1e-12, "{both}");
    assert!(of(&both, "logistic")["accuracy"]["high"].is_number() && other["models"][0]["behind"].is_null());
    let page = room.adeval("--quiet train compare seeds=out,again").run().done().stdout;
    assert!(page.contains("2 trainings") && page.contains("SYNTHETIC"), "{page}");
}

/// The same training once more computes nothing and says the same.
fn train_page(room: &Room, recipe: &PathBuf) -> String {
    let before = kept(room, "out");
    let page = room.adeval("--quiet train reward --out out").arg(recipe).run().done().stdout;
    assert_eq!(kept(room, "out"), before);
    page
}

#[test]
fn soft_labels_and_one_order_are_learned_from_too() {
    let room = room(24);
    let changes = [("labels", "\"posterior\""), ("both_orders", "false"), ("point_loss", "false")];
    let recipe = recipe(&room, &changes);
    let result = train(&room, &recipe, "soft").run().done().json();
    let learned = of(&result, "logistic");
    assert!(learned["true_order"]["value"].as_f64().unwrap() > 0.6, "{learned}");
    let metrics = fs::read_to_string(room.path("soft/models/logistic/metrics.jsonl")).unwrap();
    let step: Value = serde_json::from_str(metrics.lines().nth(1).unwrap()).unwrap();
    assert_eq!(step["metrics"]["loss/point"], 0.0, "no CTRs, no point loss");
}

#[test]
fn a_training_that_is_killed_ends_with_the_same_bytes() {
    let room = room(16);
    let recipe = recipe(&room, &[]);
    train(&room, &recipe, "whole").run().done();
    let (whole, all) = (kept(&room, "whole"), lines(&room, "whole"));
    assert!(all > 30 && whole.values().all(|bytes| !bytes.is_empty()), "{all} lines");
    let mut killed = 0;
    for (number, at) in [1, all / 3, all / 2, all - 2].into_iter().enumerate() {
        let out = format!("killed-{number}");
        let mut training = train(&room, &recipe, &out).start();
        let mut quick = false;
        wait_for(&format!("{out} to get there"), || {
            quick = training.has_ended();
            quick || lines(&room, &out) >= at
        });
        if !quick {
            training.signal(Signal::KILL);
            killed += 1;
        }
        training.wait();
        train(&room, &recipe, &out).run().done();
        assert!(kept(&room, &out) == whole, "a kill at {at} of {all} lines left other bytes");
    }
    assert!(killed >= 2, "most kills must have come in time, {killed} did");
}

#[test]
fn what_cannot_be_learned_from_is_told_by_name() {
    let room = room(16);
    let refused = |changes: &[(&str, &str)], options: &str, words: &[&str]| {
        let recipe = recipe(&room, changes);
        room.adeval(&format!("--quiet train reward --out wrong {options}"))
            .arg(recipe)
            .run()
            .refused(1, words);
    };
    refused(&[("data.market", "\"nowhere\"")], "", &["market.json", "adeval market --out"]);
    refused(&[("pairs.min_impressions", "1000000")], "", &["no test pair is left", "loosen `pairs`"]);
    refused(&[("split.test", "0.9")], "", &["split.test", "below 1 together"]);
    refused(&[("training.momentum", "0.9")], "", &["reward.toml", "momentum"]);
    refused(&[], "--model logistik-reward", &["logistik-reward", "logistic-reward"]);
    refused(&[], "--model heuristic-reward", &["heuristic-reward", "not trainable", "epochs = 0"]);
    // Steps without measure: the model before the epoch is kept, and the products are named.
    let words = ["model \"logistic\"", "epoch 1, step", "on p", "checkpoints/epoch-0000"];
    refused(&[("training.learning_rate", "1e308"), ("training.max_grad_norm", "1e300")], "", &words);
    assert!(
        room.path("wrong/models/logistic/checkpoints/epoch-0000").is_dir(),
        "the last good model is kept"
    );
    refused(&[("training.batch", "8")], "", &["recipe.training.batch: 4 there, 8 now", "--out"]);

    let data = |totals: &str, words: &[&str]| {
        room.write("totals.csv", format!("product,creative,impressions,clicks\n{totals}"));
        let recipe = "name = \"own\"\n[[model]]\nid = \"logistic\"\nplugin = \"logistic-reward\"\n";
        let recipe = room.write("own.toml", recipe);
        room.adeval("--quiet train reward --out own --totals totals.csv --images m/creatives --products products/products.json")
            .arg(recipe)
            .run()
            .refused(1, words);
    };
    let names: Vec<String> = fs::read_to_string(room.path("m/totals.synthetic.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(',').take(2).collect::<Vec<_>>().join(","))
        .collect();
    let (one, other_product) = (&names[0], &names[4]);
    data(&format!("{one},100,3\n{other_product},100,4\n"), &["no product of", "has two creatives"]);
    data(&format!("{one},100,3\n{one},100,4\n"), &["totals.csv", "was there before"]);
    data(&format!("{one},100,300\n"), &["totals.csv", "line 2"]);
    let product = one.split(',').next().unwrap();
    data(
        &format!("{one},100,3\n{product},lost,100,4\n"),
        &["creative \"lost\"", "has no picture", "lost.png"],
    );
}

#[test]
fn a_model_that_fails_costs_its_own_row() {
    let room = room(16);
    let recipe = recipe(&room, &[]);
    let reckless = "[[model]]\nid = \"reckless\"\nplugin = \"logistic-reward\"\ntraining = { learning_rate = 1e308, max_grad_norm = 1e300 }\n";
    fs::write(&recipe, fs::read_to_string(&recipe).unwrap() + reckless).unwrap();
    train(&room, &recipe, "out").run().with_code(3);
    let result: Value = serde_json::from_slice(&fs::read(room.path("out/result.json")).unwrap()).unwrap();
    assert_eq!(result["models"].as_array().unwrap().len(), 1);
    assert_eq!(result["failed"][0]["id"], "reckless");
    assert!(result["failed"][0]["error"].as_str().unwrap().contains("epoch 1, step"));
}

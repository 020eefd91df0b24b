//! `adeval train pretrain` from outside: it learns what suits, goes on after a kill, and its policy is where `train rl` begins.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Program, Room, built, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A room with a **synthetic** market whose prompts are those of the policy.
fn room(products: usize) -> (Room, PathBuf) {
    let plugins = [built::REAL.as_slice(), &[built::LEARNING, built::OPTIMIZERS]].concat();
    let room = Room::with_plugins(&plugins);
    room.products(products);
    let entry = "--prompt-generator categorical-prompt --background scene-background --samples 8";
    room.adeval(&format!(
        "--json market products/products.json {entry} --preset easy --seed 3 --size 64x64 --out m"
    ))
    .run()
    .done();
    let recipe = "name = \"basics\"\nseed = 4\nheld_out = 0.25\ndata.market = \"m\"\nprompt.plugin = \"categorical-prompt\"\n\
                  training = { epochs = 30, patience = 30, learning_rate = 0.05, batch = 4, examples_per_call = 3 }\n";
    let recipe = room.write("pretrain.toml", recipe);
    (room, recipe)
}

fn train(room: &Room, recipe: &PathBuf, out: &str) -> Program {
    room.adeval(&format!("--json train pretrain --out {out}")).arg(recipe)
}

fn kept(room: &Room, out: &str) -> BTreeMap<String, Vec<u8>> {
    let names = ["metrics.jsonl", "result.json", "before.json", "best/categorical-prompt.json"];
    names.map(|name| (name.to_owned(), fs::read(room.path(out).join(name)).unwrap_or_default())).into()
}

fn value(result: &Value, key: &str) -> f64 {
    result[key]["value"].as_f64().unwrap()
}

#[test]
fn a_policy_learns_what_suits_and_reinforcement_begins_with_it() {
    let (room, recipe) = room(40);
    let lessons = fs::read_to_string(room.path("m/designs.synthetic.jsonl")).unwrap();
    let first: Value = serde_json::from_str(lessons.lines().next().unwrap()).unwrap();
    assert!(first["answer"].as_str().unwrap().starts_with("The product on"), "{first}");
    assert!(first["note"].as_str().unwrap().starts_with("SYNTHETIC"), "{first}");
    let result = train(&room, &recipe, "out").run().done().json();
    let (before, after) = (value(&result, "held_out_before"), value(&result, "held_out_after"));
    // 24 templates: a uniform policy has ln 24 = 3.18 nats.
    assert!((3.0..3.4).contains(&before) && after < before - 0.1, "{before} and {after}");
    assert_eq!(result["held_out"]["products"], 10);
    assert!(result["best_epoch"].as_u64().unwrap() > 0);
    let loop_recipe = "name = \"circle\"\nseed = 4\nsize = [64, 64]\nheld_out = 0.25\nepochs = 1\nsamples = 4\n\
                       products.path = \"products/products.json\"\nprompt.plugin = \"categorical-prompt\"\n\
                       background.plugin = \"scene-background\"\njudge.plugin = \"heuristic-reward\"\noptimizer.plugin = \"pcpo\"\n\
                       market = { preset = \"easy\", seed = 3 }\n";
    let loop_recipe = room.write("rl.toml", loop_recipe);
    let matches = |options: &str| {
        let ended = room.adeval(&format!("--json train rl {options}")).arg(&loop_recipe).run().done().json();
        ended["epochs"][0]["metrics"]["held_out/synthetic_match_rate"].as_f64().unwrap()
    };
    let (plain, taught) = (matches("--out plain"), matches("--out taught --prompt-model out/best"));
    assert!(taught > plain + 0.05, "scenes suit {taught} after pre-training and {plain} before");
}

#[test]
fn a_pre_training_that_is_killed_ends_with_the_same_bytes() {
    let (room, recipe) = room(16);
    train(&room, &recipe, "whole").run().done();
    let whole = kept(&room, "whole");
    assert!(whole.values().all(|bytes| !bytes.is_empty()));
    let lines = |out: &str| {
        fs::read_to_string(room.path(out).join("metrics.jsonl")).map_or(0, |text| text.lines().count())
    };
    let all = lines("whole");
    let mut killed = 0;
    for (number, at) in [1, all / 2, all - 2].into_iter().enumerate() {
        let out = format!("killed-{number}");
        let mut training = train(&room, &recipe, &out).start();
        let mut quick = false;
        wait_for(&format!("{out} to get there"), || {
            quick = training.has_ended();
            quick || lines(&out) >= at
        });
        if !quick {
            training.signal(Signal::KILL);
            killed += 1;
        }
        training.wait();
        train(&room, &recipe, &out).run().done();
        assert!(kept(&room, &out) == whole, "a kill at {at} of {all} lines left other bytes");
    }
    assert!(killed >= 1, "one kill at least must have come in time");
}

#[test]
fn what_cannot_be_learned_is_told_by_name() {
    let (room, recipe) = room(8);
    let refused = |options: &str, words: &[&str]| {
        room.adeval(&format!("--quiet train pretrain --out wrong {options}"))
            .arg(&recipe)
            .run()
            .refused(1, words);
    };
    refused("--market nowhere", &["market.json", "adeval market --out"]);
    refused("--set held_out=1.5", &["held_out is 1.5"]);
    refused("--set training.epochs=0", &["training.epochs"]);
    refused("--prompt template-prompt", &["template-prompt is not trainable"]);
    // A task that this generator cannot be asked.
    let task = "task=[{ name = 'title', questions = ['Write a title.'], answer = '{title}' }]";
    room.adeval("--quiet train pretrain --out wrong --set")
        .arg(task)
        .arg(&recipe)
        .run()
        .refused(1, &["Write a title.", "leave other tasks out"]);
    room.write("lessons.jsonl", "{\"product\":\"p0\",\"answer\":\"A lamp on the moon.\"}\nnonsense\n");
    let own = "name = \"own\"\nprompt.plugin = \"categorical-prompt\"\n";
    let own = room.write("own.toml", own);
    let lessons =
        "--quiet train pretrain --out own --lessons lessons.jsonl --products products/products.json";
    room.adeval(lessons).arg(&own).run().refused(1, &["lessons.jsonl", "line 2"]);
    train(&room, &recipe, "done").run().done();
    room.adeval("--quiet train pretrain --out done --set training.batch=8")
        .arg(&recipe)
        .run()
        .refused(1, &["recipe.training.batch: 4 there, 8 now", "--out"]);
}

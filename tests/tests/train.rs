//! `adeval train rl` from outside: it learns, goes on after a kill, and says what is wrong.

use adeval_tests::{Program, Room, built, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A room with so many products and a recipe over them; `changes` are further lines, or take the place of some.
fn room(products: usize, changes: &[(&str, &str)]) -> (Room, PathBuf) {
    let plugins =
        ["scene_background", "heuristic_reward", built::MISBEHAVING, built::LEARNING, built::OPTIMIZERS];
    let room = Room::with_plugins(&plugins);
    room.products(products);
    let mut keys = BTreeMap::from([
        ("name", "\"circle\""),
        ("seed", "5"),
        ("size", "[64, 64]"),
        ("held_out", "0.25"),
        ("epochs", "2"),
        ("samples", "3"),
        ("products.path", "\"products/products.json\""),
        ("prompt.plugin", "\"categorical-prompt\""),
        ("background.plugin", "\"scene-background\""),
        ("judge.plugin", "\"heuristic-reward\""),
        ("optimizer.plugin", "\"pcpo\""),
        ("training.learning_rate", "0.1"),
        ("training.passes", "3"),
        ("training.checkpoint_every", "2"),
    ]);
    keys.extend(changes.iter().copied());
    let text: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let recipe = room.write("recipe.toml", text);
    (room, recipe)
}

fn train(room: &Room, recipe: &PathBuf, out: &str) -> Program {
    room.adeval(&format!("--json train rl --out {out}")).arg(recipe)
}

/// What must not depend on how often a training was interrupted.
fn kept(room: &Room, out: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in ["metrics.jsonl", "result.json", "state.json"] {
        files.insert(name.to_owned(), fs::read(room.path(out).join(name)).unwrap_or_default());
    }
    for adapter in fs::read_dir(room.path(out).join("adapters")).into_iter().flatten().flatten() {
        for file in fs::read_dir(adapter.path()).into_iter().flatten().flatten() {
            let name = format!("{:?}/{:?}", adapter.file_name(), file.file_name());
            files.insert(name, fs::read(file.path()).unwrap_or_default());
        }
    }
    files
}

fn metric(result: &Value, epoch: usize, name: &str) -> f64 {
    result["epochs"][epoch]["metrics"][name]
        .as_f64()
        .unwrap_or_else(|| panic!("epoch {epoch} has no {name}: {result}"))
}

fn lines(room: &Room, out: &str, file: &str) -> Vec<String> {
    let text = fs::read_to_string(room.path(out).join(file)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_policy_learns_what_the_judge_prefers_and_every_number_is_kept() {
    let (room, recipe) = room(16, &[("epochs", "4"), ("samples", "4"), ("training.learning_rate", "0.05")]);
    let result = train(&room, &recipe, "out").run().done().json();
    assert_eq!(result["epochs"].as_array().map(Vec::len), Some(5), "the start and four epochs");
    assert_eq!(
        (result["training_products"].as_u64(), result["held_out_products"].as_u64()),
        (Some(12), Some(4))
    );
    let ctr = |epoch| metric(&result, epoch, "held_out/judge_ctr");
    assert!(ctr(4) > ctr(0), "{} after {}", ctr(4), ctr(0));
    assert!(metric(&result, 4, "held_out/win_rate") > 0.5, "{result}");
    assert_eq!(metric(&result, 0, "held_out/win_rate"), 0.5, "the start against itself");
    assert!(metric(&result, 1, "mean/policy/kl") < metric(&result, 4, "mean/policy/kl"));
    assert!(metric(&result, 4, "mean/conditions/accuracies") > 0.5);
    let far = |epoch| metric(&result, epoch, "held_out/kl");
    assert!(far(0).abs() < 1e-9 && far(4) > far(1) && far(1) > 0.0, "{} {} {}", far(0), far(1), far(4));
    let compared = room.adeval("--json train compare here=out there=out").run().done().json();
    let there = &compared["equal_kl"];
    assert_eq!(there["kl"].as_f64(), (1..5).map(far).reduce(f64::max));
    assert_eq!(there["differences"][0]["last"]["held_out/judge_ctr"]["value"], 0.0);

    let schema: Value = serde_json::from_slice(&fs::read(schema("train-metrics")).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let steps: Vec<Value> =
        lines(&room, "out", "metrics.jsonl").iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(steps.iter().all(|line| validator.is_valid(line)));
    let count = steps.iter().filter(|line| line["of"] == "step").count() as u64;
    assert_eq!(Some(count), result["steps"].as_u64());
    assert!(steps.iter().filter(|line| line["of"] == "step").all(|line| {
        ["loss", "grad_norm", "learning_rate", "rewards/margins", "logps/chosen", "policy/entropy"]
            .iter()
            .all(|name| line["metrics"][name].is_number())
    }));
    let sheet = image::open(room.path("out/sheets/before-after.png")).unwrap();
    assert!(sheet.width() > sheet.height(), "four products, before and after, in one row");
    let words = lines(&room, "out", "before-after.md");
    assert!(words.len() == 6 && words[2..].iter().all(|line| line.matches(" | ").count() == 2), "{words:?}");
    let events = fs::read_dir(room.path("out/tensorboard")).unwrap().flatten().count();
    assert_eq!(events, 1);
    // A finished training computes nothing again, and goes on when there shall be more epochs.
    let again = train(&room, &recipe, "out").run().done().json();
    assert_eq!((&again["computed"], &again["epochs"]), (&Value::from(0), &result["epochs"]));
    let more = train(&room, &recipe, "out").args(["--epochs", "5"]).run().done().json();
    assert_eq!(
        more["epochs"].as_array().map(|e| e[..5] == result["epochs"].as_array().unwrap()[..]),
        Some(true)
    );
    assert_eq!(more["epochs"].as_array().map(Vec::len), Some(6));
}

fn schema(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../schemas/{name}.schema.json"))
}

#[test]
fn every_optimizer_and_reward_rule_goes_round() {
    let (room, recipe) = room(8, &[("epochs", "1"), ("samples", "4")]);
    for (optimizer, set) in [
        ("dpo", "optimizer.parameters.loss=ipo"),
        ("kto", "reward=score"),
        ("reinforce", "training.one_in_memory=true"),
        ("grpo", "optimizer.parameters.samples=4"),
        ("pcpo", "optimizer.parameters.variant=released"),
    ] {
        let result = train(&room, &recipe, optimizer)
            .args(["--optimizer", optimizer, "--set", set])
            .run()
            .done()
            .json();
        assert!(metric(&result, 1, "mean/loss").is_finite(), "{optimizer}");
        assert!(metric(&result, 1, "mean/grad_norm") > 0.0, "{optimizer}");
    }
}

/// Kills a new training when `so`; `false` when it was too quick for that.
fn killed_when(room: &Room, recipe: &PathBuf, out: &str, so: impl Fn() -> bool) -> bool {
    let mut training = train(room, recipe, out).start();
    let mut quick = false;
    wait_for(&format!("{out} to get there"), || {
        quick = training.has_ended();
        quick || so()
    });
    if !quick {
        training.signal(Signal::KILL);
    }
    training.wait();
    !quick
}

#[test]
fn a_training_that_is_killed_at_any_stage_ends_with_the_same_bytes() {
    let slow = [("background.plugin", "\"scene-background\""), ("optimizer.plugin", "\"pcpo\"")];
    let (room, recipe) = room(10, &slow);
    train(&room, &recipe, "whole").run().done();
    let whole = kept(&room, "whole");
    let (results, steps) =
        (lines(&room, "whole", "records.jsonl").len(), lines(&room, "whole", "metrics.jsonl").len());
    assert!(results > 100 && steps > 30, "{results} results and {steps} lines");
    let places = [
        ("records.jsonl", 0),
        ("records.jsonl", 2),
        ("records.jsonl", results / 6),
        ("records.jsonl", results / 2),
        ("metrics.jsonl", 2),
        ("metrics.jsonl", steps / 2 - 3),
        ("metrics.jsonl", steps / 2 + 1),
        ("metrics.jsonl", steps - 3),
    ];
    let mut killed = 0;
    for (number, (file, at)) in places.into_iter().enumerate() {
        let out = format!("killed-{number}");
        killed += usize::from(killed_when(&room, &recipe, &out, || lines(&room, &out, file).len() >= at));
        train(&room, &recipe, &out).run().done();
        let again = kept(&room, &out);
        assert_eq!(again.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{file} {at}");
        for (name, bytes) in &whole {
            assert!(again[name] == *bytes, "{name} differs after a kill at {at} lines of {file}");
        }
    }
    assert!(killed >= 6, "most kills must have come in time, {killed} did");
}

#[test]
fn other_parameters_are_refused_with_the_difference() {
    let (room, recipe) = room(8, &[("epochs", "1")]);
    train(&room, &recipe, "out").run().done();
    let before = kept(&room, "out");
    let other = ["--set", "training.learning_rate=0.2", "--seed", "9"];
    let words = ["recipe.training.learning_rate: 0.1 there, 0.2 now", "recipe.seed: 5 there, 9 now", "--out"];
    room.adeval("--quiet train rl --out out").arg(&recipe).args(other).run().refused(1, &words);
    assert_eq!(kept(&room, "out"), before);
}

#[test]
fn what_cannot_be_learned_from_is_told_apart() {
    let refused = |changes: &[(&str, &str)], words: &[&str]| {
        let (room, recipe) = room(8, changes);
        room.adeval("--quiet train rl --out out").arg(&recipe).run().refused(1, words);
        room
    };
    // The background pays no heed to the prompt, so all creatives of a product are the same.
    refused(&[("background.plugin", "\"well-behaved\"")], &["epoch 1", "equal rewards", "heuristic-reward"]);
    refused(&[("background.plugin", "\"panics\"")], &["epoch 1", "too few creatives", "the first failure"]);
    refused(&[("prompt.plugin", "\"plain-prompt\"")], &["prompt generator"]);
    refused(&[("optimizer.plugin", "\"grpo\"")], &["samples is 3", "grpo", "8"]);
    refused(&[("held_out", "0.9")], &["1 products are left", "held_out"]);
    refused(&[("training.momentum", "0.9")], &["recipe.toml", "momentum"]);
    // A rate without measure: the first steps leave the numbers behind.
    let words = ["epoch 1, step", "on p", "adapters"];
    let room = refused(&[("training.learning_rate", "1e308"), ("training.max_grad_norm", "1e300")], &words);
    assert!(
        room.path("out/adapters/epoch-0000/categorical-prompt.json").is_file(),
        "the last good policy is kept"
    );
}

#[test]
fn a_full_disk_leaves_the_checkpoint_before_it() {
    let (room, recipe) = room(4, &[("samples", "2"), ("epochs", "1"), ("training.checkpoint_every", "100")]);
    train(&room, &recipe, "whole").run().done();
    // The policy of 504 weights is twice as large when its moments are not zeros any more: no file may grow to that.
    let small = fs::metadata(room.path("whole/adapters/epoch-0000/categorical-prompt.json")).unwrap().len();
    let large = fs::metadata(room.path("whole/adapters/epoch-0001/categorical-prompt.json")).unwrap().len();
    assert!(large > small + 4096, "{small} and {large}");
    let blocks = (large - 2048) / 512;
    // A write beyond the limit is then an error, as on a full disk, and no signal.
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")])
        .arg(built::program());
    let ended = Program::of(limited, &room.path("."), &room.plugin_path())
        // Pixels travel through shared memory to a worker, whose size the limit would bound too.
        .args(["--quiet", "train", "rl", "--out", "out", "--in-process"])
        .arg(&recipe)
        .run();
    ended.refused(1, &["epoch-0001", "cannot be saved", "untouched"]);
    assert!(room.path("out/adapters/epoch-0000/categorical-prompt.json").is_file());
    assert!(!room.path("out/adapters/epoch-0001").exists());
    train(&room, &recipe, "out").run().done();
    assert_eq!(kept(&room, "out"), kept(&room, "whole"));
}

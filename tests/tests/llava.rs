//! `llava-prompt` from outside, on a tiny checkpoint in the layout of the published ones: it keeps the contract, and the circle goes
//! round with it.

use adeval_tests::{Room, built, tiny_llava};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A room with the plugins of the circle, products, and the checkpoint `tiny`.
fn room() -> (Room, PathBuf) {
    let room =
        Room::with_plugins(&["llava_prompt", "scene_background", "heuristic_reward", built::OPTIMIZERS]);
    room.products(6);
    tiny_llava::write(&room.path("tiny"), 1);
    let recipe = "\
name = \"llava\"
seed = 5
size = [64, 64]
held_out = 0.34
samples = 2
products.path = \"products/products.json\"
prompt.plugin = \"categorical-prompt\"
prompt.max_tokens = 16
background.plugin = \"scene-background\"
judge.plugin = \"heuristic-reward\"
optimizer.plugin = \"pcpo\"
training.learning_rate = 2e-3
training.batch = 2
";
    let recipe = room.write("recipe.toml", recipe);
    (room, recipe)
}

const SMALL: [&str; 4] =
    ["--set", "prompt.parameters.lora_rank=4", "--set", "prompt.parameters.lora_alpha=8.0"];
const WHOLE: [&str; 2] = ["--set", "prompt.parameters.train=\"all\""];

/// The checkpoint that was taught.
fn taught() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/weights/tiny-llava")
}

#[test]
fn it_keeps_the_contract() {
    let (room, _) = room();
    let (random, taught) = (room.path("tiny"), taught());
    // Of a random model's one-token answers most are no word and asked for again, so that their frequencies are others.
    let off = "[rules]\nlog-probs-are-frequencies = \"off\"\n";
    for (name, weights, rules, parameters) in [
        ("adapter", &random, off, "lora_rank = 4, lora_alpha = 8.0"),
        ("all", &random, off, "train = \"all\""),
        ("taught", &taught, "", "lora_rank = 4, lora_alpha = 8.0"),
    ] {
        let weights = weights.to_str().expect("UTF-8");
        let config = format!(
            "{rules}[components.llava-prompt]\nweights = {weights:?}\nparameters = {{ {parameters} }}\n"
        );
        let config = room.write(&format!("{name}.toml"), config);
        let ended = room
            .adeval("plugin check --json -q --level standard")
            .arg(built::library("llava_prompt"))
            .arg("--config")
            .arg(config)
            .run();
        let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
        assert_eq!(ended.code, Some(0), "{name}: {}\n{}", ended.stdout, ended.stderr);
        assert!(report.to_string().contains("save-and-load"), "{name}: {report}");
    }
}

#[test]
fn the_circle_goes_round_and_goes_on() {
    let (room, recipe) = room();
    for (out, parameters) in [("adapter", &SMALL[..]), ("whole", &WHOLE)] {
        let train = |epochs: &str| {
            room.adeval(&format!("--json train rl --out {out} --epochs {epochs} --prompt llava-prompt"))
                .args(["--prompt-model", "tiny"])
                .args(parameters)
                .arg(&recipe)
        };
        train("1").run().done();
        let result = train("2").run().done().json();
        let metric = |epoch: usize, name: &str| {
            result["epochs"][epoch]["metrics"][name]
                .as_f64()
                .unwrap_or_else(|| panic!("{out}: {epoch} {name}: {result}"))
        };
        assert_eq!(result["epochs"].as_array().map(Vec::len), Some(3), "{out}");
        for epoch in 1..3 {
            assert!(metric(epoch, "mean/grad_norm") > 0.0 && metric(epoch, "mean/loss").is_finite(), "{out}");
        }
        // The policy moved from its reference, which is the checkpoint.
        assert!(metric(2, "mean/policy/kl").abs() > 1e-4, "{out}: {}", metric(2, "mean/policy/kl"));
        let kept = room.path(out).join("adapters/epoch-0002");
        let file = if out == "adapter" { "adapter_model.safetensors" } else { "model.safetensors" };
        let weights = fs::read(kept.join(file)).unwrap_or_else(|e| panic!("{out}: {file}: {e}"));
        assert_ne!(
            fs::read(room.path(out).join("adapters/epoch-0000").join(file)).ok(),
            Some(weights),
            "{out}"
        );
        // What was trained is a policy to begin with.
        room.adeval(&format!(
            "--json train rl --out {out}-on --epochs 1 --prompt llava-prompt --prompt-model"
        ))
        .arg(&kept)
        .args(parameters)
        .arg(&recipe)
        .run()
        .done();
    }
}

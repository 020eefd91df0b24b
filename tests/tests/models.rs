//! `adeval models`: checkpoints on this machine and on a hub.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

// The small checkpoints and the hub of the crate's own tests.
#[path = "../../plugins/checkpoints/tests/support/mod.rs"]
mod support;

use adeval_tests::{Program, Room};
use serde_json::Value;
use support::server::{COMMIT, Server};
use support::{UNET, VAE, safetensors};

/// A call of the program with a hub cache in the room, and nothing of the user's own.
fn adeval(room: &Room, arguments: &str) -> Program {
    let none = [
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "HF_TOKEN",
        "HF_TOKEN_PATH",
        "HF_HUB_OFFLINE",
        "ADEVAL_MODELS",
    ];
    let program =
        room.adeval(arguments).env("HF_HOME", room.path("hf")).env("HF_ENDPOINT", "http://127.0.0.1:9");
    none.iter().fold(program, |program, name| program.env(name, ""))
}

/// A small diffusers directory as a hub gives it.
fn repository() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("README.md", b"---\nlicense: creativeml-openrail-m\n---\n".to_vec()),
        ("model_index.json", br#"{"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}"#.to_vec()),
        ("unet/config.json", br#"{"in_channels": 4, "cross_attention_dim": 768}"#.to_vec()),
        ("unet/diffusion_pytorch_model.fp16.safetensors", safetensors(UNET)),
        ("unet/diffusion_pytorch_model.safetensors", safetensors(UNET)),
        ("vae/config.json", b"{}".to_vec()),
        ("vae/diffusion_pytorch_model.safetensors", safetensors(VAE)),
    ]
}

#[test]
fn a_model_is_planned_pulled_listed_verified_and_told_of() {
    let room = Room::new();
    let server = Server::start("org/model", &repository(), None);
    let online = |arguments: &str| adeval(&room, arguments).env("HF_ENDPOINT", &server.endpoint).run();

    let dry = online("models pull org/model --variant fp16 --dry-run").done().stdout;
    for word in [
        "creativeml-openrail-m",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "to be fetched",
        &COMMIT[..12],
    ] {
        assert!(dry.contains(word), "{word}:\n{dry}");
    }
    assert!(!dry.contains("unet/diffusion_pytorch_model.safetensors"), "{dry}");
    assert_eq!(server.downloads(), 0);
    assert!(dry.lines().all(|line| line.chars().count() <= 100), "{dry}");

    let pulled = online("--json models pull org/model").done().json();
    assert_eq!((&pulled["commit"], &pulled["license"]), (&COMMIT.into(), &"creativeml-openrail-m".into()));
    assert_eq!(pulled["what"], "a diffusers directory of Stable Diffusion 1.x");
    let again = online("models pull org/model").done();
    assert!(again.stdout.contains("in the cache") && again.stdout.contains("0 B of"), "{}", again.stdout);

    let list = adeval(&room, "--json models list").run().done().json();
    assert_eq!(
        (&list["models"][0]["name"], &list["models"][0]["base"]),
        (&"org/model".into(), &"sd1".into())
    );
    let list = adeval(&room, "models list").run().done().stdout;
    assert!(
        list.contains("org/model") && list.contains("a diffusers directory of Stable Diffusion 1.x"),
        "{list}"
    );

    let verified = adeval(&room, "models verify org/model").run().done().stdout;
    assert!(verified.contains("sound, and the hub's") && verified.contains("is sound"), "{verified}");

    let info = adeval(&room, "models info org/model --device cuda:0 --tensors conv_in").run().done().stdout;
    for word in [
        "creativeml-openrail-m",
        "cross_attention_dim 768",
        "4 channels",
        "as f16 on cuda:0",
        "conv_in.weight",
    ] {
        assert!(info.contains(word), "{word}:\n{info}");
    }
    let info = adeval(&room, "--json models info org/model").run().done().json();
    let unet = info["plan"]["components"].as_array().unwrap().iter().find(|c| c["name"] == "unet").unwrap();
    assert_eq!(unet["parameters"], 8 * 4 * 9 + 8 * 8 + 8 * 768 + 8);
    assert_eq!(info["layout"]["unet_channels"], 4);

    let offline = adeval(&room, "models pull org/model --offline").run().done().stdout;
    assert!(offline.contains(COMMIT), "{offline}");
}

#[test]
fn what_cannot_be_had_says_what_to_do() {
    let room = Room::new();
    let server = Server::start("org/model", &repository(), Some("hf_right"));
    let online = |arguments: &str| adeval(&room, arguments).env("HF_ENDPOINT", &server.endpoint);
    online("models pull org/model").run().refused(1, &["status 401", "HF_TOKEN"]);
    online("models pull org/model").env("HF_TOKEN", "hf_right").run().done();
    online("models pull org/none")
        .env("HF_TOKEN", "hf_right")
        .run()
        .refused(1, &["has no org/none", "check the id"]);
    online("models pull org/model --component prior")
        .env("HF_TOKEN", "hf_right")
        .run()
        .refused(1, &["no component prior", "unet, vae"]);
    let offline = adeval(&room, "models pull org/other --offline").run();
    offline.refused(1, &["org/other", "offline mode is on"]);
    adeval(&room, "models pull org/other")
        .env("HF_HUB_OFFLINE", "1")
        .run()
        .refused(1, &["offline mode is on"]);
    adeval(&room, "models pull ../x").run().refused(1, &["\"../x\"", "org/name@revision"]);
    adeval(&room, "models pull a/b@c --revision d").run().refused(1, &["two revisions"]);
    adeval(&room, "models info org/other")
        .run()
        .refused(1, &["org/other is not in the cache", "models pull org/other"]);
    adeval(&room, "models info no/such/file.safetensors").run().refused(1, &["neither a path that exists"]);
    adeval(&room, "models info org/model --device gpu").run().with_code(2);
    adeval(&room, "models pull").run().with_code(2);
}

#[test]
fn a_damaged_file_is_refuted_with_its_bytes_and_its_tensor() {
    let room = Room::new();
    let whole = safetensors(UNET);
    room.write("cut.safetensors", &whole[..whole.len() - 3]);
    let (expected, found) = (format!("{} bytes expected", whole.len()), format!("{} found", whole.len() - 3));
    let ended = adeval(&room, "models verify cut.safetensors").run();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for word in ["cut.safetensors is truncated", &expected, &found, "download it once more"] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }
    adeval(&room, "models info cut.safetensors")
        .run()
        .refused(1, &["cut.safetensors is truncated", &expected]);

    let mut bad = whole.clone();
    let end = bad.len();
    bad[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    room.write("nan.safetensors", bad);
    let report = adeval(&room, "--json models verify nan.safetensors").run();
    assert_eq!(report.code, Some(1));
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["sound"], false);
    assert_eq!(report["problems"][0]["tensor"], "up_blocks.0.resnets.0.norm1.weight");

    room.write("sound.safetensors", whole);
    let sound = adeval(&room, "models verify sound.safetensors --quiet").run().done();
    assert!(sound.stderr.is_empty() && sound.stdout.contains("is sound"), "{sound:?}");
}

#[test]
fn a_folder_of_ones_own_is_listed_with_what_is_wrong_in_it() {
    let room = Room::new();
    for (name, bytes) in repository() {
        room.write(&format!("mine/org/model/{name}"), bytes);
    }
    room.write("mine/vae.safetensors", safetensors(VAE));
    room.write("mine/notes.txt", "not a model");
    room.write("mine/broken.safetensors", "nonsense");
    let ended = adeval(&room, "--json models list").env("ADEVAL_MODELS", room.path("mine")).run().done();
    let list = ended.json();
    let rows: Vec<(&str, &str)> = list["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["name"].as_str().unwrap(), row["what"].as_str().unwrap_or("-")))
        .collect();
    let expected = [
        ("broken.safetensors", "-"),
        ("org/model", "a diffusers directory of Stable Diffusion 1.x"),
        ("vae.safetensors", "a VAE"),
    ];
    assert_eq!(rows, expected);
    let text = adeval(&room, "models list --dir mine").run().done();
    assert!(text.stderr.contains("broken.safetensors") && text.stdout.contains("not recognised"), "{text:?}");
    adeval(&room, "models list --dir nothing").run().refused(1, &["nothing: "]);
    let none = adeval(&room, "models list").run().done().stdout;
    assert!(none.contains("no models in") && none.contains("models pull"), "{none}");
}

#[test]
fn help_teaches() {
    let room = Room::new();
    for command in ["list", "pull", "verify", "info"] {
        let help = room.adeval(&format!("models {command} --help")).run().done().stdout;
        assert!(help.contains("Examples:") && help.contains("HF_HUB_CACHE"), "{help}");
    }
}

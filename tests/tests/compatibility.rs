//! A plugin of contract 1.0, built on the sdk of that time, in today's program; and today's plugins in a host of 1.0.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]
mod nested;

use adeval_host::plugin::{CatalogueEntry, Discovery, DiscoveryOptions, Isolation, Loader, OpenPlugin};
use adeval_sdk::client::{BackgroundClient, warm_up};
use adeval_sdk::prelude::*;
use adeval_sdk::{ContractVersion, Kind, WARM_UP};
use adeval_tests::{Room, RunDir, Suite, built};
use nested::{cargo, library, repository};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// BLAKE3 of the frozen sources, see [`frozen_sources_are_as_they_were`].
const FROZEN: &str = "1474c5ad8a469ee6e661b5577525bc0c761941aaefd3336c93f3bddb44befa13";

fn source() -> PathBuf {
    repository().join("tests/plugins/contract-1-0")
}

/// The library of contract 1.0, built as its author would have built it.
fn old_library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        cargo(&source(), &["build", "--release", "--offline", "--locked", "--lib", "--example", "old_host"]);
        library("contract-1-0")
    })
}

fn entry(kind: Kind) -> CatalogueEntry {
    let catalogue = Discovery::new(DiscoveryOptions {
        directories: vec![old_library().to_owned()],
        standard_places: false,
        executable: Some(built::program().to_owned()),
        ..DiscoveryOptions::default()
    })
    .scan();
    assert!(catalogue.failures().is_empty(), "{:?}", catalogue.failures());
    catalogue.of_kind(kind).next().expect("it has one of this kind").clone()
}

fn open(isolation: Isolation) -> OpenPlugin {
    let executable = Some(built::program().to_owned());
    let loader = Loader { isolation, executable, ..Loader::default() };
    let parameters = serde_json::json!({ "width": 3 });
    loader.open(&entry(Kind::BackgroundGenerator), &parameters, &Environment::default()).unwrap()
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder can be read").flatten() {
        let path = entry.path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// All of the copied sdk and of the plugin on it: an edit would make the tests below say less than they seem to.
#[test]
fn frozen_sources_are_as_they_were() {
    let mut all = vec![source().join("Cargo.toml"), source().join("Cargo.lock")];
    ["src", "sdk-1.0"].iter().for_each(|folder| files(&source().join(folder), &mut all));
    let named = |path: &PathBuf| path.strip_prefix(source()).unwrap().to_string_lossy().into_owned();
    let mut all: Vec<_> = all.iter().map(|path| (named(path), fs::read(path).unwrap())).collect();
    all.sort();
    let mut digest = blake3::Hasher::new();
    for (name, bytes) in all {
        digest.update(blake3::hash(name.as_bytes()).as_bytes());
        digest.update(blake3::hash(&bytes).as_bytes());
    }
    let digest = digest.finalize().to_hex();
    assert_eq!(digest.as_str(), FROZEN, "tests/plugins/contract-1-0 is never edited; restore it from git");
}

#[test]
fn it_says_what_it_is() {
    for kind in [Kind::BackgroundGenerator, Kind::RewardModel] {
        let entry = entry(kind);
        assert_eq!(entry.manifest.contract, ContractVersion { major: 1, minor: 0 });
        assert!(!entry.manifest.has(WARM_UP));
        assert!(entry.component.info.summary.ends_with("by a plugin of contract 1.0"));
    }
    let room = Room::with_plugins(&[]);
    let list = room.adeval("plugin list --json --plugins").arg(old_library()).run().with_code(0).json();
    let components = list["components"].as_array().unwrap();
    assert_eq!(components.len(), 2, "{list:#}");
    assert!(components.iter().all(|component| component["contract"] == "1.0"), "{list:#}");
}

fn request(prompt: &str) -> BackgroundRequest {
    let pixels = image::RgbaImage::from_pixel(8, 6, image::Rgba([200, 30, 30, 255]));
    let product = Product::new("mug", "Red mug", Image::from(pixels));
    BackgroundRequest { width: 40, height: 30, ..BackgroundRequest::new(product, prompt, 7) }
}

#[test]
fn both_isolations_give_its_pixels_and_its_errors() {
    let mut hashes = Vec::new();
    for isolation in [Isolation::Worker, Isolation::InProcess] {
        let client = BackgroundClient::new(open(isolation).endpoint());
        let requests = [
            request("a stage"),
            request("the impossible"),
            BackgroundRequest { steps: Some(0), ..request("") },
        ];
        let mut results = client.generate(&requests, &CallContext::detached()).unwrap().into_iter();
        let creative = results.next().unwrap().unwrap();
        let messages: Vec<String> = results.map(|result| result.unwrap_err().to_string()).collect();
        assert!(messages[0].contains("stripes cannot show the impossible"), "{messages:?}");
        assert!(messages[1].contains("0 steps"), "{messages:?}");
        hashes.push(creative.image.hash());
    }
    assert_eq!(hashes[0], hashes[1]);
}

/// It would survive the question; the host does not ask, see [`a_plugin_of_today_is_asked_to_warm_up`].
#[test]
fn a_method_of_contract_1_1_does_it_no_harm() {
    for isolation in [Isolation::Worker, Isolation::InProcess] {
        let (open, cx) = (open(isolation), CallContext::detached());
        let error = warm_up(&*open.endpoint(), &WarmUp { batch: Some(8), size: None }, &cx).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported, "{error}");
        assert!(error.message.contains("component.warm_up"), "{error}");
        let client = BackgroundClient::new(open.endpoint());
        assert!(client.generate(&[request("")], &cx).unwrap()[0].is_ok());
    }
}

/// A suite of its background beside one of today, judged by its reward model.
fn bench(room: &Room, runs: &str, options: &str) -> RunDir {
    room.products(2);
    let suite = Suite::new("old")
        .judge("old-eye")
        .entry_with_prompt("old", "template-prompt", "old-stripes", "width = 4")
        .entry_with_prompt("new", "template-prompt", "scene-background", "");
    let file = room.suite(&suite);
    let program = room.adeval(&format!("bench --runs {runs} {options} --plugins")).arg(old_library());
    program.arg(file).run().with_code(0).speaks_plainly();
    room.run_in(runs)
}

#[test]
fn it_is_benched_in_a_worker_and_in_the_hosts_process_alike() {
    let room = Room::with_plugins(&["template_prompt", "scene_background"]);
    let apart = bench(&room, "apart", "");
    let together = bench(&room, "together", "--in-process");
    for run in [&apart, &together] {
        for entry in ["old", "new"] {
            assert_eq!(run.coverage(entry), (2, 2), "{entry}");
        }
    }
    assert_eq!(apart.images(), together.images());
    assert_eq!(apart.board_bytes(), together.board_bytes());
    assert!(!apart.logs().contains("warm_up"), "it was asked for what it does not know: {}", apart.logs());
}

#[test]
fn a_plugin_of_today_is_asked_to_warm_up() {
    let room = Room::with_plugins(&["template_prompt", "heuristic_reward"]);
    let made = room.path("kettle");
    room.adeval("plugin new --kind background-generator kettle --sdk").arg(repository()).run().done();
    let code = made.join("src/lib.rs");
    let method = "impl Component for Background {\n    \
        fn warm_up(&self, ahead: &WarmUp, cx: &CallContext<'_>) -> Result<()> {\n        \
            eprintln!(\"warm for {ahead:?}\");\n        cx.check()\n    }\n";
    let text = fs::read_to_string(&code).unwrap();
    fs::write(&code, text.replacen("impl Component for Background {\n", method, 1)).unwrap();
    cargo(&made, &["build", "--release", "--offline"]);
    room.products(2);
    let suite = Suite::new("kettle").judge("heuristic-reward");
    let file = room.suite(&suite.entry_with_prompt("kettle", "template-prompt", "kettle", ""));
    let program = room.adeval("bench --plugins").arg(library("kettle")).arg(file);
    program.run().with_code(0).speaks_plainly();
    let logs = room.run_in("runs").logs();
    assert_eq!(logs.matches("warm for WarmUp { batch: Some(8), size: Some((64, 64)) }").count(), 1, "{logs}");
}

#[test]
fn a_host_of_contract_1_0_refuses_a_plugin_of_today_in_one_sentence() {
    let host = old_library().with_file_name("examples").join("old_host");
    let run = |library: &Path| {
        let output = Command::new(&host).arg(library).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(old_library()), (Some(0), "contract 1.0\n".into()));
    let (code, said) = run(&built::library("template_prompt"));
    let sentence = format!(
        "was built for contract {}, this host speaks 1.0 (update adeval)\n",
        ContractVersion::CURRENT
    );
    assert_eq!(code, Some(1), "{said}");
    assert!(said.ends_with(&sentence) && said.lines().count() == 1, "{said}");
}

//! `adeval plugin list` and `inspect`: what is there, and what is no plugin.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_sdk::ContractVersion;
use adeval_tests::{Ended, Room, built};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// All installed plugins of people, and nothing else.
fn real() -> Room {
    Room::with_plugins(&built::REAL)
}

fn component<'v>(list: &'v Value, name: &str) -> &'v Value {
    let components = list["components"].as_array().into_iter().flatten();
    components.clone().find(|c| c["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[test]
fn a_list_shows_what_each_component_is() {
    let room = real();
    let text = room.adeval("plugin list").run().done();
    for word in ["COMPONENT", "template-prompt", "scene-background", "heuristic-reward", "image-embedder"] {
        assert!(text.stdout.contains(word), "{word}: {text:?}");
    }
    assert!(text.stderr.is_empty(), "{text:?}");
    let list = room.adeval("plugin list --json").run().done().json();
    assert_eq!(list["components"].as_array().map(Vec::len), Some(4), "{list}");
    let scene = component(&list, "scene-background");
    assert_eq!(scene["kind"], "background-generator");
    let contract = ContractVersion::CURRENT.to_string();
    assert_eq!((&scene["contract"], &scene["trainable"]), (&contract.into(), &false.into()));
    assert_eq!(scene["digest"].as_str().map(str::len), Some(64), "{scene}");
    assert!(Path::new(scene["path"].as_str().unwrap_or_default()).is_file(), "{scene}");
    for key in ["failures", "warnings"] {
        assert_eq!(list[key], Value::Array(Vec::new()), "{key}");
    }
    assert_eq!(
        list["searched"].as_array().map(Vec::len),
        Some(5),
        "the plugins and the program's folder: {list}"
    );
}

#[test]
fn a_list_can_be_of_one_kind() {
    let room = real();
    let list = room.adeval("plugin list --kind reward-model --json").run().done().json();
    assert_eq!(list["components"].as_array().map(Vec::len), Some(1), "{list}");
    let wrong = room.adeval("plugin list --kind judge").run().with_code(2);
    assert!(wrong.stderr.contains("reward-model") && wrong.stderr.contains("judge"), "{wrong:?}");
}

#[test]
fn without_plugins_the_list_says_where_it_looked() {
    let empty = Room::with_plugins(&[]).adeval("plugin list").run().done();
    assert!(empty.stderr.contains("searched") && empty.stderr.contains("--plugins DIR"), "{empty:?}");
}

#[test]
fn inspect_shows_parameters_with_their_ranges() {
    let room = Room::new();
    let text = room.adeval("plugin inspect sleeps").run().done().stdout;
    for word in
        ["misbehaving 0.1.0", "milliseconds", "from 1 to 60000", "20", "Milliseconds a creative", "MIT"]
    {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
    let json = room.adeval("--json plugin inspect sleeps").run().done().json();
    assert_eq!(json[0]["defaults"]["milliseconds"], 20, "{json}");
    assert_eq!(json[0]["parameters"]["properties"]["milliseconds"]["maximum"], 60_000, "{json}");
    assert_eq!(json[0]["determinism"], "bitwise", "{json}");
}

#[test]
fn inspect_takes_a_component_a_library_or_a_file() {
    let room = Room::new();
    let of = |name: &str| room.adeval("--json plugin inspect").arg(name).run().done().json();
    let all = of("misbehaving");
    assert!(all.as_array().is_some_and(|found| found.len() > 25), "{all}");
    assert_eq!(of("misbehaving/panics")[0]["name"], "panics");
    let elsewhere = Room::with_plugins(&[]);
    let file =
        elsewhere.adeval("--json plugin inspect").arg(built::library(built::SECOND)).run().done().json();
    assert_eq!((&file[0]["library"], &file[0]["version"]), (&"second".into(), &"2.0.0".into()));
}

#[test]
fn a_name_that_is_not_there_is_mended() {
    let room = Room::new();
    let words = ["panicks", "did you mean \"panics\"?"];
    room.adeval("plugin inspect panicks").run().refused(1, &words);
    let json = room.adeval("--json plugin inspect panicks").run().with_code(1).json();
    assert!(json["error"]["message"].as_str().is_some_and(|m| m.contains("panicks")), "{json}");
}

/// A folder with one good plugin and four files that are none.
fn mixed() -> Room {
    let room = Room::with_plugins(&[]);
    let second = fs::read(built::library(built::SECOND)).unwrap();
    room.write("plugins/libgood.so", &second);
    room.write("plugins/libtruncated.so", &second[..second.len() / 2]);
    room.write("plugins/libtext.so", "this is a text\n");
    room.write("plugins/libempty.so", "");
    room.write("plugins/libfuture.so", built::of_contract_nine());
    room.write("plugins/readme.txt", "not looked at");
    room
}

#[test]
fn files_that_are_no_plugins_are_named_and_the_good_ones_listed() {
    let room = mixed();
    let ended = room.adeval("--json plugin list --plugins plugins").run().with_code(3);
    let list = ended.json();
    assert_eq!(component(&list, "well-behaved")["library"], "second");
    let failures = list["failures"].as_array().cloned().unwrap_or_default();
    assert_eq!(failures.len(), 4, "{list}");
    for (name, words) in [
        ("libtruncated.so", "truncated"),
        ("libtext.so", "is not an adeval plugin"),
        ("libempty.so", "is not an adeval plugin"),
        ("libfuture.so", "was built for contract 9.0, this host speaks 1."),
    ] {
        let failure = failures.iter().find(|f| f["path"].as_str().is_some_and(|p| p.ends_with(name)));
        let message = failure.and_then(|f| f["error"]["message"].as_str()).unwrap_or_default();
        assert!(message.contains(words) && message.contains(name), "{name}: {message}");
    }
    let text = room.adeval("plugin list --plugins plugins").run().with_code(3);
    text.speaks_plainly();
    assert_eq!(text.stderr.lines().filter(|line| line.starts_with("warning: ")).count(), 4, "{text:?}");
    assert!(text.stderr.contains("update adeval"), "{text:?}");
}

#[test]
fn a_file_that_is_no_plugin_is_refused_by_name() {
    let room = mixed();
    let inspect = |name: &str| room.adeval("plugin inspect").arg(room.path("plugins").join(name)).run();
    inspect("libtruncated.so").refused(1, &["libtruncated.so", "truncated"]);
    inspect("libtext.so").refused(1, &["libtext.so", "is not an adeval plugin"]);
    inspect("libfuture.so").refused(1, &["libfuture.so", "contract 9.0", "update adeval"]);
    let bench = room.adeval("bench nothing.toml --plugins plugins/libtext.so").run();
    bench.refused(1, &["nothing.toml"]);
    room.products(1);
    let render = |options: &str| room.adeval("render products/p0.png").args(options.split(' ')).run();
    render("--plugins plugins/libtext.so").refused(1, &["libtext.so", "is not an adeval plugin"]);
    render("--plugins nowhere").refused(1, &["nowhere", "cannot be searched"]);
}

/// A library that crashes or hangs as soon as it is loaded must not take the list with it; a plugin that does so only
/// when it is used is none of the list's business.
#[test]
fn the_library_of_misbehaving_components_can_be_listed() {
    let room = Room::new();
    let list: Ended = room.adeval("--json plugin list").run().done();
    for id in ["panics", "segfaults", "hangs", "plain-prompt", "nan-preference", "nan-features"] {
        assert_eq!(component(&list.json(), id)["library"], "misbehaving");
    }
}

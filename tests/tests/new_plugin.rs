//! `adeval plugin new`: crates of every kind build, pass their own tests, are listed, and get into a board.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]
mod nested;

use adeval_tests::{Program, Room, built};
use nested::{cargo, library, repository};
use serde_json::Value;
use std::fs;
use std::process::Command;

const KINDS: [&str; 5] =
    ["background-generator", "prompt-generator", "reward-model", "image-embedder", "rl-optimizer"];

fn name(kind: &str) -> String {
    format!("fresh-{kind}")
}

/// Makes a crate of each kind in the folder `crates`, as a person does.
fn make_all(room: &Room) {
    for kind in KINDS {
        let made = room
            .adeval(&format!("plugin new --json --kind {kind} {}", name(kind)))
            .args(["--path", &format!("crates/{}", name(kind)), "--sdk"])
            .arg(repository())
            .run()
            .with_code(0)
            .json();
        assert_eq!(made["next"].as_array().map(Vec::len), Some(3), "{made}");
        for file in made["files"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(room.path("crates").join(name(kind)).join(file).is_file(), "{file} was not written");
        }
    }
}

/// Makes them members of one workspace, as their manifests say how, so that they are compiled together.
fn join(room: &Room) {
    for kind in KINDS {
        let manifest = room.path("crates").join(name(kind)).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        assert_eq!(text.matches("\n[workspace]\n").count(), 1);
        let profile = text.find("\n[profile.release]").unwrap();
        fs::write(&manifest, text[..profile].replace("\n[workspace]\n", "\n")).unwrap();
    }
    let root =
        "[workspace]\nresolver = \"3\"\nmembers = [\"fresh-*\"]\n[profile.release]\noverflow-checks = true\n";
    room.write("crates/Cargo.toml", root);
    fs::copy(repository().join("Cargo.lock"), room.path("crates/Cargo.lock")).unwrap();
}

/// Shrinks a crate's suite, leaves out the entry whose plugin the tests do not build, runs it on two products, and gives
/// its result.
fn bench(room: &Room, kind: &str) -> Value {
    let file = room.path("crates").join(name(kind)).join("suite.toml");
    let text = fs::read_to_string(&file).unwrap();
    let tables: Vec<&str> = text.split("\n\n").filter(|table| !table.contains("photo-background")).collect();
    let small =
        tables.join("\n\n").replacen("\nseed = 1\n", "\nseed = 1\nsize = [96, 96]\nresamples = 200\n", 1);
    assert_ne!(small, text);
    fs::write(&file, small).unwrap();
    let runs = format!("runs-{kind}");
    let ended =
        room.adeval("bench --limit 2 --plugins libraries --runs").arg(&runs).arg(&file).run().with_code(0);
    ended.speaks_plainly();
    room.run_in(&runs).result()
}

fn ids<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().filter_map(|item| item[key].as_str()).collect()
}

#[test]
fn crates_of_every_kind_build_pass_their_tests_and_get_into_a_board() {
    let room = Room::with_plugins(&[&built::REAL[..], &[built::OPTIMIZERS]].concat());
    make_all(&room);
    // One as it is, in a workspace of its own and with the lock file that it came with.
    let alone = room.path("crates").join(name("reward-model"));
    cargo(&alone, &["build", "--release", "--offline"]);
    join(&room);
    let crates = room.path("crates");
    cargo(&crates, &["fmt", "--all", "--check"]);
    let said = cargo(&crates, &["test", "--release", "--offline", "--lib"]);
    assert_eq!(said.matches("test result: ok.").count(), KINDS.len(), "{said}");
    assert!(!said.contains("running 0 tests"), "{said}");
    cargo(&crates, &["build", "--release", "--offline"]);
    fs::create_dir(room.path("libraries")).unwrap();
    for kind in KINDS {
        let built = library(&name(kind));
        fs::copy(&built, room.path("libraries").join(built.file_name().unwrap())).unwrap();
    }
    are_listed(&room);
    for kind in KINDS {
        conforms(&room, kind);
        let result = bench(&room, kind);
        match kind {
            "rl-optimizer" => learns(&name(kind), &result["optimizers"]["board"]),
            _ => is_on_the_board(kind, &result["board"]),
        }
    }
}

/// `plugin list` shows each, with its kind.
fn are_listed(room: &Room) {
    let list = room.adeval("plugin list --json --plugins libraries").run().with_code(0).json();
    for kind in KINDS {
        let found = list["components"].as_array().into_iter().flatten().find(|c| c["name"] == *name(kind));
        assert_eq!(found.map(|c| &c["kind"]), Some(&Value::from(kind)), "{list}");
    }
}

/// It passes the strict check, without the rules that look at the clock: a busy machine would fail them.
fn conforms(room: &Room, kind: &str) {
    let library = library(&name(kind));
    let skipped = ["--skip", "cancellation", "--skip", "time-stable", "--skip", "load-is-quick"];
    let check = room.adeval("plugin check --level strict").args(skipped).arg(library);
    check.run().with_code(0).speaks_plainly();
}

/// A generator has a row of its own, complete; a judge and an embedder have columns.
fn is_on_the_board(kind: &str, board: &Value) {
    let name = name(kind);
    let rows = board["rows"].as_array().unwrap();
    assert!(rows.len() >= 2, "{board:#}");
    for row in rows {
        assert_eq!(
            (&row["coverage"]["done"], &row["coverage"]["planned"]),
            (&2.into(), &2.into()),
            "{row:#}"
        );
    }
    let columns = ids(&board["columns"], "id");
    match kind {
        "reward-model" => {
            let own = columns.iter().filter(|id| id.contains(&name)).count();
            assert!(
                own >= 2 && board["primary_column"].as_str().is_some_and(|id| id.contains(&name)),
                "{columns:?}"
            );
        }
        "image-embedder" => assert!(columns.iter().any(|id| id.contains("moments1")), "{columns:?}"),
        _ => assert!(ids(&board["rows"], "entry").contains(&name.as_str()), "{board:#}"),
    }
}

/// An optimizer stands beside the reference ones, complete, and has learned.
fn learns(name: &str, board: &Value) {
    let rows = board["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "{board:#}");
    for row in rows {
        assert_eq!(row["coverage"]["done"], row["coverage"]["planned"], "{row:#}");
        let gap = &row["cells"]["gap_closed"];
        assert!(gap["low"].as_f64() > Some(0.3), "{row:#}");
    }
    assert!(ids(&board["rows"], "optimizer").contains(&name), "{board:#}");
}

#[test]
fn the_sdk_is_found_above_the_folder() {
    let room = Room::with_plugins(&[]);
    let made = room.path("taste");
    Program::new(&repository(), &room.plugin_path())
        .args(["plugin", "new", "--kind", "reward-model", "taste", "--path"])
        .arg(&made)
        .run()
        .done();
    let metadata = cargo(&made, &["metadata", "--offline", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    assert!(ids(&metadata["packages"], "name").contains(&"adeval-sdk"));
}

/// The program in a place without a clone of adeval above it.
fn far_from_the_clone(room: &Room) -> Program {
    let far = room.path("adeval");
    if !far.exists() {
        // By another process: a program that is started while a neighbour test forks with the file still open for writing is
        // refused as busy.
        let copied = Command::new("cp").arg(built::program()).arg(&far).status().unwrap();
        assert!(copied.success());
    }
    Program::of(Command::new(far), &room.path("."), &room.plugin_path()).args(["plugin", "new", "--kind"])
}

#[test]
fn what_cannot_be_made_is_refused_with_the_mend() {
    let room = Room::with_plugins(&[]);
    let new =
        |arguments: &str| far_from_the_clone(&room).arg("reward-model").args(arguments.split(' ')).run();
    new("Taste_Maker").refused(1, &["\"Taste_Maker\"", "did you mean \"taste-maker\"?"]);
    new("fn").refused(1, &["\"fn\"", "\"fn-plugin\""]);
    new("").refused(1, &["the name is empty"]);
    new("taste --sdk newest").refused(1, &["\"newest\"", "--sdk ../adeval"]);
    new("taste --sdk .").refused(1, &["no clone of adeval", "--sdk ../adeval"]);
    new("taste").refused(1, &["the sdk was not found", "--sdk PATH"]);
    assert!(!room.path("taste").exists());
    let mine = room.write("taste/mine", "text");
    new("taste --sdk 0.1").refused(1, &["taste exists already", "--path"]);
    assert_eq!(fs::read_to_string(mine).unwrap(), "text");
    let _ = far_from_the_clone(&room).args(["judge", "taste"]).run().with_code(2);
}

/// Without a clone there may still be fixtures above the folder; a suite names those, or says where products are to go.
#[test]
fn a_crate_on_an_sdk_from_a_registry_has_products_or_says_where_they_go() {
    let room = Room::with_plugins(&[]);
    let made = far_from_the_clone(&room).args(["background-generator", "dusk", "--sdk", "0.1"]).run();
    let made = made.with_code(0);
    let manifest = fs::read_to_string(room.path("dusk/Cargo.toml")).unwrap();
    assert!(manifest.contains("adeval-sdk = \"0.1\""), "{manifest}");
    let suite = fs::read_to_string(room.path("dusk/suite.toml")).unwrap();
    let path = suite.split_once("path = \"").and_then(|(_, rest)| rest.split('"').next()).unwrap();
    if path == "products" {
        assert!(made.stderr.contains("dusk/products"), "{made:#?}");
    } else {
        assert!(room.path("dusk").join(path).is_file(), "{path}");
    }
}

//! A suite that was run in shards ends with the board of one run.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Program, Room, RunDir, Suite, built, pictures, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every metric there is, over five products, five reference scenes and three seeds.
fn full(name: &str) -> (Room, PathBuf) {
    let room = Room::with_plugins(&[built::MISBEHAVING, built::OPTIMIZERS]);
    room.products(5);
    for k in 0..5 {
        room.write(&format!("scenes/s{k}.png"), pictures::cut_out(k));
    }
    let suite = Suite::new(name)
        .set("samples", "2")
        .set("metrics", r#"["win-rate", "predicted-ctr", "product-fidelity", "frechet-distance"]"#)
        .entry("dark", "well-behaved", "red = 10")
        .entry("bright", "well-behaved", "red = 230")
        .table("[embedder]\nplugin = \"mean-colour\"\n[reference]\npath = \"scenes\"")
        .table(
            "[[optimizer]]\nid = \"dpo\"\nplugin = \"dpo\"\n[[optimizer]]\nid = \"pcpo\"\nplugin = \"pcpo\"",
        )
        .table("[bandit]\nseeds = 3\ncreatives = 160");
    let file = room.suite(&suite);
    (room, file)
}

/// Two entries of small, quick creatives, over four products.
fn small(name: &str) -> (Room, PathBuf) {
    Room::with_suite(
        4,
        &Suite::new(name).entry("a", "well-behaved", "").entry("b", "well-behaved", "red = 9"),
    )
}

/// A shard that is still to be run.
fn shard(room: &Room, suite: &Path, runs: &str, shard: &str) -> Program {
    room.adeval(&format!("--json bench --runs {runs} --shard {shard}")).arg(suite)
}

/// Where a shard is, by what it printed.
fn run_dir(room: &Room, json: &Value) -> PathBuf {
    room.path(json["run_dir"].as_str().unwrap())
}

/// Runs all shards beside each other; their folders, last shard first.
fn all_shards(room: &Room, suite: &Path, runs: &str, count: usize) -> Vec<PathBuf> {
    let started: Vec<_> =
        (1..=count).rev().map(|i| shard(room, suite, runs, &format!("{i}/{count}")).start()).collect();
    started.into_iter().map(|running| run_dir(room, &running.wait().done().json())).collect()
}

fn merge(room: &Room, options: &str, shards: &[PathBuf]) -> Program {
    room.adeval(&format!("--json merge {options}")).args(shards)
}

/// Records by their keys.
fn records(run: &RunDir) -> BTreeMap<String, String> {
    let key = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        (record["key"].as_str().unwrap().to_owned(), line.to_owned())
    };
    run.text("records.jsonl").lines().map(key).collect()
}

/// All of `result.json` but the times of the calls.
fn all_but_session(run: &RunDir) -> String {
    let text = run.text("result.json");
    text[..text.rfind("\"session\"").unwrap()].to_owned()
}

#[test]
fn one_two_and_seven_shards_end_with_the_board_of_one_run() {
    let (room, suite) = full("sharded");
    room.adeval("bench --runs whole").arg(&suite).run().done();
    let whole = room.run_in("whole");
    let measured = records(&whole);
    for count in [1, 2, 7] {
        let dirs = all_shards(&room, &suite, &format!("shards-{count}"), count);
        let json = merge(&room, &format!("--runs merged-{count}"), &dirs).run().done().json();
        let merged = room.run_in(&format!("merged-{count}"));
        assert_eq!(merged.path.file_name(), whole.path.file_name(), "it is named as the run of one call");
        assert_eq!(merged.board_bytes(), whole.board_bytes(), "{count} shards");
        assert_eq!(merged.result()["optimizers"]["board"], whole.result()["optimizers"]["board"]);
        assert_eq!(merged.images(), whole.images(), "{count} shards");
        assert!(merged.path.join("sheets/dark.png").is_file());
        assert_eq!(json["shards"].as_array().map(Vec::len), Some(count), "{json}");
        assert_eq!(json["results"], measured.len(), "{json}");
        let again =
            room.adeval(&format!("--json bench --runs merged-{count}")).arg(&suite).run().done().json();
        assert_eq!(again["computed"], 0, "the merged run lacks nothing: {again}");

        // What a clock and a memory meter said differs between two runs: give the shards what they said in the one.
        let mut keys = BTreeSet::new();
        for dir in &dirs {
            let shard = RunDir { path: dir.clone() };
            let own = records(&shard);
            let lines: Vec<&str> = own.keys().map(|key| measured[key].as_str()).collect();
            fs::write(dir.join("records.jsonl"), lines.join("\n") + "\n").unwrap();
            keys.extend(own.into_keys());
        }
        assert!(keys.iter().eq(measured.keys()), "{count} shards compute what one run does");
        merge(&room, &format!("--out exact-{count}"), &dirs).run().done();
        let exact = RunDir { path: room.path(&format!("exact-{count}")) };
        assert_eq!(all_but_session(&exact), all_but_session(&whole), "{count} shards");
        assert_eq!(exact.text("LEADERBOARD.md"), whole.text("LEADERBOARD.md"), "{count} shards");
        let before = exact.text("result.json");
        merge(&room, &format!("--out exact-{count}"), &dirs).run().done();
        assert_eq!(exact.text("result.json"), before, "merging again changes nothing");
    }
}

#[test]
fn a_killed_shard_is_refused_until_it_is_resumed() {
    let suite =
        Suite::new("killed").entry("b", "well-behaved", "").entry("slow", "sleeps", "milliseconds = 200");
    let (room, file) = Room::with_suite(6, &suite);
    room.adeval("bench --runs whole").arg(&file).run().done();
    let second = run_dir(&room, &shard(&room, &file, "runs", "2/2").run().done().json());
    let first = PathBuf::from(second.display().to_string().replace("-2-of-2", "-1-of-2"));
    let running = shard(&room, &file, "runs", "1/2").start();
    let run = RunDir { path: first.clone() };
    // Three prompts, the creatives of the quick entry, its memory, and one of the slow entry.
    wait_for("some results", || run.results() >= 8);
    let dirs = [second, first.clone()];
    merge(&room, "--runs merged", &dirs).run().refused(1, &["in use by another adeval process"]);
    running.signal(Signal::KILL);
    assert_eq!(running.wait().signal, Some(9), "it was too quick to be killed");

    merge(&room, "--runs merged", &dirs).run().refused(1, &["-1-of-2: it is unfinished", "runs resume"]);
    assert!(!room.path("merged").exists(), "all shards are checked before anything is written");
    let listed = room.adeval("runs list").run().done().stdout;
    assert!(listed.contains("unfinished") && listed.contains("(shard 1 of 2)"), "{listed}");
    let json = room.adeval("--json runs resume").arg(&first).run().done().json();
    assert!(json["computed"].as_u64() > Some(0) && json["shard"]["index"] == 1, "{json}");
    merge(&room, "--runs merged", &dirs).run().done();
    let (merged, whole) = (room.run_in("merged"), room.run_in("whole"));
    assert_eq!(merged.board_bytes(), whole.board_bytes());
    assert_eq!(merged.images(), whole.images());
}

#[test]
fn ctrl_c_ends_a_shard_and_the_same_command_goes_on() {
    let suite = Suite::new("stopped").entry("slow", "sleeps", "milliseconds = 60");
    let (room, file) = Room::with_suite(8, &suite);
    let running = shard(&room, &file, "runs", "1/2").start();
    wait_for("some results", || RunDir::find_in(&room.path("runs")).is_some_and(|run| run.results() >= 3));
    running.signal(Signal::INT);
    running.wait().with_code(130).speaks_plainly();
    let run = room.run_in("runs");
    assert!(!run.path.join("shard.json").exists());
    let again = shard(&room, &file, "runs", "1/2").run().done().json();
    assert!(again["computed"].as_u64() > Some(0), "{again}");
    let report: Value = serde_json::from_str(&run.text("shard.json")).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../schemas/shard.schema.json")).unwrap();
    assert!(jsonschema::is_valid(&schema, &report), "{report}");
    let nothing = shard(&room, &file, "runs", "1/2").run().done().json();
    assert_eq!((&nothing["computed"], &nothing["session"]), (&0.into(), &report["session"]), "{nothing}");
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let (room, suite) = small("apart");
    let dirs = all_shards(&room, &suite, "runs", 3);
    let [third, second, first] = dirs.as_slice() else { panic!("{dirs:?}") };
    let refused = |dirs: &[&PathBuf], words: &[&str]| {
        let dirs: Vec<PathBuf> = dirs.iter().map(|dir| (*dir).clone()).collect();
        merge(&room, "--runs merged", &dirs).run().refused(1, words);
        assert!(!room.path("merged").exists(), "nothing is written: {words:?}");
    };
    refused(&[third, first], &["in 3 shards", "shard 2 is not among", "--shard 2/3"]);
    refused(&[third, first, second, first], &["-1-of-3: it is shard 1 of 3, and so is", "name one of them"]);
    refused(&[first, &room.path("none")], &["no run directory"]);

    room.adeval("bench --runs whole").arg(&suite).run().done();
    refused(&[first, second, &room.run_in("whole").path], &["a whole suite and no shard"]);
    let other_count = all_shards(&room, &suite, "halves", 2);
    refused(&[first, second, &other_count[0]], &["shard 2 of 2", "is 1 of 3"]);
    let limited = room.adeval("--json bench --runs limited --limit 3 --shard 3/3").arg(&suite).run().done();
    refused(&[first, second, &run_dir(&room, &limited.json())], &["another --limit"]);
    room.products(6);
    let longer = shard(&room, &suite, "longer", "3/3").run().done().json();
    refused(&[first, second, &run_dir(&room, &longer)], &["another list of products"]);
    room.products(4);
    let text = fs::read_to_string(&suite).unwrap();
    fs::write(&suite, text.replace("seed = 7", "seed = 8")).unwrap();
    let seeded = shard(&room, &suite, "seeded", "3/3").run().done().json();
    refused(&[first, second, &run_dir(&room, &seeded)], &["another suite"]);

    let manifest = fs::read_to_string(third.join("run.json")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let older =
        manifest.replace(&format!("\"adeval_version\": \"{version}\""), "\"adeval_version\": \"0.0.1\"");
    fs::write(third.join("run.json"), older).unwrap();
    refused(&[first, second, third], &["run by adeval 0.0.1", "merge with the version"]);
    let mut changed: Value = serde_json::from_str(&manifest).unwrap();
    changed["components"]["judge \"eye\""]["library_hash"] = "0".into();
    fs::write(third.join("run.json"), changed.to_string()).unwrap();
    refused(&[first, second, third], &["judge \"eye\" is another build of its plugin"]);
    fs::write(third.join("run.json"), manifest).unwrap();

    let third_run = RunDir { path: third.clone() };
    let image = third_run.images().into_keys().next().unwrap();
    let image = third.join("images").join(&image[..2]).join(&image);
    let pixels = fs::read(&image).unwrap();
    fs::write(&image, "no image").unwrap();
    refused(&[first, second, third], &["missing or damaged (shard 3 of 3)", "runs resume"]);
    fs::write(&image, pixels).unwrap();
    merge(&room, "", &dirs).arg("--out").arg(third).run().refused(1, &["one of its shards", "--out"]);
    merge(&room, "--runs merged", &dirs).run().done();
    assert_eq!(room.run_in("merged").board_bytes(), room.run_in("whole").board_bytes());
}

#[test]
fn a_component_that_one_shard_could_not_open_is_told() {
    let suite = Suite::new("unopened").entry("good", "well-behaved", "").entry("bad", "refuses-to-start", "");
    let (room, file) = Room::with_suite(4, &suite);
    room.adeval("bench --runs whole").arg(&file).run().with_code(3);
    let running: Vec<_> = ["1/2", "2/2"].map(|i| shard(&room, &file, "runs", i).start()).into();
    let ended: Vec<_> = running.into_iter().map(|one| one.wait().with_code(3)).collect();
    assert!(ended[0].json()["unopened"][0]["user"] == "entry \"bad\": background", "{ended:?}");
    let dirs: Vec<_> = ended.iter().map(|one| run_dir(&room, &one.json())).collect();
    let merged = merge(&room, "--runs merged", &dirs).run().with_code(3);
    assert!(merged.stderr.contains("shard 2 of 2: entry \"bad\": background"), "{merged:?}");
    assert_eq!(room.run_in("merged").board_bytes(), room.run_in("whole").board_bytes());
}

#[test]
fn schedulers_say_which_shard_it_is() {
    let (room, suite) = small("scheduled");
    let auto = || shard(&room, &suite, "runs", "auto/3");
    let wrong = |program: Program, words: &[&str]| {
        let stderr = program.run().with_code(2).stderr;
        assert!(words.iter().all(|word| stderr.contains(word)), "{words:?}: {stderr}");
    };
    wrong(auto(), &["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "write a number"]);
    wrong(auto().env("SLURM_ARRAY_TASK_ID", "4"), &["SLURM_ARRAY_TASK_ID is 4", "numbered 1-3"]);
    wrong(shard(&room, &suite, "runs", "4/3"), &["numbered from 1 to 3"]);
    let slurm = auto().env("SLURM_ARRAY_TASK_ID", "2").run().done().json();
    assert_eq!(slurm["shard"], serde_json::json!({ "index": 2, "count": 3 }));
    let kubernetes = auto().env("JOB_COMPLETION_INDEX", "2").run().done().json();
    assert_eq!(kubernetes["shard"], serde_json::json!({ "index": 3, "count": 3 }));
    let dir = kubernetes["run_dir"].as_str().unwrap();
    let shown = room.adeval("runs show").arg(dir).run().done().stdout;
    assert!(shown.contains("Shard    3 of 3") && shown.contains("adeval merge runs/scheduled-"), "{shown}");
    room.adeval("runs compare").arg(dir).arg(dir).run().refused(1, &["is a shard", "merge"]);
}

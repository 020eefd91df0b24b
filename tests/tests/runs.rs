//! `adeval runs`: what was run before.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Room, RunDir, Suite, wait_for};
use rustix::process::Signal;
use serde_json::Value;

fn name_of(run: &RunDir) -> String {
    run.path.file_name().unwrap().to_string_lossy().into_owned()
}

/// A room with two finished runs, `one-...` and `two-...`, in `runs`.
fn two_runs() -> Room {
    let room = Room::new();
    room.products(3);
    for (name, red) in [("one", 10), ("two", 240)] {
        let suite = Suite::new(name).entry("same", "well-behaved", "").entry(
            "changed",
            "well-behaved",
            &format!("red = {red}"),
        );
        let file = room.suite(&suite);
        room.adeval("bench").arg(file).run().done();
    }
    room
}

#[test]
fn runs_are_listed_shown_and_compared() {
    let room = two_runs();
    let list = room.adeval("--json runs list").run().done().json();
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    assert!(
        list.as_array()
            .unwrap()
            .iter()
            .all(|run| run["finished"] == true && run["records"].as_u64() > Some(10))
    );
    let text = room.adeval("runs list").run().done().stdout;
    assert!(text.contains("one-") && text.contains("two-") && text.contains("finished"), "{text}");

    let shown = room.adeval("runs show one").run().done().stdout;
    for word in ["one-", "misbehaving 0.1.0", "MIT OR Apache-2.0", "same", "changed"] {
        assert!(shown.contains(word), "{word}:\n{shown}");
    }
    let json = room.adeval("--json runs show one").run().done().json();
    assert_eq!(json["manifest"]["suite"], "one");
    assert!(json["result"]["board"]["rows"].is_array());

    let differences = room.adeval("--json runs compare one two").run().done().json();
    let of = |entry: &str, column: &str| -> f64 {
        let all = differences.as_array().unwrap();
        let found = all.iter().find(|d| d["entry"] == entry && d["column"] == column);
        found
            .and_then(|d| d["difference"].as_f64())
            .unwrap_or_else(|| panic!("{entry} {column}: {differences}"))
    };
    assert!(of("same", "predicted_ctr:eye").abs() < 1e-12);
    assert!(of("changed", "predicted_ctr:eye") > 0.001, "a redder ground is a brighter one");
    let text = room.adeval("runs compare one two").run().done().stdout;
    assert!(text.contains("predicted") && text.contains("B - A"), "{text}");
}

#[test]
fn a_run_is_named_by_folder_name_or_start() {
    let room = two_runs();
    let listed = room.adeval("--json runs list").run().done().json();
    let full = listed[0]["name"].as_str().unwrap().to_owned();
    for name in [full.clone(), full[..3].to_owned(), format!("runs/{full}")] {
        room.adeval("runs show").arg(name).run().done();
    }
    room.adeval("runs show three").run().refused(1, &["\"three\"", "runs list"]);
    room.adeval("runs show runs/three").run().refused(1, &["runs/three", "no run directory"]);
    room.adeval("runs show products").arg("--runs").arg(".").run().refused(1, &["products"]);
}

#[test]
fn a_start_that_fits_two_runs_is_not_guessed() {
    let room = Room::new();
    room.products(1);
    for (name, red) in [("alike-a", "1"), ("alike-b", "2")] {
        let file = room.suite(&Suite::new(name).entry("e", "well-behaved", &format!("red = {red}")));
        room.adeval("bench").arg(file).run().done();
    }
    room.adeval("runs show alike").run().refused(1, &["alike-a-", "alike-b-", "more of the name"]);
}

#[test]
fn without_runs_the_list_is_empty() {
    let room = Room::new();
    let text = room.adeval("runs list").run().done();
    assert!(text.stdout.contains("no run in runs"), "{text:?}");
    assert_eq!(room.adeval("--json runs list").run().done().json(), Value::Array(Vec::new()));
}

#[test]
fn a_killed_run_is_resumed_with_the_suite_as_it_was() {
    let suite =
        Suite::new("resumed").entry("a", "sleeps", "milliseconds = 80").entry("b", "well-behaved", "");
    let (room, file) = Room::with_suite(6, &suite);
    room.adeval("bench --runs whole").arg(&file).run().done();
    let bench = room.adeval("bench").arg(&file).start();
    wait_for("the prompts", || RunDir::find_in(&room.path("runs")).is_some_and(|run| run.results() > 0));
    bench.signal(Signal::KILL);
    bench.wait();
    let run = room.run_in("runs");
    room.adeval("runs compare resumed resumed").run().refused(1, &["unfinished", "runs resume"]);
    let shown = room.adeval("runs show resumed").run().done().stdout;
    assert!(shown.contains("unfinished"), "{shown}");
    let listed = room.adeval("--json runs list").run().done().json();
    assert_eq!(listed[0]["finished"], false);

    // The run knows its suite: the file may have changed or gone.
    std::fs::remove_file(&file).unwrap();
    let json = room.adeval("--json runs resume resumed").run().done().json();
    assert!(json["computed"].as_u64() > Some(0), "{json}");
    assert_eq!(name_of(&run), name_of(&room.run_in("runs")), "no second run was begun");
    assert_eq!(run.board_bytes(), room.run_in("whole").board_bytes());
    let again = room.adeval("--json runs resume resumed").run().done().json();
    assert_eq!(again["computed"], 0);
}

#[test]
fn a_damaged_run_is_named_with_the_mend() {
    let (room, file) = Room::with_suite(1, &Suite::new("bad").entry("e", "well-behaved", ""));
    room.adeval("bench").arg(&file).run().done();
    let run = room.run_in("runs");
    std::fs::write(run.path.join("run.json"), "{ half").unwrap();
    room.adeval("runs show").arg(&run.path).run().refused(1, &["run.json", "damaged"]);
    // A bench writes it anew, and keeps what was computed.
    let json = room.adeval("--json bench").arg(&file).run().done().json();
    assert_eq!(json["computed"], 0, "{json}");
}

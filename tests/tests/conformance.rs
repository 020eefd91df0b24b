//! The check catches every plugin that is known to be bad, by the rule that is meant for it, and survives them all; good
//! ones raise no alarm.

use adeval_tests::{Room, built, is_alive, wait_for};
use serde_json::Value;
use std::path::Path;

/// Misbehaviour, the rule that must catch it, and how it must end.
const KNOWN_BAD: [(&str, &str, &str); 43] = [
    ("panics", "ordinary-request", "failed"),
    ("panics-in-create", "creates", "failed"),
    ("refuses-to-start", "creates", "failed"),
    ("aborts", "ordinary-request", "crashed"),
    ("segfaults", "ordinary-request", "crashed"),
    ("overflows-its-stack", "ordinary-request", "crashed"),
    ("hangs", "ordinary-request", "timed-out"),
    ("hangs-in-create", "creates", "timed-out"),
    ("exits", "ordinary-request", "crashed"),
    ("allocates-without-end", "ordinary-request", "crashed"),
    ("returns-another-size", "ordinary-request", "failed"),
    ("lies-about-its-size", "ordinary-request", "failed"),
    ("returns-too-many", "batch-count", "failed"),
    ("answers-nonsense", "ordinary-request", "failed"),
    ("prints", "stdout-silent", "failed"),
    ("empty-prompt", "prompt-text", "failed"),
    ("too-many-samples", "ordinary-request", "failed"),
    ("nan-preference", "ordinary-request", "failed"),
    ("ctr-above-one", "ctr-range", "failed"),
    ("loses-an-answer", "batch-count", "failed"),
    ("aborts-on-a-pair", "ordinary-request", "crashed"),
    ("nan-features", "ordinary-request", "failed"),
    ("ignores-the-seed", "other-seed", "failed"),
    ("keeps-state", "earlier-calls", "failed"),
    ("leaks", "memory-growth", "failed"),
    ("unsteady-in-threads", "threads", "failed"),
    ("sums-by-thread", "thread-count", "failed"),
    ("looks-at-its-neighbours", "batch-equals-single", "failed"),
    ("unstoppable", "cancellation", "failed"),
    ("takes-any-parameter", "unknown-parameter", "failed"),
    ("refuses-the-swap", "order-swap", "failed"),
    ("loves-the-left", "self-comparison", "failed"),
    ("learns-backwards", "reward-loss-falls", "failed"),
    ("replaces-the-gradient", "gradient-adds-up", "failed"),
    ("halves-its-gradient", "gradient-fits-loss", "failed"),
    ("ignores-token-weights", "gradient-fits-loss", "failed"),
    ("forgets-its-training", "save-and-load", "failed"),
    ("loads-anything", "broken-saves", "failed"),
    ("forgets-the-mean", "loss-gradient", "failed"),
    ("climbs", "loss-falls", "failed"),
    ("counts-its-samples", "sample-count", "failed"),
    ("says-uniform", "log-probs-are-frequencies", "failed"),
    ("moves-its-reference", "reference-stays", "failed"),
];

/// Components without a fault, in the same library.
const CONTROLS: [&str; 6] =
    ["well-behaved", "plain-prompt", "brightness", "mean-colour", "learns-well", "honest-policy"];

fn check(room: &Room, library: &Path, options: &str) -> (Option<i32>, Value) {
    let ended = room.adeval(&format!("plugin check --json -q {options}")).arg(library).run();
    let report = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("no JSON from {options}: {error}; stderr: {}", ended.stderr));
    (ended.code, report)
}

fn bad(report: &Value) -> Vec<&Value> {
    let is_bad =
        |attempt: &&Value| ["failed", "crashed", "timed-out"].iter().any(|bad| attempt["status"] == *bad);
    report["attempts"].as_array().map(|all| all.iter().filter(is_bad).collect()).unwrap_or_default()
}

#[test]
fn every_known_misbehaviour_is_caught_by_the_rule_that_is_meant_for_it() {
    let room = Room::new();
    let library = built::library(built::MISBEHAVING);
    let mut missed = Vec::new();
    for (component, rule, status) in KNOWN_BAD {
        // The whole check of a plugin that hangs would wait for every rule; the meant one is enough here.
        let options =
            format!("--level strict --timeout 10 --memory-limit 2048 --component {component} --only {rule}");
        let (code, report) = check(&room, &library, &options);
        let caught = bad(&report).iter().any(|a| a["rule"] == rule && a["status"] == status);
        if code != Some(1) || !caught {
            missed.push(format!("{component} by {rule}: {}", report["attempts"]));
        }
    }
    assert!(missed.is_empty(), "{} were missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn the_published_table_is_this_one() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    let page = std::fs::read_to_string(page).unwrap();
    let published: Vec<&str> =
        page.lines().skip_while(|line| !line.starts_with("| misbehaviour")).skip(2).collect();
    let rows = KNOWN_BAD.map(|(bad, rule, end)| format!("| {bad} | {rule} | {} |", end.replace('-', " ")));
    assert_eq!(published[..rows.len()], rows);
}

#[test]
fn good_plugins_raise_no_alarm() {
    let room = Room::new();
    let controls: String = CONTROLS.iter().map(|id| format!(" --component {id}")).collect();
    let (code, report) =
        check(&room, &built::library(built::MISBEHAVING), &format!("--level strict{controls}"));
    assert_eq!((code, bad(&report)), (Some(0), Vec::new()));
    for name in built::REAL.into_iter().chain([built::LEARNING, built::OPTIMIZERS]) {
        let (code, report) = check(&room, &built::library(name), "");
        assert_eq!((code, bad(&report)), (Some(0), Vec::new()), "{name}");
    }
}

#[test]
fn reward_models_that_learn_raise_no_alarm() {
    let (code, report) = check(&Room::new(), &built::library(built::RANKERS), "");
    assert_eq!((code, bad(&report)), (Some(0), Vec::new()));
}

#[test]
fn what_is_no_plugin_fails_the_first_rule() {
    let room = Room::new();
    let whole = std::fs::read(built::library(built::MISBEHAVING)).unwrap();
    let cut = room.write("cut.so", &whole[..whole.len() / 2]);
    let text = room.write("text.so", "I am a text");
    let other = room.write("other.so", built::of_contract_nine());
    for (file, rule, ends) in [
        (cut, "library-loads", "crashed failed"),
        (text, "library-loads", "failed"),
        (other, "contract-version", "failed"),
    ] {
        let (code, report) = check(&room, &file, "");
        assert_eq!(code, Some(1));
        let caught = bad(&report).into_iter().find(|attempt| attempt["rule"] == rule);
        let status = caught.and_then(|attempt| attempt["status"].as_str());
        assert!(status.is_some_and(|status| ends.contains(status)), "{}: {report}", file.display());
    }
    let (_, report) = check(&room, &room.path("other.so"), "--only contract-version");
    let said = report["attempts"][0]["message"].as_str().unwrap();
    assert!(said.contains("was built for contract 9.0, this host speaks"), "{said}");
    let ended = room.adeval("plugin check no-such-file.so").run();
    ended.speaks_plainly();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
}

/// One that ends its process, whatever it is asked, costs the lines of the rules that call it; the rest is tried all the same.
#[test]
fn the_check_tries_every_rule_on_a_plugin_that_dies_in_each() {
    let room = Room::new();
    let library = built::library(built::MISBEHAVING);
    let (_, healthy) = check(&room, &library, "--component well-behaved --jobs 2");
    let count = |report: &Value| report["attempts"].as_array().unwrap().len();
    for (component, ends) in
        [("aborts", "(abort)"), ("segfaults", "(segmentation fault)"), ("exits", "exited with code 0")]
    {
        let (code, report) = check(&room, &library, &format!("--component {component} --jobs 2"));
        assert_eq!((code, count(&report)), (Some(1), count(&healthy)), "{component}");
        let crashed: Vec<_> = bad(&report).into_iter().filter(|a| a["status"] == "crashed").collect();
        assert!(crashed.len() > 10, "{component}: {report}");
        let said = |attempt: &&Value| attempt["message"].as_str().is_some_and(|m| m.contains(ends));
        assert!(crashed.iter().all(said), "{component}: {crashed:#?}");
        let manifest =
            report["attempts"].as_array().unwrap().iter().find(|a| a["rule"] == "creates").unwrap();
        assert_eq!(manifest["status"], "passed", "what does not call it holds: {component}");
    }
}

/// Several rules at a time find what one at a time finds, in the same order.
#[test]
fn parallel_jobs_give_the_same_report() {
    let room = Room::new();
    let library = built::library(built::MISBEHAVING);
    let verdicts = |jobs: u32| {
        let skipped = "--skip time-stable --skip cancellation --skip memory-growth";
        let options = format!("--component ignores-the-seed --component keeps-state {skipped} --jobs {jobs}");
        let (code, report) = check(&room, &library, &options);
        let attempts = report["attempts"].as_array().unwrap().iter();
        let verdict = |a: &Value| format!("{} {} {} {}", a["rule"], a["component"], a["status"], a["seed"]);
        (code, attempts.map(verdict).collect::<Vec<_>>())
    };
    assert_eq!(verdicts(4), verdicts(1));
}

#[test]
fn a_dead_plugins_last_words_are_in_the_report() {
    let room = Room::new();
    let library = built::library(built::MISBEHAVING);
    let options = "--component panics-in-create --only creates";
    let (_, report) = check(&room, &library, options);
    let words = report["attempts"][0]["stderr"].as_str().unwrap();
    assert!(words.contains("not made for this world"), "{report}");
    let text = room.adeval(&format!("plugin check {options}")).arg(&library).run();
    assert!(text.stdout.contains("not made for this world"), "{}", text.stdout);
}

/// The round that a failed fuzz names is the first one of a check that is told to reproduce it.
#[test]
fn a_failed_fuzz_names_the_seed_that_reproduces_it() {
    let room = Room::new();
    let library = built::library(built::MISBEHAVING);
    let fuzz = |options: &str| {
        let options = format!("--level strict --component faints-at-tall-ones --only fuzz {options}");
        let (code, report) = check(&room, &library, &options);
        assert_eq!((code, &report["attempts"][0]["status"]), (Some(1), &"failed".into()), "{report}");
        report["attempts"][0]["message"].as_str().unwrap().to_owned()
    };
    let first = fuzz("");
    let (_, rest) = first.split_once("--reproduce ").unwrap();
    let (seed, case) = rest.split_once(';').unwrap();
    let again = fuzz(&format!("--reproduce {seed}"));
    assert!(again.starts_with(&format!("round 0 (--reproduce {seed};{case}")), "{first} | {again}");
}

/// A rule that takes too long ends with all that it has started.
#[test]
fn what_a_hanging_plugin_has_started_dies_with_it() {
    let room = Room::new();
    let library = built::library(built::MISBEHAVING);
    let options = "--component leaves-a-child --only ordinary-request --timeout 3";
    let (_, report) = check(&room, &library, options);
    let attempt = &report["attempts"][0];
    assert_eq!(attempt["status"], "timed-out", "{report}");
    let words = attempt["stderr"].as_str().unwrap();
    let child = words.split("child ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let child: u32 = child.parse().unwrap();
    wait_for("the end of the child", || !is_alive(child));
}

#[test]
fn the_report_is_written_for_people_and_for_ci() {
    let room = Room::new();
    let ended = room
        .adeval("plugin check --component panics --component well-behaved --only ordinary --junit check.xml")
        .arg(built::library(built::MISBEHAVING))
        .run();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stdout.contains("--explain ordinary-request"), "{}", ended.stdout);
    let xml = std::fs::read_to_string(room.path("check.xml")).unwrap();
    assert!(xml.contains("<testsuite name=\"panics\" tests=\"1\" failures=\"1\""), "{xml}");
    assert!(xml.contains("<failure type=\"failed\""), "{xml}");
}

#[test]
fn rules_are_explained_and_configured() {
    let room = Room::new();
    let page = room.adeval("plugin check --explain other-seed").run();
    assert!(page.code == Some(0) && page.stdout.contains("## How to mend it"), "{page:#?}");
    let unknown = room.adeval("plugin check --explain othr-seed").run();
    assert!(
        unknown.code == Some(1) && unknown.stderr.contains("did you mean \"other-seed\"?"),
        "{unknown:#?}"
    );
    let library = built::library(built::MISBEHAVING);
    let options = "--component ignores-the-seed --only other-seed";
    room.write("adeval-check.toml", "[rules]\nother-seed = \"warn\"\n");
    let (code, report) = check(&room, &library, options);
    assert_eq!((code, report["attempts"][0]["status"].as_str()), (Some(0), Some("warning")));
    room.write("adeval-check.toml", "[rules]\nothr-seed = \"warn\"\n");
    let wrong = room.adeval("plugin check").arg(&library).run();
    assert!(wrong.code == Some(1) && wrong.stderr.contains("there is no rule \"othr-seed\""), "{wrong:#?}");
}

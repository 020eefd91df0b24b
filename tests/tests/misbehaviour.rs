//! Plugins that misbehave cost what they were to make, never the run.

use adeval_tests::{Ended, Room, RunDir, Suite};
use std::time::Instant;

/// A run of one good entry and a bad one, over three products, and how it ended.
struct Outcome {
    run: RunDir,
    ended: Ended,
    room: Room,
}

fn bench(suite: &Suite, options: &str) -> Outcome {
    let (room, file) = Room::with_suite(3, suite);
    let ended = room.adeval(&format!("bench {options}")).arg(file).run();
    ended.speaks_plainly();
    Outcome { run: room.run_in("runs"), ended, room }
}

/// A bad background beside a good one.
fn beside(background: &str, parameters: &str) -> Suite {
    Suite::new("beside").entry("good", "well-behaved", "").entry("bad", background, parameters)
}

impl Outcome {
    /// The good entry is whole and ranked, and all of the bad one failed with these words.
    #[track_caller]
    fn all_of_bad_failed(self, words: &[&str]) {
        let Self { run, ended, .. } = &self;
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        assert_eq!(run.coverage("good"), (3, 3));
        assert_eq!(run.coverage("bad"), (0, 3));
        let failures = run.failures("bad");
        assert!(!failures.is_empty());
        for (product, message) in failures {
            for word in words {
                assert!(message.contains(word), "{product}: {word:?} is missing in: {message}");
            }
            assert!(message.lines().count() == 1 && message.chars().count() < 500, "{product}: {message}");
        }
        let told = ended.warnings();
        let is_told = |line: &&str| line.starts_with("bad") && words.iter().all(|word| line.contains(word));
        assert!(told.iter().any(is_told), "nobody is told why: {told:#?}");
    }
}

#[test]
fn a_panic_is_an_error_of_its_creative() {
    bench(&beside("panics", ""), "").all_of_bad_failed(&["panicked", "no idea what to do with"]);
}

#[test]
fn a_panic_at_its_creation_costs_the_entry() {
    let outcome = bench(&beside("panics-in-create", ""), "");
    assert!(outcome.ended.stderr.contains("entry \"bad\": background"), "{:#?}", outcome.ended);
    outcome.all_of_bad_failed(&["panicked", "not made for this world"]);
}

#[test]
fn a_refusal_at_its_creation_costs_the_entry() {
    let words = ["missing weights", "nowhere.safetensors", "there are none to be had"];
    bench(&beside("refuses-to-start", ""), "").all_of_bad_failed(&words);
}

#[test]
fn an_abort_names_the_plugin_and_the_signal() {
    bench(&beside("aborts", ""), "").all_of_bad_failed(&["crashed", "misbehaving/aborts", "abort"]);
}

#[test]
fn a_segmentation_fault_names_the_plugin_and_the_signal() {
    let words = ["crashed", "misbehaving/segfaults", "segmentation fault"];
    bench(&beside("segfaults", ""), "").all_of_bad_failed(&words);
}

#[test]
fn a_stack_overflow_is_told_by_the_workers_last_words() {
    let outcome = bench(&beside("overflows-its-stack", ""), "");
    assert!(outcome.run.logs().contains("overflowed its stack"), "{}", outcome.run.logs());
    outcome.all_of_bad_failed(&["crashed", "misbehaving/overflows-its-stack", "overflowed its stack"]);
}

#[test]
fn an_exit_is_no_success() {
    let words = ["crashed", "misbehaving/exits", "exited with code 0"];
    bench(&beside("exits", ""), "").all_of_bad_failed(&words);
}

#[test]
fn a_hang_is_ended_by_the_timeout() {
    let started = Instant::now();
    let outcome = bench(&beside("hangs", ""), "--timeout 0.5");
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    outcome.all_of_bad_failed(&["timed out", "misbehaving/hangs", "0.5 s"]);
}

#[test]
fn a_hang_at_its_creation_is_ended_by_the_timeout_of_starts() {
    let started = Instant::now();
    let outcome = bench(&beside("hangs-in-create", ""), "--start-timeout 0.5");
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    outcome.all_of_bad_failed(&["timed out", "misbehaving/hangs-in-create", "0.5 s"]);
}

#[test]
fn an_endless_allocation_is_one_process_less() {
    let outcome = bench(&beside("allocates-without-end", ""), "");
    assert!(outcome.run.logs().contains("memory allocation"), "{}", outcome.run.logs());
    outcome.all_of_bad_failed(&["crashed", "misbehaving/allocates-without-end", "memory allocation"]);
}

#[test]
fn a_creative_of_another_size_is_refused() {
    bench(&beside("returns-another-size", ""), "").all_of_bad_failed(&["contract", "64x64", "32x32"]);
}

#[test]
fn an_image_that_lies_about_its_size_is_refused() {
    let words = ["contract", "8192x8192", "carries 10 bytes"];
    bench(&beside("lies-about-its-size", ""), "").all_of_bad_failed(&words);
}

#[test]
fn a_wrong_number_of_creatives_is_refused() {
    bench(&beside("returns-too-many", ""), "").all_of_bad_failed(&["contract", "1 requests", "2 results"]);
}

#[test]
fn an_answer_that_cannot_be_read_is_refused() {
    bench(&beside("answers-nonsense", ""), "").all_of_bad_failed(&["contract"]);
}

#[test]
fn bad_prompts_cost_the_entry() {
    let with_prompt = |prompt: &str| {
        let suite = Suite::new("prompts").entry("good", "well-behaved", "");
        bench(&suite.entry_with_prompt("bad", prompt, "well-behaved", ""), "")
    };
    with_prompt("empty-prompt").all_of_bad_failed(&["empty prompt"]);
    with_prompt("too-many-samples").all_of_bad_failed(&["contract", "prompt samples"]);
    with_prompt("panics-on-a-product").all_of_bad_failed(&["panicked", "speechless"]);
}

#[test]
fn what_a_plugin_prints_goes_to_the_log_of_the_run() {
    let outcome = bench(&beside("prints", ""), "--json");
    assert_eq!(outcome.ended.code, Some(0), "{:#?}", outcome.ended);
    assert!(outcome.ended.json()["board"].is_object(), "stdout holds the result alone");
    assert_eq!(outcome.run.coverage("bad"), (3, 3));
    let logs = outcome.run.logs();
    assert!((0..3).all(|k| logs.contains(&format!("painting p{k}\n"))), "{logs}");
}

#[test]
fn ten_megabytes_of_noise_are_kept_and_block_nobody() {
    let outcome = bench(&beside("shouts", ""), "");
    assert_eq!(outcome.ended.code, Some(0), "{:#?}", outcome.ended);
    let logs = outcome.run.logs();
    assert!(logs.len() > 29_000_000 && logs.contains("the end of the noise about p2"), "{}", logs.len());
    assert!(outcome.ended.stderr.len() < 2000, "{}", outcome.ended.stderr.len());
}

#[test]
fn a_product_that_kills_the_plugin_costs_that_product_only() {
    let outcome = bench(&beside("dies-for-one", "product = \"p1\""), "");
    assert_eq!(outcome.ended.code, Some(3), "{:#?}", outcome.ended);
    assert_eq!((outcome.run.coverage("good"), outcome.run.coverage("bad")), ((3, 3), (2, 3)));
    let failures = outcome.run.failures("bad");
    assert_eq!(failures.len(), 1, "{failures:?}");
    let (product, message) = &failures[0];
    assert_eq!(product, "p1");
    for word in ["misbehaving/dies-for-one", "abort", "the last words about p1"] {
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn a_product_that_the_plugin_refuses_costs_that_product_only() {
    let outcome = bench(&beside("fails-for-one", "product = \"p2\""), "");
    assert_eq!(outcome.ended.code, Some(3), "{:#?}", outcome.ended);
    assert_eq!(outcome.run.coverage("bad"), (2, 3));
    let failures = outcome.run.failures("bad");
    assert!(failures.len() == 1 && failures[0].1.contains("not to my taste"), "{failures:?}");
    let board = outcome.run.text("LEADERBOARD.md");
    assert!(board.contains("bad, p2, background: ") && board.contains("not to my taste"), "{board}");
}

/// It dies over every second creative: the one that it dies over is lost, the next is made by a new process, and a second
/// try finds none that fails.
#[test]
fn a_plugin_that_dies_now_and_then_is_started_again() {
    let outcome = bench(&beside("dies-after", "creatives = 1"), "");
    let Outcome { run, ended, room } = &outcome;
    assert_eq!((ended.code, run.coverage("bad")), (Some(3), (2, 3)), "{ended:#?}");
    let again = room.adeval("bench --retry-failed").arg(room.path("beside.toml")).run();
    assert_eq!((again.code, run.coverage("bad")), (Some(0), (3, 3)), "{again:#?}");
}

#[test]
fn a_judge_that_misbehaves_leaves_the_creatives() {
    for (judge, words) in [
        ("nan-preference", ["contract", "NaN"]),
        ("ctr-above-one", ["predicted CTR", "1.5"]),
        ("loses-an-answer", ["reward.compare", "came back"]),
        ("aborts-on-a-pair", ["misbehaving/aborts-on-a-pair", "abort"]),
    ] {
        let outcome = bench(&beside("well-behaved", "red = 10").judge(judge), "");
        let Outcome { run, ended, .. } = &outcome;
        assert_eq!(ended.code, Some(3), "{judge}: {ended:#?}");
        for entry in ["good", "bad"] {
            assert_eq!(run.coverage(entry), (3, 3), "{judge}");
            assert!(run.row(entry)["cells"]["product_fidelity"].is_object(), "{judge}");
            let failures = run.failures(entry);
            assert!(!failures.is_empty(), "{judge}");
            for (_, message) in failures {
                assert!(words.iter().all(|word| message.contains(word)), "{judge}: {message}");
            }
        }
        let preferred = run.row("good")["cells"]["win_rate:eye"]["value"].as_f64();
        assert_eq!(preferred.is_some(), judge == "ctr-above-one", "{judge}: {preferred:?}");
    }
}

#[test]
fn features_that_are_no_numbers_leave_the_rest_of_the_board() {
    let suite = beside("well-behaved", "red = 10")
        .set("metrics", r#"["win-rate", "product-fidelity", "frechet-distance"]"#)
        .table("[embedder]\nplugin = \"nan-features\"\n[reference]\npath = \"products\"");
    let outcome = bench(&suite, "");
    assert_eq!(outcome.ended.code, Some(3), "{:#?}", outcome.ended);
    let row = outcome.run.row("good");
    assert!(row["cells"]["win_rate:eye"].is_object(), "{row}");
    assert!(outcome.run.failures("good").iter().any(|(_, m)| m.contains("feature vector holds NaN")));
}

//! A bench that is ended from outside goes on where it was, and ends with the same board.

use adeval_tests::{Room, RunDir, Running, Suite, is_alive, wait_for};
use rustix::process::Signal;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Six products in two entries: prompts, a second of creatives, a second of judging.
fn slow(name: &str) -> Suite {
    Suite::new(name)
        .entry("slow", "sleeps", "milliseconds = 60")
        .entry("quick", "well-behaved", "")
        .judge("slow-brightness")
}

fn undisturbed(room: &Room, suite: &Path) -> RunDir {
    room.adeval("bench --runs undisturbed").arg(suite).run().done();
    room.run_in("undisturbed")
}

/// Kills a new bench when it has so many results; `None` when it was too quick for that.
fn killed_at(at: usize, room: &Room, suite: &Path, runs: &str) -> Option<RunDir> {
    let mut bench = room.adeval(&format!("bench --runs {runs}")).arg(suite).start();
    let mut quick = false;
    wait_for(&format!("{at} results"), || {
        quick = bench.has_ended();
        quick || RunDir::find_in(&room.path(runs)).is_some_and(|run| run.results() >= at)
    });
    if quick {
        return None;
    }
    let workers = bench.workers();
    bench.signal(Signal::KILL);
    assert_eq!(bench.wait().signal, Some(9));
    wait_for("the workers to follow their host", || !workers.iter().any(|&id| is_alive(id)));
    Some(room.run_in(runs)).filter(|run| !run.is_finished())
}

#[test]
fn a_host_that_is_killed_anywhere_ends_with_the_same_board() {
    let (room, suite) = Room::with_suite(6, &slow("killed"));
    let whole = undisturbed(&room, &suite);
    let all = whole.results();
    assert!(all > 40, "too few results to stop between: {all}");
    for at in [0, 1, all / 4, all / 2, all * 3 / 4, all - 6] {
        // On a busy machine the last results may come before they are seen.
        let killed = (0..5).find_map(|attempt| {
            let runs = format!("killed-{at}-{attempt}");
            killed_at(at, &room, &suite, &runs).map(|run| (run, runs))
        });
        let (run, runs) = killed.unwrap_or_else(|| panic!("it was always too late to kill at {at} of {all}"));
        let kept = run.results();
        let again = room.adeval(&format!("--json bench --runs {runs}")).arg(&suite).run().done();
        let computed = again.json()["computed"].as_u64().unwrap_or_default() as usize;
        // An entry's peak memory is kept again only when it has grown.
        let entries = 2;
        assert!(computed > 0 && (computed + kept).abs_diff(all) <= entries, "{computed} and {kept} of {all}");
        assert_eq!(run.board_bytes(), whole.board_bytes(), "killed at {at}");
        assert_eq!(run.images(), whole.images(), "killed at {at}");
    }
}

#[test]
fn ctrl_c_ends_with_130_and_the_same_command_goes_on() {
    let (room, suite) = Room::with_suite(6, &slow("stopped"));
    let whole = undisturbed(&room, &suite);
    let bench = room.adeval("bench --runs stopped").arg(&suite).start();
    wait_for("the first results", || {
        RunDir::find_in(&room.path("stopped")).is_some_and(|run| run.results() > 0)
    });
    bench.signal(Signal::INT);
    let ended = bench.wait().with_code(130);
    ended.speaks_plainly();
    assert!(ended.stderr.contains("results are kept in"), "{ended:?}");
    assert!(ended.stdout.is_empty(), "{ended:?}");
    let run = room.run_in("stopped");
    let kept = run.results();
    assert!(!run.is_finished() && kept > 0 && kept < whole.results(), "{kept}");

    let again = room.adeval("--json bench --runs stopped").arg(&suite).run().done();
    assert!(again.json()["computed"].as_u64().is_some_and(|n| n > 0));
    assert_eq!(run.board_bytes(), whole.board_bytes());
    assert_eq!(run.images(), whole.images());
}

/// A bench whose second entry never gets further, stuck there.
fn stuck(background: &str) -> (Room, Running) {
    let suite = Suite::new("stuck").entry("good", "well-behaved", "").entry("bad", background, "");
    let (room, suite) = Room::with_suite(2, &suite);
    let bench = room.adeval("bench").arg(&suite).start();
    // Two prompts, which both entries share, two creatives, and the memory of the first entry.
    wait_for("the first entry", || RunDir::find_in(&room.path("runs")).is_some_and(|run| run.results() == 5));
    sleep(Duration::from_millis(500));
    (room, bench)
}

#[test]
fn one_ctrl_c_is_enough_to_end_a_plugin_that_hangs() {
    for background in ["hangs", "hangs-in-create"] {
        let (room, bench) = stuck(background);
        let (started, workers) = (Instant::now(), bench.workers());
        bench.signal(Signal::INT);
        let ended = bench.wait().with_code(130);
        assert!(started.elapsed().as_secs() < 10, "{background}: {:?}", started.elapsed());
        assert!(ended.stderr.contains("results are kept in"), "{background}: {ended:?}");
        wait_for("the workers to follow their host", || !workers.iter().any(|&id| is_alive(id)));
        assert!(
            !room.run_in("runs").text("records.jsonl").contains("failed"),
            "what was stopped has not failed"
        );
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let (_room, bench) = stuck("hangs");
    let workers = bench.workers();
    bench.signal(Signal::INT);
    sleep(Duration::from_millis(300));
    let started = Instant::now();
    bench.signal(Signal::INT);
    let ended = bench.wait().with_code(130);
    assert!(started.elapsed().as_secs_f64() < 1.5, "it took {:?}: {ended:?}", started.elapsed());
    wait_for("the workers to follow their host", || !workers.iter().any(|&id| is_alive(id)));
}

#[test]
fn two_benches_on_one_run_directory_do_not_mix() {
    let (room, suite) = Room::with_suite(6, &slow("shared"));
    let first = room.adeval("bench").arg(&suite).start();
    wait_for("the first results", || {
        RunDir::find_in(&room.path("runs")).is_some_and(|run| run.results() > 0)
    });
    room.adeval("bench").arg(&suite).run().refused(1, &["in use by another adeval process", "shared-"]);
    first.wait().done();
    let run = room.run_in("runs");
    assert_eq!(run.board_bytes(), undisturbed(&room, &suite).board_bytes());
}

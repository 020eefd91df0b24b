//! Shards of the toy suite, merged.

use super::*;
use std::path::PathBuf;

fn shard(suite: &Suite, options: &BenchOptions, index: u32, count: u32, toys: &Toys) -> ShardOutcome {
    let services = Services { plugins: toys, matting: &NoMatting, progress: &Silent, cancel: &toys.cancel };
    run_shard(suite, Shard { index, count }, options, &services).unwrap()
}

fn merged(dirs: &[PathBuf], to: PathBuf) -> Result<MergeOutcome, BenchError> {
    let options = MergeOptions { run_dir: Some(to), ..MergeOptions::default() };
    merge(dirs, &options, &Silent, &std::sync::atomic::AtomicBool::new(false))
}

/// The part of `result.json` that must repeat.
fn board_text(dir: &Path) -> String {
    let text = std::fs::read_to_string(dir.join("result.json")).unwrap();
    text[..text.find("\"cost_columns\"").unwrap()].to_owned()
}

#[test]
fn failures_and_unusable_products_are_counted_as_in_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let suite = suite(dir.path());
    // Shard 2 of 3 has nothing else.
    std::fs::write(dir.path().join("p1.png"), b"").unwrap();
    let toys = Toys { crash_on: Some("p2".into()), ..Toys::default() };
    let whole = bench(&suite, &options(dir.path(), "whole"), &toys).unwrap();
    assert_eq!(whole.unusable_products, 1);
    let run = |index| shard(&suite, &options(dir.path(), "shards"), index, 3, &toys);
    let outcomes: Vec<_> = (1..=3).map(run).collect();
    assert_eq!(outcomes.iter().map(|o| o.unusable_products).collect::<Vec<_>>(), [0, 1, 0]);
    // Two samples of two entries: those of the product that cannot be used, and those that crashed.
    assert_eq!(outcomes.iter().map(|o| o.failures.len()).collect::<Vec<_>>(), [0, 4, 4]);
    let dirs: Vec<_> = outcomes.into_iter().rev().map(|o| o.run_dir).collect();
    let merged = merged(&dirs, dir.path().join("merged")).unwrap();
    assert_eq!(merged.unusable_products, 1);
    assert_eq!(board_text(&merged.run_dir), board_text(&whole.run_dir));
    assert_eq!(merged.result.failures().count(), whole.result.failures().count());
    let board = |result: &RunResult| result.optimizers.clone().map(|o| o.board);
    assert_eq!(board(&merged.result), board(&whole.result));
}

#[test]
fn a_shard_that_tried_again_is_merged_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (suite, options) = (suite(dir.path()), options(dir.path(), "shards"));
    let crashing = Toys { crash_on: Some("p1".into()), ..Toys::default() };
    let dirs: Vec<_> = (1..=2).map(|index| shard(&suite, &options, index, 2, &crashing).run_dir).collect();
    let to = dir.path().join("merged");
    let done =
        |outcome: MergeOutcome| outcome.result.board.rows.iter().map(|r| r.coverage.done).sum::<usize>();
    assert_eq!(done(merged(&dirs, to.clone()).unwrap()), 8);
    let again = BenchOptions { retry_failed: true, ..options };
    assert!(shard(&suite, &again, 2, 2, &Toys::default()).failures.is_empty());
    assert_eq!(done(merged(&dirs, to.clone()).unwrap()), 12);
    // The merged run itself is a run, which lacks nothing.
    let whole = BenchOptions { run_dir: Some(to), ..BenchOptions::default() };
    assert_eq!(bench(&suite, &whole, &Toys::default()).unwrap().computed, 0);
}

#[test]
fn more_shards_than_things_to_do_are_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let suite = suite(dir.path());
    let toys = Toys::default();
    let whole = bench(&suite, &options(dir.path(), "whole"), &toys).unwrap();
    let run = |index| shard(&suite, &options(dir.path(), "shards"), index, 9, &toys);
    let dirs: Vec<_> = (1..=9).map(|index| run(index).run_dir).collect();
    let rescored = BenchOptions { rescore: true, ..options(dir.path(), "shards") };
    assert_eq!(shard(&suite, &rescored, 9, 9, &toys).products, 0);
    let merged = merged(&dirs, dir.path().join("merged")).unwrap();
    assert_eq!(board_text(&merged.run_dir), board_text(&whole.run_dir));
}

#[test]
fn a_list_without_a_usable_product_makes_no_board() {
    let dir = tempfile::tempdir().unwrap();
    let suite = suite(dir.path());
    (0..3).for_each(|n| std::fs::write(dir.path().join(format!("p{n}.png")), b"").unwrap());
    let run = |index| shard(&suite, &options(dir.path(), "shards"), index, 2, &Toys::default());
    let dirs: Vec<_> = (1..=2).map(|index| run(index).run_dir).collect();
    let message = merged(&dirs, dir.path().join("merged")).unwrap_err().to_string();
    assert!(message.contains("none of the 3 products can be used"), "{message}");
}

use super::*;
use std::path::Path;
use std::sync::atomic::Ordering;

mod shards;
pub(crate) mod toys;
use toys::{NoMatting, Toys};

/// A suite of two entries, three products, one judge and an embedder, in a folder of its own.
fn suite(dir: &Path) -> Suite {
    let image = |level: u8| {
        image::RgbaImage::from_fn(16, 16, |x, _| image::Rgba([level, 80, 40, if x < 12 { 255 } else { 0 }]))
    };
    let list: Vec<_> = (0..3)
        .map(|n| {
            image(n * 60).save(dir.join(format!("p{n}.png"))).unwrap();
            serde_json::json!({ "id": format!("p{n}"), "image": format!("p{n}.png"), "title": format!("Product {n}") })
        })
        .collect();
    std::fs::write(dir.join("products.json"), serde_json::to_string(&list).unwrap()).unwrap();
    std::fs::create_dir_all(dir.join("scenes")).unwrap();
    for n in 0..5u8 {
        image::RgbImage::from_pixel(8, 8, image::Rgb([n * 40, 100, n]))
            .save(dir.join(format!("scenes/{n}.png")))
            .unwrap();
    }
    let text = r#"
name = "toy"
seed = 7
size = [32, 32]
samples = 2
resamples = 200
[products]
path = "products.json"
[[entry]]
id = "dark"
prompt = { plugin = "words" }
background = { plugin = "flat", parameters = { level = 20 } }
[[entry]]
id = "light"
prompt = { plugin = "words" }
background = { plugin = "flat", parameters = { level = 220 } }
[[judge]]
id = "bright"
plugin = "bright"
[[optimizer]]
id = "advantage"
plugin = "advantage"
[[optimizer]]
id = "idle"
plugin = "idle"
[bandit]
seeds = 3
creatives = 160
[embedder]
plugin = "mean"
[reference]
path = "scenes"
"#;
    Suite::parse(text, &dir.join("suite.toml")).unwrap()
}

fn bench(suite: &Suite, options: &BenchOptions, toys: &Toys) -> Result<BenchOutcome, BenchError> {
    run(
        suite,
        options,
        &Services { plugins: toys, matting: &NoMatting, progress: &Silent, cancel: &toys.cancel },
    )
}

fn options(dir: &Path, runs: &str) -> BenchOptions {
    BenchOptions { runs: dir.join(runs), ..BenchOptions::default() }
}

/// The part of `result.json` that must repeat.
fn board_bytes(outcome: &BenchOutcome) -> String {
    let text = std::fs::read_to_string(outcome.run_dir.join("result.json")).unwrap();
    text[..text.find("\"cost_columns\"").unwrap()].to_owned()
}

#[test]
fn a_bench_ranks_measures_and_writes_everything() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = bench(&suite(dir.path()), &options(dir.path(), "runs"), &Toys::default()).unwrap();
    let rows = &outcome.board.rows;
    assert_eq!(rows.iter().map(|r| r.entry.as_str()).collect::<Vec<_>>(), ["light", "dark"]);
    assert_eq!(rows[0].coverage, adeval_eval::leaderboard::Coverage { done: 6, planned: 6 });
    assert!((rows[0].cells["win_rate:bright"].value - 1.0).abs() < 1e-9);
    assert!((rows[0].cells["product_fidelity"].value - 1.0).abs() < 1e-6, "the product is pasted as it is");
    assert!(rows[0].cells.contains_key("fd:mean") && rows[0].cells.contains_key("predicted_ctr:bright"));
    assert!(rows.iter().all(|r| r.failures.is_empty()));
    for file in ["run.json", "result.json", "LEADERBOARD.md", "sheets/light.png", "sheets/dark.png"] {
        assert!(outcome.run_dir.join(file).exists(), "{file}");
    }
    assert_eq!(outcome.result.full_board().rows, outcome.board.rows);
    let run = crate::store::open_read(&outcome.run_dir).unwrap();
    assert_eq!(run.result.as_ref(), Some(&outcome.result));
    let listed = crate::store::list(&dir.path().join("runs")).unwrap();
    assert_eq!((listed.len(), listed[0].leader.as_deref()), (1, Some("light")));
    let differences = compare(&outcome.result, &outcome.result);
    assert!(differences.iter().all(|d| d.difference == 0.0));
    assert!(differences.iter().any(|d| (&*d.entry, &*d.column) == ("idle", "gap_closed")));
}

#[test]
fn a_second_run_computes_nothing_and_ends_with_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (suite, options, toys) = (suite(dir.path()), options(dir.path(), "runs"), Toys::default());
    let first = bench(&suite, &options, &toys).unwrap();
    let bytes = std::fs::read(first.run_dir.join("result.json")).unwrap();
    let calls = toys.calls.load(Ordering::Relaxed);
    assert!(calls > 0 && first.computed > 0);
    let second = bench(&suite, &options, &toys).unwrap();
    assert_eq!((second.computed, toys.calls.load(Ordering::Relaxed)), (0, calls));
    assert_eq!(std::fs::read(second.run_dir.join("result.json")).unwrap(), bytes);
}

#[test]
fn a_run_that_was_stopped_anywhere_ends_with_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let suite = suite(dir.path());
    let whole_toys = Toys::default();
    let whole = bench(&suite, &options(dir.path(), "whole"), &whole_toys).unwrap();
    let calls = whole_toys.calls.load(Ordering::Relaxed);
    for stop_at in 1..calls {
        let options = options(dir.path(), &format!("stopped-{stop_at}"));
        let stopping = Toys { stop_at: Some(stop_at), ..Toys::default() };
        let error = bench(&suite, &options, &stopping).unwrap_err();
        assert!(matches!(error, BenchError::Interrupted { .. }), "{error}");
        // As after `kill -9`: a line that was being written.
        let run = options.runs.join(whole.run_dir.file_name().unwrap());
        let log = run.join("records.jsonl");
        let mut records = std::fs::read(&log).unwrap();
        records.extend_from_slice(b"{\"key\":\"to");
        std::fs::write(&log, records).unwrap();
        let resumed = bench(&suite, &options, &Toys::default()).unwrap();
        assert_eq!(board_bytes(&resumed), board_bytes(&whole), "stopped at call {stop_at}");
        let optimizers = |outcome: &BenchOutcome| outcome.result.optimizers.clone().map(|o| o.board);
        assert_eq!(optimizers(&resumed), optimizers(&whole), "stopped at call {stop_at}");
    }
}

#[test]
fn a_crash_costs_one_creative_and_can_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let (suite, options) = (suite(dir.path()), options(dir.path(), "runs"));
    let crashing = Toys { crash_on: Some("p1".into()), ..Toys::default() };
    let outcome = bench(&suite, &options, &crashing).unwrap();
    let light = outcome.board.rows.iter().find(|r| r.entry == "light").unwrap();
    assert_eq!((light.coverage.done, light.coverage.planned), (4, 6));
    assert_eq!(light.failures.len(), 2);
    assert!(
        light
            .failures
            .iter()
            .all(|f| f.product == "p1" && f.stage == "background" && f.message.contains("signal 6"))
    );
    let again = bench(&suite, &options, &Toys::default()).unwrap();
    assert_eq!(again.computed, 0, "a failure is not tried again unasked");
    let retried = bench(&suite, &BenchOptions { retry_failed: true, ..options }, &Toys::default()).unwrap();
    assert!(retried.board.rows.iter().all(|r| r.coverage.done == 6 && r.failures.is_empty()));
}

#[test]
fn a_component_that_cannot_be_opened_costs_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut suite = suite(dir.path());
    suite.entries[1].background.plugin = "broken".into();
    let outcome = bench(&suite, &options(dir.path(), "runs"), &Toys::default()).unwrap();
    let light = outcome.board.rows.iter().find(|r| r.entry == "light").unwrap();
    assert_eq!(light.coverage.done, 0);
    assert!(light.failures[0].message.contains("no weights"));
    suite.entries[1].background.plugin = "flot".into();
    let error = bench(&suite, &options(dir.path(), "runs"), &Toys::default()).unwrap_err().to_string();
    assert!(error.starts_with("entry \"light\": background:") && error.contains("\"flot\""), "{error}");
}

#[test]
fn optimizers_have_a_board_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut suite = suite(dir.path());
    suite.bandit.creatives = 1600;
    let alone = Suite { entries: Vec::new(), products: Default::default(), ..suite.clone() };
    for (suite, runs) in [(suite, "runs"), (alone, "alone")] {
        let options = options(dir.path(), runs);
        let outcome = bench(&suite, &options, &Toys::default()).unwrap();
        let result = outcome.result.optimizers.as_ref().unwrap();
        let rows = &result.board.rows;
        assert_eq!(rows.iter().map(|r| r.optimizer.as_str()).collect::<Vec<_>>(), ["advantage", "idle"]);
        assert!(rows[0].cells["gap_closed"].value > 0.3, "{rows:?}");
        assert_eq!((rows[1].cells["gap_closed"].value, rows[1].cells["regret"].value), (0.0, 1.0));
        assert_eq!(rows[1].coverage, adeval_eval::leaderboard::Coverage { done: 3, planned: 3 });
        assert!(result.milliseconds_per_step["idle"] > 0.0);
        let markdown = std::fs::read_to_string(outcome.run_dir.join("LEADERBOARD.md")).unwrap();
        assert!(markdown.contains("# Optimizers (synthetic world)") && markdown.contains("| advantage |"));
        assert_eq!(markdown.contains("| light |"), runs == "runs", "{markdown}");
        let again = bench(&suite, &options, &Toys::default()).unwrap();
        assert_eq!((again.computed, &again.result), (0, &outcome.result));
    }
    let listed = crate::store::list(&dir.path().join("alone")).unwrap();
    assert_eq!(listed[0].leader.as_deref(), Some("advantage"));
}

#[test]
fn an_optimizer_that_fails_costs_its_own_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut suite = suite(dir.path());
    suite.optimizers[1].plugin = "broken".into();
    suite.optimizers.push(crate::suite::Optimizer {
        id: "greedy".into(),
        parameters: serde_json::from_str(r#"{ "level": 5 }"#).unwrap(),
        ..suite.optimizers[0].clone()
    });
    let outcome = bench(&suite, &options(dir.path(), "runs"), &Toys::default()).unwrap();
    let rows = &outcome.result.optimizers.as_ref().unwrap().board.rows;
    let row = |id: &str| rows.iter().find(|row| row.optimizer == id).unwrap();
    assert_eq!(row("advantage").coverage.done, 3);
    assert!(row("idle").rank.is_none() && row("idle").failures[0].contains("no weights"));
    // 160 answers leave fewer than ten steps of 5 answers in 8 contexts.
    assert!(
        row("greedy").failures[2].starts_with("seed 2: ") && row("greedy").failures[0].contains("10 steps")
    );
    assert_eq!(outcome.result.failures().count(), 4);
    assert!(outcome.board.rows.iter().all(|row| row.failures.is_empty()) && outcome.board.notes.is_empty());
}

#[test]
fn bad_products_are_counted_and_rescoring_calls_no_generator() {
    let dir = tempfile::tempdir().unwrap();
    let (suite, options, toys) = (suite(dir.path()), options(dir.path(), "runs"), Toys::default());
    std::fs::write(dir.path().join("p2.png"), b"").unwrap();
    let empty = bench(&suite, &BenchOptions { rescore: true, ..options.clone() }, &toys).unwrap_err();
    assert!(empty.to_string().contains("without --rescore first"), "{empty}");
    let outcome = bench(&suite, &options, &toys).unwrap();
    let row = &outcome.board.rows[0];
    assert_eq!((row.coverage.done, row.coverage.planned, outcome.board.products), (4, 6, 3));
    assert!(row.failures.iter().any(|f| f.product == "p2" && f.message.contains("0 bytes")));
    let generated = toys.generated.load(Ordering::Relaxed);
    let rescored = bench(&suite, &BenchOptions { rescore: true, ..options }, &toys).unwrap();
    assert_eq!(toys.generated.load(Ordering::Relaxed), generated);
    assert_eq!(board_bytes(&rescored), board_bytes(&outcome));
}

#[test]
fn rendering_writes_a_png_and_a_sidecar_each() {
    let dir = tempfile::tempdir().unwrap();
    let suite = suite(dir.path());
    let toys = Toys::default();
    let services = Services { plugins: &toys, matting: &NoMatting, progress: &Silent, cancel: &toys.cancel };
    let products =
        crate::products::load(&dir.path().join("products.json"), Some(2), &NoMatting).unwrap().good;
    let job = RenderJob { suite, products, prompt: None, out: dir.path().join("out") };
    let rendered = render(&job, &services).unwrap();
    assert_eq!(rendered.len(), 2 * 2 * 2);
    for one in &rendered {
        let png = image::open(one.image.as_ref().unwrap()).unwrap();
        assert_eq!((png.width(), png.height()), (32, 32));
        let sidecar = std::fs::read_to_string(one.image.as_ref().unwrap().with_extension("json")).unwrap();
        assert!(sidecar.contains(one.prompt.as_ref().unwrap()) && sidecar.contains("\"seed\""));
    }
}

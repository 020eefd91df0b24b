//! Training on a tiny checkpoint with random weights: heads with an adapter, and everything.

#[path = "../../models/tests/support/llava.rs"]
mod llava;
#[path = "../../models/tests/support/mod.rs"]
mod support;

use adeval_sdk::prelude::*;
use image::RgbaImage;
use llava::{Branch, Layout};
use llava_reward::{HeadsFrom, LlavaReward, Orders, Parameters, Train};
use tempfile::TempDir;

/// A base model, without heads.
fn tiny(train: Train) -> (TempDir, Parameters) {
    let folder = Branch::read("vicuna").written(Layout::Transformers5);
    let checkpoint = Some(folder.path().to_str().expect("UTF-8").to_owned());
    let heads = HeadsFrom::New;
    let parameters =
        Parameters { checkpoint, train, heads, lora_rank: 4, lora_alpha: 8.0, ..Parameters::default() };
    (folder, parameters)
}

fn done<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|e| panic!("{e}"))
}

fn open(parameters: &Parameters) -> LlavaReward {
    done(LlavaReward::create(parameters.clone(), &Environment::default()))
}

/// A creative of one brightness.
fn creative(level: u8) -> Image {
    Image::from(RgbaImage::from_pixel(32, 32, image::Rgba([level, level, level, 255])))
}

/// Users prefer the brighter one.
fn pair(left: u8, right: u8) -> LabelledPair {
    let product = Product::new("bag", "Red bag", creative(9));
    LabelledPair {
        pair: PairRequest { product, left: creative(left), right: creative(right) },
        left: f64::from(u8::from(left > right)),
        ctr: Some((f64::from(left) / 2550.0, f64::from(right) / 2550.0)),
    }
}

fn pairs() -> Vec<LabelledPair> {
    [(250, 10), (20, 240), (200, 50), (60, 220), (230, 0), (30, 180)].map(|(l, r)| pair(l, r)).into()
}

fn step(plugin: &mut LlavaReward, pairs: &[LabelledPair]) -> TrainingReport {
    let cx = CallContext::detached();
    let report = done(plugin.accumulate_gradient(pairs, &GradientOptions::default(), &cx));
    let stepped = done(plugin.step(&TrainingOptions::new(3e-3), &cx));
    assert_eq!(stepped.grad_norm, report.grad_norm);
    assert!(stepped.metrics["parameters/trained"] > 0.0);
    assert!(stepped.metrics["parameters/total"] >= stepped.metrics["parameters/trained"]);
    report
}

fn said(plugin: &LlavaReward) -> Vec<f64> {
    let requests: Vec<PairRequest> = pairs().into_iter().map(|item| item.pair).collect();
    let answers = plugin.compare_batch(&requests, &CallContext::detached());
    answers.into_iter().map(|answer| done(answer).left).collect()
}

#[test]
fn it_learns_what_users_prefer() {
    for train in [Train::Adapter, Train::All] {
        let (_folder, parameters) = tiny(train);
        let mut plugin = open(&parameters);
        let first = step(&mut plugin, &pairs());
        for _ in 0..40 {
            step(&mut plugin, &pairs());
        }
        let last = step(&mut plugin, &pairs());
        let [before, after] = [&first, &last].map(|report| report.loss.expect("a loss"));
        assert!(after < 0.2 * before, "{train:?}: {before} to {after}");
        assert!(last.metrics["loss/point"] < first.metrics["loss/point"], "{train:?}");
        assert_eq!(last.metrics["accuracy"], 1.0, "{train:?}");
        // Pairs that were not seen, in the middle of those that were.
        let unseen = [pair(245, 25), pair(40, 210)];
        for item in unseen {
            let left = done(plugin.compare(&item.pair, &CallContext::detached())).left;
            assert_eq!(left > 0.5, item.left > 0.5, "{train:?}: {left}");
        }
    }
}

#[test]
fn what_is_saved_goes_on_where_it_stopped_and_is_a_checkpoint() {
    for train in [Train::Adapter, Train::All] {
        let (_folder, parameters) = tiny(train);
        let cx = CallContext::detached();
        let mut plugin = open(&parameters);
        for _ in 0..3 {
            step(&mut plugin, &pairs());
        }
        let (trained, saved) = (said(&plugin), tempfile::tempdir().expect("a folder"));
        done(plugin.save(saved.path(), &cx));
        step(&mut plugin, &pairs());
        let next = said(&plugin);
        assert_ne!(trained, next, "{train:?}");

        let mut other = open(&parameters);
        for plugin in [&mut plugin, &mut other] {
            done(plugin.load(saved.path(), &cx));
            assert_eq!(said(plugin), trained, "{train:?}");
            step(plugin, &pairs());
            assert_eq!(said(plugin), next, "{train:?}: the optimizer came back");
        }

        // What was saved is a model for whoever names it, without further parameters.
        let weights = Some(saved.path().to_owned());
        let begun = done(LlavaReward::create(
            Parameters::default(),
            &Environment { weights, ..Environment::default() },
        ));
        let worst = said(&begun).iter().zip(&trained).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-6, "{train:?}: {worst}");

        let empty = tempfile::tempdir().expect("a folder");
        assert!(plugin.load(empty.path(), &cx).is_err(), "{train:?}");
        let heads =
            saved.path().join(if train == Train::All { "model.safetensors" } else { "heads.safetensors" });
        let whole = std::fs::read(&heads).expect("a file");
        std::fs::write(&heads, &whole[..whole.len() / 2]).expect("a file");
        let error = plugin.load(saved.path(), &cx).expect_err("half a file");
        assert_eq!(error.kind, ErrorKind::BadWeights, "{error}");
        assert_eq!(said(&plugin), next, "{train:?}: nothing was changed");
    }
}

#[test]
fn what_cannot_be_learnt_is_refused() {
    let (_folder, parameters) = tiny(Train::Adapter);
    let mut plugin = open(&parameters);
    let cx = CallContext::detached();
    let mut refused = |pairs: &[LabelledPair]| {
        plugin.accumulate_gradient(pairs, &GradientOptions::default(), &cx).expect_err("refused")
    };
    assert_eq!(refused(&[]).kind, ErrorKind::InvalidRequest);
    let error = refused(&[LabelledPair { left: 1.5, ..pair(1, 2) }]);
    assert!(error.message.contains("a pair of \"bag\" has label 1.5"), "{error}");
    let error = refused(&[LabelledPair { ctr: Some((0.1, f64::NAN)), ..pair(1, 2) }]);
    assert!(error.message.contains("NaN"), "{error}");
    let wrong = |edit: &dyn Fn(&mut Parameters)| {
        let (_folder, mut parameters) = tiny(Train::All);
        edit(&mut parameters);
        LlavaReward::create(parameters, &Environment::default()).err().expect("refused").to_string()
    };
    assert!(wrong(&|p| p.point_weight = -1.0).contains("point_weight is -1"));
    assert!(wrong(&|p| p.adapter.clone_from(&p.checkpoint)).contains("train one or the other"));
    assert!(wrong(&|p| p.heads = HeadsFrom::Checkpoint).contains("this is a base model"));
}

#[test]
fn dropout_leaves_the_same_out_of_a_pair_whatever_is_beside_it() {
    let (_folder, mut parameters) = tiny(Train::Adapter);
    (parameters.lora_dropout, parameters.orders) = (0.5, Orders::Both);
    let cx = CallContext::detached();
    let norm = |seed: u64, batch: u32| {
        let mut plugin = open(&Parameters { batch, ..parameters.clone() });
        step(&mut plugin, &pairs());
        let options = GradientOptions { weight: 1.0, seed };
        done(plugin.accumulate_gradient(&pairs(), &options, &cx)).grad_norm.expect("a norm")
    };
    assert_eq!(norm(1, 1), norm(1, 4));
    assert_ne!(norm(1, 1), norm(2, 1));
}

//! The reward model on a tiny LLaVA of the original code with both heads. Goldens:
//! `python fixtures/scripts/goldens_llava_models.py ORIGINAL`.

#[path = "support/llava.rs"]
mod llava;
mod support;

use adeval_models::decoder::Pass;
use adeval_models::language::{Message, Rendering};
use adeval_models::llava::reward::{
    HeadSource, Judgement, LlavaReward, Orders, Pair, Question, Questions, Subject, side_by_side,
};
use adeval_models::llava::{Llava, LoadOptions};
use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage};

use llava::{Branch, Layout};
use support::{Parity, recipe};

const PARITY: Parity = Parity::new("llava", "transformers 5.24.0, Pillow 13.0.0, LLaVA c121f04");
const HEADS: [&str; 2] = ["score.weight", "sku_ctr_linear_fc.0.weight"];

fn load(heads: &[&str], kept: impl Fn(&str) -> bool) -> adeval_models::Result<LlavaReward> {
    let folder = tempfile::tempdir().expect("a folder");
    Branch::read("original").write(folder.path(), Layout::Original, kept, heads);
    let questions = Questions::own(Question::Caption)?;
    LlavaReward::load(folder.path(), &LoadOptions::default(), questions, HeadSource::Checkpoint)
}

fn model() -> LlavaReward {
    load(&HEADS, |_| true).unwrap_or_else(|e| panic!("{e}"))
}

fn subject() -> Subject {
    Subject {
        caption: "Red leather bag".to_owned(),
        attributes: vec![("colour".to_owned(), "red".to_owned())],
    }
}

fn near(found: &Judgement, expected: &Judgement) -> bool {
    let pairs = [
        (found.left, expected.left),
        (found.rates[0], expected.rates[0]),
        (found.rates[1], expected.rates[1]),
    ];
    pairs.iter().all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn heads_read_the_last_hidden_state_as_the_reference() {
    let (branch, model) = (Branch::read("original"), model());
    for (number, asked) in branch.facts.asked.iter().enumerate() {
        let messages = [Message::shown(asked.sizes.len(), asked.text.as_str())];
        let text = model.llava().render(&messages, &Rendering::default()).expect("a prompt");
        let prompt = model.llava().prompt(&text, &asked.extents()).expect("ids");
        let pictures: Vec<Tensor> = asked
            .sizes
            .iter()
            .map(|&(h, w)| model.llava().look(&recipe::picture(&format!("llava.{h}x{w}"), h, w)).expect("it"))
            .collect();
        let embeds = model.llava().embed(&prompt, &pictures).expect("embeddings");
        let hidden = model.llava().hidden(&[embeds], Pass::Inference).expect("hidden states");
        let last = hidden.narrow(1, hidden.dims()[1] - 1, 1).and_then(|t| t.squeeze(1)).expect("the last");
        let (side, point) = model.heads().forward(&last).expect("scores");
        for (name, found) in [("score", side), ("point", point)] {
            let found = found.squeeze(0).expect("one row");
            let case = format!("reward, {name} head, prompt {number}");
            PARITY.relative(&case, &found, &branch.golden[&format!("{name}.{number}")], 1e-5);
        }
    }
}

#[test]
fn a_pair_is_one_picture_of_two_halves() {
    let (left, right) = (RgbImage::from_pixel(512, 512, Rgb([9, 8, 7])), recipe::picture("right", 300, 400));
    let picture = side_by_side(&left, &right).expect("a picture");
    assert_eq!(picture.dimensions(), (1024, 512));
    assert_eq!((picture.get_pixel(0, 0).0, picture.get_pixel(511, 511).0), ([9, 8, 7], [9, 8, 7]));
    let resized = adeval_models::clip::preprocess::resize_bicubic(&right, 512, 512);
    assert_eq!(picture.get_pixel(512, 3), resized.get_pixel(0, 3));
    assert!(side_by_side(&left, &RgbImage::new(0, 3)).is_err());
}

#[test]
fn batches_orders_and_rates_agree_with_each_other() {
    let model = model();
    let pictures: Vec<RgbImage> = ["a", "b", "c"]
        .iter()
        .zip([64, 90, 512])
        .map(|(name, side)| recipe::picture(name, side, side))
        .collect();
    let subject = subject();
    let pair = |left: usize, right: usize, seed: u64| Pair {
        left: &pictures[left],
        right: &pictures[right],
        subject: &subject,
        seed,
    };
    let pairs = [pair(0, 1, 0), pair(1, 0, 0), pair(1, 2, 3)];
    let together = model.compare(&pairs, Orders::One).expect("judgements");
    for (pair, found) in pairs.iter().zip(&together) {
        let alone = model.compare(std::slice::from_ref(pair), Orders::One).expect("a judgement")[0];
        assert!(near(found, &alone), "{found:?} {alone:?}");
        assert!((0.0..=1.0).contains(&found.left));
    }
    assert!((together[0].left + together[1].left - 1.0).abs() > 1e-4, "random heads like a side");
    let both = model.compare(&pairs, Orders::Both).expect("judgements");
    assert!(near(&both[0], &both[1].turned()), "{both:?}");
    let mean = (together[0].left + 1.0 - together[1].left) / 2.0;
    assert!((both[0].left - mean).abs() < 1e-6);
    let rate = model.rates(&[(&pictures[2], &subject, 5)]).expect("a rate")[0];
    let beside = model.compare(&[pair(2, 2, 5)], Orders::One).expect("a judgement")[0];
    assert!((rate - (beside.rates[0] + beside.rates[1]) / 2.0).abs() < 1e-12);
    assert!(model.compare(&[], Orders::Both).expect("nothing").is_empty());
    let other = model.compare(&[pair(0, 1, 1)], Orders::One).expect("a judgement")[0];
    assert!(!near(&other, &together[0]), "the seed chooses another wording");
}

#[test]
fn a_model_without_heads_is_told_to_be_a_base_model() {
    let error = load(&[], |_| true).err().expect("no heads").to_string();
    for word in ["this is a base model", "no score.weight and no sku_ctr_linear_fc.0.weight", "train one"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    let error = load(&HEADS[..1], |_| true).err().expect("one head").to_string();
    assert!(error.contains("has no sku_ctr_linear_fc.0.weight"), "{error}");
    // A model for scoring alone needs no head for words.
    load(&HEADS, |name| name != "lm_head.weight").unwrap_or_else(|e| panic!("{e}"));
    let other = Tensor::zeros((3, 32), candle_core::DType::F32, &Device::Cpu).expect("a tensor");
    let error =
        adeval_models::llava::reward::Heads::new(&other, &other).expect_err("three classes").to_string();
    assert!(error.contains("score.weight has shape [3, 32], expected [2, 32]"), "{error}");
}

#[test]
fn a_model_with_heads_is_told_to_be_a_reward_model_where_words_are_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    Branch::read("original").write(folder.path(), Layout::Original, |_| true, &HEADS);
    let error = Llava::load(folder.path(), &LoadOptions::default()).err().expect("heads").to_string();
    for word in ["this is a reward model", "score.weight and sku_ctr_linear_fc.0.weight", "prompt model"] {
        assert!(error.contains(word), "{word}: {error}");
    }
}

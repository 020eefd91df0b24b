//! Training of the reward model: of heads and adapter, and of a whole small LLaVA, against differences of the loss.

#[path = "support/llava.rs"]
mod llava;
#[path = "support/slopes.rs"]
mod slopes;
mod support;

use std::collections::BTreeMap;

use adeval_models::llava::LoadOptions;
use adeval_models::llava::reward::{
    HeadSource, Label, Learning, LlavaReward, Losses, Orders, Pair, Question, Questions, Subject,
};
use adeval_models::lora::{LoraAdapter, LoraConfig};
use adeval_models::training::{Gradients, Memory};
use candle_core::Var;
use image::RgbImage;

use llava::{Branch, Layout};
use slopes::{norm, slopes};
use support::{Parity, recipe};

const PARITY: Parity = Parity::new("llava-reward-training", "differences of the loss");
const HEADS: [&str; 2] = ["score.weight", "sku_ctr_linear_fc.0.weight"];
const WEIGHT: f64 = 0.7;
const POINT: f64 = 0.5;

fn loaded(whole: bool, heads: &[&str], source: HeadSource) -> LlavaReward {
    let folder = tempfile::tempdir().expect("a folder");
    Branch::read("vicuna").write(folder.path(), Layout::Transformers5, |_| true, heads);
    let questions = Questions::own(Question::Caption).expect("questions");
    let load = if whole { LlavaReward::load_trainable } else { LlavaReward::load };
    load(folder.path(), &LoadOptions::default(), questions, source).unwrap_or_else(|e| panic!("{e}"))
}

/// Pairs of unequal prompts, one of them without known rates.
struct Material {
    pictures: Vec<RgbImage>,
    subjects: [Subject; 2],
}

impl Material {
    fn new() -> Self {
        let subject = |caption: &str| Subject { caption: caption.to_owned(), attributes: Vec::new() };
        Self {
            pictures: ["a", "b", "c"].iter().map(|name| recipe::picture(name, 40, 40)).collect(),
            subjects: [subject("Red bag"), subject("A blue lamp of glass for the table")],
        }
    }

    fn pairs(&self) -> Vec<(Pair<'_>, Label)> {
        let pair = |left: usize, right: usize, subject: usize| Pair {
            left: &self.pictures[left],
            right: &self.pictures[right],
            subject: &self.subjects[subject],
            seed: 0,
        };
        vec![
            (pair(0, 1, 0), Label { left: 1.0, rates: Some([0.04, 0.02]) }),
            (pair(2, 1, 1), Label { left: 0.3, rates: None }),
        ]
    }
}

fn gradients(model: &LlavaReward, pairs: &[(Pair, Label)], memory: Memory) -> (Gradients, Vec<Losses>) {
    let learning = Learning { weight: WEIGHT, point_weight: POINT, dropout: None, memory };
    let mut gradients = Gradients::default();
    let losses = model
        .accumulate(pairs, &learning, |pair| model.look(pair.left, pair.right), &mut gradients)
        .unwrap_or_else(|e| panic!("{e}"));
    (gradients, losses)
}

/// The weighted sum of the losses, by the fast path and the definition.
fn loss(model: &LlavaReward, pairs: &[(Pair, Label)]) -> f64 {
    let asked: Vec<Pair> = pairs.iter().map(|(pair, _)| pair.clone()).collect();
    let judged = model.compare(&asked, Orders::One).expect("judgements");
    let one = |(judged, (_, label)): (&adeval_models::llava::reward::Judgement, &(Pair, Label))| {
        let entropy = -label.left * judged.left.ln() - (1.0 - label.left) * (1.0 - judged.left).ln();
        let squared = label.rates.map_or(0.0, |rates| {
            judged.rates.iter().zip(rates).map(|(said, seen)| (said - seen).powi(2)).sum::<f64>() / 2.0
        });
        entropy + POINT * squared
    };
    WEIGHT * judged.iter().zip(pairs).map(one).sum::<f64>()
}

/// Checks all slopes; some of the variables may get nothing.
fn check(
    case: &str,
    variables: &BTreeMap<String, Var>,
    found: &Gradients,
    unseen: impl Fn(&str) -> bool,
    loss: impl FnMut() -> f64,
) {
    let whole = found.norm().expect("a norm");
    let mut worst = (0.0_f64, String::new());
    for (tensor, (length, slope)) in slopes(variables, found, loss) {
        assert!(
            unseen(&tensor) || length > 1e-7 * whole,
            "{case}: {tensor} gets no gradient, {length} of {whole}"
        );
        let error = (length - slope).abs() / (length + 1e-3 * whole);
        if error > worst.0 {
            worst = (error, tensor);
        }
    }
    PARITY.number(&format!("{case}: gradients, {}", worst.1), "relative, worst tensor", worst.0, 2e-2);
}

#[test]
fn every_weight_of_a_whole_model_gets_its_gradient() {
    let mut model = loaded(true, &HEADS, HeadSource::Checkpoint);
    let (material, mut variables) = (Material::new(), model.variables());
    let pairs = material.pairs();
    let (found, losses) = gradients(&model, &pairs, Memory::Everything);
    assert!(
        (losses.iter().map(|l| l.preference + POINT * l.point).sum::<f64>() * WEIGHT - loss(&model, &pairs))
            .abs()
            < 1e-6
    );
    // Words are scored by nobody here.
    assert!(variables.remove("lm_head.weight").is_some() && found.get("lm_head.weight").is_none());
    assert!(found.iter().map(|(name, _)| name).eq(variables.keys().map(String::as_str)), "the same names");
    let (again, _) = gradients(&model, &pairs, Memory::Inputs);
    for (tensor, gradient) in again.iter() {
        let difference = (gradient - found.get(tensor).expect("the same")).expect("a difference");
        assert!(
            norm(&difference) <= 1e-6 * found.norm().expect("a norm"),
            "{tensor} depends on what is kept"
        );
    }
    let unseen = |name: &str| name.ends_with("k_proj.bias");
    check("whole", &variables, &found, unseen, || {
        model.llava_mut().refresh().expect("fast forms");
        loss(&model, &pairs)
    });
}

#[test]
fn heads_and_adapter_get_theirs_and_pairs_add_up() {
    let mut model = loaded(false, &[], HeadSource::New(3));
    let config = LoraConfig { rank: 4, alpha: 8.0, ..LoraConfig::default() };
    let adapter = LoraAdapter::new(config, model.llava().decoder(), 1).expect("an adapter");
    model.llava_mut().decoder_mut().attach(&adapter).expect("it fits");
    let mut variables = adapter.variables();
    // An adapter begins at nothing, where half of its gradients are nothing.
    for (name, variable) in variables.iter().filter(|(name, _)| name.contains("lora_B")) {
        let start = recipe::weights(&[(name.clone(), variable.dims().to_vec())].into())[0].1.clone();
        variable.set(&(start * 0.3).expect("small")).expect("set");
    }
    variables.extend(model.variables());
    let material = Material::new();
    let pairs = material.pairs();
    let (found, _) = gradients(&model, &pairs, Memory::Inputs);
    let mut sum = Gradients::default();
    for pair in &pairs {
        let (one, _) = gradients(&model, std::slice::from_ref(pair), Memory::Inputs);
        one.iter().for_each(|(name, gradient)| sum.add(name, gradient).expect("a sum"));
    }
    for (name, gradient) in found.iter() {
        let difference = (gradient - sum.get(name).expect("the same")).expect("a difference");
        assert!(norm(&difference) < 1e-4 * norm(gradient).max(1e-3), "{name}: pairs add up");
    }
    check("adapter and heads", &variables, &found, |_| false, || loss(&model, &pairs));
}

#[test]
fn new_heads_come_from_a_seed_and_only_where_there_are_none() {
    let weights = |model: &LlavaReward| {
        let heads = model.heads().variables();
        HEADS.map(|name| heads[name].as_detached_tensor().to_vec2::<f32>().expect("a matrix"))
    };
    let [one, same, other] = [3, 3, 4].map(|seed| weights(&loaded(false, &[], HeadSource::New(seed))));
    assert!(one == same && one[0] != other[0]);
    let flat: Vec<f32> = one[0].concat();
    let spread = (flat.iter().map(|v| v * v).sum::<f32>() / flat.len() as f32).sqrt();
    assert!((0.012..0.03).contains(&spread), "{spread}");
    assert!(one[1].concat().iter().all(|rate| *rate == 0.0));
    let kept = loaded(false, &HEADS, HeadSource::New(3));
    assert_eq!(weights(&kept), weights(&loaded(false, &HEADS, HeadSource::Checkpoint)));
}

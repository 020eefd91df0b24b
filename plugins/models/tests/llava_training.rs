//! Training through pictures: of a language model's adapter, and of a whole small LLaVA, against differences of the loss.

#[path = "support/llava.rs"]
mod llava;
#[path = "support/slopes.rs"]
mod slopes;
mod support;

use adeval_models::decoder::Pass;
use adeval_models::generation::Prompt;
use adeval_models::language::{Message, Rendering};
use adeval_models::llava::grid::Extent;
use adeval_models::llava::{Llava, LlavaPrompt, LoadOptions};
use adeval_models::lora::{LoraAdapter, LoraConfig};
use adeval_models::training::{
    AdamW, AdamWConfig, Example, Gradients, Memory, accumulate_through, log_probs,
};
use candle_core::{DType, Tensor, Var};

use llava::{Branch, Layout};
use slopes::{norm, slopes};
use support::{Parity, recipe};

const PARITY: Parity = Parity::new("llava-training", "differences of the loss");
/// d loss / d log p of each token of the answer.
const BY: [f64; 5] = [0.7, -1.3, 0.4, 1.1, -0.6];

fn trainable(name: &'static str) -> Llava {
    let folder = Branch::read(name).written(Layout::Transformers5);
    Llava::load_trainable(folder.path(), &LoadOptions::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// A question about a picture, what was seen, and an answer.
fn asked(model: &Llava) -> (LlavaPrompt, Tensor, Example) {
    let picture = recipe::picture("llava.40x24", 24, 40);
    let seen = model.look(&picture).expect("a picture");
    let text = model.render(&[Message::shown(1, "What is it?")], &Rendering::default()).expect("a prompt");
    let prompt = model.prompt(&text, &[Extent { height: 24, width: 40 }]).expect("ids");
    let embeds = model.embed(&prompt, std::slice::from_ref(&seen)).expect("embeddings");
    let read = Prompt { ids: prompt.ids.clone(), embeds: Some(embeds) };
    (prompt, seen, Example { prompt: read, answer: vec![300, 7, 301, 41, 2] })
}

/// The loss, by the fast path.
fn loss(model: &Llava) -> f64 {
    let rows = log_probs(model.decoder(), &[asked(model).2], Pass::Inference).expect("log-probabilities");
    rows[0].iter().zip(BY).map(|(p, by)| f64::from(*p) * by).sum()
}

/// With variables that were set.
fn refreshed(model: &mut Llava) -> f64 {
    model.refresh().expect("fast forms");
    loss(model)
}

fn gradients(model: &Llava, memory: Memory) -> (Gradients, Vec<Vec<f32>>) {
    let (prompt, seen, example) = asked(model);
    let mut gradients = Gradients::default();
    let passed =
        accumulate_through(model.decoder(), &[example], &[BY.to_vec()], 1.0, None, memory, &mut gradients)
            .expect("gradients");
    model.backward(&prompt, &[seen], &passed.by_prompt[0], &mut gradients).expect("gradients");
    (gradients, passed.log_probs)
}

/// Every tensor that the model runs with gets a gradient, and it is the slope of the loss: what candle's fast operations would have
/// cut shows here.
#[test]
fn every_weight_of_a_whole_model_gets_its_gradient() {
    for name in ["vicuna", "llava15", "qwen2"] {
        let mut model = trainable(name);
        let variables = model.variables().clone();
        let kinds = ["vision_tower.embeddings.patch_embedding", "vision_tower.embeddings.class_embedding"];
        let kinds = kinds.into_iter().chain(["pre_layrnorm", "layer_norm1.weight", "multi_modal_projector"]);
        let kinds =
            kinds.chain(["embed_tokens", "input_layernorm", "self_attn.k_proj", "language_model.norm"]);
        for kind in kinds {
            assert!(
                variables.keys().any(|known| known.contains(kind)),
                "{name} has no {kind}: {variables:?}"
            );
        }
        let (found, of_pass) = gradients(&model, Memory::Everything);
        assert!(
            found.iter().map(|(n, _)| n).eq(variables.keys().map(String::as_str)),
            "{name}: the same names"
        );
        let fast = log_probs(model.decoder(), &[asked(&model).2], Pass::Inference).expect("log p");
        assert_eq!(of_pass, fast, "{name}: both passes give the same numbers");
        let whole = found.norm().expect("a norm");
        let mut worst = (0.0_f64, String::new());
        for (tensor, (length, slope)) in slopes(&variables, &found, || refreshed(&mut model)) {
            // A key's bias moves all scores of a query alike, which no softmax sees: its gradient is nothing.
            let unseen = tensor.ends_with("k_proj.bias");
            assert!(
                unseen || length > 1e-6 * whole,
                "{name}: {tensor} gets no gradient, {length} of {whole}"
            );
            let error = (length - slope).abs() / (length + 1e-3 * whole);
            if error > worst.0 {
                worst = (error, tensor);
            }
        }
        PARITY.number(&format!("{name}: gradients, {}", worst.1), "relative, worst tensor", worst.0, 2e-2);
        let (again, _) = gradients(&model, Memory::Inputs);
        for (tensor, gradient) in again.iter() {
            let difference = (gradient - found.get(tensor).expect("the same")).expect("a difference");
            assert!(norm(&difference) <= 1e-6 * whole, "{name}: {tensor} depends on what is kept");
        }
    }
}

#[test]
fn an_adapter_learns_through_pictures() {
    let folder = Branch::read("vicuna").written(Layout::Transformers5);
    let mut model = Llava::load(folder.path(), &LoadOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    assert!(model.variables().is_empty());
    let config = LoraConfig { rank: 4, alpha: 8.0, ..LoraConfig::default() };
    let adapter = LoraAdapter::new(config, model.decoder(), 1).expect("an adapter");
    for (name, variable) in adapter.variables() {
        variable.set(&recipe::weight(&name, variable.dims())).expect("the recipe's values");
    }
    model.decoder_mut().attach(&adapter).expect("it fits");
    let (found, _) = gradients(&model, Memory::Inputs);
    let variables = adapter.variables();
    assert!(found.iter().map(|(n, _)| n).eq(variables.keys().map(String::as_str)));
    let whole = found.norm().expect("a norm");
    let worst = slopes(&variables, &found, || refreshed(&mut model)).into_values();
    let worst =
        worst.map(|(length, slope)| (length - slope).abs() / (length + 1e-3 * whole)).fold(0.0, f64::max);
    PARITY.number("adapter behind a picture: gradients", "relative, worst tensor", worst, 2e-2);
}

/// A step along the gradient, and a model of the weights after it.
#[test]
fn a_step_changes_the_model_that_is_run_and_a_copy_keeps_it() {
    let mut model = trainable("vicuna");
    let copies = |model: &Llava| -> Vec<(String, Tensor)> {
        let copy = |v: &Var| v.as_detached_tensor().copy().expect("a copy");
        model.variables().iter().map(|(name, v)| (name.clone(), copy(v))).collect()
    };
    let before = copies(&model);
    let start = loss(&model);
    assert_eq!(
        loss(&model.of_weights(before.clone()).expect("a copy")),
        start,
        "a frozen copy computes the same"
    );
    let (found, _) = gradients(&model, Memory::Everything);
    let mut optimizer = AdamW::new(AdamWConfig::default());
    optimizer.step(model.variables(), &found, 1e-3).expect("a step");
    model.refresh().expect("fast forms");
    let end = loss(&model);
    assert!(end < start - 0.05, "{start} to {end}");
    for ((name, before), (_, now)) in before.iter().zip(copies(&model)) {
        assert!(norm(&(now - before).expect("a difference")) > 0.0, "{name} did not move");
    }
    assert_eq!(loss(&model.of_weights(copies(&model)).expect("a copy")), end);
    assert_eq!(loss(&model.of_weights(before.clone()).expect("a copy")), start);
    let torn = before.into_iter().filter(|(name, _)| !name.ends_with("embed_tokens.weight"));
    let error = model.of_weights(torn).err().expect("a tensor is missing").to_string();
    assert!(error.contains("embed_tokens.weight"), "{error}");
}

#[test]
fn a_tower_elsewhere_cannot_be_trained_with_it() {
    let branch = Branch::read("vicuna");
    let folder = branch.written_with(Layout::Transformers5, |name| !name.contains("vision_tower"));
    let error = Llava::load_trainable(folder.path(), &LoadOptions::default()).err().expect("refused");
    assert!(error.to_string().contains("does not hold its vision tower"), "{error}");
    let whole = branch.written(Layout::Transformers5);
    let values: usize = branch.facts.shapes.values().map(|shape| shape.iter().product::<usize>()).sum();
    assert_eq!(Llava::values(whole.path()).expect("headers"), values as u64);
    let model = Llava::load(whole.path(), &LoadOptions::default()).expect("a model");
    assert_eq!(model.decoder().dtype(), DType::F32);
}

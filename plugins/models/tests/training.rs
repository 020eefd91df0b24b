//! LoRA training against PEFT and PyTorch's autograd. Goldens: `python fixtures/scripts/goldens_llm_training.py`.

#[path = "support/llm.rs"]
mod llm;
mod support;

use std::collections::{BTreeMap, HashMap};

use adeval_models::ModelError;
use adeval_models::decoder::{Decoder, Pass};
use adeval_models::generation::Prompt;
use adeval_models::lora::{LoraAdapter, LoraConfig};
use adeval_models::training::{
    AdamW, AdamWConfig, CosineSchedule, Example, Gradients, Memory, Tape, accumulate, log_probs,
};
use candle_core::{DType, Device, Tensor, Var};
use serde::Deserialize;
use serde_json::Value;

use llm::{Model, bits};
use support::{Parity, golden, goldens, recipe};

const PARITY: Parity = Parity::new("training", "transformers 5.24.0, peft 0.21.2, torch 2.15.0");
const PREFIX: &str = "base_model.model.model.";

#[derive(Deserialize)]
struct Facts {
    prompts: Vec<Vec<u32>>,
    answers: Vec<Vec<u32>>,
    derivatives: Vec<Vec<f64>>,
    cases: BTreeMap<String, Case>,
    step: BTreeMap<String, f64>,
    dropout_seed: u64,
    rates: Vec<f64>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(flatten)]
    model: Model,
    setting: Setting,
    norm: Option<f64>,
}

#[derive(Deserialize)]
struct Setting {
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    lora_dropout: f64,
    #[serde(default)]
    use_rslora: bool,
    target_modules: Vec<String>,
}

fn facts() -> Facts {
    llm::facts("training")
}

impl Facts {
    fn examples(&self) -> Vec<Example> {
        let pair = |(prompt, answer): (&Vec<u32>, &Vec<u32>)| Example {
            prompt: Prompt::text(prompt.clone()),
            answer: answer.clone(),
        };
        self.prompts.iter().zip(&self.answers).map(pair).collect()
    }

    /// A case's decoder with the adapter of the recipe.
    fn adapted(&self, name: &str) -> (Decoder, LoraAdapter) {
        self.adapted_in(name, DType::F32)
    }

    fn adapted_in(&self, name: &str, dtype: DType) -> (Decoder, LoraAdapter) {
        let case = &self.cases[name];
        let mut decoder = case.model.decoder(dtype);
        let Setting { r, lora_alpha, lora_dropout, use_rslora, ref target_modules } = case.setting;
        let config = LoraConfig {
            rank: r,
            alpha: lora_alpha,
            dropout: lora_dropout,
            rank_stabilized: use_rslora,
            targets: target_modules.clone(),
        };
        let adapter = LoraAdapter::new(config, &decoder, 1).expect("an adapter");
        for (name, variable) in adapter.variables() {
            variable.set(&recipe::weight(&name, variable.dims())).expect("the recipe's values");
        }
        decoder.attach(&adapter).expect("it fits");
        (decoder, adapter)
    }

    fn gradients(
        &self,
        decoder: &Decoder,
        dropout: Option<u64>,
        memory: Memory,
    ) -> (Gradients, Vec<Vec<f32>>) {
        let mut gradients = Gradients::default();
        let found =
            accumulate(decoder, &self.examples(), &self.derivatives, 1.0, dropout, memory, &mut gradients);
        (gradients, found.expect("gradients"))
    }
}

fn flat(rows: &[Vec<f32>]) -> Tensor {
    let values = rows.concat();
    Tensor::from_vec(values.clone(), values.len(), &Device::Cpu).expect("a vector")
}

/// Compares every variable of a stage with its golden, and fails unless they are the same variables.
fn compare(
    what: &str,
    stage: &str,
    found: &BTreeMap<String, Tensor>,
    expected: &HashMap<String, Tensor>,
    limit: f64,
) {
    let expected = golden_of(expected, stage);
    assert!(found.keys().eq(expected.keys()), "{what}: the same variables");
    let mut worst = 0.0_f64;
    for (name, expected) in expected {
        let scale = expected.abs().and_then(|t| t.max_all()?.to_scalar::<f32>()).expect("a number");
        let error = (&found[&name] - &expected)
            .and_then(|t| t.abs()?.max_all()?.to_scalar::<f32>())
            .expect("a number");
        assert!(scale > 0.0, "{what}: the reference of {name} is zero");
        worst = worst.max(f64::from(error) / f64::from(scale));
    }
    PARITY.number(what, "max relative, worst tensor", worst, limit);
}

/// The goldens of a stage, by the variable's name.
fn golden_of(expected: &HashMap<String, Tensor>, stage: &str) -> BTreeMap<String, Tensor> {
    let prefix = format!("{stage}/");
    let named =
        expected.iter().filter_map(|(name, t)| Some((name.strip_prefix(&prefix)?.to_owned(), t.clone())));
    named.collect()
}

/// Copies: a detached tensor would change with its variable.
fn values(variables: &BTreeMap<String, Var>) -> BTreeMap<String, Tensor> {
    let copy = |var: &Var| var.as_detached_tensor().copy().expect("a copy");
    variables.iter().map(|(name, var)| (name.clone(), copy(var))).collect()
}

fn by_name(gradients: &Gradients) -> BTreeMap<String, Tensor> {
    gradients.iter().map(|(name, gradient)| (name.to_owned(), gradient.clone())).collect()
}

/// As goldens of a stage.
fn staged(stage: &str, gradients: &Gradients) -> HashMap<String, Tensor> {
    gradients.iter().map(|(name, gradient)| (format!("{stage}/{name}"), gradient.clone())).collect()
}

#[test]
fn log_probs_and_gradients_are_those_of_peft() {
    let (facts, expected) = (facts(), golden("llm/training.safetensors"));
    for name in facts.cases.keys() {
        let (decoder, adapter) = facts.adapted(name);
        let found = log_probs(&decoder, &facts.examples(), Pass::Inference).expect("log-probabilities");
        PARITY.relative(
            &format!("{name}: log p"),
            &flat(&found),
            &expected[&format!("{name}/log_probs")],
            1e-5,
        );
        let reference = log_probs(&decoder, &facts.examples(), Pass::Reference).expect("log-probabilities");
        let reference_golden = &expected[&format!("{name}/reference")];
        PARITY.relative(&format!("{name}: log p, adapter off"), &flat(&reference), reference_golden, 1e-5);
        let (gradients, of_pass) = facts.gradients(&decoder, None, Memory::Inputs);
        assert_eq!(of_pass, found, "{name}: the differentiable pass gives the same numbers");
        compare(
            &format!("{name}: gradients"),
            &format!("{name}/gradient"),
            &by_name(&gradients),
            &expected,
            1e-5,
        );
        // Every variable has a gradient, and nothing else has: the frozen weights are not even in the graph.
        let variables: Vec<String> = adapter.variables().into_keys().collect();
        assert_eq!(gradients.iter().map(|(n, _)| n.to_owned()).collect::<Vec<_>>(), variables);
        for (variable, gradient) in gradients.iter() {
            let largest = gradient.abs().and_then(|g| g.max_all()?.to_scalar::<f32>()).expect("a number");
            assert!(largest > 0.0, "{name}: {variable} gets no gradient");
        }
    }
}

/// As in the decoder's tests: float64 goes the way of other devices.
#[test]
fn gradients_through_candles_operations_are_the_same() {
    let (facts, expected) = (facts(), golden("llm/training.safetensors"));
    for name in facts.cases.keys() {
        let (decoder, _) = facts.adapted_in(name, DType::F64);
        let (gradients, _) = facts.gradients(&decoder, None, Memory::Inputs);
        let what = format!("{name}: gradients on candle's operations");
        compare(&what, &format!("{name}/gradient"), &by_name(&gradients), &expected, 1e-5);
    }
}

#[test]
fn dropout_leaves_out_what_its_seed_says() {
    let (facts, expected) = (facts(), golden("llm/training.safetensors"));
    let name = "mistral, window";
    let (decoder, _) = facts.adapted(name);
    for memory in [Memory::Inputs, Memory::Everything] {
        let (gradients, found) = facts.gradients(&decoder, Some(facts.dropout_seed), memory);
        let golden = &expected[&format!("{name}/dropout/log_probs")];
        PARITY.relative(
            &format!("{name}: log p under dropout, {memory:?} kept"),
            &flat(&found),
            golden,
            1e-5,
        );
        let stage = format!("{name}/dropout/gradient");
        compare(
            &format!("{name}: gradients under dropout, {memory:?} kept"),
            &stage,
            &by_name(&gradients),
            &expected,
            1e-5,
        );
    }
    let (_, other) = facts.gradients(&decoder, Some(facts.dropout_seed + 1), Memory::Inputs);
    let (_, none) = facts.gradients(&decoder, None, Memory::Inputs);
    assert_ne!(other, none, "another seed leaves out something, too");
}

#[test]
fn what_is_kept_changes_no_gradient() {
    let facts = facts();
    let (decoder, _) = facts.adapted("qwen2, windows above");
    let (again, _) = facts.gradients(&decoder, None, Memory::Inputs);
    let (kept, _) = facts.gradients(&decoder, None, Memory::Everything);
    for (name, gradient) in again.iter() {
        assert_eq!(bits(gradient), bits(kept.get(name).expect("the same variables")), "{name}");
    }
}

/// Adam's first step is the gradient over its own size: where a gradient is next to nothing, so is the share of its digits
/// that count, and the step may be any. So the optimizer is held to PyTorch's by PyTorch's gradients, and a whole step by ours
/// to the paper's rate.
#[test]
fn steps_are_those_of_torch() {
    let (facts, expected) = (facts(), golden("llm/training.safetensors"));
    let (decoder, adapter) = facts.adapted("vicuna");
    let variables = adapter.variables();
    let start = values(&variables);
    let (ours, _) = facts.gradients(&decoder, None, Memory::Inputs);
    AdamW::new(AdamWConfig::default()).step(&variables, &ours, 2e-5).expect("a step");
    let paper = golden_of(&expected, "vicuna/paper");
    let stepped = start.iter().map(|(name, value)| (name.clone(), (value + &paper[name]).expect("a sum")));
    let stepped: HashMap<String, Tensor> = stepped.map(|(name, t)| (format!("x/{name}"), t)).collect();
    compare("AdamW, one step of the paper's rate", "x", &values(&variables), &stepped, 1e-5);
    let moved = variables.iter().map(|(name, var)| (var.as_tensor() - &start[name]).expect("a difference"));
    let most = moved.map(|t| t.abs().and_then(|t| t.max_all()?.to_scalar::<f32>()).expect("a number"));
    assert!(
        most.into_iter().all(|most| (1.9e-5..2.1e-5).contains(&most)),
        "every variable moved by the rate"
    );

    variables.iter().for_each(|(name, var)| var.set(&start[name]).expect("as before"));
    let config = AdamWConfig { weight_decay: facts.step["weight_decay"], ..AdamWConfig::default() };
    let mut optimizer = AdamW::new(config);
    let mut gradients = Gradients::default();
    for (name, gradient) in golden_of(&expected, "vicuna/gradient") {
        gradients.add(&name, &gradient).expect("a sum");
    }
    let norm = gradients.clip(0.5).expect("a norm");
    let expected_norm = facts.cases["vicuna"].norm.expect("a norm");
    PARITY.number("gradient norm", "relative", (norm / expected_norm - 1.0).abs(), 1e-6);
    assert!((gradients.norm().expect("a norm") - 0.5).abs() < 1e-5, "clipped");
    optimizer.step(&variables, &gradients, facts.step["lr"]).expect("a step");
    compare("AdamW, one step from torch's gradients", "vicuna/step1", &values(&variables), &expected, 1e-6);
    // The state goes through a file between the steps.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("optimizer.safetensors");
    for _ in 0..2 {
        optimizer.save(&path).expect("a file");
        optimizer = AdamW::read(&path, config, &Device::Cpu).expect("its state");
        let (gradients, _) = facts.gradients(&decoder, None, Memory::Inputs);
        optimizer.step(&variables, &gradients, facts.step["lr"]).expect("a step");
    }
    assert_eq!(optimizer.steps(), 3);
    compare(
        "AdamW, three steps, two from our gradients",
        "vicuna/step3",
        &values(&variables),
        &expected,
        1e-3,
    );
    std::fs::write(&path, b"nothing").expect("a file");
    let error = AdamW::read(&path, config, &Device::Cpu).expect_err("damaged");
    assert!(matches!(error, ModelError::Weights { .. }), "{error}");
}

#[test]
fn rates_are_those_of_transformers() {
    let facts = facts();
    let schedule = CosineSchedule { peak: 3e-4, warm_up: 4, steps: 20 };
    let worst =
        (0..).zip(&facts.rates).map(|(step, rate)| (schedule.rate(step) - rate).abs()).fold(0.0, f64::max);
    PARITY.number("cosine with warm-up", "max relative", worst / 3e-4, 1e-12);
}

#[test]
fn gradients_add_up_and_scale() {
    let facts = facts();
    let (decoder, _) = facts.adapted("llama, llama3 scaling");
    let (whole, _) = facts.gradients(&decoder, None, Memory::Inputs);
    let mut parts = Gradients::default();
    for (example, derivatives) in facts.examples().into_iter().zip(&facts.derivatives) {
        let memory = Memory::Inputs;
        accumulate(&decoder, &[example], std::slice::from_ref(derivatives), 0.5, None, memory, &mut parts)
            .expect("gradients");
    }
    parts.scale(2.0).expect("a product");
    compare("gradients, example by example", "whole", &by_name(&parts), &staged("whole", &whole), 1e-5);
    parts.clear();
    assert!(parts.is_empty());
}

/// The derivative by the embeddings, against differences of the loss.
#[test]
fn embeddings_get_their_gradient() {
    let facts = facts();
    let (decoder, _) = facts.adapted("llama, biases, wide heads, tied");
    let embeds = recipe::noise("embeds", &[1, 5, 48]);
    let direction = recipe::noise("direction", &[1, 5, 48]);
    let by_hidden = recipe::noise("by hidden", &[1, 5, 48]);
    let loss = |x: &Tensor| -> f64 {
        let hidden = decoder.forward(x, &[0], None, Pass::Inference).expect("a pass");
        let product = (hidden.to_dtype(DType::F64).expect("f64")
            * by_hidden.to_dtype(DType::F64).expect("f64"))
        .expect("a product");
        product.sum_all().and_then(|t| t.to_scalar::<f64>()).expect("a number")
    };
    let tape = Tape::forward(&decoder, &embeds, &[0], None, Memory::Inputs).expect("a pass");
    let gradient = tape.backward(&decoder, &by_hidden, &mut Gradients::default()).expect("a way back");
    let slope = (gradient * &direction).and_then(|t| t.sum_all()?.to_scalar::<f32>()).expect("a number");
    let at = |step: f64| loss(&(&embeds + (&direction * step).expect("a step")).expect("a sum"));
    let differences = (at(5e-3) - at(-5e-3)) / 1e-2;
    PARITY.number(
        "gradient by embeddings",
        "relative to differences",
        (f64::from(slope) / differences - 1.0).abs(),
        2e-3,
    );
}

#[test]
fn adapters_of_peft_are_read_and_written() {
    let (facts, expected) = (facts(), golden("llm/training.safetensors"));
    let name = "llama, llama3 scaling";
    let mut decoder = facts.cases[name].model.decoder(DType::F32);
    let folder = goldens().join("llm/peft");
    let adapter = LoraAdapter::read(&folder, PREFIX, &decoder).expect("PEFT's adapter");
    assert_eq!((adapter.config().rank, adapter.config().alpha), (4, 4.0));
    decoder.attach(&adapter).expect("it fits");
    let found = log_probs(&decoder, &facts.examples(), Pass::Inference).expect("log-probabilities");
    PARITY.relative("PEFT's files: log p", &flat(&found), &expected[&format!("{name}/log_probs")], 1e-5);

    let ours = tempfile::tempdir().expect("a folder");
    adapter.save(ours.path(), PREFIX, "tiny").expect("files");
    let load = |folder: &std::path::Path| {
        candle_core::safetensors::load(folder.join("adapter_model.safetensors"), &Device::Cpu)
            .expect("tensors")
    };
    let (written, theirs) = (load(ours.path()), load(&folder));
    assert_eq!(written.len(), theirs.len());
    for (key, tensor) in &theirs {
        assert_eq!(bits(&written[key]), bits(tensor), "{key}");
    }
    let config = |folder: &std::path::Path| -> BTreeMap<String, Value> {
        let text = std::fs::read(folder.join("adapter_config.json")).expect("a configuration");
        serde_json::from_slice(&text).expect("an object")
    };
    let (written, theirs) = (config(ours.path()), config(&folder));
    for (key, value) in written.iter().filter(|(key, _)| *key != "base_model_name_or_path") {
        let number = |v: &Value| v.as_f64().map_or(v.clone(), Value::from);
        assert_eq!(number(value), number(&theirs[key]), "{key}");
    }
    let again = LoraAdapter::read(ours.path(), PREFIX, &decoder).expect("our own");
    assert_eq!(again.config(), adapter.config());
}

#[test]
fn merging_is_exact_and_can_be_undone() {
    let (facts, expected) = (facts(), golden("llm/training.safetensors"));
    let name = "llama, llama3 scaling";
    let (mut decoder, adapter) = facts.adapted(name);
    let of = |decoder: &Decoder, pass| {
        flat(&log_probs(decoder, &facts.examples(), pass).expect("log-probabilities"))
    };
    let (adapted, reference) = (of(&decoder, Pass::Inference), of(&decoder, Pass::Reference));
    decoder.merge().expect("sums");
    PARITY.relative("merged: log p", &of(&decoder, Pass::Inference), &adapted, 2e-6);
    PARITY.relative(
        "merged: log p of PEFT",
        &of(&decoder, Pass::Inference),
        &expected[&format!("{name}/log_probs")],
        1e-5,
    );
    assert_eq!(bits(&of(&decoder, Pass::Reference)), bits(&reference), "the reference stays");
    let merged = decoder.weight("layers.1.self_attn.q_proj").expect("a layer").expect("its weights");
    PARITY.relative("merged weights of PEFT", &merged, &expected[&format!("{name}/merged")], 2e-7);
    decoder.attach(&adapter).expect("a second time");
    decoder.merge().expect("sums");
    assert_eq!(bits(&of(&decoder, Pass::Reference)), bits(&reference), "of before the first merge");
    decoder.unmerge();
    assert_eq!(bits(&of(&decoder, Pass::Inference)), bits(&reference), "bit for bit as before");
    decoder.attach(&adapter).expect("again");
    assert_eq!(bits(&of(&decoder, Pass::Inference)), bits(&adapted));
    decoder.merge().expect("sums");
    decoder.keep_merged();
    assert_eq!(bits(&of(&decoder, Pass::Reference)), bits(&of(&decoder, Pass::Inference)));
}

#[test]
fn a_new_adapter_changes_nothing_and_learns() {
    let facts = facts();
    let mut decoder = facts.cases["vicuna"].model.decoder(DType::F32);
    let config = LoraConfig { rank: 4, alpha: 8.0, ..LoraConfig::default() };
    let adapter = LoraAdapter::new(config.clone(), &decoder, 3).expect("an adapter");
    assert_eq!(adapter.variables().len(), 2 * 7 * 3, "every linear layer");
    decoder.attach(&adapter).expect("it fits");
    let examples = facts.examples();
    let start = log_probs(&decoder, &examples, Pass::Inference).expect("log-probabilities");
    assert_eq!(start, log_probs(&decoder, &examples, Pass::Reference).expect("log-probabilities"));
    let down = adapter.variables()["layers.0.mlp.down_proj.lora_A.weight"].as_detached_tensor();
    let bound = down.abs().and_then(|t| t.max_all()?.to_scalar::<f32>()).expect("a number");
    assert!(bound < 1.0 / 80f32.sqrt() && bound > 0.9 / 80f32.sqrt(), "uniform within 1 / sqrt(80): {bound}");
    // The likelihood of the answers grows: maximum likelihood is d loss / d log p = -1.
    let mut optimizer = AdamW::new(AdamWConfig::default());
    let derivatives: Vec<Vec<f64>> = facts.answers.iter().map(|answer| vec![-1.0; answer.len()]).collect();
    let mut gradients = Gradients::default();
    for _ in 0..10 {
        gradients.clear();
        accumulate(&decoder, &examples, &derivatives, 1.0, None, Memory::Inputs, &mut gradients)
            .expect("gradients");
        optimizer.step(&adapter.variables(), &gradients, 1e-2).expect("a step");
    }
    let sum = |rows: &[Vec<f32>]| rows.iter().flatten().sum::<f32>();
    let end = log_probs(&decoder, &examples, Pass::Inference).expect("log-probabilities");
    assert!(sum(&end) > sum(&start) + 5.0, "{} to {}", sum(&start), sum(&end));
    let copy = adapter.duplicate().expect("a copy");
    decoder.attach(&copy).expect("it fits");
    assert_eq!(log_probs(&decoder, &examples, Pass::Inference).expect("log-probabilities"), end);
    decoder.detach();
    assert_eq!(log_probs(&decoder, &examples, Pass::Inference).expect("log-probabilities"), start);
}

/// Half-precision weights under float32 adapters: gradients near those in float32, in float32.
#[test]
fn adapters_stay_in_float32() {
    let facts = facts();
    let name = "vicuna";
    let (decoder, adapter) = facts.adapted(name);
    let (expected, _) = facts.gradients(&decoder, None, Memory::Inputs);
    let mut half = facts.cases[name].model.decoder(DType::F16);
    half.attach(&adapter).expect("it fits");
    let (found, _) = facts.gradients(&half, None, Memory::Inputs);
    assert!(found.iter().all(|(_, gradient)| gradient.dtype() == DType::F32));
    let expected = staged("f32", &expected);
    compare("gradients through f16 weights", "f32", &by_name(&found), &expected, 2e-2);
}

#[test]
fn what_makes_no_sense_is_named() {
    let facts = facts();
    let (mut decoder, adapter) = facts.adapted("vicuna");
    let examples = facts.examples();
    let mut gradients = Gradients::default();
    let refused = accumulate(&decoder, &examples, &[vec![1.0]], 1.0, None, Memory::Inputs, &mut gradients);
    let message = refused.expect_err("one derivative").to_string();
    assert!(message.contains("[1] derivatives for [5, 9, 1] tokens"), "{message}");
    let of = |prompt: Vec<u32>, answer: Vec<u32>| {
        let example = Example { prompt: Prompt::text(prompt), answer };
        log_probs(&decoder, &[example], Pass::Inference).expect_err("refused").to_string()
    };
    assert!(of(vec![3], Vec::new()).contains("example 0 with 1 tokens of prompt and 0 of answer"));
    assert!(of(vec![3], vec![4, 67]).contains("token 67, with a vocabulary of 67"));
    assert!(
        of(vec![3; 100], vec![4; 29])
            .contains("100 tokens of prompt 0 and 29 of its answer in a context of 128")
    );
    gradients.add("unknown", &Tensor::ones(1, DType::F32, &Device::Cpu).expect("one")).expect("a sum");
    let mut optimizer = AdamW::new(AdamWConfig::default());
    let error = optimizer.step(&adapter.variables(), &gradients, 1.0).expect_err("unknown").to_string();
    assert!(error.contains("a gradient of unknown, which is not among the variables"), "{error}");
    gradients.clear();
    let (name, var) = adapter.variables().pop_first().expect("one");
    gradients.add(&name, &Tensor::full(f32::NAN, var.dims(), &Device::Cpu).expect("NaN")).expect("a sum");
    let before = bits(&var.as_detached_tensor());
    let error = optimizer.step(&adapter.variables(), &gradients, 1.0).expect_err("NaN");
    assert!(matches!(error, ModelError::Numerical { .. }) && optimizer.steps() == 0, "{error}");
    assert_eq!(bits(&var.as_detached_tensor()), before, "nothing was changed");

    let config = |change: fn(&mut LoraConfig)| {
        let mut config = LoraConfig { rank: 2, ..LoraConfig::default() };
        change(&mut config);
        LoraAdapter::new(config, &decoder, 0).err().expect("refused").to_string()
    };
    assert!(config(|c| c.rank = 0).contains("r is 0"));
    assert!(config(|c| c.dropout = 1.0).contains("lora_dropout is 1"));
    assert!(config(|c| c.targets.push("lm_head".into())).contains("the decoder has no layer lm_head"));
    assert!(config(|c| c.targets.clear()).contains("target_modules is empty"));
    let folder = goldens().join("llm/peft");
    let error =
        LoraAdapter::read(&folder, "base_model.model.", &decoder).err().expect("another prefix").to_string();
    assert!(error.contains("adapter_model.safetensors") && error.contains("model.layers.0"), "{error}");
    let error = LoraAdapter::read(&folder, PREFIX, &decoder).err().expect("other heads").to_string();
    assert!(error.contains("v_proj: matrices of shapes"), "{error}");
    let (other, _) = facts.adapted("llama, biases, wide heads, tied");
    let wide =
        LoraAdapter::new(LoraConfig { rank: 2, ..LoraConfig::default() }, &other, 0).expect("an adapter");
    let error = decoder.attach(&wide).expect_err("another size").to_string();
    assert!(error.contains("is no layer of this decoder"), "{error}");
}

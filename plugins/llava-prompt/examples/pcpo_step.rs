//! A step of PCPO on a LLaVA, timed: what `adeval train rl` asks of `llava-prompt` and of `pcpo` for a batch of products. Its material
//! goes into a folder, from which `fixtures/scripts/speed_pcpo_step.py` makes the same step in PyTorch.
//!
//! ```sh
//! cargo run --release -p llava-prompt --example pcpo_step -- fixtures/weights/tiny-llava FOLDER [STEPS]
//! ```

#![allow(clippy::print_stdout, reason = "an example speaks to people")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use adeval_sdk::prelude::*;
use image::RgbaImage;
use llava_prompt::{LlavaPrompt, Parameters};
use serde_json::{Value, json};

/// Products of a step, two answers each.
const PRODUCTS: usize = 8;
const RANK: u32 = 8;
const RATE: f64 = 1e-3;
const BETA: f64 = 0.5;

type Failure = Box<dyn std::error::Error>;

fn products() -> std::result::Result<Vec<Product>, Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/products");
    let list: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join("products.json"))?)?;
    let product = |one: &Value| -> std::result::Result<Product, Failure> {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let image = image::open(folder.join(text("image")))?.to_rgba8();
        let mut product = Product::new(text("id"), text("title"), image.into());
        product.category = serde_json::from_value(one["category"].clone())?;
        product.attributes = serde_json::from_value(one["attributes"].clone())?;
        Ok(product)
    };
    list.iter().step_by(20).take(PRODUCTS).map(product).collect()
}

/// Three of four patches of 32 pixels zeroed, in a pattern.
fn masked(product: &Product) -> Product {
    let image = product.image.to_rgba();
    let masked =
        RgbaImage::from_fn(image.width(), image.height(), |x, y| match (x / 32 + 3 * (y / 32)) % 4 {
            0 => *image.get_pixel(x, y),
            _ => image::Rgba([0; 4]),
        });
    Product { image: masked.into(), ..product.clone() }
}

/// Each answer under its own condition, a masked picture and another product's text.
fn asked(products: &[Product], drawn: &[Vec<PromptSample>]) -> Vec<ConditionedAnswer> {
    let mut asked = Vec::new();
    for (at, (product, samples)) in products.iter().zip(drawn).enumerate() {
        let other = &products[(at + 1) % products.len()];
        let swapped = Product { image: product.image.clone(), ..other.clone() };
        for sample in samples {
            for condition in [product.clone(), masked(product), swapped.clone()] {
                asked.push(ConditionedAnswer { condition, tokens: sample.tokens.clone() });
            }
        }
    }
    asked
}

/// `-log sigmoid(x)` and its derivative.
fn cost(x: f64) -> (f64, f64) {
    let low = (-x).max(0.0);
    (low + ((-low).exp() + (-x - low).exp()).ln(), -1.0 / (1.0 + x.exp()))
}

/// PCPO of answers as [`asked`] orders them, the first of each product the better one: its loss, and the derivative by the sum of the
/// log-probabilities of each. Two plugins cannot be linked into one program; this is what `pcpo` computes with its defaults.
fn pcpo(current: &[Vec<f64>], reference: &[Vec<f64>]) -> (f64, Vec<f64>) {
    let sum = |rows: &[Vec<f64>], at: usize| rows[at].iter().sum::<f64>();
    let ratio = |at: usize| sum(current, at) - sum(reference, at);
    let (mut loss, mut by) = (0.0, vec![0.0; current.len()]);
    for first in (0..current.len()).step_by(6) {
        for (other, weight) in [(first + 3, 1.0), (first + 1, 0.5), (first + 2, 0.5)] {
            let (value, slope) = cost(BETA * (ratio(first) - ratio(other)));
            let scale = weight / PRODUCTS as f64;
            loss += scale * value;
            by[first] += scale * BETA * slope;
            by[other] -= scale * BETA * slope;
        }
    }
    (loss, by)
}

/// One step; gives its loss.
fn step(model: &mut LlavaPrompt, asked: &[ConditionedAnswer], reference: &[Vec<f64>]) -> Result<f64> {
    let cx = CallContext::detached();
    let (loss, by) = pcpo(&model.log_probs(Policy::Current, asked, &cx)?, reference);
    let moved = asked.iter().zip(by).filter(|(_, by)| *by != 0.0);
    let examples: Vec<AnswerGradient> = moved
        .map(|(answer, by)| AnswerGradient {
            answer: answer.clone(),
            loss_by_log_prob: vec![by; answer.tokens.len()],
        })
        .collect();
    model.accumulate_gradient(&examples, &GradientOptions::default(), &cx)?;
    model.step(&TrainingOptions::new(RATE), &cx)?;
    Ok(loss)
}

/// Pictures, texts and tokens of all answers, with their log-probabilities before training.
fn write(
    folder: &Path,
    asked: &[ConditionedAnswer],
    log_probs: &[Vec<f64>],
) -> std::result::Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let mut all = Vec::new();
    for (number, (answer, log_probs)) in asked.iter().zip(log_probs).enumerate() {
        let name = format!("{number:03}.png");
        answer.condition.image.to_rgba().save(folder.join(&name))?;
        let Product { title, category, attributes, .. } = &answer.condition;
        all.push(json!({
            "image": name, "title": title, "category": category, "attributes": attributes,
            "tokens": answer.tokens, "log_probs": log_probs,
        }));
    }
    let facts = json!({ "rank": RANK, "rate": RATE, "products": PRODUCTS, "answers": all });
    Ok(std::fs::write(folder.join("step.json"), serde_json::to_vec(&facts)?)?)
}

fn main() -> std::result::Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [checkpoint, folder, rest @ ..] = &arguments[..] else {
        return Err("name a checkpoint and a folder".into());
    };
    let steps: usize = rest.first().map_or(Ok(10), |text| text.parse())?;
    let parameters = Parameters {
        checkpoint: Some(checkpoint.clone()),
        lora_rank: RANK,
        lora_alpha: 2.0 * f64::from(RANK),
        ..Parameters::default()
    };
    let mut model = LlavaPrompt::create(parameters, &Environment::default())?;
    let cx = CallContext::detached();
    let products = products()?;
    let drawn = products.iter().map(|product| {
        let request = PromptRequest { samples: 2, max_tokens: 64, ..PromptRequest::new(product.clone(), 1) };
        model.generate(&request, &cx)
    });
    let drawn = drawn.collect::<Result<Vec<_>>>()?;
    let asked = asked(&products, &drawn);
    let reference = model.log_probs(Policy::Reference, &asked, &cx)?;
    write(&PathBuf::from(folder), &asked, &reference)?;
    let tokens: usize = asked.iter().map(|answer| answer.tokens.len()).sum();
    println!("{} answers of {tokens} tokens, {} of them with a gradient", asked.len(), PRODUCTS * 4);
    // The first step readies memory and puts the adapter on.
    println!("loss {:.6}", step(&mut model, &asked, &reference)?);
    let mut seconds = Vec::with_capacity(steps);
    for _ in 0..steps {
        let started = Instant::now();
        let loss = step(&mut model, &asked, &reference)?;
        seconds.push(started.elapsed().as_secs_f64());
        println!("loss {loss:.6}, {:.1} ms", 1e3 * seconds[seconds.len() - 1]);
    }
    seconds.sort_by(f64::total_cmp);
    println!("median {:.1} ms a step", 1e3 * seconds[seconds.len() / 2]);
    Ok(())
}

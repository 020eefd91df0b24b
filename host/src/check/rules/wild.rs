//! Fuzzing: seeded requests that nobody would write.

use super::super::exercise::{Case, Exercise};
use super::super::material;
use super::super::rule::{Finding, Rule, Scope, Verdict};
use super::super::subject::Subject;
use super::{rule, served_or_refused};
use adeval_sdk::rng::{self, ChaCha8Rng};
use adeval_sdk::{CallContext, Product};
use rand::RngExt;

pub static RULES: [Rule; 1] =
    [rule!("fuzz", Strict, Scope::Any, "wild requests are served or refused, never a panic", fuzz)];

/// Requests that are tried, time permitting.
const ROUNDS: u64 = 100;

fn fuzz(subject: &Subject) -> Verdict {
    let kind = subject.component()?.kind;
    let exercise = Exercise::new(kind, subject.create()?)?;
    let (mut served, mut rounds) = (0_u64, 0);
    while rounds < ROUNDS && subject.has_time(0.8) {
        // The first round is the rule's own seed, so that `--reproduce SEED` meets it again.
        let seed = subject.seed().wrapping_add(rounds);
        let case = wild_case(seed);
        let (width, height) = case.size;
        let what = format!(
            "round {rounds} (--reproduce {seed}; {width}x{height}, prompt {:?})",
            short(&case.prompt)
        );
        let replies = exercise.batch(std::slice::from_ref(&case), &CallContext::detached());
        let reply = replies.map(|mut replies| replies.pop()).and_then(|reply| {
            reply.unwrap_or_else(|| Err(adeval_sdk::PluginError::violation("no reply came back")))
        });
        served += u64::from(served_or_refused(&what, reply)?.is_some());
        rounds += 1;
    }
    if served == 0 {
        return Err(Finding::Failed(format!("all {rounds} requests were refused")));
    }
    Ok(format!("{served} of {rounds} served, {} refused", rounds - served))
}

fn short(text: &str) -> String {
    text.chars().take(30).collect()
}

fn wild_case(seed: u64) -> Case {
    let mut random = rng::seeded(seed);
    let size = (wild_side(&mut random), wild_side(&mut random));
    Case { product: wild_product(&mut random), size, prompt: wild_text(&mut random), seed }
}

/// Small sides mostly: they are where arithmetic goes wrong.
fn wild_side(random: &mut ChaCha8Rng) -> u32 {
    match random.random_range(0..4) {
        0 => random.random_range(1..=8),
        1 => random.random_range(1..=64),
        _ => random.random_range(1..=300),
    }
}

fn wild_text(random: &mut ChaCha8Rng) -> String {
    let words = [
        "marble", "snow", "neon", "beach", "velvet", "-", "10", "10%", "\u{202e}", "🎄", "\0", "\n", "NaN",
        "''",
    ];
    let count = random.random_range(0..12);
    (0..count)
        .map(|_| match random.random_range(0..4) {
            0 => random.random::<char>().to_string(),
            _ => words[random.random_range(0..words.len())].to_owned(),
        })
        .collect::<Vec<_>>()
        .join(if random.random_range(0..3) == 0 { "" } else { " " })
}

fn wild_product(random: &mut ChaCha8Rng) -> Product {
    let size = (wild_side(random), wild_side(random));
    let period = random.random_range(1..32);
    let style = random.random_range(0..5);
    let alpha = |x: u32, y: u32| match style {
        0 => 255,
        1 => (x * 255 / size.0) as u8,
        2 => u8::from((x / period + y / period).is_multiple_of(2)) * 255,
        3 => u8::from(x == y) * 255,
        _ => ((x * 31 + y * 17) % 256) as u8,
    };
    let mut product = material::product_with_alpha(size, alpha);
    product.title = wild_text(random);
    product.category = (0..random.random_range(0..4)).map(|_| wild_text(random)).collect();
    product.price = [None, Some(-1.0), Some(0.0), Some(f64::NAN), Some(1e300)][random.random_range(0..5)];
    product
}

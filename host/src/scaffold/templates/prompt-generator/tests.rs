//! These tests call the component as the host does: through an endpoint, with a client that checks
//! counts and log-probabilities.

use super::*;
use adeval_sdk::{client::PromptClient, endpoint};
use std::sync::Arc;

fn request(samples: u32, seed: u64) -> PromptRequest {
    let pixels = image::RgbaImage::from_pixel(2, 2, image::Rgba([9, 9, 9, 255]));
    let mut product = Product::new("mug", "Red mug", Image::from(pixels));
    product.category = vec!["Kitchen".into(), "Mugs".into()];
    PromptRequest {
        samples,
        ..PromptRequest::new(product, seed)
    }
}

fn generate(request: PromptRequest) -> Vec<PromptSample> {
    let component = Prompts::create(Parameters::default(), &Environment::default()).unwrap();
    let client = PromptClient::new(Arc::from(endpoint::prompt_generator(component)));
    client
        .generate(&[request], &CallContext::detached())
        .unwrap()
        .remove(0)
        .unwrap()
}

#[test]
fn a_sample_depends_on_the_seed_and_not_on_its_neighbours() {
    let nine = generate(request(9, 7));
    assert_eq!(nine[..2], generate(request(2, 7)));
    assert_ne!(nine, generate(request(9, 8)));
    assert!(nine[0].text.contains("Mugs on "), "{}", nine[0].text);
}

#[test]
fn samples_are_as_frequent_as_their_log_probs_say() {
    let samples = generate(request(4000, 1));
    let mut counts = [(0_u32, 0.0); 6];
    for sample in &samples {
        counts[sample.tokens[0] as usize].0 += 1;
        counts[sample.tokens[0] as usize].1 = sample.log_probs[0].exp();
    }
    for (count, probability) in counts {
        let share = f64::from(count) / samples.len() as f64;
        let error = (probability * (1.0 - probability) / samples.len() as f64).sqrt();
        assert!(
            (share - probability).abs() < 4.0 * error,
            "{share} for {probability}"
        );
    }
}

#[test]
fn a_cold_or_narrow_draw_takes_the_likeliest() {
    let cold = PromptRequest {
        temperature: 0.01,
        ..request(50, 3)
    };
    let narrow = PromptRequest {
        top_p: 0.1,
        ..request(50, 3)
    };
    for sample in [generate(cold), generate(narrow)].concat() {
        assert_eq!(sample.tokens, [0, 6]);
    }
}

#[test]
fn max_tokens_cuts_the_sentence() {
    let sample = generate(PromptRequest {
        max_tokens: 1,
        ..request(1, 3)
    })
    .remove(0);
    assert_eq!(
        (sample.tokens.len(), sample.finish),
        (1, FinishReason::Length)
    );
}

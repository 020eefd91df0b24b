//! The small checkpoint that comes with the repository: it has learnt to write background prompts.

use std::path::{Path, PathBuf};

use adeval_sdk::prelude::*;
use llava_prompt::{LlavaPrompt, Parameters};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// Products of the repository, every seventeenth.
fn products() -> Vec<Product> {
    let folder = fixtures().join("products");
    let list = std::fs::read(folder.join("products.json")).expect("products");
    let list: Vec<serde_json::Value> = serde_json::from_slice(&list).expect("JSON");
    let product = |one: &serde_json::Value| {
        let text = |key: &str| one[key].as_str().expect("text").to_owned();
        let image = image::open(folder.join(text("image"))).expect("a picture").to_rgba8();
        let mut product = Product::new(text("id"), text("title"), image.into());
        product.category = serde_json::from_value(one["category"].clone()).expect("categories");
        product.attributes = serde_json::from_value(one["attributes"].clone()).expect("attributes");
        product
    };
    list.iter().step_by(17).map(product).collect()
}

#[test]
fn it_writes_whole_prompts_that_differ_by_product_and_seed() {
    let checkpoint = fixtures().join("weights/tiny-llava").to_str().map(str::to_owned);
    let parameters = Parameters { checkpoint, ..Parameters::default() };
    let plugin = LlavaPrompt::create(parameters, &Environment::default()).unwrap_or_else(|e| panic!("{e}"));
    let mut texts = std::collections::BTreeSet::new();
    let (mut whole, mut all) = (0, 0);
    for product in products() {
        let request = PromptRequest { samples: 2, max_tokens: 64, ..PromptRequest::new(product, 7) };
        let samples = plugin.generate(&request, &CallContext::detached()).unwrap_or_else(|e| panic!("{e}"));
        for sample in samples {
            let words = sample.text.split_whitespace().count();
            let is_whole =
                sample.finish == FinishReason::Stop && sample.text.contains("the product on") && words > 9;
            whole += u32::from(is_whole);
            all += 1;
            texts.insert(sample.text);
        }
    }
    assert!(all == 20 && whole >= 18, "{whole} of {all} are whole prompts: {texts:#?}");
    assert!(texts.len() >= 18, "{texts:#?}");
}

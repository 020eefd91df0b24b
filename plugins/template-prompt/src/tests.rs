use super::*;
use std::collections::{BTreeMap, HashSet};

fn product(title: &str, category: &[&str], colour: Option<&str>) -> Product {
    let mut product = Product::new("p", title, Image::from(image::RgbaImage::new(1, 1)));
    product.category = category.iter().map(ToString::to_string).collect();
    product.attributes = colour.map(|c| ("color".to_owned(), c.to_owned())).into_iter().collect();
    product
}

fn generate(style: Style, product: Product, samples: u32, seed: u64) -> Vec<PromptSample> {
    let component = TemplatePrompt::create(Parameters { style }, &Environment::default()).unwrap();
    let request = PromptRequest { samples, ..PromptRequest::new(product, seed) };
    component.generate(&request, &CallContext::detached()).unwrap()
}

#[test]
fn a_sample_depends_on_the_seed_alone_and_not_on_its_neighbours() {
    let bag = product("Red Handbag", &["Bags & Luggage"], Some("red"));
    let two = generate(Style::Lifestyle, bag.clone(), 2, 7);
    let nine = generate(Style::Lifestyle, bag.clone(), 9, 7);
    assert_eq!(two, nine[..2]);
    assert_ne!(nine, generate(Style::Lifestyle, bag, 9, 8));
}

#[test]
fn every_style_fills_its_slots_for_odd_products() {
    let odd =
        ["", "\u{1f9f8}\u{1f9f8}", "\u{634}\u{646}\u{637}\u{629} \u{62c}\u{644}\u{62f}", "{c} {c}", "a\0b"];
    for style in Style::ALL {
        for title in odd {
            for sample in generate(style, product(title, &[], Some(title)), 20, 1) {
                assert!(!sample.text.contains('{') && sample.text.ends_with('.'), "{}", sample.text);
                assert!(sample.text.contains(": the product on ") && sample.text.contains(" before "));
                let slots = if style == Style::Seasonal { 8 } else { 7 };
                assert_eq!((sample.tokens.len(), sample.log_probs.len()), (slots, slots));
                assert_eq!(sample.finish, FinishReason::Stop);
            }
        }
    }
}

#[test]
fn log_probs_are_the_frequencies() {
    let samples = generate(Style::Studio, product("Lamp", &["Lighting"], None), 4096, 3);
    for slot in 0..samples[0].tokens.len() {
        let mut counts = BTreeMap::new();
        for sample in &samples {
            *counts.entry(sample.tokens[slot]).or_insert(0u32) += 1;
        }
        let p = samples[0].log_probs[slot].exp();
        assert_eq!(counts.len(), (1.0 / p).round() as usize);
        for (token, count) in counts {
            // Five standard errors of a binomial share.
            let bound = 5.0 * (p * (1.0 - p) / 4096.0).sqrt();
            assert!((f64::from(count) / 4096.0 - p).abs() < bound, "slot {slot}, token {token}: {count}");
        }
    }
}

#[test]
fn category_and_colour_reach_the_prompt() {
    let texts = |category: &[&str], colour| -> HashSet<String> {
        let samples = generate(Style::Lifestyle, product("", category, Some(colour)), 60, 5);
        samples.into_iter().map(|s| s.text).collect()
    };
    let tool = texts(&["Tools & Garden"], "red");
    assert!(tool.iter().any(|t| t.contains("workshop")));
    assert!(tool.is_disjoint(&texts(&["Beauty & Bath"], "red")));
    assert!(tool.iter().all(|t| !t.contains("peach")), "red tools get no colour that belongs to blue ones");
    assert!(texts(&["Tools & Garden"], "blue").iter().any(|t| t.contains("peach")));
}

#[test]
fn limits_are_kept_and_bad_numbers_named() {
    let component = TemplatePrompt::create(Parameters::default(), &Environment::default()).unwrap();
    let ask = |change: fn(&mut PromptRequest)| {
        let mut request = PromptRequest::new(product("x", &[], None), 1);
        change(&mut request);
        component.generate(&request, &CallContext::detached())
    };
    let short = ask(|r| r.max_tokens = 3).unwrap();
    assert_eq!((short[0].tokens.len(), short[0].finish), (3, FinishReason::Length));
    assert!(ask(|r| r.max_tokens = 0).unwrap_err().message.contains("max_tokens"));
    assert_eq!(ask(|r| r.top_p = 0.0).unwrap_err().kind, ErrorKind::InvalidRequest);
    let narrow = ask(|r| (r.samples, r.top_p) = (50, 0.01)).unwrap();
    assert!(narrow.iter().all(|s| s.text == narrow[0].text));
}

#[test]
fn parameters_are_closed() {
    assert!(serde_json::from_str::<Parameters>(r#"{"style":"luxury"}"#).is_ok());
    assert!(serde_json::from_str::<Parameters>(r#"{"style":"baroque"}"#).is_err());
    assert!(serde_json::from_str::<Parameters>(r#"{"styl":"luxury"}"#).is_err());
}

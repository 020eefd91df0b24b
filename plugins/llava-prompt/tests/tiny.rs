//! The plugin on a tiny checkpoint with random weights: its prompts are no sentences, all else is as with a real one.

#[path = "../../models/tests/support/llava.rs"]
mod llava;
#[path = "../../models/tests/support/mod.rs"]
mod support;

use std::sync::Mutex;

use adeval_sdk::CallHost;
use adeval_sdk::prelude::*;
use image::{Rgba, RgbaImage};
use llava::{Branch, Layout};
use llava_prompt::{LlavaPrompt, Parameters};
use tempfile::TempDir;

fn tiny() -> (TempDir, Parameters) {
    let folder = Branch::read("vicuna").written(Layout::Transformers5);
    let checkpoint = Some(folder.path().to_str().expect("UTF-8").to_owned());
    (folder, Parameters { checkpoint, ..Parameters::default() })
}

fn open(parameters: Parameters) -> Result<LlavaPrompt> {
    LlavaPrompt::create(parameters, &Environment::default())
}

fn request(samples: u32, seed: u64) -> PromptRequest {
    let picture =
        RgbaImage::from_fn(40, 30, |x, y| Rgba([200, 30, (x * 3) as u8, if y < 15 { 255 } else { 0 }]));
    let product = Product::new("bag", "Red bag", Image::from(picture));
    PromptRequest { samples, max_tokens: 12, ..PromptRequest::new(product, seed) }
}

fn generate(plugin: &LlavaPrompt, request: &PromptRequest) -> Vec<PromptSample> {
    plugin.generate(request, &CallContext::detached()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_seed_decides_and_more_samples_change_none() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let (two, three, other) = (request(2, 1), request(3, 1), request(2, 2));
    let [two, again, three, other] = [&two, &two, &three, &other].map(|request| generate(&plugin, request));
    assert_eq!(two, again);
    assert_eq!(
        two.iter().map(|s| &s.tokens).collect::<Vec<_>>(),
        three[..2].iter().map(|s| &s.tokens).collect::<Vec<_>>()
    );
    assert_ne!(two, other);
    for sample in &three {
        assert!(!sample.text.is_empty() && sample.tokens.len() <= 12);
        assert_eq!(sample.tokens.len(), sample.log_probs.len());
        assert!(sample.log_probs.iter().all(|p| *p <= 0.0 && p.is_finite()));
        assert_eq!(
            sample.finish == FinishReason::Length,
            sample.tokens.len() == 12 && sample.tokens.last() != Some(&2)
        );
    }
}

#[test]
fn the_picture_the_text_and_the_parameters_have_an_effect() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters.clone()).unwrap_or_else(|e| panic!("{e}"));
    let base = generate(&plugin, &request(1, 3));
    let mut seen = request(1, 3);
    seen.product.image = Image::from(RgbaImage::from_pixel(40, 30, Rgba([0, 200, 0, 255])));
    let mut titled = request(1, 3);
    titled.product.title = "Blue lamp".to_owned();
    for other in [seen, titled] {
        assert_ne!(generate(&plugin, &other)[0].log_probs, base[0].log_probs);
    }
    let edits: [&dyn Fn(&mut Parameters); 4] =
        [&|p| p.language = "de".into(), &|p| p.task = "write-title".into(), &|p| p.top_k = 1, &|p| {
            p.template = Some("mistral_instruct".into())
        }];
    for (number, edit) in edits.iter().enumerate() {
        let mut parameters = parameters.clone();
        edit(&mut parameters);
        let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
        assert_ne!(generate(&plugin, &request(1, 3))[0], base[0], "edit {number}");
    }
}

#[test]
fn a_checkpoint_may_bring_its_own_instructions() {
    let (folder, parameters) = tiny();
    let built_in = generate(&open(parameters.clone()).unwrap_or_else(|e| panic!("{e}")), &request(1, 3));
    let own = folder.path().join("instructions.json");
    std::fs::write(&own, r#"{"background-prompt": {"en": ["{title}:"]}}"#).expect("a file");
    let of_checkpoint = generate(&open(parameters.clone()).unwrap_or_else(|e| panic!("{e}")), &request(1, 3));
    assert_ne!(of_checkpoint, built_in);
    let elsewhere = folder.path().join("other.json");
    std::fs::rename(own, &elsewhere).expect("another place");
    let named = Parameters { instructions: Some(elsewhere), ..parameters };
    assert_eq!(generate(&open(named).unwrap_or_else(|e| panic!("{e}")), &request(1, 3)), of_checkpoint);
}

/// Notes what it is told, and may have had enough.
#[derive(Default)]
struct Listener {
    notes: Mutex<Vec<String>>,
    patience: usize,
}

impl CallHost for Listener {
    fn cancelled(&self) -> bool {
        self.patience > 0 && self.notes.lock().is_ok_and(|notes| notes.len() >= self.patience)
    }
    fn progress(&self, _: f32, note: &str) {
        if let Ok(mut notes) = self.notes.lock() {
            notes.push(note.to_owned());
        }
    }
}

#[test]
fn a_run_shows_its_tokens_and_stops_between_two_of_them() {
    let (_folder, parameters) = tiny();
    let plugin = open(parameters).unwrap_or_else(|e| panic!("{e}"));
    let host = Listener { patience: 3, ..Listener::default() };
    let error = plugin.generate(&request(1, 1), &CallContext::new(&host)).expect_err("it was stopped");
    assert_eq!(error.kind, ErrorKind::Cancelled);
    let notes = host.notes.lock().expect("notes");
    assert_eq!(notes.as_slice(), ["1 tokens", "2 tokens", "3 tokens"]);
}

#[test]
fn answers_that_stay_empty_are_counted_and_told() {
    let (folder, parameters) = tiny();
    // Only the begin and the end token score, one above 0 and one below: whatever the prompt, the answer is no word.
    let path = folder.path().join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &candle_core::Device::Cpu).expect("weights");
    let head = &tensors["lm_head.weight"];
    let row = head.narrow(0, 5, 1).expect("a row");
    let none = |rows: usize| head.narrow(0, 0, rows).and_then(|rows| rows.zeros_like()).expect("zeros");
    let minus = row.neg().expect("a row");
    let rows = [none(1), row, minus, none(head.dims()[0] - 3)];
    let head = candle_core::Tensor::cat(&rows, 0).expect("a head");
    tensors.insert("lm_head.weight".to_owned(), head);
    candle_core::safetensors::save(&tensors, &path).expect("a file");
    let plugin = open(Parameters { top_k: 1, retries: 2, ..parameters }).unwrap_or_else(|e| panic!("{e}"));
    let host = Listener::default();
    let error = plugin.generate(&request(2, 1), &CallContext::new(&host)).expect_err("no words");
    assert!(
        error.to_string().contains("2 of 2 answers about \"bag\" stayed empty or refused after 4 more tries"),
        "{error}"
    );
    let notes = host.notes.lock().expect("notes");
    let again = notes.iter().filter(|note| note.contains("asked again with other seeds")).count();
    assert_eq!(again, 2);
}

#[test]
fn what_cannot_be_set_is_explained() {
    let refused = |edit: &dyn Fn(&mut Parameters)| {
        let (_folder, mut parameters) = tiny();
        edit(&mut parameters);
        open(parameters).err().expect("refused")
    };
    let error = refused(&|p| p.checkpoint = None);
    assert_eq!(error.kind, ErrorKind::MissingWeights);
    let error = refused(&|p| p.language = "xx".into());
    assert!(error.to_string().contains("language is \"xx\""), "{error}");
    let error = refused(&|p| p.task = "rewrite-background-prompt".into());
    assert!(error.to_string().contains("rewrites a draft"), "{error}");
    let error = refused(&|p| p.min_p = 2.0);
    assert!(error.to_string().contains("min_p is 2"), "{error}");
}

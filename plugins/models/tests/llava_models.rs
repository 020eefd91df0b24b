//! Whole LLaVAs from their folders: prompts, ids and logits of every branch, against transformers and LLaVA's original code.
//! Goldens: `python fixtures/scripts/goldens_llava_models.py ORIGINAL`.

#[path = "support/llava.rs"]
mod llava;
mod support;

use std::fs;

use adeval_models::decoder::Pass;
use adeval_models::language::{Message, Rendering};
use adeval_models::llava::grid::Extent;
use adeval_models::llava::{Llava, LlavaPrompt, LoadOptions};
use candle_core::{DType, Tensor};

use llava::{Branch, Layout};
use support::{Parity, recipe};

const PARITY: Parity = Parity::new("llava", "transformers 5.24.0, Pillow 13.0.0, LLaVA c121f04");

fn load(branch: &Branch, layout: Layout) -> Llava {
    let folder = branch.written(layout);
    Llava::load(folder.path(), &LoadOptions::default())
        .unwrap_or_else(|e| panic!("{}, {layout:?}: {e}", branch.name))
}

/// Logits at every seventh position and at the last.
fn logits(model: &Llava, hidden: &Tensor) -> Tensor {
    let hidden = hidden.squeeze(0).expect("one row");
    let length = hidden.dims()[0] as u32;
    let mut rows: Vec<u32> = (0..length).step_by(7).collect();
    rows.push(length - 1);
    let rows = Tensor::new(rows, hidden.device()).expect("rows");
    hidden
        .index_select(&rows, 0)
        .map_err(Into::into)
        .and_then(|hidden| model.decoder().logits(&hidden))
        .expect("logits")
}

fn looked_at(model: &Llava, asked: &llava::Asked) -> Vec<Tensor> {
    let look = |&(h, w): &(u32, u32)| model.look(&recipe::picture(&format!("llava.{h}x{w}"), h, w));
    asked.sizes.iter().map(look).collect::<Result<_, _>>().expect("pictures")
}

/// The prompt as text and as ids, and its embeddings.
fn ask(model: &Llava, asked: &llava::Asked) -> (String, LlavaPrompt, Tensor) {
    let messages = [Message::shown(asked.sizes.len(), asked.text.as_str())];
    let text = model.render(&messages, &Rendering::default()).expect("a prompt");
    let prompt = model.prompt(&text, &asked.extents()).expect("ids");
    let embeds = model.embed(&prompt, &looked_at(model, asked)).expect("embeddings");
    (text, prompt, embeds)
}

#[test]
fn prompts_ids_and_logits_equal_those_of_transformers() {
    for name in ["vicuna", "mistral", "qwen2", "llava15"] {
        let branch = Branch::read(name);
        let model = load(&branch, Layout::Transformers5);
        for (number, asked) in branch.facts.asked.iter().enumerate() {
            let (text, prompt, embeds) = ask(&model, asked);
            assert_eq!(text, asked.prompt, "{name}");
            assert_eq!(prompt, asked.prompt(branch.image.expect("an id")), "{name}: {text}");
            let hidden = model.hidden(&[embeds], Pass::Inference).expect("hidden states");
            let case = format!("logits, {name}, prompt {number} with {} pictures", asked.sizes.len());
            PARITY.relative(
                &case,
                &logits(&model, &hidden),
                &branch.golden[&format!("logits.{number}")],
                1e-5,
            );
        }
        PARITY.number(&format!("prompts and ids, {name}"), "prompts that differ", 0.0, 0.0);
    }
}

#[test]
fn every_layout_gives_the_same() {
    for name in ["vicuna", "mistral", "qwen2"] {
        let branch = Branch::read(name);
        for layout in [Layout::Transformers4, Layout::Shards, Layout::Original] {
            let model = load(&branch, layout);
            let asked = &branch.facts.asked[1];
            // The prompt of the golden: in the original layout there is no token for pictures, and other templates.
            let prompt = asked.prompt(branch.image.expect("an id"));
            let embeds = model.embed(&prompt, &looked_at(&model, asked)).expect("embeddings");
            let hidden = model.hidden(&[embeds], Pass::Inference).expect("hidden states");
            let case = format!("logits, {name}, layout {layout:?}");
            PARITY.relative(&case, &logits(&model, &hidden), &branch.golden["logits.1"], 1e-5);
        }
    }
}

#[test]
fn rows_of_a_batch_are_what_they_are_alone() {
    let branch = Branch::read("vicuna");
    let model = load(&branch, Layout::Transformers5);
    let embeds: Vec<Tensor> = branch.facts.asked.iter().map(|asked| ask(&model, asked).2).collect();
    let together = model.hidden(&embeds, Pass::Inference).expect("hidden states");
    for (row, embeds) in embeds.into_iter().enumerate() {
        let alone = model.hidden(&[embeds], Pass::Inference).expect("hidden states");
        let length = alone.dims()[1];
        let found = together
            .narrow(0, row, 1)
            .and_then(|t| t.narrow(1, together.dims()[1] - length, length))
            .expect("a row");
        PARITY.relative(&format!("hidden states, row {row} of a batch"), &found, &alone, 1e-5);
    }
}

#[test]
fn a_checkpoint_of_the_original_code_equals_it() {
    let branch = Branch::read("original");
    let model = load(&branch, Layout::Original);
    for (number, asked) in branch.facts.asked.iter().enumerate() {
        let (text, prompt, embeds) = ask(&model, asked);
        assert_eq!(text, asked.prompt);
        // There a picture is one id of -200.
        let of_words: Vec<u32> = asked.ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
        let shown = |at: &usize| prompt.pictures.iter().any(|range| range.contains(at));
        let found: Vec<u32> =
            (0..prompt.ids.len()).filter(|at| !shown(at)).map(|at| prompt.ids[at]).collect();
        assert_eq!(found, of_words, "{text}");
        assert_eq!(Some(prompt.ids.len()), asked.positions);
        let hidden = model.hidden(&[embeds], Pass::Inference).expect("hidden states");
        let case = format!("logits, original code, prompt {number}");
        PARITY.relative(&case, &logits(&model, &hidden), &branch.golden[&format!("logits.{number}")], 1e-5);
    }
}

#[test]
fn half_precision_stays_near() {
    let branch = Branch::read("vicuna");
    let folder = branch.written(Layout::Transformers5);
    let options = LoadOptions { dtype: DType::F16, ..LoadOptions::default() };
    let model = Llava::load(folder.path(), &options).unwrap_or_else(|e| panic!("{e}"));
    let (_, _, embeds) = ask(&model, &branch.facts.asked[1]);
    let hidden = model.hidden(&[embeds], Pass::Inference).expect("hidden states");
    PARITY.relative(
        "logits, vicuna, float16 against float32",
        &logits(&model, &hidden),
        &branch.golden["logits.1"],
        1e-2,
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let branch = Branch::read("vicuna");
    let refused = |edit: &dyn Fn(&std::path::Path)| {
        let folder = branch.written(Layout::Transformers5);
        edit(folder.path());
        Llava::load(folder.path(), &LoadOptions::default()).err().expect("refused").to_string()
    };
    let config = |folder: &std::path::Path, edit: &dyn Fn(&mut serde_json::Value)| {
        let path = folder.join("config.json");
        let mut config = serde_json::from_slice(&fs::read(&path).expect("a configuration")).expect("JSON");
        edit(&mut config);
        fs::write(path, config.to_string()).expect("a file");
    };
    let says = |error: &str, words: &[&str]| {
        words.iter().for_each(|word| assert!(error.contains(word), "{word}: {error}"))
    };

    let error = refused(&|folder| config(folder, &|c| *c = c["text_config"].clone()));
    says(
        &error,
        &[
            "config.json: it describes a model of type \"llama\" without a vision tower",
            "name the folder of a LLaVA",
        ],
    );
    let error = refused(&|folder| fs::remove_file(folder.join("tokenizer.json")).expect("it was there"));
    says(&error, &["there is no tokenizer.json and no tokenizer.model", "beside the weights"]);
    let error = refused(&|folder| config(folder, &|c| c["image_token_index"] = 7.into()));
    says(&error, &["tokenizer.json: it gives <image> the id", "image_token_index of config.json is 7"]);
    let error = refused(&|folder| {
        let path = folder.join("tokenizer.json");
        let text = fs::read_to_string(&path).expect("a tokenizer");
        fs::write(path, text.replace("<image>", "<picture>")).expect("a file");
    });
    says(&error, &["has no token <image>", "take the tokenizer that was published with the weights"]);
    let error = refused(&|folder| config(folder, &|c| c["text_config"]["vocab_size"] = 400.into()));
    says(&error, &["tokenizer.json: its highest id is 423, but the language model embeds 400"]);
    let error = refused(&|folder| {
        config(folder, &|c| c["vision_config"]["model_type"] = "siglip_vision_model".into())
    });
    says(&error, &["config.json", "the vision tower is a siglip_vision_model"]);
    let error = refused(&|folder| config(folder, &|c| c["model_type"] = "llava_onevision".into()));
    says(&error, &["model_type \"llava_onevision\" is not known"]);
    let error = refused(&|folder| config(folder, &|c| c["text_config"]["intermediate_size"] = 40.into()));
    says(&error, &["model.language_model.layers.0.mlp", "[48, 32]", "[40, 32]"]);
    let error = refused(&|folder| fs::remove_file(folder.join("model.safetensors")).expect("it was there"));
    says(&error, &["holds no weights"]);
}

#[test]
fn missing_tensors_are_named() {
    let branch = Branch::read("vicuna");
    for (lost, named) in [
        ("model.image_newline", "model.image_newline"),
        ("lm_head.weight", "lm_head.weight"),
        ("model.multi_modal_projector.linear_2.weight", "model.multi_modal_projector.linear_2.weight"),
        ("model.language_model.layers.1.self_attn.q_proj.weight", "layers.1.self_attn.q_proj.weight"),
    ] {
        let folder = branch.written_with(Layout::Transformers5, |name| name != lost);
        let error = Llava::load(folder.path(), &LoadOptions::default()).err().expect("refused").to_string();
        assert!(
            error.contains("the weights are not those of LLaVA") && error.contains(named),
            "{lost}: {error}"
        );
    }
    let folder = branch.written_with(Layout::Transformers5, |name| !name.contains("vision_tower"));
    let error = Llava::load(folder.path(), &LoadOptions::default()).err().expect("refused").to_string();
    assert!(error.contains("vision tower"), "{error}");
}

#[test]
fn pictures_and_places_have_to_agree() {
    let branch = Branch::read("vicuna");
    let model = load(&branch, Layout::Transformers5);
    let size = Extent { height: 16, width: 16 };
    let error =
        model.prompt("USER: <image>\nWhat? ASSISTANT:", &[size, size]).expect_err("too many").to_string();
    assert!(error.contains("2 pictures for 1 places in the prompt"), "{error}");
    let prompt = model.prompt("USER: <image>\nWhat? ASSISTANT:", &[size]).expect("a prompt");
    let error = model.embed(&prompt, &[]).expect_err("none").to_string();
    assert!(error.contains("picture embeddings of []"), "{error}");
    let long = "word ".repeat(600);
    let error = model.prompt(&long, &[]).expect_err("too long").to_string();
    assert!(error.contains("a prompt of") && error.contains("max_position_embeddings"), "{error}");
}

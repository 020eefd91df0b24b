use super::*;

const PIPELINE: &[&str] = &[
    ".gitattributes",
    "README.md",
    "model_index.json",
    "v1-5-pruned.ckpt",
    "v1-5-pruned-emaonly.safetensors",
    "feature_extractor/preprocessor_config.json",
    "safety_checker/config.json",
    "safety_checker/model.safetensors",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "text_encoder/model.fp16.safetensors",
    "text_encoder/model.safetensors",
    "text_encoder/pytorch_model.bin",
    "tokenizer/merges.txt",
    "tokenizer/vocab.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/config.json",
    "vae/diffusion_flax_model.msgpack",
    "vae/diffusion_pytorch_model.bin",
];

fn owned(files: &[&str]) -> Vec<String> {
    files.iter().map(|&file| file.to_owned()).collect()
}

fn select(files: &[&str], components: &[&str], variant: Option<&str>) -> Result<Vec<String>> {
    let variant = variant.map(str::to_owned);
    Selection { components: owned(components), variant }.of(&owned(files))
}

#[test]
fn a_pipeline_needs_each_models_weights_once() {
    let expected = [
        "README.md",
        "feature_extractor/preprocessor_config.json",
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.bin",
    ];
    assert_eq!(select(PIPELINE, &[], None).expect("a pipeline"), expected);
    let half = select(PIPELINE, &[], Some("fp16")).expect("a pipeline");
    assert!(half.contains(&"unet/diffusion_pytorch_model.fp16.safetensors".to_owned()));
    assert!(
        half.contains(&"vae/diffusion_pytorch_model.bin".to_owned()),
        "the plain file where there is no variant"
    );
    assert!(!half.contains(&"unet/diffusion_pytorch_model.safetensors".to_owned()));
}

#[test]
fn open_clip_comes_with_its_configuration_and_in_one_set_of_names() {
    let alone =
        ["README.md", "open_clip_config.json", "open_clip_model.safetensors", "open_clip_pytorch_model.bin"];
    assert_eq!(select(&alone, &[], None).expect("a model"), alone[..3]);
    let both = ["config.json", "model.safetensors", "open_clip_config.json", "open_clip_model.safetensors"];
    assert_eq!(select(&both, &[], None).expect("a model"), both[..3]);
}

#[test]
fn a_component_is_a_folder_or_a_file() {
    let unet =
        ["README.md", "model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"];
    assert_eq!(select(PIPELINE, &["unet/"], None).expect("a UNet"), unet);
    let file = select(PIPELINE, &["v1-5-pruned.ckpt"], None).expect("a file");
    assert!(file.contains(&"v1-5-pruned.ckpt".to_owned()));
    let error = select(PIPELINE, &["prior"], None).expect_err("no such component").to_string();
    assert!(
        error.contains("no component prior") && error.contains("text_encoder, tokenizer, unet, vae"),
        "{error}"
    );
}

#[test]
fn shards_come_with_their_index() {
    let files = [
        "config.json",
        "diffusion_pytorch_model-00001-of-00002.safetensors",
        "diffusion_pytorch_model-00002-of-00002.safetensors",
        "diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
        "diffusion_pytorch_model.safetensors.index.fp16.json",
        "diffusion_pytorch_model.safetensors.index.json",
        "pytorch_model-00001-of-00002.bin",
    ];
    let expected = [files[0], files[1], files[2], files[5]];
    assert_eq!(select(&files, &[], None).expect("a model"), expected);
    assert_eq!(select(&files, &[], Some("fp16")).expect("a model"), [files[0], files[3], files[4]]);
}

#[test]
fn several_files_that_are_no_pipeline_must_be_chosen_from() {
    let files = [
        "README.md",
        "models/a.safetensors",
        "models/b.safetensors",
        "models/image_encoder/config.json",
        "models/image_encoder/model.safetensors",
    ];
    let error = select(&files, &[], None).expect_err("a choice").to_string();
    assert!(
        error.contains("3 weight files") && error.contains("--component: models/a.safetensors"),
        "{error}"
    );
    let encoder = select(&files, &["models/image_encoder"], None).expect("the encoder");
    assert_eq!(encoder, ["README.md", files[3], files[4]]);
    assert_eq!(select(&["a.safetensors", "b.txt"], &[], None).expect("the only one"), ["a.safetensors"]);
}

#[test]
fn a_language_model_needs_its_chat_template() {
    let files = [
        "README.md",
        "chat_template.jinja",
        "config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "preprocessor_config.json",
        "pytorch_model.bin",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
    ];
    let expected: Vec<&str> = files.into_iter().filter(|name| *name != "pytorch_model.bin").collect();
    assert_eq!(select(&files, &[], None).expect("a model's folder"), expected);
}

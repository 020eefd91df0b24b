//! What a path is recognised as, and what is said of the wrong one.

mod support;

use adeval_checkpoints::layout::{Names, Options, Prediction, Shape};
use adeval_checkpoints::{Base, CheckpointError, ErrorKind, Layout, Role};
use std::path::Path;
use support::{TEXT, UNET, VAE, pipeline, safetensors, weights, write};

fn room() -> tempfile::TempDir {
    tempfile::tempdir().expect("a room")
}

fn says(error: &CheckpointError, words: &[&str]) {
    for word in words {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

fn one(tensors: &[(&str, &[usize])]) -> (Shape, Names, Vec<Role>, Option<Base>) {
    let room = room();
    let layout = Layout::recognise(weights(room.path(), "a.safetensors", tensors)).expect("a known model");
    let component = &layout.components[0];
    let roles = layout.components.iter().map(|component| component.role).collect();
    (layout.shape, component.names, roles, layout.base)
}

#[test]
fn a_diffusers_directory_is_its_components() {
    let room = room();
    pipeline(room.path());
    let layout = Layout::recognise(room.path()).expect("a pipeline");
    assert_eq!(
        (layout.shape, layout.base, layout.unet_channels),
        (Shape::Pipeline, Some(Base::Sd1), Some(4))
    );
    assert_eq!(layout.prediction, Some(Prediction::Epsilon));
    assert_eq!(layout.evidence.as_deref(), Some("unet/config.json: cross_attention_dim 768"));
    let roles: Vec<(&str, Role)> = layout.components.iter().map(|c| (c.name.as_str(), c.role)).collect();
    let expected = [
        ("safety_checker", Role::SafetyChecker),
        ("scheduler", Role::Scheduler),
        ("text_encoder", Role::TextEncoder),
        ("tokenizer", Role::Tokenizer),
        ("unet", Role::UNet),
        ("vae", Role::Vae),
    ];
    assert_eq!(roles, expected);
    assert_eq!(layout.notes, ["safety_checker: it is not there"]);
    // transformers 5 leaves the tower's name out; the models know it with.
    let text = layout.component(Role::TextEncoder).and_then(|c| c.open()).expect("the text encoder");
    let names: Vec<&str> = text.names().collect();
    assert_eq!(names, ["text_model.embeddings.token_embedding.weight", "text_model.final_layer_norm.weight"]);
    assert_eq!(text.read("text_model.final_layer_norm.weight").expect("it").len(), 32);
    assert_eq!(layout.component(Role::UNet).and_then(|c| c.configuration()).expect("it")["in_channels"], 4);
}

#[test]
fn variants_pickles_and_shards_are_found() {
    let room = room();
    pipeline(room.path());
    let unet = room.path().join("unet");
    weights(&unet, "diffusion_pytorch_model.fp16.safetensors", UNET);
    let files = |variant: Option<&str>| {
        let options = Options { variant: variant.map(str::to_owned), ..Options::default() };
        let layout = Layout::recognise_with(room.path(), &options).expect("a pipeline");
        let file = layout.component(Role::UNet).expect("a UNet").files[0].clone();
        (file.file_name().expect("a name").to_string_lossy().into_owned(), layout.notes)
    };
    assert_eq!(files(None).0, "diffusion_pytorch_model.safetensors");
    assert_eq!(files(Some("fp16")).0, "diffusion_pytorch_model.fp16.safetensors");
    assert!(
        files(Some("fp16")).1.iter().any(|note| note.contains("vae: there are no files of variant fp16"))
    );
    std::fs::remove_file(unet.join("diffusion_pytorch_model.safetensors")).expect("the plain file");
    assert_eq!(files(None).0, "diffusion_pytorch_model.fp16.safetensors");
    std::fs::remove_file(unet.join("diffusion_pytorch_model.fp16.safetensors")).expect("the variant");
    std::fs::copy(support::golden("names.ckpt"), unet.join("diffusion_pytorch_model.bin")).expect("a pickle");
    assert_eq!(files(None).0, "diffusion_pytorch_model.bin");
    std::fs::remove_file(unet.join("diffusion_pytorch_model.bin")).expect("the pickle");
    let error = Layout::recognise(room.path()).expect_err("no weights");
    says(&error, &["unet", "diffusion_pytorch_model.safetensors", "download"]);
    assert_eq!(error.kind(), ErrorKind::Missing);

    weights(&unet, "diffusion_pytorch_model-00001-of-00001.safetensors", UNET);
    let index = r#"{"weight_map": {"conv_in.weight": "diffusion_pytorch_model-00001-of-00001.safetensors"}}"#;
    write(&unet.join("diffusion_pytorch_model.safetensors.index.json"), index);
    assert_eq!(files(None).0, "diffusion_pytorch_model.safetensors.index.json");
}

#[test]
fn a_llava_of_shards_is_one_model_with_one_set_of_names() {
    let room = room();
    let shards = ["pytorch_model-00001-of-00002.safetensors", "pytorch_model-00002-of-00002.safetensors"];
    let tower = "vision_tower.vision_model.embeddings.patch_embedding.weight";
    weights(room.path(), shards[0], &[("language_model.model.norm.weight", &[8]), (tower, &[8, 3, 2, 2])]);
    weights(
        room.path(),
        shards[1],
        &[("multi_modal_projector.linear_1.bias", &[8]), ("image_newline", &[8])],
    );
    let map = serde_json::json!({ "weight_map": { "image_newline": shards[1], (tower): shards[0] } });
    write(&room.path().join("model.safetensors.index.json"), map.to_string());
    let config = serde_json::json!({ "architectures": ["LlavaNextForConditionalGeneration"] });
    write(&room.path().join("config.json"), config.to_string());
    let layout = Layout::recognise(room.path()).expect("a model's folder");
    assert_eq!((layout.shape, layout.describe().as_str()), (Shape::ModelFolder, "a LLaVA"));
    let tensors = layout.component(Role::Llava).and_then(|c| c.open()).expect("its tensors");
    let names: Vec<&str> = tensors.names().collect();
    let expected = [
        "model.image_newline",
        "model.language_model.norm.weight",
        "model.multi_modal_projector.linear_1.bias",
        "model.vision_tower.embeddings.patch_embedding.weight",
    ];
    assert_eq!(names, expected);
    let error = layout.component(Role::UNet).expect_err("no UNet");
    says(&error, &["is a LLaVA, without a UNet"]);

    write(&room.path().join("config.json"), r#"{"architectures": ["LlamaForCausalLM"]}"#);
    let layout = Layout::recognise(room.path()).expect("a model's folder");
    assert_eq!(layout.describe(), "a language model");
}

#[test]
fn image_encoders_are_known_by_name() {
    for (tensors, said) in [
        (
            &["visual.transformer.resblocks.0.ln_1.weight", "ln_final.weight"][..],
            "an image encoder (OpenCLIP)",
        ),
        (
            &["embeddings.patch_embeddings.projection.weight", "encoder.layer.0.layer_scale1.lambda1"],
            "an image encoder (DINOv2)",
        ),
        (
            &["vision_model.embeddings.patch_embedding.weight", "vision_model.embeddings.class_embedding"],
            "an image encoder (CLIP)",
        ),
        (&["vision_model.embeddings.patch_embedding.weight"], "an image encoder (SigLIP)"),
        (&["Conv2d_1a_3x3.conv.weight", "Mixed_7c.branch1x1.conv.weight"], "an image encoder (Inception-v3)"),
        (&["lin0.model.1.weight", "net.slice1.0.weight"], "a perceptual distance (ST-LPIPS)"),
        (&["lin0.model.1.weight"], "a perceptual distance (LPIPS, its heads alone)"),
    ] {
        let room = room();
        let tensors: Vec<(&str, &[usize])> = tensors.iter().map(|name| (*name, &[8_usize, 3][..])).collect();
        let layout =
            Layout::recognise(weights(room.path(), "a.safetensors", &tensors)).expect("a known model");
        assert_eq!(layout.describe(), said);
        let names = layout.components[0].open().expect("its tensors");
        assert_eq!(names.names().count(), tensors.len(), "{said}");
    }
    let dinov2 = room();
    write(&dinov2.path().join("config.json"), r#"{"architectures": ["Dinov2Model"]}"#);
    weights(dinov2.path(), "model.safetensors", &[("embeddings.cls_token", &[1, 1, 8])]);
    let layout = Layout::recognise(dinov2.path()).expect("a model's folder");
    assert_eq!(layout.describe(), "an image encoder (Dinov2Model)");
    let tensors = layout.components[0].open().expect("its tensors");
    assert_eq!(tensors.names().collect::<Vec<_>>(), ["embeddings.cls_token"], "as the file says");
}

/// Its repositories often hold the weights once more in the names of transformers, which are then taken.
#[test]
fn a_folder_of_open_clip_is_told_from_one_of_transformers() {
    let room = room();
    let config = room.path().join("open_clip_config.json");
    write(&config, "{}");
    weights(room.path(), "open_clip_model.safetensors", &[("visual.proj", &[8, 4])]);
    let component = |layout: Layout| {
        let component = layout.components.into_iter().next().expect("a model");
        (component.names, component.role, component.config)
    };
    let open_clip = (Names::OpenClip, Role::ImageEncoder, Some(config));
    assert_eq!(component(Layout::recognise(room.path()).expect("a folder")), open_clip);
    let other = room.path().join("config.json");
    write(&other, r#"{"architectures": ["CLIPModel"]}"#);
    assert_eq!(
        component(Layout::recognise(room.path()).expect("a folder")),
        open_clip,
        "only its weights are there"
    );
    weights(room.path(), "model.safetensors", &[("visual_projection.weight", &[4, 8])]);
    let transformers = (Names::Diffusers, Role::ImageEncoder, Some(other));
    assert_eq!(component(Layout::recognise(room.path()).expect("a folder")), transformers);
}

#[test]
fn files_are_known_by_their_names_and_shapes() {
    let sd1: (&str, &[usize]) =
        ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[8, 768]);
    let whole = [
        sd1,
        ("model.diffusion_model.input_blocks.0.0.weight", &[8, 9, 3, 3][..]),
        ("first_stage_model.decoder.up.0.block.0.norm1.weight", &[8]),
        ("cond_stage_model.transformer.text_model.final_layer_norm.bias", &[8]),
        ("model_ema.decay", &[1]),
    ];
    let roles = vec![Role::UNet, Role::Vae, Role::TextEncoder];
    assert_eq!(one(&whole), (Shape::SingleFile, Names::Original, roles, Some(Base::Sd1)));
    let model = |names, role, base| (Shape::ModelFile, names, vec![role], base);
    assert_eq!(one(UNET), model(Names::Diffusers, Role::UNet, Some(Base::Sd1)));
    assert_eq!(one(VAE), model(Names::Diffusers, Role::Vae, None));
    assert_eq!(one(TEXT), model(Names::Diffusers, Role::TextEncoder, None));
    assert_eq!(one(&[("decoder.up.0.block.0.norm1.weight", &[8])]), model(Names::Original, Role::Vae, None));
    let control = [
        ("control_model.input_hint_block.0.weight", &[16, 3, 3, 3][..]),
        ("control_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", &[8, 1024]),
    ];
    assert_eq!(one(&control), model(Names::Original, Role::ControlNet, Some(Base::Sd2)));
    let control = [("controlnet_cond_embedding.conv_in.weight", &[16, 3, 3, 3][..])];
    assert_eq!(one(&control), model(Names::Diffusers, Role::ControlNet, None));
    let image = [("embeddings.patch_embedding.weight", &[8, 3, 2, 2][..])];
    assert_eq!(one(&image), model(Names::Diffusers, Role::ImageEncoder, None));
    let llava = [
        ("model.mm_projector.0.weight", &[8, 8][..]),
        ("model.vision_tower.vision_tower.vision_model.embeddings.patch_embedding.weight", &[8, 3, 2, 2]),
    ];
    assert_eq!(one(&llava), model(Names::Diffusers, Role::Llava, None));
    let language =
        [("model.embed_tokens.weight", &[8, 8][..]), ("model.layers.0.mlp.up_proj.weight", &[8, 8])];
    assert_eq!(one(&language), model(Names::Diffusers, Role::LanguageModel, None));
    let adapter = [("image_proj.proj.weight", &[8, 8][..]), ("ip_adapter.1.to_k_ip.weight", &[8, 768])];
    assert_eq!(one(&adapter), model(Names::IpAdapter, Role::IpAdapter, Some(Base::Sd1)));
    let room = room();
    let adapter = weights(room.path(), "adapter.safetensors", &adapter);
    assert_eq!(Layout::recognise(adapter).map(|layout| layout.prediction), Ok(None), "it predicts nothing");
    let block = "down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k";
    let kohya = [(&*format!("lora_unet_{block}.lora_down.weight"), &[4, 2048][..])];
    assert_eq!(one(&kohya), model(Names::Kohya, Role::Lora, Some(Base::Sdxl)));
    let peft =
        [("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight", &[4, 768][..])];
    assert_eq!(one(&peft), model(Names::Peft, Role::Lora, Some(Base::Sd1)));
    let flux = [("double_blocks.0.img_attn.norm.key_norm.scale", &[8][..])];
    assert_eq!(one(&flux), model(Names::Original, Role::UNet, Some(Base::Flux)));
}

#[test]
fn a_model_of_another_family_is_named_with_its_key() {
    let room = room();
    let xl = weights(
        room.path(),
        "xl.safetensors",
        &[
            ("conditioner.embedders.1.model.positional_embedding", &[77, 8]),
            ("model.diffusion_model.input_blocks.0.0.weight", &[8, 4, 3, 3]),
        ],
    );
    let xl = Layout::recognise(xl).expect("an SDXL checkpoint");
    let error = xl.expect_base(&[Base::Sd1]).expect_err("another family");
    assert_eq!(error.kind(), ErrorKind::Mismatch);
    says(
        &error,
        &[
            "xl.safetensors is a checkpoint of Stable Diffusion XL",
            "conditioner.embedders.1.model.positional_embedding",
            "this pipeline runs Stable Diffusion 1.x",
        ],
    );

    pipeline(room.path());
    let sd1 = Layout::recognise(room.path()).expect("SD 1.x");
    sd1.expect_base(&[Base::Sd1]).expect("the family");
    let control = weights(
        room.path(),
        "control.safetensors",
        &[
            ("controlnet_cond_embedding.conv_in.weight", &[16, 3, 3, 3]),
            ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", &[8, 1024]),
        ],
    );
    let control = Layout::recognise(control).expect("a ControlNet");
    let error = control.expect_for(&sd1).expect_err("another base");
    says(
        &error,
        &[
            "control.safetensors is a ControlNet for Stable Diffusion 2.x",
            "attn2.to_k.weight [8, 1024]",
            "unet/config.json: cross_attention_dim 768",
            "trained for Stable Diffusion 1.x",
        ],
    );
    let error = control.component(Role::Vae).expect_err("no VAE");
    says(
        &error,
        &["control.safetensors is a ControlNet for Stable Diffusion 2.x, without a VAE", "name a VAE here"],
    );
}

#[test]
fn a_unet_of_the_wrong_pipeline_says_which_is_right() {
    let room = room();
    let mut tensors = UNET.to_vec();
    tensors[0] = ("conv_in.weight", &[8, 9, 3, 3]);
    let inpaint = Layout::recognise(weights(room.path(), "inpaint.safetensors", &tensors)).expect("a UNet");
    inpaint.expect_unet_channels(9).expect("its own pipeline");
    let error = inpaint.expect_unet_channels(4).expect_err("the plain pipeline");
    says(
        &error,
        &["inpaint.safetensors", "takes 9 channels", "conv_in.weight", "choose the inpaint pipeline"],
    );
    let plain = Layout::recognise(weights(room.path(), "plain.safetensors", UNET)).expect("a UNet");
    let error = plain.expect_unet_channels(9).expect_err("the inpaint pipeline");
    says(&error, &["plain.safetensors", "takes 4 channels", "not trained to inpaint"]);
}

#[test]
fn a_single_file_gives_each_model_its_tensors_and_a_configuration() {
    let room = room();
    let attention = "model.diffusion_model.input_blocks.1.1";
    let path = weights(
        room.path(),
        "whole.safetensors",
        &[
            ("model.diffusion_model.input_blocks.0.0.weight", &[320, 9, 3, 3]),
            ("model.diffusion_model.input_blocks.3.0.op.weight", &[4, 4, 3, 3]),
            (&format!("{attention}.transformer_blocks.0.attn2.to_k.weight"), &[320, 768]),
            (&format!("{attention}.proj_in.weight"), &[4, 4]),
            ("first_stage_model.decoder.conv_in.weight", &[512, 4, 3, 3]),
            ("first_stage_model.decoder.mid.attn_1.q.weight", &[8, 8, 1, 1]),
            ("first_stage_model.decoder.up.3.block.0.norm1.weight", &[8]),
            ("cond_stage_model.transformer.text_model.final_layer_norm.weight", &[768]),
            ("alphas_cumprod", &[1000]),
        ],
    );
    let layout = Layout::recognise(path).expect("a checkpoint");
    assert_eq!((layout.unet_channels, layout.prediction), (Some(9), Some(Prediction::Epsilon)));
    let vae = layout.component(Role::Vae).expect("a VAE");
    let tensors = vae.open().expect("its tensors");
    let query = tensors.get("decoder.mid_block.attentions.0.to_q.weight").expect("a query");
    assert_eq!(query.shape, [8, 8]);
    assert_eq!(tensors.names().count(), 3);
    assert!(tensors.unused().contains(&"alphas_cumprod".to_owned()));
    assert_eq!(
        tensors.name_in_file("decoder.up_blocks.0.resnets.0.norm1.weight"),
        Some("first_stage_model.decoder.up.3.block.0.norm1.weight")
    );
    assert_eq!(vae.configuration().expect("the VAE's")["scaling_factor"], 0.18215);
    let unet = layout.component(Role::UNet).and_then(|c| c.configuration()).expect("the UNet's");
    assert_eq!(unet["in_channels"], 9);
    assert_eq!(unet["use_linear_projection"], true);
    assert_eq!(unet["block_out_channels"][3], 1280);
    let text =
        layout.component(Role::TextEncoder).and_then(|c| c.configuration()).expect("the text encoder's");
    assert_eq!(text["hidden_act"], "quick_gelu");
}

#[test]
fn a_small_single_file_has_no_configuration_to_guess() {
    let room = room();
    let layout = Layout::recognise(weights(room.path(), "small.safetensors", VAE)).expect("a VAE");
    let error = layout.components[0].configuration().expect_err("no configuration");
    says(&error, &["small.safetensors", "no configuration of its VAE", "config.json"]);
}

#[test]
fn what_is_no_model_is_refused_with_what_would_be_one() {
    let room = room();
    let error = Layout::recognise(room.path().join("nothing")).expect_err("nothing");
    says(&error, &["nothing does not exist", "adeval models pull"]);
    let error = Layout::recognise(room.path()).expect_err("an empty folder");
    says(&error, &["neither model_index.json nor config.json"]);
    weights(room.path(), "a.safetensors", &[("foo.weight", &[2])]);
    let error = Layout::recognise(room.path()).expect_err("no model");
    says(&error, &["a.safetensors holds 1 tensors of no known model", "foo.weight", "ControlNets"]);
    weights(room.path(), "b.safetensors", VAE);
    let error = Layout::recognise(room.path()).expect_err("two files");
    says(&error, &["a.safetensors, b.safetensors", "name one"]);
    write(&room.path().join("model_index.json"), r#"{"vae": ["diffusers", "AutoencoderKL"]}"#);
    let error = Layout::recognise(room.path()).expect_err("a component is missing");
    says(
        &error,
        &["model_index.json lists vae (AutoencoderKL), which is not there", "download the folder vae"],
    );
    write(&room.path().join("model_index.json"), r#"{"../vae": ["diffusers", "AutoencoderKL"]}"#);
    says(&Layout::recognise(room.path()).expect_err("an escape"), &["../vae is outside its folder"]);
    write(&room.path().join("model_index.json"), "{");
    says(&Layout::recognise(room.path()).expect_err("no JSON"), &["model_index.json: not JSON"]);
    let cut = safetensors(VAE);
    write(&room.path().join("b.safetensors"), &cut[..cut.len() - 9]);
    let error = Layout::recognise(room.path().join("b.safetensors")).expect_err("a cut file");
    says(&error, &["b.safetensors is truncated", &cut.len().to_string(), &(cut.len() - 9).to_string()]);
}

#[test]
fn the_folder_of_one_model_is_known_by_its_configuration() {
    let room = room();
    pipeline(room.path());
    let layout = Layout::recognise(room.path().join("unet")).expect("a UNet");
    assert_eq!(
        (layout.shape, layout.unet_channels, layout.base),
        (Shape::ModelFolder, Some(4), Some(Base::Sd1))
    );
    let folder: &Path = &room.path().join("control");
    write(&folder.join("config.json"), r#"{"_class_name": "ControlNetModel", "cross_attention_dim": 1024}"#);
    weights(folder, "diffusion_pytorch_model.safetensors", &[("controlnet_mid_block.weight", &[2, 2, 1, 1])]);
    let layout = Layout::recognise(folder).expect("a ControlNet");
    assert_eq!((layout.components[0].role, layout.base), (Role::ControlNet, Some(Base::Sd2)));
}

use super::*;

fn name_of(name: &str) -> Option<String> {
    original(name).map(|renamed| renamed.name)
}

#[test]
fn what_no_model_uses_has_no_name() {
    for name in [
        "alphas_cumprod",
        "model_ema.diffusion_modeltime_embed0weight",
        "cond_stage_model.transformer.text_model.embeddings.position_ids",
        "first_stage_model.loss.logvar",
        "model.diffusion_model.input_blocks.x.0.in_layers.0.weight",
        "model.diffusion_model.input_blocks.1.0.unknown.weight",
        "model.diffusion_model.middle_block.3.weight",
        "control_model.input_hint_block.13.weight",
        "first_stage_model.decoder.up.9.block.0.conv1.weight",
    ] {
        assert_eq!(name_of(name), None, "{name}");
    }
}

#[test]
fn the_shape_is_read_out_of_the_names() {
    let small = Renamer::of([
        "input_hint_block.0.weight",
        "input_blocks.2.0.op.weight",
        "input_blocks.4.0.op.weight",
        "zero_convs.0.0.weight",
    ]);
    let renamed = small.rename("input_blocks.3.0.in_layers.0.weight").expect("a ResNet");
    assert_eq!(
        (renamed.role, renamed.name.as_str()),
        (Role::ControlNet, "down_blocks.1.resnets.0.norm1.weight")
    );

    let vae = Renamer::of(["encoder.down.1.block.0.conv1.weight", "decoder.up.1.block.0.conv1.weight"]);
    let renamed = vae.rename("decoder.up.0.block.2.nin_shortcut.bias").expect("a ResNet");
    assert_eq!(renamed.name, "decoder.up_blocks.1.resnets.2.conv_shortcut.bias");
}

#[test]
fn a_convolution_of_one_pixel_is_a_linear_layer() {
    let renamed = original("first_stage_model.decoder.mid.attn_1.proj_out.weight").expect("an attention");
    assert_eq!(renamed.name, "decoder.mid_block.attentions.0.to_out.0.weight");
    assert_eq!(renamed.reshape.apply(&[512, 512, 1, 1]), [512, 512]);
    assert_eq!(renamed.reshape.apply(&[512, 512, 1]), [512, 512]);
    assert_eq!(renamed.reshape.apply(&[1]), [1]);
    assert_eq!(Reshape::Keep.apply(&[320, 320, 1, 1]), [320, 320, 1, 1]);
}

#[test]
fn llava_has_one_name_for_each_tensor() {
    let current = |name| current(Role::Llava, name).map(|renamed| renamed.name);
    for (expected, spellings) in [
        (
            "model.language_model.layers.0.mlp.up_proj.weight",
            &["language_model.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"][..],
        ),
        (
            "model.language_model.embed_tokens.weight",
            &["language_model.model.embed_tokens.weight", "model.embed_tokens.weight"],
        ),
        ("model.language_model.norm.weight", &["language_model.model.norm.weight", "model.norm.weight"]),
        ("lm_head.weight", &["language_model.lm_head.weight"]),
        (
            "model.vision_tower.encoder.layers.1.mlp.fc1.bias",
            &[
                "vision_tower.vision_model.encoder.layers.1.mlp.fc1.bias",
                "model.vision_tower.vision_tower.vision_model.encoder.layers.1.mlp.fc1.bias",
            ],
        ),
        (
            "model.multi_modal_projector.linear_1.weight",
            &[
                "multi_modal_projector.linear_1.weight",
                "model.mm_projector.0.weight",
                "model.mm_projector.weight",
            ],
        ),
        (
            "model.multi_modal_projector.linear_2.bias",
            &["multi_modal_projector.linear_2.bias", "model.mm_projector.2.bias"],
        ),
        ("model.image_newline", &["image_newline"]),
        ("score.weight", &[]),
        ("sku_ctr_linear_fc.0.weight", &[]),
    ] {
        for spelling in spellings.iter().chain(&[expected]) {
            assert_eq!(current(spelling).as_deref(), Some(expected), "{spelling}");
        }
    }
    assert_eq!(current("vision_tower.vision_model.embeddings.position_ids"), None);
    assert_eq!(current("model.layers.0.self_attn.rotary_emb.inv_freq"), None);
    // What is not known stays, and is reported when the model is built.
    assert_eq!(
        current("model.mm_projector.1.weight").as_deref(),
        Some("model.multi_modal_projector.1.weight")
    );
}

#[test]
fn older_and_newer_spellings_meet() {
    let current = |role, name| current(role, name).map(|renamed| renamed.name);
    assert_eq!(
        current(Role::Vae, "encoder.mid_block.attentions.0.proj_attn.bias").as_deref(),
        Some("encoder.mid_block.attentions.0.to_out.0.bias")
    );
    assert_eq!(
        current(Role::TextEncoder, "encoder.layers.0.mlp.fc1.bias").as_deref(),
        Some("text_model.encoder.layers.0.mlp.fc1.bias")
    );
    assert_eq!(
        current(Role::ImageEncoder, "visual_projection.weight").as_deref(),
        Some("visual_projection.weight")
    );
    assert_eq!(current(Role::TextEncoder, "text_model.embeddings.position_ids"), None);
}

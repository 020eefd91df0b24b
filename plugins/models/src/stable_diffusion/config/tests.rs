use std::path::Path;

use serde_json::{Map, Value};

use super::*;

const SD15: &str = r#"{"_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu",
    "attention_head_dim": 8, "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false,
    "cross_attention_dim": 768, "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
    "CrossAttnDownBlock2D", "DownBlock2D"], "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0,
    "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32,
    "out_channels": 4, "sample_size": 64, "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
    "CrossAttnUpBlock2D"]}"#;

fn unet(text: &str) -> Result<UNetConfig> {
    UNetConfig::parse(text, Path::new("unet/config.json"))
}

fn with(key: &str, value: Value) -> String {
    let mut keys: Map<String, Value> = serde_json::from_str(SD15).expect("the published configuration");
    keys.insert(key.to_owned(), value);
    serde_json::to_string(&keys).expect("JSON")
}

fn refusal(key: &str, value: Value) -> String {
    unet(&with(key, value)).expect_err("a network of another kind").to_string()
}

#[test]
fn the_published_configuration_is_the_built_in_one() {
    let mut config = unet(SD15).expect("Stable Diffusion 1.5");
    config.encoder.path = UNetConfig::sd15(4).encoder.path;
    assert_eq!(config, UNetConfig::sd15(4));
}

#[test]
fn a_list_gives_each_level_its_value() {
    let config = unet(&with("attention_head_dim", serde_json::json!([5, 10, 20, 20]))).expect("a list");
    assert_eq!(config.encoder.levels.iter().map(|l| l.heads).collect::<Vec<_>>(), [5, 10, 20, 20]);
    let message = refusal("attention_head_dim", serde_json::json!([5, 10]));
    assert!(message.contains("attention_head_dim has 2 values"), "{message}");
}

#[test]
fn nulls_stand_for_defaults() {
    assert!(unet(&with("num_class_embeds", Value::Null)).is_ok());
    assert!(unet(&with("only_cross_attention", serde_json::json!([false, false, false, false]))).is_ok());
}

#[test]
fn an_sdxl_unet_is_refused_by_name() {
    let message = refusal("addition_embed_type", "text_time".into());
    assert!(message.contains("this is an SDXL UNet") && message.contains("unet/config.json"), "{message}");
}

#[test]
fn what_would_make_another_network_is_refused_with_its_key() {
    for (key, value) in [
        ("class_embed_type", Value::from("timestep")),
        ("num_class_embeds", 10.into()),
        ("encoder_hid_dim_type", "text_image_proj".into()),
        ("conv_in_kernel", 5.into()),
        ("act_fn", "gelu".into()),
        ("time_embedding_type", "fourier".into()),
        ("only_cross_attention", true.into()),
        ("mid_block_type", "UNetMidBlock2DSimpleCrossAttn".into()),
        ("down_block_types", serde_json::json!(["SimpleCrossAttnDownBlock2D"])),
    ] {
        let message = refusal(key, value);
        assert!(message.contains(key), "{key}: {message}");
    }
    let message = refusal("_class_name", "AutoencoderKL".into());
    assert!(message.contains("AutoencoderKL"), "{message}");
    let message = refusal("attention_head_dim", 7.into());
    assert!(message.contains("not divisible by 7 heads"), "{message}");
}

#[test]
fn a_controlnet_of_another_base_is_refused() {
    let parse = |text: &str| ControlNetConfig::parse(text, Path::new("controlnet/config.json"));
    let other = parse(
        r#"{"_class_name": "ControlNetModel", "cross_attention_dim": 1024,
        "attention_head_dim": [5, 10, 20, 20], "use_linear_projection": true}"#,
    )
    .expect("a ControlNet of Stable Diffusion 2");
    let message = other.fits(&UNetConfig::sd15(4)).expect_err("another base").to_string();
    assert!(message.contains("1024 (Stable Diffusion 2)") && message.contains("768"), "{message}");
    let shallow = parse(r#"{"cross_attention_dim": 768, "layers_per_block": 1}"#).expect("a ControlNet");
    assert!(shallow.fits(&UNetConfig::sd15(4)).is_err());
    assert!(ControlNetConfig::sd15().fits(&UNetConfig::sd15(9)).is_ok());
    let message =
        parse(r#"{"controlnet_conditioning_channel_order": "grb"}"#).expect_err("an order").to_string();
    assert!(message.contains("grb"), "{message}");
}

#[test]
fn stable_diffusion_has_sixteen_cross_attentions() {
    let widths = UNetConfig::sd15(4).cross_attentions();
    assert_eq!(widths.len(), 16);
    assert_eq!(widths[..6], [320, 320, 640, 640, 1280, 1280]);
    assert_eq!(widths[6..15], [1280, 1280, 1280, 640, 640, 640, 320, 320, 320]);
    assert_eq!(widths[15], 1280);
}

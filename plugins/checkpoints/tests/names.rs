//! Original names against diffusers' own conversion (`fixtures/scripts/goldens_sd_names.py`).

mod support;

use adeval_checkpoints::Role;
use adeval_checkpoints::rename::Renamer;
use std::collections::BTreeMap;
use support::golden;

type Table = BTreeMap<String, BTreeMap<String, Vec<(String, String)>>>;

fn table() -> Table {
    let text = std::fs::read(golden("names.json")).expect("the golden");
    serde_json::from_slice(&text).expect("pairs of names")
}

fn role(name: &str) -> Role {
    match name {
        "unet" => Role::UNet,
        "vae" => Role::Vae,
        "text_encoder" => Role::TextEncoder,
        "controlnet" => Role::ControlNet,
        other => panic!("{other} is no model of the golden"),
    }
}

#[test]
fn every_name_is_the_one_that_diffusers_gives() {
    let mut counted = 0;
    for (size, models) in table() {
        let all = models.values().flatten().map(|(original, _)| original.as_str());
        let renamer = Renamer::of(all);
        for (model, pairs) in models {
            for (original, expected) in pairs {
                let renamed =
                    renamer.rename(&original).unwrap_or_else(|| panic!("{size}: {original} has no name"));
                assert_eq!((renamed.role, &renamed.name), (role(&model), &expected), "{size}: {original}");
                counted += 1;
            }
        }
    }
    // 686 UNet, 248 VAE, 196 text encoder, 340 ControlNet for SD 1.5; the small shape comes on top.
    assert!(counted > 686 + 248 + 196 + 340, "only {counted} names in the golden");
}

#[test]
fn files_of_one_model_need_no_prefix() {
    for (size, models) in table() {
        for (model, prefix) in [
            ("controlnet", "control_model."),
            ("vae", "first_stage_model."),
            ("unet", "model.diffusion_model."),
        ] {
            let bare = |name: &str| name.strip_prefix(prefix).expect("the prefix").to_owned();
            let names: Vec<String> = models[model].iter().map(|(original, _)| bare(original)).collect();
            let renamer = Renamer::of(names.iter().map(String::as_str));
            for (original, (_, expected)) in names.iter().zip(&models[model]) {
                let renamed =
                    renamer.rename(original).unwrap_or_else(|| panic!("{size}: {original} has no name"));
                assert_eq!((renamed.role, &renamed.name), (role(model), expected), "{size}: {original}");
            }
        }
    }
}

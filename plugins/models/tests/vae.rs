//! The VAE against diffusers. Goldens: `python fixtures/scripts/goldens_sd_encoders.py`.

mod support;

use std::collections::BTreeMap;
use std::fs;

use adeval_models::stable_diffusion::vae::{Tiling, Vae, VaeConfig};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use support::recipe::{self, noise};
use support::{Parity, golden, goldens};

const PARITY: Parity = Parity::new("vae", "diffusers 0.42.1");

#[derive(Deserialize)]
struct Facts {
    configs: BTreeMap<String, VaeConfig>,
    shapes: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
}

impl Facts {
    fn read() -> Self {
        let text = fs::read(goldens().join("sd/vae.json")).expect("the golden's facts");
        serde_json::from_slice(&text).expect("facts of the known form")
    }

    fn tensors(&self, name: &str) -> Vec<(String, Tensor)> {
        recipe::weights(&self.shapes[name])
    }

    fn vae(&self, name: &str) -> Vae {
        load(self.tensors(name), &self.configs[name]).expect("the weights fit")
    }
}

fn load(tensors: Vec<(String, Tensor)>, config: &VaeConfig) -> adeval_models::Result<Vae> {
    Vae::load(&Source::from_tensors("tiny VAE", tensors, &Device::Cpu, DType::F32), config)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|t| t.to_vec1()).expect("values")
}

#[test]
fn pictures_and_latents_equal_those_of_diffusers() {
    let (facts, expected) = (Facts::read(), golden("sd/vae.safetensors"));
    for name in ["sd", "bare"] {
        let vae = facts.vae(name);
        assert_eq!(vae.config().downscale(), 8);
        let compare = |case: &str, found: &Tensor| {
            PARITY.relative(
                &format!("VAE, {name}, {case}"),
                found,
                &expected[&format!("{name}.{case}")],
                1e-5,
            );
        };
        let posterior = vae.encode(&noise("vae.picture", &[2, 3, 64, 40])).expect("a posterior");
        compare("mean", posterior.mode());
        compare("log_variance", &posterior.log_variance);
        compare("sample", &posterior.sample(&noise("vae.noise", &[2, 4, 8, 5])).expect("a sample"));
        compare("decoded", &vae.decode(&noise("vae.latent", &[2, 4, 8, 5])).expect("pictures"));
    }
}

/// With the channels that Stable Diffusion's attention has.
#[test]
fn full_width_equals_that_of_diffusers() {
    let (facts, expected) = (Facts::read(), golden("sd/vae.safetensors"));
    let vae = facts.vae("wide");
    let mean = vae.encode(&noise("vae.picture", &[1, 3, 32, 24])).expect("a posterior").mean;
    PARITY.relative("VAE, 512 channels, mean", &mean, &expected["wide.mean"], 1e-5);
    let decoded = vae.decode(&noise("vae.latent", &[1, 4, 16, 12])).expect("a picture");
    PARITY.relative("VAE, 512 channels, decoded", &decoded, &expected["wide.decoded"], 1e-5);
}

#[test]
fn tiles_equal_those_of_diffusers() {
    let (facts, expected) = (Facts::read(), golden("sd/vae.safetensors"));
    let mut vae = facts.vae("sd");
    vae.set_tiling(Some(Tiling::new(vae.config())));
    let mean = vae.encode(&noise("vae.wide", &[1, 3, 80, 56])).expect("a posterior").mean;
    PARITY.relative("VAE, tiled mean", &mean, &expected["tiled.mean"], 1e-5);
    let decoded = vae.decode(&noise("vae.wide_latent", &[1, 4, 10, 7])).expect("a picture");
    PARITY.relative("VAE, tiled decoded", &decoded, &expected["tiled.decoded"], 1e-5);
}

#[test]
fn a_picture_of_one_tile_is_not_tiled_and_slices_change_nothing() {
    let facts = Facts::read();
    let mut vae = facts.vae("sd");
    let (picture, latent) = (noise("one", &[2, 3, 32, 32]), noise("one", &[2, 4, 4, 4]));
    let run = |vae: &Vae| {
        let mean = vae.encode(&picture).expect("a posterior").mean;
        [values(&mean), values(&vae.decode(&latent).expect("pictures"))]
    };
    let whole = run(&vae);
    vae.set_tiling(Some(Tiling::new(vae.config())));
    assert_eq!(run(&vae), whole);
    vae.set_slicing(true);
    assert_eq!(run(&vae), whole);
}

/// Names of diffusers before 0.14, and matrices as the 1x1 convolutions that original checkpoints hold.
#[test]
fn old_names_of_attention_are_taken() {
    let facts = Facts::read();
    let old = |(name, tensor): (String, Tensor)| {
        let name = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]
            .into_iter()
            .fold(name, |name, (now, before)| name.replace(now, before));
        let is_matrix = tensor.rank() == 2;
        let tensor =
            if is_matrix { tensor.unsqueeze(2).and_then(|t| t.unsqueeze(3)).expect("4-D") } else { tensor };
        (name, tensor)
    };
    let tensors: Vec<_> = facts.tensors("sd").into_iter().map(old).collect();
    assert!(tensors.iter().any(|(name, _)| name == "decoder.mid_block.attentions.0.proj_attn.weight"));
    let vae = load(tensors, &facts.configs["sd"]).expect("the weights fit");
    let latent = noise("vae.latent", &[2, 4, 8, 5]);
    let expected = facts.vae("sd").decode(&latent).expect("pictures");
    assert_eq!(values(&vae.decode(&latent).expect("pictures")), values(&expected));
}

#[test]
fn wrong_shapes_are_named() {
    let facts = Facts::read();
    let vae = facts.vae("sd");
    let odd = vae.encode(&noise("odd", &[1, 3, 32, 33])).err().expect("33 is odd").to_string();
    assert!(odd.contains("[1, 3, 32, 33] (sides must be multiples of 8)"), "{odd}");
    let latent = vae.decode(&noise("odd", &[1, 3, 4, 4])).expect_err("three channels").to_string();
    assert!(latent.contains("latents of shape [1, 3, 4, 4]"), "{latent}");
    let posterior = vae.encode(&noise("even", &[1, 3, 32, 32])).expect("a posterior");
    let error = posterior.sample(&noise("n", &[1, 4, 4, 5])).expect_err("another shape").to_string();
    assert!(
        error.contains("noise for the VAE's posterior has shape [1, 4, 4, 5], expected [1, 4, 4, 4]"),
        "{error}"
    );
}

#[test]
fn another_autoencoder_is_refused() {
    let facts = Facts::read();
    let refused = |name: &str, config: &VaeConfig| {
        load(facts.tensors(name), config).err().expect("refused").to_string()
    };
    let message = refused("bare", &facts.configs["sd"]);
    assert!(message.contains("missing [decoder.mid_block.attentions.0.group_norm.bias"), "{message}");
    let message = refused("sd", &facts.configs["bare"]);
    assert!(message.contains("unexpected [decoder.mid_block.attentions.0.group_norm.bias"), "{message}");
    let config = VaeConfig { norm_num_groups: 5, ..facts.configs["sd"].clone() };
    assert!(refused("sd", &config).contains("8 channels cannot be shared among norm_num_groups 5"));
    let config = VaeConfig { act_fn: "gelu".to_owned(), ..facts.configs["sd"].clone() };
    assert!(refused("sd", &config).contains("act_fn \"gelu\" is not silu"));
}

/// The way without kernels of our own: half precision takes it everywhere.
#[test]
fn half_precision_stays_near() {
    let (facts, expected) = (Facts::read(), golden("sd/vae.safetensors"));
    let source = Source::from_tensors("half", facts.tensors("sd"), &Device::Cpu, DType::F16);
    let vae = Vae::load(&source, &facts.configs["sd"]).expect("the weights fit");
    let half = |t: Tensor| t.to_dtype(DType::F16).expect("a number type");
    let compare = |case: &str, found: &Tensor| {
        assert_eq!(found.dtype(), DType::F16);
        let label = format!("VAE, f16 against float32, {case}");
        PARITY.relative(&label, found, &expected[&format!("sd.{case}")], 1e-2);
    };
    compare("decoded", &vae.decode(&half(noise("vae.latent", &[2, 4, 8, 5]))).expect("pictures"));
    compare("mean", vae.encode(&half(noise("vae.picture", &[2, 3, 64, 40]))).expect("a posterior").mode());
}

#[test]
fn tiles_that_do_not_advance_are_refused() {
    let mut vae = Facts::read().vae("sd");
    for overlap in [1.0, -0.5, f64::NAN] {
        vae.set_tiling(Some(Tiling { overlap, ..Tiling::new(vae.config()) }));
        let error = vae.decode(&noise("wide", &[1, 4, 8, 8])).expect_err("no tiles").to_string();
        assert!(error.contains("tiles of 4 that become 32 with an overlap of"), "{error}");
    }
}

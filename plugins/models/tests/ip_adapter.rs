//! IP-Adapter against diffusers, on random tiny models in the published layout.

#[path = "support/sd.rs"]
mod sd;
mod support;

use adeval_models::stable_diffusion::ip_adapter::{ImageEmbeds, ImagePrompt, IpAdapter};
use adeval_models::stable_diffusion::unet::{Conditions, UNet2DConditionModel};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use support::{Parity, golden, recipe};

const PARITY: Parity = Parity::new("ip_adapter", "diffusers 0.42.1");
const WIDTH: usize = 20;
const STATES: usize = 5;
const STEP: [f64; 1] = [401.0];

fn adapter(unet: &UNet2DConditionModel, shapes: &Value, number: usize) -> IpAdapter {
    let weights = sd::shapes(shapes).into_iter().map(|(name, shape)| {
        let weight = recipe::weight(&format!("{number}.{name}"), &shape);
        (name, weight)
    });
    let source = Source::from_tensors("the recipe", weights, &Device::Cpu, DType::F32);
    IpAdapter::load(unet.config(), &source).expect("the published layout")
}

/// The adapters of a case, and their prompts.
fn prompts(unet: &UNet2DConditionModel, name: &str, case: &Value) -> Vec<ImagePrompt> {
    let list = |key: &str| case[key].as_array().expect("a list").clone();
    let (scales, pictures, plus, shapes) = (list("scales"), list("pictures"), list("plus"), list("tensors"));
    (0..shapes.len())
        .map(|i| {
            let adapter = adapter(unet, &shapes[i], i);
            let plus = plus[i].as_bool().expect("a kind");
            assert_eq!(adapter.wants() == ImageEmbeds::Penultimate, plus, "{name}");
            let mut shape = vec![2, sd::number(&pictures[i])];
            shape.extend(plus.then_some(STATES));
            shape.push(WIDTH);
            let mut embeds = recipe::noise(&format!("embeds {i}"), &shape);
            if name == "plain" {
                let second = embeds.narrow(0, 1, 1).expect("the conditional half");
                let zeros = second.zeros_like().expect("zeros");
                embeds = Tensor::cat(&[&zeros, &second], 0).expect("both halves");
            }
            adapter.prompt(&embeds, scales[i].as_f64().expect("a scale")).expect("a prompt")
        })
        .collect()
}

fn run(unet: &UNet2DConditionModel, config: &Value, images: &[ImagePrompt]) -> adeval_models::Result<Tensor> {
    let (sample, text) = sd::inputs(config, 2, 6, 5);
    unet.forward(&sample, &STEP, &text, Conditions { images, ..Conditions::default() })
}

#[test]
fn a_forward_pass_is_that_of_diffusers() {
    let goldens = golden("sd/ip_adapter.safetensors");
    let cases = sd::cases("ip_adapter");
    let unet = sd::unet(&cases["unet"], DType::F32);
    for (name, case) in cases.iter().filter(|(name, _)| *name != "unet") {
        let images = prompts(&unet, name, case);
        let found = run(&unet, &cases["unet"]["config"], &images).expect("a forward pass");
        PARITY.relative(&format!("UNet with IP-Adapter, {name}"), &found, &goldens[name], 1e-5);
    }
}

#[test]
fn a_scale_of_zero_is_no_picture() {
    let cases = sd::cases("ip_adapter");
    let config = &cases["unet"]["config"];
    let unet = sd::unet(&cases["unet"], DType::F32);
    let images = prompts(&unet, "plain", &cases["plain"]);
    let silent = run(&unet, config, &[images[0].with_scale(0.0)]).expect("a forward pass");
    let without = run(&unet, config, &[]).expect("a forward pass");
    let with = run(&unet, config, &images).expect("a forward pass");
    PARITY.relative("IP-Adapter, scale 0", &silent, &without, 0.0);
    let change = (with - without).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>()).expect("a difference");
    assert!(change > 1e-3, "the picture changes the prediction by {change} only");
}

#[test]
fn embeds_and_prompts_that_do_not_fit_are_refused() {
    let cases = sd::cases("ip_adapter");
    let unet = sd::unet(&cases["unet"], DType::F32);
    let adapter = adapter(&unet, &cases["plain"]["tensors"][0], 0);
    let message = adapter.prompt(&recipe::noise("e", &[2, 19]), 1.0).err().expect("a width").to_string();
    assert!(message.contains("[2, 19] for a width of 20"), "{message}");
    let one = adapter.prompt(&recipe::noise("e", &[1, WIDTH]), 1.0).expect("a prompt");
    let message = run(&unet, &cases["unet"]["config"], &[one]).expect_err("a batch").to_string();
    assert!(message.contains("1 samples in a batch of 2"), "{message}");
    let other = sd::unet(&sd::cases("unet")["conv projections"], DType::F32);
    let foreign = adapter.prompt(&recipe::noise("e", &[2, WIDTH]), 1.0).expect("a prompt");
    let (sample, text) = sd::inputs(&sd::cases("unet")["conv projections"]["config"], 2, 8, 8);
    let conditions = Conditions { images: &[foreign], ..Conditions::default() };
    let message = other.forward(&sample, &STEP, &text, conditions).expect_err("a UNet").to_string();
    assert!(message.contains("loaded for this UNet"), "{message}");
}

//! ControlNet against diffusers, on random tiny models in the published layout.

#[path = "support/sd.rs"]
mod sd;
mod support;

use std::path::Path;

use adeval_models::stable_diffusion::config::ControlNetConfig;
use adeval_models::stable_diffusion::controlnet::{
    Control, ControlNetModel, ControlResiduals, MultiControlNet,
};
use adeval_models::stable_diffusion::unet::Conditions;
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use support::{Parity, golden, recipe};

const PARITY: Parity = Parity::new("controlnet", "diffusers 0.42.1");
const SKIPS: usize = 6;
const STEP: [f64; 1] = [401.0];

/// The network of a case, with weights made from their names behind `prefix`.
fn net(case: &Value, prefix: &str) -> ControlNetModel {
    let config =
        ControlNetConfig::parse(&case["config"].to_string(), Path::new("config.json")).expect("a ControlNet");
    let weights = sd::shapes(&case["tensors"]).into_iter().map(|(name, shape)| {
        let weight = recipe::weight(&format!("{prefix}{name}"), &shape);
        (name, weight)
    });
    let source = Source::from_tensors("the recipe", weights, &Device::Cpu, DType::F32);
    ControlNetModel::load(config, &source).expect("the tensors of diffusers")
}

fn picture(name: &str) -> Tensor {
    recipe::noise(name, &[2, 3, 24, 20])
}

/// All residuals in units of the largest value of each.
fn compare(name: &str, found: &ControlResiduals) {
    let goldens = golden("sd/controlnet.safetensors");
    assert_eq!(found.down.len(), SKIPS, "{name}");
    let pairs = found.down.iter().chain([&found.mid]).enumerate().map(|(i, residual)| {
        let golden = &goldens[&format!("{name}/{i}")];
        assert_eq!(residual.dims(), golden.dims(), "{name}, residual {i}");
        let largest = golden.abs().and_then(|t| t.max_all()?.to_scalar::<f32>()).expect("a largest value");
        let flat = |t: &Tensor| (t / f64::from(largest)).and_then(|t| t.flatten_all()).expect("a tensor");
        (flat(residual), flat(golden))
    });
    let (found, expected): (Vec<_>, Vec<_>) = pairs.unzip();
    let all = |list: Vec<Tensor>| Tensor::cat(&list, 0).expect("a tensor");
    PARITY.relative(&format!("ControlNet residuals, {name}"), &all(found), &all(expected), 1e-5);
}

#[test]
fn residuals_and_what_the_unet_makes_of_them_are_those_of_diffusers() {
    let goldens = golden("sd/controlnet.safetensors");
    let cases = sd::cases("controlnet");
    let unet = sd::unet(&cases["unet"], DType::F32);
    let (sample, text) = sd::inputs(&cases["unet"]["config"], 2, 6, 5);
    for (name, case) in cases.iter().filter(|(name, _)| *name != "unet") {
        let net = net(case, "");
        let embedded = net.embed(&picture("picture")).expect("an embedding");
        let control = Control {
            scale: case["scale"].as_f64().expect("a scale"),
            guess: case["guess"].as_bool().expect("a mode"),
        };
        let residuals = net.forward(&sample, &STEP, &text, &embedded, control).expect("residuals");
        compare(name, &residuals);
        let conditions = Conditions { residuals: Some(&residuals), ..Conditions::default() };
        let found = unet.forward(&sample, &STEP, &text, conditions).expect("a forward pass");
        PARITY.relative(
            &format!("UNet with ControlNet, {name}"),
            &found,
            &goldens[&format!("{name}/unet")],
            1e-5,
        );
    }
}

#[test]
fn two_networks_give_the_sum() {
    let cases = sd::cases("controlnet");
    let (sample, text) = sd::inputs(&cases["unet"]["config"], 2, 6, 5);
    let unet = sd::unet(&cases["unet"], DType::F32);
    let nets = vec![net(&cases["plain"], ""), net(&cases["plain"], "second.")];
    let both = MultiControlNet::new(nets, unet.config()).expect("two of one base");
    let pictures: Vec<Tensor> = both
        .nets()
        .iter()
        .zip(["picture", "second picture"])
        .map(|(net, name)| net.embed(&picture(name)).expect("an embedding"))
        .collect();
    let control = |scale| Control { scale, guess: false };
    let run = |controls: &[Control]| both.forward(&sample, &STEP, &text, &pictures, controls);
    compare("two", &run(&[control(0.7), control(0.4)]).expect("residuals").expect("some act"));
    assert!(run(&[control(0.0), control(0.0)]).expect("no residuals").is_none());
    let alone = run(&[control(0.0), control(1.0)]).expect("residuals").expect("one acts");
    let second =
        both.nets()[1].forward(&sample, &STEP, &text, &pictures[1], control(1.0)).expect("residuals");
    PARITY.relative("ControlNet, the other switched off", &alone.mid, &second.mid, 0.0);
    let message = run(&[control(1.0)]).expect_err("a strength is missing").to_string();
    assert!(message.contains("1 strengths for 2 ControlNets"), "{message}");
}

#[test]
fn one_picture_serves_the_whole_batch() {
    let cases = sd::cases("controlnet");
    let (sample, text) = sd::inputs(&cases["unet"]["config"], 2, 6, 5);
    let net = net(&cases["plain"], "");
    let one = picture("picture").narrow(0, 0, 1).expect("a picture");
    let run = |picture: &Tensor| {
        let embedded = net.embed(picture).expect("an embedding");
        net.forward(&sample, &STEP, &text, &embedded, Control::default()).expect("residuals")
    };
    let twice = Tensor::cat(&[&one, &one], 0).expect("two pictures");
    PARITY.relative("ControlNet, one picture for all", &run(&one).mid, &run(&twice).mid, 1e-6);
}

#[test]
fn pictures_that_do_not_fit_are_refused() {
    let cases = sd::cases("controlnet");
    let (sample, text) = sd::inputs(&cases["unet"]["config"], 2, 6, 5);
    let net = net(&cases["plain"], "");
    let grey = Tensor::zeros((1, 1, 24, 20), DType::F32, &Device::Cpu).expect("zeros");
    let message = net.embed(&grey).expect_err("a grey picture").to_string();
    assert!(message.contains("[1, 1, 24, 20]"), "{message}");
    let small = Tensor::zeros((1, 3, 16, 16), DType::F32, &Device::Cpu).expect("zeros");
    let embedded = net.embed(&small).expect("an embedding");
    let message =
        net.forward(&sample, &STEP, &text, &embedded, Control::default()).expect_err("a size").to_string();
    assert!(message.contains("control picture of the image's size"), "{message}");
}

#[test]
fn guess_mode_leaves_the_unconditional_half_alone() {
    let residual = recipe::noise("residual", &[1, 2, 3, 3]);
    let residuals = ControlResiduals { down: vec![residual.clone()], mid: residual.clone() };
    let doubled = residuals.after_zeros().expect("a doubled batch");
    let halves = doubled.down[0].chunk(2, 0).expect("two halves");
    PARITY.relative("guess mode, first half", &halves[0], &residual.zeros_like().expect("zeros"), 0.0);
    PARITY.relative("guess mode, second half", &halves[1], &residual, 0.0);
}

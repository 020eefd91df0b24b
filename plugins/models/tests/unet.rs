//! The UNet against diffusers, on random tiny models in the published layout.

#[path = "support/sd.rs"]
mod sd;
mod support;

use adeval_models::stable_diffusion::controlnet::ControlResiduals;
use adeval_models::stable_diffusion::unet::Conditions;
use adeval_models::{ModelError, tensors::Source};
use candle_core::{DType, Device, Tensor};
use support::{Parity, golden, recipe};

const PARITY: Parity = Parity::new("unet", "diffusers 0.42.1");

#[test]
fn a_forward_pass_is_that_of_diffusers() {
    let goldens = golden("sd/unet.safetensors");
    for (name, case) in sd::cases("unet") {
        let found = forward(&case, DType::F32);
        PARITY.relative(&format!("UNet, {name}"), &found, &goldens[&name], 1e-5);
    }
}

/// float32 on the CPU takes kernels of its own; float64 takes candle's operations, as GPUs do.
#[test]
fn the_generic_operations_give_the_same() {
    let goldens = golden("sd/unet.safetensors");
    for (name, case) in sd::cases("unet") {
        let found = forward(&case, DType::F64);
        PARITY.relative(&format!("UNet on candle's operations, {name}"), &found, &goldens[&name], 1e-5);
    }
}

/// bfloat16 has no matrix product on candle's CPU backend, so only float16 is tried here.
#[test]
fn half_precision_stays_near() {
    let goldens = golden("sd/unet.safetensors");
    let name = "9 channels, linear projections";
    let found = forward(&sd::cases("unet")[name], DType::F16);
    assert_eq!(found.dtype(), DType::F16);
    PARITY.relative("UNet in float16 against float32", &found, &goldens[name], 5e-3);
}

fn forward(case: &serde_json::Value, dtype: DType) -> Tensor {
    let size = |key: &str| sd::number(&case[key]);
    let (sample, text) = sd::inputs(&case["config"], size("batch"), size("height"), size("width"));
    let guidance = case["config"]["time_cond_proj_dim"]
        .as_u64()
        .map(|width| recipe::noise("guidance", &[size("batch"), width as usize]));
    let timesteps: Vec<f64> = serde_json::from_value(case["timesteps"].clone()).expect("time steps");
    let cast = |t: &Tensor| t.to_dtype(dtype).expect("a cast");
    let conditions = Conditions { guidance: guidance.as_ref(), ..Conditions::default() };
    sd::unet(case, dtype)
        .forward(&cast(&sample), &timesteps, &cast(&text), conditions)
        .expect("a forward pass")
}

#[test]
fn a_sample_does_not_depend_on_its_batch() {
    let case = &sd::cases("unet")["conv projections"];
    let unet = sd::unet(case, DType::F32);
    let (sample, text) = sd::inputs(&case["config"], 2, 8, 8);
    let both = unet.forward(&sample, &[40.0, 900.0], &text, Conditions::default()).expect("two samples");
    for (i, step) in [40.0, 900.0].into_iter().enumerate() {
        let one = |t: &Tensor| t.narrow(0, i, 1).expect("a sample");
        let alone = unet.forward(&one(&sample), &[step], &one(&text), Conditions::default()).expect("one");
        PARITY.relative("UNet, alone and in a batch", &alone, &one(&both), 2e-6);
    }
}

#[test]
fn wrong_shapes_are_named() {
    let case = &sd::cases("unet")["conv projections"];
    let unet = sd::unet(case, DType::F32);
    let (sample, text) = sd::inputs(&case["config"], 2, 8, 8);
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let none = Conditions::default();
    let refused = |sample: &Tensor, steps: &[f64], text: &Tensor, conditions: Conditions, part: &str| {
        let error = unet.forward(sample, steps, text, conditions).expect_err(part);
        assert!(matches!(error, ModelError::Input { .. }), "{part}: {error}");
        assert!(error.to_string().contains(part), "{part}: {error}");
    };
    refused(&zeros(&[2, 9, 8, 8]), &[1.0], &text, none, "not an inpainting checkpoint");
    refused(&zeros(&[2, 3, 8, 8]), &[1.0], &text, none, "4 input channels");
    refused(&zeros(&[2, 4, 0, 8]), &[1.0], &text, none, "none of them zero");
    refused(&sample, &[1.0, 2.0, 3.0], &text, none, "3 time steps for 2 samples");
    refused(&sample, &[], &text, none, "0 time steps");
    refused(&sample, &[1.0], &zeros(&[2, 7, 25]), none, "a width of 24");
    refused(&sample, &[1.0], &zeros(&[1, 7, 24]), none, "a batch of 2");
    let guidance = zeros(&[2, 20]);
    let guided = Conditions { guidance: Some(&guidance), ..none };
    refused(&sample, &[1.0], &text, guided, "no time_cond_proj_dim");
}

#[test]
fn residuals_that_do_not_fit_are_refused() {
    let case = &sd::cases("unet")["conv projections"];
    let unet = sd::unet(case, DType::F32);
    let (sample, text) = sd::inputs(&case["config"], 1, 8, 8);
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let fitting = || {
        let (fine, coarse) = (zeros(&[1, 16, 8, 8]), zeros(&[1, 32, 4, 4]));
        let down =
            vec![fine.clone(), fine.clone(), fine, zeros(&[1, 16, 4, 4]), coarse.clone(), coarse.clone()];
        ControlResiduals { down, mid: coarse }
    };
    let run = |residuals: &ControlResiduals| {
        unet.forward(
            &sample,
            &[1.0],
            &text,
            Conditions { residuals: Some(residuals), ..Conditions::default() },
        )
    };
    assert!(run(&fitting()).is_ok());
    let mut short = fitting();
    short.down.pop();
    let message = run(&short).expect_err("a residual too few").to_string();
    assert!(message.contains("5 residuals for 6 skips"), "{message}");
    let mut long = fitting();
    long.down.push(zeros(&[1, 32, 4, 4]));
    assert!(run(&long).is_err());
    let mut misshapen = fitting();
    misshapen.down[3] = zeros(&[1, 16, 8, 8]);
    let message = run(&misshapen).expect_err("a residual of another size").to_string();
    assert!(message.contains("residual 3 [1, 16, 8, 8]"), "{message}");
    let mut mid = fitting();
    mid.mid = zeros(&[2, 32, 4, 4]);
    let message = run(&mid).expect_err("a residual of another batch").to_string();
    assert!(message.contains("the middle residual [2, 32, 4, 4]"), "{message}");
}

/// What is done to the weights before they are loaded.
type Change<'a> = &'a dyn Fn(&mut Vec<(String, Tensor)>);

#[test]
fn faults_of_a_checkpoint_are_named() {
    let case = &sd::cases("unet")["conv projections"];
    let config = || {
        let text = case["config"].to_string();
        adeval_models::stable_diffusion::config::UNetConfig::parse(&text, "config.json".as_ref())
            .expect("a UNet")
    };
    let load = |change: Change| {
        let mut weights = recipe::weights(&sd::shapes(&case["tensors"]));
        change(&mut weights);
        let source = Source::from_tensors("unet.safetensors", weights, &Device::Cpu, DType::F32);
        adeval_models::stable_diffusion::unet::UNet2DConditionModel::load(config(), &source)
            .err()
            .map(|e| e.to_string())
    };
    assert_eq!(load(&|_| ()), None);
    let extra = ("add_embedding.linear_1.weight".to_owned(), recipe::weight("w", &[4, 4]));
    let message = load(&|w| w.push(extra.clone())).expect("an extra tensor");
    assert!(message.contains("unexpected [add_embedding.linear_1.weight]"), "{message}");
    let message = load(&|w| w.retain(|(name, _)| name != "mid_block.resnets.1.conv2.bias")).expect("a gap");
    assert!(message.contains("missing [mid_block.resnets.1.conv2.bias]"), "{message}");
    let nan = Tensor::full(f32::NAN, &[16][..], &Device::Cpu).expect("NaN");
    let spoil = |w: &mut Vec<(String, Tensor)>| {
        w.retain(|(name, _)| name != "conv_in.bias");
        w.push(("conv_in.bias".to_owned(), nan.clone()));
    };
    let message = load(&spoil).expect("a damaged tensor");
    assert!(message.contains("conv_in.bias of unet.safetensors holds NaN"), "{message}");
}

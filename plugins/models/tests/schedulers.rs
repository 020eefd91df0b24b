//! Samplers against goldens of diffusers 0.42 (`fixtures/scripts/goldens_sd_numerics.py`): whole runs with a stand-in
//! for the UNet and with noise from one generator.

mod support;

use std::collections::HashMap;

use adeval_models::schedulers::{CLASSES, NAMES, Scheduler, SchedulerConfig, TimestepSpacing};
use adeval_models::torch_rng::Generator;
use candle_core::{DType, Device, Tensor};
use support::{Parity, golden, goldens};

const PARITY: Parity = Parity::new("schedulers", "diffusers 0.42.1");
const SHAPE: [usize; 4] = [2, 3, 4, 4];
const SEED: u64 = 1234;

#[derive(serde::Deserialize)]
struct Case {
    name: String,
    steps: usize,
    begin: usize,
    config: serde_json::Value,
}

fn cases() -> Vec<Case> {
    let text =
        std::fs::read_to_string(goldens().join("sd/numerics_schedulers.json")).expect("the list of cases");
    serde_json::from_str(&text.replace("-Infinity", "null")).expect("a list of cases")
}

/// The same as in the script: only operations that IEEE 754 rounds exactly.
fn model(x: &Tensor, t: f64) -> Tensor {
    let squashed = x.abs().and_then(|a| x / (a + 1.0)?).expect("a tensor");
    squashed.affine(0.8, t * 0.0005 - 0.2).expect("a tensor")
}

/// Largest relative errors of one case.
#[derive(Default)]
struct Errors(HashMap<&'static str, f64>);

fn relative(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims(), "shape");
    let values = |t: &Tensor| -> Vec<f64> {
        t.to_dtype(DType::F64).and_then(|t| t.flatten_all()?.to_vec1()).expect("numbers")
    };
    let (found, expected) = (values(found), values(expected));
    let scale = expected.iter().fold(1e-30, |m: f64, v| m.max(v.abs()));
    found.iter().zip(&expected).fold(0.0, |m: f64, (a, b)| {
        assert!(a.is_finite(), "a value is not finite");
        m.max((a - b).abs())
    }) / scale
}

fn run(case: &Case, golden: &HashMap<String, Tensor>) -> Errors {
    let expected = |what: &str| &golden[&format!("{}.{what}", case.name)];
    let config = SchedulerConfig::from_json(&case.config.to_string()).expect("a published configuration");
    let mut scheduler = config.build().expect("a sampler");
    let mut noise = Generator::cpu(SEED);
    let original = noise.randn(&SHAPE, DType::F32).expect("a draw");
    let start = noise.randn(&SHAPE, DType::F32).expect("a draw");
    scheduler.set_timesteps(case.steps).expect("steps");
    let times = scheduler.timesteps().to_vec();
    let mut errors = Errors::default();

    let device = &Device::Cpu;
    let found = Tensor::new(times.as_slice(), device).expect("times");
    errors.0.insert("timesteps", relative(&found, expected("timesteps")));
    if !scheduler.sigmas().is_empty() {
        let found = Tensor::new(scheduler.sigmas(), device).expect("levels");
        errors.0.insert("sigmas", relative(&found, expected("sigmas")));
    }
    let found = Tensor::new(&[scheduler.init_noise_sigma()], device).expect("a level");
    errors.0.insert("init_noise_sigma", relative(&found, expected("init")));
    let found = scheduler.add_noise(&original, &start, times.len() / 2).expect("a noisy sample");
    errors.0.insert("add_noise", relative(&found, expected("noised")));

    let mut sample = if case.begin > 0 {
        scheduler.add_noise(&original, &start, case.begin).expect("a noisy sample")
    } else {
        (start * scheduler.init_noise_sigma()).expect("a tensor")
    };
    for (index, t) in times.iter().enumerate().skip(case.begin) {
        sample = one_step(scheduler.as_mut(), index, *t, &sample, &mut noise);
        if index == case.begin {
            errors.0.insert("first step", relative(&sample, expected("first")));
        }
    }
    errors.0.insert("last step", relative(&sample, expected("last")));
    let after = noise.rand(&[1], DType::F32).expect("a draw");
    assert_eq!(relative(&after, expected("after")), 0.0, "{}: another number of draws", case.name);
    errors
}

fn one_step(s: &mut dyn Scheduler, index: usize, t: f64, sample: &Tensor, noise: &mut Generator) -> Tensor {
    let input = s.scale_model_input(sample, index).expect("an index of the schedule");
    s.step(&model(&input, t), index, sample, noise).expect("a step").prev_sample
}

/// Largest relative error that is accepted, by what is compared.
const LIMITS: [(&str, f64); 6] = [
    ("timesteps", 1e-7),
    ("sigmas", 1e-6),
    ("init_noise_sigma", 1e-6),
    ("add_noise", 1e-6),
    ("first step", 1e-5),
    ("last step", 1e-4),
];

/// All cases of one sampler: each must keep the limits, and the worst goes into the table.
fn check(sampler: &str) {
    let golden = golden("sd/numerics_schedulers.safetensors");
    let cases = cases();
    let cases: Vec<_> = cases.iter().filter(|case| case.name.split('-').next() == Some(sampler)).collect();
    assert!(cases.len() > 5, "{sampler}: {} cases", cases.len());
    let mut worst = HashMap::new();
    for case in &cases {
        for (what, error) in run(case, &golden).0 {
            let limit = LIMITS.iter().find(|(name, _)| *name == what).expect("a limit").1;
            assert!(error <= limit, "{}: {what}: max relative {error:.3e} is above {limit:.0e}", case.name);
            let highest = worst.entry(what).or_insert(0.0_f64);
            *highest = highest.max(error);
        }
    }
    for (what, limit) in LIMITS {
        if let Some(error) = worst.get(what) {
            let label = format!("{sampler}, {} runs: {what}", cases.len());
            PARITY.number(&label, "max relative", *error, limit);
        }
    }
}

#[test]
fn euler_ancestral() {
    check("euler_a");
}

#[test]
fn euler() {
    check("euler");
}

#[test]
fn ddim() {
    check("ddim");
}

#[test]
fn dpm_multistep() {
    check("dpm2m");
    check("dpm2m_sde");
}

#[test]
fn dpm_singlestep() {
    check("dpm1s");
    check("dpm1s_sde");
}

#[test]
fn unipc() {
    check("unipc_bh1");
    check("unipc_bh2");
    check("unipc");
}

#[test]
fn lcm() {
    check("lcm");
}

#[test]
fn pndm() {
    check("pndm");
}

/// A whole run without a golden: its values must be finite.
fn ends_well(text: &str) {
    let mut scheduler = SchedulerConfig::from_json(text).expect("JSON").build().expect("a sampler");
    scheduler.set_timesteps(6).expect("steps");
    let mut noise = Generator::cpu(SEED);
    let mut sample = noise.randn(&SHAPE, DType::F32).expect("a draw");
    for (index, t) in scheduler.timesteps().to_vec().iter().enumerate() {
        sample = one_step(scheduler.as_mut(), index, *t, &sample, &mut noise);
        assert_eq!(relative(&sample, &sample), 0.0, "finite");
    }
}

/// diffusers adds infinity times nothing in the last step and gives NaN.
#[test]
fn unipc_bh1_ends_well_without_noise() {
    ends_well(r#"{"_class_name": "UniPCMultistepScheduler", "solver_type": "bh1"}"#);
}

/// The weight of the predicted noise is the root of a difference that is zero, and must not be less by rounding.
#[test]
fn ddim_goes_from_pure_noise_at_eta_1() {
    ends_well(
        r#"{"_class_name": "DDIMScheduler", "eta": 1.0, "rescale_betas_zero_snr": true, "clip_sample": false,
            "timestep_spacing": "trailing", "prediction_type": "v_prediction", "beta_schedule": "scaled_linear",
            "beta_start": 0.00085, "beta_end": 0.012}"#,
    );
}

/// numpy's arange has a 62nd time here, -1, and diffusers a step at it.
#[test]
fn trailing_has_as_many_steps_as_were_asked_for() {
    for name in ["euler", "ddim", "unipc"] {
        let mut config = SchedulerConfig::named(name).expect("a name");
        config.timestep_spacing = Some(TimestepSpacing::Trailing);
        let mut scheduler = config.build().expect("a sampler");
        scheduler.set_timesteps(61).expect("steps");
        assert_eq!(scheduler.timesteps().len(), 61, "{name}");
        assert_eq!((scheduler.timesteps()[0], scheduler.timesteps()[60]), (999.0, 15.0), "{name}");
    }
}

#[test]
fn names_and_classes_all_build() {
    for name in NAMES {
        let config = SchedulerConfig::named(name).expect("a name of the list");
        assert!(CLASSES.contains(&config.class_name.as_str()), "{name}");
        config.build().expect("a sampler");
    }
}

#[test]
fn unknown_names_and_classes_are_answered_with_what_there_is() {
    let error = SchedulerConfig::named("eulr").expect_err("a typing error").to_string();
    assert!(error.contains("\"eulr\"") && error.contains("euler-ancestral"), "{error}");
    let config = SchedulerConfig::from_json(r#"{"_class_name": "HeunDiscreteScheduler"}"#).expect("JSON");
    let error = config.build().err().expect("a class that is not there").to_string();
    assert!(error.contains("HeunDiscreteScheduler") && error.contains("EulerDiscreteScheduler"), "{error}");
    let error =
        SchedulerConfig::from_json(r#"{"beta_schedule": "cubic"}"#).expect_err("no schedule").to_string();
    assert!(error.contains("cubic") && error.contains("scaled_linear"), "{error}");
}

/// The file of Stable Diffusion 1.5 names PNDM; another sampler on top of it is the one that its short name gives.
#[test]
fn a_sampler_by_name_keeps_the_published_training_schedule() {
    let text = r#"{"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012,
                   "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000,
                   "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null,
                   "clip_sample": false}"#;
    let published = SchedulerConfig::from_json(text).expect("the published file");
    assert_eq!(published, SchedulerConfig::named("pndm").expect("a name"));
    for name in NAMES.into_iter().filter(|name| *name != "pndm") {
        let mut replaced = published.clone().with_sampler(name).expect("a name");
        replaced.skip_prk_steps = None;
        assert_eq!(replaced, SchedulerConfig::named(name).expect("a name"), "{name}");
    }
}

/// Latents in half precision are stepped in f32: after a run only the rounding of each step is left.
#[test]
fn half_precision_stays_close_and_keeps_its_type() {
    let run = |name: &str, dtype: DType| {
        let mut scheduler = SchedulerConfig::named(name).expect("a name").build().expect("a sampler");
        scheduler.set_timesteps(5).expect("steps");
        let mut noise = Generator::cpu(SEED);
        let start = noise.randn(&SHAPE, DType::F32).expect("a draw");
        let mut sample =
            (start * scheduler.init_noise_sigma()).and_then(|t| t.to_dtype(dtype)).expect("a tensor");
        for (index, t) in scheduler.timesteps().to_vec().iter().enumerate() {
            sample = one_step(scheduler.as_mut(), index, *t, &sample, &mut noise);
            assert_eq!(sample.dtype(), dtype, "{name}");
        }
        sample
    };
    for name in NAMES {
        let (half, single) = (run(name, DType::F16), run(name, DType::F32));
        let error = relative(&half, &single);
        assert!(error > 0.0 && error < 1e-2, "{name}: {error}");
    }
}

/// The files of published checkpoints hold keys of other classes and Python's infinities.
#[test]
fn foreign_keys_and_infinities_are_tolerated() {
    let text = r#"{"_class_name": "EulerDiscreteScheduler", "_diffusers_version": "0.21.0", "skip_prk_steps": true,
                   "trained_betas": null, "lambda_min_clipped": -Infinity}"#;
    SchedulerConfig::from_json(text).expect("a configuration").build().expect("a sampler");
}

#[test]
fn steps_beyond_the_schedule_are_refused() {
    let mut scheduler =
        SchedulerConfig::named("euler-ancestral").expect("a name").build().expect("a sampler");
    let sample = Tensor::zeros(&SHAPE, DType::F32, &Device::Cpu).expect("a tensor");
    let early = scheduler.scale_model_input(&sample, 0).expect_err("no schedule yet");
    assert!(early.to_string().contains("set_timesteps comes first"), "{early}");
    for steps in [0, 1001] {
        let error = scheduler.set_timesteps(steps).expect_err("no such number of steps");
        assert!(error.to_string().contains(&format!("{steps} steps")), "{error}");
    }
    scheduler.set_timesteps(4).expect("steps");
    scheduler.step(&sample, 4, &sample, &mut Generator::cpu(1)).expect_err("there are four steps");
}

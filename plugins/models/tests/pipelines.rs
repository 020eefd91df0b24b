//! The pipelines against diffusers, from the prompt to the pixels. Goldens: `python fixtures/scripts/goldens_sd_pipelines.py`.

#[path = "support/pipelines.rs"]
mod pipelines;
mod support;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use adeval_models::stable_diffusion::pipeline::{Job, Pipeline, Progress, Settings, Start, Style, VaeStage};
use adeval_models::{ModelError, Result};
use candle_core::Tensor;
use image::{GrayImage, RgbImage};
use pipelines::{Case, Facts};
use support::{Parity, golden, recipe};

const PARITY: Parity = Parity::new("pipelines", "diffusers 0.42.1");

/// Latents after the first and the last step, and the pictures.
fn run(facts: &Facts, case: &Case) -> Result<(Tensor, Tensor, Vec<RgbImage>)> {
    let jobs: Vec<Job> = (0..case.batch).map(|i| facts.job(case, i)).collect();
    let mut seen = Vec::new();
    let mut watch = |progress: &Progress| {
        seen.push(progress.latents.clone());
        Ok(())
    };
    let rendered = facts.pipeline(case).render(&jobs, &facts.settings(case), &mut watch)?;
    let (first, last) = (seen[0].clone(), seen[seen.len() - 1].clone());
    Ok((first, last, rendered.pictures))
}

#[test]
fn every_pipeline_gives_the_latents_and_the_pixels_of_diffusers() {
    let (facts, expected) = (Facts::read(), golden("sd/pipelines.safetensors"));
    let compare = |name: &String| compare(&facts, &expected, name);
    // All of them, so that one look tells whether it is a pipeline, a sampler or everything.
    let plain: Vec<&String> =
        facts.cases.iter().filter(|(_, case)| case.is_plain()).map(|(name, _)| name).collect();
    let differs = |name: &&&String| catch_unwind(AssertUnwindSafe(|| compare(name))).is_err();
    let bad: Vec<_> = plain.iter().filter(differs).collect();
    assert!(bad.is_empty(), "{} of {} cases differ: {bad:#?}", bad.len(), plain.len());
}

fn compare(facts: &Facts, expected: &HashMap<String, Tensor>, name: &str) {
    let case = &facts.cases[name];
    let (first, last, pictures) = run(facts, case).expect("a run");
    PARITY.relative(&format!("{name}: first step"), &first, &expected[&format!("{name}/first")], 1e-5);
    let steps = format!("{name}: last of {} steps", case.steps);
    PARITY.relative(&steps, &last, &expected[&format!("{name}/last")], 1e-4);
    PARITY.pixels(name, &pictures, &expected[&format!("{name}/pixels")]);
}

fn case<'a>(facts: &'a Facts, pipeline: &str) -> &'a Case {
    facts
        .cases
        .values()
        .find(|c| c.pipeline == pipeline && c.unet == "unet")
        .expect("a case of that pipeline")
}

#[test]
fn a_job_gives_the_same_alone_and_in_a_batch() {
    let facts = Facts::read();
    let case = &facts.cases["ControlNet inpaint, two of a batch"];
    let (_, both, _) = run(&facts, case).expect("a run");
    let second = facts.job(case, 1);
    let (alone, _) =
        facts.pipeline(case).latents(&[second], &facts.settings(case), &mut |_| Ok(())).expect("a run");
    PARITY.relative("a job alone and in a batch", &alone, &both.narrow(0, 1, 1).expect("the second"), 1e-5);
}

#[test]
fn a_vae_that_is_loaded_on_demand_gives_the_same() {
    let facts = Facts::read();
    let case = case(&facts, "StableDiffusionControlNetInpaint");
    let (kept, mut freed) = (facts.pipeline(case), facts.pipeline(case));
    let again = Facts::read();
    freed.vae = VaeStage::OnDemand(Box::new(move || Ok(again.vae())));
    let render = |pipeline: &Pipeline| {
        pipeline
            .render(&[facts.job(case, 0)], &facts.settings(case), &mut |_| Ok(()))
            .expect("a run")
            .pictures
    };
    assert_eq!(render(&kept), render(&freed));
}

#[test]
fn an_error_of_the_watcher_ends_the_run_at_that_step() {
    let facts = Facts::read();
    let case = case(&facts, "StableDiffusion");
    let mut steps = 0;
    let mut watch = |progress: &Progress| {
        steps = progress.done;
        if progress.done == 2 { Err(ModelError::Stopped) } else { Ok(()) }
    };
    let result = facts.pipeline(case).latents(&[facts.job(case, 0)], &facts.settings(case), &mut watch);
    assert!(result.is_err_and(|e| matches!(e, ModelError::Stopped)));
    assert_eq!(steps, 2);
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let facts = Facts::read();
    let plain = case(&facts, "StableDiffusion");
    let refusal = |case: &Case, change: &dyn Fn(&mut Job, &mut Settings)| {
        let (mut job, mut settings) = (facts.job(case, 0), facts.settings(case));
        change(&mut job, &mut settings);
        let result = facts.pipeline(case).latents(&[job], &settings, &mut |_| Ok(()));
        result.expect_err("it does not fit").to_string()
    };
    let size = refusal(plain, &|_, s| s.width = 60);
    assert!(size.contains("60x48") && size.contains("64x48") && size.contains("multiples of 8"), "{size}");
    let control = refusal(plain, &|job, _| job.controls.push(RgbImage::new(64, 48)));
    assert!(control.contains("1 control pictures for 0 ControlNets"), "{control}");
    let strength = refusal(plain, &|_, s| s.strength = f64::NAN);
    assert!(strength.contains("strength of NaN"), "{strength}");
    let style = refusal(plain, &|job, _| {
        let embeds = recipe::noise("style", &[1, 1, 20]);
        job.style = Some(Style { unconditional: embeds.clone(), embeds });
    });
    assert!(style.contains("no IP-Adapter"), "{style}");
    let nine = facts.cases.values().find(|c| c.unet == "unet9").expect("an inpainting UNet");
    let mask = refusal(nine, &|job, _| job.start = Start::Noise);
    assert!(mask.contains("without a mask"), "{mask}");
    let picture = refusal(nine, &|job, _| {
        job.start = Start::Inpaint { picture: RgbImage::new(8, 8), mask: GrayImage::new(64, 48) };
    });
    assert!(picture.contains("8x8 for a result of 64x48"), "{picture}");
}

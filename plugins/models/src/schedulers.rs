//! Samplers of diffusion models, equal to those of diffusers 0.42. Each takes its noise from a given generator.
//!
//! A [`SchedulerConfig`] comes from a published `scheduler_config.json` or from a short name ([`NAMES`]) and builds a
//! [`Scheduler`]. All arithmetic is in f32, whatever the type of the latents, and in the order of the reference.
//!
//! Where this departs from diffusers, on purpose: a `trailing` run has as many steps as were asked for (diffusers adds
//! one at time -1 for 62 of the numbers up to 1000); UniPC with `bh1` ends in numbers where the last noise level is zero
//! (NaN there); Euler ancestral takes models that predict the sample (an error there); times are at most as many as in
//! training.
//!
//! ```
//! use adeval_models::{schedulers::SchedulerConfig, torch_rng::Generator};
//! use candle_core::{DType, Tensor};
//!
//! let mut scheduler = SchedulerConfig::named("euler-ancestral")?.build()?;
//! scheduler.set_timesteps(4)?;
//! let mut noise = Generator::cpu(7);
//! let mut latents = (noise.randn(&[1, 4, 8, 8], DType::F32)? * scheduler.init_noise_sigma())?;
//! for index in 0..scheduler.timesteps().len() {
//!     let input = scheduler.scale_model_input(&latents, index)?;
//!     let output = (input * 0.1)?; // the UNet, at time scheduler.timesteps()[index]
//!     latents = scheduler.step(&output, index, &latents, &mut noise)?.prev_sample;
//! }
//! # Ok::<(), adeval_models::ModelError>(())
//! ```

mod arithmetic;
mod choices;
mod config;
mod ddim;
mod dpm;
mod euler;
mod lcm;
mod levels;
mod noise_schedule;
mod pndm;
mod prediction;
mod spacing;
mod unipc;

use candle_core::Tensor;

use crate::torch_rng::Noise;
use crate::{ModelError, Result};
pub use choices::{
    AlgorithmType, BetaSchedule, FinalSigmasType, PredictionType, SolverType, TimestepSpacing,
};
pub use config::{CLASSES, NAMES, SchedulerConfig};

/// What one step gives. Both tensors have the shape and the element type of the model's output.
#[derive(Clone, Debug)]
pub struct StepOutput {
    /// The sample at the next, less noisy time.
    pub prev_sample: Tensor,
    /// The model's present idea of the clean sample.
    pub pred_original: Tensor,
}

/// A sampler: leads from noise to a sample in a number of steps, each of which needs one output of the model.
///
/// `index` counts steps from 0 for the first of [`Scheduler::timesteps`]. A run may start at a later one (image to
/// image, inpainting) and must then go on without a gap; [`Scheduler::set_timesteps`] begins a new run.
pub trait Scheduler: Send {
    /// Lays out `steps` steps over the training times and forgets what an earlier run left.
    ///
    /// # Errors
    /// [`ModelError::Input`] unless `steps` is from 1 to the number of training times (LCM: of distilled times).
    fn set_timesteps(&mut self, steps: usize) -> Result<()>;

    /// The times at which the model is asked, falling. Mostly whole numbers; those of Euler samplers may be fractions.
    fn timesteps(&self) -> &[f64];

    /// Noise levels of the steps and, last, of the result; empty for DDIM and LCM, which have none.
    fn sigmas(&self) -> &[f32] {
        &[]
    }

    /// What standard normal noise is multiplied with to begin a run at index 0.
    fn init_noise_sigma(&self) -> f64 {
        1.0
    }

    /// Outputs of the model per step.
    fn order(&self) -> usize {
        1
    }

    /// The sample as the model wants it: as it is, for all but Euler's samplers.
    ///
    /// # Errors
    /// [`ModelError::Input`] for an index beyond the schedule; failures of the device.
    fn scale_model_input(&self, sample: &Tensor, index: usize) -> Result<Tensor> {
        at(self.timesteps(), index)?;
        Ok(sample.clone())
    }

    /// A clean sample with as much of the given noise as a run has before step `index`. At the number of steps, which
    /// is after the last, samplers with [`Scheduler::sigmas`] add what is left at the end; the others have no answer.
    ///
    /// # Errors
    /// [`ModelError::Input`] for an index beyond the schedule; failures of the device.
    fn add_noise(&self, original: &Tensor, noise: &Tensor, index: usize) -> Result<Tensor>;

    /// Goes on by one step from the model's output (after guidance) for `sample`, which is the unscaled one.
    ///
    /// # Errors
    /// [`ModelError::Input`] for an index beyond the schedule, what `noise` fails with, and failures of the device.
    fn step(
        &mut self,
        model_output: &Tensor,
        index: usize,
        sample: &Tensor,
        noise: &mut dyn Noise,
    ) -> Result<StepOutput>;
}

/// The value of step `index`.
fn at<T: Copy>(values: &[T], index: usize) -> Result<T> {
    values.get(index).copied().ok_or_else(|| ModelError::Input {
        found: format!("step {index} of a schedule of {} values", values.len()),
        expected: "an index below the length of the schedule; set_timesteps comes first",
    })
}

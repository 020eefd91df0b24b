//! The configuration of a sampler, as diffusers publishes it beside the weights.

use serde::{Deserialize, Serialize};

use super::Scheduler;
use super::choices::{
    AlgorithmType, BetaSchedule, FinalSigmasType, PredictionType, SolverType, TimestepSpacing,
};
use super::ddim::Ddim;
use super::dpm::Dpm;
use super::euler::Euler;
use super::lcm::Lcm;
use super::pndm::Pndm;
use super::unipc::UniPc;
use crate::{ModelError, Result};

/// Class names of diffusers that [`SchedulerConfig::build`] knows.
pub const CLASSES: [&str; 8] = [
    "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler",
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "UniPCMultistepScheduler",
    "LCMScheduler",
    "PNDMScheduler",
];

/// Short names that [`SchedulerConfig::named`] knows.
pub const NAMES: [&str; 12] = [
    "euler-ancestral",
    "euler",
    "ddim",
    "dpmpp-2m",
    "dpmpp-2m-karras",
    "dpmpp-2m-sde",
    "dpmpp-2m-sde-karras",
    "dpmpp-sde",
    "dpmpp-sde-karras",
    "unipc",
    "lcm",
    "pndm",
];

/// The classes behind [`CLASSES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    EulerAncestral,
    Euler,
    Ddim,
    DpmMultistep,
    DpmSinglestep,
    UniPc,
    Lcm,
    Pndm,
}

impl Class {
    /// In the order of [`CLASSES`].
    const ALL: [Self; CLASSES.len()] = [
        Self::EulerAncestral,
        Self::Euler,
        Self::Ddim,
        Self::DpmMultistep,
        Self::DpmSinglestep,
        Self::UniPc,
        Self::Lcm,
        Self::Pndm,
    ];

    fn of(name: &str) -> Result<Self> {
        let known = CLASSES.iter().zip(Self::ALL).find(|(class, _)| **class == name);
        known.map(|(_, class)| class).ok_or_else(|| {
            refused(format!(
                "the class {name:?} is not known; name a sampler ({}), or use one of the classes {}",
                NAMES.join(", "),
                CLASSES.join(", ")
            ))
        })
    }
}

macro_rules! config {
    (
        class $class:ident;
        with_default { $($(#[$meta:meta])* $field:ident: $type:ty = $default:expr;)* }
        without { $($(#[$opt_meta:meta])* $opt:ident: $opt_type:ty;)* }
    ) => {
        /// A `scheduler_config.json`. Fields that are absent take the defaults of their class, as in diffusers;
        /// unknown ones are ignored.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct SchedulerConfig {
            /// Class of the scheduler in diffusers, one of [`CLASSES`].
            #[serde(rename = "_class_name")]
            pub class_name: String,
            $($(#[$meta])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
            $($(#[$opt_meta])* #[serde(skip_serializing_if = "Option::is_none")] pub $opt: Option<$opt_type>,)*
        }

        /// A configuration with all defaults in place.
        #[derive(Clone, Debug)]
        pub(super) struct Settings {
            $(pub(super) $field: $type,)*
            $(pub(super) $opt: Option<$opt_type>,)*
        }

        impl SchedulerConfig {
            fn filled(&self, $class: Class) -> Settings {
                Settings {
                    $($field: self.$field.clone().unwrap_or_else(|| $default),)*
                    $($opt: self.$opt.clone(),)*
                }
            }
        }
    };
}

config! {
    class class;
    with_default {
        /// Number of times that the model was trained at.
        num_train_timesteps: usize = 1000;
        /// Noise added at the first training time.
        beta_start: f64 = if class == Class::Lcm { 0.00085 } else { 0.0001 };
        /// Noise added at the last training time.
        beta_end: f64 = if class == Class::Lcm { 0.012 } else { 0.02 };
        /// How the noise rises between the two.
        beta_schedule: BetaSchedule =
            if class == Class::Lcm { BetaSchedule::ScaledLinear } else { BetaSchedule::Linear };
        /// What the model gives.
        prediction_type: PredictionType = PredictionType::Epsilon;
        /// How the steps of a run are laid over the training times; not taken by LCM and the single-step DPM solver.
        timestep_spacing: TimestepSpacing = match class {
            Class::Ddim | Class::Lcm | Class::Pndm => TimestepSpacing::Leading,
            _ => TimestepSpacing::Linspace,
        };
        /// Added to the times of `leading`.
        steps_offset: usize = 0;
        /// Whether the betas are rescaled such that nothing of the signal is left at the last training time.
        rescale_betas_zero_snr: bool = false;
        /// DDIM, LCM: whether the predicted clean sample is clipped to `clip_sample_range`.
        clip_sample: bool = class == Class::Ddim;
        /// See `clip_sample`.
        clip_sample_range: f64 = 1.0;
        /// DDIM, LCM, PNDM: whether the step after the first training time leads to a clean sample, or to that time's signal.
        set_alpha_to_one: bool = class != Class::Pndm;
        /// Whether the predicted clean sample is limited to a quantile; not for latents.
        thresholding: bool = false;
        /// The quantile of `thresholding`, 0 to 1.
        dynamic_thresholding_ratio: f64 = 0.995;
        /// Upper bound of the quantile's value.
        sample_max_value: f64 = 1.0;
        /// DPM solvers, UniPC: order of the method, 1 to 3 (single-step: 1 or 2).
        solver_order: usize = 2;
        /// DPM solvers: the equation.
        algorithm_type: AlgorithmType = AlgorithmType::DpmSolverPlusPlus;
        /// DPM solvers, UniPC: the rule of second order.
        solver_type: SolverType = if class == Class::UniPc { SolverType::Bh2 } else { SolverType::Midpoint };
        /// DPM solvers, UniPC: whether the last steps are of lower order (multi-step: in runs of fewer than 15 steps).
        lower_order_final: bool = class != Class::DpmSinglestep;
        /// Multi-step DPM solver: whether the last step is of first order.
        euler_at_final: bool = false;
        /// Whether the noise levels are spaced as Karras et al. (2022) do.
        use_karras_sigmas: bool = false;
        /// Whether the noise levels are spaced in even ratios.
        use_exponential_sigmas: bool = false;
        /// Spacing by a beta distribution: refused.
        use_beta_sigmas: bool = false;
        /// Noise levels of flow matching, which Stable Diffusion 1.5 does not have: refused.
        use_flow_sigmas: bool = false;
        /// Multi-step DPM solver: whether the logarithms of the noise levels are spaced evenly.
        use_lu_lambdas: bool = false;
        /// The noise level after the last step.
        final_sigmas_type: FinalSigmasType = FinalSigmasType::Zero;
        /// DPM solvers: training times whose log signal-to-noise ratio is below are left out.
        lambda_min_clipped: f64 = f64::NEG_INFINITY;
        /// UniPC: whether the method works on the clean sample, or on the noise.
        predict_x0: bool = true;
        /// UniPC: steps after which the sample is not corrected.
        disable_corrector: Vec<usize> = Vec::new();
        /// LCM: number of the times that the model was distilled for.
        original_inference_steps: usize = 50;
        /// LCM: scale of the time in the boundary condition.
        timestep_scaling: f64 = 10.0;
        /// PNDM: whether the run begins with linear multi-steps at once; Runge-Kutta steps before them are refused.
        skip_prk_steps: bool = false;
        /// DDIM: weight of fresh noise, from 0 (none drawn) to 1 (DDPM). In diffusers an argument of the pipeline.
        eta: f64 = 0.0;
    }
    without {
        /// The betas themselves, in place of a schedule.
        trained_betas: Vec<f64>;
        /// Lowest noise level of Karras' and exponential spacing, if not that of the schedule.
        sigma_min: f64;
        /// Highest noise level of Karras' and exponential spacing, if not that of the schedule.
        sigma_max: f64;
        /// A model that predicts variances too: refused.
        variance_type: String;
    }
}

impl SchedulerConfig {
    /// Parses a `scheduler_config.json`.
    ///
    /// # Errors
    /// [`ModelError::Config`] for broken JSON and for values that no published sampler has.
    pub fn from_json(text: &str) -> Result<Self> {
        // Python writes infinities into JSON, which has none. Here they mean the default, no limit.
        let text = text.replace("-Infinity", "null").replace("Infinity", "null");
        serde_json::from_str(&text).map_err(|e| refused(e.to_string()))
    }

    /// The sampler with that short name, one of [`NAMES`], with the training schedule of Stable Diffusion 1.5.
    ///
    /// # Errors
    /// [`ModelError::Config`] for another name.
    pub fn named(name: &str) -> Result<Self> {
        let stable_diffusion = Self {
            num_train_timesteps: Some(1000),
            beta_start: Some(0.00085),
            beta_end: Some(0.012),
            beta_schedule: Some(BetaSchedule::ScaledLinear),
            steps_offset: Some(1),
            clip_sample: Some(false),
            set_alpha_to_one: Some(false),
            ..Self::default()
        };
        stable_diffusion.with_sampler(name)
    }

    /// This training schedule with another sampler, as `from_config` of diffusers makes it: what the file states and
    /// the sampler takes is kept.
    ///
    /// # Errors
    /// [`ModelError::Config`] unless `name` is one of [`NAMES`].
    pub fn with_sampler(mut self, name: &str) -> Result<Self> {
        if !NAMES.contains(&name) {
            let known = NAMES.join(", ");
            return Err(refused(format!("there is no sampler {name:?}; choose one of {known}")));
        }
        let class = match name {
            "euler-ancestral" => CLASSES[0],
            "euler" => CLASSES[1],
            "ddim" => CLASSES[2],
            "unipc" => CLASSES[5],
            "lcm" => CLASSES[6],
            "pndm" => CLASSES[7],
            multistep if multistep.starts_with("dpmpp-2m") => CLASSES[3],
            _ => CLASSES[4],
        };
        class.clone_into(&mut self.class_name);
        if name == "pndm" {
            self.skip_prk_steps = Some(true);
        }
        if name.starts_with("dpmpp") {
            let sde = name.contains("-sde");
            self.algorithm_type = Some(if sde {
                AlgorithmType::SdeDpmSolverPlusPlus
            } else {
                AlgorithmType::DpmSolverPlusPlus
            });
            self.use_karras_sigmas = Some(name.ends_with("-karras"));
        }
        Ok(self)
    }

    /// The sampler that this describes.
    ///
    /// # Errors
    /// [`ModelError::Config`] for a class that is not known, and for settings that its samplers do not have here.
    pub fn build(&self) -> Result<Box<dyn Scheduler>> {
        let class = Class::of(&self.class_name)?;
        let settings = self.filled(class);
        settings.check(class)?;
        Ok(match class {
            Class::EulerAncestral => Box::new(Euler::new(settings, true)),
            Class::Euler => Box::new(Euler::new(settings, false)),
            Class::Ddim => Box::new(Ddim::new(settings)),
            Class::DpmMultistep => Box::new(Dpm::multistep(settings)),
            Class::DpmSinglestep => Box::new(Dpm::singlestep(settings)),
            Class::UniPc => Box::new(UniPc::new(settings)),
            Class::Lcm => Box::new(Lcm::new(settings)),
            Class::Pndm => Box::new(Pndm::new(settings)),
        })
    }
}

impl Settings {
    /// Whether these settings describe a schedule at all.
    fn check(&self, class: Class) -> Result<()> {
        let betas = self.trained_betas.as_ref().map_or(self.num_train_timesteps, Vec::len);
        if betas != self.num_train_timesteps || betas < 2 {
            return Err(refused(format!(
                "num_train_timesteps is {} with {betas} betas; both must be the same, and at least 2",
                self.num_train_timesteps
            )));
        }
        if self.use_beta_sigmas || self.use_flow_sigmas {
            return Err(refused(
                "use_beta_sigmas and use_flow_sigmas are not supported; set both to false".to_owned(),
            ));
        }
        if self.use_karras_sigmas && self.use_exponential_sigmas {
            return Err(refused(
                "only one of use_karras_sigmas and use_exponential_sigmas can be true".to_owned(),
            ));
        }
        if let Some(variance) = &self.variance_type
            && variance.starts_with("learned")
        {
            return Err(refused(format!("models with variance_type {variance:?} are not supported")));
        }
        self.check_solver(class)
    }

    fn check_solver(&self, class: Class) -> Result<()> {
        let highest = if class == Class::DpmSinglestep { 2 } else { 3 };
        if !(1..=highest).contains(&self.solver_order) {
            return Err(refused(format!("solver_order is {}; use 1 to {highest}", self.solver_order)));
        }
        if class == Class::UniPc && !self.lower_order_final && self.final_sigmas_type == FinalSigmasType::Zero
        {
            return Err(refused(
                "lower_order_final false divides by zero where final_sigmas_type is zero; set the former to true, \
                 or the latter to sigma_min"
                    .to_owned(),
            ));
        }
        if class == Class::Pndm && (!self.skip_prk_steps || self.prediction_type == PredictionType::Sample) {
            return Err(refused(
                "PNDM is supported with skip_prk_steps true and a prediction_type of epsilon or v_prediction"
                    .to_owned(),
            ));
        }
        if class == Class::Lcm && !(1..=self.num_train_timesteps).contains(&self.original_inference_steps) {
            return Err(refused(format!(
                "original_inference_steps is {}; use 1 to num_train_timesteps, {}",
                self.original_inference_steps, self.num_train_timesteps
            )));
        }
        Ok(())
    }

    /// # Errors
    /// [`ModelError::Input`] unless there is a step and no more of them than training times.
    pub(super) fn check_steps(&self, steps: usize) -> Result<()> {
        if (1..=self.num_train_timesteps).contains(&steps) {
            return Ok(());
        }
        Err(ModelError::Input {
            found: format!("{steps} steps of a model with {} training times", self.num_train_timesteps),
            expected: "at least one step and no more than there are training times",
        })
    }
}

/// A configuration that cannot be built; the loader knows better where it lies.
pub(super) fn refused(reason: String) -> ModelError {
    ModelError::Config { path: "scheduler_config.json".into(), reason }
}

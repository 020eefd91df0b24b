//! Learning rates by step.

/// Linear warm-up, then half a cosine down to zero: transformers' `get_cosine_schedule_with_warmup`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineSchedule {
    /// The highest rate.
    pub peak: f64,
    /// Steps of the warm-up.
    pub warm_up: u64,
    /// All steps, those of the warm-up included.
    pub steps: u64,
}

impl CosineSchedule {
    /// The rate of a step, which are counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return self.peak * step as f64 / self.warm_up as f64;
        }
        let after = self.steps.saturating_sub(self.warm_up).max(1);
        let progress = (step - self.warm_up) as f64 / after as f64;
        self.peak * (0.5 * (1.0 + (std::f64::consts::PI * progress).cos())).max(0.0)
    }
}

//! The Inception Score (Salimans et al. 2016), from class logits.

use super::{jackknife, moments};
use crate::statistics::renumbered;
use crate::{Estimate, EvalError, Result};
use serde::{Deserialize, Serialize};

/// What the score is a function of, for part of a set; parts add up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassSums {
    n: u64,
    /// Sum of the class probabilities.
    probabilities: Vec<f64>,
    /// Sum of p ln p over images and classes: minus the sum of the entropies.
    negative_entropy: f64,
}

impl ClassSums {
    /// No image yet, of so many classes.
    pub fn new(classes: usize) -> Self {
        Self { n: 0, probabilities: vec![0.0; classes], negative_entropy: 0.0 }
    }

    /// Adds one image by its logits, of as many classes, all finite.
    fn push(&mut self, logits: &[f32]) {
        let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let log_total = logits.iter().map(|v| (f64::from(*v) - most).exp()).sum::<f64>().ln() + most;
        for (sum, logit) in self.probabilities.iter_mut().zip(logits) {
            let log = f64::from(*logit) - log_total;
            let p = log.exp();
            *sum += p;
            self.negative_entropy += p * log;
        }
        self.n += 1;
    }

    /// Adds rows of logits; nothing is added when one is bad.
    ///
    /// # Errors
    /// [`EvalError::SizeMismatch`] and [`EvalError::NotFinite`] name the row.
    pub fn extend<R: AsRef<[f32]>>(&mut self, rows: &[R]) -> Result<()> {
        moments::check(rows, self.probabilities.len(), "logits")?;
        rows.iter().for_each(|row| self.push(row.as_ref()));
        Ok(())
    }

    /// Adds another part of the same set.
    ///
    /// # Errors
    /// [`EvalError::SizeMismatch`] when the numbers of classes differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.combine(other, 1.0)
    }

    fn combine(&mut self, other: &Self, sign: f64) -> Result<()> {
        let (got, want) = (other.probabilities.len(), self.probabilities.len());
        if got != want {
            return Err(EvalError::size("class sums to merge", "list of classes", got, want));
        }
        self.n = if sign > 0.0 { self.n + other.n } else { self.n - other.n };
        self.negative_entropy += sign * other.negative_entropy;
        self.probabilities.iter_mut().zip(&other.probabilities).for_each(|(a, b)| *a += sign * b);
        Ok(())
    }

    /// exp(mean KL(p(class | image) || p(class))), 1 to the number of classes; NaN without images.
    pub fn score(&self) -> f64 {
        let n = self.n as f64;
        // What the subtraction of a product left below 0 is 0.
        let marginal: f64 =
            self.probabilities.iter().map(|sum| sum / n).filter(|p| *p > 0.0).map(|p| p * p.ln()).sum();
        (self.negative_entropy / n - marginal).exp()
    }
}

/// The Inception Score of a set, over all its images at once (not the mean over ten splits, which is smaller the fewer
/// images a split has), with a jackknife interval over products. Called so only with the Inception network's logits.
///
/// # Errors
/// [`EvalError::TooFew`] below two images; sizes and values that are not finite are named by row.
pub fn inception_score<R: AsRef<[f32]>>(logits: &[R], clusters: &[usize], level: f64) -> Result<Estimate> {
    if logits.len() < 2 {
        let what = "An Inception Score".into();
        return Err(EvalError::TooFew { what, got: logits.len(), needed: 2 });
    }
    if clusters.len() != logits.len() {
        return Err(EvalError::size("logits", "the list of clusters", clusters.len(), logits.len()));
    }
    let classes = logits[0].as_ref().len();
    moments::check(logits, classes, "logits")?;
    let (clusters, count) = renumbered(clusters);
    let mut parts = vec![ClassSums::new(classes); count];
    for (row, cluster) in logits.iter().zip(clusters) {
        parts[cluster].push(row.as_ref());
    }
    let mut all = ClassSums::new(classes);
    for part in &parts {
        all.merge(part)?;
    }
    let mut without = Vec::with_capacity(count);
    for part in &parts {
        let mut rest = all.clone();
        rest.combine(part, -1.0)?;
        if rest.n > 0 {
            without.push((rest.n as usize, rest.score()));
        }
    }
    Ok(jackknife::estimate(all.score(), &without, level, (1.0, classes as f64)))
}

//! Intervals that stay valid while one watches: with probability `level` they hold the truth at *every* moment, so a board
//! may be read after each product and stopped at will. An ordinary interval read a hundred times does not hold what it
//! says. The price is width: some 1.5 times the ordinary one's.
//!
//! The values must come in an order that does not depend on them (products shuffled by the run's seed).

use super::check_level;
use crate::{EvalError, Result};

/// Number of cells in which [`Betting`] divides [0, 1].
const GRID: usize = 2000;
/// Most of what a bet may lose (the truncation c of the paper).
const BOLDNESS: f64 = 0.75;

/// The confidence sequence by betting for the mean of values in [0, 1] (Waudby-Smith and Ramdas 2023, hedged capital
/// process with their predictable plug-in bets). Makes no assumption but that the conditional mean stays the same: for
/// win rates, accuracies, and differences rescaled from [-1, 1].
///
/// Each candidate mean is a bookmaker's price; a gambler who bets against it on both sides gets rich only when it is
/// wrong, and it is struck out when the capital reaches 1 / (1 - level).
#[derive(Debug, Clone, PartialEq)]
pub struct Betting {
    alpha: f64,
    /// Log-capital of the bets above and below each candidate i / GRID.
    above: Vec<f64>,
    below: Vec<f64>,
    /// First and last candidate never struck out.
    alive: Option<(usize, usize)>,
    plug_in: PlugIn,
}

/// Mean and variance so far, shrunk towards 1/2 and 1/4 by one pseudo-observation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct PlugIn {
    n: usize,
    sum: f64,
    square: f64,
}

impl PlugIn {
    fn bet(&self, alpha: f64) -> f64 {
        let next = self.n as f64 + 1.0;
        let variance = (0.25 + self.square) / next;
        (2.0 * (2.0 / alpha).ln() / (variance * next * (next + 1.0).ln())).sqrt()
    }

    fn push(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
        let mean = (0.5 + self.sum) / (self.n as f64 + 1.0);
        self.square += (value - mean) * (value - mean);
    }
}

impl Betting {
    /// An empty sequence at a confidence level in (0, 1).
    ///
    /// # Errors
    /// [`EvalError::BadOption`].
    pub fn new(level: f64) -> Result<Self> {
        check_level(level)?;
        Ok(Self {
            alpha: 1.0 - level,
            above: vec![0.0; GRID + 1],
            below: vec![0.0; GRID + 1],
            alive: Some((0, GRID)),
            plug_in: PlugIn { n: 0, sum: 0.0, square: 0.0 },
        })
    }

    /// Takes in the next value.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for what does not lie in [0, 1], NaN included.
    pub fn push(&mut self, value: f64) -> Result<()> {
        if !(0.0..=1.0).contains(&value) {
            let (place, metric) = (format!("observation {}", self.plug_in.n), "the watched value".into());
            return Err(EvalError::OutOfRange { place, metric, value, low: 0.0, high: 1.0 });
        }
        let bet = self.plug_in.bet(self.alpha);
        self.plug_in.push(value);
        let Some((first, last)) = self.alive else { return Ok(()) };
        let bar = (2.0 / self.alpha).ln();
        let (mut low, mut high) = (usize::MAX, 0);
        for at in first..=last {
            let candidate = at as f64 / GRID as f64;
            self.above[at] += (bet.min(BOLDNESS / candidate) * (value - candidate)).ln_1p();
            self.below[at] += (-bet.min(BOLDNESS / (1.0 - candidate)) * (value - candidate)).ln_1p();
            if self.above[at].max(self.below[at]) < bar {
                low = low.min(at);
                high = at;
            }
        }
        self.alive = (low <= high).then_some((low, high));
        Ok(())
    }

    /// Number of values taken in.
    pub fn len(&self) -> usize {
        self.plug_in.n
    }

    /// Whether no value was taken in.
    pub fn is_empty(&self) -> bool {
        self.plug_in.n == 0
    }

    /// The interval now; it never grows. Rounded outwards to 1 / 2000. `None` once every candidate is struck out, which
    /// happens with probability 1 - level at most and otherwise says that the mean drifts.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let (low, high) = self.alive?;
        let edge = |at: usize| at as f64 / GRID as f64;
        Some((edge(low.saturating_sub(1)), edge((high + 1).min(GRID))))
    }
}

/// The asymptotic confidence sequence for the mean of values without bounds, such as paired differences of scores
/// (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024): Robbins' normal mixture with the running variance. Valid from
/// a few dozen values on, as the central limit theorem is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalMixture {
    alpha: f64,
    /// The mixture's variance.
    rho2: f64,
    n: usize,
    mean: f64,
    square: f64,
}

impl NormalMixture {
    /// An empty sequence at a confidence level in (0, 1), tightest around `tuned_for` values.
    ///
    /// # Errors
    /// [`EvalError::BadOption`].
    pub fn new(level: f64, tuned_for: usize) -> Result<Self> {
        check_level(level)?;
        if tuned_for == 0 {
            let rule = "it must be at least 1: the number of values at which the interval is to be tightest";
            return Err(EvalError::BadOption { option: "tuned_for", value: "0".into(), rule });
        }
        let alpha = 1.0 - level;
        let log = -2.0 * alpha.ln();
        let rho2 = (log + log.ln().max(0.0) + 1.0) / tuned_for as f64;
        Ok(Self { alpha, rho2, n: 0, mean: 0.0, square: 0.0 })
    }

    /// Takes in the next value.
    ///
    /// # Errors
    /// [`EvalError::NotFinite`].
    pub fn push(&mut self, value: f64) -> Result<()> {
        if !value.is_finite() {
            let (place, metric) = (format!("observation {}", self.n), "the watched value".into());
            return Err(EvalError::NotFinite { place, metric, value });
        }
        self.n += 1;
        let gap = value - self.mean;
        self.mean += gap / self.n as f64;
        self.square += gap * (value - self.mean);
        Ok(())
    }

    /// The interval now; `None` below two values.
    pub fn interval(&self) -> Option<(f64, f64)> {
        if self.n < 2 {
            return None;
        }
        let n = self.n as f64;
        let spread = n * self.rho2 + 1.0;
        let variance = self.square / (n - 1.0);
        let reach =
            (variance * 2.0 * spread / (n * n * self.rho2) * (spread.sqrt() / self.alpha).ln()).sqrt();
        Some((self.mean - reach, self.mean + reach))
    }
}

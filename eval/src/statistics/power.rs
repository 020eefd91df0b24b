//! How many products, pairs or impressions does a claim need, and what can a board of this size see at all?
//!
//! All tests are two-sided. Sizes are rounded up; effects are found by bisection to nine digits.

use super::{check_level, student};
use crate::{EvalError, Result};
use statrs::distribution::{ContinuousCDF, Normal};

/// What a study is to achieve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// Confidence level of the two-sided test, above 0 and at most 0.9999; 0.95 by default.
    pub level: f64,
    /// Chance to find an effect that is there, in (1 - level, 1); 0.8 by default.
    pub power: f64,
}

impl Default for Goal {
    fn default() -> Self {
        Self { level: 0.95, power: 0.8 }
    }
}

/// Largest sample that is searched for.
const LARGEST: u64 = 1 << 50;
/// Beyond it the t quantile of two observations is in the millions, and a search takes for ever.
const MOST_LEVEL: f64 = 0.9999;

impl Goal {
    fn validate(&self) -> Result<()> {
        check_level(self.level)?;
        if self.level > MOST_LEVEL {
            let value = self.level.to_string();
            return Err(EvalError::BadOption { option: "level", value, rule: "it must be at most 0.9999" });
        }
        if self.power > 1.0 - self.level && self.power < 1.0 {
            return Ok(());
        }
        let value = self.power.to_string();
        Err(EvalError::BadOption {
            option: "power",
            value,
            rule: "it must lie between 1 - level (what a test finds by chance) and 1, e.g. 0.8",
        })
    }

    /// The normal's quantiles for the level and the power.
    fn quantiles(&self) -> (f64, f64) {
        let normal = Normal::standard();
        (normal.inverse_cdf(0.5 + self.level / 2.0), normal.inverse_cdf(self.power))
    }
}

/// Products needed to find a mean paired difference of `difference` whose standard deviation over products is
/// `deviation`, by a t test (exact for normal differences).
///
/// # Errors
/// [`EvalError::BadOption`] for an option outside its range, or an effect too small for 2^50 products.
pub fn paired_products(difference: f64, deviation: f64, goal: Goal) -> Result<u64> {
    goal.validate()?;
    positive("difference", difference.abs())?;
    positive("deviation", deviation)?;
    let shift = difference.abs() / deviation;
    smallest(2, |n| student::power(shift, n as usize, goal.level) >= goal.power)
}

/// The smallest mean paired difference that `products` products show at the goal's power.
///
/// # Errors
/// [`EvalError::BadOption`], [`EvalError::TooFew`] below two products.
pub fn paired_difference(products: u64, deviation: f64, goal: Goal) -> Result<f64> {
    goal.validate()?;
    positive("deviation", deviation)?;
    at_least_two("a paired comparison", products)?;
    let found = |shift: f64| student::power(shift, products as usize, goal.level) >= goal.power;
    let mut high = 1e-6;
    while !found(high) {
        high *= 2.0;
    }
    Ok(deviation * bisect(0.0, high, found))
}

/// Trials (impressions) needed in each of two independent arms to tell the rates `first` and `second` apart
/// (Fleiss, Levin and Paik 2003, without continuity correction).
///
/// # Errors
/// [`EvalError::BadOption`] for rates outside [0, 1] or equal ones.
pub fn trials_per_arm(first: f64, second: f64, goal: Goal) -> Result<u64> {
    goal.validate()?;
    rate("first", first)?;
    rate("second", second)?;
    positive("difference", (first - second).abs())?;
    let (za, zb) = goal.quantiles();
    let root = za * pooled(first, second) + zb * apart(first, second);
    Ok((root / (first - second)).powi(2).ceil() as u64)
}

/// Chance that the two-sided test of two proportions with `trials` in each arm tells `first` from `second`.
///
/// # Errors
/// [`EvalError::BadOption`], [`EvalError::TooFew`] below two trials.
pub fn proportions_power(first: f64, second: f64, trials: u64, level: f64) -> Result<f64> {
    check_level(level)?;
    rate("first", first)?;
    rate("second", second)?;
    at_least_two("a comparison of rates", trials)?;
    let spread = apart(first, second);
    if spread == 0.0 {
        // Rates of 0 and 1 show themselves in every trial; two equal ones never differ.
        return Ok(if first == second { 0.0 } else { 1.0 });
    }
    let normal = Normal::standard();
    let reach = normal.inverse_cdf(0.5 + level / 2.0) * pooled(first, second);
    let gap = (first - second).abs() * (trials as f64).sqrt();
    Ok(normal.cdf((gap - reach) / spread) + normal.cdf((-gap - reach) / spread))
}

/// The smallest rise above the rate `base` that `trials` in each of two arms show at the goal's power, as the higher
/// rate minus `base`; `None` when not even a rate of 1 would do.
///
/// # Errors
/// [`EvalError::BadOption`], [`EvalError::TooFew`] below two trials.
pub fn detectable_rise(base: f64, trials: u64, goal: Goal) -> Result<Option<f64>> {
    goal.validate()?;
    rate("base", base)?;
    at_least_two("a comparison of rates", trials)?;
    let found = |rise: f64| match proportions_power(base, base + rise, trials, goal.level) {
        Ok(power) => power >= goal.power,
        Err(_) => false,
    };
    let most = 1.0 - base;
    Ok((most > 0.0 && found(most)).then(|| bisect(0.0, most, found)))
}

/// Pairs needed for McNemar's test to find that one judge is right alone on a share `only_first` of the pairs and the
/// other on `only_second` (Miettinen 1968).
///
/// # Errors
/// [`EvalError::BadOption`] for shares outside [0, 1], equal ones, or a sum above 1.
pub fn mcnemar_pairs(only_first: f64, only_second: f64, goal: Goal) -> Result<u64> {
    goal.validate()?;
    rate("only_first", only_first)?;
    rate("only_second", only_second)?;
    rate("only_first + only_second", only_first + only_second)?;
    let gap = only_first - only_second;
    positive("difference", gap.abs())?;
    let discordant = only_first + only_second;
    let (za, zb) = goal.quantiles();
    let root = za * discordant.sqrt() + zb * (discordant - gap * gap).max(0.0).sqrt();
    Ok((root / gap).powi(2).ceil() as u64)
}

/// By how much more observations are needed when they come in clusters (Kish 1965): 1 + (size - 1) x correlation, for
/// `size` observations (pairs, impressions) a product that correlate by `correlation` within it.
///
/// # Errors
/// [`EvalError::BadOption`] for a size below 1 or a correlation outside [0, 1].
pub fn design_effect(size: f64, correlation: f64) -> Result<f64> {
    rate("correlation", correlation)?;
    if size >= 1.0 && size.is_finite() {
        return Ok(1.0 + (size - 1.0) * correlation);
    }
    Err(EvalError::BadOption { option: "size", value: size.to_string(), rule: "it must be at least 1" })
}

/// Deviation under "no difference", times sqrt(trials).
fn pooled(a: f64, b: f64) -> f64 {
    let middle = f64::midpoint(a, b);
    (2.0 * middle * (1.0 - middle)).sqrt()
}

/// Deviation under the difference itself, times sqrt(trials).
fn apart(a: f64, b: f64) -> f64 {
    (a * (1.0 - a) + b * (1.0 - b)).sqrt()
}

/// The smallest n from `from` on for which `enough` holds; it must hold for all larger ones too.
fn smallest(from: u64, enough: impl Fn(u64) -> bool) -> Result<u64> {
    let mut high = from;
    while !enough(high) {
        high *= 2;
        if high > LARGEST {
            let value = format!("above {LARGEST}");
            let rule = "an effect that small needs more products than can be";
            return Err(EvalError::BadOption { option: "sample size", value, rule });
        }
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low.midpoint(high);
        if middle >= from && enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high.max(from))
}

/// Where `found` turns true between `low` and `high`.
fn bisect(mut low: f64, mut high: f64, found: impl Fn(f64) -> bool) -> f64 {
    while high - low > 1e-10 * high {
        let middle = f64::midpoint(low, high);
        if found(middle) { high = middle } else { low = middle }
    }
    high
}

fn positive(option: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(EvalError::BadOption { option, value: value.to_string(), rule: "it must be above 0 and finite" })
}

fn rate(option: &'static str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(EvalError::BadOption { option, value: value.to_string(), rule: "it must lie in [0, 1]" })
}

fn at_least_two(what: &str, got: u64) -> Result<()> {
    if got >= 2 {
        return Ok(());
    }
    Err(EvalError::TooFew { what: what.into(), got: got as usize, needed: 2 })
}

//! Student's t: quantiles that hold for any number of degrees of freedom, and the power of a t test.

use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

/// Above so many degrees of freedom the expansion below is exact to the last digits, and the continued fraction behind
/// the distribution function converges slowly.
const MANY: f64 = 2000.0;

/// The quantile of Student's t at `p` in (0, 1) with `freedom` > 0 degrees of freedom; NaN outside.
pub fn quantile(p: f64, freedom: f64) -> f64 {
    if !(p > 0.0 && p < 1.0 && freedom > 0.0) {
        return f64::NAN;
    }
    if p == 0.5 {
        return 0.0;
    }
    if freedom > MANY {
        return expansion(Normal::standard().inverse_cdf(p), freedom);
    }
    let Ok(t) = StudentsT::new(0.0, 1.0, freedom) else { return f64::NAN };
    // The library's inverse is good to some six digits; Newton's steps on the tail make it exact.
    let tail = p.min(1.0 - p);
    let mut x = t.inverse_cdf(tail);
    for _ in 0..4 {
        x -= (t.cdf(x) - tail) / t.pdf(x);
    }
    if p < 0.5 { x } else { -x }
}

/// Cornish and Fisher's expansion of the quantile around the normal's `z` (Abramowitz and Stegun 26.7.5).
fn expansion(z: f64, freedom: f64) -> f64 {
    let s = z * z;
    let terms = [
        (s + 1.0) * z / 4.0,
        ((5.0 * s + 16.0) * s + 3.0) * z / 96.0,
        (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) * z / 384.0,
        ((((79.0 * s + 776.0) * s + 1482.0) * s - 1920.0) * s - 945.0) * z / 92160.0,
    ];
    z + terms.iter().rev().fold(0.0, |sum, term| (sum + term) / freedom)
}

/// P(|T| > quantile) for a noncentral T: the power of the two-sided t test at `level` with `n` observations whose mean
/// is `shift` standard deviations from the hypothesis. An integral over the sample's standard deviation.
pub fn power(shift: f64, n: usize, level: f64) -> f64 {
    let freedom = n as f64 - 1.0;
    let reach = quantile(0.5 + level / 2.0, freedom);
    let noncentral = shift.abs() * (n as f64).sqrt();
    let normal = Normal::standard();
    // s, the sample's over the true deviation, has density 2 c^c s^(2c - 1) exp(-c s^2) / gamma(c) with c = freedom / 2.
    let c = freedom / 2.0;
    let log_scale = std::f64::consts::LN_2 + c * c.ln() - ln_gamma(c);
    let density = |s: f64| (log_scale + (2.0 * c - 1.0) * s.max(1e-300).ln() - c * s * s).exp();
    let beyond = |s: f64| normal.cdf(noncentral - reach * s) + normal.cdf(-noncentral - reach * s);
    let spread = 9.0 / freedom.sqrt();
    // Where the quantile is large, with few degrees of freedom, what lies beyond it is steep, and nothing soon after.
    let (from, to) = ((1.0 - spread).max(0.0), (1.0 + spread).min((noncentral + 9.0) / reach));
    if to <= from {
        return 0.0;
    }
    let steps = (((to - from) * reach / 0.004) as usize).max(2000).next_multiple_of(2);
    simpson(from, to, steps, |s| density(s) * beyond(s)).clamp(0.0, 1.0)
}

/// Simpson's rule with an even number of steps.
fn simpson(from: f64, to: f64, steps: usize, f: impl Fn(f64) -> f64) -> f64 {
    let h = (to - from) / steps as f64;
    let inner: f64 = (1..steps).map(|i| f(from + i as f64 * h) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    (f(from) + inner + f(to)) * h / 3.0
}

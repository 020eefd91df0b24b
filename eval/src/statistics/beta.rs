//! Beta distributions: is one rate above another, and which prior do many rates come from?

use crate::{EvalError, Result};
use statrs::function::gamma::digamma;

/// A Beta distribution of a rate: `a` pseudo-successes and `b` pseudo-failures, both above 0.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Beta {
    /// Successes, real or pretended.
    pub a: f64,
    /// Failures.
    pub b: f64,
}

impl Beta {
    /// Checks that both parameters are finite and above 0.
    ///
    /// # Errors
    /// [`EvalError::BadOption`].
    pub fn validate(self) -> Result<Self> {
        if self.a > 0.0 && self.b > 0.0 && self.a.is_finite() && self.b.is_finite() {
            return Ok(self);
        }
        let value = format!("Beta({}, {})", self.a, self.b);
        Err(EvalError::BadOption { option: "prior", value, rule: "both numbers must be above 0 and finite" })
    }

    /// The distribution after more successes and failures.
    pub fn after(self, successes: u64, failures: u64) -> Self {
        Self { a: self.a + successes as f64, b: self.b + failures as f64 }
    }

    /// P(X > Y) of independent rates X from `self` and Y from `other`, to some 1e-12.
    ///
    /// The log-odds of a Beta have the characteristic function G(a + it) G(b - it) / (G(a) G(b)), G the gamma function,
    /// and Gil-Pelaez (1951) turns that of a difference D into P(D > 0) = 1/2 + (1/pi) * integral of Im f(t) / t. The
    /// midpoint rule on it errs by the chance of a D beyond half its period alone, so a few dozen points do, however
    /// large the counts.
    pub fn exceeds(self, other: Self) -> f64 {
        let shapes = [self.a, self.b, other.a, other.b];
        let mean = digamma(self.a) - digamma(self.b) - digamma(other.a) + digamma(other.b);
        let deviation = shapes.into_iter().map(trigamma).sum::<f64>().sqrt();
        // Normal in the middle; the tails fall as exp(-shape * |D|).
        let slowest = shapes.into_iter().fold(f64::INFINITY, f64::min);
        let reach = mean.abs() + (9.0 * deviation).max(32.0 / slowest);
        let step = std::f64::consts::TAU / reach;
        let mut sum = 0.0;
        for k in 0..100_000 {
            let t = (f64::from(k) + 0.5) * step;
            let [x, y, z, w] = shapes.map(|shape| log_gamma_turn(shape, t));
            let log_size = x.0 + y.0 + z.0 + w.0;
            sum += log_size.exp() * (x.1 - y.1 - z.1 + w.1).sin() / (f64::from(k) + 0.5);
            if log_size < -36.0 {
                break;
            }
        }
        (0.5 + sum / std::f64::consts::PI).clamp(0.0, 1.0)
    }
}

/// log G(a + it) - log G(a) as (real, imaginary), without the cancellation of two large logarithms.
fn log_gamma_turn(shape: f64, t: f64) -> (f64, f64) {
    let (mut re, mut im, mut a) = (0.0, 0.0, shape);
    while a < 12.0 {
        re -= 0.5 * (t / a).powi(2).ln_1p();
        im -= (t / a).atan();
        a += 1.0;
    }
    // Stirling's series of both.
    let (stretch, turn) = (0.5 * (t / a).powi(2).ln_1p(), (t / a).atan());
    re += (a - 0.5) * stretch - t * turn;
    im += (a - 0.5) * turn + t * (a.ln() + stretch - 1.0);
    let size = a * stretch.exp();
    for (power, c) in
        [(1, 1.0 / 12.0), (3, -1.0 / 360.0), (5, 1.0 / 1260.0), (7, -1.0 / 1680.0), (9, 1.0 / 1188.0)]
    {
        let term = c * size.powi(-power);
        re += term * (f64::from(power) * turn).cos() - c * a.powi(-power);
        im -= term * (f64::from(power) * turn).sin();
    }
    (re, im)
}

/// The second derivative of log G.
pub(crate) fn trigamma(shape: f64) -> f64 {
    let (mut sum, mut x) = (0.0, shape);
    while x < 12.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y * (1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y * (1.0 / 30.0 - y * 5.0 / 66.0))));
    sum + 1.0 / x + y / 2.0 + series / x
}

/// Largest a + b that a fit gives; beyond it the rates show no spread of their own.
const MOST: f64 = 1e7;

/// The Beta that rates come from, by maximum likelihood of the Beta-Binomial of `counts`: (successes, trials) of each.
/// Where the counts vary no more than chance makes them, a + b ends at 10 million.
///
/// # Errors
/// [`EvalError::TooFew`] below two counts with trials, or when no success or no failure was ever seen.
pub fn fit(counts: &[(u64, u64)]) -> Result<Beta> {
    let counts: Vec<_> = counts.iter().copied().filter(|(s, n)| *n > 0 && s <= n).collect();
    let needs =
        |what: &str, got: u64, needed| EvalError::TooFew { what: what.into(), got: got as usize, needed };
    if counts.len() < 2 {
        return Err(needs("a fitted Beta prior", counts.len() as u64, 2));
    }
    let successes: u64 = counts.iter().map(|c| c.0).sum();
    let trials: u64 = counts.iter().map(|c| c.1).sum();
    if successes == 0 || successes == trials {
        return Err(needs(
            "a fitted Beta prior (successes and failures)",
            successes.min(trials - successes),
            1,
        ));
    }
    let mean = successes as f64 / trials as f64;
    let start = moments(&counts, mean);
    let mut log = [(mean * start).ln(), ((1.0 - mean) * start).ln()];
    let mut value = likelihood(&counts, log);
    for _ in 0..200 {
        let step = newton(&counts, log);
        let (mut damping, mut next) = (1.0, log);
        // Halve until the likelihood rises.
        for _ in 0..40 {
            next = [log[0] + damping * step[0], log[1] + damping * step[1]];
            if next[0].exp() + next[1].exp() <= MOST && likelihood(&counts, next) >= value {
                break;
            }
            damping /= 2.0;
        }
        let gained = likelihood(&counts, next) - value;
        if !gained.is_finite() || gained < 0.0 {
            break;
        }
        (log, value) = (next, value + gained);
        if gained < 1e-13 * value.abs() && damping * step[0].abs().max(step[1].abs()) < 1e-7 {
            break;
        }
    }
    Ok(Beta { a: log[0].exp(), b: log[1].exp() })
}

/// a + b from the variance of the rates beyond what chance makes.
fn moments(counts: &[(u64, u64)], mean: f64) -> f64 {
    let (mut square, mut chance, mut total) = (0.0, 0.0, 0.0);
    for &(s, n) in counts {
        let (s, n) = (s as f64, n as f64);
        square += n * (s / n - mean).powi(2);
        chance += mean * (1.0 - mean);
        total += n;
    }
    let between = ((square - chance) / total).max(1e-12);
    (mean * (1.0 - mean) / between - 1.0).clamp(1.0, 1e5)
}

fn likelihood(counts: &[(u64, u64)], log: [f64; 2]) -> f64 {
    use statrs::function::gamma::ln_gamma;
    let (a, b) = (log[0].exp(), log[1].exp());
    let base = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    counts
        .iter()
        .map(|&(s, n)| {
            let (s, n) = (s as f64, n as f64);
            base + ln_gamma(a + s) + ln_gamma(b + n - s) - ln_gamma(a + b + n)
        })
        .sum()
}

/// Newton's step for (ln a, ln b), or the gradient's direction where the likelihood is not concave.
fn newton(counts: &[(u64, u64)], log: [f64; 2]) -> [f64; 2] {
    let (a, b) = (log[0].exp(), log[1].exp());
    let (mut ga, mut gb, mut h_aa, mut h_bb, mut h_ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(s, n) in counts {
        let (s, n) = (s as f64, n as f64);
        let both = digamma(a + b) - digamma(a + b + n);
        let both2 = trigamma(a + b) - trigamma(a + b + n);
        ga += digamma(a + s) - digamma(a) + both;
        gb += digamma(b + n - s) - digamma(b) + both;
        h_aa += trigamma(a + s) - trigamma(a) + both2;
        h_bb += trigamma(b + n - s) - trigamma(b) + both2;
        h_ab += both2;
    }
    // From a, b to their logarithms.
    let (gx, gy) = (a * ga, b * gb);
    let (h_xx, h_yy, h_xy) = (a * a * h_aa + gx, b * b * h_bb + gy, a * b * h_ab);
    let determinant = h_xx * h_yy - h_xy * h_xy;
    if h_xx < 0.0 && determinant > 0.0 {
        return [(h_xy * gy - h_yy * gx) / determinant, (h_xy * gx - h_xx * gy) / determinant];
    }
    let size = gx.hypot(gy).max(f64::MIN_POSITIVE);
    [gx / size, gy / size]
}

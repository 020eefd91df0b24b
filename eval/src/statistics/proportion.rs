//! Intervals of one proportion.

use statrs::distribution::{ContinuousCDF, Normal};

/// Wilson's score interval (1927) for a rate of `value` over `n` independent trials (products, for a board).
pub fn wilson(value: f64, n: usize, level: f64) -> (f64, f64) {
    let z = Normal::standard().inverse_cdf(0.5 + level / 2.0);
    let (n, z2) = (n as f64, z * z);
    let middle = (value + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (value * (1.0 - value) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

//! From resampled values to an interval.

use statrs::distribution::{ContinuousCDF, Normal};

/// One column of what [`super::Bootstrap::run`] gave, sorted, without the resamples that had no value.
pub fn sorted_column(rows: &[f64], width: usize, column: usize) -> Vec<f64> {
    let mut values: Vec<f64> =
        rows.iter().skip(column).step_by(width).copied().filter(|v| !v.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Quantile of sorted values by linear interpolation (numpy's default); `None` without values.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64))
}

/// Percentile interval of sorted resampled values.
pub fn percentile(sorted: &[f64], level: f64) -> Option<(f64, f64)> {
    let tail = (1.0 - level) / 2.0;
    Some((quantile(sorted, tail)?, quantile(sorted, 1.0 - tail)?))
}

/// BCa interval (Efron 1987): percentiles shifted for median bias and for the skewness that the jackknife shows.
/// Falls back to the percentile interval where the jackknife or the resamples have no spread.
pub fn bca(sorted: &[f64], value: f64, jackknife: &[f64], level: f64) -> Option<(f64, f64)> {
    let plain = percentile(sorted, level)?;
    let mean = jackknife.iter().sum::<f64>() / jackknife.len().max(1) as f64;
    let (mut square, mut cube) = (0.0, 0.0);
    for v in jackknife {
        let d = mean - v;
        square += d * d;
        cube += d * d * d;
    }
    let below = sorted.partition_point(|v| *v < value);
    let ties = sorted.partition_point(|v| *v <= value) - below;
    let share = (below as f64 + ties as f64 / 2.0) / sorted.len() as f64;
    if square <= 0.0 || share <= 0.0 || share >= 1.0 {
        return Some(plain);
    }
    let normal = Normal::standard();
    let z0 = normal.inverse_cdf(share);
    let acceleration = cube / (6.0 * square.powf(1.5));
    let shifted = |tail: f64| {
        let z = z0 + normal.inverse_cdf(tail);
        normal.cdf(z0 + z / (1.0 - acceleration * z))
    };
    let tail = (1.0 - level) / 2.0;
    Some((quantile(sorted, shifted(tail))?, quantile(sorted, shifted(1.0 - tail))?))
}

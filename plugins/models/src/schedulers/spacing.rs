//! Which training times, and which noise levels, the steps of a run fall on.

use super::choices::TimestepSpacing;

/// Rho of Karras et al., "Elucidating the Design Space of Diffusion-Based Generative Models" (2022), equation 5.
const RHO: f64 = 7.0;

/// `numpy.linspace(start, end, count)`
pub(super) fn linspace(start: f64, end: f64, count: usize) -> Vec<f64> {
    if count < 2 {
        return vec![start; count];
    }
    let step = (end - start) / (count - 1) as f64;
    (0..count).map(|i| if i == count - 1 { end } else { i as f64 * step + start }).collect()
}

/// The spacings of Lin et al. (2023), table 2, over `times` times from 0 on; not rounded. Falling.
///
/// `linspace` and `leading` lay out `steps + spare` times and leave the `spare` lowest out.
pub(super) fn timesteps(
    spacing: TimestepSpacing,
    (times, train): (usize, usize),
    (steps, spare): (usize, usize),
    offset: usize,
) -> Vec<f64> {
    let all = steps + spare;
    let mut rising = match spacing {
        TimestepSpacing::Linspace => linspace(0.0, times.saturating_sub(1) as f64, all),
        TimestepSpacing::Leading => (0..all).map(|i| (i * (times / all) + offset) as f64).collect(),
        TimestepSpacing::Trailing => return trailing(times, train, steps),
    };
    rising.drain(..spare);
    rising.reverse();
    rising
}

/// `numpy.arange(times, 0, -train / steps).round() - 1`, without the time -1 that rounding leaves there for some numbers
/// of steps (61 of 1000, for one): diffusers does another step at it.
fn trailing(times: usize, train: usize, steps: usize) -> Vec<f64> {
    let ratio = train as f64 / steps as f64;
    let start = times as f64;
    let step = (start - ratio) - start;
    let count = (start / ratio).ceil() as usize;
    (0..count)
        .map(|i| (start + i as f64 * step).round_ties_even() - 1.0)
        .filter(|time| *time >= 0.0)
        .collect()
}

/// `numpy.interp(x, [0, 1, ...], values)`
pub(super) fn interpolate(x: f64, values: &[f32]) -> f64 {
    let last = values.len().saturating_sub(1);
    if x <= 0.0 || last == 0 {
        return values.first().map_or(0.0, |v| f64::from(*v));
    }
    if x >= last as f64 {
        return f64::from(values[last]);
    }
    let low = x.floor() as usize;
    let (a, b) = (f64::from(values[low]), f64::from(values[low + 1]));
    (b - a) * (x - low as f64) + a
}

/// Noise levels from `max` down to `min` as Karras et al. space them.
pub(super) fn karras(max: f64, min: f64, count: usize) -> Vec<f64> {
    let (high, low) = (max.powf(1.0 / RHO), min.powf(1.0 / RHO));
    linspace(0.0, 1.0, count).iter().map(|ramp| (high + ramp * (low - high)).powf(RHO)).collect()
}

/// Noise levels from `max` down to `min` in even ratios.
pub(super) fn exponential(max: f64, min: f64, count: usize) -> Vec<f64> {
    linspace(max.ln(), min.ln(), count).iter().map(|level| level.exp()).collect()
}

/// The training time of a noise level, interpolated in its logarithm; `log_sigmas` rise.
pub(super) fn time_of(sigma: f64, log_sigmas: &[f32]) -> f64 {
    let level = sigma.max(1e-10).ln();
    let below = log_sigmas.partition_point(|log| level - f64::from(*log) >= 0.0);
    let low = below.saturating_sub(1).min(log_sigmas.len().saturating_sub(2));
    let (a, b) = (log_sigmas[low], log_sigmas[low + 1]);
    let weight = ((f64::from(a) - level) / f64::from(a - b)).clamp(0.0, 1.0);
    (1.0 - weight) * low as f64 + weight * (low + 1) as f64
}

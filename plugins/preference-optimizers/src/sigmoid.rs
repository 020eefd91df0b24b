//! The logistic function and its logarithm, without overflow.

/// `1 / (1 + exp(-x))`.
pub(crate) fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { 1.0 - sigmoid(-x) } else { 1.0 / (1.0 + (-x).exp()) }
}

/// `-log sigmoid(x)`; its derivative is `-sigmoid(-x)`.
pub(crate) fn softplus(x: f64) -> f64 {
    (-x).max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `-(1 - e) log sigmoid(x) - e log sigmoid(-x)` and its derivative by `x`.
pub(crate) fn smoothed(x: f64, smoothing: f64) -> (f64, f64) {
    let loss = (1.0 - smoothing) * softplus(x) + smoothing * softplus(-x);
    (loss, smoothing - sigmoid(-x))
}

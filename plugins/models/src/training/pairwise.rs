//! The cross-entropy of a preference between two, in `f64` (Bradley and Terry, 1952; CAIG, arXiv 2502.06823, section 3.2).

/// What a preference costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preference {
    /// `-y log P(left) - (1 - y) log P(right)`.
    pub loss: f64,
    /// Its derivative by the difference.
    pub by_difference: f64,
    /// 1 when the order is right, 0.5 for a tie.
    pub correct: f64,
}

impl Preference {
    /// Of the difference of two scores, left minus right, with `P(left) = sigmoid(difference)`; `label` is the share of users who
    /// prefer the left one, in [0, 1].
    pub fn new(difference: f64, label: f64) -> Self {
        let tie = difference == 0.0 || label == 0.5;
        let agrees = (difference > 0.0) == (label > 0.5);
        Self {
            loss: softplus(difference) - label * difference,
            by_difference: sigmoid(difference) - label,
            correct: if tie { 0.5 } else { f64::from(u8::from(agrees)) },
        }
    }
}

/// `1 / (1 + e^-x)`, such that `sigmoid(-x)` is exactly `1 - sigmoid(x)`.
pub fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { 1.0 - sigmoid(-x) } else { 1.0 / (1.0 + (-x).exp()) }
}

/// `ln(1 + e^x)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivative_is_that_of_the_loss() {
        let h = 1e-6;
        for (difference, label) in [(0.7, 1.0), (-3.0, 0.3), (0.0, 0.5), (12.0, 0.0)] {
            let at = |d| Preference::new(d, label);
            let slope = (at(difference + h).loss - at(difference - h).loss) / (2.0 * h);
            assert!((slope - at(difference).by_difference).abs() < 1e-8, "{slope}");
        }
    }

    #[test]
    fn extreme_scores_stay_finite_and_ties_count_half() {
        let far = Preference::new(1e4, 0.0);
        assert_eq!((far.loss, far.by_difference, far.correct), (1e4, 1.0, 0.0));
        assert_eq!(Preference::new(0.0, 1.0).correct, 0.5);
    }
}

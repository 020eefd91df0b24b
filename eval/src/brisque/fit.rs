//! The asymmetric generalised Gaussian that values are fitted with, by moments (Lasmar, Stitou, Berthoumieu 2009).

use statrs::function::gamma::ln_gamma;

/// Shapes that are looked for: 1 is Laplace's, 2 Gauss's; photographs' lie between 0.3 and 10.
const SHAPES: (f64, f64) = (0.05, 50.0);

/// A fitted distribution.
pub struct Asymmetric {
    /// How peaked it is.
    pub shape: f64,
    /// Mean square of the values below zero.
    pub left: f64,
    /// Mean square of the values from zero on.
    pub right: f64,
}

impl Asymmetric {
    /// None where one side of zero has no values, or nothing but zeros.
    pub fn fitted(values: impl Iterator<Item = f64>) -> Option<Self> {
        let (mut left, mut right, mut magnitude) = ((0.0, 0.0), (0.0, 0.0), 0.0);
        for value in values {
            let side = if value < 0.0 { &mut left } else { &mut right };
            side.0 += value * value;
            side.1 += 1.0;
            magnitude += value.abs();
        }
        let count = left.1 + right.1;
        let ratio = (magnitude / count).powi(2) / ((left.0 + right.0) / count);
        let (left, right) = (left.0 / left.1, right.0 / right.1);
        // Also false for NaN.
        if !(left > 0.0 && right > 0.0) {
            return None;
        }
        let skew = (left / right).sqrt();
        let wanted = ratio * (skew.powi(3) + 1.0) * (skew + 1.0) / (skew * skew + 1.0).powi(2);
        Some(Self { shape: shape(wanted), left, right })
    }

    /// Where the two sides' different spreads put the mean.
    pub fn mean(&self) -> f64 {
        let [one, two, three] = [1.0, 2.0, 3.0].map(|k| ln_gamma(k / self.shape));
        (self.right.sqrt() - self.left.sqrt()) * (0.5 * (one - three) + two - one).exp()
    }
}

/// The shape at which squared mean magnitude over mean square is `wanted`; it grows with the shape, so that halving finds it.
fn shape(wanted: f64) -> f64 {
    let ratio = |shape: f64| {
        let [one, two, three] = [1.0, 2.0, 3.0].map(|k| ln_gamma(k / shape));
        (2.0 * two - one - three).exp()
    };
    let (mut low, mut high) = SHAPES;
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if ratio(middle) < wanted { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A half and a half of exponential values are Laplace's.
    #[test]
    fn known_shapes_are_found() {
        let exponential = |i: usize| -((i as f64 + 0.5) / 20_000.0).ln();
        let fitted =
            Asymmetric::fitted((0..40_000).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 } * exponential(i / 2)));
        let fitted = fitted.expect("both sides");
        assert!((fitted.shape - 1.0).abs() < 0.01, "{}", fitted.shape);
        assert!((fitted.left - 2.0).abs() < 0.01 && fitted.mean().abs() < 1e-9);
    }

    #[test]
    fn one_side_alone_has_no_fit() {
        for values in [vec![], vec![0.0; 9], vec![1.0; 9], vec![-1.0; 9]] {
            assert!(Asymmetric::fitted(values.into_iter()).is_none());
        }
    }
}

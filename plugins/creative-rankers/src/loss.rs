//! The loss of a pair, and its derivatives, in `f64`.
//!
//! ```text
//! d = s(left) - s(right)          P(left) = sigmoid(d)          CTR = sigmoid(z)
//! L = -y log P(left) - (1 - y) log P(right)  +  w ((CTR_l - c_l)^2 + (CTR_r - c_r)^2) / 2
//! ```
//!
//! `y` is the label, which may be soft, `c` are observed CTRs and `w` is the point weight (CAIG, arXiv 2502.06823: 0.5). The first part is
//! also the list-wise loss of Wang et al. (2021) on a list of two: the softmax over `(s_l, s_r)` is `(P(left), P(right))`.

use adeval_models::training::{Preference, sigmoid};

/// What a network said of a creative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Said {
    pub strength: f64,
    pub logit: f64,
}

/// What users did with a pair, and how much the point loss weighs.
#[derive(Debug, Clone, Copy)]
pub struct Labels {
    pub left: f64,
    pub ctr: Option<(f64, f64)>,
    pub point_weight: f64,
}

/// The loss of a pair, or the sum over some.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Losses {
    pub preference: f64,
    /// Without its weight.
    pub point: f64,
    /// 1 for a pair whose order is right, 0.5 for a tie.
    pub correct: f64,
}

impl Losses {
    pub fn add(&mut self, other: Self) {
        self.preference += other.preference;
        self.point += other.point;
        self.correct += other.correct;
    }

    /// With the point loss at its weight.
    pub fn total(&self, point_weight: f64) -> f64 {
        self.preference + point_weight * self.point
    }
}

/// The loss of a pair, and its derivatives by what was said of left and right.
pub fn pair([left, right]: [Said; 2], labels: &Labels) -> (Losses, [Said; 2]) {
    let preference = Preference::new(left.strength - right.strength, labels.left);
    let mut losses = Losses { preference: preference.loss, point: 0.0, correct: preference.correct };
    let mut point = |said: Said, wanted: Option<f64>| {
        let Some(wanted) = wanted else { return 0.0 };
        let p = sigmoid(said.logit);
        losses.point += (p - wanted).powi(2) / 2.0;
        labels.point_weight * (p - wanted) * p * (1.0 - p)
    };
    let by_left = point(left, labels.ctr.map(|ctr| ctr.0));
    let by_right = point(right, labels.ctr.map(|ctr| ctr.1));
    let derivatives = [
        Said { strength: preference.by_difference, logit: by_left },
        Said { strength: -preference.by_difference, logit: by_right },
    ];
    (losses, derivatives)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(difference: f64, left: f64, ctr: Option<(f64, f64)>) -> ([Said; 2], Labels) {
        let said = [Said { strength: 0.3 + difference, logit: -2.0 }, Said { strength: 0.3, logit: 1.5 }];
        (said, Labels { left, ctr, point_weight: 0.5 })
    }

    #[test]
    fn derivatives_are_those_of_the_loss() {
        let h = 1e-6;
        for (difference, left, ctr) in
            [(0.7, 1.0, Some((0.2, 0.4))), (-3.0, 0.3, Some((0.0, 1.0))), (0.0, 0.5, None), (12.0, 0.0, None)]
        {
            let (said, labels) = case(difference, left, ctr);
            let (_, by) = pair(said, &labels);
            for side in 0..2 {
                let moved = |strength: f64, logit: f64| {
                    let mut said = said;
                    said[side].strength += strength;
                    said[side].logit += logit;
                    pair(said, &labels).0.total(labels.point_weight)
                };
                let strength = (moved(h, 0.0) - moved(-h, 0.0)) / (2.0 * h);
                let logit = (moved(0.0, h) - moved(0.0, -h)) / (2.0 * h);
                assert!((strength - by[side].strength).abs() < 1e-8, "{strength} {:?}", by[side]);
                assert!((logit - by[side].logit).abs() < 1e-8, "{logit} {:?}", by[side]);
            }
        }
    }

    #[test]
    fn the_pairwise_cross_entropy_is_the_listwise_loss_of_two() {
        for (difference, left) in [(0.4, 1.0), (-2.0, 0.25), (5.0, 0.6)] {
            let (said, labels) = case(difference, left, None);
            let scores = said.map(|said| said.strength.exp());
            let total: f64 = scores.iter().sum();
            let listwise = -(left * (scores[0] / total).ln() + (1.0 - left) * (scores[1] / total).ln());
            assert!((pair(said, &labels).0.preference - listwise).abs() < 1e-12);
        }
    }

    #[test]
    fn values_are_those_of_pytorch() {
        // binary_cross_entropy_with_logits(0.7, 0.8) and mse_loss(sigmoid([-2, 1.5]), [0.05, 0.5]), in float64.
        let (said, labels) = case(0.7, 0.8, Some((0.05, 0.5)));
        let losses = pair(said, &labels).0;
        assert!((losses.preference - 0.543_186_048_885_457_9).abs() < 1e-12, "{}", losses.preference);
        let p = [1.0 / (1.0 + 2f64.exp()), 1.0 / (1.0 + (-1.5f64).exp())];
        let point = ((p[0] - 0.05).powi(2) + (p[1] - 0.5).powi(2)) / 2.0;
        assert!((losses.point - point).abs() < 1e-12);
    }
}

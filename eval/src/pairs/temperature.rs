//! One number that makes a judge's probabilities come true: a temperature (Guo et al. 2017, "On Calibration of Modern Neural
//! Networks").

use crate::{EvalError, Result, statistics::check_probability};

/// Log-odds beyond this say the same: a probability of exactly 0 or 1 has none.
const SURE: f64 = 30.0;
/// The least of 1 / T: a judge that knows nothing, or the contrary, keeps the order of its answers.
const LEAST: f64 = 1e-3;
/// The most: where every answer is right, a surer judge is always better.
const MOST: f64 = 1e3;

/// The temperature T whose `sigmoid(logit(p) / T)` has the lowest cross-entropy with labels, from answers (p, label).
///
/// Above 1 for a judge that promises too much. It keeps the order of all answers. It lies in [0.001, 1000], at whose ends answers were
/// all right, or no better than chance.
///
/// # Errors
/// [`EvalError`] for a number outside [0, 1], or no answer.
pub fn temperature(answers: &[(f64, f64)]) -> Result<f64> {
    if answers.is_empty() {
        return Err(EvalError::TooFew { what: "a temperature (answers)".into(), got: 0, needed: 1 });
    }
    for (at, (p, label)) in answers.iter().enumerate() {
        check_probability(*p, &format!("answer {at}"), "P(left)")?;
        check_probability(*label, &format!("answer {at}"), "the label")?;
    }
    // The cross-entropy is convex in b = 1 / T; this is its slope, which rises.
    let slope =
        |b: f64| answers.iter().map(|(p, label)| (sigmoid(b * logit(*p)) - label) * logit(*p)).sum::<f64>();
    if answers.iter().all(|(p, _)| *p == 0.5) {
        return Ok(1.0);
    }
    let (mut low, mut high) = (LEAST.ln(), MOST.ln());
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        // A slope of exactly 0 is a judge that is right beyond rounding: surer is as good.
        if slope(middle.exp()) <= 0.0 { low = middle } else { high = middle }
    }
    Ok((-f64::midpoint(low, high)).exp())
}

/// A probability at a temperature.
pub fn tempered(p: f64, temperature: f64) -> f64 {
    sigmoid(logit(p) / temperature)
}

fn logit(p: f64) -> f64 {
    (p.ln() - (-p).ln_1p()).clamp(-SURE, SURE)
}

/// Such that `sigmoid(-x)` is exactly `1 - sigmoid(x)`.
fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { 1.0 - sigmoid(-x) } else { 1.0 / (1.0 + (-x).exp()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judge_that_promises_too_much_is_cooled_to_the_truth() {
        // True log-odds x, said as 4 x; labels are the true probabilities.
        let answers: Vec<(f64, f64)> =
            (-20..=20).map(|k| f64::from(k) / 10.0).map(|x| (sigmoid(4.0 * x), sigmoid(x))).collect();
        let t = temperature(&answers).unwrap();
        assert!((t - 4.0).abs() < 1e-9, "{t}");
        for (p, truth) in &answers {
            assert!((tempered(*p, t) - truth).abs() < 1e-9);
        }
    }

    #[test]
    fn the_ends_keep_the_order_of_answers() {
        let right = temperature(&[(0.9, 1.0), (0.2, 0.0)]).unwrap();
        assert!(right < 1.1e-3 && tempered(0.6, right) > 0.999);
        let wrong = temperature(&[(0.9, 0.0), (0.2, 1.0)]).unwrap();
        assert!((900.0..1100.0).contains(&wrong), "{wrong}");
        assert!(tempered(0.9, wrong) > tempered(0.8, wrong));
        assert!(tempered(1.0, wrong) > tempered(0.9, wrong) && tempered(0.0, wrong) > 0.0);
        assert_eq!(temperature(&[(0.5, 1.0)]).unwrap(), 1.0);
        assert!((tempered(0.3, 2.0) + tempered(0.7, 2.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        assert!(temperature(&[]).is_err());
        assert!(temperature(&[(1.5, 1.0)]).is_err());
        assert!(temperature(&[(0.5, f64::NAN)]).is_err());
    }
}

//! What a policy is worth on products that it never saw: the judge's opinion of its creatives, and of the starting policy's
//! beside them. Both policies draw with the same chance, so the comparison is paired.

use super::creatives::Draw;
use super::plan::Item;
use super::rewards::Question;
use super::{Cast, Work};
use crate::train::TrainError;
use adeval_sdk::ConditionedAnswer;
use std::collections::BTreeMap;

/// Mean over the products that have a value.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sum over an answer's tokens of `exp(d) - d - 1`, `d = log ref - log pi`: for answers that pi wrote an unbiased estimate of the
/// divergence that is never below 0 (Schulman, "Approximating KL divergence", 2020: k3).
fn moved(now: &[f64], reference: &[f64]) -> f64 {
    now.iter().zip(reference).map(|(now, then)| (then - now).exp() - (then - now) - 1.0).sum()
}

impl Work<'_> {
    /// Samples, renders and judges held-out products with the policy after an epoch.
    pub fn look(&self, cast: &mut Cast<'_>, epoch: u32) -> Result<BTreeMap<String, f64>, TrainError> {
        let items: Vec<_> = self.plan.held_out.iter().collect();
        if items.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (now, first) = (Draw::HeldOut(epoch), Draw::HeldOut(0));
        self.sample(cast, now, &items)?;
        let kl = self.divergence(cast, now, &items)?;
        cast.prompt.rest(self);
        self.render(cast, now, &items)?;
        let questions = items.iter().map(|item| {
            let mut asked = Vec::new();
            for (new, old) in self.images(now, item).into_iter().zip(self.images(first, item)) {
                asked.extend(new.iter().cloned().map(Question::Score));
                if let (Some(new), Some(old)) = (new, old)
                    && new != old
                {
                    asked.push(Question::Compare(new.clone(), old.clone()));
                    asked.push(Question::Compare(old, new));
                }
            }
            (*item, asked)
        });
        self.ask(cast, &now.title("judge"), questions.collect())?;
        let (mut ctrs, mut wins, mut texts) = (Vec::new(), Vec::new(), std::collections::BTreeSet::new());
        let mut said = 0;
        for item in &items {
            let (new, old) = (self.images(now, item), self.images(first, item));
            let scores: Vec<f64> = new.iter().flatten().filter_map(|image| self.score(item, image)).collect();
            let pairs = new.iter().zip(&old).filter_map(|(new, old)| {
                let (new, old) = (new.as_ref()?, old.as_ref()?);
                if new == old { Some(0.5) } else { self.preference(item, new, old).map(|(p, _)| p) }
            });
            wins.extend(mean(&pairs.collect::<Vec<_>>()));
            ctrs.extend(mean(&scores));
            let samples = self.samples(now, item);
            said += samples.len();
            texts.extend(samples.into_iter().map(|sample| sample.text));
        }
        let values = [
            ("held_out/judge_ctr", mean(&ctrs)),
            ("held_out/win_rate", mean(&wins)),
            ("held_out/kl", kl),
            ("held_out/distinct_prompts", Some(texts.len() as f64)),
            ("held_out/distinct_share", (said > 0).then(|| texts.len() as f64 / said as f64)),
        ];
        let known = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let all = known.chain(self.truth(now, &items));
        Ok(all.map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// How far the policy has moved: its KL divergence from the reference, in nats an answer, over what it wrote about held-out
    /// products.
    fn divergence(
        &self,
        cast: &mut Cast<'_>,
        draw: Draw,
        items: &[&Item],
    ) -> Result<Option<f64>, TrainError> {
        let written = items.iter().flat_map(|item| {
            self.samples(draw, item).into_iter().map(|sample| {
                let condition = item.product.clone();
                (ConditionedAnswer { condition, tokens: sample.tokens }, sample.log_probs)
            })
        });
        let (answers, sampled): (Vec<_>, Vec<_>) =
            written.filter(|(answer, _)| !answer.tokens.is_empty()).unzip();
        let reference = self.reference(cast, &answers.iter().collect::<Vec<_>>())?;
        let rows = sampled.iter().zip(&reference).filter(|(now, then)| now.len() == then.len());
        Ok(mean(&rows.map(|(now, then)| moved(now, then)).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over a whole vocabulary the mean is the divergence.
    #[test]
    fn the_estimate_is_unbiased_and_never_negative() {
        let (now, reference) = ([0.7_f64, 0.2, 0.1], [0.2_f64, 0.3, 0.5]);
        let one = |token: usize| moved(&[now[token].ln()], &[reference[token].ln()]);
        let found: f64 = (0..3).map(|token| now[token] * one(token)).sum();
        let wanted: f64 = (0..3).map(|token| now[token] * (now[token] / reference[token]).ln()).sum();
        assert!((found - wanted).abs() < 1e-12 && (0..3).all(|token| one(token) >= 0.0), "{found} {wanted}");
        assert_eq!(moved(&now, &now), 0.0);
    }
}

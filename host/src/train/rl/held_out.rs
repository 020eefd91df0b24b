//! What a policy is worth on products that it never saw: the judge's opinion of its creatives, and of the starting policy's
//! beside them. Both policies draw with the same chance, so the comparison is paired.

use super::creatives::Draw;
use super::rewards::Question;
use super::{Cast, Work};
use crate::train::TrainError;
use std::collections::BTreeMap;

/// Mean over the products that have a value.
fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
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
            ("held_out/distinct_prompts", Some(texts.len() as f64)),
            ("held_out/distinct_share", (said > 0).then(|| texts.len() as f64 / said as f64)),
        ];
        let known = values.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let all = known.chain(self.truth(now, &items));
        Ok(all.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

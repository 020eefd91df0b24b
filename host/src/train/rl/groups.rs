//! The preferences of an epoch: groups of answers with rewards, the conditions that an optimizer wants them under, and the
//! reference's log-probabilities, which are kept on the disk because the reference never changes.

use super::corrupt::corrupted;
use super::creatives::Draw;
use super::plan::Item;
use super::rewards::Verdicts;
use super::{Cast, Work};
use crate::bench::{key, product_hash};
use crate::store::{Outcome, Record};
use crate::train::TrainError;
use crate::train::schedule::shuffled;
use adeval_sdk::client::PromptClient;
use adeval_sdk::{ConditionedAnswer, Corruption, Policy, rng};

/// A sampled answer.
pub struct Answer {
    pub tokens: Vec<u32>,
    pub sampled: Vec<f64>,
    pub reward: f64,
}

/// A product's answers.
pub struct Group<'a> {
    pub item: &'a Item,
    pub answers: Vec<Answer>,
}

/// What came of judging an epoch's samples.
#[derive(Default)]
pub struct Judged<'a> {
    /// Groups whose rewards differ.
    pub groups: Vec<Group<'a>>,
    /// Groups whose rewards are all equal.
    pub ties: usize,
    /// Products that have too few samples with a reward.
    pub lost: usize,
    pub verdicts: Verdicts,
    /// Mean reward, over all samples.
    pub reward: f64,
}

impl<'a> Work<'a> {
    /// Gathers the rewards of an epoch.
    pub fn judged(&self, epoch: u32, items: &[&'a Item]) -> Judged<'a> {
        let draw = Draw::Epoch(epoch);
        let (mut judged, mut rewards) = (Judged::default(), Vec::new());
        for item in items {
            let (values, verdicts) = self.rewards(draw, item);
            judged.verdicts.pairs += verdicts.pairs;
            judged.verdicts.ties += verdicts.ties;
            judged.verdicts.consistent += verdicts.consistent;
            let samples = self.samples(draw, item).into_iter().zip(values);
            let answers: Vec<Answer> = samples
                .filter_map(|(sample, reward)| {
                    let reward = reward?;
                    Some(Answer { tokens: sample.tokens, sampled: sample.log_probs, reward })
                })
                .collect();
            rewards.extend(answers.iter().map(|answer| answer.reward));
            if answers.len() < self.needs.samples_per_product as usize {
                judged.lost += 1;
            } else if answers.windows(2).all(|two| two[0].reward == two[1].reward) {
                judged.ties += 1;
            } else {
                judged.groups.push(Group { item, answers });
            }
        }
        judged.reward = rewards.iter().sum::<f64>() / rewards.len().max(1) as f64;
        judged
    }
}

impl Group<'_> {
    /// The answer of the highest reward, the first of equals.
    fn best(&self) -> &Answer {
        let first = |a: &'_ Answer, b: &'_ Answer| b.reward > a.reward;
        let best = (1..self.answers.len())
            .fold(0, |best, at| if first(&self.answers[best], &self.answers[at]) { at } else { best });
        &self.answers[best]
    }
}

/// What an optimizer sees of a group: for each answer, what is asked under the true condition and under each corrupted one.
pub type Asked = Vec<Vec<ConditionedAnswer>>;

/// Who a group is swapped with: another group of the epoch, by seed.
fn partner(groups: &[Group<'_>], at: usize, seed: u64) -> usize {
    let other = shuffled(groups.len(), seed);
    other.into_iter().find(|other| *other != at).unwrap_or(at)
}

/// The questions about a group.
pub fn asked(groups: &[Group<'_>], at: usize, corruptions: &[Corruption], seed: u64, epoch: u32) -> Asked {
    let group = &groups[at];
    let chance = |what: &str| rng::derive(seed, &[what, &epoch.to_string(), &group.item.product.id]);
    let other = &groups[partner(groups, at, chance("swap"))];
    let conditions: Vec<_> = corruptions
        .iter()
        .enumerate()
        .map(|(number, corruption)| {
            let seed = rng::derive(chance("mask"), &[&number.to_string()]);
            corrupted(group.item, corruption, other.item, seed)
        })
        .collect();
    let of = |answer: &Answer| {
        let mine = |condition| ConditionedAnswer { condition, tokens: answer.tokens.clone() };
        let mut asked = vec![mine(group.item.product.clone())];
        for (corruption, condition) in corruptions.iter().zip(&conditions) {
            let mut one = mine(condition.clone());
            if *corruption == Corruption::SwappedPair {
                one.tokens.clone_from(&other.best().tokens);
            }
            asked.push(one);
        }
        asked
    };
    group.answers.iter().map(of).collect()
}

/// The key of a reference's log-probabilities.
fn reference_key(answer: &ConditionedAnswer) -> String {
    let tokens: Vec<String> = answer.tokens.iter().map(u32::to_string).collect();
    key(&["reference", &product_hash(&answer.condition), &tokens.join(" ")])
}

impl Work<'_> {
    /// log ref of the tokens of each answer, from the disk where they are known.
    pub fn reference(
        &self,
        cast: &mut Cast<'_>,
        answers: &[&ConditionedAnswer],
    ) -> Result<Vec<Vec<f64>>, TrainError> {
        let keys: Vec<String> = answers.iter().map(|answer| reference_key(answer)).collect();
        let mut missing: Vec<(&String, ConditionedAnswer)> = Vec::new();
        for (key, answer) in keys.iter().zip(answers) {
            if !self.store.has(key) && missing.iter().all(|(known, _)| *known != key) {
                missing.push((key, (*answer).clone()));
            }
        }
        if !missing.is_empty() {
            let client = PromptClient::new(self.policy(cast)?);
            for batch in missing.chunks(self.plan.recipe.training.answers_per_call) {
                let asked: Vec<ConditionedAnswer> = batch.iter().map(|(_, answer)| answer.clone()).collect();
                let replies =
                    self.call(&self.plan.prompt, |cx| client.log_probs(Policy::Reference, &asked, cx))?;
                let records = batch.iter().zip(replies).map(|((key, answer), values)| Record {
                    key: (*key).clone(),
                    item: answer.condition.id.clone(),
                    seconds: None,
                    outcome: Outcome::LogProbs(values),
                });
                self.store.append(&records.collect::<Vec<_>>())?;
            }
        }
        let known = |key: &String| match self.store.get(key).map(|record| record.outcome) {
            Some(Outcome::LogProbs(values)) => values,
            _ => Vec::new(),
        };
        Ok(keys.iter().map(known).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::Product;
    use image::{Rgba, RgbaImage};

    fn items() -> Vec<Item> {
        let item = |k: u8| {
            let image = RgbaImage::from_pixel(64, 64, Rgba([k, k, k, 255]));
            Item {
                product: Product::new(format!("p{k}"), format!("title {k}"), image.into()),
                hash: k.to_string(),
            }
        };
        (1..5).map(item).collect()
    }

    #[test]
    fn each_corruption_has_its_condition_and_answer() {
        let items = items();
        let answer = |token, reward| Answer { tokens: vec![token], sampled: vec![-1.0], reward };
        let groups: Vec<Group<'_>> = (0..)
            .zip(&items)
            .map(|(k, item)| Group { item, answers: vec![answer(10 * k, 0.2), answer(10 * k + 1, 0.8)] })
            .collect();
        let corruptions = [
            Corruption::MaskedImage { patch: 32, share: 0.5 },
            Corruption::SwappedText,
            Corruption::SwappedPair,
        ];
        let asked = asked(&groups, 0, &corruptions, 7, 1);
        for (of, token) in asked.iter().zip([0, 1]) {
            let [clean, masked, text, pair] = &of[..] else { panic!("{} conditions", of.len()) };
            assert_eq!((clean.condition.id.as_str(), &clean.tokens[..]), ("p1", &[token][..]));
            assert_eq!((masked.condition.title.as_str(), &masked.tokens[..]), ("title 1", &[token][..]));
            assert_ne!(masked.condition.image, clean.condition.image);
            assert_ne!(text.condition.title, "title 1", "never the product's own text");
            assert_eq!((&text.condition.image, &text.tokens[..]), (&clean.condition.image, &[token][..]));
            assert_eq!(pair.condition.title, text.condition.title);
            assert_eq!(pair.tokens[0] % 10, 1, "the other product's better answer");
            assert_ne!(pair.tokens[0], 1);
        }
    }
}

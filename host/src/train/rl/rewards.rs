//! What a judge says of creatives, and the rewards that come of it.

use super::creatives::Draw;
use super::plan::Item;
use super::recipe::RewardRule;
use super::{Cast, Work};
use crate::bench::{Asked, Done, ask, key, pictures, pump, record};
use crate::store::Outcome;
use crate::train::TrainError;
use adeval_sdk::client::RewardClient;
use adeval_sdk::{PairRequest, PluginError, ScoreRequest};
use std::collections::HashSet;

/// A question to the judge, of images by their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    Score(String),
    Compare(String, String),
}

impl Question {
    fn key(&self, item: &Item) -> String {
        match self {
            Self::Score(image) => key(&["score", &item.hash, image]),
            Self::Compare(left, right) => key(&["compare", &item.hash, left, right]),
        }
    }
}

/// A question about a product, with the key of its answer.
type Keyed<'a> = (String, &'a Item, Question);

/// What the judge said of a set of pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Verdicts {
    /// Pairs of different creatives.
    pub pairs: u32,
    /// Of them, those that it holds for equal over both orders.
    pub ties: u32,
    /// Of them, those whose two orders name the same winner.
    pub consistent: u32,
}

impl Work<'_> {
    /// Asks the judge what it was not asked yet.
    pub fn ask(
        &self,
        cast: &mut Cast<'_>,
        title: &str,
        questions: Vec<(&Item, Vec<Question>)>,
    ) -> Result<(), TrainError> {
        let mut missing: Vec<Vec<Keyed<'_>>> = Vec::new();
        for (item, asked) in questions {
            let mut seen = HashSet::new();
            let keyed = asked.into_iter().map(|question| (question.key(item), item, question));
            let new = keyed.filter(|(key, _, _)| !self.store.has(key) && seen.insert(key.clone()));
            missing.push(new.collect());
        }
        missing.retain(|batch| !batch.is_empty());
        if !missing.is_empty() {
            let client = RewardClient::new(cast.judge.endpoint(self)?);
            self.services.progress.stage(title, missing.iter().map(Vec::len).sum());
            let keep = |done: Vec<Done<Keyed<'_>, Outcome>>| {
                let records = done.into_iter().map(|((key, item, _), result, seconds)| {
                    record(key, item.product.id.clone(), seconds, "judge", result)
                });
                self.store.append(&records.collect::<Vec<_>>())
            };
            pump(
                missing,
                self.services,
                self.clock,
                |batch| self.pixels(batch),
                |asked, cx| ask(&client, asked, cx),
                keep,
            )?;
            self.check_cancelled()?;
        }
        cast.judge.rest(self);
        Ok(())
    }

    fn pixels(&self, batch: &[Keyed<'_>]) -> Vec<Result<Asked, PluginError>> {
        let mut image = pictures(self.store);
        let asked = batch.iter().map(|(_, item, question)| {
            let product = item.product.clone();
            Ok(match question {
                Question::Score(hash) => Asked::Score(ScoreRequest { product, creative: image(hash)? }),
                Question::Compare(left, right) => {
                    Asked::Compare(PairRequest { product, left: image(left)?, right: image(right)? })
                }
            })
        });
        asked.collect()
    }

    fn number(&self, item: &Item, question: &Question) -> Option<f64> {
        match self.store.get(&question.key(item))?.outcome {
            Outcome::Compare(value) | Outcome::Score(value) => Some(value),
            _ => None,
        }
    }

    /// Probability that the first is preferred, over both orders, and whether the two orders agree.
    pub fn preference(&self, item: &Item, first: &str, second: &str) -> Option<(f64, bool)> {
        let asked = |a: &str, b: &str| self.number(item, &Question::Compare(a.into(), b.into()));
        let (left, right) = (asked(first, second)?, asked(second, first)?);
        Some((f64::midpoint(left, 1.0 - right), (left > 0.5) == (right < 0.5) && left != 0.5 && right != 0.5))
    }

    /// The predicted CTR.
    pub fn score(&self, item: &Item, image: &str) -> Option<f64> {
        self.number(item, &Question::Score(image.into()))
    }

    /// The images of a product's samples, where there are.
    pub fn images(&self, draw: Draw, item: &Item) -> Vec<Option<String>> {
        let samples = self.samples(draw, item);
        samples.iter().map(|sample| self.creative(draw, item, &sample.text)).collect()
    }

    /// The questions whose answers make rewards.
    pub fn reward_questions(&self, draw: Draw, item: &Item) -> Vec<Question> {
        let images: Vec<String> = self.images(draw, item).into_iter().flatten().collect();
        match self.plan.recipe.reward {
            RewardRule::Score => images.into_iter().map(Question::Score).collect(),
            RewardRule::Compare => {
                let others = |a: &String| images.iter().filter(move |b| *b != a).cloned().collect::<Vec<_>>();
                let of =
                    |a: &String| others(a).into_iter().map(|b| Question::Compare(a.clone(), b)).collect();
                images.iter().flat_map(|a| -> Vec<_> { of(a) }).collect()
            }
        }
    }

    /// The rewards of a product's samples, absent where something failed; and what the judge said of the pairs.
    pub fn rewards(&self, draw: Draw, item: &Item) -> (Vec<Option<f64>>, Verdicts) {
        let images = self.images(draw, item);
        if self.plan.recipe.reward == RewardRule::Score {
            let one = |image: &Option<String>| image.as_ref().and_then(|image| self.score(item, image));
            return (images.iter().map(one).collect(), Verdicts::default());
        }
        let mut verdicts = Verdicts::default();
        for (at, first) in images.iter().enumerate() {
            for second in &images[at + 1..] {
                let (Some(first), Some(second)) = (first, second) else { continue };
                let Some((p, agree)) = self.preference(item, first, second).filter(|_| first != second)
                else {
                    continue;
                };
                verdicts.pairs += 1;
                verdicts.ties += u32::from(p == 0.5);
                verdicts.consistent += u32::from(agree);
            }
        }
        let reward = |at: usize| {
            let mine = images[at].as_ref()?;
            let others = images.iter().enumerate().filter(|(other, _)| *other != at);
            let against: Vec<f64> = others
                .filter_map(|(_, other)| {
                    let other = other.as_ref()?;
                    // The same picture is as good as itself.
                    if other == mine { Some(0.5) } else { self.preference(item, mine, other).map(|(p, _)| p) }
                })
                .collect();
            (!against.is_empty()).then(|| against.iter().sum::<f64>() / against.len() as f64)
        };
        ((0..images.len()).map(reward).collect(), verdicts)
    }
}

//! A model at work: it is asked about pairs, and learns from them.

use super::data::Pictures;
use super::pairs::Labelled;
use super::plan::{Plan, PlannedModel};
use crate::bench::OpenComponent;
use crate::train::TrainError;
use crate::train::calls::{Calls, finite};
use crate::train::supervised::{Learner, Metrics, Training};
use adeval_sdk::client::{RewardClient, TrainingClient};
use adeval_sdk::{GradientOptions, LabelledPair, PairRequest, PluginError, TrainingOptions, rng};
use std::path::Path;

/// P(left) of a pair: with its first creative on the left, and with its second.
pub type Answer = [f64; 2];

/// An open model.
pub struct Student<'a> {
    pub plan: &'a Plan<'a>,
    pub planned: &'a PlannedModel<'a>,
    pub calls: Calls<'a>,
    client: RewardClient,
    training: TrainingClient<LabelledPair>,
    /// Drops the worker when the student goes.
    _open: Box<dyn OpenComponent>,
}

fn mirrored(pair: PairRequest) -> PairRequest {
    PairRequest { product: pair.product, left: pair.right, right: pair.left }
}

impl<'a> Student<'a> {
    pub fn open(
        plan: &'a Plan<'a>,
        planned: &'a PlannedModel<'a>,
        calls: Calls<'a>,
    ) -> Result<Self, TrainError> {
        let open = calls.open(&planned.component)?;
        let client = RewardClient::new(open.endpoint());
        let training = client.training();
        Ok(Self { plan, planned, calls, client, training, _open: open })
    }

    /// What the model says of pairs, in both orders; `None` for one that it does not answer, with the first reason.
    pub fn answers(
        &self,
        pairs: &[Labelled],
        pictures: &mut Pictures<'_>,
    ) -> Result<(Vec<Option<Answer>>, Option<PluginError>), TrainError> {
        let (mut all, mut first) = (Vec::with_capacity(pairs.len()), None);
        for chunk in pairs.chunks(self.plan.recipe.training_of(self.planned.model).examples_per_call) {
            let one_way = self.requests(chunk, pictures)?;
            let asked: Vec<PairRequest> =
                one_way.into_iter().flat_map(|pair| [pair.clone(), mirrored(pair)]).collect();
            let said = self.calls.call(&self.planned.component, |cx| self.client.compare(&asked, cx))?;
            for both in said.chunks_exact(2) {
                match (&both[0], &both[1]) {
                    (Ok(one), Ok(other)) => all.push(Some([one.left, other.left])),
                    (Err(error), _) | (_, Err(error)) => {
                        first.get_or_insert_with(|| error.clone());
                        all.push(None);
                    }
                }
            }
            self.calls.services.progress.advance(chunk.len());
        }
        Ok((all, first))
    }

    /// One optimizer step on some pairs, and what it was like.
    fn step(
        &self,
        pairs: &[Labelled],
        pictures: &mut Pictures<'_>,
        rate: f64,
        number: u64,
    ) -> Result<Metrics, TrainError> {
        let settings = self.plan.recipe.training_of(self.planned.model);
        let mut metrics = Metrics::new();
        for (part, chunk) in pairs.chunks(settings.examples_per_call).enumerate() {
            let examples = self.examples(chunk, pictures)?;
            let weight = chunk.len() as f64 / pairs.len() as f64;
            let chance = ["gradient", &number.to_string(), &part.to_string()];
            let options = GradientOptions { weight, seed: rng::derive(self.plan.recipe.seed, &chance) };
            let report = self.calls.call(&self.planned.component, |cx| {
                let report = self.training.accumulate_gradient(&examples, &options, cx)?;
                finite(report.loss)?;
                Ok(report)
            })?;
            let loss = report.loss.map(|loss| ("loss".to_owned(), loss));
            for (name, value) in report.metrics.into_iter().chain(loss) {
                *metrics.entry(name).or_default() += weight * value;
            }
        }
        let options = TrainingOptions {
            learning_rate: rate,
            max_grad_norm: settings.max_grad_norm,
            weight_decay: settings.weight_decay,
        };
        let report = self.calls.call(&self.planned.component, |cx| self.training.step(&options, cx))?;
        metrics.extend(report.metrics);
        metrics.extend(report.grad_norm.map(|norm| ("grad_norm".to_owned(), norm)));
        metrics.insert("learning_rate".into(), rate);
        Ok(metrics)
    }

    fn save(&self, directory: &Path) -> Result<(), PluginError> {
        self.training.save(directory, &adeval_sdk::CallContext::detached())
    }

    fn load(&self, directory: &Path) -> Result<(), TrainError> {
        self.calls.call(&self.planned.component, |cx| self.training.load(directory, cx))
    }

    /// Pairs with the first creative on the left.
    fn requests(
        &self,
        pairs: &[Labelled],
        pictures: &mut Pictures<'_>,
    ) -> Result<Vec<PairRequest>, TrainError> {
        let wanted: Vec<_> =
            pairs.iter().flat_map(|pair| pair.creatives.map(|at| (pair.product, at))).collect();
        let images = pictures.get(&wanted)?;
        let pair = |(pair, sides): (&Labelled, &[adeval_sdk::Image])| PairRequest {
            product: self.plan.shop.products[pair.product].product.clone(),
            left: sides[0].clone(),
            right: sides[1].clone(),
        };
        Ok(pairs.iter().zip(images.chunks_exact(2)).map(pair).collect())
    }

    /// What is learnt from pairs: each in both orders, or in the one that was drawn for it.
    fn examples(
        &self,
        pairs: &[Labelled],
        pictures: &mut Pictures<'_>,
    ) -> Result<Vec<LabelledPair>, TrainError> {
        let recipe = self.plan.recipe;
        let requests = self.requests(pairs, pictures)?;
        let mut examples = Vec::with_capacity(2 * pairs.len());
        for (pair, request) in pairs.iter().zip(requests) {
            let [first, second] = pair.ctr;
            let ctr = |left, right| recipe.point_loss.then_some((left, right));
            if recipe.both_orders || !pair.first_left {
                let pair_swapped = mirrored(request.clone());
                examples.push(LabelledPair {
                    pair: pair_swapped,
                    left: 1.0 - pair.first,
                    ctr: ctr(second, first),
                });
            }
            if recipe.both_orders || pair.first_left {
                examples.push(LabelledPair { pair: request, left: pair.first, ctr: ctr(first, second) });
            }
        }
        Ok(examples)
    }
}

/// A model that learns from the training pairs.
pub struct Pupil<'a, 'p, 's> {
    pub student: &'a Student<'p>,
    pub pictures: &'a mut Pictures<'s>,
}

impl Learner for Pupil<'_, '_, '_> {
    fn name(&self) -> &str {
        &self.student.planned.model.id
    }

    fn calls(&self) -> Calls<'_> {
        self.student.calls
    }

    fn settings(&self) -> &Training {
        self.student.plan.recipe.training_of(self.student.planned.model)
    }

    fn seed(&self) -> u64 {
        self.student.plan.recipe.seed
    }

    fn examples(&self) -> usize {
        self.student.plan.training.pairs.len()
    }

    fn product(&self, example: usize) -> &str {
        let plan = self.student.plan;
        &plan.shop.products[plan.training.pairs[example].product].product.id
    }

    fn step(&mut self, batch: &[usize], rate: f64, number: u64) -> Result<Metrics, TrainError> {
        let pairs: Vec<Labelled> = batch.iter().map(|at| self.student.plan.training.pairs[*at]).collect();
        self.student.step(&pairs, self.pictures, rate, number)
    }

    fn validation_examples(&self) -> usize {
        self.student.plan.validation.pairs.len()
    }

    fn validate(&mut self) -> Result<(f64, Metrics), TrainError> {
        let pairs = &self.student.plan.validation.pairs;
        let (answers, refused) = self.student.answers(pairs, self.pictures)?;
        let Some(loss) = loss(pairs, &answers) else {
            let error =
                refused.unwrap_or_else(|| PluginError::invalid_request("it answered no validation pair"));
            return Err(self.student.calls.failed(&self.student.planned.component, error));
        };
        Ok((loss.cross_entropy, Metrics::from([("validation/accuracy".into(), loss.accuracy)])))
    }

    fn save(&self, directory: &Path) -> Result<(), PluginError> {
        self.student.save(directory)
    }

    fn load(&self, directory: &Path) -> Result<(), TrainError> {
        self.student.load(directory)
    }
}

/// What a model said of pairs against their labels.
struct Loss {
    /// Mean cross-entropy over both orders, nats.
    cross_entropy: f64,
    /// Share of pairs ordered as their labels are; ties count a half.
    accuracy: f64,
}

/// The least probability that a label is held against: a sure answer that is wrong costs 16 nats, and no infinity.
const LEAST: f64 = 1e-7;

/// `None` when nothing was answered.
fn loss(pairs: &[Labelled], answers: &[Option<Answer>]) -> Option<Loss> {
    let (mut entropy, mut right, mut count) = (0.0, 0.0, 0.0);
    for (pair, answer) in pairs.iter().zip(answers) {
        let Some([first_left, second_left]) = answer else { continue };
        for p in [*first_left, 1.0 - second_left] {
            let p = p.clamp(LEAST, 1.0 - LEAST);
            // Half of the entropy of each order.
            entropy -= f64::midpoint(pair.first * p.ln(), (1.0 - pair.first) * (1.0 - p).ln());
        }
        let p = f64::midpoint(*first_left, 1.0 - second_left);
        let tie = p == 0.5 || pair.first == 0.5;
        right += if tie { 0.5 } else { f64::from(u8::from((p > 0.5) == (pair.first > 0.5))) };
        count += 1.0;
    }
    (count > 0.0).then(|| Loss { cross_entropy: entropy / count, accuracy: right / count })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_the_mean_over_both_orders_of_what_was_answered() {
        let pair =
            |first| Labelled { product: 0, creatives: [0, 1], first, ctr: [0.1, 0.2], first_left: true };
        let pairs = [pair(1.0), pair(0.0), pair(1.0)];
        let answers = [Some([0.8, 0.4]), None, Some([0.5, 0.5])];
        let found = loss(&pairs, &answers).unwrap();
        let by_hand = -(f64::midpoint(0.8_f64.ln(), 0.6_f64.ln()) + 0.5_f64.ln()) / 2.0;
        assert!((found.cross_entropy - by_hand).abs() < 1e-12, "{}", found.cross_entropy);
        assert_eq!(found.accuracy, 0.75);
        assert!(loss(&pairs, &[None, None, None]).is_none());
        let sure = loss(&pairs[..1], &[Some([0.0, 1.0])]).unwrap();
        assert!(sure.cross_entropy.is_finite());
    }
}

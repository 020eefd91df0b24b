//! A model at work: it is asked about pairs, and learns from them.

use super::data::Pictures;
use super::pairs::Labelled;
use super::plan::{Plan, PlannedModel};
use crate::bench::OpenComponent;
use crate::train::TrainError;
use crate::train::calls::Calls;
use adeval_sdk::client::{RewardClient, TrainingClient};
use adeval_sdk::{ErrorKind, GradientOptions, LabelledPair, PairRequest, PluginError, TrainingOptions, rng};
use std::collections::BTreeMap;
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
        for chunk in pairs.chunks(self.plan.recipe.training_of(self.planned.model).pairs_per_call) {
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
    pub fn step(
        &self,
        pairs: &[Labelled],
        pictures: &mut Pictures<'_>,
        rate: f64,
        number: u64,
    ) -> Result<BTreeMap<String, f64>, TrainError> {
        let settings = self.plan.recipe.training_of(self.planned.model);
        let mut metrics = BTreeMap::new();
        for (part, chunk) in pairs.chunks(settings.pairs_per_call).enumerate() {
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

    pub fn save(&self, directory: &Path) -> Result<(), PluginError> {
        self.training.save(directory, &adeval_sdk::CallContext::detached())
    }

    pub fn load(&self, directory: &Path) -> Result<(), TrainError> {
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

/// A loss that is no number ends a training, also where a component reports one without an error.
fn finite(loss: Option<f64>) -> Result<(), PluginError> {
    match loss {
        Some(loss) if !loss.is_finite() => {
            let message = format!(
                "the loss is {loss}; lower the learning rate, or look at these products' pictures and CTRs"
            );
            Err(PluginError::new(ErrorKind::Numerical, message))
        }
        _ => Ok(()),
    }
}

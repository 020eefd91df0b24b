//! One policy learning in one world: batches out, gradients in, a score at the end.

use super::adam::Adam;
use super::policy::PARAMETERS;
use super::world::uniform;
use super::{CONTEXTS, Condition, FEWEST_STEPS, Policy, Settings, TARGET, World};
use crate::{EvalError, Result};
use adeval_sdk::{
    Corruption, LogProbs, LossAndGradient, OptimizerNeeds, PreferenceBatch, SampleEvidence, SampleGradient,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Learning {
    /// Share of the gap between the starting policy's expected reward and the best one's that the last policy has closed:
    /// 1 is the best answer always, 0 is where it began, below 0 is worse than that.
    pub gap_closed: f64,
    /// Mean over all sampled answers of the share of the gap that was open when they were sampled: 1 is a policy that
    /// never learned, smaller is better.
    pub regret: f64,
    /// Answers sampled before the share closed was first [`TARGET`]; absent when it never was.
    pub creatives_to_target: Option<u32>,
    /// Answers sampled in all.
    pub creatives: u32,
    /// Steps taken.
    pub steps: u32,
}

/// Conditions and answers whose log-probabilities an optimizer sees for one sample: its own, then under each corruption.
type Asked = Vec<(Condition, usize)>;

/// What a context was given in a step.
struct Drawn {
    /// The true condition and the corrupted ones; for [`Corruption::SwappedPair`] with the context whose answer it takes.
    conditions: Vec<(Condition, Option<usize>)>,
    /// Sampled answers with the judge's rewards.
    answers: Vec<(usize, f64)>,
}

impl Drawn {
    /// The answer of the highest reward, the first of equals.
    fn best(&self) -> usize {
        let first = |a: (usize, f64), b: (usize, f64)| if b.1 > a.1 { b } else { a };
        self.answers.iter().copied().reduce(first).map_or(0, |(answer, _)| answer)
    }
}

/// A policy at school.
pub struct Run {
    world: World,
    policy: Policy,
    reference: Policy,
    adam: Adam,
    random: ChaCha8Rng,
    needs: OptimizerNeeds,
    budget: u32,
    asked: Vec<Vec<Asked>>,
    start: f64,
    open: f64,
    learning: Learning,
}

impl Run {
    /// A run whose world, starting policy and all chance come from `seed`: optimizers with the same needs see the same
    /// first batch.
    ///
    /// # Errors
    /// [`EvalError::BadOption`] when the budget does not allow ten steps, or a setting is out of range.
    pub fn new(settings: &Settings, needs: &OptimizerNeeds, seed: u64) -> Result<Self> {
        let rate = settings.learning_rate;
        if !(rate > 0.0 && rate.is_finite()) {
            let rule = "it must be above 0 and finite";
            return Err(EvalError::BadOption { option: "learning_rate", value: rate.to_string(), rule });
        }
        let most = settings.creatives / (CONTEXTS as u32 * FEWEST_STEPS);
        if !(1..=most).contains(&needs.samples_per_product) {
            return Err(EvalError::BadOption {
                option: "samples_per_product",
                value: needs.samples_per_product.to_string(),
                rule: "it must be at least 1, and leave 10 steps over 8 contexts within the budget of creatives",
            });
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let (world, policy) = (World::draw(&mut random), Policy::draw(&mut random));
        let mut run = Self {
            start: 0.0,
            open: 1.0,
            adam: Adam::new(rate, PARAMETERS),
            reference: policy.clone(),
            needs: needs.clone(),
            budget: settings.creatives,
            asked: Vec::new(),
            learning: Learning {
                gap_closed: 0.0,
                regret: 0.0,
                creatives_to_target: None,
                creatives: 0,
                steps: 0,
            },
            world,
            policy,
            random,
        };
        run.start = run.value();
        Ok(run)
    }

    /// Expected reward of the policy as it is.
    fn value(&self) -> f64 {
        self.world.value(|context| self.policy.probabilities(&Condition::whole(context)))
    }

    /// Samples answers for every context; `None` when the budget is spent.
    pub fn sample(&mut self) -> Option<PreferenceBatch> {
        let size = CONTEXTS as u32 * self.needs.samples_per_product;
        if self.learning.creatives + size > self.budget {
            return None;
        }
        self.learning.creatives += size;
        self.learning.regret += f64::from(size) * self.open;
        let drawn: Vec<Drawn> = (0..CONTEXTS).map(|context| self.draw(context)).collect();
        let asked = |one: &Drawn, answer: usize| -> Asked {
            one.conditions
                .iter()
                .map(|(c, of)| (*c, of.map_or(answer, |other| drawn[other].best())))
                .collect()
        };
        let group =
            |one: &Drawn| one.answers.iter().map(|(answer, _)| asked(one, *answer)).collect::<Vec<_>>();
        self.asked = drawn.iter().map(group).collect();
        let evidence = |(asked, (_, reward)): (&Asked, &(usize, f64))| self.evidence(asked, *reward);
        let groups = self.asked.iter().zip(&drawn);
        let groups = groups.map(|(asked, one)| asked.iter().zip(&one.answers).map(evidence).collect());
        Some(PreferenceBatch { groups: groups.collect() })
    }

    fn draw(&mut self, context: usize) -> Drawn {
        let conditions = self.conditions(context);
        let mut answer = |_| {
            let answer = self.policy.sample(&Condition::whole(context), &mut self.random);
            (answer, self.world.judged(context, answer, &mut self.random))
        };
        let answers = (0..self.needs.samples_per_product).map(&mut answer).collect();
        Drawn { conditions, answers }
    }

    fn conditions(&mut self, context: usize) -> Vec<(Condition, Option<usize>)> {
        let whole = Condition::whole(context);
        let mut conditions = vec![(whole, None)];
        for corruption in &self.needs.corruptions {
            if let Corruption::MaskedImage { share, .. } = corruption {
                conditions.push((Condition { image_share: 1.0 - share, ..whole }, None));
                continue;
            }
            let by = 1 + (uniform(&mut self.random) * (CONTEXTS - 1) as f64) as usize;
            let other = (context + by) % CONTEXTS;
            let answer_of = (*corruption == Corruption::SwappedPair).then_some(other);
            conditions.push((Condition { text: other, ..whole }, answer_of));
        }
        conditions
    }

    fn evidence(&self, asked: &Asked, reward: f64) -> SampleEvidence {
        let mut under = asked.iter().map(|(condition, answer)| LogProbs {
            current: self.policy.log_probs(condition, *answer).to_vec(),
            reference: self.reference.log_probs(condition, *answer).to_vec(),
        });
        let clean = under.next().unwrap_or_default();
        let sampled = clean.current.clone();
        SampleEvidence { reward, clean, corrupted: under.collect(), sampled }
    }

    /// Carries a gradient into the policy.
    ///
    /// # Errors
    /// [`EvalError::SizeMismatch`] when it does not fit the last batch, [`EvalError::NotFinite`] when it is too large for
    /// a step to be taken, or the policy's own numbers have become so.
    pub fn learn(&mut self, reply: &LossAndGradient) -> Result<()> {
        let mut sum = vec![0.0; PARAMETERS];
        same_size(self.asked.len(), reply.groups.len())?;
        for (asked, gradients) in self.asked.iter().zip(&reply.groups) {
            same_size(asked.len(), gradients.len())?;
            for (sampled, gradient) in asked.iter().zip(gradients) {
                self.add(sampled, gradient, &mut sum)?;
            }
        }
        let step = self.learning.steps + 1;
        let place = || format!("step {step}");
        if let Some(square) = sum.iter().map(|g| g * g).find(|square| !square.is_finite()) {
            let metric = "the square of the gradient by a parameter".to_owned();
            return Err(EvalError::NotFinite { place: place(), metric, value: square });
        }
        self.adam.step(self.policy.parameters_mut(), &sum);
        self.learning.steps = step;
        let closed = (self.value() - self.start) / (self.world.best() - self.start);
        if !closed.is_finite() {
            let metric = "the policy's expected reward".to_owned();
            return Err(EvalError::NotFinite { place: place(), metric, value: closed });
        }
        self.open = 1.0 - closed;
        self.learning.gap_closed = closed;
        if closed >= TARGET {
            self.learning.creatives_to_target.get_or_insert(self.learning.creatives);
        }
        Ok(())
    }

    fn add(&self, asked: &Asked, gradient: &SampleGradient, sum: &mut [f64]) -> Result<()> {
        same_size(asked.len(), 1 + gradient.corrupted.len())?;
        let by_condition = std::iter::once(&gradient.clean).chain(&gradient.corrupted);
        for ((condition, answer), by_token) in asked.iter().zip(by_condition) {
            let by_token: [f64; 2] = by_token.as_slice().try_into().map_err(|_| size(2, by_token.len()))?;
            self.policy.add_gradient(condition, *answer, by_token, sum);
        }
        Ok(())
    }

    /// The score.
    pub fn finish(self) -> Learning {
        let sampled = f64::from(self.learning.creatives.max(1));
        Learning { regret: self.learning.regret / sampled, ..self.learning }
    }
}

fn same_size(want: usize, got: usize) -> Result<()> {
    if want == got { Ok(()) } else { Err(size(want, got)) }
}

fn size(want: usize, got: usize) -> EvalError {
    EvalError::SizeMismatch {
        place: "the optimizer's reply".into(),
        what: "the gradient".into(),
        got: got.to_string(),
        want: want.to_string(),
    }
}

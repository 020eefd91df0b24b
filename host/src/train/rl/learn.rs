//! The inner loop: log-probabilities, loss, gradient, step.

use super::groups::{Asked, Group, asked};
use super::state::State;
use super::{Cast, Work};
use crate::train::metrics::{MetricsLine, MetricsLog, Of};
use crate::train::schedule::{cosine, shuffled};
use crate::train::{TrainError, checkpoint};
use adeval_sdk::client::{OptimizerClient, PromptClient};
use adeval_sdk::{
    AnswerGradient, ConditionedAnswer, GradientOptions, LogProbs, LossAndGradient, Policy, PreferenceBatch,
    SampleEvidence, TrainingOptions, rng,
};
use std::collections::BTreeMap;

impl Work<'_> {
    /// Takes the steps of an epoch that are missing.
    pub fn learn(
        &self,
        cast: &mut Cast<'_>,
        state: &mut State,
        log: &mut MetricsLog,
        groups: &[Group<'_>],
    ) -> Result<(), TrainError> {
        let training = &self.plan.recipe.training;
        let a_pass = groups.len().div_ceil(training.batch) as u64;
        let steps = a_pass * u64::from(training.passes);
        if state.step >= steps {
            return Ok(());
        }
        let stage = format!("epoch {}: steps", state.epoch);
        self.services.progress.stage(&stage, (steps - state.step) as usize);
        while state.step < steps {
            let pass = state.step / a_pass;
            let chance = ["pass", &state.epoch.to_string(), &pass.to_string()];
            let order = shuffled(groups.len(), rng::derive(self.plan.recipe.seed, &chance));
            let at = (state.step % a_pass) as usize;
            let chosen: Vec<usize> =
                order.into_iter().skip(at * training.batch).take(training.batch).collect();
            let warm_up = (training.warm_up * steps as f64).round() as u64;
            let rate = training.learning_rate * cosine(state.step, steps, warm_up);
            let metrics = self.step(cast, state, groups, &chosen, rate)?;
            state.step += 1;
            state.steps += 1;
            self.services.progress.note(0.0, &in_words(&metrics));
            log.add(MetricsLine { of: Of::Step, step: state.steps, epoch: state.epoch, metrics })?;
            self.services.progress.advance(1);
            if state.step == steps {
                self.keep_policy(cast, state, log, format!("epoch-{:04}", state.epoch))?;
            } else if state.step.is_multiple_of(training.checkpoint_every) {
                self.keep_policy(cast, state, log, format!("step-{:08}", state.steps))?;
            }
        }
        Ok(())
    }

    /// One step, and what it was like.
    fn step(
        &self,
        cast: &mut Cast<'_>,
        state: &State,
        groups: &[Group<'_>],
        chosen: &[usize],
        rate: f64,
    ) -> Result<BTreeMap<String, f64>, TrainError> {
        let (seed, epoch) = (self.plan.recipe.seed, state.epoch);
        let asked: Vec<Asked> =
            chosen.iter().map(|&at| asked(groups, at, &self.needs.corruptions, seed, epoch)).collect();
        let stopped = |error| self.step_failed(state, groups, chosen, error);
        let evidence = self.evidence(cast, groups, chosen, &asked).map_err(&stopped)?;
        let optimizer = OptimizerClient::new(cast.optimizer.endpoint(self)?);
        let reply = self.call(&self.plan.optimizer, |cx| optimizer.loss(&evidence, cx)).map_err(&stopped)?;
        let training = PromptClient::new(self.policy(cast)?).training();
        let examples = examples(asked, &reply);
        for (number, batch) in examples.chunks(self.plan.recipe.training.answers_per_call).enumerate() {
            let parts = ["gradient", &state.steps.to_string(), &number.to_string()];
            let options = GradientOptions { weight: 1.0, seed: rng::derive(seed, &parts) };
            self.call(&self.plan.prompt, |cx| training.accumulate_gradient(batch, &options, cx))
                .map_err(&stopped)?;
        }
        let options = TrainingOptions {
            learning_rate: rate,
            max_grad_norm: self.plan.recipe.training.max_grad_norm,
            weight_decay: self.plan.recipe.training.weight_decay,
        };
        let report = self.call(&self.plan.prompt, |cx| training.step(&options, cx)).map_err(&stopped)?;
        let mut metrics = reply.metrics;
        metrics.insert("loss".into(), reply.loss);
        metrics.insert("learning_rate".into(), rate);
        metrics.extend(report.grad_norm.map(|norm| ("grad_norm".to_owned(), norm)));
        metrics.extend(policy_metrics(&evidence));
        Ok(metrics)
    }

    /// What a step that failed is told as: which epoch, step and products, and where the last good policy is.
    fn step_failed(
        &self,
        state: &State,
        groups: &[Group<'_>],
        chosen: &[usize],
        error: TrainError,
    ) -> TrainError {
        let TrainError::Component { error, user } = error else { return error };
        let products: Vec<&str> = chosen.iter().map(|&at| groups[at].item.product.id.as_str()).collect();
        TrainError::Step {
            epoch: state.epoch,
            step: state.step + 1,
            products: products.join(", "),
            error: adeval_sdk::PluginError { message: format!("{user}: {}", error.message), ..error },
            kept: self.adapters().join(&state.adapter),
        }
    }

    fn evidence(
        &self,
        cast: &mut Cast<'_>,
        groups: &[Group<'_>],
        chosen: &[usize],
        asked: &[Asked],
    ) -> Result<PreferenceBatch, TrainError> {
        let answers: Vec<&ConditionedAnswer> = asked.iter().flatten().flatten().collect();
        let mut reference = self.reference(cast, &answers)?.into_iter();
        let client = PromptClient::new(self.policy(cast)?);
        let mut current = Vec::with_capacity(answers.len());
        for batch in answers.chunks(self.plan.recipe.training.answers_per_call) {
            let batch: Vec<ConditionedAnswer> = batch.iter().map(|answer| (*answer).clone()).collect();
            current.extend(self.call(&self.plan.prompt, |cx| client.log_probs(Policy::Current, &batch, cx))?);
        }
        let mut current = current.into_iter();
        let mut next = || LogProbs {
            current: current.next().unwrap_or_default(),
            reference: reference.next().unwrap_or_default(),
        };
        let mut sample =
            |(under, answer): (&Vec<ConditionedAnswer>, &super::groups::Answer)| SampleEvidence {
                reward: answer.reward,
                clean: next(),
                corrupted: under[1..].iter().map(|_| next()).collect(),
                sampled: answer.sampled.clone(),
            };
        let pairs = asked.iter().zip(chosen);
        let groups = pairs.map(|(of, &at)| of.iter().zip(&groups[at].answers).map(&mut sample).collect());
        Ok(PreferenceBatch { groups: groups.collect() })
    }

    /// Keeps the policy as it is, with all that a later call needs to go on from here.
    ///
    /// The policy is read back at once: what a resumed training would go on with is what this one goes on with, also where a
    /// saved number is a rounded one.
    pub fn keep_policy(
        &self,
        cast: &mut Cast<'_>,
        state: &mut State,
        log: &mut MetricsLog,
        name: String,
    ) -> Result<(), TrainError> {
        let training = PromptClient::new(self.policy(cast)?).training();
        let adapters = self.adapters();
        let save =
            |directory: &std::path::Path| training.save(directory, &adeval_sdk::CallContext::detached());
        checkpoint::save(&adapters, &name, save)?;
        self.call(&self.plan.prompt, |cx| training.load(&adapters.join(&name), cx))?;
        cast.adapter = Some(name.clone());
        let before = std::mem::replace(&mut state.adapter, name);
        state.metrics_bytes = log.commit()?;
        state.write(self.store.dir())?;
        if before.starts_with("step-") {
            // Nothing refers to it any more; that it stays does no harm.
            let _ = checkpoint::remove(&adapters.join(before));
        }
        Ok(())
    }
}

/// The answers whose derivatives are not all 0, which is what the others add.
fn examples(asked: Vec<Asked>, reply: &LossAndGradient) -> Vec<AnswerGradient> {
    let answers = asked.into_iter().flatten().flatten();
    let derivatives = reply
        .groups
        .iter()
        .flatten()
        .flat_map(|sample| std::iter::once(&sample.clean).chain(&sample.corrupted));
    answers
        .zip(derivatives)
        .filter(|(_, by)| by.iter().any(|d| *d != 0.0))
        .map(|(answer, by)| AnswerGradient { answer, loss_by_log_prob: by.clone() })
        .collect()
}

/// What can be told of the policy from the answers it is trained on: its divergence from the reference in nats an answer, and its
/// entropy in nats a token.
///
/// The answers are those of the epoch's start, so each token counts with its importance ratio `r = pi / pi_sampled`. The
/// divergence is the estimate `exp(d) - d - 1` with `d = log ref - log pi`, whose first part is then `ref / pi_sampled`: without
/// the ratio, an answer that the policy has been taught to avoid would count with `ref / pi`, which has no bound.
fn policy_metrics(batch: &PreferenceBatch) -> [(String, f64); 2] {
    let (mut kl, mut entropy, mut answers, mut tokens) = (0.0, 0.0, 0.0, 0.0);
    for sample in batch.groups.iter().flatten() {
        answers += 1.0;
        let LogProbs { current, reference } = &sample.clean;
        for ((now, reference), sampled) in current.iter().zip(reference).zip(&sample.sampled) {
            let (ratio, d) = ((now - sampled).exp(), reference - now);
            kl += (reference - sampled).exp() - ratio * (d + 1.0);
            entropy -= ratio * now;
            tokens += 1.0;
        }
    }
    [
        ("policy/kl".to_owned(), kl / f64::max(answers, 1.0)),
        ("policy/entropy".to_owned(), entropy / f64::max(tokens, 1.0)),
    ]
}

/// The few numbers that fit beside a bar.
fn in_words(metrics: &BTreeMap<String, f64>) -> String {
    let shown = [("loss", "loss"), ("rewards/accuracies", "accuracy"), ("policy/kl", "KL")];
    let said = shown.iter().filter_map(|(key, name)| Some(format!("{name} {:.3}", metrics.get(*key)?)));
    said.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over a whole vocabulary, drawn as often as the policy that sampled would, the estimates are the divergence and the entropy.
    #[test]
    fn estimates_of_the_policy_are_unbiased() {
        let (now, reference, sampled) = ([0.7_f64, 0.2, 0.1], [0.2_f64, 0.3, 0.5], [0.5_f64, 0.25, 0.25]);
        let one = |token: usize| SampleEvidence {
            reward: 0.0,
            clean: LogProbs { current: vec![now[token].ln()], reference: vec![reference[token].ln()] },
            corrupted: Vec::new(),
            sampled: vec![sampled[token].ln()],
        };
        let batch = PreferenceBatch { groups: vec![[0, 0, 1, 2].map(one).into()] };
        let [(_, kl), (_, entropy)] = policy_metrics(&batch);
        let wanted: f64 = (0..3).map(|k| now[k] * (now[k] / reference[k]).ln()).sum();
        assert!((kl - wanted).abs() < 1e-12, "{kl} and {wanted}");
        let wanted: f64 = now.iter().map(|p| -p * p.ln()).sum();
        assert!((entropy - wanted).abs() < 1e-12, "{entropy} and {wanted}");
    }
}

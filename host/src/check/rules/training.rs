//! What all trainable components share: losses fall, and saves bring everything back.

use super::super::exercise::{Case, pair_request};
use super::super::material;
use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::policies::train_on;
use super::rule;
use adeval_sdk::client::{PromptClient, RewardClient};
use adeval_sdk::{
    CallContext, ConditionedAnswer, Endpoint, ErrorKind, GradientOptions, Kind, LabelledPair, PairRequest,
    PluginError, Policy, PromptRequest, Result, TrainingOptions, TrainingReport,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub static RULES: [Rule; 4] = [
    rule!(
        "reward-loss-falls",
        Standard,
        Scope::Trainable(Kind::RewardModel),
        "training on a toy task lowers the loss",
        loss_falls
    ),
    rule!(
        "save-and-load",
        Standard,
        Scope::AnyTrainable,
        "a save brings back the same component",
        save_and_load
    ),
    rule!(
        "resumed-training",
        Standard,
        Scope::AnyTrainable,
        "training goes on from a save as if uninterrupted",
        resumed
    ),
    rule!(
        "broken-saves",
        Standard,
        Scope::AnyTrainable,
        "truncated and missing saves are refused, harmlessly",
        broken
    ),
];

/// A trainable component of either kind.
enum Pupil {
    Policy(PromptClient, Vec<ConditionedAnswer>),
    Judge(RewardClient, Vec<PairRequest>),
}

impl Pupil {
    fn new(subject: &Subject) -> Result<Self, Finding> {
        let endpoint = subject.create()?;
        match subject.component()?.kind {
            Kind::PromptGenerator => policy(endpoint, subject.seed()),
            Kind::RewardModel => Ok(Self::Judge(RewardClient::new(endpoint), pairs(subject.seed()))),
            kind => Err(Finding::Skipped(format!("no training of a {kind} is known"))),
        }
    }

    fn train(&self, steps: usize) -> Result<()> {
        match self {
            Self::Policy(client, answers) => train_on(client, &answers[0], steps),
            Self::Judge(client, pairs) => judge_steps(client, &labelled(pairs), steps).map(drop),
        }
    }

    /// What it says now, as numbers.
    fn opinions(&self) -> Result<Vec<f64>> {
        let cx = CallContext::detached();
        match self {
            Self::Policy(client, answers) => {
                let [current, reference] = [Policy::Current, Policy::Reference];
                let mut all = client.log_probs(current, answers, &cx)?;
                all.extend(client.log_probs(reference, answers, &cx)?);
                Ok(all.concat())
            }
            Self::Judge(client, pairs) => {
                client.compare(pairs, &cx)?.into_iter().map(|reply| reply.map(|p| p.left)).collect()
            }
        }
    }

    fn save(&self, directory: &Path) -> Result<()> {
        let cx = CallContext::detached();
        match self {
            Self::Policy(client, _) => client.training().save(directory, &cx),
            Self::Judge(client, _) => client.training().save(directory, &cx),
        }
    }

    fn load(&self, directory: &Path) -> Result<()> {
        let cx = CallContext::detached();
        match self {
            Self::Policy(client, _) => client.training().load(directory, &cx),
            Self::Judge(client, _) => client.training().load(directory, &cx),
        }
    }
}

fn policy(endpoint: Arc<dyn Endpoint>, seed: u64) -> Result<Pupil, Finding> {
    let client = PromptClient::new(endpoint);
    let answers = sampled_answers(&client, seed)?;
    Ok(Pupil::Policy(client, answers))
}

/// Three answers of a policy of its own.
pub fn sampled_answers(client: &PromptClient, seed: u64) -> Result<Vec<ConditionedAnswer>, Finding> {
    let product = material::product(0);
    let request = PromptRequest { samples: 3, max_tokens: 64, ..PromptRequest::new(product.clone(), seed) };
    let mut replies = client.generate(&[request], &CallContext::detached())?;
    let samples = replies.pop().unwrap_or_else(|| Ok(Vec::new()))?;
    let answer = |tokens| ConditionedAnswer { condition: product.clone(), tokens };
    let answers = samples.into_iter().map(|sample| answer(sample.tokens)).collect::<Vec<_>>();
    if answers.iter().all(|answer| answer.tokens.is_empty()) {
        return Err(Finding::Failed("its samples carry no tokens, so it cannot be trained".into()));
    }
    Ok(answers)
}

pub fn pairs(seed: u64) -> Vec<PairRequest> {
    (0..8).map(|number| pair_request(&Case::new(seed, number, (128, 128)))).collect()
}

/// The toy task: the brighter creative is the better one.
pub fn labelled(pairs: &[PairRequest]) -> Vec<LabelledPair> {
    let brightness = |image: &adeval_sdk::Image| image.bytes().iter().map(|&b| f64::from(b)).sum::<f64>();
    let label = |pair: &PairRequest| {
        let left_wins = brightness(&pair.left) > brightness(&pair.right);
        let ctr = if left_wins { (0.06, 0.02) } else { (0.02, 0.06) };
        LabelledPair { pair: pair.clone(), left: f64::from(u8::from(left_wins)), ctr: Some(ctr) }
    };
    pairs.iter().map(label).collect()
}

fn judge_steps(client: &RewardClient, pairs: &[LabelledPair], steps: usize) -> Result<Vec<TrainingReport>> {
    let cx = CallContext::detached();
    let training = client.training();
    let step = |_| {
        let report = training.accumulate_gradient(pairs, &GradientOptions::default(), &cx)?;
        training.step(&TrainingOptions::new(1e-2), &cx)?;
        Ok(report)
    };
    (0..steps).map(step).collect()
}

fn loss_falls(subject: &Subject) -> Verdict {
    let client = RewardClient::new(subject.create()?);
    let reports = judge_steps(&client, &labelled(&pairs(subject.seed())), 40)?;
    let losses: Vec<f64> = reports.iter().filter_map(|report| report.loss).collect();
    ensure!(losses.len() == reports.len(), "accumulate_gradient reports no loss");
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    ensure!(last < first, "after 40 steps the loss is {last:.6}, from {first:.6}: check the gradient's sign");
    Ok(format!("from {first:.4} to {last:.4} in 40 steps"))
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn save_and_load(subject: &Subject) -> Verdict {
    let pupil = Pupil::new(subject)?;
    pupil.train(3)?;
    let directory = subject.scratch().join("save");
    pupil.save(&directory)?;
    let (before, fresh) = (pupil.opinions()?, Pupil::new(subject)?);
    ensure!(largest_difference(&fresh.opinions()?, &before) > 0.0, "3 steps of training changed nothing");
    fresh.load(&directory)?;
    let off = largest_difference(&fresh.opinions()?, &before);
    ensure!(off < 1e-6, "after loading, its answers are off by {off:.3e}");
    Ok(format!("off by {off:.1e}"))
}

fn resumed(subject: &Subject) -> Verdict {
    let (straight, stopped) = (Pupil::new(subject)?, Pupil::new(subject)?);
    straight.train(6)?;
    stopped.train(3)?;
    let directory = subject.scratch().join("save");
    stopped.save(&directory)?;
    let resumed = Pupil::new(subject)?;
    resumed.load(&directory)?;
    resumed.train(3)?;
    let off = largest_difference(&straight.opinions()?, &resumed.opinions()?);
    ensure!(
        off < 1e-5,
        "6 steps against 3, a save, and 3 more are off by {off:.3e}: save the optimizer's state, too"
    );
    Ok(format!("off by {off:.1e}"))
}

fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    Ok(found)
}

fn broken(subject: &Subject) -> Verdict {
    let pupil = Pupil::new(subject)?;
    pupil.train(2)?;
    let directory = subject.scratch().join("save");
    pupil.save(&directory)?;
    let before = pupil.opinions()?;
    let refused = |what: &str| -> Result<(), Finding> {
        match pupil.load(&directory) {
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::MissingWeights | ErrorKind::BadWeights | ErrorKind::Io
                ) => {}
            Err(error) => {
                return Err(Finding::Failed(format!(
                    "{what}: {error}; it should be BadWeights or MissingWeights"
                )));
            }
            Ok(()) => return Err(Finding::Failed(format!("{what} was loaded without an error"))),
        }
        let off = largest_difference(&pupil.opinions()?, &before);
        ensure!(off == 0.0, "{what} was refused, but the component has changed by {off:.3e}");
        Ok(())
    };
    let all = files(&directory).map_err(PluginError::from)?;
    ensure!(!all.is_empty(), "its save is an empty directory");
    for file in &all {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let whole = std::fs::read(file).map_err(PluginError::from)?;
        for keep in [whole.len() / 2, 0] {
            std::fs::write(file, &whole[..keep]).map_err(PluginError::from)?;
            refused(&format!("a save with {name} cut to {keep} of {} bytes", whole.len()))?;
        }
        std::fs::write(file, &whole).map_err(PluginError::from)?;
    }
    std::fs::remove_dir_all(&directory).map_err(PluginError::from)?;
    refused("a save that is not there")?;
    Ok(format!("{} files, each cut in half and to nothing", all.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toy_task_has_both_answers() {
        let labels: Vec<f64> = labelled(&pairs(7)).iter().map(|p| p.left).collect();
        assert!(labels.contains(&0.0) && labels.contains(&1.0), "{labels:?}");
    }
}

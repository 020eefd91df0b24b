//! RL optimizers: what they need makes sense, their gradient is their loss's, and following it pays.

use super::super::exercise::preference_batch;
use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::rule;
use adeval_sdk::client::OptimizerClient;
use adeval_sdk::{
    CallContext, Corruption, ErrorKind, Kind, LossAndGradient, OptimizerNeeds, PreferenceBatch,
};

const OPTIMIZERS: Scope = Scope::Kind(Kind::RlOptimizer);

pub static RULES: [Rule; 4] = [
    rule!("optimizer-needs", Basic, OPTIMIZERS, "what it needs can be given", needs),
    rule!(
        "loss-gradient",
        Standard,
        OPTIMIZERS,
        "its gradient is that of its loss, by finite differences",
        gradient
    ),
    rule!("loss-falls", Standard, OPTIMIZERS, "steps against its gradient lower its loss", falls),
    rule!(
        "incomplete-batch",
        Standard,
        OPTIMIZERS,
        "a batch that lacks what it needs is refused",
        incomplete
    ),
];

fn client(subject: &Subject) -> Result<(OptimizerClient, OptimizerNeeds), Finding> {
    let client = OptimizerClient::new(subject.create()?);
    let needs = client.needs(&CallContext::detached())?;
    Ok((client, needs))
}

fn needs(subject: &Subject) -> Verdict {
    let (_, needs) = client(subject)?;
    let samples = needs.samples_per_product;
    ensure!((1..=4096).contains(&samples), "it needs {samples} samples a product; there are 1 to 4096");
    for corruption in &needs.corruptions {
        if let Corruption::MaskedImage { patch, share } = corruption {
            ensure!(*patch > 0, "it needs patches of 0 pixels");
            ensure!((0.0..=1.0).contains(share), "it needs a share of {share} of the patches masked");
        }
    }
    Ok(format!("{samples} samples a product, {} corrupted conditions", needs.corruptions.len()))
}

/// Every current log-probability of a batch.
fn each_current(batch: &mut PreferenceBatch) -> impl Iterator<Item = &mut f64> {
    batch.groups.iter_mut().flatten().flat_map(|sample| {
        sample.clean.current.iter_mut().chain(sample.corrupted.iter_mut().flat_map(|p| &mut p.current))
    })
}

/// The derivatives, in the same order.
fn derivatives(reply: &LossAndGradient) -> Vec<f64> {
    let samples = reply.groups.iter().flatten();
    samples.flat_map(|g| g.clean.iter().chain(g.corrupted.iter().flatten()).copied()).collect()
}

fn gradient(subject: &Subject) -> Verdict {
    const STEP: f64 = 1e-5;
    let (client, needs) = client(subject)?;
    let cx = CallContext::detached();
    let mut batch = preference_batch(subject.seed(), &needs);
    let stated = derivatives(&client.loss(&batch, &cx)?);
    let scale = stated.iter().map(|d| d.abs()).fold(0.0, f64::max);
    ensure!(scale > 0.0, "all derivatives are 0 for a batch with different rewards");
    let mut worst = (0.0, 0, 0.0, 0.0);
    for (at, &stated) in stated.iter().enumerate() {
        let mut moved = |by: f64| {
            if let Some(value) = each_current(&mut batch).nth(at) {
                *value += by;
            }
            client.loss(&batch, &cx).map(|reply| reply.loss)
        };
        let (up, down) = (moved(STEP)?, moved(-2.0 * STEP)?);
        moved(STEP)?;
        let measured = (up - down) / (2.0 * STEP);
        let error = (measured - stated).abs() / scale;
        if error > worst.0 {
            worst = (error, at, stated, measured);
        }
    }
    let (error, at, stated, measured) = worst;
    ensure!(
        error < 1e-4,
        "log-prob {at} has the derivative {stated:.6e}, and finite differences give {measured:.6e}"
    );
    Ok(format!("{} derivatives, the worst off by {error:.1e} of the largest", stated_len(&batch)))
}

fn stated_len(batch: &PreferenceBatch) -> usize {
    each_current(&mut batch.clone()).count()
}

fn falls(subject: &Subject) -> Verdict {
    let (client, needs) = client(subject)?;
    let cx = CallContext::detached();
    let mut batch = preference_batch(subject.seed(), &needs);
    let first = client.loss(&batch, &cx)?.loss;
    let mut last = first;
    for _ in 0..50 {
        let reply = client.loss(&batch, &cx)?;
        last = reply.loss;
        let derivatives = derivatives(&reply);
        let norm = derivatives.iter().map(|d| d * d).sum::<f64>().sqrt().max(1e-12);
        for (value, derivative) in each_current(&mut batch).zip(derivatives) {
            *value = (*value - 0.05 * derivative / norm).min(0.0);
        }
    }
    ensure!(last < first, "after 50 steps against the gradient the loss is {last:.6}, from {first:.6}");
    Ok(format!("from {first:.4} to {last:.4} in 50 steps"))
}

fn incomplete(subject: &Subject) -> Verdict {
    let (client, needs) = client(subject)?;
    let whole = preference_batch(subject.seed(), &needs);
    let mut nan = whole.clone();
    nan.groups[0][0].reward = f64::NAN;
    let mut lonely = whole.clone();
    lonely.groups[0].clear();
    for (what, batch) in [("a reward that is no number", nan), ("a product without samples", lonely)] {
        match client.loss(&batch, &CallContext::detached()) {
            Err(error) if matches!(error.kind, ErrorKind::InvalidRequest | ErrorKind::Numerical) => {}
            Err(error) => return Err(Finding::Failed(format!("{what}: {error}"))),
            Ok(_) => return Err(Finding::Failed(format!("{what} was accepted"))),
        }
    }
    Ok("2 batches".into())
}

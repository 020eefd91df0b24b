//! Reward models: both orders, against itself, and a CTR that is one.

use super::super::exercise::{Case, pair_request};
use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::rule;
use adeval_sdk::client::RewardClient;
use adeval_sdk::{CallContext, Kind, PairRequest, Preference, Result, ScoreRequest};

const JUDGES: Scope = Scope::Kind(Kind::RewardModel);

pub static RULES: [Rule; 3] = [
    rule!("order-swap", Standard, JUDGES, "both orders of a pair can be asked, and mostly agree", swap),
    rule!("self-comparison", Standard, JUDGES, "a creative against itself is a tie", against_itself),
    rule!("ctr-range", Basic, JUDGES, "predicted CTRs lie in [0, 1] and depend on the creative", ctr),
];

/// Pairs that a rule asks.
const PAIRS: usize = 12;

fn pairs(subject: &Subject) -> Vec<PairRequest> {
    (0..PAIRS).map(|number| pair_request(&Case::new(subject.seed(), number, (256, 256)))).collect()
}

fn lefts(replies: Vec<Result<Preference>>) -> Result<Vec<f64>> {
    replies.into_iter().map(|reply| reply.map(|preference| preference.left)).collect()
}

fn swap(subject: &Subject) -> Verdict {
    let client = RewardClient::new(subject.create()?);
    let cx = CallContext::detached();
    let pairs = pairs(subject);
    let swap = |pair: &PairRequest| PairRequest {
        product: pair.product.clone(),
        left: pair.right.clone(),
        right: pair.left.clone(),
    };
    let swapped: Vec<PairRequest> = pairs.iter().map(swap).collect();
    let there = lefts(client.compare(&pairs, &cx)?)?;
    let back = lefts(client.compare(&swapped, &cx)?)
        .map_err(|error| Finding::Failed(format!("the swapped order is not answered: {error}")))?;
    let agree = there.iter().zip(&back).filter(|(a, b)| (**a - 0.5) * (**b - 0.5) <= 0.0).count();
    let off = there.iter().zip(&back).map(|(a, b)| (a + b - 1.0).abs()).sum::<f64>() / PAIRS as f64;
    let seen = format!(
        "{agree} of {PAIRS} pairs agree in both orders; P(left) + P(right) is off 1 by {off:.3} on average"
    );
    ensure!(2 * agree >= PAIRS, "{seen}: the answer follows the side, not the creative");
    if agree < PAIRS || off > 0.05 { Err(Finding::Warning(seen)) } else { Ok(seen) }
}

fn against_itself(subject: &Subject) -> Verdict {
    let client = RewardClient::new(subject.create()?);
    let same: Vec<PairRequest> =
        pairs(subject).into_iter().map(|pair| PairRequest { right: pair.left.clone(), ..pair }).collect();
    let lefts = lefts(client.compare(&same, &CallContext::detached())?)?;
    let worst = lefts.iter().map(|left| (left - 0.5).abs()).fold(0.0, f64::max);
    let seen = format!("P(left) is off 0.5 by up to {worst:.3}");
    ensure!(worst <= 0.4, "{seen}: one side of two equal creatives is all but sure to win");
    if worst > 0.05 { Err(Finding::Warning(seen)) } else { Ok(seen) }
}

fn ctr(subject: &Subject) -> Verdict {
    let client = RewardClient::new(subject.create()?);
    let requests: Vec<ScoreRequest> = pairs(subject)
        .into_iter()
        .map(|pair| ScoreRequest { product: pair.product, creative: pair.left })
        .collect();
    let scores: Vec<f64> = client
        .score(&requests, &CallContext::detached())?
        .into_iter()
        .map(|reply| reply.map(|score| score.ctr))
        .collect::<Result<_>>()?;
    let (low, high) = scores.iter().fold((f64::MAX, f64::MIN), |(l, h), s| (l.min(*s), h.max(*s)));
    if low == high {
        return Err(Finding::Warning(format!("{PAIRS} different creatives have the very same CTR, {low}")));
    }
    Ok(format!("from {low:.4} to {high:.4}"))
}

//! What becomes of scores before a token is drawn: transformers' logits processors, in its order.

use std::collections::BTreeSet;

use super::SamplingOptions;

/// Processes the scores of the next token in place; `seen` are the tokens of prompt and answer so far. Tokens that are left out
/// get negative infinity. With temperature 0 only the repetition penalty is applied.
pub fn process(scores: &mut [f32], seen: &[u32], options: &SamplingOptions) {
    if options.repetition_penalty != 1.0 {
        penalise(scores, seen, options.repetition_penalty as f32);
    }
    if options.temperature == 0.0 {
        return;
    }
    if options.temperature != 1.0 {
        let temperature = options.temperature as f32;
        scores.iter_mut().for_each(|score| *score /= temperature);
    }
    if options.top_k > 0 && options.top_k < scores.len() {
        keep_top_k(scores, options.top_k);
    }
    if options.top_p < 1.0 {
        keep_top_p(scores, options.top_p);
    }
    if options.min_p > 0.0 {
        keep_min_p(scores, options.min_p);
    }
}

/// Keskar et al., "CTRL", 2019, section 4.1.
fn penalise(scores: &mut [f32], seen: &[u32], penalty: f32) {
    let seen: BTreeSet<u32> = seen.iter().copied().collect();
    for token in seen {
        if let Some(score) = scores.get_mut(token as usize) {
            *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
        }
    }
}

/// Fan et al., "Hierarchical neural story generation", 2018. Tokens that tie with the last are kept.
fn keep_top_k(scores: &mut [f32], count: usize) {
    let mut sorted = scores.to_vec();
    let (_, last, _) = sorted.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    let last = *last;
    leave_out(scores, |score| score < last);
}

/// Holtzman et al., "The curious case of neural text degeneration", 2020.
fn keep_top_p(scores: &mut [f32], share: f64) {
    let shares = softmax(scores);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let mut sum = 0.0;
    // The likeliest token always stays.
    for token in &order[..order.len().saturating_sub(1)] {
        sum += shares[*token];
        if sum > 1.0 - share {
            break;
        }
        scores[*token] = f32::NEG_INFINITY;
    }
}

/// Nguyen et al., "Min-p sampling", 2024.
fn keep_min_p(scores: &mut [f32], share: f64) {
    let shares = softmax(scores);
    let least = share * shares.iter().fold(0.0, |m: f64, v| m.max(*v));
    let likeliest = likeliest(scores);
    for (token, (score, found)) in scores.iter_mut().zip(shares).enumerate() {
        if found < least && Some(token) != likeliest {
            *score = f32::NEG_INFINITY;
        }
    }
}

fn leave_out(scores: &mut [f32], out: impl Fn(f32) -> bool) {
    scores.iter_mut().filter(|score| out(**score)).for_each(|score| *score = f32::NEG_INFINITY);
}

/// The first token of the highest score.
pub(super) fn likeliest(scores: &[f32]) -> Option<usize> {
    let best = scores.iter().copied().reduce(f32::max)?;
    scores.iter().position(|score| *score == best)
}

/// Probabilities, float64.
pub(super) fn softmax(scores: &[f32]) -> Vec<f64> {
    let largest = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let mut shares: Vec<f64> = scores.iter().map(|score| (f64::from(*score) - largest).exp()).collect();
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum);
    shares
}

/// log p of one token.
pub(crate) fn log_prob(scores: &[f32], token: usize) -> f32 {
    let largest = f64::from(scores.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = scores.iter().map(|score| (f64::from(*score) - largest).exp()).sum();
    (f64::from(scores[token]) - largest - sum.ln()) as f32
}

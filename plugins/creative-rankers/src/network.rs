//! What the three networks have in common, and the loss of a pair.

use crate::loss::{Labels, Losses, Said, pair};
use crate::nn::{Layout, Real, Tape, Value};
use adeval_sdk::rng;

/// What a network says of a creative: two single values.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// How strong it is; P(left) is the logistic function of the difference of two creatives of a product.
    pub strength: Value,
    /// The logit of its CTR.
    pub logit: Value,
}

/// A network that judges one creative.
pub trait Network: Send + Sync + 'static {
    /// What it sees of a creative.
    type Seen: Send + Sync;

    /// Its weights.
    fn layout(&self) -> &Layout;

    /// Its pass over a creative.
    fn forward<T: Real>(&self, tape: &mut Tape<'_, T>, seen: &Self::Seen) -> Output;
}

/// A creative as a network sees it, and the hash of its pixels.
pub struct Sight<S> {
    pub key: String,
    pub seen: S,
}

/// Strength and logit of a creative, without dropout.
pub fn judge<N: Network>(network: &N, weights: &[f32], seen: &N::Seen) -> Said {
    let mut tape = Tape::new(weights, None);
    let output = network.forward(&mut tape, seen);
    said(&tape, output)
}

fn said<T: Real>(tape: &Tape<'_, T>, output: Output) -> Said {
    let single = |value| tape.get(value)[0].wide();
    Said { strength: single(output.strength), logit: single(output.logit) }
}

/// Adds the gradient of a pair's loss to `gradient`.
///
/// What dropout leaves out of a creative comes from `dropout` and the creative alone, so that it does not change with the pairs
/// around it.
pub fn learn<N: Network, T: Real>(
    network: &N,
    weights: &[T],
    sights: [&Sight<N::Seen>; 2],
    labels: &Labels,
    dropout: u64,
    gradient: &mut [T],
) -> Losses {
    let passes = sights.map(|sight| {
        let mut tape = Tape::new(weights, Some(rng::derive(dropout, &["dropout", &sight.key])));
        let output = network.forward(&mut tape, &sight.seen);
        (tape, output)
    });
    let (losses, derivatives) =
        pair(std::array::from_fn(|side| said(&passes[side].0, passes[side].1)), labels);
    for ((tape, output), by) in passes.iter().zip(derivatives) {
        let (strength, logit) = ([T::of(by.strength)], [T::of(by.logit)]);
        tape.backward(&[(output.strength, &strength), (output.logit, &logit)], gradient);
    }
    losses
}

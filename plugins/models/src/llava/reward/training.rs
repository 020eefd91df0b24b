//! The loss of labelled pairs, and the way back from it into heads, adapter, and, where they are trained, all other weights.
//!
//! ```text
//! L = -y log P(left) - (1 - y) log P(right)  +  w ((r_l - c_l)^2 + (r_r - c_r)^2) / 2
//! ```
//!
//! `P` is the softmax of the side head's two numbers, `r` are the point head's, `y` is the label, `c` are observed rates, and `w` is the
//! point weight (CAIG, arXiv 2502.06823, section 3.2: 0.5).

use candle_core::Tensor;

use super::{LlavaReward, Pair, last};
use crate::llava::LlavaPrompt;
use crate::llava::model::batched;
use crate::training::{Gradients, Memory, Preference, Tape};
use crate::{ModelError, Result};

/// What users did with a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label {
    /// Probability that the left one is better, in [0, 1].
    pub left: f64,
    /// Observed rates of left and right, where they are known.
    pub rates: Option<[f64; 2]>,
}

/// How a gradient is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learning {
    /// Factor on the loss of every pair.
    pub weight: f64,
    /// Factor on the point loss beside the preference's.
    pub point_weight: f64,
    /// The seed of the adapter's dropout.
    pub dropout: Option<u64>,
    /// What is kept for the way back.
    pub memory: Memory,
}

/// The loss of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Losses {
    /// The cross-entropy of the preference.
    pub preference: f64,
    /// The mean squared error of the rates, without its weight; 0 where they are not known.
    pub point: f64,
    /// 1 when the order is right, 0.5 for a tie.
    pub correct: f64,
}

/// The loss of one row, and its derivatives by the four numbers of the heads: sides, then rates.
fn loss(sides: &[f32], rates: &[f32], label: &Label, point_weight: f64) -> (Losses, [[f64; 2]; 2]) {
    let preference = Preference::new(f64::from(sides[0]) - f64::from(sides[1]), label.left);
    let off = label.rates.map_or([0.0; 2], |wanted| [0, 1].map(|side| f64::from(rates[side]) - wanted[side]));
    let point = off.iter().map(|off| off * off).sum::<f64>() / 2.0;
    let losses = Losses { preference: preference.loss, point, correct: preference.correct };
    let by_sides = [preference.by_difference, -preference.by_difference];
    (losses, [by_sides, off.map(|off| point_weight * off)])
}

/// A pair as the model sees it.
struct Seen {
    prompt: LlavaPrompt,
    /// Of its picture; where the tower is trained they have their graph.
    picture: Tensor,
    /// Of the whole prompt, without a graph.
    embeds: Tensor,
}

impl LlavaReward {
    /// Adds the gradient of the sum of the pairs' losses, times a weight, to `gradients`, by the names of [`LlavaReward::variables`] and
    /// of the adapter that the language model has on. All pairs are one batch, each shown in the order that it is given in; `look` gives
    /// what [`LlavaReward::look`] does.
    ///
    /// # Errors
    /// As [`LlavaReward::compare`].
    pub fn accumulate(
        &self,
        pairs: &[(Pair, Label)],
        learning: &Learning,
        mut look: impl FnMut(&Pair) -> Result<Tensor>,
        gradients: &mut Gradients,
    ) -> Result<Vec<Losses>> {
        let seen = pairs.iter().map(|(pair, _)| self.seen(pair, &mut look)).collect::<Result<Vec<_>>>()?;
        let embeds: Vec<Tensor> = seen.iter().map(|seen| seen.embeds.clone()).collect();
        let (batch, starts) = batched(&embeds)?;
        let decoder = self.llava.decoder();
        let tape = Tape::forward(decoder, &batch, &starts, learning.dropout, learning.memory)?;
        let labels: Vec<Label> = pairs.iter().map(|(_, label)| *label).collect();
        let (losses, by_last) = self.scored(&last(tape.hidden())?, &labels, learning, gradients)?;
        let before = tape.hidden().dim(1)? - 1;
        let by_hidden = by_last.unsqueeze(1)?.pad_with_zeros(1, before, 0)?;
        let by_embeds = tape.backward(decoder, &by_hidden, gradients)?;
        if self.llava.variables().is_empty() {
            return Ok(losses);
        }
        for (row, (seen, &start)) in seen.iter().zip(&starts).enumerate() {
            let by_prompt = by_embeds.get(row)?.narrow(0, start, before + 1 - start)?;
            let pictures = std::slice::from_ref(&seen.picture);
            self.llava.backward(&seen.prompt, pictures, &by_prompt, gradients)?;
        }
        Ok(losses)
    }

    fn seen(&self, pair: &Pair, look: &mut impl FnMut(&Pair) -> Result<Tensor>) -> Result<Seen> {
        let (prompt, picture) = (self.asked(pair)?, look(pair)?);
        let embeds = self.llava.embed(&prompt, std::slice::from_ref(&picture))?.detach();
        Ok(Seen { prompt, picture, embeds })
    }

    /// The losses for last hidden states (rows, hidden), and their gradient by these.
    fn scored(
        &self,
        last: &Tensor,
        labels: &[Label],
        learning: &Learning,
        gradients: &mut Gradients,
    ) -> Result<(Vec<Losses>, Tensor)> {
        let (sides, rates) = self.heads.forward(last)?;
        let (sides, rates) = (sides.to_vec2::<f32>()?, rates.to_vec2::<f32>()?);
        let judged = sides.iter().zip(&rates).zip(labels);
        let (losses, by): (Vec<Losses>, Vec<[[f64; 2]; 2]>) =
            judged.map(|((sides, rates), label)| loss(sides, rates, label, learning.point_weight)).unzip();
        if losses.iter().any(|loss| !(loss.preference.is_finite() && loss.point.is_finite())) {
            return Err(ModelError::Numerical {
                what: "the loss of a pair",
                mend: "take a lower learning rate, and weights in float32 or bfloat16",
            });
        }
        let by_head = |head: usize| {
            let numbers = by.iter().flat_map(|by| by[head]);
            let flat: Vec<f32> = numbers.map(|by| (by * learning.weight) as f32).collect();
            Tensor::from_vec(flat, (by.len(), 2), last.device())
        };
        let by_last = self.heads.backward(last, [&by_head(0)?, &by_head(1)?], gradients)?;
        Ok((losses, by_last))
    }
}

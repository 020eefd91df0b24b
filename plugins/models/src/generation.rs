//! Text from a [`Decoder`]: several samples of several prompts at once, each from its own seed, with the log-probability of
//! every token that was drawn.
//!
//! The processors are those of transformers, in its order: repetition penalty, temperature, top-k, top-p, min-p. A draw takes
//! one uniform number of the sample's own `torch.Generator` and the first token, by number, whose cumulated probability exceeds
//! it; transformers' own draws (`torch.multinomial`) use the vendor's streams and cannot be repeated anywhere else.
//!
//! A prompt is read once, whatever the number of its samples. What a sample is depends on its prompt and seed only, not on
//! the other rows, wherever the decoder's numbers do not ([`crate::decoder`] says where).

mod options;
mod processors;
mod rows;

use std::ops::ControlFlow;

use candle_core::Tensor;

use crate::decoder::{Decoder, KvCache, Pass};
use crate::{ModelError, Result};
pub use options::SamplingOptions;
pub(crate) use processors::log_prob;
pub use processors::process;
use rows::Rows;

/// What to go on from.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// Its tokens; the repetition penalty knows them.
    pub ids: Vec<u32>,
    /// What the decoder reads instead of the tokens' own embeddings, `(tokens, hidden)`: text with a picture in it.
    pub embeds: Option<Tensor>,
}

impl Prompt {
    /// Text alone.
    pub fn text(ids: Vec<u32>) -> Self {
        Self { ids, embeds: None }
    }
}

/// Why a sample ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// An end token, which is the last of its tokens.
    Eos,
    /// This stop string is in its text; cut the text there.
    Stop(String),
    /// It has as many tokens as were allowed.
    Length,
}

/// One sample.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its tokens, an end token included.
    pub ids: Vec<u32>,
    /// log p of each under the model itself: temperature 1, no processor.
    pub log_probs: Vec<f32>,
    /// log p of each under the distribution that it was drawn from; 0 for the greedy choice.
    pub drawn_log_probs: Vec<f32>,
    /// Why it ended.
    pub finish: Finish,
}

/// What whoever watches sees of every token.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    /// The prompt's number.
    pub prompt: usize,
    /// The sample's number among those of its prompt.
    pub sample: usize,
    /// All tokens of the sample so far.
    pub ids: &'a [u32],
}

/// Text for tokens, which stop strings are looked for in.
pub type Decode<'a> = &'a dyn Fn(&[u32]) -> String;

/// Draws `samples` samples of every prompt, prompt by prompt. `seeds` has one for each sample, in this order. `decode` is asked
/// only when there are stop strings. `watch` sees every token as it is drawn and may end the run.
///
/// # Errors
/// [`ModelError::Input`] for options that make no sense, an empty prompt, one that leaves no room for an answer in the
/// decoder's context, or a wrong number of seeds; [`ModelError::Stopped`] when `watch` ended it; [`ModelError::Numerical`] for
/// scores that are no numbers.
pub fn generate(
    decoder: &Decoder,
    prompts: &[Prompt],
    samples: usize,
    seeds: &[u64],
    options: &SamplingOptions,
    decode: Option<Decode>,
    watch: &mut dyn FnMut(Token) -> ControlFlow<()>,
) -> Result<Vec<Vec<Generated>>> {
    options.check()?;
    if seeds.len() != prompts.len() * samples {
        return Err(ModelError::Input {
            found: format!("{} seeds for {} prompts and {samples} samples", seeds.len(), prompts.len()),
            expected: "one seed a sample",
        });
    }
    if seeds.is_empty() {
        return Ok(vec![Vec::new(); prompts.len()]);
    }
    let (embeds, starts) = padded(decoder, prompts, options.max_new_tokens)?;
    let mut cache = KvCache::new(decoder);
    let hidden = decoder.forward(&embeds, &starts, Some(&mut cache), Pass::Inference)?;
    let last = hidden.narrow(1, embeds.dims()[1] - 1, 1)?.squeeze(1)?;
    let logits = decoder.logits(&last)?.to_vec2::<f32>()?;

    let mut rows = Rows::new(prompts, samples, seeds, options, decode);
    let scores: Vec<&Vec<f32>> = logits.iter().flat_map(|row| vec![row; samples]).collect();
    let (mut kept, mut next) = rows.draw(&scores, watch)?;
    let origins: Vec<usize> = (0..seeds.len()).map(|row| row / samples).collect();
    let mut starts: Vec<usize> = origins.iter().map(|row| starts[*row]).collect();
    let mut columns: Vec<usize> = kept.iter().map(|row| origins[*row]).collect();
    while !kept.is_empty() {
        // Rows that have ended leave the batch; at the beginning each prompt's row becomes one a sample.
        if columns.len() != starts.len() || !columns.iter().copied().eq(0..columns.len()) {
            cache.select_rows(&columns)?;
        }
        starts = kept.iter().map(|row| starts[*row]).collect();
        let tokens = decoder.embed(&next)?.unsqueeze(1)?;
        let hidden = decoder.forward(&tokens, &starts, Some(&mut cache), Pass::Inference)?;
        let logits = decoder.logits(&hidden.squeeze(1)?)?.to_vec2::<f32>()?;
        (kept, next) = rows.draw(&logits.iter().collect::<Vec<_>>(), watch)?;
        columns.clone_from(&kept);
    }
    Ok(rows.finished(prompts.len(), samples))
}

/// The prompts' embeddings, `(prompts, tokens, hidden)`, with zeros before the shorter ones, and how many.
fn padded(decoder: &Decoder, prompts: &[Prompt], new_tokens: usize) -> Result<(Tensor, Vec<usize>)> {
    let mut all = Vec::with_capacity(prompts.len());
    for (number, prompt) in prompts.iter().enumerate() {
        let embeds = match &prompt.embeds {
            Some(embeds) => embeds.clone(),
            None => decoder.embed(&prompt.ids)?,
        };
        let (tokens, most) = (embeds.dims2()?.0, decoder.config().longest());
        if tokens == 0 {
            let found = format!("prompt {number} without a token");
            return Err(ModelError::Input { found, expected: "at least one token, the beginning of text" });
        }
        if most.is_some_and(|most| tokens + new_tokens > most) {
            let most = decoder.config().max_position_embeddings;
            return Err(ModelError::Input {
                found: format!(
                    "{tokens} tokens of prompt {number} and {new_tokens} new ones in a context of {most}"
                ),
                expected: "a prompt and an answer that fit into the context; allow fewer new tokens",
            });
        }
        all.push(embeds);
    }
    let length = all.iter().map(|embeds| embeds.dims()[0]).max().unwrap_or_default();
    let starts: Vec<usize> = all.iter().map(|embeds| length - embeds.dims()[0]).collect();
    let rows = all.iter().zip(&starts).map(|(embeds, start)| embeds.pad_with_zeros(0, *start, 0));
    let rows = rows.collect::<candle_core::Result<Vec<_>>>()?;
    Ok((Tensor::stack(&rows, 0)?, starts))
}

//! Log-probabilities of given answers, and the way back from derivatives by them.

use candle_core::{DType, Tensor};
use rayon::prelude::*;

use super::{Gradients, Memory, Tape};
use crate::decoder::{Decoder, Pass, by_weight};
use crate::generation::{Prompt, log_prob};
use crate::{ModelError, Result};

/// Scores held at once: 16 Mi values, 64 MiB in float32.
const MAX_SCORES: usize = 1 << 24;

/// An answer to a prompt.
#[derive(Clone, Debug)]
pub struct Example {
    /// The condition.
    pub prompt: Prompt,
    /// The answer's tokens, an end token included if it had one.
    pub answer: Vec<u32>,
}

/// log p of every token of every answer, teacher-forced, at temperature 1 and without dropout, under
/// [`Pass::Inference`] or [`Pass::Reference`]. All examples are one batch.
///
/// # Errors
/// [`ModelError::Input`] for a token that is not in the vocabulary, an example without a token, or one that is longer than the
/// decoder's context.
pub fn log_probs(decoder: &Decoder, examples: &[Example], pass: Pass) -> Result<Vec<Vec<f32>>> {
    let batch = Batch::new(decoder, examples)?;
    let hidden = decoder.forward(&batch.embeds, &batch.starts, None, pass)?;
    Ok(batch.by_answer(&batch.score(decoder, &hidden, None)?.log_probs))
}

/// What a pass with a way back leaves.
#[derive(Clone, Debug)]
pub struct Passed {
    /// Of each token of each answer, under dropout if it was on.
    pub log_probs: Vec<Vec<f32>>,
    /// The gradient by the embeddings of each prompt, `(tokens, hidden)`, for those who made them.
    pub by_prompt: Vec<Tensor>,
}

/// As [`accumulate_through`], for prompts whose embeddings are not trained by whoever made them; gives the log-probabilities.
///
/// # Errors
/// As there.
pub fn accumulate(
    decoder: &Decoder,
    examples: &[Example],
    loss_by_log_prob: &[Vec<f64>],
    weight: f64,
    dropout: Option<u64>,
    memory: Memory,
    gradients: &mut Gradients,
) -> Result<Vec<Vec<f32>>> {
    let passed = accumulate_through(decoder, examples, loss_by_log_prob, weight, dropout, memory, gradients)?;
    Ok(passed.log_probs)
}

/// Adds the gradient of `sum of loss_by_log_prob x log p` over all tokens of all answers, times `weight`, to `gradients`: by the
/// adapter's matrices, and by the decoder's own weights where they are trained. All examples are one batch.
///
/// # Errors
/// As [`log_probs`]; [`ModelError::Input`] when tokens and derivatives differ in number.
pub fn accumulate_through(
    decoder: &Decoder,
    examples: &[Example],
    loss_by_log_prob: &[Vec<f64>],
    weight: f64,
    dropout: Option<u64>,
    memory: Memory,
    gradients: &mut Gradients,
) -> Result<Passed> {
    let lengths = |rows: &[Vec<f64>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
    let tokens: Vec<usize> = examples.iter().map(|example| example.answer.len()).collect();
    if lengths(loss_by_log_prob) != tokens {
        return Err(ModelError::Input {
            found: format!("{:?} derivatives for {tokens:?} tokens", lengths(loss_by_log_prob)),
            expected: "one derivative for each token of each answer",
        });
    }
    let batch = Batch::new(decoder, examples)?;
    let tape = Tape::forward(decoder, &batch.embeds, &batch.starts, dropout, memory)?;
    let derivatives: Vec<f32> = loss_by_log_prob.iter().flatten().map(|d| (d * weight) as f32).collect();
    let scored = batch.score(decoder, tape.hidden(), Some((&derivatives, gradients)))?;
    let gradient = batch.spread(&scored.gradient, tape.hidden())?;
    let by_embeds = tape.backward(decoder, &gradient, gradients)?;
    let mut by_prompt = Vec::with_capacity(examples.len());
    for (number, Example { prompt, answer }) in examples.iter().enumerate() {
        let (start, length) = (batch.starts[number], by_embeds.dims()[1]);
        let (row, read) = (by_embeds.get(number)?, answer.len() - 1);
        let of_prompt = row.narrow(0, start, length - start - read)?;
        if read > 0 {
            decoder.add_by_embeddings(&answer[..read], &row.narrow(0, length - read, read)?, gradients)?;
        }
        if prompt.embeds.is_none() {
            decoder.add_by_embeddings(&prompt.ids, &of_prompt, gradients)?;
        }
        by_prompt.push(of_prompt);
    }
    Ok(Passed { log_probs: batch.by_answer(&scored.log_probs), by_prompt })
}

/// Prompts and answers side by side, padded on the left.
struct Batch {
    embeds: Tensor,
    starts: Vec<usize>,
    /// For each token of the answers, in order: the column of all rows one after the other that predicts it.
    places: Vec<u32>,
    tokens: Vec<u32>,
    lengths: Vec<usize>,
}

/// Log-probabilities of the answers' tokens, and the gradient by the hidden states that predict them.
struct Scored {
    log_probs: Vec<f32>,
    gradient: Vec<Tensor>,
}

impl Batch {
    fn new(decoder: &Decoder, examples: &[Example]) -> Result<Self> {
        let mut rows = Vec::with_capacity(examples.len());
        for (number, example) in examples.iter().enumerate() {
            rows.push(row(decoder, example, number)?);
        }
        let length = rows.iter().map(|row| row.dims()[0]).max().unwrap_or_default();
        let starts: Vec<usize> = rows.iter().map(|row| length - row.dims()[0]).collect();
        let mut places = Vec::new();
        for (number, example) in examples.iter().enumerate() {
            // The last token is predicted and not read: the last column predicts it.
            let first = length - example.answer.len();
            places.extend((first..length).map(|column| (number * length + column) as u32));
        }
        let padded = rows.iter().zip(&starts).map(|(row, start)| row.pad_with_zeros(0, *start, 0));
        let padded = padded.collect::<candle_core::Result<Vec<_>>>()?;
        if padded.is_empty() {
            let found = "no example".to_owned();
            return Err(ModelError::Input { found, expected: "at least one prompt with its answer" });
        }
        Ok(Self {
            embeds: Tensor::stack(&padded, 0)?,
            starts,
            places,
            tokens: examples.iter().flat_map(|example| example.answer.iter().copied()).collect(),
            lengths: examples.iter().map(|example| example.answer.len()).collect(),
        })
    }

    /// With derivatives also the gradient `d (onehot - p) W` by each predicting hidden state, `W` the head; what is by a head
    /// that is trained is added to the gradients.
    fn score(
        &self,
        decoder: &Decoder,
        hidden: &Tensor,
        mut derivatives: Option<(&[f32], &mut Gradients)>,
    ) -> Result<Scored> {
        let vocabulary = decoder.config().vocab_size;
        let step = (MAX_SCORES / vocabulary).max(1);
        let flat = hidden.flatten_to(1)?;
        let mut scored = Scored { log_probs: Vec::with_capacity(self.tokens.len()), gradient: Vec::new() };
        for from in (0..self.tokens.len()).step_by(step) {
            let part = from..(from + step).min(self.tokens.len());
            let places = Tensor::new(&self.places[part.clone()], hidden.device())?;
            let tokens = Tensor::new(&self.tokens[part.clone()], hidden.device())?.unsqueeze(1)?;
            let predicting = flat.index_select(&places, 0)?;
            let logits = decoder.logits(&predicting)?;
            scored.log_probs.extend(log_probs_of(&logits, &self.tokens[part.clone()])?);
            let Some((derivatives, gradients)) = &mut derivatives else { continue };
            let derivative = Tensor::new(&derivatives[part], hidden.device())?.unsqueeze(1)?;
            let shares = candle_nn::ops::softmax_last_dim(&logits)?;
            let by_share = (shares.broadcast_mul(&derivative)? * -1.0)?;
            let by_logits = by_share.scatter_add(&tokens, &derivative, 1)?;
            if let Some(own) = decoder.head_parameter() {
                gradients.add(&own.name, &by_weight(&predicting.to_dtype(DType::F32)?, &by_logits)?)?;
            }
            let gradient = decoder.head().backward(&by_logits.to_dtype(hidden.dtype())?)?;
            scored.gradient.push(gradient.to_dtype(DType::F32)?);
        }
        Ok(scored)
    }

    /// Puts gradients of predicting hidden states in their places among zeros.
    fn spread(&self, gradient: &[Tensor], hidden: &Tensor) -> Result<Tensor> {
        let zeros = hidden.flatten_to(1)?.zeros_like()?.to_dtype(DType::F32)?;
        if gradient.is_empty() {
            return Ok(zeros.reshape(hidden.dims())?);
        }
        let places = Tensor::new(&self.places[..], hidden.device())?;
        let all = zeros.index_add(&places, &Tensor::cat(gradient, 0)?, 0)?;
        Ok(all.reshape(hidden.dims())?)
    }

    fn by_answer(&self, flat: &[f32]) -> Vec<Vec<f32>> {
        let mut rest = flat.iter().copied();
        self.lengths.iter().map(|length| rest.by_ref().take(*length).collect()).collect()
    }
}

impl Decoder {
    /// Adds the gradient by the embeddings of tokens, `(tokens, hidden)`, to that by the matrix they are rows of, if it is trained.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn add_by_embeddings(&self, ids: &[u32], gradient: &Tensor, gradients: &mut Gradients) -> Result<()> {
        let Some(own) = self.embedding_parameter() else { return Ok(()) };
        let ids = Tensor::new(ids, gradient.device())?;
        let rows = gradient.to_dtype(DType::F32)?.contiguous()?;
        gradients.add(&own.name, &own.tensor.detach().zeros_like()?.index_add(&ids, &rows, 0)?)
    }
}

/// Embeddings of a prompt and of its answer but for the last token, `(tokens, hidden)`.
fn row(decoder: &Decoder, example: &Example, number: usize) -> Result<Tensor> {
    let Example { prompt, answer } = example;
    let embeds = match &prompt.embeds {
        Some(embeds) => embeds.clone(),
        None => decoder.embed(&prompt.ids)?,
    };
    let (tokens, longest) = (embeds.dims2()?.0, decoder.config().longest());
    let fault = |found: String, expected| Err(ModelError::Input { found, expected });
    let Some((last, read)) = answer.split_last().filter(|_| tokens > 0) else {
        let found = format!("example {number} with {tokens} tokens of prompt and {} of answer", answer.len());
        return fault(found, "at least one token of each");
    };
    if longest.is_some_and(|longest| tokens + answer.len() > longest) {
        let most = decoder.config().max_position_embeddings;
        let found = format!(
            "{tokens} tokens of prompt {number} and {} of its answer in a context of {most}",
            answer.len()
        );
        return fault(found, "a prompt and an answer that fit into the context");
    }
    // The last token is not read, but must exist.
    decoder.embed(&[*last])?;
    if read.is_empty() {
        return Ok(embeds);
    }
    Ok(Tensor::cat(&[embeds, decoder.embed(read)?], 0)?)
}

/// log p of one token of each row, as when a token is drawn: what was drawn has the same bits here.
fn log_probs_of(logits: &Tensor, tokens: &[u32]) -> Result<Vec<f32>> {
    let rows = logits.to_vec2::<f32>()?;
    Ok(rows.par_iter().zip(tokens).map(|(row, token)| log_prob(row, *token as usize)).collect())
}

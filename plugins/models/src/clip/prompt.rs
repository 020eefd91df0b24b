//! Prompts of a pipeline, of any length, turned into what the UNet is given.
//!
//! CLIP reads 75 tokens between its begin and end token. A longer prompt is read in chunks of 75, each wrapped and padded
//! on its own, and the embeddings are joined along the sequence, as the Stable Diffusion community does; or it is cut
//! after 75 tokens, as diffusers does. Either is told in [`PromptEmbeddings::notes`].

use candle_core::Tensor;

use super::text::TextEncoder;
use super::tokenizer::ClipTokenizer;
use crate::{ModelError, Result};

/// What to do with a prompt that CLIP cannot read at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongPrompt {
    /// Read it in chunks.
    #[default]
    Chunk,
    /// Cut it, as diffusers does.
    Truncate,
}

/// How prompts are read.
#[derive(Clone, Copy, Debug, Default)]
pub struct PromptOptions {
    /// What to do with a long one.
    pub long: LongPrompt,
    /// How many of the last layers are left out for the prompts; not for the negative prompts, as in diffusers.
    pub clip_skip: usize,
}

/// Prompts in chunks of equal number: for each prompt its chunks, each of the tokenizer's length.
#[derive(Debug, PartialEq, Eq)]
pub struct PromptIds {
    /// Chunks by prompt.
    pub chunks: Vec<Vec<Vec<u32>>>,
    /// What a user should know: prompts that were chunked or cut.
    pub notes: Vec<String>,
}

/// What the UNet is given for a batch of prompts.
pub struct PromptEmbeddings {
    /// (prompts, tokens, hidden); tokens are 77 times the number of chunks.
    pub positive: Tensor,
    /// The same for the negative prompts, if there were any.
    pub negative: Option<Tensor>,
    /// What a user should know: prompts that were chunked or cut.
    pub notes: Vec<String>,
}

/// Tokenizes prompts; those with fewer chunks than the longest get chunks of nothing (begin, end, padding).
///
/// # Errors
/// [`ModelError::Input`] for a text that the tokenizer refuses.
pub fn tokenize(tokenizer: &ClipTokenizer, prompts: &[&str], long: LongPrompt) -> Result<PromptIds> {
    let mut chunks = Vec::with_capacity(prompts.len());
    let mut notes = Vec::new();
    for prompt in prompts {
        let ids = tokenizer.encode(prompt)?;
        notes.extend(note(tokenizer, &ids, long));
        chunks.push(match long {
            LongPrompt::Truncate => vec![tokenizer.wrap(&ids)],
            LongPrompt::Chunk if ids.is_empty() => vec![tokenizer.wrap(&[])],
            LongPrompt::Chunk => {
                ids.chunks(tokenizer.room()).map(|part| tokenizer.wrap(part)).collect::<Vec<_>>()
            }
        });
    }
    let most = chunks.iter().map(Vec::len).max().unwrap_or(0);
    chunks.iter_mut().for_each(|c| c.resize_with(most, || tokenizer.wrap(&[])));
    Ok(PromptIds { chunks, notes })
}

fn note(tokenizer: &ClipTokenizer, ids: &[u32], long: LongPrompt) -> Option<String> {
    let room = tokenizer.room();
    if ids.len() <= room {
        return None;
    }
    let what = format!("the prompt has {} tokens, more than the {room} that CLIP reads at once", ids.len());
    Some(match long {
        LongPrompt::Chunk => format!("{what}; it was read in {} chunks", ids.len().div_ceil(room)),
        LongPrompt::Truncate => format!("{what}; this end was cut off: {:?}", tokenizer.decode(&ids[room..])),
    })
}

/// Tokenizes and encodes prompts and their negative prompts, all with the same number of chunks.
///
/// # Errors
/// [`ModelError::Input`] if there are no prompts, or negative prompts but not one for each, or a tokenizer and an encoder
/// that do not belong together; failures of the device.
pub fn encode(
    tokenizer: &ClipTokenizer,
    encoder: &TextEncoder,
    prompts: &[&str],
    negatives: &[&str],
    options: PromptOptions,
) -> Result<PromptEmbeddings> {
    if prompts.is_empty() || !(negatives.is_empty() || negatives.len() == prompts.len()) {
        return Err(ModelError::Input {
            found: format!("{} prompts with {} negative prompts", prompts.len(), negatives.len()),
            expected: "at least one prompt, and as many negative prompts as prompts or none",
        });
    }
    let all: Vec<&str> = prompts.iter().chain(negatives).copied().collect();
    let PromptIds { chunks, notes } = tokenize(tokenizer, &all, options.long)?;
    let (positive, negative) = chunks.split_at(prompts.len());
    let positive = embed(tokenizer, encoder, positive, options.clip_skip)?;
    let negative = match negative {
        [] => None,
        rows => Some(embed(tokenizer, encoder, rows, 0)?),
    };
    Ok(PromptEmbeddings { positive, negative, notes })
}

/// All chunks of all prompts in one batch: (prompts, chunks times length, hidden).
fn embed(
    tokenizer: &ClipTokenizer,
    encoder: &TextEncoder,
    prompts: &[Vec<Vec<u32>>],
    clip_skip: usize,
) -> Result<Tensor> {
    let rows: Vec<Vec<u32>> = prompts.iter().flatten().cloned().collect();
    let seen: Option<Vec<Vec<u32>>> = encoder
        .config()
        .use_attention_mask
        .then(|| rows.iter().map(|row| attention(tokenizer, row)).collect());
    let states = encoder.embed(&rows, seen.as_deref(), clip_skip)?;
    let (_, length, hidden) = states.dims3()?;
    Ok(states.reshape((prompts.len(), rows.len() / prompts.len() * length, hidden))?)
}

/// 1 up to the first end token after the text, 0 for the padding behind it.
fn attention(tokenizer: &ClipTokenizer, row: &[u32]) -> Vec<u32> {
    let padding = row.iter().rev().take_while(|&&id| id == tokenizer.pad()).count();
    // Where the end token is the padding, the first of them is the end.
    let end_is_padding = tokenizer.pad() == tokenizer.eos() && padding > 0;
    let seen = row.len() - padding + usize::from(end_is_padding);
    (0..row.len()).map(|i| u32::from(i < seen)).collect()
}

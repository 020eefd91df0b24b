//! The samples of a run, and which of them go on.

use std::ops::ControlFlow;

use super::processors::{likeliest, log_prob, process, softmax};
use super::{Decode, Finish, Generated, Prompt, SamplingOptions, Token};
use crate::torch_rng::CpuGenerator;
use crate::{ModelError, Result};

/// Tokens beyond a stop string's bytes that are decoded to look for it: a token may stand for part of a character.
const MARGIN: usize = 8;

/// All samples; a row of the batch is one that has not ended.
pub(super) struct Rows<'a> {
    samples: Vec<Sample>,
    /// The sample of each row.
    live: Vec<usize>,
    options: &'a SamplingOptions,
    decode: Option<Decode<'a>>,
    /// Bytes of the longest stop string.
    longest: usize,
}

struct Sample {
    prompt: usize,
    number: usize,
    /// The prompt's tokens and its own.
    seen: Vec<u32>,
    own: usize,
    log_probs: Vec<f32>,
    drawn_log_probs: Vec<f32>,
    generator: CpuGenerator,
    finish: Option<Finish>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(
        prompts: &[Prompt],
        samples: usize,
        seeds: &[u64],
        options: &'a SamplingOptions,
        decode: Option<Decode<'a>>,
    ) -> Self {
        let of = |(row, seed): (usize, &u64)| {
            let prompt = row / samples;
            let seen = prompts[prompt].ids.clone();
            Sample {
                prompt,
                number: row % samples,
                own: seen.len(),
                seen,
                log_probs: Vec::new(),
                drawn_log_probs: Vec::new(),
                generator: CpuGenerator::new(*seed),
                finish: None,
            }
        };
        let samples: Vec<_> = seeds.iter().enumerate().map(of).collect();
        let live = (0..samples.len()).collect();
        let longest = options.stop.iter().map(String::len).max().unwrap_or_default();
        Self { samples, live, options, decode, longest }
    }

    /// Draws a token for every row from its scores; gives the rows that go on, and their tokens.
    pub(super) fn draw(
        &mut self,
        scores: &[&Vec<f32>],
        watch: &mut dyn FnMut(Token) -> ControlFlow<()>,
    ) -> Result<(Vec<usize>, Vec<u32>)> {
        let (mut kept, mut tokens, mut live) = (Vec::new(), Vec::new(), Vec::new());
        for (row, (number, scores)) in self.live.iter().zip(scores).enumerate() {
            let sample = &mut self.samples[*number];
            let token = sample.draw(scores, self.options)?;
            sample.finish = finish(sample, self.options, self.decode, self.longest);
            let seen =
                Token { prompt: sample.prompt, sample: sample.number, ids: &sample.seen[sample.own..] };
            if watch(seen).is_break() {
                return Err(ModelError::Stopped);
            }
            if sample.finish.is_none() {
                kept.push(row);
                tokens.push(token);
                live.push(*number);
            }
        }
        self.live = live;
        Ok((kept, tokens))
    }

    /// The samples of each prompt.
    pub(super) fn finished(self, prompts: usize, samples: usize) -> Vec<Vec<Generated>> {
        let mut all = self.samples.into_iter().map(|sample| Generated {
            ids: sample.seen[sample.own..].to_vec(),
            log_probs: sample.log_probs,
            drawn_log_probs: sample.drawn_log_probs,
            finish: sample.finish.unwrap_or(Finish::Length),
        });
        (0..prompts).map(|_| all.by_ref().take(samples).collect()).collect()
    }
}

impl Sample {
    fn draw(&mut self, scores: &[f32], options: &SamplingOptions) -> Result<u32> {
        // Negative infinity is a score, of a token that is ruled out; all of them are not.
        if scores.iter().any(|s| s.is_nan() || *s == f32::INFINITY) || !scores.iter().any(|s| s.is_finite()) {
            return Err(ModelError::Numerical {
                what: "the scores of the next token",
                mend: "take float32, or look whether the checkpoint is damaged",
            });
        }
        let mut processed = scores.to_vec();
        process(&mut processed, &self.seen, options);
        let token = if options.temperature == 0.0 {
            self.drawn_log_probs.push(0.0);
            likeliest(&processed).unwrap_or_default()
        } else {
            let shares = softmax(&processed);
            let token = self.among(&shares);
            self.drawn_log_probs.push(shares[token].ln() as f32);
            token
        };
        self.log_probs.push(log_prob(scores, token));
        self.seen.push(token as u32);
        Ok(token as u32)
    }

    /// The first token whose cumulated probability exceeds a uniform number.
    fn among(&mut self, shares: &[f64]) -> usize {
        let mut uniform = [0.0];
        self.generator.rand_f64(&mut uniform);
        let mut sum = 0.0;
        let mut last = 0;
        for (token, share) in shares.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            sum += share;
            last = token;
            if sum > uniform[0] {
                break;
            }
        }
        last
    }
}

fn finish(
    sample: &Sample,
    options: &SamplingOptions,
    decode: Option<Decode>,
    longest: usize,
) -> Option<Finish> {
    let own = &sample.seen[sample.own..];
    if own.last().is_some_and(|token| options.eos.contains(token)) {
        return Some(Finish::Eos);
    }
    if let Some(decode) = decode.filter(|_| longest > 0) {
        let text = decode(&own[own.len().saturating_sub(longest + MARGIN)..]);
        if let Some(stop) = options.stop.iter().find(|stop| text.contains(stop.as_str())) {
            return Some(Finish::Stop(stop.clone()));
        }
    }
    (own.len() >= options.max_new_tokens).then_some(Finish::Length)
}

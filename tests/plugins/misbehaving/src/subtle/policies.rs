//! Prompt generators whose samples or log-probabilities are not what they say: a policy over four prompts.

use crate::component::Nothing;
use adeval_sdk::Library;
use adeval_sdk::prelude::*;
use std::path::Path;

pub fn add(library: &mut Library) {
    library.trainable_prompt_generator::<Four<HONEST>>();
    library.trainable_prompt_generator::<Four<SAYS_UNIFORM>>();
    library.trainable_prompt_generator::<Four<MOVES_ITS_REFERENCE>>();
    library.trainable_prompt_generator::<Four<COUNTS_ITS_SAMPLES>>();
    library.trainable_prompt_generator::<Four<IGNORES_TOKEN_WEIGHTS>>();
}

const HONEST: u8 = 0;
const SAYS_UNIFORM: u8 = 1;
const MOVES_ITS_REFERENCE: u8 = 2;
const COUNTS_ITS_SAMPLES: u8 = 3;
const IGNORES_TOKEN_WEIGHTS: u8 = 4;

const PROMPTS: [&str; 4] = ["on marble", "on wood", "on sand", "on snow"];

struct Four<const FAULT: u8> {
    logits: [f64; 4],
    reference: [f64; 4],
    gradient: [f64; 4],
}

fn softmax(logits: &[f64; 4]) -> [f64; 4] {
    let sum: f64 = logits.iter().map(|l| l.exp()).sum();
    logits.map(|l| l.exp() / sum)
}

impl<const FAULT: u8> Four<FAULT> {
    fn log_prob(&self, policy: Policy, token: u32) -> Result<f64> {
        let logits = if policy == Policy::Reference { &self.reference } else { &self.logits };
        let unknown = || PluginError::invalid_request(format!("there is no token {token}"));
        let p = softmax(logits).get(token as usize).copied().ok_or_else(unknown)?;
        Ok(if FAULT == SAYS_UNIFORM { 0.25_f64.ln() } else { p.ln() })
    }
}

impl<const FAULT: u8> Component for Four<FAULT> {
    type Parameters = Nothing;
    fn info() -> ComponentInfo {
        let (id, summary) = match FAULT {
            SAYS_UNIFORM => ("says-uniform", "Its log-probs are not those of its samples"),
            MOVES_ITS_REFERENCE => ("moves-its-reference", "The reference learns, too"),
            IGNORES_TOKEN_WEIGHTS => ("ignores-token-weights", "Takes only the sign of a token's derivative"),
            COUNTS_ITS_SAMPLES => ("counts-its-samples", "A sample depends on how many are asked for"),
            _ => ("honest-policy", "A policy over four prompts"),
        };
        ComponentInfo::new(id, summary)
    }
    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        let logits = [1.0, 0.5, 0.0, -0.5];
        Ok(Self { logits, reference: logits, gradient: [0.0; 4] })
    }
}

impl<const FAULT: u8> PromptGenerator for Four<FAULT> {
    fn generate(&self, request: &PromptRequest, _: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        let extra = if FAULT == COUNTS_ITS_SAMPLES { request.samples.to_string() } else { String::new() };
        let sample = |k: u32| {
            let draw = rng::derive(request.seed, &[&k.to_string(), &extra]) as f64 / u64::MAX as f64;
            let mut below = 0.0;
            let token = softmax(&self.logits).iter().position(|p| {
                below += p;
                draw < below
            });
            let token = token.unwrap_or(3) as u32;
            let log_probs = vec![self.log_prob(Policy::Current, token)?];
            let text = PROMPTS[token as usize].to_owned();
            Ok(PromptSample { text, tokens: vec![token], log_probs, finish: FinishReason::Stop })
        };
        (0..request.samples).map(sample).collect()
    }
}

impl<const FAULT: u8> TrainablePromptGenerator for Four<FAULT> {
    fn log_probs(
        &self,
        policy: Policy,
        answers: &[ConditionedAnswer],
        _: &CallContext<'_>,
    ) -> Result<Vec<Vec<f64>>> {
        answers.iter().map(|a| a.tokens.iter().map(|t| self.log_prob(policy, *t)).collect()).collect()
    }
    fn set_reference(&mut self) -> Result<()> {
        self.reference = self.logits;
        Ok(())
    }
}

impl<const FAULT: u8> Trainable for Four<FAULT> {
    type Example = AnswerGradient;

    fn accumulate_gradient(
        &mut self,
        examples: &[AnswerGradient],
        options: &GradientOptions,
        _: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        let p = softmax(&self.logits);
        for example in examples {
            for (token, slope) in example.answer.tokens.iter().zip(&example.loss_by_log_prob) {
                let slope = if FAULT == IGNORES_TOKEN_WEIGHTS { slope.signum() } else { *slope };
                for (at, gradient) in self.gradient.iter_mut().enumerate() {
                    let chosen = f64::from(u8::from(at == *token as usize));
                    *gradient += options.weight * slope * (chosen - p[at]);
                }
            }
        }
        Ok(TrainingReport::default())
    }

    fn step(&mut self, options: &TrainingOptions, _: &CallContext<'_>) -> Result<TrainingReport> {
        let gradient = std::mem::take(&mut self.gradient);
        let grad_norm = Some(gradient.iter().map(|g| g * g).sum::<f64>().sqrt());
        self.logits.iter_mut().zip(gradient).for_each(|(l, g)| *l -= options.learning_rate * g);
        if FAULT == MOVES_ITS_REFERENCE {
            self.reference = self.logits;
        }
        Ok(TrainingReport { grad_norm, ..TrainingReport::default() })
    }

    fn clear_gradient(&mut self) -> Result<()> {
        self.gradient = [0.0; 4];
        Ok(())
    }

    fn save(&self, directory: &Path, _: &CallContext<'_>) -> Result<()> {
        std::fs::create_dir_all(directory)?;
        let bytes: Vec<u8> =
            self.logits.iter().chain(&self.reference).flat_map(|l| l.to_le_bytes()).collect();
        Ok(std::fs::write(directory.join("logits"), bytes)?)
    }

    fn load(&mut self, directory: &Path, _: &CallContext<'_>) -> Result<()> {
        let bytes = std::fs::read(directory.join("logits"))
            .map_err(|error| PluginError::new(ErrorKind::MissingWeights, format!("logits: {error}")))?;
        if bytes.len() != 64 {
            return Err(PluginError::new(
                ErrorKind::BadWeights,
                format!("logits: {} bytes, not 64", bytes.len()),
            ));
        }
        let (numbers, _) = bytes.as_chunks::<8>();
        let numbers: Vec<f64> = numbers.iter().map(|b| f64::from_le_bytes(*b)).collect();
        self.logits.copy_from_slice(&numbers[..4]);
        self.reference.copy_from_slice(&numbers[4..]);
        self.gradient = [0.0; 4];
        Ok(())
    }
}

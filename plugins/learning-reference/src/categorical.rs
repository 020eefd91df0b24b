//! `categorical-prompt`: a softmax policy over templates, linear in the features of the condition.

use crate::adamw::AdamW;
use crate::condition::{FEATURES, features};
use crate::{checkpoint, templates::TEMPLATES};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

const ID: &str = "categorical-prompt";
const ANSWERS: usize = TEMPLATES.len();
/// Weights an answer: a bias, then one for each feature.
const ROW: usize = FEATURES + 1;

/// Parameters of `categorical-prompt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CategoricalParameters {
    /// Standard deviation of the initial feature weights; 0 starts from the uniform policy.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub initial_scale: f64,
    /// Seed of the initial weights.
    pub initial_seed: u64,
}

impl Default for CategoricalParameters {
    fn default() -> Self {
        Self { initial_scale: 0.1, initial_seed: 0 }
    }
}

/// What training changes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct State {
    current: Vec<f64>,
    reference: Vec<f64>,
    optimizer: AdamW,
}

impl State {
    fn fits(&self) -> bool {
        let both = [&self.current, &self.reference];
        both.iter().all(|p| p.len() == ANSWERS * ROW && p.iter().all(|v| v.is_finite()))
            && self.optimizer.fits(ANSWERS * ROW)
    }
}

/// The `categorical-prompt` component. One answer is one token: the index of its template.
pub struct CategoricalPrompt {
    state: State,
    gradient: Vec<f64>,
}

/// A number in (0, 1) from a seed.
fn uniform(seed: u64) -> f64 {
    ((seed >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// Logits of all answers.
fn logits(parameters: &[f64], x: &[f64; FEATURES]) -> Vec<f64> {
    let row = |w: &[f64]| w[0] + w[1..].iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    parameters.chunks_exact(ROW).map(row).collect()
}

/// Logarithm of the softmax.
fn log_softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total = logits.iter().map(|l| (l - most).exp()).sum::<f64>().ln() + most;
    logits.iter().map(|l| l - total).collect()
}

/// Draws an answer at `temperature` from the smallest set of likeliest answers that holds `top_p`.
fn draw(logits: &[f64], temperature: f64, top_p: f64, u: f64) -> usize {
    // Shifted before the division, so that a tiny temperature gives -inf and not NaN.
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let cooled: Vec<f64> = logits.iter().map(|l| (l - most) / temperature).collect();
    let p: Vec<f64> = log_softmax(&cooled).iter().map(|l| l.exp()).collect();
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]).then(a.cmp(&b)));
    let mut kept = 0.0;
    let nucleus = order.iter().take_while(|&&k| {
        let wanted = kept < top_p;
        kept += p[k];
        wanted
    });
    let nucleus: Vec<usize> = nucleus.copied().collect();
    let target = u * nucleus.iter().map(|&k| p[k]).sum::<f64>();
    let mut sum = 0.0;
    let hit = nucleus.iter().find(|&&k| {
        sum += p[k];
        target < sum
    });
    hit.or(nucleus.last()).copied().unwrap_or(0)
}

/// The template that an answer names.
fn template(answer: &ConditionedAnswer) -> Result<usize> {
    match answer.tokens[..] {
        [token] if (token as usize) < ANSWERS => Ok(token as usize),
        [token] => Err(PluginError::invalid_request(format!(
            "{ID}: token {token} is not in the vocabulary of {ANSWERS} templates"
        ))),
        _ => Err(PluginError::invalid_request(format!(
            "{ID}: an answer of {} tokens, it must have exactly 1",
            answer.tokens.len()
        ))),
    }
}

/// The template that an instruction's answer is.
fn answered(instruction: &Instruction) -> Result<usize> {
    let product = &instruction.condition.id;
    if let Some(question) = &instruction.question {
        return Err(PluginError::invalid_request(format!(
            "{ID}: asked \"{question}\" about \"{product}\"; it answers nothing but what its background shall be, so leave other tasks out"
        )));
    }
    let answer = instruction.answer.trim();
    TEMPLATES.iter().position(|template| *template == answer).ok_or_else(|| {
        PluginError::invalid_request(format!(
            "{ID}: \"{answer}\", an answer about \"{product}\", is none of its {ANSWERS} templates; give it prompts that it made itself"
        ))
    })
}

impl CategoricalPrompt {
    /// Adds `by_log_prob` times the gradient of log p(answer `k`) to `sum`.
    fn add_gradient(&self, condition: &Product, k: usize, by_log_prob: f64, sum: &mut [f64]) {
        let x = features(condition);
        let log_p = log_softmax(&logits(&self.state.current, &x));
        for (answer, row) in sum.chunks_exact_mut(ROW).enumerate() {
            // d log p_k / d logit_j = [j = k] - p_j
            let by_logit = by_log_prob * (f64::from(u8::from(answer == k)) - log_p[answer].exp());
            row[0] += by_logit;
            row[1..].iter_mut().zip(&x).for_each(|(g, x)| *g += by_logit * x);
        }
    }

    fn parameters(&self, policy: Policy) -> &[f64] {
        match policy {
            Policy::Current => &self.state.current,
            Policy::Reference => &self.state.reference,
        }
    }
}

#[cfg(test)]
impl CategoricalPrompt {
    pub(crate) fn gradient(&self) -> &[f64] {
        &self.gradient
    }
}

impl Component for CategoricalPrompt {
    type Parameters = CategoricalParameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new(ID, "A trainable categorical policy over 24 background templates")
    }

    /// Loads a checkpoint directory when `environment.weights` names one.
    fn create(parameters: CategoricalParameters, environment: &Environment) -> Result<Self> {
        let CategoricalParameters { initial_scale, initial_seed } = parameters;
        if !(0.0..=10.0).contains(&initial_scale) {
            return Err(PluginError::invalid_parameters(format!(
                "{ID}: initial_scale is {initial_scale}, it must be between 0 and 10"
            )));
        }
        let normal = |index: usize| {
            let part = |name| uniform(rng::derive(initial_seed, &[name, &index.to_string()]));
            (-2.0 * part("radius").ln()).sqrt() * (std::f64::consts::TAU * part("angle")).cos()
        };
        let weight = |i: usize| if i.is_multiple_of(ROW) { 0.0 } else { initial_scale * normal(i) };
        let current: Vec<f64> = (0..ANSWERS * ROW).map(weight).collect();
        let state = State { reference: current.clone(), optimizer: AdamW::new(current.len()), current };
        let mut made = Self { gradient: vec![0.0; state.current.len()], state };
        if let Some(directory) = &environment.weights {
            made.load(directory, &CallContext::detached())?;
        }
        Ok(made)
    }
}

impl PromptGenerator for CategoricalPrompt {
    fn generate(&self, request: &PromptRequest, cx: &CallContext<'_>) -> Result<Vec<PromptSample>> {
        request.validate()?;
        cx.check()?;
        if request.max_tokens == 0 {
            return Err(PluginError::invalid_request(format!(
                "{ID}: max_tokens is 0, an answer has 1 token"
            )));
        }
        let logits = logits(&self.state.current, &features(&request.product));
        let log_probs = log_softmax(&logits);
        let sample = |index: u32| {
            let u = uniform(rng::derive(request.seed, &[&index.to_string()]));
            let k = draw(&logits, request.temperature, request.top_p, u);
            PromptSample {
                text: TEMPLATES[k].to_owned(),
                tokens: vec![k as u32],
                log_probs: vec![log_probs[k]],
                finish: FinishReason::Stop,
            }
        };
        Ok((0..request.samples).map(sample).collect())
    }
}

impl TrainablePromptGenerator for CategoricalPrompt {
    fn log_probs(
        &self,
        policy: Policy,
        answers: &[ConditionedAnswer],
        cx: &CallContext<'_>,
    ) -> Result<Vec<Vec<f64>>> {
        let one = |answer: &ConditionedAnswer| {
            cx.check()?;
            let k = template(answer)?;
            Ok(vec![log_softmax(&logits(self.parameters(policy), &features(&answer.condition)))[k]])
        };
        answers.iter().map(one).collect()
    }

    fn set_reference(&mut self) -> Result<()> {
        self.state.reference.clone_from(&self.state.current);
        Ok(())
    }

    fn accumulate_instructions(
        &mut self,
        examples: &[Instruction],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        let losses = self.instruction_losses(examples, cx)?;
        let count = examples.len().max(1) as f64;
        let mut sum = vec![0.0; self.gradient.len()];
        for example in examples {
            self.add_gradient(&example.condition, answered(example)?, -1.0 / count, &mut sum);
        }
        self.gradient.iter_mut().zip(sum).for_each(|(g, s)| *g += options.weight * s);
        let loss = losses.iter().sum::<f64>() / count;
        Ok(TrainingReport { loss: Some(loss), ..TrainingReport::default() })
    }

    fn instruction_losses(&self, examples: &[Instruction], cx: &CallContext<'_>) -> Result<Vec<f64>> {
        let one = |example: &Instruction| {
            cx.check()?;
            let k = answered(example)?;
            Ok(-log_softmax(&logits(&self.state.current, &features(&example.condition)))[k])
        };
        examples.iter().map(one).collect()
    }
}

impl Trainable for CategoricalPrompt {
    type Example = AnswerGradient;

    fn accumulate_gradient(
        &mut self,
        items: &[AnswerGradient],
        options: &GradientOptions,
        cx: &CallContext<'_>,
    ) -> Result<TrainingReport> {
        // Added up apart, so that a bad item leaves the gradient as it was.
        let mut sum = vec![0.0; self.gradient.len()];
        for item in items {
            cx.check()?;
            let k = template(&item.answer)?;
            let [by_log_prob] = item.loss_by_log_prob[..] else {
                return Err(PluginError::invalid_request(format!(
                    "{ID}: {} derivatives for an answer of 1 token",
                    item.loss_by_log_prob.len()
                )));
            };
            self.add_gradient(&item.answer.condition, k, by_log_prob, &mut sum);
        }
        self.gradient.iter_mut().zip(sum).for_each(|(g, s)| *g += options.weight * s);
        Ok(TrainingReport::default())
    }

    fn step(&mut self, options: &TrainingOptions, cx: &CallContext<'_>) -> Result<TrainingReport> {
        cx.check()?;
        self.state.optimizer.step(&mut self.state.current, &mut self.gradient, options)
    }

    fn clear_gradient(&mut self) -> Result<()> {
        self.gradient.fill(0.0);
        Ok(())
    }

    fn save(&self, directory: &Path, _: &CallContext<'_>) -> Result<()> {
        checkpoint::save(directory, ID, &self.state)
    }

    fn load(&mut self, directory: &Path, _: &CallContext<'_>) -> Result<()> {
        self.state = checkpoint::load(directory, ID, State::fits)?;
        self.clear_gradient()
    }
}

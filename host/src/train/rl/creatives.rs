//! From products to rewards: sample, render, judge. All of it goes through the run store, so that nothing is computed twice.

use super::cast::Slot;
use super::plan::Item;
use super::{Cast, Work};
use crate::bench::{
    CREATIVE_BATCH, Done, background_request, batches, cloned, keep_creative, key, prompt_request, pump,
    record,
};
use crate::store::{Outcome, Record};
use crate::train::TrainError;
use adeval_sdk::client::{BackgroundClient, PromptClient};
use adeval_sdk::{BackgroundRequest, Creative, Placement, PluginError, PromptRequest, PromptSample, rng};
use std::collections::HashSet;

/// Products in one call of the prompt generator.
const PROMPT_BATCH: usize = 8;

/// Which samples: those of an epoch's training, or those of the policy after an epoch on products it never saw.
#[derive(Debug, Clone, Copy)]
pub enum Draw {
    /// Of the outer epoch, from 1. Each has chance of its own.
    Epoch(u32),
    /// After the outer epoch, from 0. All epochs share their chance, so that policies are compared in pairs.
    HeldOut(u32),
}

impl Draw {
    /// The key of a product's samples.
    fn samples_key(self, item: &Item) -> String {
        let (what, epoch) = match self {
            Self::Epoch(epoch) => ("samples", epoch),
            Self::HeldOut(epoch) => ("held-out samples", epoch),
        };
        key(&[what, &epoch.to_string(), &item.hash])
    }

    /// A seed of a product: for its prompts, or for its creatives.
    fn seed(self, run: u64, what: &str, item: &Item) -> u64 {
        let part = match self {
            Self::Epoch(epoch) => format!("epoch {epoch}"),
            Self::HeldOut(_) => "held out".to_owned(),
        };
        rng::derive(run, &[what, &part, &item.product.id])
    }

    /// For people.
    pub fn title(self, what: &str) -> String {
        match self {
            Self::Epoch(epoch) => format!("epoch {epoch}: {what}"),
            Self::HeldOut(epoch) => format!("held out after epoch {epoch}: {what}"),
        }
    }
}

/// A creative that is to be made.
struct Wanted {
    key: String,
    request: BackgroundRequest,
}

impl Work<'_> {
    /// Samples of the policy as it is, for products that have none yet.
    ///
    /// A call that fails ends the training: a prompt generator that was started anew would be another policy.
    pub fn sample(&self, cast: &mut Cast<'_>, draw: Draw, items: &[&Item]) -> Result<(), TrainError> {
        let missing: Vec<&&Item> =
            items.iter().filter(|item| !self.store.has(&draw.samples_key(item))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let client = PromptClient::new(self.policy(cast)?);
        self.services.progress.stage(&draw.title("prompts"), missing.len());
        for batch in missing.chunks(PROMPT_BATCH) {
            let requests: Vec<PromptRequest> = batch.iter().map(|item| self.prompts(draw, item)).collect();
            let replies = self.call(&self.plan.prompt, |cx| client.generate(&requests, cx))?;
            let records: Vec<Record> = batch
                .iter()
                .zip(replies)
                .map(|(item, reply)| {
                    let outcome = reply.and_then(|samples| trainable(&item.product.id, samples));
                    let outcome = outcome.map(Outcome::Samples);
                    record(draw.samples_key(item), item.product.id.clone(), 0.0, "prompt", outcome)
                })
                .map(|one| Record { seconds: None, ..one })
                .collect();
            self.store.append(&records)?;
            self.services.progress.advance(batch.len());
        }
        Ok(())
    }

    fn prompts(&self, draw: Draw, item: &Item) -> PromptRequest {
        let mut request = prompt_request(&self.plan.suite, &self.plan.recipe.prompt, &item.product);
        request.samples = self.samples;
        request.seed = draw.seed(self.plan.recipe.seed, "prompt", item);
        request
    }

    /// The samples of a product; none when they failed.
    pub fn samples(&self, draw: Draw, item: &Item) -> Vec<PromptSample> {
        match self.store.get(&draw.samples_key(item)) {
            Some(Record { outcome: Outcome::Samples(samples), .. }) => samples,
            _ => Vec::new(),
        }
    }

    /// The request of a creative. The samples of a product share a seed, so that their creatives differ by their prompts alone:
    /// what the generator's noise would add to the difference of two rewards is not there. Another product or epoch has another.
    fn background(&self, draw: Draw, item: &Item, prompt: &str) -> BackgroundRequest {
        let step = &self.plan.recipe.background;
        let mut request = background_request(&self.plan.suite, step, &item.product, 0, prompt);
        request.seed = draw.seed(self.plan.recipe.seed, "background", item);
        request
    }

    fn creative_key(&self, item: &Item, request: &BackgroundRequest) -> String {
        key(&["creative", &item.hash, &request.prompt, &request.seed.to_string()])
    }

    /// Hash of the image of a sample's creative, and where its product is; absent when it failed.
    pub fn placed(&self, draw: Draw, item: &Item, prompt: &str) -> Option<(String, Placement)> {
        let key = self.creative_key(item, &self.background(draw, item, prompt));
        self.store.creative(&key).map(|(image, placement, _)| (image, placement))
    }

    /// The hash alone.
    pub fn creative(&self, draw: Draw, item: &Item, prompt: &str) -> Option<String> {
        self.placed(draw, item, prompt).map(|(image, _)| image)
    }

    /// Creatives of all samples that have none. Equal prompts of a product have one creative.
    pub fn render(&self, cast: &mut Cast<'_>, draw: Draw, items: &[&Item]) -> Result<(), TrainError> {
        let (mut seen, mut missing) = (HashSet::new(), Vec::new());
        for item in items {
            for sample in self.samples(draw, item) {
                let request = self.background(draw, item, &sample.text);
                let key = self.creative_key(item, &request);
                if !self.store.has(&key) && seen.insert(key.clone()) {
                    missing.push(Wanted { key, request });
                }
            }
        }
        if !missing.is_empty() {
            self.make(&mut cast.background, draw, missing)?;
        }
        cast.background.rest(self);
        Ok(())
    }

    fn make(&self, slot: &mut Slot<'_>, draw: Draw, missing: Vec<Wanted>) -> Result<(), TrainError> {
        let client = BackgroundClient::new(slot.endpoint(self)?);
        self.services.progress.stage(&draw.title("creatives"), missing.len());
        let keep = |done: Vec<Done<Wanted, Creative>>| {
            let mut records = Vec::with_capacity(done.len());
            for (wanted, result, seconds) in done {
                let outcome = keep_creative(self.store, result)?;
                let item = wanted.request.product.id;
                records.push(record(wanted.key, item, seconds, "background", outcome));
            }
            self.store.append(&records)
        };
        pump(
            batches(missing, CREATIVE_BATCH),
            self.services,
            self.clock,
            |wanted| wanted.iter().map(|one| Ok(one.request.clone())).collect(),
            |requests, cx| client.generate(&cloned(requests), cx),
            keep,
        )?;
        self.check_cancelled()
    }
}

/// Samples that a policy can be trained on: with text, tokens and their log-probabilities.
fn trainable(product: &str, samples: Vec<PromptSample>) -> Result<Vec<PromptSample>, PluginError> {
    let lacks = samples.iter().find_map(|sample| {
        let empty = [
            ("an empty prompt", sample.text.trim().is_empty()),
            ("a prompt without tokens", sample.tokens.is_empty()),
            ("a prompt without log-probs", sample.log_probs.is_empty()),
        ];
        empty.iter().find(|(_, is)| *is).map(|(what, _)| *what)
    });
    match lacks {
        None => Ok(samples),
        Some(what) => {
            Err(PluginError::violation(format!("{what} for \"{product}\": it cannot be trained on")))
        }
    }
}

//! Prompts and creatives.

mod warm;

use super::plan::{PlannedComponent, PlannedEntry, PlannedProduct};
use super::pump::{Caller, Done, pump};
use super::requests::{CREATIVE_BATCH, PROMPT_BATCH, background_request, prompt_request};
use super::{Bench, BenchError, Broken, Ledger, OpenComponent};
use crate::store::{Outcome, Record, Store, encode_png};
use adeval_sdk::client::{BackgroundClient, PromptClient};
use adeval_sdk::{CallContext, Creative, ErrorKind, Placement, PluginError, PromptSample};
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// A creative that is there.
pub struct Made<'a> {
    pub product: &'a PlannedProduct,
    pub sample: u32,
    pub image: String,
    pub placement: Placement,
    pub seconds: Option<f64>,
}

/// A creative to be made.
pub struct Wanted<'a> {
    key: String,
    product: &'a PlannedProduct,
    sample: u32,
    prompt: String,
}

/// Keeps a creative's picture, and gives what its record says of it.
pub(crate) fn keep_creative(
    store: &Store,
    made: Result<Creative, PluginError>,
) -> Result<Result<Outcome, PluginError>, BenchError> {
    let creative = match made {
        Ok(creative) => creative,
        Err(error) => return Ok(Err(error)),
    };
    let image = &creative.image;
    let unencoded = |error| format!("the creative cannot be encoded: {error}");
    match encode_png(image.width(), image.height(), image.bytes()) {
        Ok(png) => Ok(Ok(Outcome::Creative { image: store.put_image(&png)?, placement: creative.placement })),
        Err(error) => Ok(Err(PluginError::new(ErrorKind::Other, unencoded(error)))),
    }
}

impl<'a> Bench<'a> {
    /// Makes an entry's missing prompts and creatives.
    pub fn generate(&self, entry: &PlannedEntry<'_>, broken: &mut Broken) -> Result<(), BenchError> {
        let prompts = self.ledger().missing_prompts(entry);
        let mut memory = None;
        if !prompts.is_empty() {
            let Some(open) = self.open(&entry.prompt, broken)? else { return Ok(()) };
            self.make_prompts(entry, prompts, &*open)?;
            memory = open.peak_memory_bytes();
        }
        let creatives = self.ledger().missing_creatives(entry);
        if !creatives.is_empty() {
            let Some(open) = self.open(&entry.background, broken)? else { return Ok(()) };
            let outcome = self.make_creatives(entry, creatives, &*open);
            memory = memory.max(open.peak_memory_bytes());
            self.remember_memory(entry, memory)?;
            outcome?;
        }
        Ok(())
    }

    /// Opens a component and lets it warm up; one that cannot be opened costs its rows, not the run.
    pub fn open(
        &self,
        component: &PlannedComponent,
        broken: &mut Broken,
    ) -> Result<Option<Box<dyn OpenComponent>>, BenchError> {
        self.check_cancelled()?;
        let logs = self.store.dir().join("logs");
        let PlannedComponent { kind, user, .. } = component;
        let (opened, _) = self.clock.time(|| {
            let open = component.open(self.services, Some(&logs))?;
            let caller = Caller(self.services);
            warm::warm_up(*kind, &*open, self.plan.suite.size, &CallContext::new(&caller))?;
            Ok(open)
        });
        match opened {
            Ok(open) => Ok(Some(open)),
            Err(error) => {
                self.check_cancelled()?;
                self.services.progress.warn(&format!("{user}: {error}"));
                broken.push((user.clone(), error));
                Ok(None)
            }
        }
    }

    /// Ends the run when the user wants it.
    pub fn check_cancelled(&self) -> Result<(), BenchError> {
        if self.services.cancel.load(Ordering::Relaxed) {
            let run_dir = self.store.dir().to_owned();
            return Err(BenchError::Interrupted { run_dir, done: self.store.len() });
        }
        Ok(())
    }

    fn make_prompts(
        &self,
        entry: &PlannedEntry<'_>,
        missing: Vec<(String, &'a PlannedProduct)>,
        open: &dyn OpenComponent,
    ) -> Result<(), BenchError> {
        let id = &entry.entry.id;
        self.services.progress.stage(&format!("{id}: prompts"), missing.len());
        let client = PromptClient::new(open.endpoint());
        let request = |(_, product): &(String, &PlannedProduct)| {
            Ok(prompt_request(self.plan.suite, &entry.entry.prompt, product.product()?))
        };
        let keep = |done: Vec<Done<(String, &PlannedProduct), Vec<PromptSample>>>| {
            let records = done.into_iter().map(|((key, product), result, seconds)| {
                let texts = result.and_then(|samples| prompt_texts(&product.id, samples));
                let item = format!("{id}/{}", product.id);
                record(key, item, seconds, "prompt", texts.map(Outcome::Prompts))
            });
            self.store.append(&records.collect::<Vec<_>>())
        };
        pump(
            batches(missing, PROMPT_BATCH),
            self.services,
            self.clock,
            |items| items.iter().map(request).collect(),
            |requests, cx| client.generate(&cloned(requests), cx),
            keep,
        )?;
        self.check_cancelled()
    }

    fn make_creatives(
        &self,
        entry: &PlannedEntry<'_>,
        missing: Vec<Wanted<'a>>,
        open: &dyn OpenComponent,
    ) -> Result<(), BenchError> {
        let id = &entry.entry.id;
        self.services.progress.stage(&format!("{id}: creatives"), missing.len());
        let client = BackgroundClient::new(open.endpoint());
        let step = &entry.entry.background;
        let request = |w: &Wanted<'_>| {
            Ok(background_request(self.plan.suite, step, w.product.product()?, w.sample, &w.prompt))
        };
        let keep = |done: Vec<Done<Wanted<'_>, Creative>>| {
            let mut records = Vec::with_capacity(done.len());
            for (wanted, result, seconds) in done {
                let outcome = keep_creative(self.store, result)?;
                let item = format!("{id}/{}/{}", wanted.product.id, wanted.sample);
                records.push(record(wanted.key, item, seconds, "background", outcome));
            }
            self.store.append(&records)
        };
        pump(
            batches(missing, CREATIVE_BATCH),
            self.services,
            self.clock,
            |items| items.iter().map(request).collect(),
            |requests, cx| client.generate(&cloned(requests), cx),
            keep,
        )?;
        self.check_cancelled()
    }

    fn remember_memory(&self, entry: &PlannedEntry<'_>, memory: Option<u64>) -> Result<(), BenchError> {
        let known = self.ledger().memory(entry);
        match memory.filter(|m| known.is_none_or(|k| *m > k)) {
            None => Ok(()),
            Some(bytes) => self.store.append(&[Record {
                key: memory_key(entry),
                item: entry.entry.id.clone(),
                seconds: None,
                outcome: Outcome::Memory(bytes),
            }]),
        }
    }
}

impl<'a> Ledger<'a> {
    /// An entry's prompts that are still to be made.
    pub fn missing_prompts(&self, entry: &PlannedEntry<'_>) -> Vec<(String, &'a PlannedProduct)> {
        let keyed = self.plan.products.iter().map(|p| (self.plan.prompt_key(entry, p), p));
        keyed.filter(|(key, _)| !self.store.has(key)).collect()
    }

    /// An entry's prompts for a product; none when they failed or are not made yet.
    pub fn prompts(&self, entry: &PlannedEntry<'_>, product: &PlannedProduct) -> (Vec<String>, Option<f64>) {
        match self.store.get(&self.plan.prompt_key(entry, product)) {
            Some(Record { outcome: Outcome::Prompts(texts), seconds, .. }) => {
                let share = seconds.map(|s| s / texts.len().max(1) as f64);
                (texts, share)
            }
            _ => (Vec::new(), None),
        }
    }

    /// An entry's creatives that are still to be made, as far as their prompts are there.
    pub fn missing_creatives(&self, entry: &PlannedEntry<'_>) -> Vec<Wanted<'a>> {
        let mut seen = HashSet::new();
        let mut missing = Vec::new();
        for product in &self.plan.products {
            for (sample, prompt) in (0..).zip(self.prompts(entry, product).0) {
                let key = self.plan.creative_key(entry, product, sample, &prompt);
                if !self.store.has(&key) && seen.insert(key.clone()) {
                    missing.push(Wanted { key, product, sample, prompt });
                }
            }
        }
        missing
    }

    /// Largest resident memory of an entry's plugins in bytes.
    pub fn memory(&self, entry: &PlannedEntry<'_>) -> Option<u64> {
        match self.store.get(&memory_key(entry))?.outcome {
            Outcome::Memory(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// An entry's creatives that are there, in the order of products and samples.
    pub fn creatives(&self, entry: &PlannedEntry<'_>) -> Vec<Made<'a>> {
        let mut made = Vec::new();
        for product in &self.plan.products {
            let (prompts, prompt_seconds) = self.prompts(entry, product);
            for (sample, prompt) in (0..).zip(prompts) {
                let key = self.plan.creative_key(entry, product, sample, &prompt);
                if let Some((image, placement, seconds)) = self.store.creative(&key) {
                    let seconds = prompt_seconds.zip(seconds).map(|(p, s)| p + s).or(seconds);
                    made.push(Made { product, sample, image, placement, seconds });
                }
            }
        }
        made
    }
}

fn memory_key(entry: &PlannedEntry<'_>) -> String {
    format!("memory of {}", entry.entry.id)
}

fn prompt_texts(product: &str, samples: Vec<PromptSample>) -> Result<Vec<String>, PluginError> {
    let texts: Vec<String> = samples.into_iter().map(|s| s.text).collect();
    if texts.iter().any(|t| t.trim().is_empty()) {
        return Err(PluginError::violation(format!("an empty prompt for \"{product}\"")));
    }
    Ok(texts)
}

/// A record of a result or of its failure.
pub fn record(
    key: String,
    item: String,
    seconds: f64,
    stage: &str,
    outcome: Result<Outcome, PluginError>,
) -> Record {
    let failed = |error| Outcome::Failed { stage: stage.to_owned(), error };
    Record { key, item, seconds: Some(seconds), outcome: outcome.unwrap_or_else(failed) }
}

/// Items in groups of `size`.
pub fn batches<T>(items: Vec<T>, size: usize) -> Vec<Vec<T>> {
    let mut groups = Vec::new();
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        groups.push(items.by_ref().take(size).collect());
    }
    groups
}

/// Requests share their pixels, so that a copy of one is small.
pub fn cloned<T: Clone>(requests: &[&T]) -> Vec<T> {
    requests.iter().map(|r| (*r).clone()).collect()
}

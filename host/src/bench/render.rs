//! Creatives of products for people: a PNG and a JSON sidecar each.

use super::generate::{batches, cloned};
use super::plan::PlannedComponent;
use super::pump::{Clock, Done, pump};
use super::requests::{CREATIVE_BATCH, PROMPT_BATCH, background_request, background_seed, prompt_request};
use super::{BenchError, Services};
use crate::store::{ComponentUse, encode_png, write_json, write_whole};
use crate::suite::{Entry, Suite};
use adeval_sdk::client::{BackgroundClient, PromptClient};
use adeval_sdk::{Creative, Kind, Placement, PluginError, Product, PromptSample};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::Mutex;

/// What to render.
#[derive(Debug, Clone)]
pub struct RenderJob {
    /// A suite of one entry (or more), whose size, seed and samples count.
    pub suite: Suite,
    /// The products.
    pub products: Vec<Product>,
    /// This prompt in place of a prompt generator's.
    pub prompt: Option<String>,
    /// Folder of the files, made when absent.
    pub out: PathBuf,
}

/// One creative, and what its sidecar says.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct Rendered {
    /// Id of the entry.
    pub entry: String,
    /// Id of the product.
    pub product: String,
    /// Which of the samples.
    pub sample: u32,
    /// The PNG; absent when it failed.
    pub image: Option<PathBuf>,
    /// The prompt; absent when it failed.
    pub prompt: Option<String>,
    /// Where the product is.
    pub placement: Option<Placement>,
    /// Seed of the background generator.
    pub seed: u64,
    /// Component of the prompts.
    pub prompt_generator: Option<String>,
    /// Component of the background.
    pub background_generator: String,
    /// Its library and version.
    pub library: String,
    /// Its parameters.
    pub parameters: serde_json::Value,
    /// Wall time of the background in the plugin, in seconds.
    pub seconds: Option<f64>,
    /// Why it failed.
    pub error: Option<String>,
}

struct Wanted<'a> {
    product: &'a Product,
    sample: u32,
    prompt: Result<String, PluginError>,
}

/// Renders creatives; one that fails is reported in its place.
///
/// # Errors
/// When a component is unknown or cannot be opened, or a file cannot be written.
pub fn render(job: &RenderJob, services: &Services<'_>) -> Result<Vec<Rendered>, BenchError> {
    let mut rendered = Vec::new();
    for entry in &job.suite.entries {
        rendered.extend(render_entry(job, entry, services)?);
    }
    Ok(rendered)
}

fn render_entry(
    job: &RenderJob,
    entry: &Entry,
    services: &Services<'_>,
) -> Result<Vec<Rendered>, BenchError> {
    let user = |step: &str| format!("entry \"{}\": {step}", entry.id);
    let (kind, used) = (Kind::BackgroundGenerator, entry.background.component());
    let background = PlannedComponent::new(&job.suite, kind, user("background"), &used, services)?;
    background.caveat().iter().for_each(|caveat| services.progress.warn(caveat));
    let wanted = prompts(job, entry, services)?;
    let client = BackgroundClient::new(open(&background, services)?.endpoint());
    services.progress.stage(&format!("{}: creatives", entry.id), wanted.len());
    let request = |w: &Wanted<'_>| {
        let prompt = w.prompt.as_ref().map_err(Clone::clone)?;
        Ok(background_request(&job.suite, &entry.background, w.product, w.sample, prompt))
    };
    let rendered = Mutex::new(Vec::new());
    let keep = |done: Vec<Done<Wanted<'_>, Creative>>| {
        for (wanted, result, seconds) in done {
            let one = write(job, entry, &background.usage, wanted, result, seconds)?;
            rendered.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(one);
        }
        Ok(())
    };
    pump(
        batches(wanted, CREATIVE_BATCH),
        services,
        &Clock::default(),
        |items| items.iter().map(request).collect(),
        |requests, cx| client.generate(&cloned(requests), cx),
        keep,
    )?;
    Ok(rendered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn open(
    component: &PlannedComponent,
    services: &Services<'_>,
) -> Result<Box<dyn super::OpenComponent>, BenchError> {
    let failed = |error| BenchError::Plugin { user: component.user.clone(), error };
    component.open(services, None).map_err(failed)
}

/// Every creative that is wanted, with its prompt.
fn prompts<'a>(
    job: &'a RenderJob,
    entry: &Entry,
    services: &Services<'_>,
) -> Result<Vec<Wanted<'a>>, BenchError> {
    let suite = &job.suite;
    let all = |product: &'a Product, of: &dyn Fn(u32) -> Result<String, PluginError>| {
        let wanted = |sample| Wanted { product, sample, prompt: of(sample) };
        (0..suite.samples).map(wanted).collect::<Vec<_>>()
    };
    if let Some(prompt) = &job.prompt {
        return Ok(job.products.iter().flat_map(|p| all(p, &|_| Ok(prompt.clone()))).collect());
    }
    let (kind, used) = (Kind::PromptGenerator, entry.prompt.component());
    let user = format!("entry \"{}\": prompt", entry.id);
    let generator = PlannedComponent::new(suite, kind, user, &used, services)?;
    generator.caveat().iter().for_each(|caveat| services.progress.warn(caveat));
    let client = PromptClient::new(open(&generator, services)?.endpoint());
    services.progress.stage(&format!("{}: prompts", entry.id), job.products.len());
    let request = |product: &&Product| Ok(prompt_request(suite, &entry.prompt, product));
    let wanted = Mutex::new(Vec::new());
    let keep = |done: Vec<Done<&'a Product, Vec<PromptSample>>>| {
        let mut wanted = wanted.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (product, result, _) in done {
            let of = |sample: u32| result.clone().map(|samples| samples[sample as usize].text.clone());
            wanted.extend(all(product, &of));
        }
        Ok(())
    };
    pump(
        batches(job.products.iter().collect(), PROMPT_BATCH),
        services,
        &Clock::default(),
        |items| items.iter().map(request).collect(),
        |requests, cx| client.generate(&cloned(requests), cx),
        keep,
    )?;
    Ok(wanted.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn write(
    job: &RenderJob,
    entry: &Entry,
    used: &ComponentUse,
    wanted: Wanted<'_>,
    result: Result<Creative, PluginError>,
    seconds: f64,
) -> Result<Rendered, BenchError> {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String =
        format!("{}-{}-{}", wanted.product.id, entry.id, wanted.sample).chars().map(plain).collect();
    let path = job.out.join(format!("{name}.png"));
    let mut rendered = Rendered {
        entry: entry.id.clone(),
        product: wanted.product.id.clone(),
        sample: wanted.sample,
        image: None,
        prompt: wanted.prompt.ok(),
        placement: None,
        seed: background_seed(&job.suite, &wanted.product.id, wanted.sample),
        prompt_generator: job.prompt.is_none().then(|| entry.prompt.plugin.clone()),
        background_generator: used.component.clone(),
        library: format!("{} {}", used.library, used.version),
        parameters: used.parameters.clone(),
        seconds: None,
        error: None,
    };
    match result {
        Err(error) => rendered.error = Some(error.to_string()),
        Ok(creative) => {
            let image = &creative.image;
            let png = encode_png(image.width(), image.height(), image.bytes())
                .map_err(|e| BenchError::write(&path)(std::io::Error::other(e)))?;
            write_whole(&path, &png)?;
            rendered.image = Some(path);
            rendered.placement = Some(creative.placement);
            rendered.seconds = Some(seconds);
        }
    }
    write_json(&job.out.join(format!("{name}.json")), &rendered)?;
    Ok(rendered)
}

//! Creatives of products for people: a PNG and a JSON sidecar each.

use super::generate::{batches, cloned};
use super::plan::PlannedComponent;
use super::pump::{Clock, Done, pump};
use super::{BenchError, Services};
use crate::store::{ComponentUse, encode_png, write_json, write_whole};
use crate::suite::{Entry, Suite};
use adeval_sdk::client::{BackgroundClient, PromptClient};
use adeval_sdk::{
    BackgroundRequest, Creative, Kind, Placement, PluginError, Product, PromptRequest, PromptSample, rng,
};
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
    seed: u64,
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
    let mut notes = Vec::new();
    let (kind, used) = (Kind::BackgroundGenerator, entry.background.component());
    let background =
        PlannedComponent::new(&job.suite, kind, user("background"), &used, services, &mut notes)?;
    let wanted = prompts(job, entry, services, &mut notes)?;
    notes.iter().for_each(|note| services.progress.warn(note));
    let client = BackgroundClient::new(open(&background, services)?.endpoint());
    services.progress.stage(&format!("{}: creatives", entry.id), wanted.len());
    let step = &entry.background;
    let request = |w: &Wanted<'_>| {
        let prompt = w.prompt.clone()?;
        Ok(BackgroundRequest {
            negative_prompt: step.negative_prompt.clone(),
            width: job.suite.size[0],
            height: job.suite.size[1],
            steps: step.steps,
            guidance: step.guidance,
            control_strength: step.control_strength,
            ..BackgroundRequest::new(w.product.clone(), prompt, w.seed)
        })
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
        batches(wanted, 8),
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
    let PlannedComponent { kind, user, environment, usage } = component;
    services
        .plugins
        .open(*kind, &usage.component, &usage.parameters, environment, None)
        .map_err(|error| BenchError::Plugin { user: user.clone(), error })
}

/// Every creative that is wanted, with its prompt.
fn prompts<'a>(
    job: &'a RenderJob,
    entry: &Entry,
    services: &Services<'_>,
    notes: &mut Vec<String>,
) -> Result<Vec<Wanted<'a>>, BenchError> {
    let suite = &job.suite;
    let seed = |product: &Product, sample: u32| {
        rng::derive(suite.seed, &["background", &product.id, &sample.to_string()])
    };
    let all = |product: &'a Product, of: &dyn Fn(u32) -> Result<String, PluginError>| {
        let wanted = |sample| Wanted { product, sample, prompt: of(sample), seed: seed(product, sample) };
        (0..suite.samples).map(wanted).collect::<Vec<_>>()
    };
    if let Some(prompt) = &job.prompt {
        return Ok(job.products.iter().flat_map(|p| all(p, &|_| Ok(prompt.clone()))).collect());
    }
    let (kind, used) = (Kind::PromptGenerator, entry.prompt.component());
    let user = format!("entry \"{}\": prompt", entry.id);
    let generator = PlannedComponent::new(suite, kind, user, &used, services, notes)?;
    let client = PromptClient::new(open(&generator, services)?.endpoint());
    services.progress.stage(&format!("{}: prompts", entry.id), job.products.len());
    let request = |product: &&Product| {
        let mut request =
            PromptRequest::new((*product).clone(), rng::derive(suite.seed, &["prompt", &product.id]));
        request.samples = suite.samples;
        request.temperature = entry.prompt.temperature;
        request.top_p = entry.prompt.top_p;
        request.max_tokens = entry.prompt.max_tokens;
        Ok(request)
    };
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
        batches(job.products.iter().collect(), 32),
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
        seed: wanted.seed,
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

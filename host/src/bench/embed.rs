//! Features of pictures outside a suite, as a bench would compute them, with a cache on disk.

use super::generate::{batches, cloned};
use super::keys::{key, weights_hash};
use super::measure::{EMBED_BATCH, load_rgb};
use super::plan::PlannedComponent;
use super::pump::{Caller, Clock, Done, Opener, pump};
use super::{BenchError, Services};
use crate::store::{sharded, write_whole};
use crate::suite::{Component, Suite};
use adeval_sdk::client::EmbedderClient;
use adeval_sdk::{CallContext, EmbedRequest, Embedding, EncoderInfo, Kind, PluginError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// Pictures to embed.
#[derive(Debug, Clone)]
pub struct EmbedJob {
    /// The embedder.
    pub embedder: Component,
    /// The pictures.
    pub images: Vec<PathBuf>,
    /// Folder of features by the hashes of the picture and of the embedder with its weights and parameters.
    pub cache: Option<PathBuf>,
}

/// What became of the pictures.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// The encoder.
    pub encoder: EncoderInfo,
    /// Hash of the embedder, its weights and its parameters.
    pub fingerprint: String,
    /// One for each picture, in order.
    pub features: Vec<Result<Vec<f32>, PluginError>>,
    /// How many came from the cache.
    pub cached: usize,
}

/// Embeds pictures. A picture that fails costs its own features only. None after a wish to stop; what was computed until
/// then is in the cache.
///
/// # Errors
/// When the embedder is not found or cannot be opened, and when the cache cannot be written.
pub fn embed(job: &EmbedJob, services: &Services<'_>) -> Result<Option<Embedded>, BenchError> {
    let suite = Suite::of_entries("features", Path::new("."), Vec::new());
    let planned =
        PlannedComponent::new(&suite, Kind::ImageEmbedder, "embedder".into(), &job.embedder, services)?;
    planned.caveat().into_iter().for_each(|note| services.progress.warn(&note));
    let failed = |error: PluginError| BenchError::Plugin { user: "embedder".into(), error };
    let usage = &planned.usage;
    let opened = services.plugins.open(
        Kind::ImageEmbedder,
        &usage.component,
        &usage.parameters,
        &planned.environment,
        None,
        &CallContext::new(&Opener(services)),
    );
    let open = opened.map_err(failed)?;
    let client = EmbedderClient::new(open.endpoint());
    let encoder = client.describe(&CallContext::new(&Caller(services))).map_err(failed)?;
    let fingerprint = fingerprint(&planned)?;
    let cache = job.cache.as_deref().map(|folder| Cache { folder, fingerprint: &fingerprint });
    let mut features: Vec<Option<Result<Vec<f32>, PluginError>>> = vec![None; job.images.len()];
    let mut missing = Vec::new();
    for (at, path) in job.images.iter().enumerate() {
        // What cannot be read is not in the cache; loading it says why.
        let place = cache.as_ref().and_then(|cache| Some(cache.place(&std::fs::read(path).ok()?)));
        match place.as_deref().and_then(|place| read(place, encoder.dimension as usize)) {
            Some(vector) => features[at] = Some(Ok(vector)),
            None => missing.push((at, path.clone(), place)),
        }
    }
    let cached = job.images.len() - missing.len();
    services.progress.stage("features", missing.len());
    let found = Mutex::new(&mut features);
    let keep = |done: Vec<Done<Item, Embedding>>| {
        let mut found = found.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for ((at, _, place), result, _) in done {
            if let (Some(place), Ok(embedding)) = (place, &result) {
                let bytes: Vec<u8> = embedding.vector.iter().flat_map(|v| v.to_le_bytes()).collect();
                write_whole(&place, &bytes)?;
            }
            found[at] = Some(result.map(|embedding| embedding.vector));
        }
        Ok(())
    };
    let load = |items: &[Item]| items.iter().map(|(_, path, _)| request(path)).collect();
    let call = |requests: &[&EmbedRequest], cx: &CallContext<'_>| client.embed(&cloned(requests), cx);
    pump(batches(missing, EMBED_BATCH), services, &Clock::default(), load, call, keep)?;
    if services.cancel.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let features = features.into_iter().flatten().collect();
    Ok(Some(Embedded { encoder, fingerprint, features, cached }))
}

/// The component's fingerprint and the contents of the files that its parameters name: a path may hold other weights tomorrow.
fn fingerprint(planned: &PlannedComponent) -> Result<String, BenchError> {
    let mut parts = vec![planned.usage.fingerprint.clone()];
    for value in planned.usage.parameters.as_object().into_iter().flat_map(|parameters| parameters.values()) {
        let Some(path) = value.as_str().map(Path::new).filter(|path| path.exists()) else { continue };
        parts.push(weights_hash(path).map_err(BenchError::read(path))?);
    }
    Ok(key(&parts.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// Number of a picture, its file, and its place in the cache.
type Item = (usize, PathBuf, Option<PathBuf>);

fn request(path: &Path) -> Result<EmbedRequest, PluginError> {
    load_rgb(path).map(|rgb| EmbedRequest { image: rgb.into(), spatial: false })
}

struct Cache<'a> {
    folder: &'a Path,
    fingerprint: &'a str,
}

impl Cache<'_> {
    fn place(&self, image: &[u8]) -> PathBuf {
        let key = key(&["features", self.fingerprint, blake3::hash(image).to_hex().as_str()]);
        sharded(self.folder, &key, "f32")
    }
}

/// A vector of the cache; none where the file is missing or has another length.
fn read(place: &Path, dimension: usize) -> Option<Vec<f32>> {
    let bytes = std::fs::read(place).ok().filter(|bytes| bytes.len() == 4 * dimension)?;
    Some(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
}

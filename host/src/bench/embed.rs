//! Features of pictures outside a suite, as a bench would compute them, with a cache on disk.

use super::generate::{batches, cloned};
use super::look::Named;
use super::measure::{EMBED_BATCH, embed_request};
use super::plan::features_key;
use super::pump::{Caller, Clock, Done, pump};
use super::{BenchError, Services};
use crate::store::{sharded, write_whole};
use crate::suite::Component;
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
    let failed = |error: PluginError| BenchError::Plugin { user: "embedder".into(), error };
    let Named { planned, open } = Named::open(Kind::ImageEmbedder, "embedder", &job.embedder, services)?;
    let client = EmbedderClient::new(open.endpoint());
    let encoder = client.describe(&CallContext::new(&Caller(services))).map_err(failed)?;
    let place = |image: &[u8]| {
        let key = features_key(&planned, blake3::hash(image).to_hex().as_str());
        job.cache.as_deref().map(|folder| sharded(folder, &key, "f32"))
    };
    let mut features: Vec<Option<Result<Vec<f32>, PluginError>>> = vec![None; job.images.len()];
    let mut missing = Vec::new();
    for (at, path) in job.images.iter().enumerate() {
        // What cannot be read is not in the cache; loading it says why.
        let place = std::fs::read(path).ok().and_then(|image| place(&image));
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
    let load = |items: &[Item]| items.iter().map(|(_, path, _)| embed_request(path)).collect();
    let call = |requests: &[&EmbedRequest], cx: &CallContext<'_>| client.embed(&cloned(requests), cx);
    pump(batches(missing, EMBED_BATCH), services, &Clock::default(), load, call, keep)?;
    if services.cancel.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let features = features.into_iter().flatten().collect();
    Ok(Some(Embedded { encoder, fingerprint: planned.usage.fingerprint.clone(), features, cached }))
}

/// Number of a picture, its file, and its place in the cache.
type Item = (usize, PathBuf, Option<PathBuf>);

/// A vector of the cache; none where the file is missing or has another length.
fn read(place: &Path, dimension: usize) -> Option<Vec<f32>> {
    let bytes = std::fs::read(place).ok().filter(|bytes| bytes.len() == 4 * dimension)?;
    Some(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
}

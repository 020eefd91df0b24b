//! What all components do alike: pictures go through the network in groups, and one that cannot be embedded costs itself only.

use adeval_candle::plugin_error;
use adeval_models::ModelError;
use adeval_sdk::prelude::*;
use image::RgbImage;

/// Images that go through a network together; between two such groups the host may stop the call.
pub const GROUP: usize = 8;

/// The answer to a batch, from a network that makes vectors of pictures. `component` is the name that messages give it.
pub fn pooled(
    component: &str,
    requests: &[EmbedRequest],
    cx: &CallContext<'_>,
    network: impl Fn(&[&RgbImage]) -> adeval_models::Result<Vec<Vec<f32>>>,
) -> Vec<Result<Embedding>> {
    let mut embeddings = Vec::with_capacity(requests.len());
    for group in requests.chunks(GROUP) {
        match cx.check() {
            Ok(()) => embeddings.extend(together(component, group, &network)),
            Err(stop) => embeddings.extend(group.iter().map(|_| Err(stop.clone()))),
        }
        cx.progress(embeddings.len() as f32 / requests.len() as f32, "embedding");
    }
    embeddings
}

fn together(
    component: &str,
    requests: &[EmbedRequest],
    network: &impl Fn(&[&RgbImage]) -> adeval_models::Result<Vec<Vec<f32>>>,
) -> Vec<Result<Embedding>> {
    let pictures: Vec<_> = requests.iter().filter(|r| !r.spatial).map(|r| r.image.to_rgb()).collect();
    let vectors = match vectors(&pictures.iter().collect::<Vec<_>>(), network) {
        Ok(vectors) => vectors,
        // One of them is at fault: alone each gets its own answer.
        Err(_) if requests.len() > 1 => {
            return requests.chunks(1).flat_map(|one| together(component, one, network)).collect();
        }
        Err(error) => return vec![Err(error)],
    };
    let mut vectors = vectors.into_iter();
    let answer = |request: &EmbedRequest| {
        if request.spatial {
            let message = format!("{component} gives pooled features only, no spatial ones");
            return Err(PluginError::unsupported(message));
        }
        let vector = vectors.next().unwrap_or_default();
        Ok(Embedding { vector, spatial: Vec::new() })
    };
    requests.iter().map(answer).collect()
}

fn vectors(
    pictures: &[&RgbImage],
    network: &impl Fn(&[&RgbImage]) -> adeval_models::Result<Vec<Vec<f32>>>,
) -> Result<Vec<Vec<f32>>> {
    if pictures.is_empty() {
        return Ok(Vec::new());
    }
    let vectors = network(pictures).map_err(plugin_error)?;
    vectors.iter().try_for_each(|vector| finite(vector))?;
    Ok(vectors)
}

/// An error for features that hold NaN or infinity.
pub fn finite(vector: &[f32]) -> Result<()> {
    if vector.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    let mend = "the weights do not belong to this network, or need precision f32";
    Err(plugin_error(ModelError::Numerical { what: "the features", mend }))
}

/// The answer to one request.
pub fn single(answers: Vec<Result<Embedding>>) -> Result<Embedding> {
    answers.into_iter().next().unwrap_or_else(|| {
        Err(PluginError::violation("one image was passed and no embedding came back".to_owned()))
    })
}

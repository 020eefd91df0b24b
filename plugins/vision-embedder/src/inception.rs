//! The component `inception-v3-fid`.

use std::path::{Path, PathBuf};

use adeval_candle::{device, plugin_error};
use adeval_models::inception::{self, FEATURES, InceptionV3, SHA256_2015};
use adeval_sdk::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch;

const ID: &str = "inception-v3-fid";

/// How a picture becomes one of 299 x 299 pixels. Numbers of one way are not comparable with those of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// TensorFlow 1's bilinear, not antialiased: what FID, torch-fidelity and most papers have.
    #[default]
    Legacy,
    /// Pillow's bicubic on floats, antialiased: Clean-FID.
    Clean,
}

impl From<Resize> for inception::Resize {
    fn from(resize: Resize) -> Self {
        match resize {
            Resize::Legacy => Self::Legacy,
            Resize::Clean => Self::Clean,
        }
    }
}

/// Parameters of `inception-v3-fid`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InceptionParameters {
    /// pt_inception-2015-12-05-6726825d.pth, or another file (.pth, .safetensors) of the same tensors. Only with the very
    /// file is the distance called FID.
    pub weights: Option<PathBuf>,
    /// How a picture becomes one of 299 x 299 pixels: `legacy` for FID, `clean` for Clean-FID.
    pub resize: Resize,
}

/// The Inception-v3 of FID as an image embedder.
pub struct InceptionV3Fid {
    model: InceptionV3,
    path: PathBuf,
    /// Whether the weights are those of 2015, by the sum of their file.
    published: bool,
    resize: Resize,
}

impl Component for InceptionV3Fid {
    type Parameters = InceptionParameters;

    fn info() -> ComponentInfo {
        let mut info = ComponentInfo::new(ID, "The Inception-v3 of FID: 2048 pooled features, 299x299")
            .weights(
                "none inside: the parameter weights names pt_inception-2015-12-05-6726825d.pth, Apache-2.0",
            );
        info.devices.extend(device::extra());
        info
    }

    fn create(parameters: InceptionParameters, environment: &Environment) -> Result<Self> {
        let device = device::open(&environment.device)?;
        let path = parameters.weights.as_ref().or(environment.weights.as_ref()).ok_or_else(missing)?;
        let (model, published) = InceptionV3::load_file(path, &device).map_err(plugin_error)?;
        Ok(Self { model, path: path.clone(), published, resize: parameters.resize })
    }
}

fn missing() -> PluginError {
    let message = format!("{ID} has no weights of its own, and none are named");
    let hint = format!(
        "set the parameter weights to pt_inception-2015-12-05-6726825d.pth (91 MiB, SHA-256 {}...), which the projects \
         pytorch-fid and torch-fidelity publish among the releases of their repositories",
        &SHA256_2015[..16]
    );
    PluginError::new(ErrorKind::MissingWeights, message).with_hint(hint)
}

impl InceptionV3Fid {
    /// Features of other weights or of the other way to resize are not comparable, so the name, which metrics carry, tells them
    /// apart.
    fn name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        match (self.published, self.resize) {
            (true, Resize::Legacy) => EncoderInfo::FID.to_owned(),
            (true, Resize::Clean) => EncoderInfo::CLEAN_FID.to_owned(),
            (false, Resize::Legacy) => format!("Inception-v3({stem})"),
            (false, Resize::Clean) => format!("Inception-v3({stem}, clean)"),
        }
    }
}

impl ImageEmbedder for InceptionV3Fid {
    fn describe(&self) -> EncoderInfo {
        let weights = if self.published { "the weights of 2015-12-05".into() } else { shown(&self.path) };
        let resize = match self.resize {
            Resize::Legacy => "bilinear as TensorFlow 1",
            Resize::Clean => "bicubic as Clean-FID (Pillow on floats, antialiased)",
        };
        let preprocessing = format!(
            "Inception-v3 of FID, {weights}, pooled 2048-d; 8-bit sRGB, both sides to 299 by {resize}, (value - 128) / 128"
        );
        EncoderInfo { name: self.name(), dimension: FEATURES as u32, preprocessing }
    }

    fn embed(&self, request: &EmbedRequest, cx: &CallContext<'_>) -> Result<Embedding> {
        batch::single(self.embed_batch(std::slice::from_ref(request), cx))
    }

    fn embed_batch(&self, requests: &[EmbedRequest], cx: &CallContext<'_>) -> Vec<Result<Embedding>> {
        batch::pooled(ID, requests, cx, |pictures| {
            let input = inception::preprocess(pictures, self.resize.into(), self.model.device())?;
            Ok(self.model.forward(&input)?.features.to_vec2()?)
        })
    }
}

fn shown(path: &Path) -> String {
    format!("weights {}", path.display())
}

//! The component `lpips`: the maps whose squared differences are LPIPS or ST-LPIPS.

use std::path::{Path, PathBuf};

use adeval_candle::{device, plugin_error};
use adeval_models::lpips::{self, Lpips};
use adeval_models::tensors::Source;
use adeval_sdk::prelude::*;
use candle_core::{D, DType, Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch;

const ID: &str = "lpips";

/// The classifier whose features are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backbone {
    /// AlexNet, the default of LPIPS.
    #[default]
    Alex,
    /// VGG-16.
    Vgg,
    /// SqueezeNet 1.1; not with `shift_tolerant`.
    Squeeze,
}

impl From<Backbone> for lpips::Backbone {
    fn from(backbone: Backbone) -> Self {
        match backbone {
            Backbone::Alex => Self::Alex,
            Backbone::Vgg => Self::Vgg,
            Backbone::Squeeze => Self::Squeeze,
        }
    }
}

/// Parameters of `lpips`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LpipsParameters {
    /// The classifier whose features are compared.
    pub backbone: Backbone,
    /// Whether it is ST-LPIPS, which forgives shifts of a few pixels.
    pub shift_tolerant: bool,
    /// torchvision's file of the classifier; with `shift_tolerant`, the one file of PyPI stlpips-pytorch.
    pub weights: Option<PathBuf>,
    /// The heads of PyPI lpips (weights/v0.1/alex.pth); not with `shift_tolerant`, whose file has them.
    pub heads: Option<PathBuf>,
}

/// LPIPS as an image embedder.
pub struct LpipsEmbedder {
    model: Lpips,
    parameters: LpipsParameters,
    path: PathBuf,
}

impl Component for LpipsEmbedder {
    type Parameters = LpipsParameters;

    fn info() -> ComponentInfo {
        let mut info = ComponentInfo::new(
            ID,
            "LPIPS and ST-LPIPS: weighted maps of a classifier, whose squared differences are the distance",
        )
        .weights("none inside: weights and heads name files of torchvision, PyPI lpips and PyPI stlpips-pytorch (BSD)");
        info.devices.extend(device::extra());
        info
    }

    fn create(parameters: LpipsParameters, environment: &Environment) -> Result<Self> {
        let device = device::open(&environment.device)?;
        let backbone = parameters.backbone.into();
        let path = parameters.weights.as_ref().or(environment.weights.as_ref()).cloned();
        let path = path.ok_or_else(|| missing(&parameters))?;
        let weights = source(&path, &device)?;
        let model = match (&parameters.heads, parameters.shift_tolerant) {
            (None, true) => Lpips::load_shift_tolerant(backbone, &weights),
            (Some(heads), false) => Lpips::load(backbone, &weights, &source(heads, &device)?),
            (None, false) => return Err(missing(&parameters)),
            (Some(_), true) => {
                return Err(PluginError::invalid_parameters(
                    "heads are named together with shift_tolerant, whose file has its own: leave one of them out",
                ));
            }
        };
        Ok(Self { model: model.map_err(plugin_error)?, parameters, path })
    }
}

fn source(path: &Path, device: &Device) -> Result<Source> {
    Source::open(path, device, DType::F32).map_err(plugin_error)
}

fn missing(parameters: &LpipsParameters) -> PluginError {
    let hint = if parameters.shift_tolerant {
        "set the parameter weights to alex_shift_tolerant.pth or vgg_shift_tolerant.pth of PyPI stlpips-pytorch"
    } else {
        "set the parameter weights to torchvision's file of the backbone (alexnet-owt-7be5be79.pth), and heads to that of PyPI lpips \
         (weights/v0.1/alex.pth)"
    };
    PluginError::new(
        ErrorKind::MissingWeights,
        "lpips has no weights of its own, and not all that it needs are named",
    )
    .with_hint(hint)
}

impl ImageEmbedder for LpipsEmbedder {
    fn describe(&self) -> EncoderInfo {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let name = if self.parameters.shift_tolerant { "ST-LPIPS" } else { "LPIPS" };
        EncoderInfo {
            name: format!("{name}({stem})"),
            dimension: self.model.channels() as u32,
            preprocessing: format!(
                "{name}, {:?}, weights {}; 8-bit sRGB at its own size, value / 127.5 - 1; maps: features of length 1 at each pixel \
                 times the root of their heads' weights; vector: their means over pixels",
                self.parameters.backbone,
                self.path.display()
            ),
        }
    }

    fn embed(&self, request: &EmbedRequest, cx: &CallContext<'_>) -> Result<Embedding> {
        let picture = self.model.prepared(&request.image.to_rgb()).map_err(plugin_error)?;
        let maps = self.model.weighted(&picture, &|| cx.check().is_err()).map_err(plugin_error)?;
        let embedding = embedding(&maps, request.spatial).map_err(|error| plugin_error(error.into()))?;
        batch::finite(&embedding.vector)?;
        Ok(embedding)
    }
}

/// `maps`: (1, channels, height, width) each.
fn embedding(maps: &[Tensor], spatial: bool) -> candle_core::Result<Embedding> {
    let mut embedding = Embedding { vector: Vec::new(), spatial: Vec::new() };
    for map in maps {
        let (_, channels, height, width) = map.dims4()?;
        embedding.vector.extend(map.flatten_from(2)?.mean(D::Minus1)?.flatten_all()?.to_vec1::<f32>()?);
        if spatial {
            embedding.spatial.push(FeatureMap {
                channels: channels as u32,
                height: height as u32,
                width: width as u32,
                values: map.flatten_all()?.to_vec1::<f32>()?.into(),
            });
        }
    }
    Ok(embedding)
}

//! What a path is: a diffusers directory, the folder of one model, a single file, and what it is for.

mod configs;
mod fit;
mod folder;
mod sniff;
mod tensors;
mod weights;

use crate::{CheckpointError, Result, TensorFile};
use serde::Serialize;
use std::fmt::{Display, Formatter};
use std::path::{Path, PathBuf};

pub use configs::stable_diffusion_1;
pub use tensors::Tensors;
pub(crate) use weights::{is_weights, pick};

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The denoising network.
    UNet,
    /// Between pixels and latents.
    Vae,
    /// From a prompt to what the UNet attends to.
    TextEncoder,
    /// From a picture to features: CLIP, which LLaVA sees with and an IP-Adapter attends to, DINOv2, SigLIP, Inception.
    ImageEncoder,
    /// Weighs how far two pictures' features are apart: LPIPS.
    PerceptualDistance,
    /// Steers a UNet by a picture.
    ControlNet,
    /// Goes on with a text.
    LanguageModel,
    /// A language model that sees pictures: tower, projector and decoder.
    Llava,
    /// Low-rank changes of a UNet's or a text encoder's weights.
    Lora,
    /// Lets a UNet attend to a picture.
    IpAdapter,
    /// Vocabulary and merges; no weights.
    Tokenizer,
    /// The schedule's settings; no weights.
    Scheduler,
    /// Sizes and means of pictures; no weights.
    FeatureExtractor,
    /// Blacks out pictures; never loaded here.
    SafetyChecker,
    /// None of these.
    Other,
}

impl Role {
    /// As people write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::UNet => "UNet",
            Self::Vae => "VAE",
            Self::TextEncoder => "text encoder",
            Self::ImageEncoder => "image encoder",
            Self::PerceptualDistance => "perceptual distance",
            Self::ControlNet => "ControlNet",
            Self::LanguageModel => "language model",
            Self::Llava => "LLaVA",
            Self::Lora => "LoRA",
            Self::IpAdapter => "IP-Adapter",
            Self::Tokenizer => "tokenizer",
            Self::Scheduler => "scheduler",
            Self::FeatureExtractor => "feature extractor",
            Self::SafetyChecker => "safety checker",
            Self::Other => "something else",
        }
    }

    /// What a model without a folder of its own is called in a layout.
    pub(crate) fn component_name(self) -> String {
        self.title().to_lowercase().replace([' ', '-'], "_")
    }

    /// Whether it has weight files.
    pub fn has_weights(self) -> bool {
        !matches!(self, Self::Tokenizer | Self::Scheduler | Self::FeatureExtractor)
    }
}

impl Display for Role {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.title())
    }
}

/// Whose names the tensors bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Names {
    /// Those of diffusers and transformers, or the only ones that there are.
    Diffusers,
    /// Those of the model's first publication: CompVis for Stable Diffusion, lllyasviel for ControlNet.
    Original,
    /// Those of kohya's trainer, for LoRA.
    Kohya,
    /// Those of PEFT, for LoRA.
    Peft,
    /// Those of tencent-ailab's IP-Adapter.
    IpAdapter,
    /// Those of OpenAI's CLIP and of OpenCLIP.
    OpenClip,
}

/// The family that a model belongs to, or that an addition was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// Stable Diffusion 1.x, whose UNet attends to 768 numbers a token.
    Sd1,
    /// Stable Diffusion 2.x, 1024 numbers a token.
    Sd2,
    /// Stable Diffusion XL, 2048 numbers a token.
    Sdxl,
    /// The refiner of Stable Diffusion XL, 1280 numbers a token.
    SdxlRefiner,
    /// Stable Diffusion 3 and 3.5.
    Sd3,
    /// FLUX.1.
    Flux,
    /// A UNet of another size, as tests have; with the numbers a token that it attends to.
    Other(u64),
}

impl Base {
    /// By the size of what the cross attention looks at (`attn2.to_k`, `cross_attention_dim`).
    pub fn of_cross_attention(size: u64) -> Self {
        match size {
            768 => Self::Sd1,
            1024 => Self::Sd2,
            2048 => Self::Sdxl,
            1280 => Self::SdxlRefiner,
            other => Self::Other(other),
        }
    }
}

impl Display for Base {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sd1 => f.write_str("Stable Diffusion 1.x"),
            Self::Sd2 => f.write_str("Stable Diffusion 2.x"),
            Self::Sdxl => f.write_str("Stable Diffusion XL"),
            Self::SdxlRefiner => f.write_str("the Stable Diffusion XL refiner"),
            Self::Sd3 => f.write_str("Stable Diffusion 3"),
            Self::Flux => f.write_str("FLUX.1"),
            Self::Other(size) => write!(f, "a UNet with {size} numbers a token"),
        }
    }
}

/// What the denoiser was trained to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// The noise.
    Epsilon,
    /// Velocity: between noise and picture.
    V,
    /// The picture.
    Sample,
}

/// What a path is as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A directory with `model_index.json` and a folder for each component.
    Pipeline,
    /// One file with a whole pipeline's models.
    SingleFile,
    /// The folder of one model: `config.json` and weights.
    ModelFolder,
    /// One file with one model.
    ModelFile,
}

/// A model within a layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// Its folder in a pipeline, or its role.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The class that its configuration or the pipeline's index names; of an image encoder in a single file the network.
    pub class: Option<String>,
    /// Its `config.json` (for tokenizers and schedulers their own), where there is one.
    pub config: Option<PathBuf>,
    /// Its weight files, or the index of them.
    pub files: Vec<PathBuf>,
    /// Whose names its tensors bear.
    pub names: Names,
}

/// A path, recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// The path.
    pub path: PathBuf,
    /// What it is as a whole.
    pub shape: Shape,
    /// The pipeline's class, for a diffusers directory.
    pub class: Option<String>,
    /// The family, where names or shapes tell.
    pub base: Option<Base>,
    /// The tensor or the setting that told it.
    pub evidence: Option<String>,
    /// Channels that the UNet takes: 4, or 9 for one that was trained to inpaint (8 for InstructPix2Pix).
    pub unet_channels: Option<u64>,
    /// What the denoiser says, where something tells.
    pub prediction: Option<Prediction>,
    /// Its models, in the order of their names.
    pub components: Vec<Component>,
    /// What is odd and does not stop loading.
    pub notes: Vec<String>,
}

/// Which of several files is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The variant of weight files, `fp16` for `diffusion_pytorch_model.fp16.safetensors`. Without it the plain files are
    /// taken, and the variant that is there where there are no plain ones.
    pub variant: Option<String>,
    /// A diffusers directory, weights or not, whose configurations a single file is read with, and whose tokenizer and
    /// scheduler are taken. Without it a single file is read as Stable Diffusion 1.x, as its authors published it.
    pub config: Option<PathBuf>,
}

impl Layout {
    /// Says what a path is: reads indices, configurations and headers, and no tensor.
    ///
    /// # Errors
    /// For a path that is not there, files that cannot be read or are truncated, weights that a directory's index asks
    /// for and that are not there, and for files in which no known model is found.
    pub fn recognise(path: impl AsRef<Path>) -> Result<Self> {
        Self::recognise_with(path, &Options::default())
    }

    /// As [`Layout::recognise`], with a choice of files.
    ///
    /// # Errors
    /// As [`Layout::recognise`].
    pub fn recognise_with(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        if path.is_dir() {
            return folder::recognise(path, options);
        }
        if !path.exists() {
            let message = format!("{} does not exist", path.display());
            return Err(CheckpointError::missing(
                message,
                "check the path; `adeval models pull ID` downloads a model",
            ));
        }
        let mut layout = sniff::file(path)?;
        if let Some(folder) = options.config.as_ref().filter(|_| layout.shape == Shape::SingleFile) {
            folder::lend(folder, &mut layout)?;
        }
        Ok(layout)
    }

    /// The first component of this role.
    pub fn get(&self, role: Role) -> Option<&Component> {
        self.components.iter().find(|component| component.role == role)
    }
}

impl Component {
    /// Its tensors, in the names of diffusers and transformers whatever the layout.
    ///
    /// # Errors
    /// For weight files that cannot be read, and a component without any.
    pub fn open(&self) -> Result<Tensors> {
        Tensors::of(self)
    }

    /// The weight files as one, in the names that they bear.
    ///
    /// # Errors
    /// As [`Component::open`].
    pub fn file(&self) -> Result<TensorFile> {
        match self.files.as_slice() {
            [] => {
                let message = format!("the {} {} has no weight files", self.role, self.name);
                Err(CheckpointError::missing(message, "download its .safetensors"))
            }
            [one] => TensorFile::open(one),
            several => TensorFile::from_shards(&several[0], several),
        }
    }

    /// Its configuration: the file beside the weights or of [`Options::config`], or, for a single file of Stable Diffusion 1.x, the one that its
    /// authors published, with what the weights say otherwise (channels, linear projections, cross attention).
    ///
    /// # Errors
    /// For a configuration that cannot be read, and for a model whose configuration is neither there nor known.
    pub fn configuration(&self) -> Result<serde_json::Value> {
        match &self.config {
            Some(path) => configs::read(path),
            None => configs::built_in(self),
        }
    }
}

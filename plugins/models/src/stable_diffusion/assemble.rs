//! A [`Pipeline`] from checkpoints on disk: whatever layout they are published in, with what is added to them.

use std::path::{Path, PathBuf};

use adeval_checkpoints::layout::Options;
use adeval_checkpoints::{Base, CheckpointError, Component, ErrorKind, Layout, Role};
use candle_core::{DType, Device};
use image::RgbImage;
use serde::de::DeserializeOwned;

use super::config::{ControlNetConfig, UNetConfig};
use super::controlnet::{ControlNetModel, MultiControlNet};
use super::ip_adapter::{ImageEmbeds, IpAdapter};
use super::pipeline::{Pipeline, Style, VaeStage};
use super::unet::UNet2DConditionModel;
use super::vae::Vae;
use crate::clip::preprocess::{Edges, ImageProcessor};
use crate::clip::text::TextEncoder;
use crate::clip::tokenizer::ClipTokenizer;
use crate::clip::vision::{VisionConfig, VisionEncoder};
use crate::lora::Lora;
use crate::schedulers::SchedulerConfig;
use crate::tensors::Source;
use crate::{ModelError, Result};

/// What a pipeline is put together from. Every path may be of any layout that [`Layout::recognise`] knows.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// The base: a diffusers directory or a single file of Stable Diffusion 1.x.
    pub checkpoint: PathBuf,
    /// A diffusers directory with the configurations, the tokenizer and the scheduler of a single file that is not Stable
    /// Diffusion 1.5 as published.
    pub config: Option<PathBuf>,
    /// A folder with CLIP's vocabulary and merges, or a `tokenizer.json`, where the checkpoint has none.
    pub tokenizer: Option<PathBuf>,
    /// Another VAE than the checkpoint's.
    pub vae: Option<PathBuf>,
    /// ControlNets, in the order of a job's control pictures.
    pub controls: Vec<PathBuf>,
    /// LoRA files and how strongly each acts; fused into the weights.
    pub loras: Vec<(PathBuf, f64)>,
    /// An IP-Adapter.
    pub adapter: Option<PathBuf>,
    /// CLIP's image encoder for it.
    pub image_encoder: Option<PathBuf>,
    /// A sampler by its short name, in place of the checkpoint's.
    pub sampler: Option<String>,
    /// `fp16` for the files of that variant.
    pub variant: Option<String>,
    /// Whether the VAE is freed while the UNet runs, and loaded again for each use.
    pub free_vae: bool,
}

/// A pipeline with what is around it.
pub struct Assembled {
    /// Ready to render.
    pub pipeline: Pipeline,
    /// For jobs that follow a picture.
    pub styles: Option<StyleEncoder>,
    /// What was odd about the files, in words.
    pub notes: Vec<String>,
}

/// Encodes pictures for an IP-Adapter.
pub struct StyleEncoder {
    encoder: VisionEncoder,
    processor: ImageProcessor,
    wants: ImageEmbeds,
    device: Device,
    dtype: DType,
}

impl StyleEncoder {
    /// Encodes one picture of any size.
    ///
    /// # Errors
    /// [`ModelError::Image`] for a picture without pixels, and failures of the device.
    pub fn encode(&self, picture: &RgbImage) -> Result<Style> {
        let pixels =
            self.processor.forward(std::slice::from_ref(picture), &self.device)?.to_dtype(self.dtype)?;
        let seen = self.encoder.forward(&pixels)?;
        let (embeds, unconditional) = match self.wants {
            // (1, one picture, ...): a prompt may consist of several.
            ImageEmbeds::Pooled => {
                (seen.image_embeds.unsqueeze(1)?, seen.image_embeds.zeros_like()?.unsqueeze(1)?)
            }
            // Not zero states but the states of a grey picture, as the reference takes them.
            ImageEmbeds::Penultimate => {
                let blank = self.encoder.forward(&pixels.zeros_like()?)?;
                (seen.penultimate().unsqueeze(1)?, blank.penultimate().unsqueeze(1)?)
            }
        };
        Ok(Style { embeds, unconditional })
    }
}

/// Loads all parts in `dtype` onto `device`.
///
/// # Errors
/// [`ModelError::Checkpoint`] for files that are missing, damaged or of another base, naming file and key; what the
/// loaders of the networks say; [`ModelError::Config`] for a sampler that is not known.
pub fn assemble(parts: &Parts, device: &Device, dtype: DType) -> Result<Assembled> {
    let place = Place { device, dtype, variant: parts.variant.clone() };
    let base = place.recognise_base(parts)?;
    base.expect_base(&[Base::Sd1])?;
    let loras = parts.loras.iter().map(|(path, strength)| Ok((place.lora(path, &base)?, *strength)));
    let loras = loras.collect::<Result<Vec<(Lora, f64)>>>()?;
    let unet = place.unet(base.component(Role::UNet)?, &loras)?;
    let controls = place.controls(&parts.controls, &base, unet.config())?;
    let adapter =
        parts.adapter.as_deref().map(|path| place.adapter(path, &base, unet.config())).transpose()?;
    let styles = match &adapter {
        Some(adapter) => Some(place.styles(parts.image_encoder.as_deref(), &base, adapter.wants())?),
        None => None,
    };
    let pipeline = Pipeline {
        tokenizer: tokenizer(parts, &base)?,
        text: place.text(base.component(Role::TextEncoder)?, &loras)?,
        vae: place.vae(parts, &base)?,
        unet,
        controls,
        adapter,
        scheduler: scheduler(parts, &base)?,
        device: device.clone(),
        dtype,
    };
    Ok(Assembled { pipeline, styles, notes: base.notes })
}

/// Where weights go, and in which type.
struct Place<'a> {
    device: &'a Device,
    dtype: DType,
    variant: Option<String>,
}

impl Place<'_> {
    fn recognise_base(&self, parts: &Parts) -> Result<Layout> {
        let options = Options { variant: self.variant.clone(), config: parts.config.clone() };
        Ok(Layout::recognise_with(&parts.checkpoint, &options)?)
    }

    fn recognise(&self, path: &Path) -> Result<Layout> {
        let options = Options { variant: self.variant.clone(), ..Options::default() };
        Ok(Layout::recognise_with(path, &options)?)
    }

    fn source(&self, component: &Component) -> Result<Source> {
        Ok(Source::from_checkpoint(component.open()?, self.device, self.dtype))
    }

    fn unet(&self, component: &Component, loras: &[(Lora, f64)]) -> Result<UNet2DConditionModel> {
        let config = UNetConfig::parse(&component.configuration()?.to_string(), &config_path(component))?;
        let mut source = self.source(component)?;
        for (lora, strength) in loras {
            lora.fuse_unet(*strength, &mut source)?;
        }
        UNet2DConditionModel::load(config, &source)
    }

    fn text(&self, component: &Component, loras: &[(Lora, f64)]) -> Result<TextEncoder> {
        let mut source = self.source(component)?;
        for (lora, strength) in loras {
            lora.fuse_text_encoder(*strength, &mut source)?;
        }
        TextEncoder::load(&source, &configuration(component)?)
    }

    fn vae(&self, parts: &Parts, base: &Layout) -> Result<VaeStage> {
        let component = match &parts.vae {
            Some(path) => self.recognise(path)?.component(Role::Vae)?.clone(),
            None => base.component(Role::Vae)?.clone(),
        };
        let (device, dtype) = (self.device.clone(), self.dtype);
        let load = move || {
            let source = Source::from_checkpoint(component.open()?, &device, dtype);
            Vae::load(&source, &configuration(&component)?)
        };
        // Loaded once in any case, so that a wrong file is named now and not after the last step.
        let vae = load()?;
        Ok(if parts.free_vae { VaeStage::OnDemand(Box::new(load)) } else { VaeStage::Kept(Box::new(vae)) })
    }

    fn controls(
        &self,
        paths: &[PathBuf],
        base: &Layout,
        unet: &UNetConfig,
    ) -> Result<Option<MultiControlNet>> {
        let load = |path: &PathBuf| {
            let layout = self.recognise(path)?;
            let component = layout.component(Role::ControlNet)?;
            layout.expect_for(base)?;
            let config = component.configuration()?.to_string();
            let config = ControlNetConfig::parse(&config, &config_path(component))?;
            ControlNetModel::load(config, &self.source(component)?)
        };
        let nets = paths.iter().map(load).collect::<Result<Vec<_>>>()?;
        if nets.is_empty() { Ok(None) } else { MultiControlNet::new(nets, unet).map(Some) }
    }

    fn lora(&self, path: &Path, base: &Layout) -> Result<Lora> {
        let layout = self.recognise(path)?;
        layout.component(Role::Lora)?;
        layout.expect_for(base)?;
        Lora::read(path)
    }

    fn adapter(&self, path: &Path, base: &Layout, unet: &UNetConfig) -> Result<IpAdapter> {
        let layout = self.recognise(path)?;
        let component = layout.component(Role::IpAdapter)?;
        layout.expect_for(base)?;
        IpAdapter::load(unet, &self.source(component)?)
    }

    fn styles(&self, path: Option<&Path>, base: &Layout, wants: ImageEmbeds) -> Result<StyleEncoder> {
        let component = match path {
            Some(path) => self.recognise(path)?.component(Role::ImageEncoder)?.clone(),
            None => base.component(Role::ImageEncoder).map_err(|_| missing_encoder(base))?.clone(),
        };
        let config: VisionConfig = configuration(&component)?;
        let side = u32::try_from(config.image_size).unwrap_or(u32::MAX);
        Ok(StyleEncoder {
            encoder: VisionEncoder::load(&self.source(&component)?, &config)?,
            processor: ImageProcessor {
                size: Edges::Shortest { shortest_edge: side },
                crop_size: Edges::Both { height: side, width: side },
                ..ImageProcessor::default()
            },
            wants,
            device: self.device.clone(),
            dtype: self.dtype,
        })
    }
}

fn missing_encoder(base: &Layout) -> ModelError {
    let message = format!("an IP-Adapter needs CLIP's image encoder, and {} has none", base.path.display());
    let mend = "name it too: the folder models/image_encoder of h94/IP-Adapter";
    CheckpointError::new(ErrorKind::Missing, message, mend).into()
}

fn configuration<T: DeserializeOwned>(component: &Component) -> Result<T> {
    serde_json::from_value(component.configuration()?)
        .map_err(|e| ModelError::Config { path: config_path(component), reason: e.to_string() })
}

/// What messages about a configuration name.
fn config_path(component: &Component) -> PathBuf {
    let path = component.config.as_ref().or(component.files.first());
    path.cloned().unwrap_or_else(|| component.name.clone().into())
}

fn tokenizer(parts: &Parts, base: &Layout) -> Result<ClipTokenizer> {
    if let Some(folder) = &parts.tokenizer {
        return ClipTokenizer::from_dir(folder);
    }
    let config = base.get(Role::Tokenizer).and_then(|component| component.config.as_deref());
    if let Some(folder) = config.and_then(Path::parent) {
        return ClipTokenizer::from_dir(folder);
    }
    let beside = base.path.join("tokenizer");
    if beside.is_dir() {
        return ClipTokenizer::from_dir(&beside);
    }
    let message = format!("{} carries no tokenizer", base.path.display());
    let mend = "name a folder with CLIP's vocab.json and merges.txt: `adeval models pull openai/clip-vit-large-patch14`";
    Err(CheckpointError::new(ErrorKind::Missing, message, mend).into())
}

/// The checkpoint's schedule, with another sampler if one is named.
fn scheduler(parts: &Parts, base: &Layout) -> Result<SchedulerConfig> {
    let component = base.get(Role::Scheduler);
    let published = match component.and_then(|c| c.config.as_ref()) {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ModelError::Read { path: path.clone(), source })?;
            SchedulerConfig::from_json(&text)?
        }
        None => SchedulerConfig::named("euler-ancestral")?,
    };
    match &parts.sampler {
        Some(name) => published.with_sampler(name),
        None => Ok(published),
    }
}

//! Diffusers directories, and folders of one model.

use super::{Base, Component, Layout, Names, Options, Prediction, Role, Shape, configs, sniff, weights};
use crate::format::is_below;
use crate::{CheckpointError, ErrorKind, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// OpenCLIP's configuration.
const OPEN_CLIP: &str = "open_clip_config.json";

pub(super) fn recognise(path: &Path, options: &Options) -> Result<Layout> {
    if path.join("model_index.json").is_file() {
        return pipeline(path, options);
    }
    if path.join("config.json").is_file() || path.join(OPEN_CLIP).is_file() {
        return model(path, options);
    }
    let files: Vec<String> =
        weights::listed(path)?.into_iter().filter(|name| weights::is_weights(name)).collect();
    match files.as_slice() {
        [one] => sniff::file(&path.join(one)),
        [] => {
            let message = format!(
                "{} holds neither model_index.json nor config.json, and no weight files",
                path.display()
            );
            Err(CheckpointError::missing(message, "name a diffusers directory, a model's folder, or a file"))
        }
        several => {
            let message =
                format!("{} holds {} weight files: {}", path.display(), several.len(), several.join(", "));
            Err(CheckpointError::new(ErrorKind::Missing, message, "name one of them"))
        }
    }
}

fn pipeline(path: &Path, options: &Options) -> Result<Layout> {
    let index_path = path.join("model_index.json");
    let index = configs::read(&index_path)?;
    let Some(entries) = index.as_object() else {
        return Err(CheckpointError::malformed(&index_path, "not an object of components"));
    };
    let mut layout = Layout {
        path: path.to_owned(),
        shape: Shape::Pipeline,
        class: text(&index, "_class_name"),
        base: None,
        evidence: None,
        unet_channels: None,
        prediction: None,
        components: Vec::new(),
        notes: Vec::new(),
    };
    for (name, entry) in entries {
        let Some(class) = entry.as_array().and_then(|pair| pair.get(1)?.as_str()) else { continue };
        if !is_below(name) {
            return Err(CheckpointError::malformed(
                &index_path,
                format!("the component {name} is outside its folder"),
            ));
        }
        let (component, note) = component(path, name, class, options)?;
        layout.notes.extend(note.map(|note| format!("{name}: {note}")));
        layout.components.push(component);
    }
    layout.components.sort_by(|a, b| a.name.cmp(&b.name));
    tell_base(&mut layout)?;
    Ok(layout)
}

fn component(path: &Path, name: &str, class: &str, options: &Options) -> Result<(Component, Option<String>)> {
    let folder = path.join(name);
    let role = role_of_class(class);
    let config =
        ["config.json", "scheduler_config.json", "tokenizer_config.json", "preprocessor_config.json"]
            .iter()
            .map(|file| folder.join(file))
            .find(|file| file.is_file());
    let (files, note) = match folder.is_dir() {
        _ if !role.has_weights() => (Vec::new(), None),
        true => weights::choose(&folder, options)?,
        // Never loaded, and left out of many downloads.
        false if matches!(role, Role::SafetyChecker | Role::Other) => {
            (Vec::new(), Some("it is not there".into()))
        }
        false => {
            let message = format!(
                "{} lists {name} ({class}), which is not there",
                path.join("model_index.json").display()
            );
            return Err(CheckpointError::missing(message, format!("download the folder {name}")));
        }
    };
    let (name, class) = (name.to_owned(), Some(class.to_owned()));
    Ok((Component { name, role, class, config, files, names: Names::Diffusers }, note))
}

/// Gives the models of a single file the configurations of a diffusers directory, and adds its tokenizer and scheduler.
pub(super) fn lend(folder: &Path, layout: &mut Layout) -> Result<()> {
    for component in &mut layout.components {
        let name = match component.role {
            Role::UNet => "unet",
            Role::Vae => "vae",
            Role::TextEncoder => "text_encoder",
            _ => continue,
        };
        let config = folder.join(name).join("config.json");
        if !config.is_file() {
            let message =
                format!("{} is to configure a {}, and is not there", config.display(), component.role);
            let mend = "name a diffusers directory with a folder for each model (unet, vae, text_encoder); no weights are needed";
            return Err(CheckpointError::missing(message, mend));
        }
        component.config = Some(config);
    }
    for (name, class) in [("tokenizer", "CLIPTokenizer"), ("scheduler", "Scheduler")] {
        if folder.join(name).is_dir() {
            layout.components.push(component(folder, name, class, &Options::default())?.0);
        }
    }
    Ok(())
}

fn role_of_class(class: &str) -> Role {
    match class.trim_start_matches("Flax") {
        c if c.ends_with("SafetyChecker") => Role::SafetyChecker,
        c if c.starts_with("UNet") || c.ends_with("Transformer2DModel") => Role::UNet,
        c if c.starts_with("Autoencoder") => Role::Vae,
        c if c.starts_with("ControlNet") || c.starts_with("MultiControlNet") => Role::ControlNet,
        c if ["CLIPText", "SiglipText", "T5Encoder"].iter().any(|start| c.starts_with(start)) => {
            Role::TextEncoder
        }
        c if c.starts_with("CLIPVision") || c == "CLIPModel" => Role::ImageEncoder,
        c if c.starts_with("Dinov2") || c.starts_with("Siglip") => Role::ImageEncoder,
        // Also its reward models, whose class need not be known.
        c if c.starts_with("Llava") => Role::Llava,
        c if c.ends_with("ForCausalLM") => Role::LanguageModel,
        c if c.contains("Tokenizer") => Role::Tokenizer,
        c if c.ends_with("Scheduler") => Role::Scheduler,
        c if c.ends_with("FeatureExtractor") || c.ends_with("ImageProcessor") => Role::FeatureExtractor,
        _ => Role::Other,
    }
}

fn model(path: &Path, options: &Options) -> Result<Layout> {
    let (files, note) = weights::choose(path, options)?;
    let is_open_clip =
        !path.join("config.json").is_file() || files.iter().any(|file| weights::is_open_clip(file));
    let component = if is_open_clip { open_clip(path, files) } else { of_library(path, files)? };
    let mut layout = Layout {
        path: path.to_owned(),
        shape: Shape::ModelFolder,
        class: None,
        base: None,
        evidence: None,
        unet_channels: None,
        prediction: None,
        components: vec![component],
        notes: note.into_iter().collect(),
    };
    tell_base(&mut layout)?;
    Ok(layout)
}

/// A model as diffusers and transformers save it.
fn of_library(path: &Path, files: Vec<PathBuf>) -> Result<Component> {
    let config_path = path.join("config.json");
    let config = configs::read(&config_path)?;
    let class = text(&config, "_class_name")
        .or_else(|| config["architectures"].as_array().and_then(|a| a.first()?.as_str()).map(str::to_owned));
    let mut component = Component {
        name: String::new(),
        role: class.as_deref().map_or(Role::Other, role_of_class),
        class,
        config: Some(config_path),
        files,
        names: Names::Diffusers,
    };
    if component.role == Role::Other {
        component.role = sniff::role_of(&component.file()?).unwrap_or(Role::Other);
    }
    component.name = component.role.component_name();
    Ok(component)
}

/// A model as OpenCLIP publishes it. Its text encoder is in the same file.
fn open_clip(path: &Path, files: Vec<PathBuf>) -> Component {
    let role = Role::ImageEncoder;
    Component {
        name: role.component_name(),
        role,
        class: Some("OpenCLIP".to_owned()),
        config: Some(path.join(OPEN_CLIP)).filter(|config| config.is_file()),
        files,
        names: Names::OpenClip,
    }
}

/// Base, channels and prediction out of configurations.
fn tell_base(layout: &mut Layout) -> Result<()> {
    let class = layout.class.clone().unwrap_or_default();
    let by_class = [("StableDiffusionXL", Base::Sdxl), ("StableDiffusion3", Base::Sd3), ("Flux", Base::Flux)];
    if let Some((_, base)) = by_class.iter().find(|(start, _)| class.starts_with(start)) {
        layout.base = Some(*base);
        layout.evidence = Some(format!("model_index.json: _class_name {class}"));
    }
    let denoiser = layout.get(Role::UNet).or_else(|| layout.get(Role::ControlNet)).cloned();
    if let Some((component, path)) = denoiser.as_ref().and_then(|c| Some((c, c.config.as_ref()?))) {
        let config = configs::read(path)?;
        if layout.base.is_none() {
            (layout.base, layout.evidence) = base_of(component, path, &config)?.unzip();
        }
        if component.role == Role::UNet {
            layout.unet_channels = config["in_channels"].as_u64();
        }
    }
    let scheduler = layout.get(Role::Scheduler).and_then(|s| s.config.clone());
    layout.prediction = match scheduler {
        Some(path) => prediction(&configs::read(&path)?),
        None => None,
    };
    Ok(())
}

fn base_of(component: &Component, path: &Path, config: &Value) -> Result<Option<(Base, String)>> {
    let file: PathBuf = path.iter().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    let told = |key: &str| format!("{}: {key} {}", file.display(), config[key]);
    if config["addition_embed_type"] == "text_time" {
        return Ok(Some((Base::Sdxl, told("addition_embed_type"))));
    }
    let class = component.class.as_deref().unwrap_or_default();
    if class.starts_with("Flux") || class.starts_with("SD3") {
        let base = if class.starts_with("Flux") { Base::Flux } else { Base::Sd3 };
        return Ok(Some((base, told("_class_name"))));
    }
    match config["cross_attention_dim"].as_u64() {
        Some(size) => Ok(Some((Base::of_cross_attention(size), told("cross_attention_dim")))),
        None => Ok(sniff::base_of(&component.file()?)),
    }
}

fn prediction(config: &Value) -> Option<Prediction> {
    match config["prediction_type"].as_str() {
        Some("epsilon") | None => Some(Prediction::Epsilon),
        Some("v_prediction") => Some(Prediction::V),
        Some("sample") => Some(Prediction::Sample),
        Some(_) => None,
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(str::to_owned)
}

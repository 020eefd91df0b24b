//! A whole LLaVA: pictures and words in, hidden states and scores of words out.

use std::path::Path;

use adeval_checkpoints::layout::{Layout, Role};
use candle_core::{DType, Device, Tensor};
use image::RgbImage;

use super::config::{ImageToken, LlavaConfig};
use super::features::Features;
use super::grid::Extent;
use super::image::LlavaImageProcessor;
use super::prompt::LlavaPrompt;
use super::reward::Heads;
use crate::decoder::{Architecture, Decoder, Pass};
use crate::language::{ChatTemplate, Conversation, LanguageTokenizer, Message, Rendering};
use crate::tensors::{Source, Weights};
use crate::{ModelError, Result};

/// How a checkpoint is loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions<'a> {
    /// Where to.
    pub device: Device,
    /// As what; on a processor float32 is by far the fastest.
    pub dtype: DType,
    /// The folder of the vision tower, for checkpoints of the original code that only name it.
    pub tower: Option<&'a Path>,
    /// A template of the original code in place of the checkpoint's own: `vicuna_v1`, `mistral_instruct`, `chatml_direct`.
    pub template: Option<&'a str>,
}

impl Default for LoadOptions<'_> {
    fn default() -> Self {
        Self { device: Device::Cpu, dtype: DType::F32, tower: None, template: None }
    }
}

/// Tower, projector, language model and tokenizer.
pub struct Llava {
    config: LlavaConfig,
    features: Features,
    decoder: Decoder,
    tokenizer: LanguageTokenizer,
    template: ChatTemplate,
}

impl Llava {
    /// Loads a checkpoint's folder: that of `transformers` (4 and 5) or of the original code, one file or shards, safetensors or
    /// pickles.
    ///
    /// # Errors
    /// Messages name file, key and what to do: for a language model without pictures, a missing tower or tokenizer, a
    /// vocabulary that does not fit the embedding, a reward model, missing, unexpected and misshapen tensors.
    pub fn load(dir: &Path, options: &LoadOptions) -> Result<Self> {
        let (llava, ()) = Self::load_with(dir, options, true, |root, _| Heads::refuse(root))?;
        Ok(llava)
    }

    /// Loads a checkpoint with heads of its own, which `heads` takes out of the place that it is given; the second argument is
    /// the width of the language model. Unless it `speaks`, it may be without `lm_head`.
    pub(super) fn load_with<T>(
        dir: &Path,
        options: &LoadOptions,
        speaks: bool,
        heads: impl FnOnce(&Weights, usize) -> Result<T>,
    ) -> Result<(Self, T)> {
        let mut config = LlavaConfig::from_dir(dir, options.tower)?;
        let mut tokenizer = LanguageTokenizer::from_dir(dir)?;
        config.image_token.prepare(&mut tokenizer)?;
        let template = template(&config, &tokenizer, options)?;
        let source = open(dir, Role::Llava, options)?;
        let root = source.weights();
        let tied = config.text.tie_word_embeddings || !speaks;
        config.text.tie_word_embeddings = tied && !root.has("lm_head.weight");
        tokenizer.fits(config.text.vocab_size)?;
        let model = root.pp("model");
        let taken = heads(&root, config.text.hidden_size)?;
        let own = model.has("vision_tower.embeddings.class_embedding");
        let tower = if own { None } else { Some(tower(dir, &config, options)?) };
        let place = tower.as_ref().map_or_else(|| model.pp("vision_tower"), Source::weights);
        let features =
            Features::load(config.features.clone(), &place, &model.pp("multi_modal_projector"), &model)?;
        let decoder = Decoder::load(config.text.clone(), &model.pp("language_model"), &root)?;
        finish(&source, tower.as_ref(), features.layers())?;
        Ok((Self { config, features, decoder, tokenizer, template }, taken))
    }

    /// Its settings.
    pub const fn config(&self) -> &LlavaConfig {
        &self.config
    }

    /// Its language model.
    pub const fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Its tokenizer.
    pub const fn tokenizer(&self) -> &LanguageTokenizer {
        &self.tokenizer
    }

    /// Its image processor.
    pub const fn images(&self) -> &LlavaImageProcessor {
        &self.config.images
    }

    /// The embeddings of a picture, (positions, hidden).
    ///
    /// # Errors
    /// As [`LlavaImageProcessor::forward`] and [`Features::forward`].
    pub fn look(&self, picture: &RgbImage) -> Result<Tensor> {
        let prepared = self.config.images.forward(picture, self.decoder.device())?;
        self.features.forward(&prepared)
    }

    /// The text that messages become.
    ///
    /// # Errors
    /// As [`ChatTemplate::render`].
    pub fn render(&self, messages: &[Message], rendering: &Rendering) -> Result<String> {
        let rendering = Rendering { image_token: self.config.image_token.word(), ..rendering.clone() };
        self.template.render(messages, &rendering)
    }

    /// Tokenizes a rendered prompt that shows pictures of `sizes`, in their order.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another number of pictures than places, and for a prompt longer than the language model reads.
    pub fn prompt(&self, text: &str, sizes: &[Extent]) -> Result<LlavaPrompt> {
        let lengths: Vec<usize> = sizes.iter().map(|&size| self.config.features.order(size).len()).collect();
        let (ids, pictures) = self.config.image_token.tokenize(text, &self.tokenizer, &lengths)?;
        if let Some(longest) = self.decoder.config().longest().filter(|&longest| ids.len() > longest) {
            let (all, shown) = (ids.len(), lengths.iter().sum::<usize>());
            return Err(ModelError::Input {
                found: format!(
                    "a prompt of {all} tokens, {shown} of them of pictures, in a context of {longest} (max_position_embeddings)"
                ),
                expected: "a prompt that fits into the context; shorten the text or show fewer pictures",
            });
        }
        Ok(LlavaPrompt { ids, pictures, sizes: sizes.to_vec() })
    }

    /// The embeddings of a prompt, (positions, hidden), with those of its pictures in their places.
    ///
    /// # Errors
    /// [`ModelError::Input`] for pictures that are not those of the prompt, and failures of the device.
    pub fn embed(&self, prompt: &LlavaPrompt, pictures: &[Tensor]) -> Result<Tensor> {
        let fit = prompt.pictures.len() == pictures.len()
            && prompt
                .pictures
                .iter()
                .zip(pictures)
                .all(|(range, picture)| picture.dims().first() == Some(&range.len()));
        if !fit {
            let shapes: Vec<&[usize]> = pictures.iter().map(Tensor::dims).collect();
            return Err(ModelError::Input {
                found: format!("picture embeddings of {shapes:?} for the places {:?}", prompt.pictures),
                expected: "the embeddings of the pictures that the prompt was made for, in their order",
            });
        }
        let (mut parts, mut from) = (Vec::new(), 0);
        for (range, picture) in prompt.pictures.iter().zip(pictures) {
            if range.start > from {
                parts.push(self.decoder.embed(&prompt.ids[from..range.start])?);
            }
            parts.push(picture.to_dtype(self.decoder.dtype())?);
            from = range.end;
        }
        if from < prompt.ids.len() {
            parts.push(self.decoder.embed(&prompt.ids[from..])?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// Hidden states after the last norm, (rows, positions, hidden), of prompts of any lengths; shorter rows are filled up
    /// on their left. Builds no graph.
    ///
    /// # Errors
    /// As [`Decoder::forward`].
    pub fn hidden(&self, embeds: &[Tensor], pass: Pass) -> Result<Tensor> {
        let (batch, starts) = batched(embeds)?;
        self.decoder.forward(&batch, &starts, None, pass)
    }
}

/// Rows of one length, and how many columns each begins with that mean nothing.
fn batched(embeds: &[Tensor]) -> Result<(Tensor, Vec<usize>)> {
    let longest = embeds.iter().map(|row| row.dims()[0]).max().unwrap_or_default();
    let mut starts = Vec::with_capacity(embeds.len());
    let rows = embeds.iter().map(|row| {
        let start = longest - row.dims()[0];
        starts.push(start);
        row.pad_with_zeros(0, start, 0)
    });
    let rows = rows.collect::<candle_core::Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Err(ModelError::Input { found: "no prompt".to_owned(), expected: "at least one" });
    }
    Ok((Tensor::stack(&rows, 0)?, starts))
}

/// The one that is named; the checkpoint's own; that which the original code takes for a language model of this kind. Tokenizers of
/// original checkpoints still bear the template of the language model that was trained further.
fn template(
    config: &LlavaConfig,
    tokenizer: &LanguageTokenizer,
    options: &LoadOptions,
) -> Result<ChatTemplate> {
    if let Some(name) = options.template {
        return ChatTemplate::named(name);
    }
    if let (ImageToken::Id(_), Some(own)) = (&config.image_token, tokenizer.chat_template()?) {
        return Ok(own);
    }
    Ok(ChatTemplate::Conversation(match config.text.architecture {
        Architecture::Llama => Conversation::VicunaV1,
        Architecture::Mistral => Conversation::MistralInstruct,
        Architecture::Qwen2 => Conversation::ChatmlDirect,
    }))
}

fn open(dir: &Path, role: Role, options: &LoadOptions) -> Result<Source> {
    let tensors = Layout::recognise(dir)?.component(role)?.open()?;
    Ok(Source::from_checkpoint(tensors, &options.device, options.dtype))
}

/// The tower that the checkpoint names, from its own folder.
fn tower(dir: &Path, config: &LlavaConfig, options: &LoadOptions) -> Result<Source> {
    let Some(folder) = &config.tower else {
        return Err(ModelError::Unfit {
            label: dir.join("config.json").display().to_string(),
            reason: "the checkpoint names its vision tower (mm_vision_tower) and does not hold it (no tensor \
                     vision_tower.*.embeddings.class_embedding); download that model and name its folder as the vision tower"
                .to_owned(),
        });
    };
    open(folder, Role::ImageEncoder, options)
}

/// Reports every tensor that is missing, misshapen or unexpected; of the tower, `above` layers were loaded.
fn finish(source: &Source, tower: Option<&Source>, above: usize) -> Result<()> {
    if let Some(tower) = tower {
        tower.finish("a CLIP vision tower", |name| {
            let of_words = name.starts_with("text_") || name == "logit_scale";
            of_words || is_unused(name, above) || name.ends_with("projection.weight")
        })?;
    }
    source.finish("LLaVA", |name| name.starts_with("model.vision_tower.") && is_unused(name, above))
}

/// Layers above the last one that is looked at, and the norm behind them.
fn is_unused(name: &str, above: usize) -> bool {
    if name.contains("post_layernorm.") || name.ends_with("position_ids") {
        return true;
    }
    let number = name
        .split_once("encoder.layers.")
        .and_then(|(_, rest)| rest.split('.').next()?.parse::<usize>().ok());
    number.is_some_and(|number| number >= above)
}

//! A whole LLaVA: pictures and words in, hidden states and scores of words out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use adeval_checkpoints::layout::{Layout, Role};
use candle_core::{DType, Device, Tensor, Var};
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
use crate::training::Gradients;
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
    words: Arc<Words>,
    /// All weights, where they are trained.
    variables: BTreeMap<String, Var>,
}

/// Tokenizer and chat template.
struct Words {
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

    /// As [`Llava::load`], with all weights as variables (tower, projector, decoder and head), so that the whole can be trained:
    /// see [`Llava::variables`] and [`Llava::backward`]. Layers of the tower above the last one that is looked at are none.
    ///
    /// # Errors
    /// As [`Llava::load`]; [`ModelError::Unfit`] for a checkpoint whose tower is in another folder.
    pub fn load_trainable(dir: &Path, options: &LoadOptions) -> Result<Self> {
        let (llava, ()) = Self::load_trainable_with(dir, options, true, |root, _| Heads::refuse(root))?;
        Ok(llava)
    }

    /// As [`Llava::load_trainable`], with heads of its own as [`Llava::load_with`]; they are not among its variables.
    pub(super) fn load_trainable_with<T>(
        dir: &Path,
        options: &LoadOptions,
        speaks: bool,
        heads: impl FnOnce(&Weights, usize) -> Result<T>,
    ) -> Result<(Self, T)> {
        let parts = Parts::read(dir, options)?;
        let source = open(dir, Role::Llava, options)?.trainable();
        if !source.weights().has(TOWER) {
            return Err(ModelError::Unfit {
                label: dir.display().to_string(),
                reason: "it does not hold its vision tower, which shall be trained, too; train the adapter, or take a checkpoint \
                         in the layout of transformers"
                    .to_owned(),
            });
        }
        let taken = heads(&source.weights(), parts.config.text.hidden_size)?;
        let mut llava = parts.build(&source, None, speaks)?;
        finish(&source, None, llava.features.layers())?;
        llava.variables = source.variables();
        llava.variables.retain(|name, _| !Heads::has(name));
        Ok((llava, taken))
    }

    /// Another model of this one's settings with these weights, by the names of [`Llava::variables`]: one that computes with the same
    /// operations, so that equal weights give equal bits.
    ///
    /// # Errors
    /// [`ModelError::Keys`] and [`ModelError::Shape`], naming tensors.
    pub fn of_weights(&self, weights: impl IntoIterator<Item = (String, Tensor)>) -> Result<Self> {
        let (device, dtype) = (self.decoder.device(), self.decoder.dtype());
        let source = Source::from_tensors("the weights", weights, device, dtype).trainable();
        let parts = Parts { config: self.config.clone(), words: Arc::clone(&self.words) };
        let mut llava = parts.build(&source, None, true)?;
        finish(&source, None, llava.features.layers())?;
        llava.variables = source.variables();
        Ok(llava)
    }

    /// How many values a checkpoint's weights have, by their headers.
    ///
    /// # Errors
    /// For a folder that is no LLaVA's.
    pub fn values(dir: &Path) -> Result<u64> {
        let source = open(dir, Role::Llava, &LoadOptions::default())?;
        let root = source.weights();
        let shapes = source.names().into_iter().filter_map(|name| root.shape(name));
        Ok(shapes.map(|shape| shape.iter().map(|side| *side as u64).product::<u64>()).sum())
    }

    /// All weights by their names in the layout of transformers 5; none unless it was loaded to be trained.
    pub fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    /// Takes variables that were set into the form that the model runs with.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn refresh(&mut self) -> Result<()> {
        self.decoder.refresh()
    }

    /// Adds the gradient by the embeddings of a prompt, (positions, hidden), to those of what they were made of: embeddings of
    /// tokens, projector and tower. `pictures` are what [`Llava::look`] gave, with their graphs.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn backward(
        &self,
        prompt: &LlavaPrompt,
        pictures: &[Tensor],
        gradient: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<()> {
        let words = |from: usize, to: usize, gradients: &mut Gradients| match to > from {
            true => {
                let part = gradient.narrow(0, from, to - from)?;
                self.decoder.add_by_embeddings(&prompt.ids[from..to], &part, gradients)
            }
            false => Ok(()),
        };
        let mut from = 0;
        for (range, picture) in prompt.pictures.iter().zip(pictures) {
            words(from, range.start, gradients)?;
            from = range.end;
            let part = gradient.narrow(0, range.start, range.len())?.to_dtype(picture.dtype())?;
            let store = (picture * part)?.sum_all()?.backward()?;
            for (name, variable) in &self.variables {
                if let Some(by) = store.get(variable.as_tensor()) {
                    gradients.add(name, by)?;
                }
            }
        }
        words(from, prompt.ids.len(), gradients)?;
        Ok(())
    }

    /// Loads a checkpoint with heads of its own, which `heads` takes out of the place that it is given; the second argument is
    /// the width of the language model. Unless it `speaks`, it may be without `lm_head`.
    pub(super) fn load_with<T>(
        dir: &Path,
        options: &LoadOptions,
        speaks: bool,
        heads: impl FnOnce(&Weights, usize) -> Result<T>,
    ) -> Result<(Self, T)> {
        let parts = Parts::read(dir, options)?;
        let source = open(dir, Role::Llava, options)?;
        let root = source.weights();
        let taken = heads(&root, parts.config.text.hidden_size)?;
        let tower = if root.has(TOWER) { None } else { Some(tower(dir, &parts.config, options)?) };
        let llava = parts.build(&source, tower.as_ref(), speaks)?;
        finish(&source, tower.as_ref(), llava.features.layers())?;
        Ok((llava, taken))
    }

    /// Its settings.
    pub const fn config(&self) -> &LlavaConfig {
        &self.config
    }

    /// Its language model.
    pub const fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Its language model, to put an adapter on.
    pub const fn decoder_mut(&mut self) -> &mut Decoder {
        &mut self.decoder
    }

    /// Its tokenizer.
    pub fn tokenizer(&self) -> &LanguageTokenizer {
        &self.words.tokenizer
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
        self.words.template.render(messages, &rendering)
    }

    /// Tokenizes a rendered prompt that shows pictures of `sizes`, in their order.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another number of pictures than places, and for a prompt longer than the language model reads.
    pub fn prompt(&self, text: &str, sizes: &[Extent]) -> Result<LlavaPrompt> {
        let lengths: Vec<usize> = sizes.iter().map(|&size| self.config.features.order(size).len()).collect();
        let (ids, pictures) = self.config.image_token.tokenize(text, &self.words.tokenizer, &lengths)?;
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

/// Where a checkpoint that holds its tower has it.
const TOWER: &str = "model.vision_tower.embeddings.class_embedding";

/// A checkpoint without its weights.
struct Parts {
    config: LlavaConfig,
    words: Arc<Words>,
}

impl Parts {
    fn read(dir: &Path, options: &LoadOptions) -> Result<Self> {
        let config = LlavaConfig::from_dir(dir, options.tower)?;
        let mut tokenizer = LanguageTokenizer::from_dir(dir)?;
        config.image_token.prepare(&mut tokenizer)?;
        let template = template(&config, &tokenizer, options)?;
        Ok(Self { config, words: Arc::new(Words { tokenizer, template }) })
    }

    /// The model of these weights; what they lack is told by [`finish`].
    fn build(self, source: &Source, tower: Option<&Source>, speaks: bool) -> Result<Llava> {
        let Self { mut config, words } = self;
        let root = source.weights();
        let tied = config.text.tie_word_embeddings || !speaks;
        config.text.tie_word_embeddings = tied && !root.has("lm_head.weight");
        words.tokenizer.fits(config.text.vocab_size)?;
        let model = root.pp("model");
        let place = tower.map_or_else(|| model.pp("vision_tower"), Source::weights);
        let projector = model.pp("multi_modal_projector");
        let features = Features::load(config.features.clone(), &place, &projector, &model)?;
        let decoder = Decoder::load(config.text.clone(), &model.pp("language_model"), &root)?;
        Ok(Llava { config, features, decoder, words, variables: BTreeMap::new() })
    }
}

/// Rows of one length, and how many columns each begins with that mean nothing.
pub(super) fn batched(embeds: &[Tensor]) -> Result<(Tensor, Vec<usize>)> {
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

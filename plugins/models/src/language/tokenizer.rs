//! The tokenizer of a language model: `tokenizer.json` or a sentencepiece model, with what `tokenizer_config.json` says of its
//! special tokens.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokenizers::{AddedToken, Tokenizer};

use super::chat::ChatTemplate;
use crate::tensors::read_config;
use crate::{ModelError, Result};

/// The special tokens by the names that templates know them by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Begins a text.
    pub bos: Option<String>,
    /// Ends an answer.
    pub eos: Option<String>,
    /// Stands where nothing is.
    pub pad: Option<String>,
    /// Stands for what the vocabulary lacks.
    pub unk: Option<String>,
}

impl SpecialTokens {
    /// Those that there are, as `bos_token`, ...
    pub(super) fn named(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("bos_token", &self.bos),
            ("eos_token", &self.eos),
            ("pad_token", &self.pad),
            ("unk_token", &self.unk),
        ];
        all.into_iter().filter_map(|(name, token)| Some((name, token.as_deref()?))).collect()
    }
}

/// What the files beside a tokenizer say.
struct Special {
    tokens: SpecialTokens,
    /// `add_bos_token`.
    begins: bool,
}

impl Special {
    /// Out of `tokenizer_config.json`, then `special_tokens_map.json`.
    fn read(dir: &Path) -> Result<Self> {
        let mut configs = Vec::new();
        for name in ["tokenizer_config.json", "special_tokens_map.json"] {
            let path = dir.join(name);
            if path.is_file() {
                configs.push(read_config::<Value>(&path)?);
            }
        }
        let find = |key: &str| configs.iter().find_map(|config| content(&config[key]));
        let begins = configs.iter().find_map(|config| config["add_bos_token"].as_bool()).unwrap_or(true);
        let (bos, eos, pad, unk) =
            (find("bos_token"), find("eos_token"), find("pad_token"), find("unk_token"));
        Ok(Self { tokens: SpecialTokens { bos, eos, pad, unk }, begins })
    }

    /// Where no file says it, a sentencepiece vocabulary has its usual tokens.
    fn take_usual(&mut self, tokenizer: &Tokenizer) {
        let SpecialTokens { bos, eos, unk, .. } = &mut self.tokens;
        for (token, usual) in [(bos, "<s>"), (eos, "</s>"), (unk, "<unk>")] {
            if token.is_none() && tokenizer.token_to_id(usual).is_some() {
                *token = Some(usual.to_owned());
            }
        }
    }
}

/// A token is written as its text, or as an object with it.
fn content(token: &Value) -> Option<String> {
    token.as_str().or_else(|| token["content"].as_str()).map(str::to_owned)
}

/// A tokenizer with its special tokens.
pub struct LanguageTokenizer {
    tokenizer: Tokenizer,
    special: SpecialTokens,
    path: PathBuf,
    dir: PathBuf,
}

impl LanguageTokenizer {
    /// Reads the tokenizer in a checkpoint's folder: `tokenizer.json`, or the sentencepiece model `tokenizer.model`.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] where there is neither; [`ModelError::Config`] for a file that is none.
    pub fn from_dir(dir: &Path) -> Result<Self> {
        let [json, sentencepiece] = ["tokenizer.json", "tokenizer.model"].map(|name| dir.join(name));
        let mut special = Special::read(dir)?;
        let (path, mut tokenizer) = if json.is_file() {
            let tokenizer = Tokenizer::from_file(&json).map_err(fault(&json))?;
            (json, tokenizer)
        } else if sentencepiece.is_file() {
            let tokenizer = super::sentencepiece::read(&sentencepiece, special.begins)?;
            special.take_usual(&tokenizer);
            (sentencepiece, tokenizer)
        } else {
            return Err(ModelError::Unfit {
                label: dir.display().to_string(),
                reason: "there is no tokenizer.json and no tokenizer.model; download one of them beside the weights"
                    .to_owned(),
            });
        };
        // Prompts are cut and padded by those who know what they hold, not by what the file was saved with.
        tokenizer.with_truncation(None).map_err(fault(&path))?;
        tokenizer.with_padding(None);
        Ok(Self { tokenizer, special: special.tokens, dir: dir.to_owned(), path })
    }

    /// Its special tokens.
    pub const fn special(&self) -> &SpecialTokens {
        &self.special
    }

    /// The file that it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The chat template beside it, if there is one.
    ///
    /// # Errors
    /// As [`ChatTemplate::from_dir`].
    pub fn chat_template(&self) -> Result<Option<ChatTemplate>> {
        ChatTemplate::from_dir(&self.dir, &self.special)
    }

    /// The ids of a text. With `special` the tokenizer adds its begin and end tokens, if it has any, as
    /// `transformers` does by default.
    ///
    /// # Errors
    /// [`ModelError::Input`] if the vocabulary lacks a byte and has no token for what it lacks.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, special).map_err(|error| ModelError::Input {
            found: format!("a text that cannot be tokenized ({error})"),
            expected: "text in the alphabet of the vocabulary",
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a rendered chat: begin and end tokens are added unless the template wrote the first itself.
    ///
    /// # Errors
    /// As [`LanguageTokenizer::encode`].
    pub fn encode_chat(&self, prompt: &str) -> Result<Vec<u32>> {
        let begun = self.special.bos.as_ref().is_some_and(|bos| prompt.starts_with(bos.as_str()));
        self.encode(prompt, !begun)
    }

    /// The text of ids, without special tokens.
    pub fn decode(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids, true).unwrap_or_default()
    }

    /// The id of one token, written as it is in the vocabulary.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// The id that ends an answer.
    pub fn eos(&self) -> Option<u32> {
        self.id(self.special.eos.as_deref()?)
    }

    /// The id that stands where nothing is.
    pub fn pad(&self) -> Option<u32> {
        self.id(self.special.pad.as_deref()?)
    }

    /// One more than the highest id, added tokens included.
    pub fn len(&self) -> usize {
        let ids = self.tokenizer.get_vocab(true).into_values();
        ids.max().map_or(0, |highest| highest as usize + 1)
    }

    /// Whether it knows no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a special token behind the vocabulary, as `add_tokens(.., special_tokens=True)` does, if it is not there.
    ///
    /// # Errors
    /// [`ModelError::Config`] if the tokenizer refuses it.
    pub fn add_special(&mut self, token: &str) -> Result<u32> {
        let added = AddedToken::from(token.to_owned(), true);
        self.tokenizer.add_special_tokens([added]).map_err(|error| ModelError::Config {
            path: self.path.clone(),
            reason: format!("the token {token} cannot be added: {error}"),
        })?;
        self.id(token).ok_or_else(|| ModelError::Config {
            path: self.path.clone(),
            reason: format!("the token {token} was added and is not there"),
        })
    }

    /// Holds the vocabulary against the embedding of the language model. A larger embedding is usual: it is padded to a round
    /// number.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] if a token has no row in the embedding.
    pub fn fits(&self, embeddings: usize) -> Result<()> {
        if self.len() <= embeddings {
            return Ok(());
        }
        let reason = format!(
            "its highest id is {}, but the language model embeds {embeddings} (embed_tokens.weight, vocab_size); take the \
             tokenizer that was published with the weights, or resize the embedding and save both together",
            self.len() - 1
        );
        Err(ModelError::Unfit { label: self.path.display().to_string(), reason })
    }
}

fn fault(path: &Path) -> impl Fn(tokenizers::Error) -> ModelError {
    move |error| ModelError::Config {
        path: path.to_owned(),
        reason: format!("no tokenizer can be read from it: {error}"),
    }
}

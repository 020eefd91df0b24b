//! CLIP's tokenizer: byte-level BPE over lower-cased text, words closed by `</w>`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{Lowercase, NFC, Replace, Sequence as Normalizers};
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use crate::tensors::read_config;
use crate::{ModelError, Result};

/// What becomes one word before BPE: a special token, an English contraction, letters, one digit, or other signs.
const WORDS: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// A tokenizer with its special tokens.
pub struct ClipTokenizer {
    tokenizer: Tokenizer,
    bos: u32,
    eos: u32,
    pad: u32,
    length: usize,
}

impl ClipTokenizer {
    /// Reads the `tokenizer` folder of a diffusers model: `tokenizer.json`, or `vocab.json` with `merges.txt`; the
    /// special tokens from `tokenizer_config.json` and `special_tokens_map.json`, if they are there.
    ///
    /// # Errors
    /// [`ModelError::Read`] or [`ModelError::Config`], naming the file.
    pub fn from_dir(dir: &Path) -> Result<Self> {
        let special = Special::read(dir)?;
        let json = dir.join("tokenizer.json");
        if json.is_file() {
            let tokenizer = Tokenizer::from_file(&json).map_err(fault(&json))?;
            return Self::new(tokenizer, special, &json);
        }
        let (vocabulary, merges) = (dir.join("vocab.json"), dir.join("merges.txt"));
        for path in [&vocabulary, &merges] {
            // The tokenizers crate does not say which of the two it could not open.
            std::fs::metadata(path).map_err(|source| ModelError::Read { path: path.clone(), source })?;
        }
        let tokenizer = from_vocabulary(&vocabulary, &merges, &special).map_err(fault(&vocabulary))?;
        Self::new(tokenizer, special, &vocabulary)
    }

    fn new(mut tokenizer: Tokenizer, special: Special, path: &Path) -> Result<Self> {
        // Chunks are cut and padded here, not by what the file was saved with.
        tokenizer.with_truncation(None).map_err(fault(path))?;
        tokenizer.with_padding(None);
        let tokens = [&special.bos, &special.eos, &special.pad]
            .map(|token| AddedToken { special: true, ..token.clone() });
        tokenizer.add_special_tokens(tokens).map_err(fault(path))?;
        let id = |token: &AddedToken| {
            tokenizer.get_vocab(false).get(&token.content).copied().ok_or_else(|| ModelError::Config {
                path: path.to_owned(),
                reason: format!("the special token {:?} is not in the vocabulary", token.content),
            })
        };
        let (bos, eos, pad) = (id(&special.bos)?, id(&special.eos)?, id(&special.pad)?);
        Ok(Self { bos, eos, pad, length: special.length, tokenizer })
    }

    /// The ids of `text`, without begin, end and padding; as many as there are.
    ///
    /// # Errors
    /// [`ModelError::Input`] if the vocabulary lacks a byte and its unknown token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode_fast(text, false);
        let encoding = encoding.map_err(|e| ModelError::Input {
            found: format!("a text that cannot be tokenized ({e})"),
            expected: "text in the alphabet of the vocabulary",
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of `ids`, lower-cased as it was read; for messages.
    pub fn decode(&self, ids: &[u32]) -> String {
        let text = self.tokenizer.decode(ids, false).unwrap_or_default();
        text.replace("</w>", " ").trim().to_owned()
    }

    /// `ids` between begin and end token, padded to [`ClipTokenizer::length`]; those that do not fit are left out.
    pub fn wrap(&self, ids: &[u32]) -> Vec<u32> {
        let fitting = &ids[..ids.len().min(self.room())];
        let mut row = Vec::with_capacity(self.length);
        row.push(self.bos);
        row.extend_from_slice(fitting);
        row.push(self.eos);
        row.resize(self.length, self.pad);
        row
    }

    /// How many ids fit between begin and end token: 75.
    pub const fn room(&self) -> usize {
        self.length - 2
    }

    /// The length of a padded sequence: 77.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The begin token's id.
    pub const fn bos(&self) -> u32 {
        self.bos
    }

    /// The end token's id.
    pub const fn eos(&self) -> u32 {
        self.eos
    }

    /// The padding's id: the end token in Stable Diffusion 1.5.
    pub const fn pad(&self) -> u32 {
        self.pad
    }
}

fn from_vocabulary(vocabulary: &Path, merges: &Path, special: &Special) -> tokenizers::Result<Tokenizer> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let model = BPE::from_file(&text(vocabulary), &text(merges))
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix("</w>".to_owned())
        .unk_token(special.eos.content.clone())
        .build()?;
    let mut tokenizer = Tokenizer::new(model);
    let spaces = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
    let normalizers = vec![NFC.into(), spaces.into(), Lowercase.into()];
    tokenizer.with_normalizer(Some(Normalizers::new(normalizers)))?;
    let words = Split::new(SplitPattern::Regex(WORDS.to_owned()), SplitDelimiterBehavior::Removed, true)?;
    let bytes = ByteLevel::new(false, true, true);
    tokenizer.with_pre_tokenizer(Some(PreTokenizers::new(vec![words.into(), bytes.into()])));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    Ok(tokenizer)
}

fn fault<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> ModelError {
    let path: PathBuf = path.to_owned();
    move |e| ModelError::Config { path: path.clone(), reason: format!("no CLIP tokenizer: {e}") }
}

/// The special tokens, and the longest sequence.
struct Special {
    bos: AddedToken,
    eos: AddedToken,
    pad: AddedToken,
    length: usize,
}

/// The part of `tokenizer_config.json` and `special_tokens_map.json` that matters.
#[derive(Default, Deserialize)]
struct SpecialFile {
    bos_token: Option<TokenEntry>,
    eos_token: Option<TokenEntry>,
    pad_token: Option<TokenEntry>,
    /// "No limit" is written as 1e30, which is no integer.
    model_max_length: Option<f64>,
    added_tokens_decoder: Option<serde::de::IgnoredAny>,
}

/// A token, as the string alone or with what it matches.
#[derive(Deserialize)]
#[serde(untagged)]
enum TokenEntry {
    Plain(String),
    Full {
        content: String,
        #[serde(default)]
        lstrip: bool,
        #[serde(default)]
        rstrip: bool,
        #[serde(default)]
        single_word: bool,
        #[serde(default)]
        normalized: bool,
    },
}

impl TokenEntry {
    fn token(self) -> AddedToken {
        match self {
            Self::Plain(content) => AddedToken::from(content, true),
            Self::Full { content, lstrip, rstrip, single_word, normalized } => {
                AddedToken::from(content, true)
                    .lstrip(lstrip)
                    .rstrip(rstrip)
                    .single_word(single_word)
                    .normalized(normalized)
            }
        }
    }
}

impl Special {
    /// A limit that no sequence reaches is taken as CLIP's own.
    const LONGEST: usize = 77;

    fn read(dir: &Path) -> Result<Self> {
        let read = |name: &str| -> Result<SpecialFile> {
            let path = dir.join(name);
            if path.is_file() { read_config(&path) } else { Ok(SpecialFile::default()) }
        };
        let config = read("tokenizer_config.json")?;
        // Files of transformers 4.34 and later hold all in the configuration; the map may be a leftover.
        let map = if config.added_tokens_decoder.is_some() {
            SpecialFile::default()
        } else {
            read("special_tokens_map.json")?
        };
        let token = |mapped: Option<TokenEntry>, configured: Option<TokenEntry>, default: &str| {
            mapped.or(configured).map_or_else(|| AddedToken::from(default, true), TokenEntry::token)
        };
        let length = match config.model_max_length {
            Some(length) if (3.0..=1e4).contains(&length) => length as usize,
            _ => Self::LONGEST,
        };
        let end = "<|endoftext|>";
        Ok(Self {
            bos: token(map.bos_token, config.bos_token, "<|startoftext|>"),
            eos: token(map.eos_token, config.eos_token, end),
            pad: token(map.pad_token, config.pad_token, end),
            length,
        })
    }
}

//! From a rendered chat to ids in which every position of every picture has its place.

use std::ops::Range;

use super::config::ImageToken;
use super::grid::Extent;
use crate::language::LanguageTokenizer;
use crate::{ModelError, Result};

/// The word that stands for a picture.
pub const IMAGE: &str = "<image>";

/// People's text without the word that stands for a picture: it is broken, not taken out, so that no other one closes up.
pub fn harmless(text: &str) -> String {
    text.replace(IMAGE, "< image>")
}

/// A prompt, tokenized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlavaPrompt {
    /// An id for every position; those of pictures are placeholders.
    pub ids: Vec<u32>,
    /// The positions of each picture.
    pub pictures: Vec<Range<usize>>,
    /// The pictures' own sizes.
    pub sizes: Vec<Extent>,
}

impl ImageToken {
    /// What a chat template writes for a picture.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Word { enclosed: true, .. } => "<im_start><image><im_end>",
            Self::Id(_) | Self::Word { .. } => IMAGE,
        }
    }

    /// Readies a tokenizer: the original code adds its words to the vocabulary when it loads a checkpoint.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for a vocabulary that should have the image token and has it not, or under another id.
    pub fn prepare(&self, tokenizer: &mut LanguageTokenizer) -> Result<()> {
        match *self {
            Self::Word { enclosed, patch } => {
                let words = [("<im_patch>", patch), ("<im_start>", enclosed), ("<im_end>", enclosed)];
                for (word, _) in words.into_iter().filter(|(_, wanted)| *wanted) {
                    tokenizer.add_special(word)?;
                }
                Ok(())
            }
            Self::Id(id) => match tokenizer.id(IMAGE) {
                Some(found) if found == id => Ok(()),
                found => {
                    let has = found.map_or_else(
                        || format!("has no token {IMAGE}"),
                        |found| format!("gives {IMAGE} the id {found}"),
                    );
                    Err(ModelError::Unfit {
                        label: tokenizer.path().display().to_string(),
                        reason: format!(
                            "it {has}, but image_token_index of config.json is {id}; take the tokenizer that was published with \
                             the weights"
                        ),
                    })
                }
            },
        }
    }

    /// Tokenizes `text`, and widens each picture's place to as many positions as `lengths` says.
    ///
    /// # Errors
    /// [`ModelError::Input`] for another number of pictures than the text has places.
    pub(super) fn tokenize(
        &self,
        text: &str,
        tokenizer: &LanguageTokenizer,
        lengths: &[usize],
    ) -> Result<(Vec<u32>, Vec<Range<usize>>)> {
        let pieces = match self {
            Self::Id(id) => {
                let ids = tokenizer.encode_chat(text)?;
                ids.split(|other| other == id).map(<[u32]>::to_vec).collect()
            }
            Self::Word { .. } => pieces(text, tokenizer)?,
        };
        if pieces.len() != lengths.len() + 1 {
            return Err(ModelError::Input {
                found: format!("{} pictures for {} places in the prompt", lengths.len(), pieces.len() - 1),
                expected: "as many pictures as the prompt says <image>",
            });
        }
        let placeholder = match self {
            Self::Id(id) => *id,
            Self::Word { .. } => tokenizer.pad().unwrap_or_default(),
        };
        let (mut ids, mut pictures) = (Vec::new(), Vec::new());
        for (number, piece) in pieces.iter().enumerate() {
            if let Some(&length) = number.checked_sub(1).and_then(|number| lengths.get(number)) {
                pictures.push(ids.len()..ids.len() + length);
                ids.resize(ids.len() + length, placeholder);
            }
            ids.extend_from_slice(piece);
        }
        Ok((ids, pictures))
    }
}

/// The text between pictures, each piece tokenized on its own; the begin token stays in the first only
/// (`tokenizer_image_token`).
fn pieces(text: &str, tokenizer: &LanguageTokenizer) -> Result<Vec<Vec<u32>>> {
    let bos = tokenizer.special().bos.as_deref().and_then(|bos| tokenizer.id(bos));
    let mut pieces = Vec::new();
    for (number, piece) in text.split(IMAGE).enumerate() {
        let mut ids = tokenizer.encode(piece, true)?;
        if number > 0 && ids.first().copied() == bos && bos.is_some() {
            ids.remove(0);
        }
        pieces.push(ids);
    }
    Ok(pieces)
}

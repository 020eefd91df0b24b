//! Text to tokens and back, and the form of a conversation.

use std::path::Path;

use adeval_candle::plugin_error;
use adeval_models::decoder::gguf::Gguf;
use adeval_sdk::prelude::*;
use tokenizers::Tokenizer;

use crate::instruction::tame;

/// ChatML, which SmolLM2 and Qwen2 were trained with.
const OPEN: &str = "<|im_start|>";
const CLOSE: &str = "<|im_end|>";

/// A tokenizer, and the tokens that end an answer.
pub struct Words {
    tokenizer: Tokenizer,
    pub eos: Vec<u32>,
    chat: bool,
}

impl Words {
    /// Those of a GGUF file.
    pub fn of_gguf(gguf: &Gguf) -> Result<Self> {
        let tokenizer = gguf.tokenizer().map_err(plugin_error)?;
        Ok(Self::new(tokenizer, gguf.decoder.config().eos.clone()))
    }

    /// `tokenizer.json` of a folder.
    pub fn of_folder(folder: &Path, eos: Vec<u32>) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let tokenizer = Tokenizer::from_file(&path).map_err(|e| {
            let kind = if path.is_file() { ErrorKind::BadWeights } else { ErrorKind::MissingWeights };
            PluginError::new(kind, format!("{}: {e}", path.display()))
                .with_hint("put the tokenizer.json that was published with the model beside its weights")
        })?;
        Ok(Self::new(tokenizer, eos))
    }

    fn new(tokenizer: Tokenizer, mut eos: Vec<u32>) -> Self {
        let close = tokenizer.token_to_id(CLOSE);
        let chat = close.is_some() && tokenizer.token_to_id(OPEN).is_some();
        // Base models end texts with another token than chats.
        eos.extend(close.filter(|close| !eos.contains(close)));
        Self { tokenizer, eos, chat }
    }

    /// One more than the highest token.
    pub fn count(&self) -> usize {
        self.tokenizer.get_vocab(true).into_values().max().map_or(0, |highest| highest as usize + 1)
    }

    /// The tokens of an instruction, up to where the answer begins: a conversation in ChatML where the vocabulary has its
    /// tokens, the bare text where not.
    pub fn prompt(&self, system: Option<&str>, instruction: &str) -> Result<Vec<u32>> {
        let turn = |role: &str, text: &str| format!("{OPEN}{role}\n{text}{CLOSE}\n");
        let text = if self.chat {
            let system = system.map_or_else(String::new, |text| turn("system", text));
            format!("{system}{}{OPEN}assistant\n", turn("user", instruction))
        } else {
            system.map_or_else(String::new, |text| format!("{text}\n")) + instruction + "\n"
        };
        let encoding = self.tokenizer.encode(text, !self.chat).map_err(|e| {
            PluginError::invalid_request(format!("the instruction cannot be put into tokens: {e}"))
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The tokens of an answer as the model would have drawn them: its words, and the end of a turn, or of a text.
    pub fn answer(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.tokenizer.encode(tame(text), false).map_err(|e| {
            PluginError::invalid_request(format!("the answer cannot be put into tokens: {e}"))
        })?;
        let mut tokens = encoding.get_ids().to_vec();
        tokens.extend(self.tokenizer.token_to_id(CLOSE).filter(|_| self.chat).or(self.eos.first().copied()));
        Ok(tokens)
    }

    /// The text of tokens, without control tokens.
    pub fn text(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids, true).unwrap_or_default()
    }
}

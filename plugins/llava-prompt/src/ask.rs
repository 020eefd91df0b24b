//! What the model is asked: a wording about the product, behind its picture.

use adeval_candle::eyes::Seen;
use adeval_candle::plugin_error;
use adeval_models::generation::Prompt;
use adeval_models::language::{Message, Rendering, Role};
use adeval_models::llava::{Llava, LlavaPrompt};
use adeval_models::training::Example;
use adeval_sdk::prelude::*;

use crate::instructions;

/// The wordings, and which of them is taken.
pub struct Asker {
    wordings: Vec<String>,
    fixed: Option<u32>,
}

impl Asker {
    /// `fixed` is the number of a wording, counted around; without it a product's id chooses. It must not be chance, because
    /// answers are read again under the condition that they were drawn under.
    pub fn new(wordings: Vec<String>, fixed: Option<u32>) -> Self {
        Self { wordings, fixed }
    }

    /// The question about a product.
    pub fn about(&self, product: &Product) -> String {
        let chosen = self.fixed.map_or_else(|| rng::derive(0, &["wording", &product.id]), u64::from);
        let wording = self.wordings.get((chosen % self.wordings.len().max(1) as u64) as usize);
        instructions::filled(wording.map_or("", String::as_str), product, "")
    }
}

/// A question as the model reads it.
pub struct Asked {
    /// Its positions, and which of them are the picture's.
    pub prompt: LlavaPrompt,
    /// Its tokens and embeddings.
    pub read: Prompt,
}

impl Asked {
    /// A question, behind a picture if there is one.
    pub fn new(llava: &Llava, question: String, seen: Option<&Seen>) -> Result<Self> {
        let message = match seen {
            Some(_) => Message::shown(1, question),
            None => Message::text(Role::User, question),
        };
        let (sizes, embeds): (Vec<_>, Vec<_>) =
            seen.map(|seen| (seen.size, seen.embeds.clone())).into_iter().unzip();
        let text = llava.render(&[message], &Rendering::default());
        let read = text.and_then(|text| {
            let prompt = llava.prompt(&text, &sizes)?;
            let embeds = llava.embed(&prompt, &embeds)?;
            Ok(Self { read: Prompt { ids: prompt.ids.clone(), embeds: Some(embeds) }, prompt })
        });
        read.map_err(plugin_error)
    }

    /// With an answer.
    pub fn answered(&self, tokens: &[u32]) -> Example {
        Example { prompt: self.read.clone(), answer: tokens.to_vec() }
    }
}

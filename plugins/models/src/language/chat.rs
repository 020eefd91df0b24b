//! Messages, and what makes one string of them.

use std::path::Path;

use jiff::civil::DateTime;
use serde::Serialize;

use super::conversation::Conversation;
use super::jinja::JinjaTemplate;
use super::tokenizer::SpecialTokens;
use crate::{ModelError, Result};

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

/// A part of what is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Content {
    /// A picture; which one follows from the order.
    Image,
    /// Words.
    Text {
        /// The words.
        text: String,
    },
}

/// Something that someone says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who.
    pub role: Role,
    /// What.
    pub content: Vec<Content>,
}

impl Message {
    /// Words only.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, content: vec![Content::Text { text: text.into() }] }
    }

    /// The user shows `images` pictures and says something of them.
    pub fn shown(images: usize, text: impl Into<String>) -> Self {
        let mut message = Self::text(Role::User, text);
        message.content.splice(0..0, std::iter::repeat_n(Content::Image, images));
        message
    }

    /// As one string, each picture as `image` and a line break, which is where LLaVA was trained to see it.
    pub(super) fn flat(&self, image: &str) -> String {
        let part = |content: &Content| match content {
            Content::Image => format!("{image}\n"),
            Content::Text { text } => text.clone(),
        };
        self.content.iter().map(part).collect()
    }
}

/// How a template is rendered.
#[derive(Clone, Debug)]
pub struct Rendering<'a> {
    /// Whether the model's turn is opened at the end.
    pub add_generation_prompt: bool,
    /// What stands for a picture where the template is for words only.
    pub image_token: &'a str,
    /// The time that `strftime_now` tells; the machine's clock if none. Give one where prompts have to repeat.
    pub now: Option<DateTime>,
}

impl Default for Rendering<'_> {
    fn default() -> Self {
        Self { add_generation_prompt: true, image_token: "<image>", now: None }
    }
}

/// From messages to a prompt.
pub enum ChatTemplate {
    /// One of the original LLaVA code.
    Conversation(Conversation),
    /// The `chat_template` of a checkpoint.
    Jinja(Box<JinjaTemplate>),
}

impl ChatTemplate {
    /// A template of the original code by its name there: `vicuna_v1`, `mistral_instruct`, `chatml_direct`.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for another name.
    pub fn named(name: &str) -> Result<Self> {
        Conversation::named(name).map(Self::Conversation).ok_or_else(|| ModelError::Unfit {
            label: format!("the chat template \"{name}\""),
            reason: format!("there is none of this name; there are {}", Conversation::NAMES.join(", ")),
        })
    }

    /// A Jinja template as checkpoints have it; `path` is the file that it was read from, for messages.
    ///
    /// # Errors
    /// [`ModelError::Config`] if it cannot be parsed, naming the line.
    pub fn parse(source: &str, special: &SpecialTokens, path: &Path) -> Result<Self> {
        Ok(Self::Jinja(Box::new(JinjaTemplate::new(source, special, path)?)))
    }

    /// The template of a checkpoint's folder, as `transformers` looks for it: `chat_template.jinja`, `chat_template.json` (of a
    /// processor), `tokenizer_config.json`. None where there is none.
    ///
    /// # Errors
    /// [`ModelError::Read`] and [`ModelError::Config`], naming the file.
    pub fn from_dir(dir: &Path, special: &SpecialTokens) -> Result<Option<Self>> {
        let found = super::jinja::find(dir)?;
        found.map(|(path, source)| Self::parse(&source, special, &path)).transpose()
    }

    /// The prompt.
    ///
    /// # Errors
    /// [`ModelError::Config`] for what the template itself refuses (`raise_exception`), and where it fails.
    pub fn render(&self, messages: &[Message], rendering: &Rendering) -> Result<String> {
        match self {
            Self::Conversation(conversation) => Ok(conversation.render(messages, rendering)),
            Self::Jinja(template) => template.render(messages, rendering),
        }
    }
}

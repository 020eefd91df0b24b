//! What stands between people's text and a language model's ids: [`chat`] templates, and a [`tokenizer`] with its special tokens.

pub mod chat;
mod conversation;
mod jinja;
mod places;
mod sentencepiece;
pub mod tokenizer;

pub use chat::{ChatTemplate, Content, Message, Rendering, Role};
pub use conversation::Conversation;
pub use places::filled;
pub use tokenizer::LanguageTokenizer;

//! `template-prompt`: background prompts from templates, by the product's category, its colour and a style.
//!
//! A prompt is a sentence with one phrase in each of eight slots (opening, colour, surface, backdrop, light, season,
//! props, depth of field). A product's category and the style say which phrases a slot may hold; the request's seed
//! picks one, all equally likely. So the generator is a policy with known log-probabilities, and a baseline that
//! trained prompt models have to beat.

mod family;
mod generate;
mod hue;
mod style;
mod vocabulary;

pub use generate::{Parameters, TemplatePrompt};
pub use style::Style;

adeval_sdk::export_plugin! { prompt_generator: [TemplatePrompt] }

//! Procedural scenes around a product, drawn from the words of a prompt.
//!
//! [`words`] reads the prompt, [`director`] makes a [`scene::Scene`] of it (what the prompt leaves open is drawn from the
//! request's seed), [`render`](mod@render) traces it, and the product is pasted last, untouched.

pub mod choice;
mod decal;
pub mod director;
mod focus;
mod generator;
pub mod geometry;
pub mod gobo;
pub mod lexicon;
mod lighting;
mod materials;
pub mod palette;
mod props;
pub mod render;
pub mod scene;
mod set;
mod shade;
mod surface;
mod vista;
mod vocabulary;
mod wall;
pub mod words;

pub use generator::{Parameters, SceneBackground};

adeval_sdk::export_plugin! { background_generator: [SceneBackground] }

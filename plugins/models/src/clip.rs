//! CLIP: the text encoder of Stable Diffusion, its tokenizer, and the image encoder of IP-Adapter.
//!
//! * [`tokenizer`] turns text into ids, [`text`] ids into embeddings; [`prompt`] does both for the prompts of a pipeline,
//!   the long ones included.
//! * [`preprocess`] turns a picture into the tensor that [`vision`] embeds; [`open_clip`] reads how OpenCLIP configures both.
//!
//! Radford et al., "Learning Transferable Visual Models From Natural Language Supervision" (2021). Names and numbers are
//! those of `transformers` (`CLIPTextModel`, `CLIPVisionModelWithProjection`, `CLIPTokenizer`, `CLIPImageProcessor`).

mod encoder;
pub mod open_clip;
pub mod preprocess;
pub mod prompt;
pub mod text;
pub mod tokenizer;
pub mod vision;

pub use encoder::Activation;
pub(crate) use encoder::{Mlp, Size, Transformer};

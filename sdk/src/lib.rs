//! The contract between adeval and its plugins.
//!
//! A plugin is a library that exports components of five kinds. Its author writes ordinary Rust: a struct of
//! parameters, [`Component`], one of the five traits, and one line of [`export_plugin!`]:
//!
//! ```
//! use adeval_sdk::prelude::*;
//!
//! /// Parameters; doc comments become the schema's descriptions.
//! #[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
//! #[serde(default, deny_unknown_fields)]
//! struct Colour {
//!     /// Brightness of the grey, 0 to 255.
//!     level: u8,
//! }
//!
//! struct Flat(Colour);
//!
//! impl Component for Flat {
//!     type Parameters = Colour;
//!     fn info() -> ComponentInfo {
//!         ComponentInfo::new("flat", "One flat grey behind the product")
//!     }
//!     fn create(parameters: Colour, _: &Environment) -> Result<Self> {
//!         Ok(Self(parameters))
//!     }
//! }
//!
//! impl BackgroundGenerator for Flat {
//!     fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
//!         let mut canvas = image::RgbImage::from_pixel(request.width, request.height, image::Rgb([self.0.level; 3]));
//!         let product = CutOut::of(&request.product)?;
//!         let placement = product.centered(request.size(), PAPER_SHARE);
//!         placement.paste(&product.resample(&placement)?, &mut canvas);
//!         Ok(Creative { image: canvas.into(), placement })
//!     }
//! }
//!
//! export_plugin! { background_generator: [Flat] }
//! ```
//!
//! Build it as a `cdylib`, and a suite can name it: `adeval bench SUITE --plugins DIR`.

pub mod abi;
mod background;
pub mod client;
mod codec;
mod component;
mod context;
mod embedder;
pub mod endpoint;
mod error;
mod floats;
mod image;
mod library;
mod manifest;
mod optimizer;
pub mod outline;
mod placement;
pub mod prelude;
mod product;
mod prompt;
mod reward;
pub mod rng;
#[cfg(feature = "perceptual")]
pub mod testkit;
mod training;
mod warm_up;

pub use background::{BackgroundGenerator, BackgroundRequest, Creative};
pub use codec::{Message, decode, encode};
pub use component::{Component, ComponentInfo, Determinism, Environment, Kind};
pub use context::{CallContext, CallHost};
pub use embedder::{EmbedRequest, Embedding, EncoderInfo, FeatureMap, ImageEmbedder};
pub use endpoint::Endpoint;
pub use error::{ErrorKind, PluginError, Result};
pub use floats::Floats;
pub use image::{Image, MAX_SIDE, PixelFormat};
pub use library::Library;
pub use manifest::{ComponentManifest, ContractVersion, FEATURES, INSTRUCTIONS, Manifest, WARM_UP};
pub use optimizer::{
    Corruption, LogProbs, LossAndGradient, OptimizerNeeds, PreferenceBatch, RlOptimizer, SampleEvidence,
    SampleGradient,
};
pub use placement::{CutOut, PAPER_SHARE, Placement};
pub use product::Product;
pub use prompt::{
    AnswerGradient, ConditionedAnswer, FinishReason, Instruction, Policy, PromptGenerator, PromptRequest,
    PromptSample, TrainablePromptGenerator,
};
pub use reward::{
    LabelledPair, PairRequest, PointScore, Preference, RewardModel, ScoreRequest, TrainableRewardModel,
};
pub use training::{GradientOptions, Trainable, TrainingOptions, TrainingReport};
pub use warm_up::WarmUp;

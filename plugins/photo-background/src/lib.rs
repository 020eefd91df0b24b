//! Reference plugin of adeval: `photo-background` composites a product onto licensed photographs and textures.
//!
//! The words of the prompt choose a place (a photograph, out of focus) or a wall, and something to stand on (a texture
//! in perspective, or the photograph's own ground); the seed breaks ties and picks crop, flip, focus and angle. Light,
//! colour and blur of the parts are matched, the product gets a contact shadow, a cast shadow and, on glossy surfaces,
//! a reflection, and is pasted last with its own alpha. The pictures are inside the library; NOTICE.md credits them.

pub mod assets;
mod backdrop;
mod camera;
mod choose;
mod compose;
mod grade;
mod occlusion;
mod parameters;
mod surface;
mod texture;
mod words;

pub use choose::{Behind, Ground, Scene, choose};
pub use compose::{SIDES, compose};
pub use parameters::Parameters;

use adeval_sdk::{
    BackgroundGenerator, BackgroundRequest, CallContext, Component, ComponentInfo, Creative, Environment,
    Result, export_plugin,
};
use rayon::prelude::*;

/// The component.
#[derive(Debug, Clone)]
pub struct PhotoBackground {
    parameters: Parameters,
}

impl Component for PhotoBackground {
    type Parameters = Parameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new(
            "photo-background",
            "Licensed photographs and textures chosen by the words of the prompt",
        )
        .license("(MIT OR Apache-2.0) AND MIT AND CC-BY-4.0 AND CC0-1.0")
        .weights("pictures inside the library, see its NOTICE.md")
    }

    fn create(parameters: Parameters, _: &Environment) -> Result<Self> {
        parameters.validate()?;
        Ok(Self { parameters })
    }
}

impl BackgroundGenerator for PhotoBackground {
    fn generate(&self, request: &BackgroundRequest, cx: &CallContext<'_>) -> Result<Creative> {
        cx.check()?;
        compose(request, &self.parameters)
    }

    fn generate_batch(&self, requests: &[BackgroundRequest], cx: &CallContext<'_>) -> Vec<Result<Creative>> {
        requests.par_iter().map(|request| self.generate(request, cx)).collect()
    }
}

export_plugin! { background_generator: [PhotoBackground] }

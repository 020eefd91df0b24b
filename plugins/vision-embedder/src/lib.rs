//! Reference plugin of adeval: the image encoders that published distances are computed with, each a component.
//!
//! - `inception-v3-fid`: the Inception-v3 of FID, with the resizing of torch-fidelity or of Clean-FID;
//! - `dinov2`, `clip-vision`, `siglip`: folders as transformers publishes them, for `clip-vision` also as OpenCLIP does;
//! - `lpips`: the maps whose squared differences are LPIPS or ST-LPIPS.
//!
//! No weights come with it: each component takes the published files from a path.

mod batch;
mod hub;
mod inception;
mod lpips;

pub use hub::{CheckpointParameters, ClipVision, Dinov2, Siglip};
pub use inception::{InceptionParameters, InceptionV3Fid, Resize};
pub use lpips::{Backbone, LpipsEmbedder, LpipsParameters};

adeval_sdk::export_plugin! { image_embedder: [InceptionV3Fid, Dinov2, ClipVision, Siglip, LpipsEmbedder] }

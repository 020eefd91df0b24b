//! Reference plugin of adeval: the image encoders that published distances are computed with, each a component.
//!
//! - `inception-v3-fid`: the Inception-v3 of FID, with the resizing of torch-fidelity or of Clean-FID.
//!
//! No weights come with it: each component takes the published files from a path.

mod batch;
mod inception;

pub use inception::{InceptionParameters, InceptionV3Fid, Resize};

adeval_sdk::export_plugin! { image_embedder: [InceptionV3Fid] }

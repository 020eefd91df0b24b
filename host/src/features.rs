//! Sets of feature vectors: the pictures of a folder, and files of features that Python reads too.

mod file;
mod pictures;

pub use file::{About, FeatureFile, FeatureFileError};
pub use pictures::{Grouping, Picture, pictures};

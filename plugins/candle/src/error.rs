//! What the models say, as the contract's classes of error.

use adeval_checkpoints::ErrorKind as FileError;
use adeval_models::ModelError;
use adeval_sdk::{ErrorKind, PluginError};

/// With the class that tells the host what to do about it.
pub fn plugin_error(error: ModelError) -> PluginError {
    if let ModelError::Checkpoint(error) = &error {
        return PluginError::new(file_kind(error.kind()), error.message()).with_hint(error.mend());
    }
    let kind = match &error {
        ModelError::Input { .. } | ModelError::Image { .. } => ErrorKind::InvalidRequest,
        ModelError::Read { .. } => ErrorKind::MissingWeights,
        ModelError::Stopped => ErrorKind::Cancelled,
        ModelError::Numerical { .. } => ErrorKind::Numerical,
        ModelError::Tensor(error) => tensor_kind(&error.to_string()),
        _ => ErrorKind::BadWeights,
    };
    PluginError::new(kind, error.to_string())
}

/// What a model says of a file that it cannot write.
pub fn unsaved(error: ModelError) -> PluginError {
    PluginError::new(ErrorKind::Io, error.to_string())
}

/// Devices say it in their own words.
fn tensor_kind(message: &str) -> ErrorKind {
    let message = message.to_lowercase();
    let memory = ["out of memory", "out_of_memory", "memory allocation"].iter().any(|m| message.contains(m));
    if memory { ErrorKind::OutOfMemory } else { ErrorKind::Other }
}

fn file_kind(kind: FileError) -> ErrorKind {
    match kind {
        FileError::Missing => ErrorKind::MissingWeights,
        FileError::Io => ErrorKind::Io,
        _ => ErrorKind::BadWeights,
    }
}

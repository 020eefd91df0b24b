//! What the models say, as the contract's classes of error.

use adeval_checkpoints::ErrorKind as FileError;
use adeval_models::ModelError;
use adeval_sdk::prelude::*;

/// With the class that tells the host what to do about it.
pub fn plugin_error(error: ModelError) -> PluginError {
    if let ModelError::Checkpoint(error) = &error {
        let kind = match error.kind() {
            FileError::Missing => ErrorKind::MissingWeights,
            FileError::Io => ErrorKind::Io,
            _ => ErrorKind::BadWeights,
        };
        return PluginError::new(kind, error.message()).with_hint(error.mend());
    }
    let kind = match &error {
        ModelError::Input { .. } => ErrorKind::InvalidRequest,
        ModelError::Read { .. } => ErrorKind::MissingWeights,
        ModelError::Stopped => ErrorKind::Cancelled,
        ModelError::Numerical { .. } => ErrorKind::Numerical,
        ModelError::Tensor(_) => ErrorKind::Other,
        _ => ErrorKind::BadWeights,
    };
    PluginError::new(kind, error.to_string())
}

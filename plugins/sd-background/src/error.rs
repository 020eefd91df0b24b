//! What the models say, as the contract's classes of error.

use adeval_models::ModelError;
use adeval_models::product_canvas::CanvasError;
use adeval_sdk::{ErrorKind, PluginError};

/// With the class that tells the host what to do about it, and what helps where memory is short.
pub fn plugin_error(error: ModelError) -> PluginError {
    let error = adeval_candle::plugin_error(error);
    match error.kind {
        ErrorKind::OutOfMemory => error.with_hint(
            "use a smaller picture, precision f16, or free_vae = true; `adeval models info` tells what the weights take",
        ),
        _ => error,
    }
}

/// A product that cannot be laid on its canvas.
pub fn canvas_error(product: &str, error: &CanvasError) -> PluginError {
    PluginError::invalid_request(format!("product \"{product}\": {error}"))
}

//! A picture of unknown make: it is decoded within limits, or refused in one sentence.

use adeval_host::products::{MAX_SIDE, decode_rgb};
use std::path::Path;

/// Tries one input.
///
/// # Panics
/// When the host would misbehave on it.
pub fn run(data: &[u8]) {
    match decode_rgb(data, Path::new("picture.png")) {
        Ok(picture) => {
            assert!((1..=MAX_SIDE).contains(&picture.width()) && (1..=MAX_SIDE).contains(&picture.height()))
        }
        Err(sentence) => {
            assert!(sentence.starts_with("picture.png: ") && !sentence.contains('\n'), "{sentence}");
        }
    }
}

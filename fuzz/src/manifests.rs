//! A library's manifest, its schemas included, and parameters to check against them: the host reads both from strangers.
//! The input is two JSON documents, parted by a zero byte.

use adeval_host::plugin::parameters::{describe, validate};
use adeval_sdk::Manifest;

/// Tries one input.
///
/// # Panics
/// When the host would misbehave on it.
pub fn run(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let Ok(manifest) = serde_json::from_slice::<Manifest>(parts.next().unwrap_or_default()) else { return };
    let parameters = parts.next().and_then(|p| serde_json::from_slice(p).ok()).unwrap_or_default();
    for component in &manifest.components {
        let _ = describe(component);
        let _ = validate(component, &parameters);
    }
}

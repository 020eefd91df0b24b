//! What a host says to a component before the first call that counts.

use serde::{Deserialize, Serialize};

/// How large the calls to come will be, where the host knows.
///
/// Since contract 1.1, feature [`WARM_UP`](crate::WARM_UP).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    /// The most requests in one call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// Width and height of the creatives in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
}

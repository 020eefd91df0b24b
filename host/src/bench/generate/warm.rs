//! Components make themselves ready before their first call is timed.

use crate::bench::OpenComponent;
use crate::bench::measure::EMBED_BATCH;
use crate::bench::requests::{CREATIVE_BATCH, PROMPT_BATCH};
use adeval_sdk::{CallContext, ErrorKind, Kind, Result, WarmUp, client};

/// Asks a component that was built for it (contract 1.1) to make itself ready for a suite's calls; leaves others alone.
///
/// # Errors
/// What the component answers, e.g. `OutOfMemory`.
pub fn warm_up(kind: Kind, open: &dyn OpenComponent, size: [u32; 2], cx: &CallContext<'_>) -> Result<()> {
    if !open.warms_up() {
        return Ok(());
    }
    let batch = match kind {
        Kind::PromptGenerator => Some(PROMPT_BATCH),
        Kind::BackgroundGenerator => Some(CREATIVE_BATCH),
        Kind::ImageEmbedder => Some(EMBED_BATCH),
        Kind::RewardModel | Kind::RlOptimizer => None,
    };
    let ahead = WarmUp { batch: batch.and_then(|n| u32::try_from(n).ok()), size: Some((size[0], size[1])) };
    match client::warm_up(&*open.endpoint(), &ahead, cx) {
        // A bridge to another language has the sdk's features, but its components may not have them all.
        Err(error) if error.kind == ErrorKind::Unsupported => Ok(()),
        answer => answer,
    }
}

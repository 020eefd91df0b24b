//! Messages and outcomes in the form in which they cross.

use crate::endpoint::panicked;
use crate::{Message, PluginError, Result};
use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RResult, RSlice},
};
use adeval_frontier::{Buffer, ByteOwner, ByteOwner_TO, StableError, StableMessage};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; panics and errors become stable errors. A panic that unwinds into abi_stable's frontier ends the process.
pub(super) fn guarded<T>(name: &str, work: impl FnOnce() -> Result<T>) -> RResult<T, StableError> {
    let outcome =
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(name, panic.as_ref())));
    match outcome {
        Ok(value) => RResult::ROk(value),
        Err(error) => RResult::RErr(stable_error(&error)),
    }
}

/// An error as bytes; JSON, because errors are rare and worth reading in a debugger.
fn stable_error(error: &PluginError) -> StableError {
    serde_json::to_vec(error).unwrap_or_default().into()
}

/// The other side's outcome as ours.
pub(super) fn open<T>(result: RResult<T, StableError>) -> Result<T> {
    match result {
        RResult::ROk(value) => Ok(value),
        RResult::RErr(bytes) => Err(serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| PluginError::violation("the plugin gave an error that cannot be read"))),
    }
}

struct SharedBytes(Bytes);

impl ByteOwner for SharedBytes {
    fn bytes(&self) -> RSlice<'_, u8> {
        RSlice::from_slice(&self.0)
    }
}

/// A foreign buffer as an owner of bytes.
struct Foreign {
    start: *const u8,
    len: usize,
    _owner: Buffer,
}

// SAFETY: the buffer is immutable and its owner is `Send + Sync` by its trait's bounds; `start` points into it.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

impl AsRef<[u8]> for Foreign {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `start` and `len` came from the owner, which lives as long as `self` and never moves its bytes.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

pub(super) fn to_stable(message: Message) -> StableMessage {
    let wrap = |bytes: Bytes| ByteOwner_TO::from_value(SharedBytes(bytes), TD_Opaque);
    StableMessage {
        body: message.body.into(),
        attachments: message.attachments.into_iter().map(wrap).collect(),
    }
}

pub(super) fn from_stable(message: StableMessage) -> Message {
    let unwrap = |owner: Buffer| {
        let slice = owner.bytes();
        let (start, len) = (slice.as_ptr(), slice.len());
        Bytes::from_owner(Foreign { start, len, _owner: owner })
    };
    Message { body: message.body.into(), attachments: message.attachments.into_iter().map(unwrap).collect() }
}

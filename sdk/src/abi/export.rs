//! The plugin's side of the frontier.

use super::types::{
    BoxedInstance, Buffer, ByteOwner, ByteOwner_TO, HostSide_TO, Instance, Instance_TO, PluginModule,
    PluginModuleRef, StableError, StableMessage,
};
use crate::endpoint::panicked;
use crate::{CallContext, CallHost, Endpoint, Environment, Library, Message, PluginError, Result};
use abi_stable::{
    prefix_type::PrefixTypeTrait,
    sabi_trait::TD_Opaque,
    std_types::{RBox, RResult, RSlice, RStr, RVec},
};
use bytes::Bytes;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// What `export_plugin!` made: a library that is built at its first use.
pub struct Exported {
    build: fn() -> Library,
    library: OnceLock<Library>,
}

impl Exported {
    /// A library that `build` makes.
    pub const fn new(build: fn() -> Library) -> Self {
        Self { build, library: OnceLock::new() }
    }

    fn get(&self) -> &Library {
        self.library.get_or_init(self.build)
    }
}

/// Which library the two functions below speak for. There is one copy of this static in each plugin, since each links
/// its own copy of the sdk.
static EXPORTED: OnceLock<&'static Exported> = OnceLock::new();

/// The root module of a library.
pub fn root_module(exported: &'static Exported) -> PluginModuleRef {
    EXPORTED.get_or_init(|| exported);
    PluginModule { manifest, create }.leak_into_prefix()
}

fn library() -> Result<&'static Library> {
    let exported = EXPORTED.get().ok_or_else(|| PluginError::violation("the library was not initialised"))?;
    Ok(exported.get())
}

/// Runs `work`; panics and errors become stable errors.
fn guarded<T>(name: &str, work: impl FnOnce() -> Result<T>) -> RResult<T, StableError> {
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

extern "C" fn manifest() -> RResult<RVec<u8>, StableError> {
    guarded("manifest", || {
        let json = serde_json::to_vec(library()?.manifest());
        json.map(RVec::from)
            .map_err(|e| PluginError::violation(format!("the manifest cannot be encoded: {e}")))
    })
}

extern "C" fn create(
    component: RStr<'_>,
    parameters: RSlice<'_, u8>,
    environment: RSlice<'_, u8>,
) -> RResult<BoxedInstance, StableError> {
    guarded("create", || {
        let unreadable = |e: serde_json::Error| PluginError::violation(format!("create: {e}"));
        let parameters = serde_json::from_slice(parameters.as_slice()).map_err(unreadable)?;
        let environment: Environment = serde_json::from_slice(environment.as_slice()).map_err(unreadable)?;
        let endpoint = library()?.create(component.as_str(), &parameters, &environment)?;
        Ok(Instance_TO::from_value(Hosted(endpoint), TD_Opaque))
    })
}

struct Hosted(Box<dyn Endpoint>);

/// The host's callbacks as the plugin's `CallHost`.
struct RemoteHost<'a>(HostSide_TO<'a, RBox<()>>);

impl CallHost for RemoteHost<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
    fn progress(&self, fraction: f32, note: &str) {
        self.0.progress(fraction, note.into());
    }
}

impl Instance for Hosted {
    fn call(
        &self,
        method: RStr<'_>,
        message: StableMessage,
        host: HostSide_TO<'_, RBox<()>>,
    ) -> RResult<StableMessage, StableError> {
        guarded(method.as_str(), || {
            let host = RemoteHost(host);
            let reply = self.0.call(method.as_str(), from_stable(message), &CallContext::new(&host))?;
            Ok(to_stable(reply))
        })
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

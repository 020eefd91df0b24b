//! The plugin's side of the frontier.

use super::host::Borrowed;
use super::message::{from_stable, guarded, to_stable};
use crate::{CallContext, Endpoint, Environment, Library, PluginError, Result};
use abi_stable::{
    prefix_type::PrefixTypeTrait,
    sabi_trait::TD_Opaque,
    std_types::{RResult, RSlice, RStr, RVec},
};
use adeval_frontier::{
    BorrowedHost, BoxedInstance, Instance, Instance_TO, PluginModule, PluginModuleRef, StableError,
    StableMessage,
};
use std::mem::ManuallyDrop;
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
    host: BorrowedHost<'_>,
) -> RResult<BoxedInstance, StableError> {
    guarded("create", || {
        let unreadable = |e: serde_json::Error| PluginError::violation(format!("create: {e}"));
        let parameters = serde_json::from_slice(parameters.as_slice()).map_err(unreadable)?;
        let environment: Environment = serde_json::from_slice(environment.as_slice()).map_err(unreadable)?;
        let host = Borrowed(host);
        let cx = CallContext::new(&host);
        let endpoint = library()?.create_watched(component.as_str(), &parameters, &environment, &cx)?;
        Ok(Instance_TO::from_value(Hosted(ManuallyDrop::new(endpoint)), TD_Opaque))
    })
}

struct Hosted(ManuallyDrop<Box<dyn Endpoint>>);

impl Instance for Hosted {
    fn call(
        &self,
        method: RStr<'_>,
        message: StableMessage,
        host: BorrowedHost<'_>,
    ) -> RResult<StableMessage, StableError> {
        guarded(method.as_str(), || {
            let host = Borrowed(host);
            self.0.call(method.as_str(), from_stable(message), &CallContext::new(&host)).map(to_stable)
        })
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        // SAFETY: taken here and nowhere else.
        let endpoint = unsafe { ManuallyDrop::take(&mut self.0) };
        // Nobody waits for an answer: the panic hook has said on stderr what there is to say.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(endpoint)));
    }
}

//! The types that cross between a host and a plugin's library in one process. For the sdk's `abi` module only.
//!
//! **They are frozen for a major version of the contract.** abi_stable lets a plugin have more of a trait's methods
//! or of a module's functions than its host knows, but refuses one that has fewer; so a host that added any would
//! turn away every older plugin. The contract grows elsewhere: new methods are new names in [`Instance::call`], new
//! fields are new entries of the encoded messages, and what a plugin may want of its host in the future are new names
//! in [`HostSide::ask`]. A library-wide function would be a new exported symbol.

// `sabi_trait` and `StableAbi` expand to code that newer lints object to.
#![allow(missing_docs, non_local_definitions, clippy::all)]

use abi_stable::{
    StableAbi, declare_root_module_statics,
    library::RootModule,
    package_version_strings, sabi_trait,
    sabi_types::{RRef, VersionStrings},
    std_types::{RBox, RResult, RSlice, RStr, RVec},
};

/// The major version of the contract that these types belong to.
pub const CONTRACT_MAJOR: &str = env!("CARGO_PKG_VERSION_MAJOR");

/// Bytes that stay with whoever made them.
#[sabi_trait]
pub trait ByteOwner: Send + Sync + 'static {
    /// The bytes.
    #[sabi(last_prefix_field)]
    fn bytes(&self) -> RSlice<'_, u8>;
}

/// A shared buffer that crosses without a copy.
pub type Buffer = ByteOwner_TO<RBox<()>>;

/// The host's side of a call in progress.
#[sabi_trait]
pub trait HostSide: Sync {
    /// Whether the host wants the call to end.
    fn cancelled(&self) -> bool;
    /// Shows progress.
    fn progress(&self, fraction: f32, note: RStr<'_>);
    /// Asks for something by name.
    #[sabi(last_prefix_field)]
    fn ask(&self, question: RStr<'_>, message: StableMessage) -> RResult<StableMessage, StableError>;
}

/// The host's side, lent for one call.
pub type BorrowedHost<'a> = HostSide_TO<'a, RRef<'a, ()>>;

/// A message that crosses.
#[repr(C)]
#[derive(StableAbi)]
pub struct StableMessage {
    /// MessagePack.
    pub body: RVec<u8>,
    /// Buffers by index.
    pub attachments: RVec<Buffer>,
}

/// An error that crosses: JSON of the sdk's `PluginError`.
pub type StableError = RVec<u8>;

/// A living component.
#[sabi_trait]
pub trait Instance: Send + Sync + 'static {
    /// Calls a method.
    #[sabi(last_prefix_field)]
    fn call(
        &self,
        method: RStr<'_>,
        message: StableMessage,
        host: BorrowedHost<'_>,
    ) -> RResult<StableMessage, StableError>;
}

/// A living component, owned.
pub type BoxedInstance = Instance_TO<RBox<()>>;

/// What a library exports.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef)))]
pub struct PluginModule {
    /// The manifest as JSON.
    pub manifest: extern "C" fn() -> RResult<RVec<u8>, StableError>,
    /// Makes a component: its id, its parameters and its environment as JSON, and who may cancel it.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(
        RStr<'_>,
        RSlice<'_, u8>,
        RSlice<'_, u8>,
        BorrowedHost<'_>,
    ) -> RResult<BoxedInstance, StableError>,
}

impl RootModule for PluginModuleRef {
    declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "adeval_plugin";
    const NAME: &'static str = "adeval_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

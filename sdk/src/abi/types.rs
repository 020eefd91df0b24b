//! The stable types. Changing any of them is a change of the contract's major version.

// `sabi_trait` expands to code that newer lints object to.
#![allow(missing_docs, non_local_definitions, clippy::all)]

use abi_stable::{
    StableAbi, declare_root_module_statics,
    library::RootModule,
    package_version_strings, sabi_trait,
    sabi_types::VersionStrings,
    std_types::{RBox, RResult, RSlice, RStr, RVec},
};

/// Bytes that stay with whoever made them.
#[sabi_trait]
pub trait ByteOwner: Send + Sync + 'static {
    /// The bytes.
    #[sabi(last_prefix_field)]
    fn bytes(&self) -> RSlice<'_, u8>;
}

/// A shared buffer that crosses without a copy.
pub type Buffer = ByteOwner_TO<RBox<()>>;

/// The host's side of a call in progress; see [`crate::CallHost`].
#[sabi_trait]
pub trait HostSide: Sync {
    /// Whether the host wants the call to end.
    fn cancelled(&self) -> bool;
    /// Shows progress.
    #[sabi(last_prefix_field)]
    fn progress(&self, fraction: f32, note: RStr<'_>);
}

/// A message that crosses.
#[repr(C)]
#[derive(StableAbi)]
pub struct StableMessage {
    /// MessagePack.
    pub body: RVec<u8>,
    /// Buffers by index.
    pub attachments: RVec<Buffer>,
}

/// An error that crosses: a MessagePack-encoded `PluginError`.
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
        host: HostSide_TO<'_, RBox<()>>,
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
    /// Makes a component: its id, and parameters and environment as JSON.
    #[sabi(last_prefix_field)]
    pub create:
        extern "C" fn(RStr<'_>, RSlice<'_, u8>, RSlice<'_, u8>) -> RResult<BoxedInstance, StableError>,
}

impl RootModule for PluginModuleRef {
    declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "adeval_plugin";
    const NAME: &'static str = "adeval_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

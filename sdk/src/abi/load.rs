//! The host's side of the frontier.

use super::host::Lent;
use super::message::{from_stable, open, to_stable};
use crate::{
    CallContext, ContractVersion, Endpoint, Environment, ErrorKind, Manifest, Message, PluginError, Result,
};
use abi_stable::{
    library::{LibraryError, RawLibrary, lib_header_from_raw_library},
    sabi_trait::TD_Opaque,
    std_types::RStr,
};
use adeval_frontier::{BoxedInstance, HostSide_TO, PluginModuleRef};
use std::path::Path;
use std::sync::Arc;

/// A plugin's library in this process. It is never unloaded: its code may have left threads and destructors behind.
#[derive(Clone)]
pub struct LoadedLibrary {
    module: PluginModuleRef,
    manifest: Arc<Manifest>,
}

/// Loads a library and reads its manifest.
///
/// Each file keeps its own root module, so that two plugins of one type in one process stay two
/// (abi_stable's `load_from_file` caches the first one).
///
/// # Errors
/// `Incompatible` when the file is no library, no plugin, or a plugin for another contract.
pub fn load(path: &Path) -> Result<LoadedLibrary> {
    let library = RawLibrary::load_at(path)
        .map_err(|e| incompatible(path, &format!("cannot be loaded: {}", brief(&e))))?;
    // Leaked on purpose, see `LoadedLibrary`.
    let library: &'static RawLibrary = Box::leak(Box::new(library));
    check_contract(path, library)?;
    // SAFETY: the symbol is written by `export_plugin!`, and abi_stable checks its magic and layout before any use.
    let header = unsafe { lib_header_from_raw_library(library) }
        .map_err(|e| incompatible(path, &format!("is not an adeval plugin: {}", brief(&e))))?;
    let module = header.init_root_module::<PluginModuleRef>().map_err(|e| {
        incompatible(path, &format!("was built with another layout of the frontier: {}", brief(&e)))
    })?;
    LoadedLibrary::of(module, &|reason| incompatible(path, reason))
}

fn check_contract(path: &Path, library: &RawLibrary) -> Result<()> {
    // SAFETY: `export_plugin!` writes this symbol as a `u32`; a foreign library of that name would only give a number.
    let symbol = unsafe { library.get::<*const u32>(b"ADEVAL_PLUGIN_CONTRACT\0") };
    let Ok(symbol) = symbol else {
        return Err(incompatible(path, "is not an adeval plugin (it exports no ADEVAL_PLUGIN_CONTRACT)"));
    };
    // SAFETY: the address of a static of the library, which stays loaded.
    let theirs = ContractVersion::unpack(unsafe { **symbol });
    let ours = ContractVersion::CURRENT;
    if ours.serves(theirs) {
        return Ok(());
    }
    let mend = if theirs > ours { "update adeval" } else { "rebuild the plugin against this sdk" };
    Err(incompatible(path, &format!("was built for contract {theirs}, this host speaks {ours}"))
        .with_hint(mend))
}

fn incompatible(path: &Path, what: &str) -> PluginError {
    PluginError::new(ErrorKind::Incompatible, format!("{} {what}", path.display()))
}

/// abi_stable's layout errors run to 40 KB; a person wants the beginning.
fn brief(error: &LibraryError) -> String {
    let text = error.to_string();
    // What differs stands on the lines below the first.
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
    if lines.is_empty() { "no reason given".into() } else { lines.join(" ").chars().take(200).collect() }
}

impl LoadedLibrary {
    /// A root module with what it says of itself; `refused` makes the error when that cannot be read.
    fn of(module: PluginModuleRef, refused: &dyn Fn(&str) -> PluginError) -> Result<Self> {
        let manifest: Manifest = serde_json::from_slice(&open(module.manifest()())?)
            .map_err(|e| refused(&format!("has an unreadable manifest: {e}")))?;
        Ok(Self { module, manifest: Arc::new(manifest) })
    }

    /// What the library says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Makes a component, without a way to stop it or to see how far it is.
    ///
    /// # Errors
    /// What the component's constructor answers.
    pub fn create(
        &self,
        component: &str,
        parameters: &serde_json::Value,
        environment: &Environment,
    ) -> Result<Box<dyn Endpoint>> {
        self.create_watched(component, parameters, environment, &CallContext::detached())
    }

    /// Makes a component; `cx` can cancel it and sees its progress.
    ///
    /// # Errors
    /// What the component's constructor answers.
    pub fn create_watched(
        &self,
        component: &str,
        parameters: &serde_json::Value,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Box<dyn Endpoint>> {
        let unreadable = |e: serde_json::Error| PluginError::violation(format!("create: {e}"));
        let parameters = serde_json::to_vec(parameters).map_err(unreadable)?;
        let environment = serde_json::to_vec(environment).map_err(unreadable)?;
        let instance = open(self.module.create()(
            RStr::from(component),
            parameters.as_slice().into(),
            environment.as_slice().into(),
            HostSide_TO::from_ptr(&Lent(cx), TD_Opaque),
        ))?;
        Ok(Box::new(Guest(instance)))
    }
}

struct Guest(BoxedInstance);

impl Endpoint for Guest {
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message> {
        let lent = Lent(cx);
        let host = HostSide_TO::from_ptr(&lent, TD_Opaque);
        open(self.0.call(RStr::from(method), to_stable(message), host)).map(from_stable)
    }
}

#[cfg(test)]
mod tests;

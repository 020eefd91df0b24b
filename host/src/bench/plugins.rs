//! What the bench asks of whoever finds and opens plugins.

use crate::plugin::{Catalogue, Loader, OpenPlugin};
use adeval_sdk::{CallContext, Determinism, Endpoint, Environment, Kind, PluginError, WARM_UP};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Finds and opens components. The host's catalogue is one; tests use components in their own process.
pub trait Plugins: Sync {
    /// Finds a component and checks parameters against its schema, without loading a weight.
    ///
    /// # Errors
    /// `InvalidRequest` for an unknown id (naming the nearest), `InvalidParameters`, `Incompatible`.
    fn identify(&self, kind: Kind, component: &str, parameters: &Value) -> Result<Identity, PluginError>;

    /// Opens a component; what it prints goes to files of the folder `logs`, and `cx` hears what it says while it loads.
    ///
    /// # Errors
    /// What its constructor answers.
    fn open(
        &self,
        kind: Kind,
        component: &str,
        parameters: &Value,
        environment: &Environment,
        logs: Option<&Path>,
        cx: &CallContext<'_>,
    ) -> Result<Box<dyn OpenComponent>, PluginError>;
}

/// An open component; dropped, it ends its worker.
pub trait OpenComponent: Send + Sync {
    /// The component itself.
    fn endpoint(&self) -> Arc<dyn Endpoint>;

    /// Whether it was built for [`adeval_sdk::client::warm_up`].
    fn warms_up(&self) -> bool {
        false
    }

    /// Largest resident memory of its worker so far in bytes; `None` when it has no process of its own.
    fn peak_memory_bytes(&self) -> Option<u64>;
}

/// What a component is.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Name of its library.
    pub library: String,
    /// Version of its library.
    pub version: String,
    /// BLAKE3 of the library's file.
    pub library_hash: String,
    /// SPDX expression.
    pub license: String,
    /// How exactly it repeats itself.
    pub determinism: Determinism,
    /// Whether it has the trainable half of its kind.
    pub trainable: bool,
}

/// The plugins that discovery has found, opened by a loader.
#[derive(Debug, Clone)]
pub struct Installed {
    /// What was found.
    pub catalogue: Catalogue,
    /// How it is opened.
    pub loader: Loader,
}

impl Plugins for Installed {
    fn identify(&self, kind: Kind, component: &str, parameters: &Value) -> Result<Identity, PluginError> {
        let entry = self.catalogue.find(kind, component)?;
        crate::plugin::parameters::validate(&entry.component, parameters)?;
        Ok(Identity {
            library: entry.manifest.library.clone(),
            version: entry.manifest.version.clone(),
            library_hash: entry.digest.clone(),
            license: entry.component.info.license.clone(),
            determinism: entry.component.info.determinism,
            trainable: entry.component.trainable,
        })
    }

    fn open(
        &self,
        kind: Kind,
        component: &str,
        parameters: &Value,
        environment: &Environment,
        logs: Option<&Path>,
        cx: &CallContext<'_>,
    ) -> Result<Box<dyn OpenComponent>, PluginError> {
        let entry = self.catalogue.find(kind, component)?;
        let mut loader = self.loader.clone();
        if let Some(logs) = logs {
            loader.log_dir = Some(logs.to_owned());
        }
        Ok(Box::new(loader.open_watched(entry, parameters, environment, cx)?))
    }
}

impl OpenComponent for OpenPlugin {
    fn endpoint(&self) -> Arc<dyn Endpoint> {
        Self::endpoint(self)
    }

    fn warms_up(&self) -> bool {
        self.has(WARM_UP)
    }

    fn peak_memory_bytes(&self) -> Option<u64> {
        self.usage().peak_rss
    }
}

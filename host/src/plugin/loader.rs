//! Opens a component of the catalogue: parameters checked first, then in a worker or in this process.

use super::catalogue::CatalogueEntry;
use super::endpoint::WorkerEndpoint;
use super::in_process::InProcess;
use super::parameters;
use super::usage::Usage;
use super::worker::WorkerOptions;
use adeval_sdk::{CallContext, Endpoint, Environment, Manifest, Result};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Where components live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// Each in a process of its own: a crash or a hang costs the calls that it answers.
    #[default]
    Worker,
    /// In the host's process: no copies, no timeouts, and a crash ends the host.
    InProcess,
}

/// Opens components.
#[derive(Debug, Clone)]
pub struct Loader {
    /// Where they live.
    pub isolation: Isolation,
    /// The most time for one call.
    pub timeout: Duration,
    /// The most time to start a process, and again to create a component (it may load gigabytes of weights).
    pub start_timeout: Duration,
    /// Set from elsewhere, it ends a worker that is still starting.
    pub stop: Option<&'static AtomicBool>,
    /// Where the workers' output goes, one file a component; nowhere without one.
    pub log_dir: Option<PathBuf>,
    /// How many processes in a row may be lost, without one answer in between, before the component is given up.
    pub max_restarts: u32,
    /// The program to start as worker; see [`WorkerOptions::executable`].
    pub executable: Option<PathBuf>,
}

impl Default for Loader {
    fn default() -> Self {
        let defaults = WorkerOptions::new("", "");
        Self {
            isolation: Isolation::default(),
            timeout: defaults.call_timeout,
            start_timeout: Duration::from_secs(600),
            stop: None,
            log_dir: None,
            max_restarts: 3,
            executable: None,
        }
    }
}

enum Place {
    Worker(Arc<WorkerEndpoint>),
    InProcess(Arc<InProcess>),
}

/// A component that is ready for calls. Dropping the last endpoint ends its worker.
pub struct OpenPlugin {
    place: Place,
    manifest: Arc<Manifest>,
}

impl OpenPlugin {
    /// The endpoint, for [`adeval_sdk::client`].
    pub fn endpoint(&self) -> Arc<dyn Endpoint> {
        match &self.place {
            Place::Worker(endpoint) => Arc::clone(endpoint) as Arc<dyn Endpoint>,
            Place::InProcess(endpoint) => Arc::clone(endpoint) as Arc<dyn Endpoint>,
        }
    }

    /// Whether its library has an optional ability, one of [`adeval_sdk::FEATURES`].
    pub fn has(&self, feature: &str) -> bool {
        self.manifest.has(feature)
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        match &self.place {
            Place::Worker(endpoint) => endpoint.usage(),
            Place::InProcess(endpoint) => endpoint.usage(),
        }
    }
}

impl Loader {
    /// Makes a component ready for calls; `parameters` may be `null` for none.
    ///
    /// # Errors
    /// `InvalidParameters` before anything is started; else what the start of the worker, the loading of the
    /// library and the component's constructor answer.
    pub fn open(
        &self,
        entry: &CatalogueEntry,
        parameters: &serde_json::Value,
        environment: &Environment,
    ) -> Result<OpenPlugin> {
        self.open_watched(entry, parameters, environment, &CallContext::detached())
    }

    /// As [`Loader::open`]; `cx` hears what the component says while it loads.
    ///
    /// # Errors
    /// As [`Loader::open`].
    pub fn open_watched(
        &self,
        entry: &CatalogueEntry,
        parameters: &serde_json::Value,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<OpenPlugin> {
        parameters::validate(&entry.component, parameters)?;
        let empty = serde_json::json!({});
        let parameters = if parameters.is_null() { &empty } else { parameters };
        let id = &entry.component.info.id;
        let place = match self.isolation {
            Isolation::InProcess => {
                Place::InProcess(Arc::new(InProcess::open(&entry.path, id, parameters, environment, cx)?))
            }
            Isolation::Worker => {
                let options = self.worker(entry);
                let restarts = self.max_restarts;
                let endpoint = WorkerEndpoint::open(options, id, parameters, environment, restarts, cx)?;
                Place::Worker(Arc::new(endpoint))
            }
        };
        Ok(OpenPlugin { place, manifest: Arc::clone(&entry.manifest) })
    }

    fn worker(&self, entry: &CatalogueEntry) -> WorkerOptions {
        /// Tells apart the logs of one component that is open twice.
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let file = format!("{}-{}-{number}.log", entry.manifest.library, entry.component.info.id);
        let file: String = file.chars().map(|c| if c == '/' { '_' } else { c }).collect();
        WorkerOptions {
            log: self.log_dir.as_ref().map(|directory| directory.join(file)),
            call_timeout: self.timeout,
            start_timeout: self.start_timeout,
            stop: self.stop,
            executable: self.executable.clone(),
            ..WorkerOptions::new(&entry.path, entry.full_name())
        }
    }
}

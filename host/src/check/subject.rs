//! What a rule works with: a library in this process, and one of its components.

use super::rule::Finding;
use adeval_sdk::abi::{self, LoadedLibrary};
use adeval_sdk::{ComponentManifest, Endpoint, Environment, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is to be tried, as it crosses to the process that tries it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Id of the rule.
    pub rule: String,
    /// The plugin's library.
    pub library: PathBuf,
    /// Id of the component; none for a rule of the library.
    pub component: Option<String>,
    /// Parameters that the component is created with.
    pub parameters: Value,
    /// Its device and weights.
    pub environment: Environment,
    /// All randomness of the rule comes from this.
    pub seed: u64,
    /// The most time that the rule may take.
    pub timeout: Duration,
    /// Address space of the process in bytes.
    pub memory_limit: Option<u64>,
    /// A directory of the rule's own.
    pub scratch: PathBuf,
    /// Set for a process that a rule starts beside its own.
    #[serde(default)]
    pub aside: Option<Aside>,
}

/// What a process beside a rule's own is for: to ask the component with other settings of the machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Aside {
    /// Threads that pools may have.
    pub threads: u32,
    /// Where the replies go.
    pub replies: PathBuf,
}

/// A library in this process, and one of its components.
pub struct Subject {
    task: Task,
    library: LoadedLibrary,
    started: Instant,
}

impl Subject {
    /// Loads the library.
    pub fn load(task: Task) -> Result<Self> {
        let started = Instant::now();
        let library = abi::load(&task.library)?;
        Ok(Self { task, library, started })
    }

    /// The library.
    pub fn library(&self) -> &LoadedLibrary {
        &self.library
    }

    /// What the component says of itself.
    pub fn component(&self) -> Result<&ComponentManifest, Finding> {
        let id = self.task.component.as_deref().unwrap_or_default();
        let components = &self.library.manifest().components;
        components
            .iter()
            .find(|component| component.info.id == id)
            .ok_or_else(|| Finding::Failed(format!("the library has no component \"{id}\"")))
    }

    /// A new instance with the parameters of the check.
    pub fn create(&self) -> Result<Arc<dyn Endpoint>> {
        self.create_with(&self.task.parameters)
    }

    /// A new instance with other parameters.
    pub fn create_with(&self, parameters: &Value) -> Result<Arc<dyn Endpoint>> {
        let id = self.task.component.as_deref().unwrap_or_default();
        self.library.create(id, parameters, &self.task.environment).map(Arc::from)
    }

    /// The parameters of the check.
    pub fn parameters(&self) -> &Value {
        &self.task.parameters
    }

    /// The rule's seed.
    pub fn seed(&self) -> u64 {
        self.task.seed
    }

    /// A directory of the rule's own.
    pub fn scratch(&self) -> &Path {
        &self.task.scratch
    }

    /// Set where this is a process that the rule has started beside its own.
    pub fn aside(&self) -> Option<&Aside> {
        self.task.aside.as_ref()
    }

    /// The same rule for a process beside this one. Two of them, one after the other, have less than the rule's time.
    pub fn task_aside(&self, aside: Aside, scratch: PathBuf) -> Task {
        let timeout = self.task.timeout.mul_f64(0.45);
        Task { aside: Some(aside), scratch, timeout, ..self.task.clone() }
    }

    /// Whether a share of the rule's time is still left; rules that repeat calls stop when it is not.
    pub fn has_time(&self, share: f64) -> bool {
        self.started.elapsed() < self.task.timeout.mul_f64(share)
    }

    /// Time since the library began to load.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

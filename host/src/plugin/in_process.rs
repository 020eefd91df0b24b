//! Components in the host's own process: for debugging and for speed. A crash there is the host's crash.

use super::serve::peak_rss;
use super::usage::{Meter, Usage};
use adeval_sdk::{CallContext, Endpoint, Environment, Message, Result, abi};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A component in this process.
pub struct InProcess {
    endpoint: Box<dyn Endpoint>,
    meter: Mutex<Meter>,
}

impl InProcess {
    /// Loads a library and makes one of its components; `cx` hears how far that is.
    ///
    /// # Errors
    /// `Incompatible`, and what the component's constructor answers.
    pub fn open(
        library: &Path,
        component: &str,
        parameters: &serde_json::Value,
        environment: &Environment,
        cx: &CallContext<'_>,
    ) -> Result<Self> {
        let endpoint = abi::load(library)?.create_watched(component, parameters, environment, cx)?;
        Ok(Self { endpoint, meter: Mutex::default() })
    }

    /// What the component has used so far; memory is the host's.
    pub fn usage(&self) -> Usage {
        let usage = self.meter.lock().unwrap_or_else(PoisonError::into_inner).usage();
        let peak = peak_rss();
        Usage { peak_rss: (peak > 0).then_some(peak), ..usage }
    }
}

impl Endpoint for InProcess {
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message> {
        let started = Instant::now();
        let result = self.endpoint.call(method, message, cx);
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).call(started.elapsed(), None);
        result
    }
}

//! Plugins: found, checked, isolated in worker processes, and called as [`adeval_sdk::Endpoint`]s.
//!
//! ```no_run
//! use adeval_host::plugin::{Discovery, DiscoveryOptions, Loader};
//! use adeval_sdk::{Environment, Kind, client::BackgroundClient};
//!
//! # fn main() -> adeval_sdk::Result<()> {
//! let catalogue = Discovery::new(DiscoveryOptions::default()).scan();
//! let entry = catalogue.find(Kind::BackgroundGenerator, "procedural-scene")?;
//! let plugin = Loader::default().open(entry, &serde_json::json!({}), &Environment::default())?;
//! let client = BackgroundClient::new(plugin.endpoint());
//! # let _ = client;
//! # Ok(())
//! # }
//! ```

pub mod catalogue;
pub mod discovery;
pub mod endpoint;
pub mod in_process;
pub mod loader;
mod obituary;
pub mod parameters;
mod process;
pub mod protocol;
pub mod serve;
pub mod shared_memory;
pub mod usage;
pub mod worker;
mod worker_log;

pub use catalogue::{Catalogue, CatalogueEntry, Failure};
pub use discovery::{Discovery, DiscoveryOptions, PLUGIN_PATH, user_directory};
pub use loader::{Isolation, Loader, OpenPlugin};
pub(crate) use obituary::obituary;
pub(crate) use process::{kill_group, this_program};
pub use serve::serve;
pub use usage::Usage;
pub use worker::{WORKER_EXE, Worker, WorkerOptions};

/// The candidate most like `name`, if one is like it at all.
fn closest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let likeness = |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase());
    let scored = candidates.into_iter().map(|candidate| (likeness(candidate), candidate));
    scored
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

//! Models of the Hugging Face hub, in the cache that Python's `huggingface_hub` keeps: what one has downloaded, the other
//! finds.
//!
//! The network is asked through `hf-hub`; the cache is read here, because that crate finds neither commits that were asked
//! for by their hash nor what is in the cache at all.

mod cache;
mod id;
mod remote;
mod select;

use crate::{CheckpointError, ErrorKind, Result};
use std::path::{Path, PathBuf};

pub use cache::{CachedModel, Snapshot};
pub use id::Id;
pub use remote::{Remote, RemoteFile};
pub use select::Selection;

const ENDPOINT: &str = "https://huggingface.co";

/// Where models come from: a cache folder, and an endpoint behind it.
#[derive(Clone)]
pub struct Hub {
    cache: PathBuf,
    endpoint: String,
    token: Option<String>,
    offline: bool,
}

impl std::fmt::Debug for Hub {
    /// Without the token, so that no log shows it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("cache", &self.cache)
            .field("endpoint", &self.endpoint)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// As the environment says, in the variables that Python's library reads: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else
    /// `~/.cache/huggingface/hub`; `HF_TOKEN`, else the file that `hf auth login` writes; `HF_ENDPOINT`; `HF_HUB_OFFLINE`.
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// As [`Hub::from_env`], with another environment. Empty values are as good as none.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let home = home(&variable);
        let cache = variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE"));
        let token_file = variable("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
        let token = variable("HF_TOKEN")
            .or_else(|| variable("HUGGING_FACE_HUB_TOKEN"))
            .or_else(|| std::fs::read_to_string(token_file).ok())
            .map(|token| token.trim().to_owned())
            .filter(|token| !token.is_empty());
        let is_true = |name: &str| {
            variable(name)
                .is_some_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_uppercase().as_str()))
        };
        Self {
            cache: cache.map_or_else(|| home.join("hub"), PathBuf::from),
            endpoint: variable("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.into()).trim_end_matches('/').into(),
            token,
            offline: is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE"),
        }
    }

    /// The same, with the network or without it.
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline |= offline;
        self
    }

    /// The folder of the cache.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Whether the network may not be asked.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// Whether there is a token to show; it is told to nobody but the endpoint.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// The local path of what a user named: a path that exists, else a hub id with a snapshot in the cache. Nothing is
    /// downloaded.
    ///
    /// # Errors
    /// For a name that is neither a path that exists nor an id, and for an id that is not in the cache.
    pub fn find(&self, name: &str) -> Result<PathBuf> {
        let path = Path::new(name);
        if path.exists() {
            return Ok(path.to_owned());
        }
        let looks_like_path = name.starts_with(['.', '/', '~']);
        let id = match name.parse::<Id>() {
            Ok(id) if !looks_like_path => id,
            _ => {
                let message = format!("{name} is neither a path that exists nor the id of a model");
                return Err(CheckpointError::missing(
                    message,
                    "check the path; ids look like org/name or org/name@revision",
                ));
            }
        };
        match self.snapshot(&id) {
            Some(snapshot) => Ok(snapshot.path),
            None => {
                let message = format!("{id} is not in the cache {}", self.cache.display());
                Err(CheckpointError::missing(message, format!("`adeval models pull {id}` downloads it")))
            }
        }
    }

    /// Refuses what needs the network when it may not be asked.
    fn online(&self, id: &Id) -> Result<()> {
        if !self.offline {
            return Ok(());
        }
        let message = format!("{id} would have to be asked of {}, and offline mode is on", self.endpoint);
        let mend = "unset HF_HUB_OFFLINE (or leave out --offline), or copy the model into the cache or to a local folder";
        Err(CheckpointError::new(ErrorKind::Offline, message, mend))
    }
}

fn home(variable: &impl Fn(&str) -> Option<String>) -> PathBuf {
    let from_home = || variable("HOME").map_or_else(PathBuf::new, PathBuf::from).join(".cache");
    variable("HF_HOME").map_or_else(
        || variable("XDG_CACHE_HOME").map_or_else(from_home, PathBuf::from).join("huggingface"),
        PathBuf::from,
    )
}

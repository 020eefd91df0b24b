//! What the endpoint has of a model, and fetching it.

use super::{Hub, Id, Selection};
use crate::format::is_below;
use crate::{CheckpointError, ErrorKind, Result};
use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A model on the hub: a commit and its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remote {
    /// `org/name`.
    pub id: String,
    /// The revision that was asked for.
    pub revision: String,
    /// The commit that it is now.
    pub commit: String,
    /// The licence that the model's card names.
    pub license: Option<String>,
    /// The files that were selected.
    pub files: Vec<RemoteFile>,
}

/// One file of a model on the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RemoteFile {
    /// Its path in the repository.
    pub name: String,
    /// Its size in bytes, where the endpoint says so.
    pub bytes: Option<u64>,
    /// The sum of a large file.
    pub sha256: Option<String>,
    /// Whether it is in the cache already.
    pub cached: bool,
}

impl Remote {
    /// Bytes that are still to be fetched.
    pub fn missing_bytes(&self) -> u64 {
        self.files.iter().filter(|file| !file.cached).filter_map(|file| file.bytes).sum()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
    card_data: Option<Card>,
}

#[derive(Deserialize)]
struct Card {
    license: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Hub {
    /// Asks what a model consists of, and which of the selected files are in the cache already. Fetches nothing.
    ///
    /// # Errors
    /// In offline mode, for a model or revision that the endpoint does not have or does not show without (another) token,
    /// for an endpoint that does not answer, and as [`Selection::of`].
    pub fn remote(&self, id: &Id, selection: &Selection) -> Result<Remote> {
        self.online(id)?;
        let request = self.api(id)?.repo(repo(id)).info_request().query("blobs", "true");
        let fault = |error: &dyn std::fmt::Display| self.fault(id, "", &error.to_string());
        let mut response = request.call().map_err(|error| fault(&error))?;
        let info: Info = response.body_mut().read_json().map_err(|error| fault(&error))?;
        let names: Vec<String> = info.siblings.iter().map(|sibling| sibling.rfilename.clone()).collect();
        let chosen = selection.of(&names)?;
        let snapshot = self.cache.join(id.folder()).join("snapshots").join(&info.sha);
        let mut files = Vec::new();
        for sibling in info.siblings.into_iter().filter(|sibling| chosen.contains(&sibling.rfilename)) {
            check_name(id, &sibling.rfilename)?;
            let (size, sha256) = sibling.lfs.map_or((None, None), |lfs| (lfs.size, lfs.sha256));
            let cached = snapshot.join(&sibling.rfilename).is_file();
            files.push(RemoteFile { name: sibling.rfilename, bytes: size.or(sibling.size), sha256, cached });
        }
        let license = info.card_data.and_then(|card| Some(card.license?.as_str()?.to_owned()));
        Ok(Remote {
            id: id.name.clone(),
            revision: id.revision().to_owned(),
            commit: info.sha,
            license,
            files,
        })
    }

    /// Fetches what is missing of a remote model into the cache, and gives the folder of its files. `progress` is told of
    /// each file and of bytes as they come. A download that was cut off goes on where it stopped.
    ///
    /// # Errors
    /// As [`Hub::remote`], and for files that cannot be written or come with another size than was announced.
    pub fn pull(&self, remote: &Remote, progress: &mut dyn FnMut(&str, u64)) -> Result<PathBuf> {
        let id = Id { name: remote.id.clone(), revision: Some(remote.revision.clone()) };
        self.online(&id)?;
        let folder = self.cache.join(id.folder()).join("snapshots").join(&remote.commit);
        let repo = self.api(&id)?.repo(repo(&id));
        for file in remote.files.iter().filter(|file| !file.cached) {
            check_name(&id, &file.name)?;
            let forward = Forward { file: &file.name, tell: &mut *progress };
            let path = repo
                .download_with_progress(&file.name, forward)
                .map_err(|error| self.download_fault(&id, &file.name, &error))?;
            let found = path.metadata().map_err(|error| CheckpointError::io(&path, &error))?.len();
            if let Some(expected) = file.bytes.filter(|&expected| expected != found) {
                return Err(CheckpointError::truncated(&path, expected, found));
            }
        }
        Ok(folder)
    }

    fn api(&self, id: &Id) -> Result<Api> {
        ApiBuilder::from_cache(Cache::new(self.cache.clone()))
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_progress(false)
            .with_retries(3)
            .build()
            .map_err(|error| self.fault(id, "", &error.to_string()))
    }

    fn download_fault(&self, id: &Id, file: &str, error: &ApiError) -> CheckpointError {
        match error {
            ApiError::IoError(source) => CheckpointError::io(&self.cache, source),
            ApiError::LockAcquisition(path) => {
                let message = format!("{id}: {file} is being downloaded by another program");
                let mend = format!("wait for it; if there is none, remove {}", path.display());
                CheckpointError::new(ErrorKind::Hub, message, mend)
            }
            other => self.fault(id, file, &other.to_string()),
        }
    }

    /// `reason` is the client's sentence, whose only stable part is the status.
    fn fault(&self, id: &Id, file: &str, reason: &str) -> CheckpointError {
        let what = if file.is_empty() { id.to_string() } else { format!("{id}: {file}") };
        let status = reason.split("status: ").nth(1).and_then(|rest| rest.get(..3)).unwrap_or_default();
        let (message, mend) = match status {
            "401" | "403" => (
                format!("{} does not show {what} (status {status})", self.endpoint),
                match self.token {
                    Some(_) => "accept the model's licence on its page with the account of your token",
                    None => "set HF_TOKEN, accept the model's licence on its page, and check the id",
                },
            ),
            "404" => (format!("{} has no {what}", self.endpoint), "check the id and the revision"),
            _ => (
                format!("{what} cannot be had from {}: {reason}", self.endpoint),
                "check the network; with --offline only the cache is used",
            ),
        };
        CheckpointError::new(ErrorKind::Hub, message, mend)
    }
}

fn repo(id: &Id) -> Repo {
    Repo::with_revision(id.name.clone(), RepoType::Model, id.revision().to_owned())
}

/// Names become paths here and parts of addresses there.
fn check_name(id: &Id, name: &str) -> Result<()> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_./+,=@()".contains(c);
    if is_below(name) && name.chars().all(sound) {
        return Ok(());
    }
    let message = format!("{id} has a file that cannot be fetched by its name: {name:?}");
    Err(CheckpointError::new(ErrorKind::Hub, message, "download it by hand, and name the local file"))
}

struct Forward<'a> {
    file: &'a str,
    tell: &'a mut dyn FnMut(&str, u64),
}

impl Progress for Forward<'_> {
    fn init(&mut self, _: usize, _: &str) {}

    fn update(&mut self, bytes: usize) {
        (self.tell)(self.file, bytes as u64);
    }

    fn finish(&mut self) {}
}

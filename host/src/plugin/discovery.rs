//! Looks for plugins: which directories, which files, and what each says of itself when a worker loads it.

use super::catalogue::{Catalogue, Failure};
use super::worker::{Worker, WorkerOptions};
use adeval_sdk::{ErrorKind, Manifest, PluginError, Result};
use rayon::prelude::*;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Names directories of plugins, with `:` between them.
pub const PLUGIN_PATH: &str = "ADEVAL_PLUGIN_PATH";

/// The symbol that every plugin exports.
const SYMBOL: &[u8] = b"ADEVAL_PLUGIN_CONTRACT";

/// Where and how to look.
#[derive(Debug, Clone)]
pub struct DiscoveryOptions {
    /// Directories (or libraries) that the user names; they come first.
    pub directories: Vec<PathBuf>,
    /// Whether [`PLUGIN_PATH`], the user's directory and the program's own are searched as well.
    pub standard_places: bool,
    /// The most time that a library may take to say what it is.
    pub timeout: Duration,
    /// The program to start as worker; see [`WorkerOptions::executable`].
    pub executable: Option<PathBuf>,
}

impl Default for DiscoveryOptions {
    fn default() -> Self {
        Self {
            directories: Vec::new(),
            standard_places: true,
            timeout: Duration::from_secs(20),
            executable: None,
        }
    }
}

/// A place to look at.
struct Place {
    path: PathBuf,
    /// Whether somebody named it: then it must be there, and what is in it should be plugins.
    named: bool,
}

/// A file to be asked what it is.
struct Candidate {
    path: PathBuf,
    named: bool,
}

/// A candidate's answer; `None` for a library that is no plugin and does not pretend to be one.
type Answer = Option<(PathBuf, Result<(String, Manifest)>)>;

/// A search for plugins.
pub struct Discovery {
    options: DiscoveryOptions,
}

impl Discovery {
    /// A search with these options.
    pub fn new(options: DiscoveryOptions) -> Self {
        Self { options }
    }

    /// Looks for libraries and asks each, in a worker of its own, what it is. Never fails as a whole.
    pub fn scan(&self) -> Catalogue {
        let mut catalogue = Catalogue::default();
        let mut candidates = Vec::new();
        let mut seen = HashSet::new();
        for place in self.places() {
            if !place.named && !place.path.is_dir() {
                continue;
            }
            catalogue.searched.push(place.path.clone());
            match libraries(&place.path) {
                Ok(paths) => candidates.extend(
                    paths
                        .into_iter()
                        .filter(|path| seen.insert(path.clone()))
                        .map(|path| Candidate { path, named: place.named }),
                ),
                Err(error) => catalogue.failures.push(Failure { path: place.path, error }),
            }
        }
        let answers: Vec<Answer> = candidates.par_iter().map(|candidate| self.ask(candidate)).collect();
        for (path, answer) in answers.into_iter().flatten() {
            match answer {
                Ok((digest, manifest)) => catalogue.add(path, digest, manifest),
                Err(error) => catalogue.failures.push(Failure { path, error }),
            }
        }
        catalogue
    }

    fn places(&self) -> Vec<Place> {
        let named = |path: PathBuf| Place { path, named: true };
        let quiet = |path: PathBuf| Place { path, named: false };
        let mut places: Vec<Place> = self.options.directories.iter().cloned().map(named).collect();
        if !self.options.standard_places {
            return places;
        }
        if let Some(list) = std::env::var_os(PLUGIN_PATH) {
            let parts = std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty());
            places.extend(parts.map(named));
        }
        places.extend(user_directory().map(quiet));
        if let Some(directory) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
            places.push(quiet(directory.to_owned()));
            places.push(quiet(directory.join("plugins")));
        }
        places
    }

    fn ask(&self, candidate: &Candidate) -> Answer {
        let path = &candidate.path;
        let answer = match identify(path) {
            Ok(None) if !candidate.named => return None,
            Ok(None) => Err(PluginError::new(
                ErrorKind::Incompatible,
                format!("{} is not an adeval plugin: it has no export_plugin!", path.display()),
            )),
            Ok(Some(digest)) => self.probe(path).map(|manifest| (digest, manifest)),
            Err(e) => Err(PluginError::new(ErrorKind::Io, format!("{} cannot be read: {e}", path.display()))),
        };
        Some((path.clone(), answer))
    }

    fn probe(&self, path: &Path) -> Result<Manifest> {
        let label = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let options = WorkerOptions {
            call_timeout: self.options.timeout,
            start_timeout: self.options.timeout,
            executable: self.options.executable.clone(),
            ..WorkerOptions::new(path, label)
        };
        Worker::spawn(&options).map(|worker| worker.manifest().clone())
    }
}

/// The user's own folder of plugins: `$XDG_DATA_HOME/adeval/plugins`, or the same under `~/.local/share`.
pub fn user_directory() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data =
        absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(data.join("adeval/plugins"))
}

/// The shared libraries of a directory, in the order of their names, or a library that is named itself.
fn libraries(place: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |e: std::io::Error| {
        PluginError::new(ErrorKind::Io, format!("{} cannot be searched: {e}", place.display()))
    };
    if place.is_file() {
        return Ok(vec![place.canonicalize().map_err(unreadable)?]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|e| e == std::env::consts::DLL_EXTENSION) && path.is_file() {
            found.push(path.canonicalize().map_err(unreadable)?);
        }
    }
    found.sort();
    Ok(found)
}

/// The digest of a file that names the plugin symbol, or `None` for any other library: those are not loaded, not
/// even in a worker, because loading runs their constructors.
fn identify(path: &Path) -> std::io::Result<Option<String>> {
    let bytes = std::fs::read(path)?;
    let plugin = memchr::memmem::find(&bytes, SYMBOL).is_some();
    Ok(plugin.then(|| blake3::hash(&bytes).to_hex().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(directories: Vec<PathBuf>) -> Catalogue {
        // A program that ends at once in place of a worker: nothing of these tests may be loaded.
        let executable = Some(PathBuf::from("/bin/false"));
        let options =
            DiscoveryOptions { directories, standard_places: false, executable, ..Default::default() };
        Discovery::new(options).scan()
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let catalogue = scan(vec!["/no/such/directory".into()]);
        let message = catalogue.failures()[0].error.to_string();
        assert!(message.contains("/no/such/directory cannot be searched"), "{message}");
    }

    #[test]
    fn files_that_are_no_plugins_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(
                directory.path().join(name).with_extension(std::env::consts::DLL_EXTENSION),
                bytes,
            )
            .unwrap();
        };
        file("libempty", b"");
        file("libfake", b"not an ELF file, but ADEVAL_PLUGIN_CONTRACT is in it");
        std::fs::write(directory.path().join("notes.txt"), b"text").unwrap();
        let catalogue = scan(vec![directory.path().into()]);
        let messages: Vec<String> = catalogue.failures().iter().map(|f| f.error.to_string()).collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].contains("is not an adeval plugin"), "{}", messages[0]);
        assert!(messages[1].starts_with("plugin crashed: libfake"), "{}", messages[1]);
        assert!(messages[1].contains("exited with code 1 during its start"), "{}", messages[1]);
    }

    #[test]
    fn an_unnamed_place_may_hold_anything() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("libmacro.so");
        std::fs::write(&path, b"a library of somebody else").unwrap();
        let discovery = Discovery::new(DiscoveryOptions::default());
        assert!(discovery.ask(&Candidate { path: path.clone(), named: false }).is_none());
        assert!(discovery.ask(&Candidate { path, named: true }).is_some());
    }
}

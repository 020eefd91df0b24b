//! Sets of features from the command line: a folder of pictures, or a file of features.

use super::super::exit::Stop;
use super::super::open::{PluginArgs, parameter};
use super::super::progress::Report;
use super::super::{Session, interrupt, output};
use crate::bench::{EmbedJob, Embedded, Installed, Services, embed};
use crate::features::{About, FeatureFile, Grouping, Picture, pictures};
use crate::products::CutOutNetwork;
use crate::suite::Component;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// How pictures become features.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Features")]
pub struct EmbedArgs {
    /// The image embedder; `adeval plugin list` shows those that are installed.
    #[arg(long, value_name = "PLUGIN", default_value = "efficientnet-embedder")]
    embedder: String,
    /// A parameter of the embedder, e.g. `resize=clean`; may be repeated. `adeval plugin inspect` shows them.
    #[arg(long = "set", short = 'p', value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, Value)>,
    /// Weights of the embedder in place of its own: a file or a folder.
    #[arg(long, value_name = "PATH")]
    weights: Option<PathBuf>,
    /// Where the embedder runs: `cpu`, `cuda:N` or `metal`.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Which pictures show one product, and so count as one for intervals.
    #[arg(long, value_enum, default_value_t)]
    group_by: Grouping,
    /// Folder of features that were computed before [default: adeval/features in the user's cache folder].
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    cache: Option<PathBuf>,
    /// Compute all features anew, and keep none.
    #[arg(long)]
    no_cache: bool,
    #[command(flatten)]
    plugins: PluginArgs,
}

/// Reads `resize=clean`.
pub fn setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("it must look like KEY=VALUE")?;
    Ok((key.to_owned(), parameter(value)))
}

/// A set of pictures as features.
pub struct Set {
    pub source: PathBuf,
    pub file: FeatureFile,
    /// Pictures that have no features, with the reason.
    pub failed: Vec<Failed>,
    /// How many features were computed before.
    pub cached: usize,
}

/// A picture without features.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Failed {
    /// The picture.
    pub image: String,
    /// Why.
    pub reason: String,
}

impl Set {
    /// The product of each row, as numbers.
    pub fn clusters(&self) -> Vec<usize> {
        let mut known: Vec<&str> = self.file.about.products.iter().map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        let number = |product: &String| known.partition_point(|known| known < &product.as_str());
        self.file.about.products.iter().map(number).collect()
    }
}

/// Reads and embeds sets; plugins are looked for when the first folder needs them.
pub struct Sets<'a> {
    args: &'a EmbedArgs,
    session: Session,
    /// The plugins, and the user's wish to stop.
    opened: OnceCell<(Installed, &'static AtomicBool)>,
}

impl<'a> Sets<'a> {
    pub fn new(args: &'a EmbedArgs, session: Session) -> Self {
        Self { args, session, opened: OnceCell::new() }
    }

    /// The features of a folder's pictures, or of a file.
    pub fn load(&self, source: &Path) -> Result<Set, Stop> {
        if source.is_dir() {
            return self.embed(source);
        }
        if !source.exists() {
            return Err(Stop::new(format!("{} does not exist", source.display()))
                .help("give a folder of pictures, or a file that `adeval eval features` wrote"));
        }
        let file = FeatureFile::read(source).map_err(|e| Stop::new(e.to_string()))?;
        Ok(Set { source: source.to_owned(), file, failed: Vec::new(), cached: 0 })
    }

    fn embed(&self, folder: &Path) -> Result<Set, Stop> {
        let cannot = |e: std::io::Error| Stop::new(format!("{}: cannot be read: {e}", folder.display()));
        let found = pictures(folder, self.args.group_by).map_err(cannot)?;
        if found.is_empty() {
            return Err(Stop::new(format!("{} holds no PNG, JPEG or WebP pictures", folder.display())));
        }
        let (installed, cancel) = self.opened()?;
        let report = Report::new(self.session.quiet);
        let matting = CutOutNetwork::default();
        let services = Services { plugins: installed, matting: &matting, progress: &report, cancel };
        let job = EmbedJob {
            embedder: Component {
                plugin: self.args.embedder.clone(),
                parameters: self.args.settings.iter().cloned().collect::<Map<_, _>>(),
                device: self.args.device.clone(),
                weights: self.args.weights.as_ref().map(|p| std::path::absolute(p).unwrap_or(p.clone())),
            },
            images: found.iter().map(|picture| picture.path.clone()).collect(),
            cache: self.cache(),
        };
        let embedded = embed(&job, &services)?;
        report.finish();
        let Some(embedded) = embedded.filter(|_| !cancel.load(Ordering::Relaxed)) else {
            return Err(Stop::interrupted("stopped; features that were computed are kept"));
        };
        Ok(set(folder, found, embedded))
    }

    fn opened(&self) -> Result<(&Installed, &'static AtomicBool), Stop> {
        if self.opened.get().is_none() {
            let cancel = interrupt::listen()?;
            let installed = self.args.plugins.open(cancel)?;
            let _ = self.opened.set((installed, cancel));
        }
        self.opened
            .get()
            .map(|(installed, cancel)| (installed, *cancel))
            .ok_or_else(|| Stop::new("the plugins were not opened; please report this"))
    }

    fn cache(&self) -> Option<PathBuf> {
        if self.args.no_cache {
            return None;
        }
        let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
        let users = || folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        self.args.cache.clone().or_else(|| users().map(|cache| cache.join("adeval/features")))
    }
}

/// The pictures that have features, and those that have none.
fn set(folder: &Path, pictures: Vec<Picture>, embedded: Embedded) -> Set {
    let mut about = About {
        encoder: embedded.encoder.name,
        preprocessing: embedded.encoder.preprocessing,
        fingerprint: embedded.fingerprint,
        images: Vec::new(),
        products: Vec::new(),
    };
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for (picture, features) in pictures.into_iter().zip(embedded.features) {
        match features {
            Ok(row) => {
                about.images.push(picture.name);
                about.products.push(picture.product);
                rows.push(row);
            }
            Err(error) => {
                output::warn(&format!("{}: {error}; it is left out", picture.name));
                failed.push(Failed { image: picture.name, reason: error.to_string() });
            }
        }
    }
    Set { source: folder.to_owned(), file: FeatureFile { about, rows }, failed, cached: embedded.cached }
}

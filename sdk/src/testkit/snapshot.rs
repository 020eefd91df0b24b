//! Creatives as insta's binary snapshots.

use super::{Comparison, Tolerance, Tolerances, compare, evidence, machine_class};
use crate::{Creative, Image};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageFormat, RgbImage};
use insta::internals::SnapshotContents;
use insta::{Comparator, Settings, Snapshot};
use std::path::{Path, PathBuf};

/// Asserts that a creative (or an [`Image`](crate::Image), or an `image::RgbImage`) looks like its accepted snapshot.
///
/// ```no_run
/// # let creative = adeval_sdk::Image::from(image::RgbImage::new(8, 8));
/// use adeval_sdk::assert_creative_snapshot;
///
/// // Named after the test:
/// assert_creative_snapshot!(creative);
/// // Named:
/// assert_creative_snapshot!("on marble", creative);
/// // With limits of its own:
/// let tolerance = adeval_sdk::testkit::Tolerance { pixel: 0.1, ..Default::default() };
/// assert_creative_snapshot!("at night", creative, tolerance);
/// ```
///
/// The limits are those of the nearest `snapshot-tolerances.toml` for this machine's class, from the crate's folder up. A
/// failure prints the rules that failed and the tolerances that would have passed, names the picture that shows it, and
/// leaves a pending snapshot for `cargo insta review`. Baselines name the machine class that made them in their `info`.
#[macro_export]
macro_rules! assert_creative_snapshot {
    ($creative:expr $(,)?) => {
        $crate::assert_creative_snapshot!("", $creative)
    };
    ($name:expr, $creative:expr $(,)?) => {
        $crate::assert_creative_snapshot!(@ $name, $creative, ::core::option::Option::None)
    };
    ($name:expr, $creative:expr, $tolerance:expr $(,)?) => {
        $crate::assert_creative_snapshot!(@ $name, $creative, ::core::option::Option::Some($tolerance))
    };
    (@ $name:expr, $creative:expr, $tolerance:expr) => {{
        let settings =
            $crate::testkit::snapshot_settings(::core::env!("CARGO_MANIFEST_DIR").as_ref(), $tolerance);
        let (name, png) = ($crate::testkit::file_name($name), $crate::testkit::Picture::png(&$creative));
        let _guard = settings.bind_to_scope();
        $crate::testkit::insta::assert_binary_snapshot!(&name, png, ::core::stringify!($creative))
    }};
}

/// The name of a binary snapshot's file; insta takes everything after the first dot for its extension.
#[doc(hidden)]
pub fn file_name(name: &str) -> String {
    format!("{}.png", name.replace('.', "_"))
}

/// What can be kept as a snapshot.
pub trait Picture {
    /// Its pixels; alpha is dropped.
    fn pixels(&self) -> RgbImage;

    /// Its pixels as a PNG, the same bytes for the same pixels.
    ///
    /// # Panics
    /// When the image is empty.
    fn png(&self) -> Vec<u8> {
        let pixels = self.pixels();
        let (width, height) = pixels.dimensions();
        let mut png = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive);
        match encoder.write_image(pixels.as_raw(), width, height, ExtendedColorType::Rgb8) {
            Ok(()) => png,
            Err(error) => panic!("an image of {width}x{height} pixels cannot be a snapshot: {error}"),
        }
    }
}

impl Picture for RgbImage {
    fn pixels(&self) -> RgbImage {
        self.clone()
    }
}

impl Picture for Image {
    fn pixels(&self) -> RgbImage {
        self.to_rgb()
    }
}

impl Picture for Creative {
    fn pixels(&self) -> RgbImage {
        self.image.to_rgb()
    }
}

impl<P: Picture> Picture for &P {
    fn pixels(&self) -> RgbImage {
        (**self).pixels()
    }
}

/// insta's settings for creatives: the current ones with [`CreativeComparator`] and the machine class as `info`.
///
/// # Panics
/// When the file of tolerances is wrong: a test that ran with other limits than the written ones would prove nothing.
pub fn snapshot_settings(crate_folder: &Path, tolerance: Option<Tolerance>) -> Settings {
    let class = machine_class();
    let tolerance = tolerance.unwrap_or_else(|| match Tolerances::find(crate_folder, &class) {
        Ok((tolerances, _)) => tolerances.pixels,
        Err(error) => panic!("{error}"),
    });
    if let Err(reason) = tolerance.check() {
        panic!("a snapshot's tolerance: {reason}");
    }
    let mut settings = Settings::clone_current();
    settings.set_info(&serde_json::json!({ "machine": class, "adeval-sdk": env!("CARGO_PKG_VERSION") }));
    settings.set_comparator(Box::new(CreativeComparator { tolerance, evidence: evidence_folder() }));
    settings
}

/// `adeval-evidence` in the folder of the build that runs the test, so that `cargo clean` sweeps it.
fn evidence_folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("ADEVAL_EVIDENCE_DIR") {
        return folder.into();
    }
    let program = std::env::current_exe().unwrap_or_default();
    let build = program.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "deps"));
    let folder = build.and_then(Path::parent).map_or_else(std::env::temp_dir, Path::to_owned);
    folder.join("adeval-evidence")
}

/// Compares snapshots of images by what is seen.
#[derive(Debug, Clone)]
pub struct CreativeComparator {
    /// The limits.
    pub tolerance: Tolerance,
    /// Folder of the pictures of failures; made when needed.
    pub evidence: PathBuf,
}

impl Comparator for CreativeComparator {
    fn matches(&self, reference: &Snapshot, test: &Snapshot) -> bool {
        let (old, new) = match (decoded(reference), decoded(test)) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(reason), _) => {
                report(&format!("the accepted snapshot cannot be compared: {reason}"));
                return false;
            }
            (_, Err(reason)) => {
                report(&format!("the new snapshot cannot be compared: {reason}"));
                return false;
            }
        };
        let comparison = compare(&old, &new, &self.tolerance);
        if !comparison.passed() {
            let made_on = reference.metadata().private_info().map_or_else(String::new, machine_of);
            let shown = self.show(test, &old, &new, &comparison);
            report(&format!("the creative does not look like its snapshot{made_on}:\n{comparison}{shown}"));
        }
        comparison.passed()
    }

    fn dyn_clone(&self) -> Box<dyn Comparator> {
        Box::new(self.clone())
    }
}

impl CreativeComparator {
    /// Writes the picture, and says where it is.
    fn show(&self, test: &Snapshot, old: &RgbImage, new: &RgbImage, comparison: &Comparison) -> String {
        let name = format!("{}__{}", test.module_name(), test.snapshot_name().unwrap_or("snapshot"));
        let plain = |c: char| if c.is_alphanumeric() || "-_@".contains(c) { c } else { '_' };
        let file = self.evidence.join(name.chars().map(plain).collect::<String>() + ".png");
        let written = evidence(old, new, comparison).map_err(std::io::Error::other).and_then(|evidence| {
            std::fs::create_dir_all(&self.evidence)?;
            std::fs::write(&file, &evidence.png)?;
            Ok(evidence.flip)
        });
        match written {
            Ok(Some(flip)) => format!("  mean FLIP {flip:.4}\n  old | new | difference: {}", file.display()),
            Ok(None) => format!("  old | new: {}", file.display()),
            Err(error) => format!("  {} cannot be written: {error}", file.display()),
        }
    }
}

/// `, made on CLASS`, from a snapshot's info.
fn machine_of(info: &insta::internals::Content) -> String {
    let insta::internals::Content::Map(entries) = info.resolve_inner() else { return String::new() };
    let machine = entries.iter().find(|(key, _)| key.as_str() == Some("machine"));
    let class = machine.and_then(|(_, value)| value.as_str());
    class.map_or_else(String::new, |class| format!(" (made on {class}, this is {})", machine_class()))
}

fn decoded(snapshot: &Snapshot) -> Result<RgbImage, String> {
    match snapshot.contents() {
        SnapshotContents::Binary(Some(bytes)) => image::load_from_memory_with_format(bytes, ImageFormat::Png)
            .map(|image| image.to_rgb8())
            .map_err(|error| format!("it is no PNG: {error}")),
        SnapshotContents::Binary(None) => Err("its PNG is missing".into()),
        SnapshotContents::Text(_) => Err("it is text, not an image".into()),
    }
}

/// A test's output goes to stderr, where the harness shows it beside insta's own.
#[allow(clippy::print_stderr)]
fn report(message: &str) {
    eprintln!("{message}");
}

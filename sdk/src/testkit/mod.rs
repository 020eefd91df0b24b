//! For tests of plugins: is this creative still the one that was accepted?
//!
//! Exact comparison of generated images breaks with every machine; a mean over the image misses a broken corner.
//! [`compare`] does neither: it looks at every small window, excuses antialiasing where an edge stayed in place, and says
//! which rule failed, where, by how much, and which tolerance would have passed. [`evidence`] shows it.
//!
//! With the feature `testkit`, `assert_creative_snapshot!` keeps accepted creatives as
//! insta's binary snapshots, so that `cargo insta review` and `cargo insta accept` work as for any other snapshot:
//!
//! ```toml
//! [dev-dependencies]
//! adeval-sdk = { path = "...", features = ["testkit"] }
//! ```
//!
//! The feature `perceptual` is the comparison alone, without insta.

mod antialias;
mod compare;
mod evidence;
mod flip;
mod oklab;
mod platform;
#[cfg(feature = "testkit")]
mod snapshot;
mod sweep;
mod tolerance;
mod tolerances;
mod window;

pub use compare::{Comparison, Violation, compare};
pub use evidence::{Evidence, evidence};
pub use flip::{FlipMap, PIXELS_PER_DEGREE, flip};
pub use platform::machine_class;
#[cfg(feature = "testkit")]
#[doc(hidden)]
pub use snapshot::file_name;
#[cfg(feature = "testkit")]
pub use snapshot::{CreativeComparator, Picture, snapshot_settings};
pub use sweep::{Sweep, SweepStep};
pub use tolerance::Tolerance;
pub use tolerances::{EmbeddingTolerance, NumberTolerance, TOLERANCES_FILE, Tolerances, TolerancesError};
pub use window::Region;

/// The insta that the comparator is made for. It is given on so that a plugin cannot have another version of it, whose
/// `Comparator` would be another trait.
#[cfg(feature = "testkit")]
pub use insta;

#[cfg(test)]
mod tests;

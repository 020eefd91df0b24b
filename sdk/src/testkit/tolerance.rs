//! How much a creative may differ from its snapshot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits of the pixel rules. The defaults admit rounding of another machine and nothing that a person would report.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tolerance {
    /// HyAB distance in OKLab above which a pixel differs, 0 to 1 (black to white is 1).
    pub pixel: f64,
    /// Side N of the windows in pixels, 2 to 256.
    pub window: u32,
    /// Share of a window's pixels that may differ, 0 to 1; antialiasing does not count.
    pub window_share: f64,
    /// HyAB length of the mean colour change of a window, 0 to 1. One level of grey is 0.002 to 0.005.
    pub window_shift: f64,
    /// Pixels by which an antialiased edge may move and still be excused, 0 to 1; 0 excuses no antialiasing.
    pub edge_shift: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { pixel: 0.05, window: 8, window_share: 1.0 / 16.0, window_shift: 0.005, edge_shift: 0.75 }
    }
}

impl Tolerance {
    /// Checks the limits.
    ///
    /// # Errors
    /// One sentence that names the field, its value and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        let shares = [
            ("pixel", self.pixel),
            ("window_share", self.window_share),
            ("window_shift", self.window_shift),
            ("edge_shift", self.edge_shift),
        ];
        for (name, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("{name} = {value}: it must be between 0 and 1"));
            }
        }
        if !(2..=256).contains(&self.window) {
            return Err(format!("window = {}: it must be between 2 and 256 pixels", self.window));
        }
        Ok(())
    }

    /// Pixels of a window of this area that may differ.
    pub(super) fn allowed(&self, area: u64) -> u64 {
        // A share such as 0.0625 of 64 is 4, whatever the last bit of the product says.
        (self.window_share * area as f64 + 1e-9).floor() as u64
    }
}

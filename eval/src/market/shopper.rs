//! Who shops here, and what they like.

use super::facts::Band;
use super::scene::MEASURES;

/// A kind of shoppers. Its numbers are a designer's choice, fitted to no clicks.
#[derive(Debug)]
pub(super) struct Segment {
    pub name: &'static str,
    /// Share of the shoppers of a product in the low, middle and high price band.
    share: [f64; 3],
    /// What the price band does to the log-odds of a click.
    price: [f64; 3],
    /// What a usual spread more does to the appeal: light, warm, vivid, green, busy, contrast, harmony.
    pub likes: [f64; MEASURES],
    /// The same of the match of product and scene.
    pub likes_match: f64,
    /// The same of warmth where the season wants it.
    pub likes_season: f64,
}

/// Kinds of shoppers.
pub const SEGMENTS: usize = 3;

#[rustfmt::skip]
pub(super) static ALL: [Segment; SEGMENTS] = [
    Segment {
        name: "bargain", share: [0.6, 0.3, 0.1], price: [0.3, 0.0, -0.5],
        likes: [0.1, 0.0, 0.4, 0.0, 0.0, 0.5, 0.1], likes_match: 0.1, likes_season: 0.1,
    },
    Segment {
        name: "practical", share: [0.3, 0.4, 0.3], price: [0.0, 0.0, 0.0],
        likes: [0.2, 0.0, 0.0, 0.0, -0.5, 0.4, 0.1], likes_match: 0.25, likes_season: 0.2,
    },
    Segment {
        name: "style", share: [0.1, 0.3, 0.6], price: [-0.3, 0.0, 0.2],
        likes: [0.0, 0.0, 0.2, 0.0, -0.2, 0.2, 0.5], likes_match: 0.35, likes_season: 0.3,
    },
];

/// The names of the segments, in the order of all numbers by segment.
pub fn segments() -> [&'static str; SEGMENTS] {
    std::array::from_fn(|at| ALL[at].name)
}

impl Segment {
    pub fn share(&self, band: Band) -> f64 {
        self.share[band as usize]
    }

    pub fn price(&self, band: Band) -> f64 {
        self.price[band as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_share_every_price_band() {
        for band in [Band::Low, Band::Middle, Band::High] {
            let total: f64 = ALL.iter().map(|segment| segment.share(band)).sum();
            assert!((total - 1.0).abs() < 1e-12, "{band:?}: {total}");
        }
    }
}

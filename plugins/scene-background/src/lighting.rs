//! The lights of each mood.

use crate::lexicon::Mood;
use crate::palette::Palette;
use crate::scene::Rgb;
use adeval_compositing::Light;
use adeval_compositing::color::{mix, scale};

/// A lit set.
#[derive(Debug, Clone, Copy)]
pub struct Lit {
    /// The key light with its fill.
    pub light: Light,
    /// A coloured light from the other side.
    pub rim: Rgb,
    /// What far backdrops are multiplied with.
    pub vista: Rgb,
    /// Factor on everything.
    pub exposure: f32,
    /// Darkening of the corners.
    pub vignette: f32,
}

/// The light of a mood, from an azimuth in degrees.
pub fn of(mood: Mood, azimuth: f32, palette: &Palette) -> Lit {
    let light = |elevation, softness, color, fill, fill_color| Light {
        azimuth,
        elevation,
        softness,
        color,
        fill,
        fill_color,
    };
    let plain = |light: Light| Lit { light, rim: [0.0; 3], vista: [1.0; 3], exposure: 1.0, vignette: 0.14 };
    match mood {
        Mood::Soft => plain(light(52.0, 11.0, [1.0, 0.985, 0.955], 0.50, [0.98, 0.99, 1.0])),
        Mood::Studio => plain(light(58.0, 13.0, [1.0, 1.0, 0.99], 0.54, [1.0; 3])),
        Mood::Hard => plain(light(40.0, 1.3, [1.0, 0.955, 0.88], 0.36, [0.90, 0.95, 1.0])),
        Mood::Cool => plain(light(58.0, 13.0, [0.95, 0.98, 1.0], 0.58, [0.94, 0.97, 1.0])),
        Mood::Golden => Lit {
            vista: [1.05, 0.86, 0.66],
            exposure: 1.06,
            ..plain(light(25.0, 2.2, [1.0, 0.79, 0.54], 0.36, [0.90, 0.88, 0.98]))
        },
        Mood::Moody => Lit {
            vista: scale([1.0; 3], 0.55),
            exposure: 0.92,
            vignette: 0.5,
            ..plain(light(44.0, 5.0, [1.0, 0.94, 0.86], 0.20, [0.86, 0.93, 1.0]))
        },
        Mood::Candle => Lit {
            exposure: 0.86,
            vignette: 0.38,
            ..plain(light(38.0, 6.0, [1.0, 0.85, 0.66], 0.34, [1.0, 0.90, 0.78]))
        },
        Mood::Neon => {
            let warm = mix([1.0, 0.18, 0.62], palette.accent.rgb(), if palette.named { 0.4 } else { 0.0 });
            Lit {
                rim: scale([0.10, 0.55, 1.0], 0.9),
                exposure: 0.82,
                vignette: 0.4,
                ..plain(light(42.0, 5.0, mix(warm, [1.0; 3], 0.12), 0.26, [0.62, 0.58, 1.0]))
            }
        }
    }
}

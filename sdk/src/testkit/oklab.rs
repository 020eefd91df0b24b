//! OKLab as an eye in a lit room sees it, and the HyAB distance in it.
//!
//! OKLab (Ottosson 2020) takes cube roots of cone responses, so that one 8-bit step next to black is ten times as far as
//! one in mid-grey. No display shows that step: light of the room falls on the screen. The reference viewing conditions of
//! sRGB (IEC 61966-2-1) assume 1% of white; half of it is added here before the cube root, and lightness is stretched so
//! that black is 0 and white 1 again. A step of one level in all channels then is 0.002 to 0.005 everywhere.

use image::RgbImage;
use std::sync::LazyLock;

/// Light of the room on the screen, as a share of white.
const VEILING_GLARE: f64 = 0.005;

/// Lightness in [0, 1], green-red, blue-yellow.
pub type Oklab = [f32; 3];

/// Linear light of each 8-bit sRGB level, with the room's light, in [0, 1].
static LINEAR: LazyLock<[f64; 256]> = LazyLock::new(|| {
    std::array::from_fn(|level| (linear(level as f64 / 255.0) + VEILING_GLARE) / (1.0 + VEILING_GLARE))
});

/// The inverse of the sRGB transfer function; both in [0, 1].
pub(super) fn linear(encoded: f64) -> f64 {
    if encoded <= 0.04045 { encoded / 12.92 } else { ((encoded + 0.055) / 1.055).powf(2.4) }
}

/// The colour of an 8-bit sRGB pixel.
pub fn oklab(pixel: [u8; 3]) -> Oklab {
    let [r, g, b] = pixel.map(|level| LINEAR[level as usize]);
    let [lightness, a, b] = of_linear([r, g, b]);
    let black = (VEILING_GLARE / (1.0 + VEILING_GLARE)).cbrt();
    [((lightness - black) / (1.0 - black)) as f32, a as f32, b as f32]
}

/// Plain OKLab of linear sRGB light (Ottosson's matrices of 2021-01-25).
fn of_linear([r, g, b]: [f64; 3]) -> [f64; 3] {
    let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
    let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
    let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
    [
        0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s,
        1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s,
        0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s,
    ]
}

/// An image's colours, rows from the top.
pub fn plane(image: &RgbImage) -> Vec<Oklab> {
    let mut last = ([0; 3], oklab([0; 3]));
    let colour = |pixel: &image::Rgb<u8>| {
        if pixel.0 != last.0 {
            last = (pixel.0, oklab(pixel.0));
        }
        last.1
    };
    image.pixels().map(colour).collect()
}

/// The length of a colour difference: city block between lightness and chroma, Euclidean in chroma (Abasi et al. 2020);
/// black to white is 1.
pub fn hyab(difference: Oklab) -> f32 {
    let [lightness, a, b] = difference;
    lightness.abs() + a.hypot(b)
}

/// `new` minus `old`.
pub fn difference(old: Oklab, new: Oklab) -> Oklab {
    [new[0] - old[0], new[1] - old[1], new[2] - old[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_oklab_is_ottossons() {
        // sRGB primaries as the CSS Color 4 sample code gives them.
        let wanted = [
            ([1.0, 1.0, 1.0], [1.0, 0.0, 0.0]),
            ([1.0, 0.0, 0.0], [0.62796, 0.22486, 0.12585]),
            ([0.0, 1.0, 0.0], [0.86644, -0.23389, 0.17950]),
            ([0.0, 0.0, 1.0], [0.45201, -0.03246, -0.31153]),
        ];
        for (light, lab) in wanted {
            let got = of_linear(light);
            assert!(
                got.iter().zip(lab).all(|(g, w): (&f64, f64)| (g - w).abs() < 1e-4),
                "{light:?}: {got:?}"
            );
        }
    }

    #[test]
    fn black_to_white_is_one_and_a_level_is_the_same_everywhere() {
        let between = |a: [u8; 3], b: [u8; 3]| hyab(difference(oklab(a), oklab(b)));
        assert!((between([0; 3], [255; 3]) - 1.0).abs() < 1e-5);
        for level in 0..255 {
            let step = between([level; 3], [level + 1; 3]);
            assert!((0.002..0.005).contains(&step), "{level}: {step}");
        }
    }
}

//! Colour: sRGB, linear light, OKLab and OKLCH (Björn Ottosson, 2020), harmonies and palettes.

use std::sync::OnceLock;

/// sRGB 0..1 to linear light (IEC 61966-2-1).
pub fn srgb_to_linear(v: f32) -> f32 {
    if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// Linear light to sRGB 0..1.
pub fn linear_to_srgb(v: f32) -> f32 {
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

/// The linear value of each sRGB byte.
pub fn srgb_lut() -> &'static [f32; 256] {
    static LUT: OnceLock<[f32; 256]> = OnceLock::new();
    LUT.get_or_init(|| std::array::from_fn(|i| srgb_to_linear(i as f32 / 255.0)))
}

/// A linear colour from a hexadecimal sRGB number, e.g. `0xd8c3a5`.
#[inline]
pub fn hex(rgb: u32) -> [f32; 3] {
    let lut = srgb_lut();
    [(rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255].map(|v| lut[v as usize])
}

/// Relative luminance (Rec. 709) of a linear colour.
#[inline]
pub fn luminance(c: [f32; 3]) -> f32 {
    0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]
}

/// `a + (b - a) * t`, by channel.
#[inline]
pub fn mix(a: [f32; 3], b: [f32; 3], t: f32) -> [f32; 3] {
    std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t)
}

/// A colour times a number.
#[inline]
pub fn scale(a: [f32; 3], k: f32) -> [f32; 3] {
    a.map(|v| v * k)
}

/// Two colours, channel by channel.
#[inline]
pub fn mul(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|i| a[i] * b[i])
}

/// Sum of two colours.
#[inline]
pub fn add(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|i| a[i] + b[i])
}

/// Linear RGB to OKLab.
#[inline]
pub fn oklab(c: [f32; 3]) -> [f32; 3] {
    let l = 0.412_221_46 * c[0] + 0.536_332_55 * c[1] + 0.051_445_995 * c[2];
    let m = 0.211_903_5 * c[0] + 0.680_699_5 * c[1] + 0.107_396_96 * c[2];
    let s = 0.088_302_46 * c[0] + 0.281_718_85 * c[1] + 0.629_978_7 * c[2];
    let (l, m, s) = (l.cbrt(), m.cbrt(), s.cbrt());
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

/// OKLab to linear RGB; may leave 0..1.
#[inline]
pub fn from_oklab(lab: [f32; 3]) -> [f32; 3] {
    let l = lab[0] + 0.396_337_78 * lab[1] + 0.215_803_76 * lab[2];
    let m = lab[0] - 0.105_561_346 * lab[1] - 0.063_854_17 * lab[2];
    let s = lab[0] - 0.089_484_18 * lab[1] - 1.291_485_5 * lab[2];
    let (l, m, s) = (l * l * l, m * m * m, s * s * s);
    [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ]
}

/// A colour in OKLCH: lightness 0..1, chroma 0..about 0.37, hue in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lch {
    /// Lightness, 0 (black) to 1 (white).
    pub l: f32,
    /// Chroma, 0 (grey) upwards.
    pub c: f32,
    /// Hue in degrees: 29 red, 70 orange, 110 yellow, 142 green, 195 cyan, 264 blue, 328 magenta.
    pub h: f32,
}

impl Lch {
    /// A colour from its three coordinates.
    pub const fn new(l: f32, c: f32, h: f32) -> Self {
        Self { l, c, h }
    }

    /// A linear RGB colour in OKLCH.
    pub fn of(rgb: [f32; 3]) -> Self {
        let [l, a, b] = oklab(rgb);
        Self { l, c: a.hypot(b), h: b.atan2(a).to_degrees().rem_euclid(360.0) }
    }

    /// The colour in linear RGB; chroma is lowered until it fits the sRGB gamut.
    pub fn rgb(self) -> [f32; 3] {
        let (sin, cos) = self.h.to_radians().sin_cos();
        let at = |c: f32| from_oklab([self.l, c * cos, c * sin]);
        let fits = |rgb: [f32; 3]| rgb.iter().all(|v| (-1e-4..=1.0001).contains(v));
        let full = at(self.c);
        if fits(full) {
            return full.map(|v| v.clamp(0.0, 1.0));
        }
        let (mut low, mut high) = (0.0, self.c);
        for _ in 0..12 {
            let middle = 0.5 * (low + high);
            if fits(at(middle)) { low = middle } else { high = middle }
        }
        at(low).map(|v| v.clamp(0.0, 1.0))
    }

    /// The same colour turned around the wheel, e.g. 180 for the complement, 30 for a neighbour.
    #[must_use]
    pub fn rotated(self, degrees: f32) -> Self {
        Self { h: (self.h + degrees).rem_euclid(360.0), ..self }
    }

    /// The same hue with another lightness and chroma.
    #[must_use]
    pub fn toned(self, l: f32, c: f32) -> Self {
        Self { l, c, ..self }
    }
}

/// How the colours of a scene relate to the hue they start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harmony {
    /// The hues beside it.
    Analogous,
    /// The hue across the wheel.
    Complementary,
    /// The two hues beside the complement.
    Split,
    /// Three hues, evenly spread.
    Triadic,
    /// The same hue in several tones.
    Monochrome,
}

impl Harmony {
    /// Hue offsets in degrees of the main, the second and the accent colour of a scene.
    pub fn offsets(self) -> [f32; 3] {
        match self {
            Self::Analogous => [28.0, 50.0, -28.0],
            Self::Complementary => [180.0, 165.0, 0.0],
            Self::Split => [150.0, 210.0, 15.0],
            Self::Triadic => [120.0, 240.0, 0.0],
            Self::Monochrome => [0.0, 6.0, -8.0],
        }
    }

    /// The three hues of the harmony on a starting colour, with the starting lightness and chroma.
    pub fn on(self, start: Lch) -> [Lch; 3] {
        self.offsets().map(|o| start.rotated(o))
    }
}

/// The colour that stands for a cut-out: its chroma-weighted mean hue, with mean lightness and chroma of all visible
/// pixels. RGBA bytes, straight alpha.
pub fn dominant(image: &image::RgbaImage) -> Lch {
    let lut = srgb_lut();
    let (mut weight, mut sum) = (0.0f64, [0.0f64; 2]);
    let (mut lightness, mut chroma) = (0.0f64, 0.0f64);
    let step = ((image.width() as usize * image.height() as usize) / 4096).max(1);
    for pixel in image.pixels().step_by(step).filter(|p| p.0[3] > 127) {
        let [r, g, b, _] = pixel.0;
        let [l, a, bb] = oklab([lut[r as usize], lut[g as usize], lut[b as usize]]);
        let c = a.hypot(bb);
        weight += 1.0;
        lightness += f64::from(l);
        chroma += f64::from(c);
        sum[0] += f64::from(a * c);
        sum[1] += f64::from(bb * c);
    }
    if weight == 0.0 {
        return Lch::new(0.6, 0.0, 0.0);
    }
    let hue = (sum[1] as f32).atan2(sum[0] as f32).to_degrees().rem_euclid(360.0);
    Lch::new((lightness / weight) as f32, (chroma / weight) as f32, hue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oklab_round_trips_and_knows_white() {
        let white = oklab([1.0; 3]);
        assert!((white[0] - 1.0).abs() < 1e-3 && white[1].abs() < 1e-3 && white[2].abs() < 1e-3, "{white:?}");
        for c in [[0.2, 0.5, 0.9], [0.9, 0.1, 0.0], [0.01, 0.02, 0.03]] {
            let back = from_oklab(oklab(c));
            assert!(c.iter().zip(back).all(|(a, b)| (a - b).abs() < 1e-3), "{c:?} came back as {back:?}");
        }
    }

    #[test]
    fn colours_outside_the_gamut_keep_hue_and_lightness() {
        let wild = Lch::new(0.6, 0.4, 150.0);
        let inside = Lch::of(wild.rgb());
        assert!(
            (inside.l - 0.6).abs() < 0.02 && (inside.h - 150.0).abs() < 3.0 && inside.c < 0.3,
            "{inside:?}"
        );
    }

    #[test]
    fn the_dominant_hue_ignores_transparent_pixels() {
        let mut image = image::RgbaImage::from_pixel(8, 8, image::Rgba([0, 0, 255, 0]));
        image.put_pixel(3, 3, image::Rgba([255, 0, 0, 255]));
        assert!((dominant(&image).h - 29.0).abs() < 3.0);
    }
}

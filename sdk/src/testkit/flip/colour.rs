//! The colour spaces of FLIP: YCxCz (linearised L*a*b*) and Hunt-adjusted L*a*b*, both for D65.

use crate::testkit::oklab::linear;
use std::sync::LazyLock;

/// Linear sRGB to XYZ, from the primaries' exact fractions.
const TO_XYZ: [[f64; 3]; 3] = [
    [10_135_552.0 / 24_577_794.0, 8_788_810.0 / 24_577_794.0, 4_435_075.0 / 24_577_794.0],
    [2_613_072.0 / 12_288_897.0, 8_788_810.0 / 12_288_897.0, 887_015.0 / 12_288_897.0],
    [1_425_312.0 / 73_733_382.0, 8_788_810.0 / 73_733_382.0, 70_074_185.0 / 73_733_382.0],
];

/// XYZ of white: the rows' sums.
fn white() -> [f64; 3] {
    TO_XYZ.map(|row| row.iter().sum())
}

static TO_LINEAR: LazyLock<[[f64; 3]; 3]> = LazyLock::new(|| inverse(TO_XYZ));

fn inverse(m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let cofactor = |r: usize, c: usize| {
        let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
        m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
    };
    let determinant: f64 = (0..3).map(|c| m[0][c] * cofactor(0, c)).sum();
    std::array::from_fn(|r| std::array::from_fn(|c| cofactor(c, r) / determinant))
}

fn times(m: &[[f64; 3]; 3], v: [f64; 3]) -> [f64; 3] {
    m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

/// XYZ as shares of white.
fn relative(rgb: [f64; 3]) -> [f64; 3] {
    let (xyz, white) = (times(&TO_XYZ, rgb), white());
    std::array::from_fn(|i| xyz[i] / white[i])
}

/// A colour in YCxCz: like L*a*b* without its cube roots, so that filters may average it.
#[derive(Debug, Clone, Copy)]
pub struct Ycxcz {
    pub y: f64,
    pub cx: f64,
    pub cz: f64,
}

impl Ycxcz {
    pub fn of_srgb(pixel: [u8; 3]) -> Self {
        static LINEAR: LazyLock<[f64; 256]> =
            LazyLock::new(|| std::array::from_fn(|level| linear(level as f64 / 255.0)));
        let [x, y, z] = relative(pixel.map(|level| LINEAR[level as usize]));
        Self { y: 116.0 * y - 16.0, cx: 500.0 * (x - y), cz: 200.0 * (y - z) }
    }

    /// Linear sRGB, not clamped.
    pub fn to_linear(self) -> [f64; 3] {
        let y = (self.y + 16.0) / 116.0;
        let relative = [y + self.cx / 500.0, y, y - self.cz / 200.0];
        let white = white();
        times(&TO_LINEAR, std::array::from_fn(|i| relative[i] * white[i]))
    }
}

/// L*a*b* of linear sRGB, with chroma faded in the dark (the Hunt effect).
pub fn hunt_lab(rgb: [f64; 3]) -> [f64; 3] {
    let knee: f64 = 6.0 / 29.0;
    let root = |t: f64| if t > knee.powi(3) { t.cbrt() } else { t / (3.0 * knee * knee) + 4.0 / 29.0 };
    let [x, y, z] = relative(rgb).map(root);
    let lightness = 116.0 * y - 16.0;
    [lightness, 0.01 * lightness * 500.0 * (x - y), 0.01 * lightness * 200.0 * (y - z)]
}

/// City block between lightness and chroma, Euclidean in chroma.
pub fn hyab(a: [f64; 3], b: [f64; 3]) -> f64 {
    (a[0] - b[0]).abs() + (a[1] - b[1]).hypot(a[2] - b[2])
}

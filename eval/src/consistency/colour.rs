//! Colours as people see them: CIELAB under D65, and the differences in it.

use palette::{FromColor, Lab, LinSrgb, Srgb, color_difference::Ciede2000, white_point::D65};

/// CIEDE2000 difference of two sRGB colours (D65).
pub fn delta_e_2000(a: [u8; 3], b: [u8; 3]) -> f64 {
    lab(a).difference(lab(b))
}

/// CIELAB of an sRGB colour: L*, a*, b*.
pub(super) fn lab_of(pixel: [u8; 3]) -> [f64; 3] {
    let Lab { l, a, b, .. } = lab(pixel);
    [l, a, b]
}

/// CIE76 difference: the Euclidean distance in CIELAB. Unlike CIEDE2000's, its space has straight lines and means.
pub(super) fn delta_e_76(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn lab([r, g, b]: [u8; 3]) -> Lab<D65, f64> {
    let linear: LinSrgb<f64> = Srgb::<u8>::new(r, g, b).into_linear();
    Lab::from_color(linear)
}

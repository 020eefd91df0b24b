//! What must pass and what must not, on a scene with a backdrop, a soft shadow, a product and a logo.

use super::*;
use image::{Rgb, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SIZE: u32 = 128;

/// A synthetic creative; what a test changes in it.
#[derive(Clone, Copy)]
struct Scene {
    /// Right shift of the product in pixels.
    product: f64,
    /// Right shift of the logo in pixels.
    logo: f64,
    /// Strength of the shadow, 0 to 1.
    shadow: f64,
    /// Colour of the product.
    colour: [f64; 3],
    /// Samples a side of a pixel: 1 draws hard edges.
    samples: u32,
}

const SCENE: Scene = Scene { product: 0.3, logo: 0.3, shadow: 0.25, colour: [176.0, 42.0, 58.0], samples: 4 };

impl Scene {
    fn draw(&self) -> RgbImage {
        RgbImage::from_fn(SIZE, SIZE, |x, y| {
            let n = self.samples;
            let mut sum = [0.0; 3];
            for at in 0..n * n {
                let inside = |i: u32| (f64::from(i) + 0.5) / f64::from(n);
                let colour = self.at(f64::from(x) + inside(at % n), f64::from(y) + inside(at / n));
                sum.iter_mut().zip(colour).for_each(|(sum, c)| *sum += c / f64::from(n * n));
            }
            Rgb(sum.map(|c| c.round().clamp(0.0, 255.0) as u8))
        })
    }

    /// The colour at a point.
    fn at(&self, x: f64, y: f64) -> [f64; 3] {
        let logo_x = x - self.logo - 54.0;
        // Two bars and a slanted one, as of a letter.
        let bar = |left: f64| (left..left + 3.0).contains(&logo_x);
        let slant = (2.0..5.0).contains(&(logo_x - (y - 58.0) * 0.5));
        if (58.0..74.0).contains(&y) && (bar(0.0) || bar(14.0) || slant) {
            return [250.0, 248.0, 240.0];
        }
        if (x - self.product - 62.0).hypot(y - 62.0) < 30.0 {
            return self.colour;
        }
        let falloff = ((x - 66.0) / 26.0).powi(2) + ((y - 98.0) / 8.0).powi(2);
        let light = 1.0 - self.shadow * (-falloff).exp();
        [200.0, 206.0, 214.0].map(|c| (c + 0.1 * (y - 64.0)) * light)
    }
}

fn judge(old: &RgbImage, new: &RgbImage) -> Comparison {
    compare(old, new, &Tolerance::default())
}

fn rules(comparison: &Comparison) -> Vec<&'static str> {
    let name = |violation: &Violation| match violation {
        Violation::Size { .. } => "size",
        Violation::WindowShare { .. } => "share",
        Violation::WindowShift { .. } => "shift",
    };
    comparison.violations.iter().map(name).collect()
}

/// The image with up to one level more or less in every value.
fn noisy(mut image: RgbImage, seed: u64) -> RgbImage {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    image.iter_mut().for_each(|v| *v = v.saturating_add_signed(rng.random_range(-1..=1)));
    image
}

#[test]
fn noise_of_one_level_in_every_pixel_passes() {
    let old = SCENE.draw();
    let new = noisy(old.clone(), 3);
    let comparison = judge(&old, &new);
    assert!(comparison.mean > 0.001, "the noise is there");
    assert!(comparison.passed(), "{comparison}");
    let none = Tolerance { pixel: 0.0, window_shift: 0.0, window_share: 0.0, ..Tolerance::default() };
    assert!(!compare(&old, &new, &none).passed());
}

#[test]
fn one_wrong_pixel_passes_and_five_together_fail() {
    let old = SCENE.draw();
    let mut new = old.clone();
    for count in 1..=5 {
        new.put_pixel(20 + count, 20, Rgb([0, 255, 0]));
        let comparison = judge(&old, &new);
        assert_eq!(comparison.passed(), count <= 4, "{count}: {comparison}");
        assert_eq!(comparison.differing, u64::from(count));
    }
}

#[test]
fn an_edge_drawn_with_another_antialiasing_passes() {
    let old = SCENE.draw();
    let moved = |by: f64| Scene { product: SCENE.product + by, ..SCENE };
    let finer = Scene { samples: 8, ..SCENE };
    let hard = Scene { samples: 1, ..SCENE };
    for (new, excused) in [(finer, 1), (hard, 100), (moved(0.5), 100), (moved(-0.5), 100)] {
        let comparison = judge(&old, &new.draw());
        assert!(comparison.passed(), "{comparison}");
        assert!(comparison.excused >= excused, "{comparison}");
    }
    // Also where no two pixels of the flat sides are the same.
    let comparison = judge(&noisy(old.clone(), 5), &noisy(moved(0.5).draw(), 6));
    assert!(comparison.passed(), "{comparison}");
    // Without the excuse it fails: the edge does differ.
    let strict = Tolerance { edge_shift: 0.0, ..Tolerance::default() };
    assert_eq!(rules(&compare(&old, &Scene { samples: 1, ..SCENE }.draw(), &strict))[0], "share");
}

#[test]
fn another_texture_is_not_taken_for_antialiasing() {
    let grain = |seed| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        RgbImage::from_fn(SIZE, SIZE, |_, _| Rgb([rng.random_range(90..150); 3]))
    };
    let comparison = judge(&grain(1), &grain(2));
    assert!(rules(&comparison).contains(&"share"), "{comparison}");
    assert!(comparison.excused * 100 < comparison.differing, "{comparison}");
}

#[test]
fn a_shifted_logo_fails_also_by_one_antialiased_pixel() {
    let old = SCENE.draw();
    for shift in [1.0, -1.0, 2.0, 7.0] {
        let comparison = judge(&old, &Scene { logo: SCENE.logo + shift, ..SCENE }.draw());
        assert!(rules(&comparison).contains(&"share"), "{shift}: {comparison}");
        let region = comparison.region().unwrap();
        assert!((46..80).contains(&region.x) && (50..74).contains(&region.y), "at the logo: {region}");
    }
    // The whole product by a pixel, too, though its edge is antialiased all around.
    let comparison = judge(&old, &Scene { product: SCENE.product + 1.0, ..SCENE }.draw());
    assert!(rules(&comparison).contains(&"share"), "{comparison}");
}

#[test]
fn a_missing_shadow_fails_and_a_fainter_one_too() {
    let old = SCENE.draw();
    let missing = judge(&old, &Scene { shadow: 0.0, ..SCENE }.draw());
    assert!(!missing.passed() && missing.region().unwrap().y > 80, "{missing}");
    // Too faint for any pixel to differ, and still a shadow that has lost a fifth.
    let fainter = judge(&old, &Scene { shadow: 0.2, ..SCENE }.draw());
    assert_eq!(rules(&fainter), ["shift"], "{fainter}");
}

#[test]
fn a_small_broken_patch_fails_though_the_mean_is_tiny() {
    let old = SCENE.draw();
    let mut new = old.clone();
    for (x, y) in (0..64).map(|at| (100 + at % 8, 20 + at / 8)) {
        let Rgb(pixel) = *old.get_pixel(x, y);
        new.put_pixel(x, y, Rgb(pixel.map(|level| level - 40)));
    }
    let comparison = judge(&old, &new);
    assert!(comparison.mean < 0.001, "{}", comparison.mean);
    let whole = Region { x: 100, y: 20, width: 8, height: 8 };
    let found = Violation::WindowShare { region: whole, differing: 64, allowed: 4 };
    assert_eq!(comparison.violations[0], found);
}

#[test]
fn other_sizes_fail_before_anything_else() {
    let comparison = judge(&RgbImage::new(4, 5), &RgbImage::new(5, 4));
    assert_eq!(comparison.violations, [Violation::Size { old: [4, 5], new: [5, 4] }]);
    assert!(comparison.to_string().contains("5x4 pixels, the snapshot has 4x5"));
    assert!(evidence(&RgbImage::new(4, 5), &RgbImage::new(5, 4), &comparison).unwrap().flip.is_none());
}

/// CIE L*a*b* (D65) of an 8-bit colour that need not be whole.
fn lab(rgb: [f64; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(|c| oklab::linear(c / 255.0));
    let x = (0.412_456_4 * r + 0.357_576_1 * g + 0.180_437_5 * b) / 0.950_47;
    let y = 0.212_672_9 * r + 0.715_152_2 * g + 0.072_175 * b;
    let z = (0.019_333_9 * r + 0.119_192 * g + 0.950_304_1 * b) / 1.088_83;
    let root = |t: f64| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 };
    let [x, y, z] = [x, y, z].map(root);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The eight 8-bit colours nearest to 3 Delta-E (CIE 1976) from a colour, one in each direction of the colour cube.
fn three_delta_e(from: [f64; 3]) -> Vec<[f64; 3]> {
    let distance = |to: [f64; 3]| {
        let (a, b) = (lab(from), lab(to));
        (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
    };
    let corner =
        |bits: u32| std::array::from_fn::<f64, 3, _>(|i| if bits >> i & 1 == 1 { 1.0 } else { -0.6 });
    let step = |direction: [f64; 3], length: u32| {
        std::array::from_fn(|i| (from[i] + direction[i] * f64::from(length)).round())
    };
    let off = |to: &[f64; 3]| (distance(*to) - 3.0).abs();
    let nearest = |direction| (1..60).map(|n| step(direction, n)).min_by(|a, b| off(a).total_cmp(&off(b)));
    (0..8).filter_map(|bits| nearest(corner(bits))).collect()
}

#[test]
fn a_colour_changed_by_three_delta_e_fails() {
    let colours = [[176.0, 42.0, 58.0], [128.0; 3], [70.0, 90.0, 60.0], [60.0; 3], [214.0, 190.0, 160.0]];
    let mut tried = 0;
    for colour in colours {
        let old = Scene { colour, ..SCENE }.draw();
        for changed in three_delta_e(colour) {
            let comparison = judge(&old, &Scene { colour: changed, ..SCENE }.draw());
            assert!(rules(&comparison).contains(&"shift"), "{colour:?} to {changed:?}: {comparison}");
            tried += 1;
        }
        // And a third of it does not: what a machine may do is no difference.
        let grey = colour.map(|c| c + 1.0);
        assert!(judge(&old, &Scene { colour: grey, ..SCENE }.draw()).passed());
    }
    assert_eq!(tried, 40);
}

#[test]
fn the_sweep_names_tolerances_that_pass() {
    let old = SCENE.draw();
    let new = Scene { logo: SCENE.logo + 2.0, shadow: 0.0, ..SCENE }.draw();
    let failed = judge(&old, &new);
    assert_eq!(rules(&failed), ["share", "shift"]);
    let sweep = &failed.sweep;
    let shift = sweep.window_shift.unwrap();
    let with = |pixel: Option<f64>, share: Option<f64>, window_shift: f64| {
        let base = Tolerance::default();
        let pixel = pixel.unwrap_or(base.pixel);
        let window_share = share.unwrap_or(base.window_share);
        compare(&old, &new, &Tolerance { pixel, window_share, window_shift, ..base })
    };
    assert!(with(sweep.pixel, None, shift).passed());
    assert!(with(None, sweep.window_share, shift).passed());
    // And no smaller ones.
    assert!(!with(sweep.pixel.map(|p| p - 0.0005), None, shift).passed());
    assert!(!with(None, sweep.window_share.map(|s| s - 1.0 / 64.0), shift).passed());
    assert!(!with(sweep.pixel, None, shift - 0.0005).passed());
    assert!(sweep.steps.iter().any(|s| s.passes) && !sweep.steps[0].passes);
    let text = failed.to_string();
    assert!(text.contains("threshold sweep") && text.contains("would have passed with"), "{text}");
}

#[test]
fn the_evidence_shows_old_new_and_difference_side_by_side() {
    let old = SCENE.draw();
    let new = Scene { logo: SCENE.logo + 7.0, ..SCENE }.draw();
    let comparison = judge(&old, &new);
    let evidence = evidence(&old, &new, &comparison).unwrap();
    assert!(evidence.flip.unwrap() > 0.0);
    let page = image::load_from_memory(&evidence.png).unwrap().to_rgb8();
    assert_eq!(page.width(), 3 * SIZE + 4 * 8);
    // Away from the frame the panels are the images, and the difference is black where nothing changed.
    for (x, y) in [(3, 3), (120, 120), (30, 62)] {
        let panel = |index: u32| page.get_pixel(8 + index * (SIZE + 8) + x, 8 + y);
        assert_eq!((panel(0), panel(1)), (old.get_pixel(x, y), new.get_pixel(x, y)));
        assert_eq!(panel(2), &Rgb([0; 3]));
    }
    let moved: Vec<(u32, u32)> = (0..SIZE * SIZE)
        .map(|at| (at % SIZE, at / SIZE))
        .filter(|&(x, y)| old.get_pixel(x, y) != new.get_pixel(x, y))
        .collect();
    let shown = |&&(x, y): &&(u32, u32)| {
        let panel = |index: u32| page.get_pixel(8 + index * (SIZE + 8) + x, 8 + y);
        panel(0) == old.get_pixel(x, y) && panel(1) == new.get_pixel(x, y)
    };
    // The frame covers a few.
    assert!(moved.len() > 100 && moved.iter().filter(shown).count() > moved.len() * 3 / 4);
    let difference = imageops(&page, 8 + 2 * (SIZE + 8) + 50, 8 + 58, 20, 14);
    assert!(difference.pixels().any(|p| p.0[0] > 200), "the moved logo glows");
    assert!(page.pixels().filter(|p| p.0 == [0, 255, 255]).count() > 6 * 30, "frames mark the window");
}

fn imageops(page: &RgbImage, x: u32, y: u32, width: u32, height: u32) -> RgbImage {
    image::imageops::crop_imm(page, x, y, width, height).to_image()
}

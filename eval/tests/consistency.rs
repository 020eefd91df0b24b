//! Product consistency on planted defects and on inputs that have no answer.

use adeval_eval::EvalError;
use adeval_eval::consistency::planted::{Defect, Stage};
use adeval_eval::consistency::{Consistency, Limits, Parts, Placed, Reason, WEIGHTS, consistency};
use image::{GrayImage, Rgb, RgbImage, Rgba, RgbaImage};

/// A synthetic bottle with a label of strokes, on a table before a wall.
fn stage() -> Stage {
    let product = RgbaImage::from_fn(120, 220, |x, y| {
        let (dx, dy) = (f64::from(x) - 59.5, f64::from(y));
        let half = if dy < 50.0 { 22.0 + (dy - 30.0).max(0.0) * 1.8 } else { 58.0 };
        if dx.abs() > half {
            return Rgba([0, 0, 0, 0]);
        }
        let shade = 1.0 - 0.35 * (dx / 58.0).powi(2);
        let label = (90..170).contains(&y) && dx.abs() < 44.0;
        let stroke = label && (x / 4 + y / 6) % 2 == 0 && (x / 3) % 3 != 0 && (y / 4) % 3 != 0;
        let base = if stroke {
            [30.0, 40.0, 90.0]
        } else if label {
            [235.0, 225.0, 200.0]
        } else {
            [170.0, 50.0, 40.0]
        };
        let [r, g, b] = base.map(|v: f64| (v * shade) as u8);
        Rgba([r, g, b, 255])
    });
    let scene = RgbImage::from_fn(320, 320, |x, y| {
        let grain = (x * 7 + y * 13 + (x * y) % 11) % 9;
        if y < 210 { Rgb([150 + grain as u8, 175, 185]) } else { Rgb([188, 172 + grain as u8, 140]) }
    });
    Stage { scene, product, left: 100, top: 30 }
}

fn measured(stage: &Stage, defect: Defect, amount: u32) -> Consistency {
    let planted = stage.plant(defect, amount);
    consistency(&planted.placed(stage), &Limits::default()).expect("a product on its canvas")
}

fn part(parts: &Parts, name: &str) -> f64 {
    let found = parts.named().find(|(known, _)| *known == name);
    found.map(|(_, part)| part).unwrap_or_else(|| panic!("no part {name}"))
}

/// Growing amounts of each defect, the parts that it may cost, and the first of them, which must fall with each step.
const PLANTED: [(Defect, &[u32], &[&str]); 8] = [
    (Defect::Growth, &[0, 4, 8, 12, 16], &["outline", "segmented", "seam"]),
    (Defect::Recolour, &[0, 15, 30, 60, 120], &["colour"]),
    (Defect::Shift, &[0, 2, 4, 8], &["position", "segmented"]),
    (Defect::Blur, &[0, 1, 2, 4], &["marks", "structure", "colour"]),
    (Defect::Crop, &[0, 10, 20, 40], &["visible"]),
    (Defect::Pedestal, &[0, 12, 24, 40], &["segmented"]),
    (Defect::Halo, &[0, 20, 40, 60], &["seam"]),
    (Defect::Camouflage, &[0, 80, 95, 100], &["distinct"]),
];

#[test]
fn each_defect_costs_its_part_more_with_each_step_and_no_other() {
    let stage = stage();
    let sound = measured(&stage, Defect::Growth, 0);
    for (defect, amounts, costs) in PLANTED {
        let found: Vec<Consistency> =
            amounts.iter().map(|amount| measured(&stage, defect, *amount)).collect();
        let intended: Vec<f64> = found.iter().map(|one| part(&one.parts, costs[0])).collect();
        assert!(intended.windows(2).all(|pair| pair[1] <= pair[0]), "{defect:?}: {intended:?}");
        assert!(intended[intended.len() - 1] < intended[0] - 0.1, "{defect:?}: {intended:?}");
        let worst = &found[found.len() - 1];
        assert!(worst.score < sound.score, "{defect:?}: {} of {}", worst.score, sound.score);
        for (name, _) in WEIGHTS.iter().filter(|(name, _)| !costs.contains(name)) {
            let (is, was) = (part(&worst.parts, name), part(&sound.parts, name));
            assert!(is > was - 0.05, "{defect:?} costs {name}: {is} of {was}");
        }
    }
}

#[test]
fn a_sound_creative_can_be_used_and_each_kind_of_fault_has_its_reason() {
    let stage = stage();
    let reasons = |defect, amount| {
        let verdict = measured(&stage, defect, amount).verdict;
        assert_eq!(verdict.available, verdict.reasons.is_empty());
        verdict.reasons.into_iter().map(|fault| fault.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(Defect::Float, 0), []);
    assert_eq!(reasons(Defect::Recolour, 60), [Reason::Changed]);
    assert_eq!(reasons(Defect::Crop, 20), [Reason::Space]);
    assert_eq!(reasons(Defect::Camouflage, 100), [Reason::Indistinct]);
    assert!(reasons(Defect::Growth, 16).contains(&Reason::Shape));
    let planted = stage.plant(Defect::Pedestal, 69);
    let placed = planted.placed(&stage);
    let strict = Limits { most_misshapen: 0.3, ..Limits::default() };
    let verdict = consistency(&placed, &strict).unwrap().verdict;
    assert_eq!(verdict.reasons.iter().map(|fault| fault.reason).collect::<Vec<_>>(), [Reason::Shape]);
}

#[test]
fn a_floating_product_loses_its_contact_shadow_and_only_who_asks_for_one_refuses_it() {
    let stage = stage();
    let contact = |amount| measured(&stage, Defect::Float, amount).measures.contact_shadow.expect("a foot");
    let falling: Vec<f64> = [0, 8, 16, 32].map(contact).to_vec();
    assert!(falling.windows(2).all(|pair| pair[1] < pair[0]), "{falling:?}");
    let planted = stage.plant(Defect::Float, 32);
    let placed = planted.placed(&stage);
    assert!(consistency(&placed, &Limits::default()).unwrap().verdict.available);
    let strict = Limits { least_contact: Some(0.2), ..Limits::default() };
    let verdict = consistency(&placed, &strict).unwrap().verdict;
    assert_eq!(verdict.reasons.iter().map(|fault| fault.reason).collect::<Vec<_>>(), [Reason::Space]);
}

#[test]
fn a_shift_is_found_to_the_pixel_and_taken_off() {
    let stage = stage();
    let found = measured(&stage, Defect::Shift, 7);
    assert_eq!((found.measures.right, found.measures.down), (7, 0));
    assert!(found.measures.pixels.psnr_db >= 100.0, "{:?}", found.measures.pixels);
}

#[test]
fn bad_input_is_an_error_or_a_value_and_never_a_nan() {
    let stage = stage();
    let creative = stage.plant(Defect::Growth, 0).creative;
    let placed = |product, left, segmented| Placed { creative: &creative, product, left, top: 20, segmented };
    let limits = Limits::default();

    let clear = RgbaImage::new(40, 40);
    assert!(matches!(consistency(&placed(&clear, 0, None), &limits), Err(EvalError::EmptyMask { .. })));
    let off = consistency(&placed(&stage.product, 4000, None), &limits);
    assert!(matches!(off, Err(EvalError::EmptyMask { .. })), "{off:?}");
    let small = GrayImage::new(3, 3);
    let error = consistency(&placed(&stage.product, 100, Some(&small)), &limits).unwrap_err();
    assert!(error.to_string().contains("3x3"), "{error}");

    // A product that covers everything has no outline: those parts are absent, and its size speaks against it.
    let everything = RgbaImage::from_fn(320, 320, |x, y| {
        let [r, g, b] = creative.get_pixel(x, y).0;
        Rgba([r, g, b, 255])
    });
    let found = consistency(&Placed { top: 0, ..placed(&everything, 0, None) }, &limits).unwrap();
    assert_eq!((found.parts.outline, found.parts.seam, found.parts.distinct), (None, None, None));
    assert_eq!(found.verdict.reasons.iter().map(|f| f.reason).collect::<Vec<_>>(), [Reason::Size]);
    assert!((found.score - 1.0).abs() < 1e-12, "{}", found.score);

    // One colour everywhere: nothing stands out, nothing is NaN.
    let flat = RgbImage::from_pixel(320, 320, Rgb([120, 120, 120]));
    let grey = RgbaImage::from_pixel(60, 60, Rgba([120, 120, 120, 255]));
    let same = Placed { creative: &flat, product: &grey, left: 100, top: 100, segmented: None };
    let found = consistency(&same, &limits).unwrap();
    assert!(found.score.is_finite(), "{}", found.score);
    assert_eq!(found.verdict.reasons.iter().map(|f| f.reason).collect::<Vec<_>>(), [Reason::Indistinct]);
}

use super::*;
use std::path::Path;

fn golden(name: &str) -> (RgbImage, RgbImage, Vec<f32>, f64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/goldens/flip");
    let image = |kind: &str| image::open(folder.join(format!("{name}-{kind}.png"))).unwrap().to_rgb8();
    let bytes = std::fs::read(folder.join(format!("{name}.f32"))).unwrap();
    let (floats, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    let means: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("means.json")).unwrap()).unwrap();
    let errors = floats.iter().map(|b| f32::from_le_bytes(*b)).collect();
    (image("reference"), image("test"), errors, means[name].as_f64().unwrap())
}

/// Parity with the authors' own evaluator, pixel by pixel.
#[test]
fn maps_agree_with_the_reference_implementation() {
    for name in ["blobs", "edges", "noise"] {
        let (reference, test, wanted, mean) = golden(name);
        let map = flip(&reference, &test, PIXELS_PER_DEGREE).unwrap();
        assert_eq!(map.errors.len(), wanted.len());
        let worst = map.errors.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-3, "{name}: {worst}");
        assert!((map.mean() - mean).abs() < 1e-4, "{name}: {} against {mean}", map.mean());
        assert!(mean > 0.01, "{name}: a pair that hardly differs proves nothing");
    }
}

#[test]
fn equal_images_have_no_error_and_other_sizes_no_map() {
    let (reference, ..) = golden("edges");
    assert!(flip(&reference, &reference, PIXELS_PER_DEGREE).unwrap().errors.iter().all(|e| *e == 0.0));
    assert_eq!(flip(&reference, &RgbImage::new(3, 3), PIXELS_PER_DEGREE), None);
}

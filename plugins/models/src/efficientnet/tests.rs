//! The network against the answers of the published PyTorch code, and against itself.

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use image::{Rgb, RgbImage};
use safetensors::SafeTensors;

use super::*;

const PICTURES: [&str; 6] = ["flat", "ramps", "stripes", "disc", "blocks", "photo"];

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

fn weights() -> Vec<u8> {
    std::fs::read(fixtures().join("weights/efficientnet-lite0.safetensors")).unwrap()
}

fn model() -> EfficientNetLite0 {
    EfficientNetLite0::load(&weights(), &Device::Cpu).unwrap()
}

fn picture(name: &str) -> RgbImage {
    image::open(fixtures().join(format!("goldens/efficientnet/{name}.png"))).unwrap().to_rgb8()
}

fn pictures() -> Tensor {
    let pictures = PICTURES.map(picture);
    preprocess(&pictures.iter().collect::<Vec<_>>(), &Device::Cpu).unwrap()
}

fn golden(name: &str) -> Vec<f32> {
    let bytes = std::fs::read(fixtures().join("goldens/efficientnet/goldens.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensor(name).unwrap().data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference, relative to the largest magnitude of the same picture's row.
fn relative(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let width = expected.len() / PICTURES.len();
    let rows = found.chunks_exact(width).zip(expected.chunks_exact(width));
    rows.map(|(f, e)| {
        let scale = e.iter().fold(0f32, |m, v| m.max(v.abs()));
        f.iter().zip(e).fold(0f32, |m, (f, e)| m.max((f - e).abs())) / scale
    })
    .fold(0.0, f32::max)
}

#[test]
fn answers_as_the_published_code_does() {
    let model = model();
    let images = pictures();
    let features = relative(&flat(&model.features(&images).unwrap()), &golden("features"));
    let logits = relative(&flat(&model.logits(&images).unwrap()), &golden("logits"));
    println!("largest relative error: features {features:.2e}, logits {logits:.2e}");
    assert!(features < 1e-4, "features differ by {features}");
    assert!(logits < 1e-4, "logits differ by {logits}");
}

#[test]
fn the_operators_of_candle_give_the_same() {
    let layers = plan::layers();
    let mut checkpoint = Checkpoint::read(plan::MODEL, &weights(), &plan::tensors(&layers)).unwrap();
    let folded = plan::fold(layers, &mut checkpoint).unwrap();
    let generic = generic::Network::new(&folded, &Device::Cpu).unwrap();
    let features = generic.features(&pictures()).unwrap();
    assert!(relative(&flat(&features), &golden("features")) < 1e-4);
    assert!(relative(&flat(&generic.classify(&features).unwrap()), &golden("logits")) < 1e-4);
}

#[test]
fn an_image_gives_the_same_bits_in_any_batch_on_any_number_of_threads() {
    let model = model();
    let images = pictures();
    let together = flat(&model.logits(&images).unwrap());
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for at in 0..PICTURES.len() {
            let alone = images.narrow(0, at, 1).unwrap();
            let alone = pool.install(|| flat(&model.logits(&alone).unwrap()));
            let expected = &together[at * CLASSES..][..CLASSES];
            assert!(alone.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "image {at}");
        }
    }
}

#[test]
fn scales_a_photograph_as_pillow_does() {
    let found = preprocess::middle_square(&picture("photo-source")).unwrap();
    let expected = picture("photo").into_raw();
    let off: Vec<u8> = found.iter().zip(&expected).map(|(f, e)| f.abs_diff(*e)).filter(|d| *d > 1).collect();
    // Where the filter overshoots 0 or 255, it matters whether rows or columns come first; Pillow takes the other order.
    assert!(off.len() * 1000 < expected.len(), "{} values differ by more than 1", off.len());
    assert!(off.iter().all(|d| *d <= 8), "{off:?}");
}

#[test]
fn takes_pictures_of_any_shape_and_refuses_empty_ones() {
    let shapes = [(1, 1), (1, 3000), (3000, 1), (223, 225), (512, 512), (640, 480)];
    let pictures = shapes.map(|(w, h)| RgbImage::from_pixel(w, h, Rgb([127, 255, 0])));
    let input = preprocess(&pictures.iter().collect::<Vec<_>>(), &Device::Cpu).unwrap();
    assert_eq!(input.dims(), [6, 3, SIDE, SIDE]);
    for pixels in flat(&input).chunks_exact(3 * SIDE * SIDE) {
        for (plane, value) in pixels.chunks_exact(SIDE * SIDE).zip([0.0, 1.0, -127.0 / 128.0]) {
            assert!(plane.iter().all(|v| *v == value), "a flat picture stays flat");
        }
    }
    let error = preprocess(&[&RgbImage::new(0, 4)], &Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("0x4"), "{error}");
}

#[test]
fn says_what_is_wrong_with_an_input() {
    let model = model();
    let wrong = Tensor::zeros((1, 224, 224, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
    let error = model.features(&wrong).err().unwrap().to_string();
    assert!(error.contains("[1, 224, 224, 3]") && error.contains("(N, 3, 224, 224)"), "{error}");
    let none = Tensor::zeros((0, 3, 224, 224), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert_eq!(model.features(&none).unwrap().dims(), [0, FEATURES]);
}

/// The checkpoint with one tensor changed by `edit`, which gets (name, type, shape, bytes) and may drop it.
fn damaged(
    edit: impl Fn(
        &str,
        safetensors::Dtype,
        Vec<usize>,
        Vec<u8>,
    ) -> Option<safetensors::tensor::TensorView<'static>>,
) -> String {
    let bytes = weights();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors = Vec::new();
    for (name, view) in file.tensors() {
        if let Some(view) = edit(&name, view.dtype(), view.shape().to_vec(), view.data().to_vec()) {
            tensors.push((name, view));
        }
    }
    let bytes = safetensors::serialize(tensors, None).unwrap();
    EfficientNetLite0::load(&bytes, &Device::Cpu).err().unwrap().to_string()
}

fn view(
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
) -> safetensors::tensor::TensorView<'static> {
    safetensors::tensor::TensorView::new(dtype, shape, data.leak()).unwrap()
}

#[test]
fn names_the_tensor_that_is_at_fault() {
    use safetensors::Dtype;
    let missing = damaged(|n, t, s, d| (n != "_blocks.3._bn1.bias").then(|| view(t, s, d)));
    assert!(missing.contains("missing [_blocks.3._bn1.bias], unexpected []"), "{missing}");
    let shape = damaged(|n, t, s, d| {
        Some(if n == "_fc.weight" { view(t, vec![s[1], s[0]], d) } else { view(t, s, d) })
    });
    assert!(shape.contains("_fc.weight has shape [1280, 1000], expected [1000, 1280]"), "{shape}");
    let dtype = damaged(|n, t, s, d| Some(view(if n == "_fc.bias" { Dtype::I32 } else { t }, s, d)));
    assert!(dtype.contains("_fc.bias is I32"), "{dtype}");
    let value = damaged(|n, t, s, mut d| {
        if n == "_bn1.running_var" {
            d[..4].copy_from_slice(&f32::NAN.to_le_bytes());
        }
        Some(view(t, s, d))
    });
    assert!(value.contains("_bn1.running_var holds NaN"), "{value}");
    let cut = EfficientNetLite0::load(&weights()[..1000], &Device::Cpu).err().unwrap().to_string();
    assert!(cut.contains("safetensors"), "{cut}");
    let absent = EfficientNetLite0::load_file(Path::new("no/such.safetensors"), &Device::Cpu).err().unwrap();
    assert!(absent.to_string().contains("no/such.safetensors"), "{absent}");
}

use super::*;
use image::{DynamicImage, ImageBuffer, Luma, Rgba};
use std::io::Cursor;

/// Says that the left half is the product.
struct LeftHalf;

impl Matting for LeftHalf {
    fn alpha(&self, photograph: &RgbImage) -> Result<GrayImage, String> {
        let (w, h) = photograph.dimensions();
        Ok(GrayImage::from_fn(w, h, |x, _| Luma([if x < w / 2 { 255 } else { 0 }])))
    }
}

fn png(image: &DynamicImage) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn cut_out() -> DynamicImage {
    DynamicImage::ImageRgba8(RgbaImage::from_fn(8, 8, |x, y| {
        Rgba([9, 9, 9, if x + y < 8 { 255 } else { 0 }])
    }))
}

/// A PNG header of this size with a valid checksum, and no pixels.
fn header_only(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(&DynamicImage::new_rgb8(1, 1));
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = u32::MAX;
    for byte in &bytes[12..29] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
    bytes
}

fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

#[test]
fn bad_images_are_named_with_the_mend_and_the_good_ones_stay() {
    let whole = png(&cut_out());
    let empty = DynamicImage::ImageRgba8(RgbaImage::new(4, 4));
    let dir = folder(&[
        ("a-good.png", whole.clone()),
        ("b-truncated.png", whole[..whole.len() - 20].to_vec()),
        ("c-empty.png", Vec::new()),
        ("d-huge.png", header_only(30_000, 30_000)),
        ("e-text.png", b"no image at all".to_vec()),
        ("f-invisible.png", png(&empty)),
    ]);
    let products = load(dir.path(), None, &LeftHalf).unwrap();
    assert_eq!(products.good.len(), 1);
    let needles = ["truncated or damaged", "empty (0 bytes)", "30000x30000", "no PNG", "no pixel is visible"];
    assert_eq!(products.bad.len(), needles.len());
    for (bad, needle) in products.bad.iter().zip(needles) {
        assert!(bad.message.contains(needle) && bad.message.contains(&bad.id), "{needle}: {}", bad.message);
    }
}

#[test]
fn sixteen_bits_grey_palette_and_cmyk_are_converted() {
    let deep: ImageBuffer<Rgba<u16>, Vec<u16>> =
        ImageBuffer::from_pixel(4, 4, Rgba([65_535, 0, 32_768, 30_000]));
    let grey: ImageBuffer<Luma<u8>, Vec<u8>> = ImageBuffer::from_pixel(4, 4, Luma([77]));
    let dir = folder(&[
        ("deep.png", png(&DynamicImage::ImageRgba16(deep))),
        ("grey.png", png(&DynamicImage::ImageLuma8(grey))),
        ("palette.png", palette_png()),
        ("press.jpg", include_bytes!("cmyk.jpg").to_vec()),
    ]);
    let products = load(dir.path(), None, &LeftHalf).unwrap();
    assert!(products.bad.is_empty(), "{:?}", products.bad);
    let first = |at: usize| products.good[at].image.as_rgba().unwrap().get_pixel(0, 0).0;
    assert_eq!(first(0), [255, 0, 128, 117]);
    assert_eq!(first(1), [77, 77, 77, 255]);
    assert_eq!(first(2), [200, 10, 20, 255]);
    let [r, g, b, _] = first(3);
    assert!(r > 225 && g < 40 && b < 60, "magenta and yellow ink make red, not {:?}", [r, g, b]);
    assert_eq!(products.warnings.len(), 3, "grey, palette and CMYK have no alpha: {:?}", products.warnings);
    assert!(products.warnings[0].contains("cut out by a network"));
    assert_eq!(products.good[1].image.as_rgba().unwrap().get_pixel(3, 0).0[3], 0);
}

/// The decoder would fill the rest with grey, and the product would be judged by it.
#[test]
fn half_a_jpeg_is_truncated_and_a_whole_one_with_a_tail_is_not() {
    let whole: &[u8] = include_bytes!("cmyk.jpg");
    let dir = folder(&[
        ("half.jpg", whole[..whole.len() - 20].to_vec()),
        ("tail.jpg", [whole, b"what a camera appends"].concat()),
    ]);
    let products = load(dir.path(), None, &LeftHalf).unwrap();
    assert_eq!(products.good.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(), ["tail"]);
    assert!(products.bad[0].message.contains("half.jpg: the image is truncated"), "{:?}", products.bad);
}

/// Two by one pixels of a palette of one colour.
fn palette_png() -> Vec<u8> {
    b"\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x02\x00\x00\x00\x01\
        \x08\x03\x00\x00\x00\xc3\xfc\x8f\xb8\x00\x00\x00\x03\x50\x4c\x54\x45\xc8\x0a\x14\xd8\xf3\xc6\xd5\
        \x00\x00\x00\x0b\x49\x44\x41\x54\x78\x9c\x63\x60\x60\x00\x00\x00\x03\x00\x01\xb8\xad\x3a\x63\x00\
        \x00\x00\x00\x49\x45\x4e\x44\xae\x42\x60\x82"
        .to_vec()
}

#[test]
fn a_list_is_read_with_its_fields_and_its_missing_files() {
    let list = r#"[{"id": "x", "image": "x.png", "title": "T", "category": ["C"], "price": 2.5, "attributes": {"color": "red"}},
        {"id": "y", "image": "gone.png", "title": "G"}]"#;
    let dir = folder(&[("products.json", list.into()), ("x.png", png(&cut_out()))]);
    let products = load(&dir.path().join("products.json"), None, &LeftHalf).unwrap();
    let x = &products.good[0];
    assert_eq!((x.title.as_str(), x.price, x.attributes["color"].as_str()), ("T", Some(2.5), "red"));
    assert!(products.bad[0].message.contains("gone.png does not exist"), "{}", products.bad[0].message);
    assert_eq!(load(&dir.path().join("x.png"), None, &LeftHalf).unwrap().good[0].id, "x");
}

#[test]
fn sources_without_a_usable_product_are_errors() {
    let message = |files: &[(&str, Vec<u8>)], name: &str| {
        let dir = folder(files);
        load(&dir.path().join(name), None, &LeftHalf).unwrap_err().to_string()
    };
    assert!(message(&[], "none.json").contains("check the path"));
    assert!(message(&[("p.json", b"[]".to_vec())], "p.json").contains("holds no product"));
    assert!(message(&[("p.json", b"{".to_vec())], "p.json").contains("not a list of products"));
    let twice = br#"[{"id":"a","image":"a","title":""},{"id":"a","image":"b","title":""}]"#.to_vec();
    assert!(message(&[("p.json", twice)], "p.json").contains("\"a\" occurs twice"));
    assert!(message(&[("a.png", Vec::new())], "a.png").contains("none of the 1 products can be used"));
}

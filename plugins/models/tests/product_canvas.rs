//! The preparation of products against the same steps in OpenCV (`fixtures/scripts/goldens_sd_opencv.py`), and what the
//! goldens do not show: no fringe, no outline softened outward, errors.

mod support;

use adeval_models::product_canvas::{CanvasError, CanvasOptions, Placement, ProductCanvas};
use image::{Rgb, RgbImage, Rgba, RgbaImage};
use serde::Deserialize;
use support::Parity;
use support::pictures::{crc32, drawn, product};

const PARITY: Parity = Parity::new("opencv", "OpenCV 5.0.0 and 4.11.0");

/// One line of `product_canvas.json`: the call, and the CRC-32 of each picture.
#[derive(Deserialize)]
struct Golden {
    name: String,
    width: u32,
    height: u32,
    share: f64,
    dilation: u32,
    rim: i32,
    feather: u32,
    placement: [u32; 4],
    product: u32,
    alpha: u32,
    control: u32,
    mask: u32,
    pasted: u32,
}

impl Golden {
    fn options(&self) -> CanvasOptions {
        let Self { width, height, share, dilation, rim, feather, .. } = *self;
        CanvasOptions { width, height, share, dilation, rim, feather, ..Default::default() }
    }

    /// The pictures that differ from OpenCV's.
    fn differing(&self) -> Vec<&'static str> {
        let canvas = ProductCanvas::new(&product(&self.name), &self.options()).expect("a product");
        let Placement { x, y, width, height } = canvas.placement;
        assert_eq!([x, y, width, height], self.placement, "{}", self.name);
        let background = drawn::<Rgb<u8>>("waves", 9, (self.width, self.height));
        let pasted = canvas.paste(&background).expect("one size");
        let pictures = [
            ("product", canvas.product.as_raw(), self.product),
            ("alpha", canvas.alpha.as_raw(), self.alpha),
            ("control", canvas.control.as_raw(), self.control),
            ("mask", canvas.mask.as_raw(), self.mask),
            ("pasted", pasted.as_raw(), self.pasted),
        ];
        pictures.into_iter().filter(|(_, bytes, crc)| crc32(bytes) != *crc).map(|(name, ..)| name).collect()
    }
}

#[test]
fn every_picture_has_the_bytes_that_opencv_gives() {
    let text =
        std::fs::read_to_string(support::goldens().join("sd/product_canvas.json")).expect("the goldens");
    let goldens: Vec<Golden> = serde_json::from_str(&text).expect("lines of canvases");
    assert_eq!(goldens.len(), 28);
    let mut differing = 0;
    for golden in &goldens {
        let pictures = golden.differing();
        differing += pictures.len();
        if !pictures.is_empty() {
            eprintln!("{} {:?}: {pictures:?} differ", golden.name, golden.options());
        }
    }
    let case = format!("product canvas ({} of 5 pictures)", goldens.len());
    PARITY.number(&case, "pictures with a differing byte", differing as f64, 0.0);
}

/// A soft disc of one colour on transparent pixels of another.
fn disc(colour: [u8; 3], hidden: [u8; 3]) -> RgbaImage {
    RgbaImage::from_fn(301, 301, |x, y| {
        let radius = (f64::from(x) - 150.0).hypot(f64::from(y) - 150.0);
        let alpha = ((140.0 - radius) * 40.0).clamp(0.0, 255.0) as u8;
        let [r, g, b] = if alpha > 0 { colour } else { hidden };
        Rgba([r, g, b, alpha])
    })
}

#[test]
fn a_soft_edge_has_no_fringe_of_hidden_colours() {
    let white = RgbImage::from_pixel(512, 512, Rgb([255; 3]));
    for hidden in [[0, 0, 0], [0, 255, 0]] {
        for feather in [0, 4] {
            let options = CanvasOptions { feather, ..Default::default() };
            let canvas = ProductCanvas::new(&disc([255; 3], hidden), &options).expect("a disc");
            assert!(canvas.alpha.iter().any(|alpha| (1..255).contains(alpha)), "the edge is to be soft");
            assert_eq!(canvas.paste(&white), Ok(white.clone()), "hidden {hidden:?}, feather {feather}");
        }
    }
}

#[test]
fn a_feather_softens_inward_only() {
    let black = RgbImage::new(512, 512);
    let pasted = |feather| {
        let options = CanvasOptions { feather, ..Default::default() };
        let canvas = ProductCanvas::new(&disc([255; 3], [0; 3]), &options).expect("a disc");
        canvas.paste(&black).expect("one size")
    };
    let (hard, soft) = (pasted(0), pasted(5));
    assert!(hard.iter().zip(soft.iter()).all(|(hard, soft)| soft <= hard));
    let row = |picture: &RgbImage| (0..256).filter(|x| picture.get_pixel(*x, 256).0[0] == 255).count();
    // Twice five pixels lost their full weight, give or take the soft edge itself.
    assert!((9..=12).contains(&(row(&hard) - row(&soft))), "{} {}", row(&hard), row(&soft));
    assert_eq!(soft.get_pixel(256, 256), &Rgb([255; 3]));
}

#[test]
fn a_rim_moves_the_painted_border_by_its_pixels() {
    let square = RgbaImage::from_pixel(300, 300, Rgba([90, 90, 90, 255]));
    let kept = |rim| {
        let options = CanvasOptions { rim, ..Default::default() };
        let canvas = ProductCanvas::new(&square, &options).expect("a square");
        (0..512).filter(|x| canvas.mask.get_pixel(*x, 256).0[0] == 0).count()
    };
    // The product is 399 wide; a dilation by 20 takes 10 and 9 off.
    assert_eq!([kept(0), kept(-7), kept(10), kept(16)], [380, 380 - 14, 380 + 20, 380 + 32]);
}

#[test]
fn a_small_product_is_enlarged_only_where_asked() {
    let dot = RgbaImage::from_pixel(10, 4, Rgba([200, 100, 50, 255]));
    let placed = |enlarge| {
        let options = CanvasOptions { enlarge, ..Default::default() };
        ProductCanvas::new(&dot, &options).expect("a product").placement
    };
    assert_eq!(placed(false), Placement { x: 251, y: 254, width: 10, height: 4 });
    assert_eq!(placed(true), Placement { x: 56, y: 176, width: 399, height: 160 });
    let needle = RgbaImage::from_pixel(1, 3000, Rgba([9, 9, 9, 255]));
    let canvas = ProductCanvas::new(&needle, &CanvasOptions::default()).expect("a needle");
    assert_eq!(canvas.placement, Placement { x: 255, y: 56, width: 1, height: 399 });
}

#[test]
fn what_has_no_place_is_named() {
    let default = CanvasOptions::default();
    let error = |cutout: &RgbaImage, options: &CanvasOptions| ProductCanvas::new(cutout, options).map(|_| ());
    let empty = RgbaImage::from_pixel(7, 5, Rgba([255, 255, 255, 0]));
    assert_eq!(error(&empty, &default), Err(CanvasError::Transparent { width: 7, height: 5 }));
    let transparent = CanvasError::Transparent { width: 0, height: 0 };
    assert_eq!(error(&RgbaImage::new(0, 0), &default), Err(transparent));
    let dot = RgbaImage::from_pixel(3, 3, Rgba([255; 4]));
    for (width, height, share) in [(0, 512, 0.78), (512, 1, 0.78), (512, 512, 0.001)] {
        let options = CanvasOptions { width, height, share, ..default.clone() };
        assert_eq!(error(&dot, &options), Err(CanvasError::TooSmall { width, height, share }));
    }
    for share in [0.0, -1.0, 1.01] {
        let options = CanvasOptions { share, ..default.clone() };
        assert_eq!(error(&dot, &options), Err(CanvasError::Share { share }));
    }
    let nan = error(&dot, &CanvasOptions { share: f64::NAN, ..default.clone() });
    assert!(matches!(nan, Err(CanvasError::Share { .. })));
    let canvas = ProductCanvas::new(&dot, &default).expect("a product");
    let sizes = CanvasError::Background { found: (512, 511), canvas: (512, 512) };
    assert_eq!(canvas.paste(&RgbImage::new(512, 511)), Err(sizes));
}

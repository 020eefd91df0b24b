//! Image files of every kind: good ones are used, and a bad one costs its product only.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_tests::{Room, RunDir, Suite, pictures};
use image::DynamicImage;
use serde_json::json;
use std::fs;

const CMYK: &[u8] = include_bytes!("../data/cmyk.jpg");

fn suite() -> Suite {
    Suite::new("images").entry("e", "well-behaved", "").entry("f", "well-behaved", "red = 10")
}

/// A bench over products with these files; `None` is a file that is not there.
fn bench(files: &[(&str, Option<Vec<u8>>)]) -> (Room, adeval_tests::Ended) {
    let room = Room::new();
    let mut records = Vec::new();
    for (name, bytes) in files {
        if let Some(bytes) = bytes {
            room.write(&format!("products/{name}"), bytes);
        }
        records.push(json!({ "id": name, "image": name, "title": format!("Product {name}") }));
    }
    room.write("products/products.json", serde_json::to_vec(&records).unwrap());
    let file = room.suite(&suite());
    let ended = room.adeval("bench").arg(file).run();
    ended.speaks_plainly();
    (room, ended)
}

#[test]
fn images_of_every_good_kind_work() {
    let photograph = DynamicImage::ImageRgb8(pictures::photograph());
    let mut jpeg = std::io::Cursor::new(Vec::new());
    photograph.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let mut webp = std::io::Cursor::new(Vec::new());
    DynamicImage::ImageRgba8(image::load_from_memory(&pictures::cut_out(1)).unwrap().into_rgba8())
        .write_to(&mut webp, image::ImageFormat::WebP)
        .unwrap();
    let files = [
        ("plain.png", pictures::cut_out(0)),
        ("deep.png", pictures::deep()),
        ("palette.png", pictures::palette()),
        ("grey.png", pictures::grey_alpha()),
        ("alpha.webp", webp.into_inner()),
        ("cmyk.jpg", CMYK.to_vec()),
        ("opaque.png", pictures::png(&photograph)),
        ("opaque.jpg", jpeg.into_inner()),
        ("named-wrong.jpg", pictures::cut_out(2)),
    ];
    let files: Vec<_> = files.into_iter().map(|(name, bytes)| (name, Some(bytes))).collect();
    let (room, ended) = bench(&files);
    let ended = ended.done();
    assert_eq!(room.run_in("runs").coverage("e"), (9, 9));
    let warnings = ended.warnings();
    for name in ["cmyk.jpg", "opaque.png", "opaque.jpg"] {
        let named = warnings.iter().filter(|line| line.contains(name)).collect::<Vec<_>>();
        assert!(named.len() == 1 && named[0].contains("cut out by a network"), "{name}: {warnings:?}");
    }
    assert_eq!(warnings.len(), 3, "{warnings:?}");
}

#[test]
fn sixteen_bits_and_palettes_keep_their_colours() {
    let files = [
        ("eight.png", Some(pictures::cut_out(0))),
        ("sixteen.png", Some(pictures::deep())),
        ("palette.png", Some(pictures::palette())),
    ];
    let (room, ended) = bench(&files);
    ended.done();
    // The same disc in 8 and in 16 bits is the same creative but for the seed's shift of the ground.
    let render = "render products --background well-behaved --prompt x --size 64 --out made";
    room.adeval(render).run().with_code(0);
    let middle = |name: &str| {
        let made = image::open(room.path("made").join(format!("{name}-well-behaved-0.png"))).unwrap();
        made.into_rgb8().get_pixel(32, 32).0
    };
    assert_eq!(middle("eight"), middle("sixteen"));
    let [r, _, b] = middle("palette");
    assert!(r > 150 || b > 150, "the palette's red or blue: {:?}", middle("palette"));
}

#[test]
fn a_bad_image_costs_its_product_and_is_named_with_the_mend() {
    let whole = pictures::cut_out(0);
    let bad = [
        ("truncated.png", Some(whole[..whole.len() * 2 / 3].to_vec()), "truncated or damaged"),
        ("empty.png", Some(Vec::new()), "0 bytes"),
        ("huge.png", Some(pictures::huge_header()), "30000x30000"),
        ("missing.png", None, "does not exist"),
        ("text.png", Some(b"this is a text".to_vec()), "no PNG, JPEG or WebP"),
        ("half.jpg", Some(CMYK[..CMYK.len() / 4].to_vec()), "truncated or damaged"),
        ("invisible.png", Some(invisible()), "no pixel is visible"),
    ];
    let mut files: Vec<_> = bad.iter().map(|(name, bytes, _)| (*name, bytes.clone())).collect();
    files.push(("good.png", Some(whole)));
    let (room, ended) = bench(&files);
    let ended = ended.with_code(3);
    let run = room.run_in("runs");
    assert_eq!(run.coverage("e"), (1, 8));
    let failures = run.failures("e");
    for (name, _, words) in bad {
        let start = format!("product \"{name}\": ");
        let warned: Vec<&str> =
            ended.warnings().into_iter().filter(|line| line.starts_with(&start)).collect();
        assert!(warned.len() == 1 && warned[0].contains(words), "{name}: {words:?} in {ended:#?}");
        let message = failures.iter().find(|(product, _)| product == name).map(|(_, message)| message);
        assert!(message.is_some_and(|m| m.contains(words)), "{name} is not on the board: {failures:?}");
    }
}

/// A picture whose alpha is 0 everywhere.
fn invisible() -> Vec<u8> {
    pictures::png(&DynamicImage::ImageRgba8(image::RgbaImage::new(8, 8)))
}

#[test]
fn earlier_results_are_kept_when_an_image_goes_bad_and_used_when_it_is_mended() {
    let files = [("a.png", Some(pictures::cut_out(0))), ("b.png", Some(pictures::cut_out(1)))];
    let (room, ended) = bench(&files);
    ended.done();
    let before = room.run_in("runs");
    let board = before.board_bytes();
    fs::write(room.path("products/b.png"), "").unwrap();
    // Other products are another run: the first one is left as it is.
    let file = room.path("images.toml");
    room.adeval("bench").arg(&file).run().with_code(3);
    assert_eq!(before.board_bytes(), board);
    assert_eq!(fs::read_dir(room.path("runs")).unwrap().count(), 2);
    room.write("products/b.png", pictures::cut_out(1));
    let again = room.adeval("--json bench").arg(&file).run().done().json();
    assert_eq!(again["computed"], 0, "{again}");
}

#[test]
fn when_no_product_can_be_used_there_is_no_run() {
    let (room, ended) = bench(&[("empty.png", Some(Vec::new()))]);
    ended.refused(1, &["none of the 1 products", "empty.png", "0 bytes"]);
    assert!(RunDir::find_in(&room.path("runs")).is_none());
}

#[test]
fn render_names_a_bad_image_too() {
    let room = Room::new();
    let render =
        |name: &str| room.adeval("render --background well-behaved --prompt x --size 32").arg(name).run();
    room.write("huge.png", pictures::huge_header());
    render("huge.png").refused(1, &["huge.png", "30000x30000"]);
    room.write("empty.png", "");
    render("empty.png").refused(1, &["empty.png", "0 bytes"]);
    room.write("cmyk.jpg", CMYK);
    let ended = render("cmyk.jpg").done();
    assert!(ended.stderr.contains("cut out by a network"), "{ended:?}");
    room.write("folder/notes.txt", "no image");
    render("folder").refused(1, &["folder"]);
}

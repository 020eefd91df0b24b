//! LLaVA's grids of tiles and its pictures, against transformers, Pillow and LLaVA's original code. Goldens:
//! `python fixtures/scripts/goldens_llava_images.py ORIGINAL`.

mod support;

use std::collections::HashMap;
use std::fs;

use adeval_models::clip::preprocess::{Edges, ImageProcessor};
use adeval_models::llava::grid::{Convention, Extent, Pinpoints};
use adeval_models::llava::image::{Aspect, LlavaImageProcessor};
use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use serde::Deserialize;

use support::recipe;
use support::{Parity, golden, goldens};

const PARITY: Parity = Parity::new("llava", "transformers 5.24.0, Pillow 13.0.0, LLaVA c121f04");

#[derive(Deserialize)]
struct Facts {
    pinpoints: Vec<[u32; 2]>,
    tile: u32,
    published: Vec<[u32; 2]>,
    pictures: Vec<(u32, u32)>,
    full: Vec<(u32, u32)>,
    /// Height, width; best height and width, rows and columns that remain, by transformers; the same by the original.
    grids: Vec<[u32; 10]>,
}

fn facts() -> Facts {
    let text = fs::read(goldens().join("llava/images.json")).expect("the golden's facts");
    serde_json::from_slice(&text).expect("facts of the known form")
}

fn picture(height: u32, width: u32) -> RgbImage {
    recipe::picture(&format!("llava.{height}x{width}"), height, width)
}

fn processor(side: u32, aspect: Aspect) -> LlavaImageProcessor {
    let (size, crop_size) =
        (Edges::Shortest { shortest_edge: side }, Edges::Both { height: side, width: side });
    LlavaImageProcessor { clip: ImageProcessor { size, crop_size, ..ImageProcessor::default() }, aspect }
}

fn anyres(pairs: &[[u32; 2]], tile: u32, convention: Convention) -> LlavaImageProcessor {
    processor(tile, Aspect::Anyres(Pinpoints::new(pairs, tile, convention).expect("whole tiles")))
}

/// Without rescaling and normalising the levels remain.
fn levels(processor: &LlavaImageProcessor, height: u32, width: u32) -> Tensor {
    let clip = ImageProcessor { do_rescale: false, do_normalize: false, ..processor.clip.clone() };
    let raw = LlavaImageProcessor { clip, aspect: processor.aspect.clone() };
    raw.forward(&picture(height, width), &Device::Cpu).expect("a picture").tiles
}

/// The largest difference in levels.
fn off(found: &Tensor, expected: &Tensor) -> f64 {
    // Of a single tile the golden holds the tile.
    let found = found.reshape(expected.dims()).expect("as many values");
    let expected = expected.to_dtype(DType::F32).expect("levels");
    let off = (&found - expected).and_then(|d| d.abs()?.max_all()?.to_scalar::<f32>()).expect("levels");
    f64::from(off)
}

#[test]
fn grids_and_what_they_keep_equal_both_references() {
    let facts = facts();
    for (convention, name, at) in
        [(Convention::Transformers, "transformers", 2), (Convention::Original, "the original", 6)]
    {
        let pinpoints = Pinpoints::new(&facts.published, 336, convention).expect("whole tiles");
        let differs = |row: &&[u32; 10]| {
            let size = Extent { height: row[0], width: row[1] };
            let best = pinpoints.best(size);
            let patches = Extent { height: best.height / 14, width: best.width / 14 };
            let (rows, columns) = pinpoints.covered(size, patches);
            [best.height, best.width, rows.len() as u32, columns.len() as u32] != row[at..at + 4]
        };
        let count = facts.grids.iter().filter(differs).count();
        let case = format!("grid and unpadding of {} sizes, {name}", facts.grids.len());
        PARITY.number(&case, "sizes that differ", count as f64, 0.0);
    }
}

#[test]
fn a_picture_of_1000x300_is_unpadded_by_height() {
    let facts = facts();
    let pinpoints = Pinpoints::new(&facts.published, 336, Convention::Transformers).expect("whole tiles");
    let size = Extent { height: 300, width: 1000 };
    assert_eq!(pinpoints.grid(size), Extent { height: 1, width: 3 });
    assert_eq!(pinpoints.covered(size, Extent { height: 24, width: 72 }), (1..23, 0..72));
}

#[test]
fn tiles_equal_those_of_pillow() {
    let (facts, expected) = (facts(), golden("llava/images.safetensors"));
    let cases = [
        ("anyres", anyres(&facts.pinpoints, facts.tile, Convention::Transformers)),
        ("anyres", anyres(&facts.pinpoints, facts.tile, Convention::Original)),
        ("pad", processor(facts.tile, Aspect::Pad)),
        ("square", processor(facts.tile, Aspect::Square)),
    ];
    for (kind, processor) in &cases {
        let of_kind = facts.pictures.iter().filter_map(|&(height, width)| {
            let expected = expected.get(&format!("{kind}.{height}x{width}"))?;
            Some((height, width, expected))
        });
        let (mut worst, mut count) = (0.0, 0);
        for (height, width, expected) in of_kind {
            worst = f64::max(worst, off(&levels(processor, height, width), expected));
            count += 1;
        }
        assert!(count >= 17, "{kind}: {count}");
        PARITY.number(&format!("pictures, {kind} ({count})"), "max levels of 255", worst, 0.0);
    }
}

#[test]
fn among_equal_grids_each_convention_takes_its_own() {
    let (facts, expected) = (facts(), golden("llava/images.safetensors"));
    let pairs = &facts.pinpoints[1..3];
    for (name, convention) in [("transformers", Convention::Transformers), ("original", Convention::Original)]
    {
        let found = levels(&anyres(pairs, facts.tile, convention), 9, 9);
        let case = format!("pictures, tied grids, {name}");
        PARITY.number(&case, "max levels of 255", off(&found, &expected[&format!("tied.{name}")]), 0.0);
    }
}

#[test]
fn tiles_of_full_size_equal_those_of_pillow() {
    let (facts, expected) = (facts(), golden("llava/images.safetensors"));
    let processor = anyres(&facts.published, 336, Convention::Transformers);
    for (height, width) in facts.full {
        let found = levels(&processor, height, width).flatten_all().and_then(|t| t.to_vec1::<f32>());
        let found: Vec<f32> = found.expect("levels").into_iter().step_by(211).collect();
        let expected = &expected[&format!("full.{height}x{width}")];
        let found = Tensor::from_vec(found, expected.dims(), &Device::Cpu).expect("as many values");
        PARITY.number(
            &format!("pictures, anyres of 336, {height}x{width}"),
            "max levels of 255",
            off(&found, expected),
            0.0,
        );
    }
}

#[test]
fn values_equal_those_of_transformers_bit_for_bit() {
    let facts = facts();
    let processor = anyres(&facts.pinpoints, facts.tile, Convention::Transformers);
    let prepared = processor.forward(&picture(20, 40), &Device::Cpu).expect("a picture");
    assert_eq!(prepared.size, Extent { height: 20, width: 40 });
    let bits = |t: &Tensor| -> Vec<u32> {
        let values = t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
        values.into_iter().map(f32::to_bits).collect()
    };
    let goldens: HashMap<String, Tensor> = golden("llava/images.safetensors");
    assert_eq!(bits(&prepared.tiles), bits(&goldens["values"]));
}

#[test]
fn pictures_that_cannot_be_prepared_are_named() {
    let refused = |aspect: Aspect, width: u32, height: u32| {
        let error = processor(16, aspect).forward(&RgbImage::new(width, height), &Device::Cpu);
        error.expect_err("refused").to_string()
    };
    assert!(refused(Aspect::Pad, 0, 5).contains("0x5 image to the input size: it has no pixels"));
    assert!(refused(Aspect::Square, 1, 10000).contains("16x160000 is no size for it"));
}

//! Draws a contact sheet of products and prompts to one PNG, to look at.
//!
//! ```sh
//! cargo run --release -p scene-background --example contact_sheet -- fixtures/products sheet.png [first prompt] [size]
//! ```

use adeval_sdk::prelude::*;
use scene_background::{Parameters, SceneBackground};
use std::path::Path;

const PROMPTS: [&str; 40] = [
    "on white marble, sage green plaster wall, window light from the left",
    "seamless peach sweep, soft studio light, round podium and spheres",
    "rustic oak table in a cozy kitchen, morning light, blurred background",
    "on the beach at golden hour, sand, pebbles",
    "terrazzo surface before an arched niche, pastel palette, hard light",
    "mossy forest ground, dappled light, shallow depth of field",
    "black marble, burgundy velvet curtain, dramatic light, luxury",
    "fresh snow, winter mountains, cool light",
    "neon city at night, glossy acrylic",
    "linen tablecloth, palm shadows on a cream wall",
    "autumn leaves on wood, golden hour forest",
    "concrete floor and concrete wall, industrial, hard light from the right",
    "spring garden in bloom, petals on a wooden table",
    "christmas evening with bokeh lights, gifts and baubles",
    "lavender gradient, glossy acrylic, studio",
    "teal wall with wood slats, houseplant, soft daylight",
    "tiled bathroom wall, marble shelf, eucalyptus leaves",
    "geometric disc backdrop, terracotta, columns, hard light from the left",
    "shallow pool water with ripples, summer sun, sky",
    "earthy clay wall, blinds shadow, books on walnut",
    "mustard yellow seamless background, bold, steps",
    "brick loft wall, wooden floor, soft window light",
    "candlelight dinner, dark wood, evening bokeh",
    "grass meadow under a blue sky with clouds",
    "monochrome palette, minimal sweep, soft light",
    "navy satin, gold accents, moody spotlight",
    "desert dunes at sunset, warm light",
    "white clean studio, bright, no props",
    "brushed metal, futuristic tech, neon",
    "slate rock, alpine mountains, adventure, sunrise",
    "pink velvet podium, pastel arch, dreamy",
    "scandinavian living room, oak table, bright",
    "mediterranean arch, hard sunlight, palm shadow, terracotta floor tiles",
    "birthday party, confetti, vivid colours",
    "halloween autumn, pumpkins on a wooden porch",
    "emerald green wall, brass gold spheres, marble",
    "complementary colours, hard shadows, disc",
    "zen stones, sand, calm, soft light",
    "citrus fruit, sunny summer picnic, linen",
    "charcoal background, low key, dramatic",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "fixtures/products".into());
    let out = arguments.next().unwrap_or_else(|| "contact-sheet.png".into());
    let first: usize = arguments.next().map_or(Ok(0), |a| a.parse())?;
    let size: u32 = arguments.next().map_or(Ok(320), |a| a.parse())?;
    let count: usize = arguments.next().map_or(Ok(40), |a| a.parse())?;
    let columns = 8.min(count as u32);
    let products = load(Path::new(&folder))?;
    let generator = SceneBackground::create(Parameters::default(), &Environment::default())?;
    let requests: Vec<BackgroundRequest> = (0..count)
        .map(|i| {
            let product = products[(i * 29 + 7 * first) % products.len()].clone();
            let mut request =
                BackgroundRequest::new(product, PROMPTS[(i + first) % PROMPTS.len()], (i + first) as u64);
            (request.width, request.height) = (size, size);
            request
        })
        .collect();
    let rows = (count as u32).div_ceil(columns);
    let mut sheet = image::RgbImage::from_pixel(columns * size, rows * size, image::Rgb([24; 3]));
    for (i, creative) in generator.generate_batch(&requests, &CallContext::detached()).into_iter().enumerate()
    {
        let image = creative?.image.to_rgb();
        let (x, y) = (i as u32 % columns * size, i as u32 / columns * size);
        image::imageops::replace(&mut sheet, &image, x.into(), y.into());
    }
    sheet.save(&out)?;
    Ok(())
}

/// The products of a fixtures folder.
fn load(folder: &Path) -> Result<Vec<Product>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(folder.join("products.json"))?;
    let list: Vec<serde_json::Value> = serde_json::from_str(&text)?;
    let mut products = Vec::new();
    for entry in list {
        let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let image = image::open(folder.join(word("image")))?.to_rgba8();
        let mut product = Product::new(word("id"), word("title"), image.into());
        let category = entry["category"].as_array().into_iter().flatten();
        product.category = category.filter_map(|c| c.as_str().map(str::to_owned)).collect();
        products.push(product);
    }
    Ok(products)
}

//! The component: requests in, creatives out.

use crate::director::{Facts, Settings, direct};
use crate::render::render;
use crate::words::Wishes;
use adeval_compositing::{Silhouette, color};
use adeval_sdk::prelude::*;
use image::RgbaImage;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of the procedural scenes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// The largest share of the canvas' width and height that the product takes.
    #[schemars(range(min = 0.1, max = 1.0))]
    pub product_share: f32,
    /// Eye level above the product's foot, in lengths of the product's longer side; drawn from the seed when absent.
    #[schemars(range(min = 0.1, max = 2.0))]
    pub horizon: Option<f32>,
    /// Factor on the product's shadows: 0 none, 1 natural.
    #[schemars(range(min = 0.0, max = 1.5))]
    pub shadow_strength: f32,
    /// Factor on the blur of what is far from the product: 0 all sharp, 1 natural.
    #[schemars(range(min = 0.0, max = 2.0))]
    pub depth_of_field: f32,
    /// Whether props may stand beside the product.
    pub props: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            product_share: PAPER_SHARE,
            horizon: None,
            shadow_strength: 1.0,
            depth_of_field: 1.0,
            props: true,
        }
    }
}

impl Parameters {
    fn check(&self) -> Result<()> {
        let ranges = [
            ("product_share", Some(self.product_share), 0.1, 1.0),
            ("horizon", self.horizon, 0.1, 2.0),
            ("shadow_strength", Some(self.shadow_strength), 0.0, 1.5),
            ("depth_of_field", Some(self.depth_of_field), 0.0, 2.0),
        ];
        for (name, value, low, high) in ranges {
            if let Some(value) = value.filter(|v| !(low..=high).contains(v)) {
                return Err(PluginError::invalid_parameters(format!(
                    "{name} is {value}; it must be {low} to {high}"
                )));
            }
        }
        Ok(())
    }
}

/// Draws scenes around products.
#[derive(Debug, Clone)]
pub struct SceneBackground {
    parameters: Parameters,
}

impl Component for SceneBackground {
    type Parameters = Parameters;

    fn info() -> ComponentInfo {
        ComponentInfo::new("scene-background", "Procedural scenes drawn from the words of the prompt")
    }

    fn create(parameters: Parameters, _: &Environment) -> Result<Self> {
        parameters.check()?;
        Ok(Self { parameters })
    }
}

impl BackgroundGenerator for SceneBackground {
    fn generate(&self, request: &BackgroundRequest, cx: &CallContext<'_>) -> Result<Creative> {
        cx.check()?;
        request.validate()?;
        check_area(request)?;
        let cut = CutOut::of(&request.product)?;
        let placement = place(&cut, request.size(), self.parameters.product_share);
        let product = cut.resample(&placement)?;
        let wishes = Wishes::read(&request.prompt, &request.negative_prompt, &request.product.title);
        let facts = facts(&request.product, &product, &placement, request.size());
        let p = &self.parameters;
        let settings = Settings {
            horizon: p.horizon,
            shadow_strength: p.shadow_strength,
            depth_of_field: p.depth_of_field,
            props: p.props,
        };
        let scene = direct(&wishes, &facts, &settings, request.seed);
        let mut image = render(&scene, &product, (placement.left, placement.top), request.size());
        placement.paste(&product, &mut image);
        Ok(Creative { image: image.into(), placement })
    }

    fn generate_batch(&self, requests: &[BackgroundRequest], cx: &CallContext<'_>) -> Vec<Result<Creative>> {
        requests.par_iter().map(|request| self.generate(request, cx)).collect()
    }
}

/// Most pixels of a canvas: the buffers of a render take about 60 bytes a pixel.
const MOST_PIXELS: u64 = 4096 * 4096;

fn check_area(request: &BackgroundRequest) -> Result<()> {
    if u64::from(request.width) * u64::from(request.height) <= MOST_PIXELS {
        return Ok(());
    }
    let message = format!(
        "a creative of {}x{} pixels: scene-background draws at most {MOST_PIXELS} pixels",
        request.width, request.height
    );
    Err(PluginError::invalid_request(message).with_hint("ask for 4096x4096 or less"))
}

/// A product that fills the canvas' height stands at the paper's place (centred); a low one a little below the middle.
fn place(cut: &CutOut, canvas: (u32, u32), share: f32) -> Placement {
    let mut placement = cut.centered(canvas, share);
    let height = placement.height as f32 / canvas.1 as f32;
    let bottom = 0.60 + 0.385 * height;
    placement.top = (bottom * canvas.1 as f32 - placement.height as f32).round() as i32;
    placement
}

fn facts(product: &Product, pixels: &RgbaImage, placement: &Placement, canvas: (u32, u32)) -> Facts {
    let at = (placement.left, placement.top);
    let silhouette = Silhouette::new(pixels, at, (canvas.0 as usize, canvas.1 as usize));
    let unit = silhouette.size().max(1.0);
    let middle = silhouette.left + 0.5 * silhouette.width;
    Facts {
        color: color::dominant(pixels),
        half_width: 0.5 * silhouette.width / unit,
        half_foot: 0.5 * (silhouette.foot.1 - silhouette.foot.0) / unit,
        tilt: silhouette.depth / (silhouette.foot.1 - silhouette.foot.0).max(1.0),
        center: (middle - silhouette.foot_center()) / unit,
        half_canvas: 0.5 * canvas.0 as f32 / unit,
        large: is_large(product),
        light_from: 0.0,
        season: None,
    }
}

/// Whether a product stands on the floor of a room, by its title and category.
fn is_large(product: &Product) -> bool {
    const LARGE: [&str; 27] = [
        "seating",
        "sofa",
        "armchair",
        "chair",
        "stool",
        "table",
        "desk",
        "dresser",
        "nightstand",
        "wardrobe",
        "bookcase",
        "bed",
        "furniture",
        "bicycle",
        "bike",
        "tricycle",
        "lawn",
        "mower",
        "ladder",
        "tent",
        "refrigerator",
        "bean bag",
        "rocking horse",
        "floor lamp",
        "laundry",
        "waste bin",
        "punching",
    ];
    const SMALL: [&str; 6] = ["table lamp", "desk lamp", "tableware", "table tennis", "desk phone", "tablet"];
    let words = format!("{} {}", product.title, product.category.join(" ")).to_lowercase();
    !SMALL.iter().any(|w| words.contains(w)) && LARGE.iter().any(|w| words.contains(w))
}

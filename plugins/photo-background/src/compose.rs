//! One creative, from the choice of its pictures to the last paste.

use crate::backdrop::{self, Crop};
use crate::camera::{self, Camera};
use crate::choose::{Behind, Ground, Scene, choose, draw};
use crate::grade::Grade;
use crate::occlusion;
use crate::parameters::Parameters;
use crate::surface::{self, Plane};
use crate::words::Words;
use adeval_compositing::color::{luminance, mix};
use adeval_compositing::{
    Canvas, Finish, Light, Reflection, ShadowSpec, Silhouette, finish, ground, vignette,
};
use adeval_sdk::{BackgroundRequest, Creative, CutOut, ErrorKind, PluginError, Product, Result};

/// Sides of a canvas that this generator draws, in pixels.
pub const SIDES: std::ops::RangeInclusive<u32> = 64..=2048;

/// Words of products that stand on a floor.
const LARGE: [&str; 30] = [
    "chair",
    "armchair",
    "sofa",
    "couch",
    "seating",
    "stool",
    "desk",
    "cabinet",
    "dresser",
    "drawer",
    "nightstand",
    "bicycle",
    "bike",
    "tent",
    "mower",
    "ladder",
    "tricycle",
    "trampoline",
    "wardrobe",
    "bookcase",
    "hoop",
    "recliner",
    "ottoman",
    "bench",
    "sideboard",
    "crate",
    "hamper",
    "tree",
    "exercise",
    "table",
];

/// Draws the creative for a request.
///
/// # Errors
/// `InvalidRequest` for a canvas outside [`SIDES`], or a product without alpha or without a visible pixel.
pub fn compose(request: &BackgroundRequest, parameters: &Parameters) -> Result<Creative> {
    if !SIDES.contains(&request.width) || !SIDES.contains(&request.height) {
        return Err(PluginError::invalid_request(format!(
            "a creative of {}x{} pixels: photo-background draws sides of {} to {} pixels",
            request.width,
            request.height,
            SIDES.start(),
            SIDES.end()
        )));
    }
    let cut = CutOut::of(&request.product)?;
    let large = is_large(&request.product);
    let scene = choose(&request.prompt, &request.negative_prompt, large, request.seed).ok_or_else(|| {
        PluginError::new(ErrorKind::BadWeights, "photo-background was built without its pictures")
            .with_hint("run fixtures/scripts/photo_assets.py and build it again")
    })?;
    let shift = draw(request.seed, "shift") * 2.0 - 1.0;
    // Low things need ground behind them, which in a photograph begins where it begins.
    let highest = if scene.ground == Ground::Natural { 0.86 } else { 0.74 };
    let placement = camera::place(&cut, request.size(), parameters.product_share as f32, shift, highest);
    let product = cut.resample(&placement)?;
    let mut horizon = 0.26 + 0.08 * draw(request.seed, "horizon");
    let lies = !large && (placement.height as f32) < 0.62 * placement.width as f32;
    if lies {
        // Seen from higher up, so that all of the product is before the surface it lies on.
        horizon = horizon.min(placement.top as f32 / request.height as f32 - 0.20);
    }
    let size = if large { 1.1 } else { 0.42 };
    let stage = Stage {
        camera: Camera::new(request.size(), &placement, horizon, size),
        behind_top: lies.then_some(placement.top as f32),
        scene,
        parameters,
        seed: request.seed,
        words: Words::of(&request.prompt),
    };
    let (mut canvas, light) = stage.build()?;
    let silhouette =
        Silhouette::new(&product, (placement.left, placement.top), (canvas.width, canvas.height));
    occlusion::darken(&mut canvas, &silhouette, stage.camera.tilt(), 1.2 * parameters.shadow as f32);
    let reflection = stage.reflection();
    ground(&mut canvas, &silhouette, &product, &stage.shadow(&light), reflection.as_ref());
    let grade = Grade::of(&stage.words, parameters.grade as f32);
    grade.apply(&mut canvas);
    vignette(&mut canvas, grade.vignette);
    let seed = (request.seed ^ (request.seed >> 32)) as u32;
    let mut image = finish(&canvas, &Finish { seed, grain: 1.4, ..Finish::default() });
    placement.paste(&product, &mut image);
    Ok(Creative { image: image.into(), placement })
}

/// Whether the product's category or title says that it is furniture or of that size.
fn is_large(product: &Product) -> bool {
    let mut text = product.category.join(" ");
    text.push(' ');
    text.push_str(&product.title);
    let words = Words::of(&text);
    words.has_any(&LARGE) && !words.has_any(&["lamp", "tennis", "clock", "toy", "ornament"])
}

/// A scene on its way to becoming a picture.
struct Stage<'a> {
    camera: Camera,
    /// Top of a product that lies flat: the surface reaches up to there.
    behind_top: Option<f32>,
    scene: Scene,
    parameters: &'a Parameters,
    seed: u64,
    words: Words,
}

impl Stage<'_> {
    fn draw(&self, what: &str) -> f32 {
        draw(self.seed, what)
    }

    /// Blur of things far away, in pixels.
    fn far(&self) -> f32 {
        let open = 0.75 + 0.5 * self.draw("aperture");
        (0.002 + 0.036 * self.parameters.depth_of_field as f32 * open) * self.camera.height as f32
    }

    /// The scene without the product, and its light.
    fn build(&self) -> Result<(Canvas, Light)> {
        match self.scene.behind {
            Behind::Photograph(asset, place) => {
                let texture = asset.texture()?;
                let natural = self.scene.ground == Ground::Natural;
                let share = 0.72 + 0.2 * self.draw("zoom");
                let needed = if natural { self.camera.height as f32 } else { self.edge() };
                let across = self.draw("crop");
                let mut crop = match place.ground {
                    Some(_) if natural => Crop::standing(texture, &self.camera, share, across),
                    _ => Crop::aligned(texture, place.horizon, &self.camera, share, across, needed),
                };
                crop.flip = self.draw("flip") < 0.5;
                let side = if crop.flip { -place.light[0] } else { place.light[0] };
                let mut canvas = backdrop::photograph(texture, &crop, &self.camera);
                match place.ground.filter(|_| natural) {
                    Some(ground) => {
                        let row = (ground * texture.height() - crop.top) / crop.scale;
                        backdrop::defocus_ground(&mut canvas, &self.camera, row, 0.5 * self.far());
                    }
                    None => backdrop::defocus(&mut canvas, &place, &crop, self.far()),
                }
                let light = light_of([side, place.light[1], place.light[2]], &canvas, asset.places);
                self.lay_surface(&mut canvas, side)?;
                Ok((canvas, light))
            }
            Behind::Wall(asset, wall) => {
                let side = if self.draw("light") < 0.5 { -0.75 } else { 0.75 };
                let distance = self.wall_distance();
                let sigma = self.camera.defocus(distance, self.far());
                let mut canvas = backdrop::wall(asset.texture()?, &wall, &self.camera, side, distance, sigma);
                self.lay_surface(&mut canvas, side)?;
                let light = Light {
                    azimuth: 52.0 * side.signum(),
                    elevation: 48.0,
                    softness: 9.0,
                    ..Light::default()
                };
                Ok((canvas, light))
            }
        }
    }

    fn wall_distance(&self) -> f32 {
        if let Some(top) = self.behind_top {
            return self.camera.distance(top - 0.06 * self.camera.height as f32).clamp(1.6, 4.0);
        }
        match self.scene.ground {
            Ground::Table => 2.3 + 0.6 * self.draw("wall distance"),
            _ => 1.55 + 0.35 * self.draw("wall distance"),
        }
    }

    /// Row of the far edge of what the product stands on.
    fn edge(&self) -> f32 {
        let row = match (self.scene.ground, self.scene.behind) {
            (Ground::Natural, _) => self.camera.height as f32,
            (Ground::Table, _) => self.camera.row(1.42 + 0.4 * self.draw("edge")),
            (_, Behind::Wall(..)) => self.camera.row(self.wall_distance()),
            (_, Behind::Photograph(..)) => self.camera.row(1.75),
        };
        match self.behind_top.filter(|_| self.scene.ground != Ground::Natural) {
            Some(top) => row.min(top - 0.02 * self.camera.height as f32).max(self.camera.horizon + 4.0),
            None => row,
        }
    }

    fn lay_surface(&self, canvas: &mut Canvas, light: f32) -> Result<()> {
        let Some((asset, surface)) = self.scene.surface else { return Ok(()) };
        let texture = asset.texture()?;
        let (far, edge) = (self.far(), self.edge());
        let height = self.camera.height as f32;
        let defocus = self.camera.defocus(self.camera.distance(edge), far);
        let sweep = matches!(self.scene.behind, Behind::Wall(..));
        let soft = match self.scene.ground {
            Ground::Blend if sweep => 0.09 * height,
            Ground::Blend => 0.55 * (self.camera.stand - edge),
            _ => (1.3 * defocus).max(0.9),
        };
        let plane = Plane {
            edge,
            soft,
            tint: self.tint(canvas, texture.mean(), edge, sweep),
            light,
            far,
            gloss: (surface.gloss * self.parameters.reflection as f32).min(0.8),
            turned: self.draw("turn") < 0.5,
            offset: (self.draw("texture across"), self.draw("texture along")),
        };
        surface::draw(canvas, texture, &surface, &self.camera, &plane);
        Ok(())
    }

    /// What to multiply the surface's texture with, so that it looks lit by what is behind it.
    fn tint(&self, canvas: &Canvas, texture: [f32; 3], edge: f32, wall: bool) -> [f32; 3] {
        if wall {
            return [0.95; 3];
        }
        let around = canvas.mean();
        let strength = luminance(around).max(1e-4);
        let chroma = around.map(|v| (v / strength).clamp(0.3, 2.5));
        let key = (strength / 0.26).powf(0.4).clamp(0.5, 1.3);
        let lit = mix([1.0; 3], chroma, 0.45).map(|v| v * key);
        if self.scene.ground != Ground::Blend {
            return lit;
        }
        let band = 0.4 * (self.camera.stand - edge);
        let floor = rows_mean(canvas, edge - band, edge + 1.5 * band);
        let matched: [f32; 3] = std::array::from_fn(|i| (floor[i] / texture[i].max(0.01)).clamp(0.2, 2.5));
        mix(lit, matched, 0.9)
    }

    fn shadow(&self, light: &Light) -> ShadowSpec {
        let wall = match (self.scene.ground, self.scene.behind) {
            (Ground::Floor, Behind::Wall(..)) => Some(self.edge()),
            _ => None,
        };
        let strength = self.parameters.shadow as f32;
        ShadowSpec {
            cast: 0.95 * strength,
            contact: (1.1 * strength).min(1.0),
            tilt: self.camera.tilt(),
            wall,
            ..ShadowSpec::under(light)
        }
    }

    fn reflection(&self) -> Option<Reflection> {
        let (_, surface) = self.scene.surface?;
        let strength = (0.55 * surface.gloss * self.parameters.reflection as f32).min(0.6);
        (strength > 0.02).then(|| Reflection {
            strength,
            roughness: 0.016 - 0.02 * surface.gloss.min(0.5),
            reach: 0.38,
        })
    }
}

/// The key light of a photograph: its direction as it was measured, softened towards what flatters a product.
fn light_of(direction: [f32; 3], canvas: &Canvas, places: &[&str]) -> Light {
    let [x, y, z] = direction;
    let outdoor = places.contains(&"outdoor");
    let azimuth = x.atan2(z).to_degrees().clamp(-135.0, 135.0);
    let around = canvas.mean();
    let strength = luminance(around).max(1e-4);
    let chroma = mix([1.0; 3], around.map(|v| (v / strength).clamp(0.4, 1.8)), 0.3);
    let peak = chroma.iter().copied().fold(1e-3, f32::max);
    Light {
        azimuth,
        elevation: y.clamp(-1.0, 1.0).asin().to_degrees().clamp(32.0, 62.0),
        softness: if outdoor { 4.5 } else { 9.0 },
        color: chroma.map(|v| v / peak),
        fill: if outdoor { 0.30 } else { 0.42 },
        fill_color: mix([0.97, 0.98, 1.0], chroma, 0.4).map(|v| v.min(1.0)),
    }
}

/// Mean colour of the rows between two heights.
fn rows_mean(canvas: &Canvas, from: f32, to: f32) -> [f32; 3] {
    let last = canvas.height.saturating_sub(1);
    let first = (from.max(0.0) as usize).min(last);
    let end = (to.max(0.0) as usize).clamp(first + 1, canvas.height);
    let data = canvas.data[first * canvas.width..end * canvas.width].to_vec();
    Canvas { width: canvas.width, height: end - first, data }.mean()
}

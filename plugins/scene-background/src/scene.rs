//! What a scene consists of, once all choices are made. Lengths are in product sizes (the longer side of the product is
//! 1), x to the right, y up from where the product stands, z towards the camera; colours are linear.

use crate::geometry::Solid;
use crate::gobo::Gobo;
use adeval_compositing::Light;

/// A linear colour.
pub type Rgb = [f32; 3];

/// What the product stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SurfaceKind {
    /// Matte paper or paint.
    Paper,
    /// Planks or a tabletop.
    Wood,
    /// Polished marble.
    Marble,
    /// Woven linen, laid in soft folds.
    Linen,
    /// Cast concrete.
    Concrete,
    /// Dry sand with ripples.
    Sand,
    /// Glossy acrylic or glass.
    Acrylic,
    /// Brushed metal.
    Metal,
    /// Lawn or moss.
    Grass,
    /// Fresh snow.
    Snow,
    /// Shallow water with ripples.
    Water,
    /// Terrazzo: chips in cement.
    Terrazzo,
    /// Velvet or satin in deep folds.
    Velvet,
    /// Ceramic floor tiles.
    Tiles,
    /// Slate and other dark stone.
    Slate,
    /// Wool rug.
    Rug,
}

/// A surface with its colours.
#[derive(Debug, Clone, Copy)]
pub struct Surface {
    /// The material.
    pub kind: SurfaceKind,
    /// Main colour.
    pub color: Rgb,
    /// Colour of grain, veins, chips or joints.
    pub second: Rgb,
    /// Texture repeats per product size; small for furniture on a floor is wrong, so furniture has more.
    pub scale: f32,
    /// Seed of the texture.
    pub seed: u32,
}

/// What closes the scene at the back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackdropKind {
    /// The surface runs up into the wall without an edge.
    Sweep,
    /// Painted plaster.
    Wall,
    /// Raw concrete wall.
    ConcreteWall,
    /// Painted or red brick.
    Brick,
    /// Glazed tiles.
    TiledWall,
    /// Vertical wooden slats.
    Slats,
    /// A heavy curtain.
    Curtain,
    /// A wall with an arched niche.
    Arch,
    /// A wall with a round disc before it.
    Disc,
    /// Smooth gradient, no visible wall.
    Gradient,
    /// Evening lights out of focus.
    Bokeh,
    /// City at night with neon signs, out of focus.
    Neon,
    /// A bright room with a window, out of focus.
    Room,
    /// Sky with clouds.
    Sky,
    /// Woods out of focus.
    Forest,
    /// Garden in bloom, out of focus.
    Garden,
    /// Sea and sky.
    Beach,
    /// Ridges in the haze.
    Mountains,
}

impl BackdropKind {
    /// Whether there is a wall close behind the product, lit by the scene's light.
    pub fn is_wall(self) -> bool {
        use BackdropKind as B;
        matches!(
            self,
            B::Sweep
                | B::Wall
                | B::ConcreteWall
                | B::Brick
                | B::TiledWall
                | B::Slats
                | B::Curtain
                | B::Arch
                | B::Disc
        )
    }
}

/// A backdrop with its colours.
#[derive(Debug, Clone, Copy)]
pub struct Backdrop {
    /// What it is.
    pub kind: BackdropKind,
    /// Main colour.
    pub color: Rgb,
    /// Second colour: the other end of a gradient, the disc, the joints.
    pub second: Rgb,
    /// Colour of lights and accents.
    pub accent: Rgb,
    /// How far behind the product the wall stands, or the table or ground ends.
    pub distance: f32,
    /// Whether the ground is open land that fades into the distance.
    pub endless: bool,
    /// What the light of a far backdrop is multiplied with.
    pub tint: Rgb,
    /// Seed of the texture.
    pub seed: u32,
}

/// Where the camera stands.
#[derive(Debug, Clone, Copy)]
pub struct Camera {
    /// Height above the place where the product stands.
    pub height: f32,
    /// Distance from the product.
    pub distance: f32,
}

/// The shape of a thing that lies flat on the ground.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecalShape {
    /// A pointed leaf with a midrib.
    Leaf,
    /// A rounded petal.
    Petal,
    /// A lobed autumn leaf.
    Maple,
    /// A round piece of confetti.
    Confetti,
}

/// A flat thing on the ground.
#[derive(Debug, Clone, Copy)]
pub struct Decal {
    /// Its outline.
    pub shape: DecalShape,
    /// Place on the ground.
    pub x: f32,
    /// Place on the ground.
    pub z: f32,
    /// Half its length.
    pub size: f32,
    /// Direction in radians.
    pub angle: f32,
    /// Its colour.
    pub color: Rgb,
}

/// Something out of focus between camera and product.
#[derive(Debug, Clone, Copy)]
pub struct Veil {
    /// Centre, in shares of the canvas' width and height.
    pub at: [f32; 2],
    /// Half length and half width, in shares of the canvas' shorter side.
    pub half: [f32; 2],
    /// Direction in radians.
    pub angle: f32,
    /// Colour.
    pub color: Rgb,
    /// Opacity, 0 to 1.
    pub opacity: f32,
}

/// Everything that the renderer needs.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Where the camera stands.
    pub camera: Camera,
    /// Height of the ground relative to the place where the product stands: 0, or negative under a podium.
    pub ground: f32,
    /// What the ground is made of.
    pub surface: Surface,
    /// What is behind.
    pub backdrop: Backdrop,
    /// The key light.
    pub light: Light,
    /// A second, coloured light from the other side (neon), linear colour, 0 where there is none.
    pub rim: Rgb,
    /// What breaks up the key light.
    pub gobo: Option<Gobo>,
    /// Solid props.
    pub solids: Vec<Solid>,
    /// Flat things on the ground.
    pub decals: Vec<Decal>,
    /// Blurred things in front.
    pub veils: Vec<Veil>,
    /// Whether snow falls.
    pub snowfall: bool,
    /// Aperture: 0 all sharp, 1 a portrait lens wide open.
    pub aperture: f32,
    /// Factor on all light.
    pub exposure: f32,
    /// Darkening of the corners, 0 to 1.
    pub vignette: f32,
    /// Factor on the product's shadows, 0 to 2.
    pub shadow_strength: f32,
    /// Seed of dither and grain.
    pub seed: u32,
}

//! Turns wishes into a scene: fills in what the prompt leaves open, so that everything fits together.

use crate::choice::Dice;
use crate::gobo::{Gobo, GoboKind};
use crate::lexicon::{Meaning, Mood, PaletteStyle, PropKind, Season};
use crate::lighting;
use crate::materials::{backdrop_colors, surface_colors};
use crate::palette::Palette;
use crate::props;
use crate::scene::{Backdrop, BackdropKind as B, Camera, Scene, Surface, SurfaceKind as S};
use crate::words::Wishes;
use adeval_compositing::color::Lch;

/// What the scene must know of the product and the canvas. Lengths in product sizes.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Dominant colour.
    pub color: Lch,
    /// Half the product's width.
    pub half_width: f32,
    /// Half the width of what touches the ground.
    pub half_foot: f32,
    /// How deep the footprint looks against its width: 0 from the side, more from above.
    pub tilt: f32,
    /// The product's middle, to the right of its foot's middle.
    pub center: f32,
    /// Half the canvas' width.
    pub half_canvas: f32,
    /// Whether it is furniture-sized: it stands on a floor, not on a table.
    pub large: bool,
    /// Sign of the side that the light comes from; set by the director.
    pub light_from: f32,
    /// The season of the scene; set by the director.
    pub season: Option<Season>,
}

/// The parameters that shape every scene.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Eye level above the product's foot, in product sizes; drawn when absent.
    pub horizon: Option<f32>,
    /// Factor on shadows.
    pub shadow_strength: f32,
    /// Factor on the aperture.
    pub depth_of_field: f32,
    /// Whether props may be drawn.
    pub props: bool,
}

/// Makes the scene.
pub fn direct(wishes: &Wishes, facts: &Facts, settings: &Settings, seed: u64) -> Scene {
    let dice = Dice::new(seed ^ wishes.rest);
    let (surface, backdrop) = set(wishes, facts, dice);
    let mood = mood(wishes, backdrop, dice);
    let mut wishes = wishes.clone();
    if mood == Mood::Moody && wishes.palette.is_none() && wishes.season.is_none() {
        wishes.palette = Some(PaletteStyle::Dark);
    }
    let palette = Palette::choose(&wishes, facts.color, dice);
    let mut s = dice.stream("camera");
    let endless =
        matches!(surface, S::Sand | S::Grass | S::Snow | S::Water | S::Slate) && !backdrop.is_wall();
    let low = if endless { s.range(0.34, 0.5) } else { s.range(0.55, 0.85) };
    let distance = s.range(3.8, 4.6);
    // A product that was seen from above needs a ground that is seen from above too.
    let seen = distance * (facts.tilt - 0.06).max(0.0);
    let height = settings.horizon.unwrap_or(seen.clamp(low, 1.25));
    let camera = Camera { height, distance };
    let azimuth = wishes.azimuth.unwrap_or_else(|| s.sign() * s.range(32.0, 62.0));
    let lit = lighting::of(mood, azimuth, &palette);
    let (color, second) = surface_colors(surface, &wishes, &palette, dice);
    let (wall, joint, accent) = backdrop_colors(backdrop, &wishes, &palette, mood, dice);
    let grown = if facts.large { 2.0 } else { 1.0 };
    let facts = Facts { light_from: azimuth, season: wishes.season, ..*facts };
    let mut scene = Scene {
        camera,
        ground: 0.0,
        surface: Surface {
            kind: surface,
            color,
            second,
            scale: grown * s.range(0.85, 1.15),
            seed: dice.noise("surface"),
        },
        backdrop: Backdrop {
            kind: backdrop,
            color: wall,
            second: joint,
            accent,
            distance: how_far(backdrop, endless, facts.large, s.unit()),
            endless,
            tint: lit.vista,
            seed: dice.noise("backdrop"),
        },
        light: lit.light,
        rim: lit.rim,
        gobo: gobo(&wishes, backdrop, mood, lit.light.softness, dice),
        solids: Vec::new(),
        decals: Vec::new(),
        veils: Vec::new(),
        snowfall: wishes.props.contains(&PropKind::Snowfall)
            || (wishes.season == Some(Season::Winter)
                && !wishes.refuses(Meaning::Prop(PropKind::Snowfall))
                && !backdrop.is_wall()),
        aperture: wishes.aperture.unwrap_or(if backdrop.is_wall() {
            0.35
        } else if endless {
            0.5
        } else {
            0.8
        }) * settings.depth_of_field,
        exposure: lit.exposure,
        vignette: lit.vignette,
        shadow_strength: settings.shadow_strength,
        seed: dice.noise("grain"),
    };
    if settings.props && !wishes.bare {
        let mut kinds = wishes.props.clone();
        // A podium moves the ground, so everything else comes after it.
        kinds.sort_by_key(|k| *k != PropKind::Podium);
        if kinds.is_empty() {
            kinds.extend(own_props(&wishes, &scene, facts.large, dice));
        }
        for (i, kind) in kinds.into_iter().enumerate() {
            props::add(kind, &mut scene, &facts, &palette, Dice::new(seed ^ wishes.rest ^ (i as u64) << 32));
        }
    }
    scene
}

/// Surface and backdrop: what is named, and what goes with it.
fn set(wishes: &Wishes, facts: &Facts, dice: Dice) -> (S, B) {
    let mut s = dice.stream("set");
    let ok_s = |k: &S| !wishes.refuses(Meaning::Surface(*k));
    let ok_b = |k: &B| !wishes.refuses(Meaning::Backdrop(*k));
    let mut choose_s = |options: &[S]| {
        let fit: Vec<S> = options.iter().copied().filter(ok_s).collect();
        if fit.is_empty() { S::Paper } else { s.pick(&fit) }
    };
    let mut t = dice.stream("backdrop");
    let mut choose_b = |options: &[B]| {
        let fit: Vec<B> = options.iter().copied().filter(ok_b).collect();
        if fit.is_empty() { B::Sweep } else { t.pick(&fit) }
    };
    let season_set: (&[S], &[B]) = match wishes.season {
        Some(Season::Spring) => (&[S::Wood, S::Linen, S::Grass, S::Marble], &[B::Garden]),
        Some(Season::Summer) => (&[S::Sand, S::Grass, S::Wood], &[B::Beach, B::Sky, B::Garden]),
        Some(Season::Autumn) => (&[S::Wood, S::Slate], &[B::Forest]),
        Some(Season::Winter) => (&[S::Snow], &[B::Mountains, B::Forest]),
        Some(Season::Christmas) => (&[S::Wood, S::Velvet], &[B::Bokeh]),
        None => (&[], &[]),
    };
    match (wishes.surface, wishes.backdrop) {
        (Some(surface), Some(backdrop)) => (surface, backdrop),
        (Some(surface), None) if !season_set.1.is_empty() => (surface, choose_b(season_set.1)),
        (None, Some(backdrop)) if season_set.0.contains(&S::Snow) => (choose_s(season_set.0), backdrop),
        (None, None) if !season_set.0.is_empty() => (choose_s(season_set.0), choose_b(season_set.1)),
        (Some(surface), None) if wishes.backdrop_color.is_some() || wishes.gobo.is_some() => {
            (surface, choose_b(if surface == S::Paper { &[B::Sweep] } else { &[B::Wall] }))
        }
        (Some(surface), None) => (surface, choose_b(behind(surface))),
        (None, Some(backdrop)) => (choose_s(under(backdrop, facts.large)), backdrop),
        (None, None) if wishes.mood == Some(Mood::Studio) => {
            (S::Paper, choose_b(&[B::Sweep, B::Sweep, B::Gradient, B::Disc]))
        }
        (None, None) => {
            let sets: &[B] = if facts.large {
                &[B::Sweep, B::Wall, B::Wall, B::Brick, B::ConcreteWall, B::Slats, B::Arch]
            } else {
                &[
                    B::Sweep,
                    B::Sweep,
                    B::Disc,
                    B::Room,
                    B::Wall,
                    B::Wall,
                    B::Brick,
                    B::Arch,
                    B::Gradient,
                    B::Bokeh,
                    B::TiledWall,
                    B::Slats,
                ]
            };
            let sets: &[B] =
                if wishes.gobo.is_some() { &[B::Wall, B::Wall, B::Sweep, B::Arch] } else { sets };
            let backdrop = choose_b(sets);
            (choose_s(under(backdrop, facts.large)), backdrop)
        }
    }
}

fn behind(surface: S) -> &'static [B] {
    match surface {
        S::Paper => &[B::Sweep, B::Sweep, B::Disc, B::Arch],
        S::Wood => &[B::Room, B::Wall, B::Brick, B::Slats, B::Wall],
        S::Marble => &[B::Wall, B::TiledWall, B::Room, B::Curtain],
        S::Linen => &[B::Wall, B::Curtain, B::Room],
        S::Concrete => &[B::ConcreteWall, B::Wall, B::Brick],
        S::Sand => &[B::Beach, B::Sky, B::Arch],
        S::Acrylic => &[B::Gradient, B::Disc, B::Gradient],
        S::Metal => &[B::Gradient, B::ConcreteWall, B::Neon],
        S::Grass => &[B::Forest, B::Garden, B::Sky],
        S::Snow => &[B::Mountains, B::Forest, B::Sky],
        S::Water => &[B::Gradient, B::Sky, B::Beach],
        S::Terrazzo => &[B::Arch, B::Wall, B::Disc],
        S::Velvet => &[B::Curtain, B::Gradient],
        S::Tiles => &[B::Wall, B::TiledWall, B::Arch],
        S::Slate => &[B::Wall, B::Forest, B::Bokeh, B::Mountains],
        S::Rug => &[B::Wall, B::Slats, B::Wall],
    }
}

fn under(backdrop: B, large: bool) -> &'static [S] {
    match backdrop {
        B::Sweep => &[S::Paper],
        B::Disc => &[S::Paper, S::Paper, S::Terrazzo],
        B::Wall if large => &[S::Wood, S::Wood, S::Concrete, S::Rug, S::Terrazzo],
        B::Wall => &[S::Wood, S::Marble, S::Linen, S::Paper, S::Concrete],
        B::ConcreteWall => &[S::Concrete, S::Wood, S::Metal],
        B::Brick => &[S::Wood, S::Concrete],
        B::TiledWall if large => &[S::Tiles],
        B::TiledWall => &[S::Marble, S::Terrazzo, S::Wood],
        B::Slats => &[S::Wood, S::Marble, S::Concrete, S::Rug],
        B::Curtain => &[S::Velvet, S::Wood, S::Marble],
        B::Arch => &[S::Paper, S::Terrazzo, S::Concrete],
        B::Gradient => &[S::Acrylic, S::Paper],
        B::Bokeh => &[S::Wood, S::Marble, S::Slate],
        B::Neon => &[S::Acrylic, S::Metal, S::Slate],
        B::Room => &[S::Wood, S::Wood, S::Marble],
        B::Sky => &[S::Grass, S::Sand, S::Water],
        B::Forest => &[S::Wood, S::Slate, S::Grass],
        B::Garden => &[S::Wood, S::Linen, S::Grass],
        B::Beach => &[S::Sand],
        B::Mountains => &[S::Slate, S::Grass, S::Wood],
    }
}

fn how_far(backdrop: B, endless: bool, large: bool, t: f32) -> f32 {
    match backdrop {
        B::Sweep => 2.2,
        B::Arch => 0.62 + 0.2 * t,
        B::Disc => 1.0 + 0.3 * t,
        b if b.is_wall() => (0.75 + 0.4 * t) * if large { 0.85 } else { 1.0 },
        B::Forest | B::Garden if endless => 7.0,
        // Behind the sand lies the sea.
        B::Beach if endless => 3.2,
        _ if endless => 60.0,
        B::Gradient => 3.0,
        _ if large => 3.0,
        _ => 0.75 + 0.5 * t,
    }
}

fn mood(wishes: &Wishes, backdrop: B, dice: Dice) -> Mood {
    if let Some(mood) = wishes.mood {
        return mood;
    }
    let mut s = dice.stream("mood");
    let options: &[Mood] = match (wishes.season, backdrop) {
        _ if wishes.gobo.is_some() => &[Mood::Hard, Mood::Hard, Mood::Golden],
        (Some(Season::Winter), _) => &[Mood::Cool, Mood::Soft],
        (Some(Season::Autumn), _) => &[Mood::Golden],
        (Some(Season::Summer), _) => &[Mood::Hard],
        (_, B::Bokeh) => &[Mood::Candle],
        (_, B::Neon) => &[Mood::Neon],
        (_, B::Beach | B::Sky) => &[Mood::Hard, Mood::Golden, Mood::Hard],
        (_, B::Forest | B::Garden | B::Mountains) => &[Mood::Soft, Mood::Hard],
        (_, B::Room | B::TiledWall) => &[Mood::Soft],
        (_, B::Curtain) => &[Mood::Studio],
        (_, B::Sweep | B::Disc | B::Gradient) => &[Mood::Studio, Mood::Soft, Mood::Hard],
        _ => &[Mood::Soft, Mood::Hard, Mood::Golden, Mood::Studio],
    };
    s.pick(options)
}

fn gobo(wishes: &Wishes, backdrop: B, mood: Mood, softness: f32, dice: Dice) -> Option<Gobo> {
    let mut s = dice.stream("gobo");
    let chance = match mood {
        Mood::Hard | Mood::Golden if backdrop.is_wall() => 0.55,
        Mood::Soft if backdrop == B::Wall => 0.25,
        _ => 0.0,
    };
    let drawn = s
        .chance(chance)
        .then(|| s.pick(&[GoboKind::Window, GoboKind::Palm, GoboKind::Blinds, GoboKind::Dapple]));
    let kind = wishes.gobo.or(drawn.filter(|k| !wishes.refuses(Meaning::Gobo(*k))))?;
    let soft = (0.012 + 0.008 * softness).min(0.09);
    Some(Gobo::new(kind, 0.86, soft, [s.range(-0.25, 0.25), s.range(-0.2, 0.2)], dice.noise("gobo")))
}

/// Props that the scene gets by itself; few, so that the product stays the subject.
fn own_props(wishes: &Wishes, scene: &Scene, large: bool, dice: Dice) -> Vec<PropKind> {
    use PropKind as P;
    let mut s = dice.stream("own props");
    let seasonal: &[P] = match wishes.season {
        Some(Season::Spring) => &[P::Petals],
        Some(Season::Summer) => &[P::Foliage, P::Fruit],
        Some(Season::Autumn) => &[P::Leaves],
        Some(Season::Christmas) => &[P::Spheres, P::Gifts],
        Some(Season::Winter) | None => &[],
    };
    let options: &[P] = match (scene.backdrop.kind, scene.surface.kind) {
        _ if !seasonal.is_empty() => seasonal,
        _ if large && scene.backdrop.kind.is_wall() && scene.backdrop.kind != B::Sweep => &[P::Plant],
        _ if large => &[P::Spheres, P::Boxes],
        (_, S::Water | S::Snow | S::Metal) => return Vec::new(),
        (_, S::Sand) => &[P::Pebbles],
        (B::Sweep | B::Disc | B::Arch, _) => &[P::Podium, P::Spheres, P::Steps, P::Columns, P::Podium],
        (B::Forest | B::Garden, _) => &[P::Foliage, P::Leaves, P::Petals],
        (B::Room, _) => &[P::Books, P::Plant],
        (B::Bokeh, _) => &[P::Candles],
        (B::TiledWall, _) => &[P::Plant, P::Pebbles],
        (B::Wall | B::Slats | B::Brick, _) => &[P::Plant, P::Leaves, P::Books],
        _ => return Vec::new(),
    };
    let fit: Vec<P> = options.iter().copied().filter(|k| !wishes.refuses(Meaning::Prop(*k))).collect();
    let wanted = if seasonal.is_empty() { 0.6 } else { 1.0 };
    if fit.is_empty() || !s.chance(wanted) { Vec::new() } else { vec![s.pick(&fit)] }
}

//! Colours of a scene: named ones first, and the rest in harmony with the product.

use crate::choice::Dice;
use crate::lexicon::{PaletteStyle, Season};
use crate::words::Wishes;
use adeval_compositing::color::{Harmony, Lch};

/// The colours of a scene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Palette {
    /// Wall or background.
    pub wall: Lch,
    /// Tintable surfaces.
    pub ground: Lch,
    /// Second colour: disc, niche, joints.
    pub second: Lch,
    /// Props and lights.
    pub accent: Lch,
    /// Whether the wall's colour was named, so that nothing may change it.
    pub named: bool,
}

const GOLD: Lch = Lch::new(0.76, 0.10, 84.0);

impl Palette {
    /// Chooses colours for a prompt and a product whose dominant colour is `product`.
    pub fn choose(wishes: &Wishes, product: Lch, dice: Dice) -> Self {
        let mut stream = dice.stream("palette");
        let style = wishes.palette.or(season_style(wishes.season)).unwrap_or_else(|| draw(&mut stream));
        let hue = if product.c > 0.035 {
            product.h
        } else {
            stream.pick(&[25.0, 55.0, 80.0, 150.0, 200.0, 255.0, 300.0, 355.0])
        };
        let mut palette = of_style(style, hue, stream.unit(), stream.unit());
        let mut named = wishes.colors.iter().copied();
        if let Some(color) = wishes.backdrop_color.or_else(|| named.next()) {
            palette.recolor(color);
        } else {
            palette.stand_off(product);
        }
        if let Some(color) = wishes.surface_color.or_else(|| named.next()) {
            palette.ground = color;
        }
        if let Some(color) = named.next() {
            palette.accent = color;
            palette.second = color;
        }
        palette
    }

    /// Builds the other colours around a named one.
    fn recolor(&mut self, color: Lch) {
        let deep = color.l < 0.45;
        self.named = true;
        self.wall = color;
        self.ground = Lch {
            l: (color.l + if deep { 0.05 } else { -0.03 }).clamp(0.0, 0.95),
            c: color.c * 0.85,
            ..color
        };
        self.second = Lch {
            l: (color.l + if color.l > 0.75 { -0.14 } else { 0.12 }).clamp(0.1, 0.95),
            ..color.rotated(12.0)
        };
        if color.c > 0.02 {
            self.accent =
                if deep { GOLD } else { color.rotated(165.0).toned(0.72, color.c.clamp(0.05, 0.11)) };
        }
    }

    /// Keeps the wall's lightness away from the product's, so that its outline can be read.
    fn stand_off(&mut self, product: Lch) {
        if (self.wall.l - product.l).abs() >= 0.2 {
            return;
        }
        let to = if product.l > 0.72 { product.l - 0.26 } else { product.l + 0.26 };
        let change = to.clamp(0.2, 0.95) - self.wall.l;
        for color in [&mut self.wall, &mut self.ground, &mut self.second] {
            color.l = (color.l + change).clamp(0.12, 0.95);
        }
    }
}

fn season_style(season: Option<Season>) -> Option<PaletteStyle> {
    Some(match season? {
        Season::Spring => PaletteStyle::Pastel,
        Season::Summer => PaletteStyle::Vivid,
        Season::Autumn => PaletteStyle::Earthy,
        Season::Winter => PaletteStyle::White,
        Season::Christmas => PaletteStyle::Luxury,
    })
}

fn draw(stream: &mut crate::choice::Stream) -> PaletteStyle {
    use PaletteStyle as P;
    stream.pick(&[
        P::Neutral,
        P::Neutral,
        P::Pastel,
        P::Pastel,
        P::Complementary,
        P::Complementary,
        P::Earthy,
        P::Earthy,
        P::Monochrome,
        P::Monochrome,
        P::Vivid,
    ])
}

/// A palette of a style on a hue; `a` and `b` (0 to 1) vary it.
fn of_style(style: PaletteStyle, hue: f32, a: f32, b: f32) -> Palette {
    use PaletteStyle as P;
    let tones = |harmony: Harmony, l: f32, c: f32| {
        let [wall, second, accent] = harmony.on(Lch::new(l, c, hue));
        let ground = Lch { l: (l + 0.02).min(0.94), c: c * 0.85, ..wall };
        let second = Lch { l: if l > 0.7 { l - 0.12 } else { l + 0.12 }, ..second };
        Palette {
            wall,
            ground,
            second,
            accent: accent.toned(0.66, (c * 1.3).clamp(0.05, 0.15)),
            named: false,
        }
    };
    match style {
        P::Pastel => tones(if a < 0.5 { Harmony::Split } else { Harmony::Analogous }, 0.87, 0.05 + 0.015 * b),
        P::Earthy => {
            let hue = [42.0, 58.0, 74.0, 92.0, 118.0][(a * 4.99) as usize];
            let wall = Lch::new(0.66 + 0.14 * b, 0.05 + 0.02 * a, hue);
            Palette {
                wall,
                ground: wall.rotated(-6.0).toned(wall.l - 0.04, 0.05),
                second: wall.rotated(-14.0).toned(wall.l - 0.15, 0.075),
                accent: Lch::new(0.55, 0.10, 45.0 + 70.0 * b),
                named: false,
            }
        }
        P::Monochrome => tones(Harmony::Monochrome, 0.70 + 0.14 * a, 0.065),
        P::Complementary => tones(Harmony::Complementary, 0.68 + 0.14 * a, 0.075 + 0.02 * b),
        P::Vivid => tones(
            [Harmony::Split, Harmony::Triadic, Harmony::Complementary][(a * 2.99) as usize],
            0.70 + 0.08 * b,
            0.125,
        ),
        P::White => Palette {
            wall: Lch::new(0.935, 0.008, 80.0 + 150.0 * a),
            ground: Lch::new(0.93, 0.006, 80.0),
            second: Lch::new(0.86, 0.014, hue),
            accent: Lch::new(0.75, 0.06, hue),
            named: false,
        },
        P::Dark => Palette {
            wall: Lch::new(0.27, 0.022, hue),
            ground: Lch::new(0.26, 0.015, hue),
            second: Lch::new(0.36, 0.035, hue + 15.0),
            accent: Lch::new(0.66, 0.10, 60.0),
            named: false,
        },
        P::Neutral => {
            let hue = 60.0 + 40.0 * a;
            Palette {
                wall: Lch::new(0.80 + 0.06 * b, 0.020, hue),
                ground: Lch::new(0.80 + 0.06 * b, 0.018, hue),
                second: Lch::new(0.68, 0.028, hue - 12.0),
                accent: Lch::new(0.60, 0.06, 45.0),
                named: false,
            }
        }
        P::Luxury => {
            let hue = [262.0, 160.0, 18.0, 300.0, 60.0][(a * 4.99) as usize];
            Palette {
                wall: Lch::new(0.28, 0.05, hue),
                ground: Lch::new(0.25, 0.03, hue),
                second: Lch::new(0.38, 0.06, hue),
                accent: GOLD,
                named: false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_colours_win() {
        let wishes = Wishes::read("teal background, yellow accents", "", "");
        let palette = Palette::choose(&wishes, Lch::new(0.5, 0.1, 20.0), Dice::new(1));
        assert!((palette.wall.h - 195.0).abs() < 1.0 && palette.named, "{palette:?}");
    }

    #[test]
    fn an_unnamed_wall_stands_off_the_product() {
        for seed in 0..60 {
            let product = Lch::new(0.1 + 0.014 * seed as f32, 0.08, 6.0 * seed as f32);
            let palette = Palette::choose(&Wishes::default(), product, Dice::new(seed));
            assert!((palette.wall.l - product.l).abs() > 0.12, "{product:?} before {palette:?}");
        }
    }
}

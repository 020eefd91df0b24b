//! Natural colours of materials and places, bent by what the prompt names.

use crate::choice::Dice;
use crate::lexicon::{Mood, PaletteStyle, Season};
use crate::palette::Palette;
use crate::scene::{BackdropKind as B, Rgb, SurfaceKind as S};
use crate::words::Wishes;
use adeval_compositing::color::{Lch, hex, mix, scale};

/// Main and second colour of a surface.
pub fn surface_colors(kind: S, wishes: &Wishes, palette: &Palette, dice: Dice) -> (Rgb, Rgb) {
    let mut s = dice.stream("material");
    let dark = matches!(wishes.palette, Some(PaletteStyle::Dark | PaletteStyle::Luxury));
    let natural: &[(u32, u32)] = match kind {
        S::Wood if dark => &[(0x5a3d2a, 0x2c1b12), (0x4a3a30, 0x221a15)],
        S::Wood => &[
            (0xc79a6b, 0x8a5f3a),
            (0xa9774a, 0x6b4426),
            (0xdcc09a, 0xb08a5e),
            (0x8a5a38, 0x4e2f1b),
            (0xb9a68c, 0x84705a),
        ],
        S::Marble if dark => &[(0x23242a, 0xb9b4a8), (0x1f3029, 0xc9c4b4)],
        S::Marble => &[(0xf0eeea, 0x8d8f94), (0xeee6da, 0xa98f6e), (0xe6e8ea, 0x6f767c)],
        S::Concrete => &[(0xa9a7a2, 0xcac6bd), (0x8b8b89, 0xb1afa9), (0xbdb6aa, 0xd8d0c3)],
        S::Sand => &[(0xdcc39a, 0xb99d70), (0xe6d3b1, 0xc7ad83)],
        S::Metal => &[(0xb8bbbf, 0x8a8d91), (0xc9b290, 0x8f7a5c)],
        S::Grass => &[(0x4f7a2c, 0x9dc25a), (0x5c7f35, 0xa9bd5e)],
        S::Snow => &[(0xe6edf5, 0xffffff)],
        S::Water => &[(0x4fb3bf, 0xd8f5f2), (0x5aa2c8, 0xdff2fb)],
        S::Tiles => &[(0xe7e2d8, 0xb3ada2), (0xd8cfc2, 0xa59a8b)],
        S::Slate => &[(0x4a4d50, 0x8d9194), (0x5b5650, 0x9a948b)],
        S::Paper | S::Linen | S::Acrylic | S::Terrazzo | S::Velvet | S::Rug => &[],
    };
    let tint = palette.ground;
    if natural.is_empty() {
        let main = match kind {
            S::Linen => {
                if wishes.surface_color.is_some() {
                    tint
                } else {
                    tint.toned(tint.l.max(0.7), tint.c.min(0.04))
                }
            }
            S::Terrazzo => {
                if wishes.surface_color.is_some() {
                    tint
                } else {
                    tint.toned(tint.l.max(0.86), tint.c.min(0.02))
                }
            }
            S::Velvet => tint.toned(tint.l.min(0.55), tint.c.max(0.06)),
            _ => tint,
        };
        let second = match kind {
            S::Velvet => main.toned(main.l + 0.28, main.c),
            S::Terrazzo => palette.accent.toned(0.6, palette.accent.c.max(0.06)),
            _ => palette.second,
        };
        return (main.rgb(), second.rgb());
    }
    let (main, second) = s.pick(natural);
    let (main, second) = (hex(main), hex(second));
    let Some(named) = wishes.surface_color else { return (main, second) };
    // A named colour keeps the material's contrast between its two tones.
    let contrast = Lch::of(second).l - Lch::of(main).l;
    let second = match kind {
        S::Marble if named.l < 0.5 => hex(0xcfc8b8),
        S::Marble => named.toned(named.l - 0.28, named.c.max(0.02)).rgb(),
        _ => named.toned((named.l + contrast).clamp(0.08, 0.97), named.c).rgb(),
    };
    (named.rgb(), second)
}

/// Main, second and accent colour of a backdrop.
pub fn backdrop_colors(
    kind: B,
    wishes: &Wishes,
    palette: &Palette,
    mood: Mood,
    dice: Dice,
) -> (Rgb, Rgb, Rgb) {
    let mut s = dice.stream("backdrop colours");
    let wall = palette.wall.rgb();
    let (second, accent) = (palette.second.rgb(), palette.accent.rgb());
    let named = palette.named;
    let golden = mood == Mood::Golden;
    match kind {
        B::Sweep => (palette.wall.toned(palette.wall.l, palette.wall.c).rgb(), second, accent),
        B::Wall | B::Disc | B::Arch | B::Curtain => (wall, second, accent),
        B::ConcreteWall => {
            (if named { wall } else { hex(s.pick(&[0x9b9995, 0xb3afa8, 0x85878a])) }, second, accent)
        }
        B::Brick if named => (wall, scale(mix(wall, [0.6; 3], 0.5), 0.8), accent),
        B::Brick => {
            let (brick, mortar) = s.pick(&[(0x9c5a42, 0xb8ab9c), (0xe0dad0, 0xbdb5a9), (0x7d4a3a, 0x9a8c7f)]);
            (hex(brick), hex(mortar), accent)
        }
        B::TiledWall => (
            if named { wall } else { palette.wall.toned(palette.wall.l.max(0.6), palette.wall.c).rgb() },
            hex(0xe4e0d8),
            accent,
        ),
        B::Slats if named => (wall, scale(wall, 0.6), accent),
        B::Slats => {
            let (light, dark) = s.pick(&[(0xb98a5c, 0x7c5533), (0x8a6040, 0x533521), (0xcfb08a, 0x9b7a53)]);
            (hex(light), hex(dark), accent)
        }
        B::Gradient => (
            wall,
            palette.wall.rotated(18.0).toned((palette.wall.l + 0.13).min(0.96), palette.wall.c * 0.75).rgb(),
            accent,
        ),
        B::Bokeh => {
            let base = if named {
                palette.wall.toned(0.28, palette.wall.c.max(0.03))
            } else {
                Lch::new(0.26, 0.035, s.pick(&[50.0, 265.0, 150.0, 20.0]))
            };
            (
                base.rgb(),
                base.toned(0.19, base.c).rgb(),
                if wishes.season == Some(Season::Christmas) { hex(0xe2483a) } else { hex(0xf3a94a) },
            )
        }
        B::Neon => {
            (wall, hex(0x1fb6ff), if named { palette.wall.toned(0.65, 0.2).rgb() } else { hex(0xff2fa0) })
        }
        B::Room => {
            let tone = if named { palette.wall } else { Lch::new(0.86, 0.025, s.range(55.0, 110.0)) };
            (
                tone.rgb(),
                tone.toned(tone.l - 0.16, tone.c + 0.01).rgb(),
                hex(s.pick(&[0x9b6b43, 0x6f5a45, 0xb98d5f])),
            )
        }
        B::Sky if golden => (hex(0x8fb0d6), hex(0xf6cf9f), hex(0xffb98a)),
        B::Sky => (if named { wall } else { hex(0x5b9bdc) }, hex(0xcfe6f6), [1.0; 3]),
        B::Forest => match wishes.season {
            Some(Season::Autumn) => (hex(0x8a4a1c), hex(0xe3a548), hex(0xf1c667)),
            Some(Season::Winter) => (hex(0x7d93a5), hex(0xdce7ef), [0.95, 0.98, 1.0]),
            _ => (hex(0x3d5f2d), hex(0xb4cd7f), hex(0xf1f0b4)),
        },
        B::Garden => {
            let bloom = if named {
                palette.wall.rgb()
            } else {
                hex(s.pick(&[0xf3a6bd, 0xf7c6d4, 0xd9b3ea, 0xfadf8f]))
            };
            (hex(0x6f9a57), hex(0xcfe0ae), bloom)
        }
        B::Beach if golden => (hex(0x8da9cf), hex(0xf7c99a), hex(0xe9c79b)),
        B::Beach => (hex(0x63b0e4), hex(0xd9eef8), hex(0xe6d2ad)),
        B::Mountains => match wishes.season {
            Some(Season::Winter) => (hex(0x6f9fd0), hex(0xd3e3f0), hex(0x4b6a8c)),
            _ if golden => (hex(0x8aa6cf), hex(0xf5cfa5), hex(0x6a6f8f)),
            _ => (hex(0x77aee0), hex(0xdcebf3), hex(0x4f7284)),
        },
    }
}

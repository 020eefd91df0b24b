//! Puts props beside the product, never before it.

use crate::choice::{Dice, Stream};
use crate::director::Facts;
use crate::geometry::{Form, Paint, Solid};
use crate::lexicon::{PropKind, Season};
use crate::palette::Palette;
use crate::scene::{Decal, DecalShape, Rgb, Scene, Veil};
use adeval_compositing::color::{Lch, hex, mix, scale};

fn matte(color: Rgb) -> Paint {
    Paint { color, gloss: 0.10, glow: 0.0 }
}

fn glossy(color: Rgb) -> Paint {
    Paint { color, gloss: 0.6, glow: 0.0 }
}

/// A place beside the product on one side: a solid of radius `r` there is partly hidden by the product at most.
fn beside(facts: &Facts, side: f32, r: f32, stream: &mut Stream) -> [f32; 2] {
    let x = (facts.half_width + r * 0.9 + stream.range(0.02, 0.12)).min(facts.half_canvas + 0.25 * r);
    [side * x + facts.center, stream.range(-0.75, -0.3)]
}

/// Adds one kind of prop to the scene.
pub fn add(kind: PropKind, scene: &mut Scene, facts: &Facts, palette: &Palette, dice: Dice) {
    let mut s = dice.stream("props");
    let side = if facts.light_from > 0.0 { 1.0 } else { -1.0 } * if s.chance(0.7) { 1.0 } else { -1.0 };
    let second = palette.second.rgb();
    let accent = palette.accent.rgb();
    let ground = scene.ground;
    match kind {
        PropKind::Podium => podium(scene, facts, palette, &mut s),
        PropKind::Steps => {
            let tone = mix(second, palette.wall.rgb(), 0.4);
            for (i, height) in [0.16, 0.34, 0.52].into_iter().enumerate() {
                let x = facts.center
                    + side * (facts.half_width.min(facts.half_canvas * 0.8) + 0.02 + 0.22 * i as f32);
                let half = [0.13, 0.5 * height, 0.2];
                let at = [x, ground + half[1], -0.55 - 0.05 * i as f32];
                scene.solids.push(Solid::new(Form::Box(half), at, 0.0, 0.0, matte(tone)));
            }
        }
        PropKind::Spheres => {
            let baubles = [hex(0xa8201f), hex(0xcfa14a), hex(0xe8dcc8)];
            let festive = facts.season == Some(Season::Christmas);
            let colors = if festive { baubles } else { [second, accent, palette.wall.rgb()] };
            spheres(scene, facts, colors, side, &mut s);
        }
        PropKind::Boxes => {
            for i in 0..3 {
                let half = s.range(0.08, 0.16);
                let [x, z] = beside(facts, if i == 2 { -side } else { side }, half * 1.4, &mut s);
                let at = [x + 0.1 * i as f32 * side, ground + half, z - 0.22 * i as f32];
                let color = [accent, second, mix(second, accent, 0.5)][i];
                scene.solids.push(Solid::new(Form::Box([half; 3]), at, s.range(0.2, 1.2), 0.0, matte(color)));
            }
        }
        PropKind::Columns => {
            for i in 0..3 {
                let (r, h) = (s.range(0.09, 0.15), s.range(0.1, 0.36));
                let [x, z] = beside(facts, if i == 1 { -side } else { side }, r, &mut s);
                let at = [x + 0.12 * i as f32 * side, ground + h, z - 0.2 * i as f32];
                let color = [second, accent, mix(second, palette.wall.rgb(), 0.5)][i];
                scene.solids.push(Solid::new(Form::Cylinder(r, h), at, 0.0, 0.0, matte(color)));
            }
        }
        PropKind::Pebbles => pebbles(scene, facts, side, &mut s),
        PropKind::Leaves => {
            let autumn = facts.season == Some(Season::Autumn);
            let shape = if autumn { DecalShape::Maple } else { DecalShape::Leaf };
            let tones = if autumn {
                [hex(0xb5481c), hex(0xd98a2b), hex(0x8c2f1b)]
            } else {
                [hex(0x5d7f4a), hex(0x7d9a62), hex(0x46683c)]
            };
            scatter(scene, facts, shape, if autumn { 15 } else { 9 }, 0.085, &tones, &mut s);
        }
        PropKind::Petals => {
            let tones = [hex(0xf2b9c6), hex(0xf8dadf), hex(0xe894a8)];
            scatter(scene, facts, DecalShape::Petal, 16, 0.045, &tones, &mut s);
        }
        PropKind::Confetti => {
            let tones = [accent, second, hex(0xe8b23a), hex(0xd9526b), hex(0x4aa3a8)];
            scatter(scene, facts, DecalShape::Confetti, 40, 0.02, &tones, &mut s);
        }
        PropKind::Plant => plant(scene, facts, second, side, &mut s),
        PropKind::Foliage => foliage(scene, &mut s, [hex(0x3f5d35), hex(0x587a45), hex(0x2f4a2b)]),
        PropKind::Candles => {
            for i in 0..3 {
                let (r, h) = (s.range(0.05, 0.075), s.range(0.08, 0.2));
                let [x, z] = beside(facts, if i == 2 { -side } else { side }, r, &mut s);
                let x = x + 0.15 * i as f32 * side * f32::from(i != 2);
                let wax = Paint { color: hex(0xf3e7d0), gloss: 0.2, glow: 0.0 };
                scene.solids.push(Solid::new(Form::Cylinder(r, h), [x, ground + h, z], 0.0, 0.0, wax));
                let flame = Paint { color: [1.0, 0.72, 0.30], gloss: 0.0, glow: 2.6 };
                let at = [x, ground + 2.0 * h + 0.05, z];
                scene.solids.push(Solid::new(Form::Ellipsoid([0.013, 0.04, 0.013]), at, 0.0, 0.0, flame));
            }
        }
        PropKind::Gifts => gifts(scene, facts, palette, side, &mut s),
        PropKind::Fruit => {
            let tones = [hex(0xe8902a), hex(0xf0c230), hex(0xd6452c)];
            let tone = s.pick(&tones);
            for i in 0..4 {
                let r = s.range(0.075, 0.095);
                let [x, z] = beside(facts, if i == 3 { -side } else { side }, r, &mut s);
                let at = [x + 0.17 * (i % 3) as f32 * side, ground + r * 0.95, z - 0.1 * i as f32];
                scene.solids.push(Solid::new(
                    Form::Ellipsoid([r, r * 0.95, r]),
                    at,
                    0.0,
                    0.0,
                    Paint { gloss: 0.35, ..matte(tone) },
                ));
            }
        }
        PropKind::Pumpkins => {
            for i in 0..2 {
                pumpkin(
                    scene,
                    beside(facts, if i == 0 { side } else { -side }, 0.2, &mut s),
                    s.range(0.15, 0.22),
                );
            }
        }
        PropKind::Snowfall => {}
        PropKind::Books => {
            let [x, z] = beside(facts, side, 0.2, &mut s);
            let mut y = ground;
            for (i, color) in [accent, second, hex(0xe9e0d0)].into_iter().enumerate() {
                let half = [s.range(0.17, 0.2), s.range(0.022, 0.035), s.range(0.12, 0.15)];
                y += half[1];
                let yaw = s.range(-0.35, 0.35);
                scene.solids.push(Solid::new(
                    Form::Box(half),
                    [x + 0.06 * side, y, z],
                    yaw,
                    0.0,
                    matte(color),
                ));
                y += half[1] + 0.001 * i as f32;
            }
        }
    }
}

fn podium(scene: &mut Scene, facts: &Facts, palette: &Palette, s: &mut Stream) {
    // Round the product's middle, and wide enough for its foot beside it.
    let x = facts.center;
    let radius = (x.abs() + facts.half_foot * 1.25 + 0.08).max(facts.half_width * 0.85).max(0.34);
    let height = s.range(0.10, 0.16);
    let stone = mix(palette.second.rgb(), palette.wall.rgb(), s.range(0.1, 0.6));
    let paint = Paint { color: stone, gloss: 0.12, glow: 0.0 };
    scene.ground = -height;
    if s.chance(0.5) {
        let lower = Form::Cylinder(radius * 1.28, 0.5 * height * 0.55);
        scene.ground = -height * 1.55;
        scene.solids.push(Solid::new(lower, [x, -height * 1.275, 0.0], 0.0, 0.0, paint));
    }
    scene.solids.push(Solid::new(
        Form::Cylinder(radius, 0.5 * height),
        [x, -0.5 * height, 0.0],
        0.0,
        0.0,
        paint,
    ));
}

fn spheres(scene: &mut Scene, facts: &Facts, colors: [Rgb; 3], side: f32, s: &mut Stream) {
    let ground = scene.ground;
    for i in 0..4 {
        let r = [0.17, 0.09, 0.06, 0.12][i] * s.range(0.85, 1.15);
        let [x, z] = beside(facts, if i == 3 { -side } else { side }, r, s);
        let spread = [0.0, -0.10, 0.22, 0.05][i] * side;
        let paint = if i == 1 { glossy(colors[1]) } else { Paint { gloss: 0.25, ..matte(colors[i % 3]) } };
        let at = [x + spread, ground + r, z + [0.0, 0.28, 0.1, -0.2][i]];
        scene.solids.push(Solid::new(Form::Ellipsoid([r; 3]), at, 0.0, 0.0, paint));
    }
}

fn pebbles(scene: &mut Scene, facts: &Facts, side: f32, s: &mut Stream) {
    let ground = scene.ground;
    for i in 0..9 {
        let r = s.range(0.045, 0.11) * if i == 0 { 1.4 } else { 1.0 };
        let flat = s.range(0.45, 0.65);
        let [x, z] = beside(facts, if i % 3 == 2 { -side } else { side }, r, s);
        let x = x + side * s.range(-0.05, 0.4);
        let tone = mix(hex(0x5b5a57), hex(0xcfc8bc), s.unit());
        let at = [x, ground + r * flat * 0.92, z + s.range(-0.3, 0.35)];
        let form = Form::Ellipsoid([r, r * flat, r * s.range(0.7, 0.95)]);
        scene.solids.push(Solid::new(
            form,
            at,
            s.range(0.0, 3.0),
            s.range(-0.12, 0.12),
            Paint { gloss: 0.2, ..matte(tone) },
        ));
    }
}

fn scatter(
    scene: &mut Scene,
    facts: &Facts,
    shape: DecalShape,
    count: usize,
    size: f32,
    tones: &[Rgb],
    s: &mut Stream,
) {
    for _ in 0..count {
        let x = s.range(-1.0, 1.0) * (facts.half_canvas + 0.25) + facts.center;
        let z = s.range(-0.95, 0.55);
        let color = scale(s.pick(tones), s.range(0.8, 1.15));
        let size = size * s.range(0.7, 1.25);
        scene.decals.push(Decal { shape, x, z, size, angle: s.range(0.0, std::f32::consts::TAU), color });
    }
}

fn plant(scene: &mut Scene, facts: &Facts, pot: Rgb, side: f32, s: &mut Stream) {
    let [x, z] = beside(facts, side, 0.22, s);
    let (z, ground) = (z - 0.15, scene.ground);
    scene.solids.push(Solid::new(Form::Cylinder(0.11, 0.11), [x, ground + 0.11, z], 0.0, 0.0, matte(pot)));
    let green = Lch::new(0.46 + 0.1 * s.unit(), 0.09, 135.0 + 15.0 * s.unit());
    for i in 0..17 {
        let turn = i as f32 * 2.4 + 0.3 * s.unit();
        let lean = 0.25 + 0.95 * (i as f32 / 17.0);
        let length = s.range(0.15, 0.22) * (1.0 - 0.2 * lean);
        let reach = 0.06 + length * lean;
        let at =
            [x + turn.sin() * reach, ground + 0.28 + length * 1.5 * (1.25 - lean), z + turn.cos() * reach];
        let color = Lch { l: green.l + s.range(-0.07, 0.09), ..green }.rgb();
        let form = Form::Ellipsoid([0.055, 0.010, length]);
        scene.solids.push(Solid::new(
            form,
            at,
            turn,
            -0.95 + 0.9 * lean,
            Paint { gloss: 0.25, ..matte(color) },
        ));
    }
}

/// Blurred leaves that frame the picture from one or two corners.
pub fn foliage(scene: &mut Scene, s: &mut Stream, tones: [Rgb; 3]) {
    let left = s.chance(0.5);
    for i in 0..7 {
        let near = if i < 5 { left } else { !left };
        let x = if near { s.range(-0.06, 0.10) } else { s.range(0.92, 1.06) };
        let x = if left || !near { x } else { 1.0 - x };
        let y = if i < 5 { s.range(-0.04, 0.30) } else { s.range(0.86, 1.04) };
        let inward = if x < 0.5 { 0.55 } else { 2.6 };
        let half = [s.range(0.10, 0.17), s.range(0.025, 0.045)];
        scene.veils.push(Veil {
            at: [x, y],
            half,
            angle: inward + s.range(-0.5, 0.5),
            color: s.pick(&tones),
            opacity: 0.94,
        });
    }
}

fn gifts(scene: &mut Scene, facts: &Facts, palette: &Palette, side: f32, s: &mut Stream) {
    let ground = scene.ground;
    for i in 0..2 {
        let half = [s.range(0.12, 0.16), s.range(0.09, 0.14), s.range(0.11, 0.15)];
        let [x, z] = beside(facts, if i == 0 { side } else { -side }, 0.19, s);
        let yaw = s.range(0.2, 0.7) * side;
        let (paper, ribbon) =
            if i == 0 { (hex(0xa32026), palette.accent.rgb()) } else { (hex(0x1f5a3c), hex(0xe9dfc9)) };
        let at = [x, ground + half[1], z];
        scene.solids.push(Solid::new(Form::Box(half), at, yaw, 0.0, Paint { gloss: 0.2, ..matte(paper) }));
        for band in [[0.022, half[1] * 1.012, half[2] * 1.012], [half[0] * 1.012, half[1] * 1.012, 0.022]] {
            scene.solids.push(Solid::new(
                Form::Box(band),
                at,
                yaw,
                0.0,
                Paint { gloss: 0.5, ..matte(ribbon) },
            ));
        }
        for lean in [-0.7f32, 0.7] {
            let (sin, cos) = (yaw + lean).sin_cos();
            let loop_at = [x + cos * 0.045, ground + 2.0 * half[1] + 0.03, z - sin * 0.045];
            let form = Form::Ellipsoid([0.055, 0.03, 0.022]);
            scene.solids.push(Solid::new(
                form,
                loop_at,
                yaw + lean,
                0.0,
                Paint { gloss: 0.5, ..matte(ribbon) },
            ));
        }
    }
}

fn pumpkin(scene: &mut Scene, [x, z]: [f32; 2], r: f32) {
    let ground = scene.ground;
    for i in 0..9 {
        let angle = i as f32 * std::f32::consts::TAU / 9.0;
        let at = [x + angle.sin() * r * 0.5, ground + r * 0.72, z + angle.cos() * r * 0.5];
        let form = Form::Ellipsoid([r * 0.34, r * 0.72, r * 0.52]);
        let tone = scale(hex(0xd9701e), 0.92 + 0.16 * (i % 2) as f32);
        scene.solids.push(Solid::new(form, at, angle, 0.0, Paint { gloss: 0.2, ..matte(tone) }));
    }
    let stalk = Form::Cylinder(r * 0.1, r * 0.16);
    scene.solids.push(Solid::new(stalk, [x, ground + r * 1.5, z], 0.0, 0.0, matte(hex(0x6b6a38))));
}

//! Hash-based noise: the same everywhere for the same seed, and without state.

/// A well-mixed 32-bit hash of a lattice point (PCG-style output mixing).
#[inline]
pub fn hash(x: i32, y: i32, seed: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x8da6_b343)
        ^ (y as u32).wrapping_mul(0xd816_3841)
        ^ seed.wrapping_mul(0xcb1a_b31f);
    h ^= h >> 16;
    h = h.wrapping_mul(0x7feb_352d);
    h ^= h >> 15;
    h = h.wrapping_mul(0x846c_a68b);
    h ^ (h >> 16)
}

/// The largest whole number not above `v`, without a call into the C library on plain x86-64.
#[inline]
pub fn floor(v: f32) -> i32 {
    let whole = v as i32;
    whole.wrapping_sub(i32::from(v < whole as f32))
}

/// A uniform number in 0..1 at a lattice point.
#[inline]
pub fn uniform(x: i32, y: i32, seed: u32) -> f32 {
    (hash(x, y, seed) >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Value noise in 0..1 with period-free lattice spacing 1, smooth to the second derivative.
#[inline]
pub fn value(x: f32, y: f32, seed: u32) -> f32 {
    let (ix, iy) = (floor(x), floor(y));
    let (tx, ty) = (x - ix as f32, y - iy as f32);
    let fade = |t: f32| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
    let (u, v) = (fade(tx), fade(ty));
    let (jx, jy) = (ix.wrapping_add(1), iy.wrapping_add(1));
    let (a, b) = (uniform(ix, iy, seed), uniform(jx, iy, seed));
    let (c, d) = (uniform(ix, jy, seed), uniform(jx, jy, seed));
    let top = a + (b - a) * u;
    top + (c + (d - c) * u - top) * v
}

/// Fractal sum of `octaves` layers of value noise, each at about twice the frequency and half the weight; 0..1.
#[inline]
pub fn fbm(x: f32, y: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut total) = (0.0, 1.0, 0.0);
    let (mut px, mut py) = (x, y);
    for octave in 0..octaves {
        sum += weight * value(px, py, seed.wrapping_add(octave.wrapping_mul(101)));
        total += weight;
        weight *= 0.5;
        // Turned a little each time, so that the lattices do not line up.
        (px, py) = (1.6 * px - 1.2 * py + 17.3, 1.2 * px + 1.6 * py - 9.1);
    }
    sum / total.max(f32::MIN_POSITIVE)
}

/// What worley noise finds around a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Distance to the nearest feature point, in cells.
    pub near: f32,
    /// Distance to the second nearest; `second - near` is 0 on a border between cells.
    pub second: f32,
    /// Identity of the nearest feature point.
    pub id: u32,
    /// From the nearest feature point to the place asked for.
    pub offset: [f32; 2],
}

/// Worley (cellular) noise with one feature point a unit cell.
#[inline]
pub fn worley(x: f32, y: f32, seed: u32) -> Cell {
    let (ix, iy) = (floor(x), floor(y));
    let mut cell = Cell { near: f32::MAX, second: f32::MAX, id: 0, offset: [0.0; 2] };
    for dy in -1..=1 {
        for dx in -1..=1 {
            let (cx, cy) = (ix.wrapping_add(dx), iy.wrapping_add(dy));
            let id = hash(cx, cy, seed);
            let px = cx as f32 + (id & 0xffff) as f32 / 65_536.0;
            let py = cy as f32 + (id >> 16) as f32 / 65_536.0;
            let (ox, oy) = (x - px, y - py);
            let d = ox * ox + oy * oy;
            if d < cell.near {
                cell.second = cell.near;
                cell = Cell { near: d, id, offset: [ox, oy], ..cell };
            } else if d < cell.second {
                cell.second = d;
            }
        }
    }
    cell.near = cell.near.sqrt();
    cell.second = cell.second.sqrt();
    cell
}

/// 0 below `a`, 1 above `b`, smooth between.
#[inline]
pub fn smoothstep(a: f32, b: f32, x: f32) -> f32 {
    let t = ((x - a) / (b - a)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stays_in_range_and_is_continuous() {
        for i in 0..500 {
            let (x, y) = (i as f32 * 0.173 - 40.0, i as f32 * 0.091 + 3.0);
            let v = fbm(x, y, 5, 7);
            assert!((0.0..=1.0).contains(&v));
            assert!((v - fbm(x + 1e-3, y, 5, 7)).abs() < 0.05);
        }
    }

    #[test]
    fn values_are_uniform_and_pinned() {
        let mean = (0..10_000).map(|i| uniform(i % 100, i / 100, 3)).sum::<f32>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "mean {mean}");
        assert_ne!(hash(1, 2, 3), hash(2, 1, 3));
    }

    #[test]
    fn worley_finds_the_nearest_first() {
        for i in 0..200 {
            let c = worley(i as f32 * 0.37, i as f32 * -0.21, 11);
            assert!(c.near <= c.second && c.near < 1.5);
        }
    }
}

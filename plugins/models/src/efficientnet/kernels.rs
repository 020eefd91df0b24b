//! Convolutions of one image in row-major NHWC, vectorised over channels.
//!
//! Channels go in lanes of 16, so a pixel's channels are contiguous and weights are packed once. Each output is one chain of
//! multiply-adds in a fixed order (bias first, then the inputs from first to last), whatever the tiling, so the number
//! of threads and the size of the batch cannot change a bit. The widest instruction set that the machine has is
//! chosen at run time; sets with and without fused multiply-add differ in the last bits.

mod lanes;

use lanes::{LANES, Lanes, Set};

use super::plan::same_padding;

/// A dense 1x1 convolution, weights packed in panels of 16 output channels.
pub struct Pointwise {
    /// Per panel: for each input channel, 16 weights; the last panel is filled with zeros.
    panels: Vec<[f32; LANES]>,
    bias: Vec<[f32; LANES]>,
    input: usize,
    output: usize,
    set: Set,
}

/// A depthwise convolution, weights in groups of 16 channels.
pub struct Depthwise {
    /// Per group: for each tap, rows from the top, 16 weights.
    taps: Vec<[f32; LANES]>,
    bias: Vec<[f32; LANES]>,
    kernel: usize,
    stride: usize,
    channels: usize,
    set: Set,
}

/// What happens to a pointwise result before it is stored.
#[derive(Clone, Copy)]
pub enum Finish<'a> {
    /// Clamp to 0..6.
    Relu6,
    /// Nothing.
    Linear,
    /// Add the same element of a buffer of the output's shape.
    Add(&'a [f32]),
}

impl Pointwise {
    /// Packs `weight`, `output` rows of `input`, and `bias`, `output` values.
    pub fn new(weight: &[f32], bias: &[f32], input: usize, output: usize) -> Self {
        let count = output.div_ceil(LANES);
        let mut panels = vec![[0f32; LANES]; count * input];
        for (channel, row) in weight.chunks_exact(input).enumerate() {
            for (at, w) in row.iter().enumerate() {
                panels[channel / LANES * input + at][channel % LANES] = *w;
            }
        }
        Self { panels, bias: grouped(bias), input, output, set: Set::best() }
    }

    /// Channels that leave.
    pub fn output(&self) -> usize {
        self.output
    }

    /// `x`, pixels of `input` channels, to `out`, as many pixels of `output` channels.
    ///
    /// # Panics
    /// If the buffers' lengths do not fit each other.
    pub fn run(&self, x: &[f32], out: &mut [f32], finish: Finish) {
        assert_eq!(x.len() / self.input, out.len() / self.output, "pixels in and out");
        if let Finish::Add(shortcut) = finish {
            assert_eq!(shortcut.len(), out.len(), "the shortcut's size");
        }
        let conv = self;
        lanes::dispatch!(
            self.set,
            pointwise(conv: &Pointwise, x: &[f32], out: &mut [f32], finish: Finish<'_>)
        );
    }
}

impl Depthwise {
    /// Regroups `weight`, `channels` kernels of `kernel` x `kernel`, and `bias`, `channels` values.
    ///
    /// # Panics
    /// If `channels` is no multiple of 16 (each of EfficientNet-Lite0's is).
    pub fn new(weight: &[f32], bias: &[f32], kernel: usize, stride: usize, channels: usize) -> Self {
        assert_eq!(channels % LANES, 0, "channels of a depthwise convolution");
        let area = kernel * kernel;
        let mut taps = vec![[0f32; LANES]; channels / LANES * area];
        for (channel, filter) in weight.chunks_exact(area).enumerate() {
            for (tap, w) in filter.iter().enumerate() {
                taps[channel / LANES * area + tap][channel % LANES] = *w;
            }
        }
        Self { taps, bias: grouped(bias), kernel, stride, channels, set: Set::best() }
    }

    /// Channels that enter and leave.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// `x`, `side` x `side` pixels, to `out`, `side / stride` rounded up, squared; clamped to 0..6.
    ///
    /// # Panics
    /// If the buffers' lengths do not fit `side`.
    pub fn run(&self, x: &[f32], side: usize, out: &mut [f32]) {
        let (out_side, _, _) = same_padding(side, self.kernel, self.stride);
        assert_eq!(x.len(), side * side * self.channels, "pixels in");
        assert_eq!(out.len(), out_side * out_side * self.channels, "pixels out");
        let conv = self;
        lanes::dispatch!(
            self.set,
            depthwise(conv: &Depthwise, x: &[f32], side: usize, out: &mut [f32])
        );
    }
}

fn grouped(values: &[f32]) -> Vec<[f32; LANES]> {
    let mut groups = vec![[0f32; LANES]; values.len().div_ceil(LANES)];
    for (at, value) in values.iter().enumerate() {
        groups[at / LANES][at % LANES] = *value;
    }
    groups
}

/// Weights beyond this many values go one panel at a time over all pixels, so that a panel stays in the first cache.
const RESIDENT_WEIGHTS: usize = 1 << 14;

#[inline(always)]
fn pointwise<V: Lanes>(conv: &Pointwise, x: &[f32], out: &mut [f32], finish: Finish) {
    let strips = (0..x.len() / conv.input).step_by(STRIP);
    let panels = 0..conv.bias.len();
    if conv.panels.len() * LANES <= RESIDENT_WEIGHTS {
        for from in strips {
            panels.clone().for_each(|panel| strip::<V>(conv, x, out, finish, from, panel));
        }
    } else {
        for panel in panels {
            strips.clone().for_each(|from| strip::<V>(conv, x, out, finish, from, panel));
        }
    }
}

/// Pixels that one sweep over a panel computes; a multiple of every vector type's tile.
const STRIP: usize = 12;

#[inline(always)]
fn strip<V: Lanes>(conv: &Pointwise, x: &[f32], out: &mut [f32], finish: Finish, from: usize, panel: usize) {
    let end = (from + STRIP).min(x.len() / conv.input);
    let mut at = from;
    // Twelve rows need twelve accumulators; narrower registers hold fewer.
    if V::ROWS >= 12 && at + 12 <= end {
        tile::<V, 12>(conv, x, out, finish, at, panel);
        at += 12;
    }
    if V::ROWS >= 6 {
        while at + 6 <= end {
            tile::<V, 6>(conv, x, out, finish, at, panel);
            at += 6;
        }
    }
    while at + 2 <= end {
        tile::<V, 2>(conv, x, out, finish, at, panel);
        at += 2;
    }
    if at < end {
        tile::<V, 1>(conv, x, out, finish, at, panel);
    }
}

/// `ROWS` pixels from `from` on, 16 output channels.
#[inline(always)]
fn tile<V: Lanes, const ROWS: usize>(
    conv: &Pointwise,
    x: &[f32],
    out: &mut [f32],
    finish: Finish,
    from: usize,
    panel: usize,
) {
    let depth = conv.input;
    let weights = &conv.panels[panel * depth..][..depth];
    let x = &x[from * depth..][..ROWS * depth];
    let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &x[r * depth..][..depth]);
    let mut sums = [V::load(&conv.bias[panel]); ROWS];
    for (k, weight) in weights.iter().enumerate() {
        let weight = V::load(weight);
        for r in 0..ROWS {
            sums[r] = V::mul_add(V::splat(rows[r][k]), weight, sums[r]);
        }
    }
    let first = panel * LANES;
    let width = (conv.output - first).min(LANES);
    for (r, sum) in sums.into_iter().enumerate() {
        store(sum, out, (from + r) * conv.output + first, width, finish);
    }
}

#[inline(always)]
fn store<V: Lanes>(sum: V, out: &mut [f32], start: usize, width: usize, finish: Finish) {
    let mut values = match finish {
        Finish::Relu6 => V::relu6(sum).values(),
        Finish::Linear | Finish::Add(_) => sum.values(),
    };
    if let Finish::Add(shortcut) = finish {
        values.iter_mut().zip(&shortcut[start..][..width]).for_each(|(v, s)| *v += s);
    }
    out[start..][..width].copy_from_slice(&values[..width]);
}

/// Neighbouring outputs that share the weights in registers.
const ABREAST: usize = 4;

#[inline(always)]
fn depthwise<V: Lanes>(conv: &Depthwise, x: &[f32], side: usize, out: &mut [f32]) {
    let (out_side, before, _) = same_padding(side, conv.kernel, conv.stride);
    // Outputs whose taps all fall inside the picture, along one axis.
    let inner_from = before.div_ceil(conv.stride);
    let inner_to =
        ((side + before).saturating_sub(conv.kernel) / conv.stride + 1).clamp(inner_from, out_side);
    for oy in 0..out_side {
        let row = Row { conv, x, side, oy, before };
        let out_row = &mut out[oy * out_side * conv.channels..][..out_side * conv.channels];
        let mut ox = 0;
        while ox < out_side {
            if ox >= inner_from && ox + ABREAST <= inner_to {
                row.pixels::<V, ABREAST>(ox, out_row);
                ox += ABREAST;
            } else {
                row.pixels::<V, 1>(ox, out_row);
                ox += 1;
            }
        }
    }
}

/// One row of depthwise outputs.
struct Row<'a> {
    conv: &'a Depthwise,
    x: &'a [f32],
    side: usize,
    oy: usize,
    before: usize,
}

impl Row<'_> {
    /// `WIDE` outputs from `ox` on; with more than one, all their taps must be inside the picture.
    #[inline(always)]
    fn pixels<V: Lanes, const WIDE: usize>(&self, ox: usize, out_row: &mut [f32]) {
        let Depthwise { kernel, stride, channels, .. } = *self.conv;
        let (ky_from, ky_to) = self.inside(self.oy);
        let (kx_from, kx_to) = self.inside(ox);
        let row_of = |ky: usize| (self.oy * stride + ky - self.before) * self.side;
        for (group, bias) in self.conv.bias.iter().enumerate() {
            let taps = &self.conv.taps[group * kernel * kernel..][..kernel * kernel];
            let mut sums = [V::load(bias); WIDE];
            for ky in ky_from..ky_to {
                let start = row_of(ky) + ox * stride + kx_from - self.before;
                for kx in kx_from..kx_to {
                    let weight = V::load(&taps[ky * kernel + kx]);
                    let at = (start + kx - kx_from) * channels + group * LANES;
                    for (i, sum) in sums.iter_mut().enumerate() {
                        *sum = V::mul_add(V::load_at(self.x, at + i * stride * channels), weight, *sum);
                    }
                }
            }
            for (i, sum) in sums.into_iter().enumerate() {
                let at = (ox + i) * channels + group * LANES;
                out_row[at..][..LANES].copy_from_slice(&V::relu6(sum).values());
            }
        }
    }

    /// The taps of output `o` that fall inside the picture, along one axis.
    #[inline(always)]
    fn inside(&self, o: usize) -> (usize, usize) {
        let from = self.before.saturating_sub(o * self.conv.stride);
        let to = (self.side + self.before - o * self.conv.stride).min(self.conv.kernel);
        (from, to)
    }
}

#[cfg(test)]
mod tests;

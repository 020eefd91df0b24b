//! Convolutions of `(N, C, H, W)` pictures: the product of the weights with the patches, which are gathered block by block
//! into panels and never held as a whole.

use rayon::prelude::*;

use super::Shared;
use super::gemm::{self, DEPTH, PANEL, Panels, Rows, Target};
use super::simd::Set;

/// Pixels of the output that one task works on at once: 256 KiB of patches, for the second cache.
const PIXELS: usize = 256;

/// Shapes of a convolution; kernel and padding are rows and columns.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub batch: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub height: usize,
    pub width: usize,
    pub kernel: [usize; 2],
    pub stride: usize,
    pub padding: [usize; 2],
}

impl Shape {
    /// Height and width of the output.
    pub fn output(&self) -> (usize, usize) {
        let side = |n: usize, axis: usize| {
            (n + 2 * self.padding[axis]).saturating_sub(self.kernel[axis]) / self.stride + 1
        };
        (side(self.height, 0), side(self.width, 1))
    }

    /// Values of a patch.
    fn patch(&self) -> usize {
        self.inputs * self.kernel[0] * self.kernel[1]
    }
}

/// A block of output pixels of one sample, and of output channels.
#[derive(Clone, Copy)]
struct Task {
    sample: usize,
    pixel: usize,
    pixels: usize,
    channel: usize,
    channels: usize,
}

/// `x` `(batch, inputs, height, width)`, `weight` `(outputs, inputs, rows, columns)`, `bias` `(outputs)`.
///
/// # Panics
/// If the lengths are not those of the shape.
pub fn conv2d(set: Set, shape: Shape, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let (out_height, out_width) = shape.output();
    let pixels = out_height * out_width;
    let sample = shape.inputs * shape.height * shape.width;
    assert_eq!(x.len(), shape.batch * sample, "the input's length");
    assert_eq!(weight.len(), shape.outputs * shape.patch(), "the weights' length");
    assert_eq!(bias.len(), shape.outputs, "the bias's length");
    let mut out = vec![0f32; shape.batch * shape.outputs * pixels];
    let shared = Shared(out.as_mut_ptr());
    let buffer = || (vec![0f32; PIXELS * DEPTH], [0f32; PIXELS]);
    tasks(&shape, pixels).into_par_iter().for_each_init(buffer, |(panels, line), task| {
        let x = &x[task.sample * sample..][..sample];
        let first = (task.sample * shape.outputs + task.channel) * pixels + task.pixel;
        let depth = shape.patch();
        for k in (0..depth).step_by(DEPTH) {
            let count = DEPTH.min(depth - k);
            for step in 0..count {
                gather(&shape, x, k + step, task.pixel, &mut line[..task.pixels]);
                for (panel, values) in line[..task.pixels].chunks(PANEL).enumerate() {
                    panels[panel * DEPTH * PANEL + step * PANEL..][..values.len()].copy_from_slice(values);
                }
            }
            let rows =
                &weight[task.channel * depth + k..(task.channel + task.channels - 1) * depth + k + count];
            // SAFETY: the rows end within the weights (the slice above), the panels are a whole buffer, and each task writes
            // to its own channels and pixels of `out`, which outlives the loop.
            #[expect(unsafe_code, reason = "tiles of one matrix are not slices")]
            unsafe {
                let target = Target { start: shared.at(first), stride: pixels, add: true };
                if k == 0 {
                    fill_bias(target, task, bias);
                }
                let a = Rows { start: rows.as_ptr(), stride: depth, count: task.channels };
                let b = Panels { start: panels.as_ptr(), stride: DEPTH * PANEL, columns: task.pixels };
                gemm::block(set, count, a, b, target);
            }
        }
    });
    out
}

/// # Safety
/// The target must be the task's own place.
#[expect(unsafe_code, reason = "tiles of one matrix are not slices")]
unsafe fn fill_bias(target: Target, task: Task, bias: &[f32]) {
    for (row, value) in bias[task.channel..][..task.channels].iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe {
            std::slice::from_raw_parts_mut(target.start.add(row * target.stride), task.pixels).fill(*value);
        }
    }
}

/// Blocks of pixels, and blocks of channels too where there would be fewer tasks than threads.
fn tasks(shape: &Shape, pixels: usize) -> Vec<Task> {
    let blocks = shape.batch * pixels.div_ceil(PIXELS);
    let wanted = if blocks.is_multiple_of(rayon::current_num_threads()) {
        1
    } else {
        4 * rayon::current_num_threads()
    };
    let parts = wanted.div_ceil(blocks.max(1)).min(shape.outputs.div_ceil(gemm::ROWS)).max(1);
    let channels = shape.outputs.div_ceil(parts);
    let mut tasks = Vec::with_capacity(blocks * parts);
    for sample in 0..shape.batch {
        for pixel in (0..pixels).step_by(PIXELS) {
            for channel in (0..shape.outputs).step_by(channels) {
                tasks.push(Task {
                    sample,
                    pixel,
                    pixels: PIXELS.min(pixels - pixel),
                    channel,
                    channels: channels.min(shape.outputs - channel),
                });
            }
        }
    }
    tasks
}

/// Value `k` (input channel, row and column of the kernel) of the patches of pixels `from..from + line.len()`.
fn gather(shape: &Shape, x: &[f32], k: usize, from: usize, line: &mut [f32]) {
    let [rows, columns] = shape.kernel;
    let (channel, tap) = (k / (rows * columns), k % (rows * columns));
    let (tap_y, tap_x) = (tap / columns, tap % columns);
    let plane = &x[channel * shape.height * shape.width..][..shape.height * shape.width];
    let (_, out_width) = shape.output();
    let mut done = 0;
    while done < line.len() {
        let (out_y, out_x) = ((from + done) / out_width, (from + done) % out_width);
        let run = (out_width - out_x).min(line.len() - done);
        let part = &mut line[done..done + run];
        done += run;
        let y = out_y * shape.stride + tap_y;
        if y < shape.padding[0] || y - shape.padding[0] >= shape.height {
            part.fill(0.0);
            continue;
        }
        let row = &plane[(y - shape.padding[0]) * shape.width..][..shape.width];
        gather_row(shape, row, out_x, tap_x, part);
    }
}

/// The part of one output row, from column `out_x` on.
fn gather_row(shape: &Shape, row: &[f32], out_x: usize, tap_x: usize, part: &mut [f32]) {
    let column = |i: usize| ((out_x + i) * shape.stride + tap_x).wrapping_sub(shape.padding[1]);
    if shape.stride > 1 {
        for (i, value) in part.iter_mut().enumerate() {
            *value = row.get(column(i)).copied().unwrap_or(0.0);
        }
        return;
    }
    // Stride 1: zeros, a stretch of the row, zeros.
    let before = shape.padding[1].saturating_sub(out_x + tap_x).min(part.len());
    let start = (out_x + before + tap_x).saturating_sub(shape.padding[1]);
    let inside = row.len().saturating_sub(start).min(part.len() - before);
    part[..before].fill(0.0);
    if inside > 0 {
        part[before..before + inside].copy_from_slice(&row[start..start + inside]);
    }
    part[before + inside..].fill(0.0);
}

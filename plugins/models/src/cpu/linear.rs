//! Linear layers, with the weights packed into panels once.

use rayon::prelude::*;

use super::Shared;
use super::gemm::{self, DEPTH, PANEL, Panels, ROWS, Rows, Target};
use super::simd::Set;

/// The weights of `torch.nn.Linear` in panels of 32 outputs.
pub struct Packed {
    panels: Vec<f32>,
    bias: Option<Vec<f32>>,
    inputs: usize,
    outputs: usize,
    set: Set,
}

impl Packed {
    /// Packs `weight`, `outputs` rows of `inputs`; none on a processor without kernels.
    pub fn new(weight: &[f32], bias: Option<Vec<f32>>, inputs: usize, outputs: usize) -> Option<Self> {
        let set = Set::best()?;
        let mut panels = vec![0f32; outputs.div_ceil(PANEL) * inputs * PANEL];
        let size = (inputs * PANEL).max(1);
        panels.par_chunks_mut(size).zip(weight.par_chunks(size)).for_each(|(panel, rows)| {
            for (column, row) in rows.chunks(inputs).enumerate() {
                for (k, value) in row.iter().enumerate() {
                    panel[k * PANEL + column] = *value;
                }
            }
        });
        Some(Self { panels, bias, inputs, outputs, set })
    }

    /// Width of a row that enters.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of a row that leaves.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes of the panels.
    pub fn bytes(&self) -> usize {
        self.panels.len() * size_of::<f32>()
    }

    /// Row `output` of the weights, `inputs` values.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, output: usize) -> impl Iterator<Item = f32> {
        assert!(output < self.outputs, "row {output} of {}", self.outputs);
        let panel = &self.panels[output / PANEL * self.inputs * PANEL..][..self.inputs * PANEL];
        panel[output % PANEL..].iter().step_by(PANEL).copied()
    }

    /// The weights as they were packed: `outputs` rows of `inputs`.
    pub fn unpacked(&self) -> Vec<f32> {
        let mut weight = vec![0f32; self.outputs * self.inputs];
        weight.par_chunks_mut(self.inputs.max(1)).enumerate().for_each(|(output, row)| {
            row.iter_mut().zip(self.row(output)).for_each(|(to, value)| *to = value);
        });
        weight
    }

    /// `grad`, rows of `outputs` values, times the weights: rows of `inputs`, the derivative of [`Packed::run`].
    ///
    /// # Panics
    /// If `grad` does not consist of whole rows.
    pub fn run_back(&self, grad: &[f32]) -> Vec<f32> {
        let rows = grad.len() / self.outputs.max(1);
        assert_eq!(grad.len(), rows * self.outputs, "whole rows");
        let mut out = vec![0f32; rows * self.inputs];
        let shared = Shared(out.as_mut_ptr());
        let tasks = (0..self.inputs).step_by(PANEL).collect::<Vec<_>>();
        let buffer = || vec![0f32; DEPTH * PANEL];
        tasks.into_par_iter().for_each_init(buffer, |buffer, column| {
            let columns = PANEL.min(self.inputs - column);
            for k in (0..self.outputs).step_by(DEPTH) {
                let depth = DEPTH.min(self.outputs - k);
                self.turned(k, depth, column, columns, buffer);
                // SAFETY: the rows end within `grad`, the panel is a whole buffer, and each task writes to its own columns of
                // the output, which outlives the loop.
                #[expect(unsafe_code, reason = "tiles of one matrix are not slices")]
                unsafe {
                    let a = Rows { start: grad.as_ptr().add(k), stride: self.outputs, count: rows };
                    let b = Panels { start: buffer.as_ptr(), stride: 0, columns };
                    let target = Target { start: shared.at(column), stride: self.inputs, add: k > 0 };
                    gemm::block(self.set, depth, a, b, target);
                }
            }
        });
        out
    }

    /// Outputs `k..k + depth` of inputs `column..column + columns` as a panel: its rows are the outputs.
    fn turned(&self, k: usize, depth: usize, column: usize, columns: usize, to: &mut [f32]) {
        for output in (k..k + depth).step_by(PANEL) {
            let panel = &self.panels[(output / PANEL * self.inputs + column) * PANEL..];
            let count = PANEL.min(k + depth - output);
            for (input, values) in panel.chunks(PANEL).take(columns).enumerate() {
                for (row, value) in values[..count].iter().enumerate() {
                    to[(output - k + row) * PANEL + input] = *value;
                }
            }
        }
    }

    /// `x`, rows of `inputs` values, to rows of `outputs`.
    ///
    /// # Panics
    /// If `x` does not consist of whole rows.
    pub fn run(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs.max(1);
        assert_eq!(x.len(), rows * self.inputs, "whole rows");
        let mut out = vec![0f32; rows * self.outputs];
        let shared = Shared(out.as_mut_ptr());
        let columns = self.task_columns(rows);
        let tasks: Vec<(usize, usize)> = (0..rows)
            .step_by(ROWS)
            .flat_map(|row| (0..self.outputs).step_by(columns).map(move |column| (row, column)))
            .collect();
        tasks.into_par_iter().for_each(|(row, column)| {
            let count = ROWS.min(rows - row);
            let width = columns.min(self.outputs - column);
            self.task(&x[row * self.inputs..][..count * self.inputs], shared, row, column, width);
        });
        out
    }

    /// Columns for a task, whole panels: so many tasks that all threads have work.
    fn task_columns(&self, rows: usize) -> usize {
        let blocks = rows.div_ceil(ROWS).max(1);
        let parts = (4 * rayon::current_num_threads()).div_ceil(blocks);
        self.outputs.div_ceil(PANEL).div_ceil(parts).max(1) * PANEL
    }

    /// The rows `x`, which go to `row` and on, for outputs `column..column + width`.
    fn task(&self, x: &[f32], out: Shared, row: usize, column: usize, width: usize) {
        let count = x.len() / self.inputs;
        let start = out.at(row * self.outputs + column);
        for k in (0..self.inputs).step_by(DEPTH) {
            let depth = DEPTH.min(self.inputs - k);
            let panels = &self.panels[column * self.inputs + k * PANEL..];
            // SAFETY: the rows are those of `x`; the panels from `column` on are whole; each task writes to its own rows and
            // columns of the output, which outlives the loop.
            #[expect(unsafe_code, reason = "tiles of one matrix are not slices")]
            unsafe {
                let target = Target { start, stride: self.outputs, add: k > 0 || self.bias.is_some() };
                if let (0, Some(bias)) = (k, &self.bias) {
                    for r in 0..count {
                        let to = std::slice::from_raw_parts_mut(start.add(r * self.outputs), width);
                        to.copy_from_slice(&bias[column..column + width]);
                    }
                }
                let a = Rows { start: x[k..].as_ptr(), stride: self.inputs, count };
                let b = Panels { start: panels.as_ptr(), stride: self.inputs * PANEL, columns: width };
                gemm::block(self.set, depth, a, b, target);
            }
        }
    }
}

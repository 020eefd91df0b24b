//! Which tensors a network has, where they lie in one vector, and what they are before training.

use adeval_sdk::rng;
use rand::RngExt;
use std::ops::Range;

/// A tensor's place in the vector of all weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    start: usize,
    len: usize,
}

impl Slot {
    /// The places of its values.
    pub fn range(self) -> Range<usize> {
        self.start..self.start + self.len
    }
}

/// A linear layer: `(outputs, inputs)`, and a bias where it has one.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    pub weight: Slot,
    pub bias: Option<Slot>,
    pub inputs: usize,
    pub outputs: usize,
}

/// A convolution of 3x3 pixels with a border of zeros, which halves the sides: `(outputs, 3, 3, inputs)` and a bias.
#[derive(Debug, Clone, Copy)]
pub struct Conv {
    pub weight: Slot,
    pub bias: Slot,
    pub inputs: usize,
    pub outputs: usize,
}

/// A layer norm: gain and shift.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    pub gain: Slot,
    pub shift: Slot,
}

/// What a tensor is before training.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// Uniform between minus and plus this.
    Uniform(f64),
    Constant(f64),
}

/// A tensor.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name in checkpoints.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where it lies.
    pub slot: Slot,
    start: Start,
}

/// All tensors of a network, in the order of the vector.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    entries: Vec<Entry>,
    len: usize,
}

impl Layout {
    /// Number of weights.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The tensors.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The weights before training. Each tensor has a stream of its own, so that another tensor's size does not change it.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let mut weights = Vec::with_capacity(self.len);
        for entry in &self.entries {
            let mut random = rng::seeded(rng::derive(seed, &["weights", &entry.name]));
            weights.extend((0..entry.slot.len).map(|_| match entry.start {
                Start::Constant(value) => value as f32,
                Start::Uniform(bound) => (bound * (2.0 * random.random::<f64>() - 1.0)) as f32,
            }));
        }
        weights
    }

    fn tensor(&mut self, name: String, shape: &[usize], start: Start) -> Slot {
        let slot = Slot { start: self.len, len: shape.iter().product() };
        self.len += slot.len;
        self.entries.push(Entry { name, shape: shape.to_vec(), slot, start });
        slot
    }

    /// A tensor of one value.
    pub fn constant(&mut self, name: &str, value: f64) -> Slot {
        self.tensor(name.to_owned(), &[1], Start::Constant(value))
    }

    /// A table of `rows` vectors of `width` values, uniform in (-1, 1).
    pub fn table(&mut self, name: &str, rows: usize, width: usize) -> Slot {
        self.tensor(name.to_owned(), &[rows, width], Start::Uniform(1.0))
    }

    /// A linear layer with a bias, both uniform in plus and minus `1 / sqrt(inputs)`, as PyTorch's.
    pub fn linear(&mut self, name: &str, inputs: usize, outputs: usize) -> Linear {
        let bound = Start::Uniform(1.0 / (inputs as f64).sqrt());
        let weight = self.tensor(format!("{name}.weight"), &[outputs, inputs], bound);
        let bias = Some(self.tensor(format!("{name}.bias"), &[outputs], bound));
        Linear { weight, bias, inputs, outputs }
    }

    /// A linear layer without a bias: where it would change nothing.
    pub fn unbiased(&mut self, name: &str, inputs: usize, outputs: usize) -> Linear {
        let bound = Start::Uniform(1.0 / (inputs as f64).sqrt());
        let weight = self.tensor(format!("{name}.weight"), &[outputs, inputs], bound);
        Linear { weight, bias: None, inputs, outputs }
    }

    /// A linear layer to one value whose bias begins at `at`, and whose weights are `scale` times the usual.
    pub fn head(&mut self, name: &str, inputs: usize, scale: f64, at: f64) -> Linear {
        let bound = Start::Uniform(scale / (inputs as f64).sqrt());
        let weight = self.tensor(format!("{name}.weight"), &[1, inputs], bound);
        let bias = Some(self.constant(&format!("{name}.bias"), at));
        Linear { weight, bias, inputs, outputs: 1 }
    }

    /// A convolution before a ReLU: uniform with variance `2 / (9 inputs)` (He et al., 2015), bias 0.
    pub fn conv(&mut self, name: &str, inputs: usize, outputs: usize) -> Conv {
        let bound = Start::Uniform((6.0 / (9 * inputs) as f64).sqrt());
        let weight = self.tensor(format!("{name}.weight"), &[outputs, 3, 3, inputs], bound);
        let bias = self.tensor(format!("{name}.bias"), &[outputs], Start::Constant(0.0));
        Conv { weight, bias, inputs, outputs }
    }

    /// A layer norm that begins as the plain one.
    pub fn norm(&mut self, name: &str, width: usize) -> Norm {
        let gain = self.tensor(format!("{name}.weight"), &[width], Start::Constant(1.0));
        let shift = self.tensor(format!("{name}.bias"), &[width], Start::Constant(0.0));
        Norm { gain, shift }
    }
}

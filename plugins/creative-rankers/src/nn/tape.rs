//! One pass of a network over one example, kept so that it can be gone back.

use super::attention::{self, Shares};
use super::conv;
use super::layout::{Conv, Linear, Norm, Slot};
use super::norm;
use super::{Real, matrix};

/// A value of the pass: a matrix of some rows.
#[derive(Debug, Clone, Copy)]
pub struct Value(pub usize);

/// How a value came about.
pub enum Op<T> {
    /// From outside; nothing goes back to it.
    Input,
    Linear {
        from: usize,
        layer: Linear,
    },
    Conv {
        from: usize,
        layer: Conv,
        side: usize,
        patches: Vec<T>,
    },
    Relu {
        from: usize,
    },
    Gelu {
        from: usize,
    },
    Norm {
        from: usize,
        layer: Norm,
        width: usize,
        spreads: Vec<T>,
    },
    /// The factor of each value: 0, or `1 / (1 - p)`.
    Dropout {
        from: usize,
        factors: Vec<T>,
    },
    Add {
        left: usize,
        right: usize,
    },
    /// Mean of rows.
    Mean {
        from: usize,
    },
    /// Mean of rows of a table.
    Bag {
        table: Slot,
        width: usize,
        rows: Vec<u32>,
    },
    Concat {
        parts: Vec<usize>,
    },
    Attention {
        query: usize,
        key: usize,
        value: usize,
        shares: Shares<T>,
    },
}

pub struct Node<T> {
    pub value: Vec<T>,
    pub op: Op<T>,
}

/// A pass.
pub struct Tape<'a, T> {
    pub weights: &'a [T],
    pub nodes: Vec<Node<T>>,
    /// What dropout draws from; none when it is off.
    bits: Option<u64>,
}

impl<'a, T: Real> Tape<'a, T> {
    /// A pass with these weights; `dropout` is the seed of what is left out in training.
    pub fn new(weights: &'a [T], dropout: Option<u64>) -> Self {
        Self { weights, nodes: Vec::new(), bits: dropout }
    }

    /// The numbers of a value.
    pub fn get(&self, value: Value) -> &[T] {
        &self.nodes[value.0].value
    }

    pub fn push(&mut self, value: Vec<T>, op: Op<T>) -> Value {
        self.nodes.push(Node { value, op });
        Value(self.nodes.len() - 1)
    }

    /// Numbers from outside.
    pub fn input(&mut self, values: impl Iterator<Item = T>) -> Value {
        self.push(values.collect(), Op::Input)
    }

    /// `x W^T + b` of every row.
    pub fn linear(&mut self, x: Value, layer: Linear) -> Value {
        let from = self.get(x);
        let rows = from.len() / layer.inputs;
        let mut out = match layer.bias {
            Some(bias) => self.weights[bias.range()].repeat(rows),
            None => vec![T::ZERO; rows * layer.outputs],
        };
        let weight = &self.weights[layer.weight.range()];
        matrix::nt(from, weight, &mut out, layer.inputs, layer.outputs);
        self.push(out, Op::Linear { from: x.0, layer })
    }

    /// A convolution of `(side, side, inputs)` to `(side / 2, side / 2, outputs)`; `side` is even.
    pub fn conv(&mut self, x: Value, layer: Conv, side: usize) -> Value {
        let patches = conv::patches(self.get(x), side);
        let mut out = self.weights[layer.bias.range()].repeat((side / 2).pow(2));
        let weight = &self.weights[layer.weight.range()];
        matrix::nt(&patches, weight, &mut out, 9 * layer.inputs, layer.outputs);
        self.push(out, Op::Conv { from: x.0, layer, side, patches })
    }

    /// What is above 0.
    pub fn relu(&mut self, x: Value) -> Value {
        let out = self.get(x).iter().map(|v| if *v > T::ZERO { *v } else { T::ZERO }).collect();
        self.push(out, Op::Relu { from: x.0 })
    }

    /// GELU (Hendrycks and Gimpel, 2016) in its form with the hyperbolic tangent.
    pub fn gelu(&mut self, x: Value) -> Value {
        let out = self.get(x).iter().map(|v| norm::gelu(*v).0).collect();
        self.push(out, Op::Gelu { from: x.0 })
    }

    /// Layer norm of every row of `width` values.
    pub fn norm(&mut self, x: Value, layer: Norm, width: usize) -> Value {
        let (gain, shift) = (&self.weights[layer.gain.range()], &self.weights[layer.shift.range()]);
        let (out, spreads) = norm::forward(self.get(x), gain, shift);
        self.push(out, Op::Norm { from: x.0, layer, width, spreads })
    }

    /// Leaves out values with probability `p` and scales the others up, in training.
    pub fn dropout(&mut self, x: Value, p: f64) -> Value {
        let Some(mut bits) = self.bits.filter(|_| p > 0.0) else {
            return x;
        };
        let kept = T::of(1.0 / (1.0 - p));
        let count = self.get(x).len();
        let mut factor = || if uniform(&mut bits) < p { T::ZERO } else { kept };
        let factors: Vec<T> = (0..count).map(|_| factor()).collect();
        let out = self.get(x).iter().zip(&factors).map(|(x, f)| *x * *f).collect();
        self.bits = Some(bits);
        self.push(out, Op::Dropout { from: x.0, factors })
    }

    /// The sum of two values of one size.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        let out = self.get(a).iter().zip(self.get(b)).map(|(a, b)| *a + *b).collect();
        self.push(out, Op::Add { left: a.0, right: b.0 })
    }

    /// The mean of all rows of `width` values.
    pub fn mean(&mut self, x: Value, width: usize) -> Value {
        let from = self.get(x);
        let share = T::of(width as f64 / from.len() as f64);
        let mut out = vec![T::ZERO; width];
        for row in from.chunks_exact(width) {
            out.iter_mut().zip(row).for_each(|(o, v)| *o += *v);
        }
        out.iter_mut().for_each(|o| *o = *o * share);
        self.push(out, Op::Mean { from: x.0 })
    }

    /// The mean of rows of a table of vectors of `width` values; zeros for none.
    pub fn bag(&mut self, table: Slot, width: usize, rows: &[u32]) -> Value {
        let weights = &self.weights[table.range()];
        let mut out = vec![T::ZERO; width];
        let share = T::of(1.0 / rows.len().max(1) as f64);
        for row in rows {
            let from = &weights[*row as usize * width..][..width];
            out.iter_mut().zip(from).for_each(|(o, w)| *o += share * *w);
        }
        self.push(out, Op::Bag { table, width, rows: rows.to_vec() })
    }

    /// Values one after the other.
    pub fn concat(&mut self, parts: &[Value]) -> Value {
        let out = parts.iter().flat_map(|part| self.get(*part).iter().copied()).collect();
        self.push(out, Op::Concat { parts: parts.iter().map(|part| part.0).collect() })
    }

    /// Scaled dot-product attention of `heads` heads; rows have `width` values (Vaswani et al., 2017).
    pub fn attention(&mut self, [query, key, value]: [Value; 3], width: usize, heads: usize) -> Value {
        let (out, shares) = attention::forward(self.get(query), self.get(key), self.get(value), width, heads);
        self.push(out, Op::Attention { query: query.0, key: key.0, value: value.0, shares })
    }
}

/// A number in [0, 1) of SplitMix64 (Steele et al., 2014).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

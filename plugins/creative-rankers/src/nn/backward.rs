//! The way back through a pass.

use super::tape::{Node, Op, Tape, Value};
use super::{Real, attention, conv, matrix, norm};

/// Derivatives by the values of a pass; none where nothing has come back yet.
pub struct Back<T>(Vec<Option<Vec<T>>>);

impl<T: Real> Back<T> {
    /// The derivative by a value, zeros at first; none for inputs, which nobody asks for.
    pub fn by(&mut self, nodes: &[Node<T>], at: usize) -> Option<&mut Vec<T>> {
        if matches!(nodes[at].op, Op::Input) {
            return None;
        }
        Some(self.0[at].get_or_insert_with(|| vec![T::ZERO; nodes[at].value.len()]))
    }

    fn add(&mut self, nodes: &[Node<T>], at: usize, terms: impl Iterator<Item = T>) {
        if let Some(to) = self.by(nodes, at) {
            to.iter_mut().zip(terms).for_each(|(to, term)| *to += term);
        }
    }
}

impl<T: Real> Tape<'_, T> {
    /// Adds the gradient of `sum of derivatives x values` to `gradient`, a vector like that of the weights.
    pub fn backward(&self, from: &[(Value, &[T])], gradient: &mut [T]) {
        let mut back = Back((0..self.nodes.len()).map(|_| None).collect());
        for (value, by) in from {
            back.add(&self.nodes, value.0, by.iter().copied());
        }
        for at in (0..self.nodes.len()).rev() {
            if let Some(by) = back.0[at].take() {
                self.through(at, &by, &mut back, gradient);
            }
        }
    }

    fn through(&self, at: usize, by: &[T], back: &mut Back<T>, gradient: &mut [T]) {
        let nodes = &self.nodes;
        let value = |at: usize| &nodes[at].value;
        match &nodes[at].op {
            Op::Input => {}
            Op::Linear { from, layer } => {
                let (inputs, outputs) = (layer.inputs, layer.outputs);
                matrix::tn(by, value(*from), &mut gradient[layer.weight.range()], outputs, inputs);
                if let Some(bias) = layer.bias {
                    by.chunks_exact(outputs).for_each(|row| plus(&mut gradient[bias.range()], row));
                }
                if let Some(to) = back.by(nodes, *from) {
                    matrix::nn(by, &self.weights[layer.weight.range()], to, outputs, inputs);
                }
            }
            Op::Conv { from, layer, side, patches } => {
                let (inputs, outputs) = (9 * layer.inputs, layer.outputs);
                matrix::tn(by, patches, &mut gradient[layer.weight.range()], outputs, inputs);
                by.chunks_exact(outputs).for_each(|row| plus(&mut gradient[layer.bias.range()], row));
                if let Some(to) = back.by(nodes, *from) {
                    let mut by_patches = vec![T::ZERO; patches.len()];
                    let weight = &self.weights[layer.weight.range()];
                    matrix::nn(by, weight, &mut by_patches, outputs, inputs);
                    conv::unpatch(&by_patches, *side, to);
                }
            }
            Op::Relu { from } => {
                let open = value(*from).iter().zip(by);
                back.add(nodes, *from, open.map(|(x, by)| if *x > T::ZERO { *by } else { T::ZERO }));
            }
            Op::Gelu { from } => {
                let slopes = value(*from).iter().zip(by);
                back.add(nodes, *from, slopes.map(|(x, by)| norm::gelu(*x).1 * *by));
            }
            Op::Norm { from, layer, width, spreads } => {
                let gain = &self.weights[layer.gain.range()];
                let (by_x, by_gain) = norm::backward(value(*from), spreads, gain, by);
                plus(&mut gradient[layer.gain.range()], &by_gain);
                by.chunks_exact(*width).for_each(|row| plus(&mut gradient[layer.shift.range()], row));
                back.add(nodes, *from, by_x.into_iter());
            }
            Op::Dropout { from, factors } => {
                back.add(nodes, *from, by.iter().zip(factors).map(|(by, f)| *by * *f));
            }
            Op::Add { left, right } => {
                back.add(nodes, *left, by.iter().copied());
                back.add(nodes, *right, by.iter().copied());
            }
            Op::Mean { from } => {
                let count = value(*from).len();
                let share = T::of(by.len() as f64 / count as f64);
                back.add(nodes, *from, by.iter().cycle().take(count).map(|by| *by * share));
            }
            Op::Bag { table, width, rows } => {
                let share = T::of(1.0 / rows.len().max(1) as f64);
                let table = &mut gradient[table.range()];
                for row in rows {
                    let to = &mut table[*row as usize * width..][..*width];
                    to.iter_mut().zip(by).for_each(|(g, by)| *g += share * *by);
                }
            }
            Op::Concat { parts } => {
                let mut rest = by;
                for part in parts {
                    let (own, others) = rest.split_at(value(*part).len());
                    back.add(nodes, *part, own.iter().copied());
                    rest = others;
                }
            }
            Op::Attention { query, key, value: v, shares } => {
                let inputs = [value(*query), value(*key), value(*v)].map(Vec::as_slice);
                let all = attention::backward(inputs, shares, by);
                for (at, by) in [*query, *key, *v].into_iter().zip(all) {
                    back.add(nodes, at, by.into_iter());
                }
            }
        }
    }
}

fn plus<T: Real>(to: &mut [T], terms: &[T]) {
    to.iter_mut().zip(terms).for_each(|(to, term)| *to += *term);
}

//! Which layers the backbones have, numbered as torchvision numbers them, and after which of them features are compared.

use super::Backbone;
use super::layers::{Kind, Layer};
use crate::Result;
use crate::tensors::Weights;

/// Pixels that a side must have so that every layer has something to look at: AlexNet's third pool is the strictest.
pub const SMALLEST: u32 = 32;

/// Numbered layers up to one of the compared features.
pub type Slice = Vec<(usize, Kind)>;

/// `weights` tells where a layer's weights are from the number of its slice and its own.
pub fn load<'a>(slices: &[Slice], weights: impl Fn(usize, usize) -> Weights<'a>) -> Result<Vec<Vec<Layer>>> {
    let slice = |(slice, layers): (usize, &Slice)| {
        layers.iter().map(|(number, kind)| kind.load(&weights(slice, *number))).collect()
    };
    slices.iter().enumerate().map(slice).collect()
}

/// Channels of the compared features.
pub fn widths(slices: &[Slice]) -> Vec<usize> {
    let width = |kind: &Kind| match *kind {
        Kind::Conv { outputs, .. } => Some(outputs),
        Kind::Fire { wide, .. } => Some(2 * wide),
        _ => None,
    };
    slices.iter().filter_map(|slice| slice.iter().rev().find_map(|(_, kind)| width(kind))).collect()
}

/// The backbone that torchvision publishes.
pub fn published(backbone: Backbone) -> Vec<Slice> {
    match backbone {
        Backbone::Alex => alex(),
        Backbone::Vgg => vgg(&[pool(2, 2, false)]),
        Backbone::Squeeze => squeeze(),
    }
}

/// The backbone of ST-LPIPS: each stride is a blur.
pub fn shift_tolerant(backbone: Backbone) -> Option<Vec<Slice>> {
    match backbone {
        Backbone::Alex => Some(shift_tolerant_alex()),
        Backbone::Vgg => Some(vgg(&[pool(2, 1, false), Kind::Blur])),
        Backbone::Squeeze => None,
    }
}

const fn conv(inputs: usize, outputs: usize, kernel: usize, stride: usize, padding: usize) -> Kind {
    Kind::Conv { inputs, outputs, kernel, stride, padding }
}

const fn pool(kernel: usize, stride: usize, whole: bool) -> Kind {
    Kind::Max { kernel, stride, whole }
}

/// Numbers layers through, from one slice to the next.
fn numbered(slices: Vec<Vec<Kind>>) -> Vec<Slice> {
    let mut number = 0;
    let mut next = |kind| {
        number += 1;
        (number - 1, kind)
    };
    slices.into_iter().map(|slice| slice.into_iter().map(&mut next).collect()).collect()
}

fn alex() -> Vec<Slice> {
    numbered(vec![
        vec![conv(3, 64, 11, 4, 2), Kind::Relu],
        vec![pool(3, 2, false), conv(64, 192, 5, 1, 2), Kind::Relu],
        vec![pool(3, 2, false), conv(192, 384, 3, 1, 1), Kind::Relu],
        vec![conv(384, 256, 3, 1, 1), Kind::Relu],
        vec![conv(256, 256, 3, 1, 1), Kind::Relu],
    ])
}

fn shift_tolerant_alex() -> Vec<Slice> {
    numbered(vec![
        vec![conv(3, 64, 11, 1, 2), Kind::Blur, Kind::Relu],
        vec![pool(3, 1, false), Kind::Blur, conv(64, 192, 5, 1, 2), Kind::Relu],
        vec![pool(3, 1, false), Kind::Blur, conv(192, 384, 3, 1, 1), Kind::Relu],
        vec![conv(384, 256, 3, 1, 1), Kind::Relu],
        vec![conv(256, 256, 3, 1, 1), Kind::Relu],
    ])
}

/// `halve`: what is between two slices.
fn vgg(halve: &[Kind]) -> Vec<Slice> {
    let mut inputs = 3;
    let mut slices = Vec::new();
    for (outputs, count) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        let mut slice = if slices.is_empty() { Vec::new() } else { halve.to_vec() };
        for _ in 0..count {
            slice.extend([conv(inputs, outputs, 3, 1, 1), Kind::Relu]);
            inputs = outputs;
        }
        slices.push(slice);
    }
    numbered(slices)
}

fn squeeze() -> Vec<Slice> {
    let fire = |inputs, narrow, wide| Kind::Fire { inputs, narrow, wide };
    numbered(vec![
        vec![conv(3, 64, 3, 2, 0), Kind::Relu],
        vec![pool(3, 2, true), fire(64, 16, 64), fire(128, 16, 64)],
        vec![pool(3, 2, true), fire(128, 32, 128), fire(256, 32, 128)],
        vec![pool(3, 2, true), fire(256, 48, 192)],
        vec![fire(384, 48, 192)],
        vec![fire(384, 64, 256)],
        vec![fire(512, 64, 256)],
    ])
}

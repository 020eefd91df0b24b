//! The blocks: branches side by side, whose outputs become the channels of one picture.

use candle_core::Tensor;

use super::layers::{BasicConv, COLUMN_3, COLUMN_7, DOWN, FIVE, ONE, Pool, ROW_3, ROW_7, THREE};
use crate::Result;
use crate::convolution::Geometry;
use crate::tensors::Weights;

/// Blocks before the second halving of the sides.
pub const BEFORE_LAST_REDUCTION: usize = 8;

/// Name, channels that come out, and kernel of a convolution.
type Layer<'a> = (&'a str, usize, Geometry);

struct Branch {
    pool: Option<Pool>,
    convs: Vec<BasicConv>,
    /// Side by side at the end, all on what the others give.
    ends: Vec<BasicConv>,
}

impl Branch {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.pool.map_or_else(|| Ok(x.clone()), |pool| pool.forward(x))?;
        let x = self.convs.iter().try_fold(x, |x, conv| conv.forward(&x))?;
        if self.ends.is_empty() { Ok(x) } else { side_by_side(&self.ends, |end| end.forward(&x)) }
    }
}

/// One block.
pub struct Block(Vec<Branch>);

impl Block {
    /// (N, C, H, W) to (N, C', H', W').
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        side_by_side(&self.0, |branch| branch.forward(x))
    }
}

fn side_by_side<T>(parts: &[T], forward: impl Fn(&T) -> Result<Tensor>) -> Result<Tensor> {
    let outputs = parts.iter().map(forward).collect::<Result<Vec<_>>>()?;
    Ok(Tensor::cat(&outputs, 1)?)
}

/// All blocks, in their order.
pub fn load(weights: &Weights) -> Result<Vec<Block>> {
    let place = |name: &str| weights.pp(name);
    Ok(vec![
        a(&place("Mixed_5b"), 192, 32)?,
        a(&place("Mixed_5c"), 256, 64)?,
        a(&place("Mixed_5d"), 288, 64)?,
        b(&place("Mixed_6a"), 288)?,
        c(&place("Mixed_6b"), 128)?,
        c(&place("Mixed_6c"), 160)?,
        c(&place("Mixed_6d"), 160)?,
        c(&place("Mixed_6e"), 192)?,
        d(&place("Mixed_7a"), 768)?,
        e(&place("Mixed_7b"), 1280, Pool::Average)?,
        // Not what the paper describes, and what the published network does.
        e(&place("Mixed_7c"), 2048, Pool::Max)?,
    ])
}

/// A block in the making.
struct Builder<'a> {
    weights: &'a Weights<'a>,
    inputs: usize,
    branches: Vec<Branch>,
}

impl<'a> Builder<'a> {
    fn new(weights: &'a Weights<'a>, inputs: usize) -> Self {
        Self { weights, inputs, branches: Vec::new() }
    }

    fn branch(self, layers: &[Layer<'_>]) -> Result<Self> {
        self.add(None, layers, &[])
    }

    fn pooled(self, pool: Pool, layers: &[Layer<'_>]) -> Result<Self> {
        self.add(Some(pool), layers, &[])
    }

    fn forked(self, layers: &[Layer<'_>], ends: &[Layer<'_>]) -> Result<Self> {
        self.add(None, layers, ends)
    }

    fn add(mut self, pool: Option<Pool>, layers: &[Layer<'_>], ends: &[Layer<'_>]) -> Result<Self> {
        let mut inputs = self.inputs;
        let mut convs = Vec::with_capacity(layers.len());
        for (name, outputs, geometry) in layers {
            convs.push(BasicConv::load(&self.weights.pp(name), inputs, *outputs, *geometry)?);
            inputs = *outputs;
        }
        let end = |(name, outputs, geometry): &Layer<'_>| {
            BasicConv::load(&self.weights.pp(name), inputs, *outputs, *geometry)
        };
        let ends = ends.iter().map(end).collect::<Result<_>>()?;
        self.branches.push(Branch { pool, convs, ends });
        Ok(self)
    }

    fn block(self) -> Block {
        Block(self.branches)
    }
}

fn a(weights: &Weights, inputs: usize, pooled: usize) -> Result<Block> {
    Ok(Builder::new(weights, inputs)
        .branch(&[("branch1x1", 64, ONE)])?
        .branch(&[("branch5x5_1", 48, ONE), ("branch5x5_2", 64, FIVE)])?
        .branch(&[("branch3x3dbl_1", 64, ONE), ("branch3x3dbl_2", 96, THREE), ("branch3x3dbl_3", 96, THREE)])?
        .pooled(Pool::Average, &[("branch_pool", pooled, ONE)])?
        .block())
}

fn b(weights: &Weights, inputs: usize) -> Result<Block> {
    Ok(Builder::new(weights, inputs)
        .branch(&[("branch3x3", 384, DOWN)])?
        .branch(&[("branch3x3dbl_1", 64, ONE), ("branch3x3dbl_2", 96, THREE), ("branch3x3dbl_3", 96, DOWN)])?
        .pooled(Pool::MaxDown, &[])?
        .block())
}

/// `inner`: channels within the branches of seven pixels.
fn c(weights: &Weights, inner: usize) -> Result<Block> {
    Ok(Builder::new(weights, 768)
        .branch(&[("branch1x1", 192, ONE)])?
        .branch(&[
            ("branch7x7_1", inner, ONE),
            ("branch7x7_2", inner, ROW_7),
            ("branch7x7_3", 192, COLUMN_7),
        ])?
        .branch(&[
            ("branch7x7dbl_1", inner, ONE),
            ("branch7x7dbl_2", inner, COLUMN_7),
            ("branch7x7dbl_3", inner, ROW_7),
            ("branch7x7dbl_4", inner, COLUMN_7),
            ("branch7x7dbl_5", 192, ROW_7),
        ])?
        .pooled(Pool::Average, &[("branch_pool", 192, ONE)])?
        .block())
}

fn d(weights: &Weights, inputs: usize) -> Result<Block> {
    Ok(Builder::new(weights, inputs)
        .branch(&[("branch3x3_1", 192, ONE), ("branch3x3_2", 320, DOWN)])?
        .branch(&[
            ("branch7x7x3_1", 192, ONE),
            ("branch7x7x3_2", 192, ROW_7),
            ("branch7x7x3_3", 192, COLUMN_7),
            ("branch7x7x3_4", 192, DOWN),
        ])?
        .pooled(Pool::MaxDown, &[])?
        .block())
}

fn e(weights: &Weights, inputs: usize, pool: Pool) -> Result<Block> {
    Ok(Builder::new(weights, inputs)
        .branch(&[("branch1x1", 320, ONE)])?
        .forked(
            &[("branch3x3_1", 384, ONE)],
            &[("branch3x3_2a", 384, ROW_3), ("branch3x3_2b", 384, COLUMN_3)],
        )?
        .forked(
            &[("branch3x3dbl_1", 448, ONE), ("branch3x3dbl_2", 384, THREE)],
            &[("branch3x3dbl_3a", 384, ROW_3), ("branch3x3dbl_3b", 384, COLUMN_3)],
        )?
        .pooled(pool, &[("branch_pool", 192, ONE)])?
        .block())
}

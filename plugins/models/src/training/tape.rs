//! A pass through the decoder that can be gone back, layer by layer.

use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

use super::Gradients;
use crate::decoder::{Decoder, Pass, Step};
use crate::{ModelError, Result};

/// What is kept for the way back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Memory {
    /// The input of every layer, `rows x tokens x hidden` values each; a layer is computed again on the way back (activation
    /// checkpointing, Chen et al., "Training deep nets with sublinear memory cost", 2016).
    #[default]
    Inputs,
    /// Everything: no layer is computed twice, and all that lies between inputs and outputs is held.
    Everything,
}

/// One pass.
pub struct Tape {
    step: Step,
    layers: Vec<Kept>,
    last: Tensor,
    hidden: Tensor,
}

/// A layer's input, and its output in the graph where that is kept.
struct Kept {
    input: Var,
    output: Option<Tensor>,
}

impl Tape {
    /// Runs the decoder over `embeds`, `(rows, tokens, hidden)`, with its adapter; `starts` is the padding before each row,
    /// `dropout` the seed of the adapter's dropout.
    ///
    /// # Errors
    /// As [`Decoder::forward`].
    pub fn forward(
        decoder: &Decoder,
        embeds: &Tensor,
        starts: &[usize],
        dropout: Option<u64>,
        memory: Memory,
    ) -> Result<Self> {
        let step = decoder.step(embeds, starts, 0, Pass::Training { dropout })?;
        let mut layers = Vec::with_capacity(decoder.layers().len());
        let mut x = embeds.detach();
        for layer in decoder.layers() {
            let input = Var::from_tensor(&x)?;
            let output = layer.forward(input.as_tensor(), &step, None)?;
            x = output.detach();
            layers.push(Kept { input, output: (memory == Memory::Everything).then_some(output) });
        }
        let hidden = decoder.final_norm(&x, Pass::Inference)?;
        Ok(Self { step, layers, last: x, hidden })
    }

    /// Hidden states after the last norm, `(rows, tokens, hidden)`, outside of any graph.
    pub fn hidden(&self) -> &Tensor {
        &self.hidden
    }

    /// Goes back: `gradient` is the loss's by [`Tape::hidden`]. Adds those by the adapter's matrices, and by weights that
    /// are trained themselves, to `gradients` and gives the one by the embeddings.
    ///
    /// # Errors
    /// [`ModelError::Input`] for a gradient of another shape, and failures of the device.
    pub fn backward(self, decoder: &Decoder, gradient: &Tensor, gradients: &mut Gradients) -> Result<Tensor> {
        if gradient.dims() != self.hidden.dims() {
            return Err(ModelError::Input {
                found: format!("a gradient of shape {:?} by {:?}", gradient.dims(), self.hidden.dims()),
                expected: "the shape of the hidden states",
            });
        }
        let last = Var::from_tensor(&self.last)?;
        let normed = decoder.final_norm(last.as_tensor(), self.step.pass())?;
        let store = back(&normed, gradient)?;
        if let Some(own) = decoder.norm_parameter() {
            gradients.add(&own.name, &by(&store, &own.tensor)?)?;
        }
        let mut gradient = by(&store, last.as_tensor())?;
        for (layer, kept) in decoder.layers().iter().zip(self.layers).rev() {
            let output = match kept.output {
                Some(output) => output,
                None => layer.forward(kept.input.as_tensor(), &self.step, None)?,
            };
            let store = back(&output, &gradient)?;
            for adapter in layer.projections().iter().filter_map(|projection| projection.adapter()) {
                for (name, variable) in adapter.variables() {
                    gradients.add(&name, &by(&store, variable.as_tensor())?)?;
                }
            }
            for own in layer.parameters() {
                gradients.add(&own.name, &by(&store, &own.tensor)?)?;
            }
            gradient = by(&store, kept.input.as_tensor())?;
        }
        Ok(gradient)
    }
}

/// Candle begins with ones at a single number: the sum of the products has `gradient` as its derivative by `output`.
fn back(output: &Tensor, gradient: &Tensor) -> Result<GradStore> {
    let gradient = gradient.detach().to_dtype(output.dtype())?;
    Ok((output * gradient)?.sum_all()?.backward()?)
}

fn by(store: &GradStore, variable: &Tensor) -> Result<Tensor> {
    match store.get(variable) {
        Some(gradient) => Ok(gradient.clone()),
        None => Ok(variable.zeros_like()?.detach()),
    }
}

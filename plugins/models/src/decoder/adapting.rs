//! A decoder's adapter: put on, taken off, merged into the weights and taken out of them again; and weights that are trained
//! themselves, taken into the form that the decoder runs with.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use super::projection::{Frozen, Projection};
use super::{Decoder, Layer, MODULES};
use crate::lora::LoraAdapter;
use crate::{ModelError, Result};

impl Decoder {
    /// Names of all linear layers within the stack, `layers.0.self_attn.q_proj`, with (inputs, outputs).
    pub fn linear_layers(&self) -> impl Iterator<Item = (String, (usize, usize))> {
        self.layers.iter().enumerate().flat_map(|(index, layer)| {
            let named = move |module: &str| format!("layers.{index}.{module}");
            layer.projections().iter().zip(MODULES).map(move |(p, module)| (named(module), p.size()))
        })
    }

    /// Another decoder over the same weights, without the adapter: it takes no memory of its own, and what is merged into
    /// one of them is not merged into the other.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            config: self.config.clone(),
            embedding: self.embedding.clone(),
            head: self.head.clone(),
            layers: self.layers.iter().map(Layer::share).collect(),
            norm: self.norm.clone(),
            device: self.device.clone(),
            dtype: self.dtype,
            own: super::Own::default(),
        }
    }

    /// Takes variables that were set into the form that the decoder runs with. A decoder of a source that is not
    /// [trainable](crate::tensors::Source::trainable) stays as it is.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn refresh(&mut self) -> Result<()> {
        let taken = |parameter: &Option<crate::tensors::Parameter>| {
            parameter.as_ref().map(|own| Frozen::new(own.tensor.detach())).transpose()
        };
        if let Some(embedding) = taken(&self.own.embedding)? {
            self.embedding = embedding;
        }
        if let Some(head) = taken(&self.own.head)? {
            self.head = Some(head);
        }
        let projections = self.layers.iter_mut().flat_map(|layer| layer.projections_mut());
        projections.into_iter().try_for_each(Projection::refresh)
    }

    /// The weights of a linear layer, `(outputs, inputs)`, without its adapter; none for a name that there is not.
    pub fn weight(&self, name: &str) -> Option<Result<Tensor>> {
        let mut projections = self.layers.iter().flat_map(Layer::projections);
        let found = self.linear_layers().position(|(layer, _)| layer == name)?;
        projections.nth(found).map(|projection| projection.frozen().to_tensor(&self.device))
    }

    /// Puts an adapter on, in place of one that is there. The decoder shares its matrices: training changes both.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for a layer that this decoder does not have, or has in another size.
    pub fn attach(&mut self, adapter: &LoraAdapter) -> Result<()> {
        let sizes: BTreeMap<_, _> = self.linear_layers().collect();
        for (name, inputs, outputs) in adapter.sizes() {
            if sizes.get(name) != Some(&(inputs, outputs)) {
                return Err(ModelError::Unfit {
                    label: "the adapter".to_owned(),
                    reason: format!(
                        "{name} with {inputs} inputs and {outputs} outputs is no layer of this decoder"
                    ),
                });
            }
        }
        for (index, layer) in self.layers.iter_mut().enumerate() {
            for (projection, module) in layer.projections_mut().iter_mut().zip(MODULES) {
                projection.set_adapter(adapter.layer(&format!("layers.{index}.{module}")).cloned());
            }
        }
        Ok(())
    }

    /// Takes the adapter off.
    pub fn detach(&mut self) {
        let projections = self.layers.iter_mut().flat_map(|layer| layer.projections_mut());
        projections.for_each(|projection| projection.set_adapter(None));
    }

    /// Adds the adapter's products to the weights, in float32, and takes it off. The weights that were there stay for
    /// [`Pass::Reference`](super::Pass::Reference) and for [`Decoder::unmerge`], which takes as much memory again for the layers
    /// concerned; quantised ones become floats.
    ///
    /// # Errors
    /// Failures of the device; some layers may be merged then, and [`Decoder::unmerge`] undoes it.
    pub fn merge(&mut self) -> Result<()> {
        let (device, dtype) = (self.device.clone(), self.dtype);
        for projection in self.layers.iter_mut().flat_map(|layer| layer.projections_mut()) {
            let Some(adapter) = projection.adapter() else { continue };
            let weight = projection.frozen().to_tensor(&device)?.to_dtype(DType::F32)?;
            let merged = (weight + adapter.product()?)?.to_dtype(dtype)?;
            projection.merge(Frozen::new(merged)?);
        }
        Ok(())
    }

    /// Puts back the weights from before all merges, bit for bit.
    pub fn unmerge(&mut self) {
        let projections = self.layers.iter_mut().flat_map(|layer| layer.projections_mut());
        projections.for_each(Projection::unmerge);
    }

    /// Lets go of the weights from before the merges: what is merged becomes the reference.
    pub fn keep_merged(&mut self) {
        let projections = self.layers.iter_mut().flat_map(|layer| layer.projections_mut());
        projections.for_each(Projection::keep_merged);
    }
}

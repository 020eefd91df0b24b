//! Keys and values of the tokens that were read.

use candle_core::{Device, Tensor};

use super::Decoder;
use crate::{ModelError, Result};

/// Tokens that room is made for at once.
const STEP: usize = 256;

/// Keys and values of every layer, so that a token that follows costs one row of work.
///
/// All rows have the same number of columns; those of shorter prompts begin with padding.
pub struct KvCache {
    layers: Vec<LayerCache>,
}

/// One layer's part: `(rows, room, heads x head_dim)`, of which the first `length` columns count.
#[derive(Default)]
pub(crate) struct LayerCache {
    held: Option<(Tensor, Tensor)>,
    length: usize,
}

impl KvCache {
    /// An empty cache.
    pub fn new(decoder: &Decoder) -> Self {
        Self { layers: (0..decoder.config().num_hidden_layers).map(|_| LayerCache::default()).collect() }
    }

    /// Columns: tokens that were read, padding included.
    pub fn len(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.length)
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows `rows[0]`, `rows[1]`, ... in this order: repeat a row to go on from one prompt several times, leave out rows that
    /// have ended. Memory is copied: `2 x layers x columns x heads x head_dim` values a row.
    ///
    /// # Errors
    /// A row that is not there, and failures of the device.
    pub fn select_rows(&mut self, rows: &[usize]) -> Result<()> {
        for layer in &mut self.layers {
            layer.select_rows(rows)?;
        }
        Ok(())
    }

    /// Forgets all columns after the first `length`.
    pub fn truncate(&mut self, length: usize) {
        for layer in &mut self.layers {
            layer.length = layer.length.min(length);
        }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        let of = |t: &Tensor| t.elem_count() * t.dtype().size_in_bytes();
        self.layers.iter().filter_map(|l| l.held.as_ref()).map(|(k, v)| of(k) + of(v)).sum()
    }

    pub(super) fn layer(&mut self, index: usize) -> Option<&mut LayerCache> {
        self.layers.get_mut(index)
    }

    pub(super) fn layer_count(&self) -> usize {
        self.layers.len()
    }
}

impl LayerCache {
    /// Appends `key` and `value`, `(rows, tokens, width)`, and gives all so far, with room behind them.
    pub(super) fn append(&mut self, key: &Tensor, value: &Tensor) -> Result<(Tensor, Tensor)> {
        let (rows, tokens, width) = key.dims3()?;
        let needed = self.length + tokens;
        let room = self.held.as_ref().map_or(0, |(k, _)| k.dims()[1]);
        if let Some((held, _)) = self.held.as_ref().filter(|(k, _)| k.dims()[0] != rows) {
            return Err(ModelError::Input {
                found: format!("{rows} rows with a cache of {}", held.dims()[0]),
                expected: "as many rows as the cache has; select_rows changes them",
            });
        }
        let (keys, values) = match self.held.take() {
            Some(held) if needed <= room => held,
            before => {
                // Doubled, so that a long answer is copied a few times only.
                let room = needed.max((2 * room).min(room + 8 * STEP)).next_multiple_of(STEP);
                let grown = |old: Option<&Tensor>| -> Result<Tensor> {
                    let new = Tensor::zeros((rows, room, width), key.dtype(), key.device())?;
                    if let (Some(old), 1..) = (old, self.length) {
                        new.slice_set(&old.narrow(1, 0, self.length)?.contiguous()?, 1, 0)?;
                    }
                    Ok(new)
                };
                (grown(before.as_ref().map(|(k, _)| k))?, grown(before.as_ref().map(|(_, v)| v))?)
            }
        };
        keys.slice_set(&key.contiguous()?, 1, self.length)?;
        values.slice_set(&value.contiguous()?, 1, self.length)?;
        self.length = needed;
        self.held = Some((keys.clone(), values.clone()));
        Ok((keys, values))
    }

    fn select_rows(&mut self, rows: &[usize]) -> Result<()> {
        let Some((keys, values)) = &self.held else { return Ok(()) };
        let index: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        let index = Tensor::from_vec(index, rows.len(), &Device::Cpu)?.to_device(keys.device())?;
        // The room behind the columns stays, so that the next token finds it.
        self.held = Some((keys.index_select(&index, 0)?, values.index_select(&index, 0)?));
        Ok(())
    }
}

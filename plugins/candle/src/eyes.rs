//! Embeddings of pictures. Tower and projector are the same for every question about a picture, so what they made of it is kept, within
//! bounds.

use std::collections::VecDeque;

use adeval_models::llava::grid::Extent;
use candle_core::Tensor;

/// Bytes of embeddings that are kept: 5 pictures of a 7B model in five tiles, and thousands of a tiny one's.
const MOST: usize = 256 << 20;

/// A picture's embeddings, and its size in pixels.
#[derive(Clone)]
pub struct Seen {
    /// (positions, hidden).
    pub embeds: Tensor,
    /// Of the picture.
    pub size: Extent,
}

impl Seen {
    fn bytes(&self) -> usize {
        self.embeds.elem_count() * self.embeds.dtype().size_in_bytes()
    }
}

/// Pictures that were seen, the oldest first.
#[derive(Default)]
pub struct Eyes {
    seen: VecDeque<(String, Seen)>,
    bytes: usize,
}

impl Eyes {
    /// The embeddings of the picture of this key, without a graph: those that are kept, or those that `look` gives.
    ///
    /// # Errors
    /// Those of `look`.
    pub fn look<E>(&mut self, key: String, look: impl FnOnce() -> Result<Seen, E>) -> Result<Seen, E> {
        if let Some((_, seen)) = self.seen.iter().find(|(known, _)| *known == key) {
            return Ok(seen.clone());
        }
        let Seen { embeds, size } = look()?;
        let seen = Seen { embeds: embeds.detach(), size };
        self.bytes += seen.bytes();
        self.seen.push_back((key, seen.clone()));
        self.bound();
        Ok(seen)
    }

    fn bound(&mut self) {
        while self.bytes > MOST
            && let Some((_, oldest)) = self.seen.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// Forgets all: the tower is another one.
    pub fn close(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn what_is_kept_is_bounded() {
        let mut eyes = Eyes::default();
        let large = Seen {
            embeds: Tensor::zeros(MOST / 8, DType::F32, &Device::Cpu).expect("zeros"),
            size: Extent { height: 1, width: 1 },
        };
        for number in 0..5 {
            eyes.bytes += large.bytes();
            eyes.seen.push_back((number.to_string(), large.clone()));
        }
        assert!(eyes.bytes > MOST);
        eyes.bound();
        assert_eq!(eyes.seen.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["3", "4"]);
        assert_eq!(eyes.bytes, MOST);
        eyes.close();
        assert_eq!((eyes.bytes, eyes.seen.len()), (0, 0));
    }
}

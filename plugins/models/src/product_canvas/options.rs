//! What can be chosen about a canvas, and where that puts the product.

use super::{CanvasError, Placement};

/// Canvas, size of the product and treatment of its edge. The default is the paper's setting.
#[derive(Clone, Debug, PartialEq)]
pub struct CanvasOptions {
    /// Width of the canvas in pixels; 512.
    pub width: u32,
    /// Height of the canvas in pixels; 512.
    pub height: u32,
    /// The product's share of the canvas along the side that binds it, above 0 and at most 1; 0.78.
    pub share: f64,
    /// Whether a product smaller than its share is enlarged; `true`.
    pub enlarge: bool,
    /// Canny's thresholds, low and high; 100 and 200.
    pub canny: [f64; 2],
    /// Side in pixels of the square with which the outside of the product is dilated; 20. The band just inside the outline is
    /// repainted too, so that edge and background are painted as one; 1 or 0 for no band. Parts of a product
    /// thinner than this side are repainted wholly, until the paste brings them back.
    pub dilation: u32,
    /// Pixels by which the kept area is grown in all directions after the dilation; 0.
    ///
    /// Positive keeps more: with a dilation of 20, a rim of 10 keeps the product to within a pixel of its outline, which stops
    /// the painter from drawing the product larger than it is from inside; a rim above half the dilation also keeps the black around the
    /// product, which shows in the result unless the caller paints something under it. Negative repaints a wider band inside the
    /// outline.
    pub rim: i32,
    /// Softness of the paste in pixels; 0. Above 0, the product fades in over the `2 * feather` pixels inside its outline;
    /// never outside of it.
    pub feather: u32,
}

impl Default for CanvasOptions {
    fn default() -> Self {
        Self {
            width: 512,
            height: 512,
            share: 0.78,
            enlarge: true,
            canny: [100.0, 200.0],
            dilation: 20,
            rim: 0,
            feather: 0,
        }
    }
}

impl CanvasOptions {
    /// The place of a product of `width` x `height` pixels: its binding side takes the share, rounded down, the other follows
    /// in proportion, rounded, and is at least one pixel; centred, an odd pixel left over going to the right and the bottom.
    pub(super) fn place(&self, width: u32, height: u32) -> Result<Placement, CanvasError> {
        let share = self.share;
        if !(share > 0.0 && share <= 1.0) {
            return Err(CanvasError::Share { share });
        }
        let room = [self.width, self.height].map(|side| (share * f64::from(side)) as u32);
        if room.contains(&0) {
            return Err(CanvasError::TooSmall { width: self.width, height: self.height, share });
        }
        let [width, height] = if !self.enlarge && width <= room[0] && height <= room[1] {
            [width, height]
        } else if u64::from(width) * u64::from(room[1]) >= u64::from(height) * u64::from(room[0]) {
            [room[0], in_proportion(height, room[0], width).min(room[1])]
        } else {
            [in_proportion(width, room[1], height).min(room[0]), room[1]]
        };
        Ok(Placement { x: (self.width - width) / 2, y: (self.height - height) / 2, width, height })
    }
}

/// `side * to / from`, rounded, at least 1.
fn in_proportion(side: u32, to: u32, from: u32) -> u32 {
    let (side, to, from) = (u64::from(side), u64::from(to), u64::from(from));
    ((2 * side * to + from) / (2 * from)).max(1) as u32
}

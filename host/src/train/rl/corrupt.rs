//! Corrupted conditions: what an optimizer holds a true one against.

use super::plan::Item;
use crate::train::schedule::shuffled;
use adeval_sdk::{Corruption, Product};

/// The product with its image or text corrupted; `other` is another product.
pub fn corrupted(item: &Item, corruption: &Corruption, other: &Item, seed: u64) -> Product {
    match corruption {
        Corruption::MaskedImage { patch, share } => masked(&item.product, *patch, *share, seed),
        // The text is all but the image.
        Corruption::SwappedText | Corruption::SwappedPair => {
            Product { image: item.product.image.clone(), ..other.product.clone() }
        }
    }
}

/// The product with a share of its image's patches set to zero in all channels; which, the seed decides.
fn masked(product: &Product, patch: u32, share: f64, seed: u64) -> Product {
    let mut image = product.image.to_rgba();
    let patch = patch.max(1);
    let (columns, rows) = (image.width().div_ceil(patch), image.height().div_ceil(patch));
    let count = columns as usize * rows as usize;
    let zeroed = (share * count as f64).round() as usize;
    for at in shuffled(count, seed).into_iter().take(zeroed) {
        let (left, top) = (at as u32 % columns * patch, at as u32 / columns * patch);
        for y in top..(top + patch).min(image.height()) {
            for x in left..(left + patch).min(image.width()) {
                image.get_pixel_mut(x, y).0 = [0; 4];
            }
        }
    }
    Product { image: image.into(), ..product.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    fn item(title: &str) -> Item {
        let image = RgbaImage::from_pixel(100, 70, Rgba([9, 9, 9, 255]));
        Item { product: Product::new(title, title, image.into()), hash: title.into() }
    }

    #[test]
    fn a_share_of_the_patches_is_zeroed_by_seed() {
        let (mug, shoe) = (item("mug"), item("shoe"));
        let mask = |share, seed| {
            let corruption = Corruption::MaskedImage { patch: 32, share };
            corrupted(&mug, &corruption, &shoe, seed).image.to_rgba()
        };
        // 4 x 3 patches, of which those at the right and the lower edge are smaller.
        let zeroed = |image: &RgbaImage| {
            (0..3)
                .flat_map(|r| (0..4).map(move |c| (32 * c, 32 * r)))
                .filter(|&(x, y)| image.get_pixel(x, y).0[3] == 0)
                .count()
        };
        assert_eq!([0.0, 0.75, 1.0].map(|share| zeroed(&mask(share, 1))), [0, 9, 12]);
        assert_eq!(mask(0.75, 1), mask(0.75, 1));
        assert_ne!(mask(0.75, 1), mask(0.75, 2));
        assert!(mask(1.0, 1).pixels().all(|p| p.0 == [0; 4]));
    }

    #[test]
    fn a_swap_keeps_the_image_and_takes_all_of_the_text() {
        let (mug, shoe) = (item("mug"), item("shoe"));
        let swapped = corrupted(&mug, &Corruption::SwappedText, &shoe, 0);
        assert_eq!((swapped.title.as_str(), swapped.image.hash()), ("shoe", mug.product.image.hash()));
    }
}

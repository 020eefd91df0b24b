//! Held-out products before the first and after the last epoch, to look at: a contact sheet, and the prompts in words.

use super::Work;
use super::creatives::Draw;
use crate::sheet;
use crate::store::write_whole;
use crate::train::TrainError;
use std::fmt::Write as _;
use std::path::PathBuf;

/// The sheet in a training's folder: a product's creative before and after, side by side.
pub const SHEET: &str = "sheets/before-after.png";
/// The prompts, in the order of the sheet.
pub const WORDS: &str = "before-after.md";

/// Products that fit on a sheet.
const MOST: usize = 48;

impl Work<'_> {
    /// Writes both, of the first sample of each held-out product, in the order of the plan: none is chosen.
    pub fn show(&self, epochs: u32) -> Result<(), TrainError> {
        let (before, after) = (Draw::HeldOut(0), Draw::HeldOut(epochs));
        let mut images: Vec<PathBuf> = Vec::new();
        let mut words = format!("| product | before | after epoch {epochs} |\n|---|---|---|\n");
        for item in self.plan.held_out.iter().take(MOST) {
            let said = [before, after].map(|draw| self.samples(draw, item).into_iter().next());
            let [Some(then), Some(now)] = said else { continue };
            for (draw, sample) in [(before, &then), (after, &now)] {
                // A creative that failed leaves its place empty.
                let image = self.creative(draw, item, &sample.text);
                images.push(image.map_or_else(PathBuf::new, |hash| self.store.image_path(&hash)));
            }
            let _ = writeln!(words, "| {} | {} | {} |", item.product.id, cell(&then.text), cell(&now.text));
        }
        if images.is_empty() {
            return Ok(());
        }
        let dir = self.store.dir();
        sheet::write(&dir.join(SHEET), &images)?;
        Ok(write_whole(&dir.join(WORDS), words.as_bytes())?)
    }
}

/// On one line, and no end of a cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

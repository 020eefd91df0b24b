//! The reward model of CAIG: two creatives side by side in one picture, a question which of them users prefer, and two linear heads
//! on the last token's hidden state, one for the side and one for the click-through rates (arXiv 2502.06823, section 3.2).
//!
//! What the paper leaves open and is chosen here: the first number of either head belongs to the left creative, the point head's
//! numbers are rates as they are, and a creative alone is shown beside itself.

mod heads;
mod questions;
mod training;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Tensor, Var};
use image::{RgbImage, imageops};

pub use heads::{HeadSource, Heads, Judgement};
pub use questions::{Question, Questions, Subject};
pub use training::{Label, Learning, Losses};

use super::grid::Extent;
use super::model::{Llava, LoadOptions};
use super::prompt::LlavaPrompt;
use crate::clip::preprocess::resize_bicubic;
use crate::decoder::Pass;
use crate::language::{Message, Rendering};
use crate::tensors::Weights;
use crate::{ModelError, Result};

/// Side in pixels that a creative is seen at.
pub const SIDE: u32 = 512;

/// In which orders a pair is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orders {
    /// As given: what the paper does.
    One,
    /// Also with the sides exchanged, and the mean of both: what is left is no liking for a side.
    Both,
}

/// Two creatives of one product.
#[derive(Clone, Debug)]
pub struct Pair<'a> {
    /// The left one.
    pub left: &'a RgbImage,
    /// The right one.
    pub right: &'a RgbImage,
    /// What is known of the product.
    pub subject: &'a Subject,
    /// Chooses among the wordings of the question.
    pub seed: u64,
}

/// A LLaVA with the two heads.
pub struct LlavaReward {
    llava: Llava,
    heads: Heads,
    questions: Questions,
}

impl LlavaReward {
    /// Loads a checkpoint with heads, `score.weight` and `sku_ctr_linear_fc.0.weight`, beside a LLaVA in any layout.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for a LLaVA without heads where `source` wants them of the checkpoint; else as [`Llava::load`].
    pub fn load(dir: &Path, options: &LoadOptions, questions: Questions, source: HeadSource) -> Result<Self> {
        let heads = |root: &Weights, hidden| Heads::load(root, hidden, source);
        let (llava, heads) = Llava::load_with(dir, options, false, heads)?;
        Ok(Self { llava, heads, questions })
    }

    /// As [`LlavaReward::load`], with all weights as variables, so that the whole can be trained: see [`LlavaReward::variables`].
    ///
    /// # Errors
    /// As [`LlavaReward::load`] and [`Llava::load_trainable`].
    pub fn load_trainable(
        dir: &Path,
        options: &LoadOptions,
        questions: Questions,
        source: HeadSource,
    ) -> Result<Self> {
        let heads = |root: &Weights, hidden| Heads::load(root, hidden, source);
        let (llava, heads) = Llava::load_trainable_with(dir, options, false, heads)?;
        Ok(Self { llava, heads, questions })
    }

    /// All weights that are trained but those of an adapter, by their names in the layout of transformers 5: the heads', and, if it was
    /// loaded to be trained, all others.
    pub fn variables(&self) -> BTreeMap<String, Var> {
        let model = self.llava.variables().iter().map(|(name, variable)| (name.clone(), variable.clone()));
        model.chain(self.heads.variables()).collect()
    }

    /// The model under the heads.
    pub const fn llava(&self) -> &Llava {
        &self.llava
    }

    /// The same, to put an adapter on, or to refresh it after its variables were set.
    pub const fn llava_mut(&mut self) -> &mut Llava {
        &mut self.llava
    }

    /// The heads.
    pub const fn heads(&self) -> &Heads {
        &self.heads
    }

    /// Judges pairs, in one pass for each order.
    ///
    /// # Errors
    /// As [`LlavaReward::look`] and [`LlavaReward::asked`], and [`ModelError::Numerical`] for scores that are none.
    pub fn compare(&self, pairs: &[Pair], orders: Orders) -> Result<Vec<Judgement>> {
        self.compare_with(pairs, orders, |pair| self.look(pair.left, pair.right))
    }

    /// As [`LlavaReward::compare`], with the embeddings of pairs that `look` gives: those of [`LlavaReward::look`], which may be kept as
    /// long as tower and projector stay as they are.
    ///
    /// # Errors
    /// As [`LlavaReward::compare`].
    pub fn compare_with(
        &self,
        pairs: &[Pair],
        orders: Orders,
        mut look: impl FnMut(&Pair) -> Result<Tensor>,
    ) -> Result<Vec<Judgement>> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let straight = self.judge(pairs, &mut look)?;
        if orders == Orders::One {
            return Ok(straight);
        }
        let turned: Vec<Pair> =
            pairs.iter().map(|pair| Pair { left: pair.right, right: pair.left, ..pair.clone() }).collect();
        let turned = self.judge(&turned, &mut look)?;
        Ok(straight.iter().zip(&turned).map(|(one, other)| one.mean(&other.turned())).collect())
    }

    /// The predicted click-through rate of creatives alone: each is shown beside itself, and both rates are averaged.
    ///
    /// # Errors
    /// As [`LlavaReward::compare`].
    pub fn rates(&self, creatives: &[(&RgbImage, &Subject, u64)]) -> Result<Vec<f64>> {
        let pairs: Vec<Pair> = creatives
            .iter()
            .map(|&(creative, subject, seed)| Pair { left: creative, right: creative, subject, seed })
            .collect();
        let judged = self.compare(&pairs, Orders::One)?;
        Ok(judged.iter().map(|judgement| (judgement.rates[0] + judgement.rates[1]) / 2.0).collect())
    }

    /// The embeddings of two creatives side by side, (positions, hidden). Where the tower is trained they have their graph.
    ///
    /// # Errors
    /// As [`Llava::look`], and [`ModelError::Image`] for a creative without pixels.
    pub fn look(&self, left: &RgbImage, right: &RgbImage) -> Result<Tensor> {
        self.llava.look(&side_by_side(left, right)?)
    }

    /// What is asked of a pair, with the places of its picture.
    ///
    /// # Errors
    /// As [`Llava::render`] and [`Llava::prompt`].
    pub fn asked(&self, pair: &Pair) -> Result<LlavaPrompt> {
        let question = self.questions.ask(pair.subject, pair.seed);
        let text = self.llava.render(&[Message::shown(1, question)], &Rendering::default())?;
        self.llava.prompt(&text, &[Extent { height: SIDE, width: 2 * SIDE }])
    }

    fn judge(
        &self,
        pairs: &[Pair],
        look: &mut impl FnMut(&Pair) -> Result<Tensor>,
    ) -> Result<Vec<Judgement>> {
        let embeds = pairs.iter().map(|pair| self.llava.embed(&self.asked(pair)?, &[look(pair)?]));
        let embeds = embeds.collect::<Result<Vec<_>>>()?;
        let hidden = self.llava.hidden(&embeds, Pass::Inference)?;
        self.heads.judge(&last(&hidden)?)
    }
}

/// The hidden state of every row's last token: rows are filled up on their left, so it is the last column.
fn last(hidden: &Tensor) -> Result<Tensor> {
    Ok(hidden.narrow(1, hidden.dim(1)? - 1, 1)?.squeeze(1)?)
}

/// The two creatives in one picture, each [`SIDE`] pixels wide and high.
///
/// # Errors
/// [`ModelError::Image`] for a creative without pixels.
pub fn side_by_side(left: &RgbImage, right: &RgbImage) -> Result<RgbImage> {
    let mut picture = RgbImage::new(2 * SIDE, SIDE);
    for (creative, x) in [(left, 0), (right, i64::from(SIDE))] {
        let (width, height) = creative.dimensions();
        if width == 0 || height == 0 {
            return Err(ModelError::Image { width, height, reason: "it has no pixels".to_owned() });
        }
        imageops::replace(&mut picture, &resize_bicubic(creative, SIDE, SIDE), x, 0);
    }
    Ok(picture)
}

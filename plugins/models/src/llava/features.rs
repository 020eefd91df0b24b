//! From tiles to the embeddings that stand for a picture in a prompt: tower, choice of layer, projector, order.

use candle_core::{D, DType, Tensor};

use super::grid::Extent;
use super::image::{Aspect, Prepared};
use super::pack::{self, Merge, Patches, Place};
use super::projector::{Projector, ProjectorConfig};
use crate::clip::vision::{VisionConfig, VisionTower};
use crate::tensors::Weights;
use crate::{ModelError, Result};

/// Which tokens of a layer are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
pub enum Select {
    /// The patches.
    #[serde(alias = "default", alias = "patch")]
    Patches,
    /// The class token as well.
    #[serde(alias = "full", alias = "cls_patch")]
    All,
}

/// How a picture becomes embeddings.
#[derive(Clone, Debug)]
pub struct FeaturesConfig {
    /// The tower.
    pub vision: VisionConfig,
    /// Its hidden states that are looked at, joined along their width: 0 is the first layer's input, -1 the last output.
    pub layers: Vec<i64>,
    /// Which of their tokens.
    pub select: Select,
    /// From their width to the language model's.
    pub projector: ProjectorConfig,
    /// How pictures come.
    pub aspect: Aspect,
    /// In which order tiles go.
    pub merge: Merge,
}

impl FeaturesConfig {
    /// Numbers of the hidden states.
    fn states(&self) -> std::result::Result<Vec<usize>, String> {
        let count = self.vision.num_hidden_layers as i64 + 1;
        let state = |&layer: &i64| {
            let number = if layer < 0 { count + layer } else { layer };
            usize::try_from(number).ok().filter(|_| number < count).ok_or_else(|| {
                format!("vision_feature_layer {layer} is none of the {count} states of the vision tower")
            })
        };
        if self.layers.is_empty() {
            return Err("vision_feature_layer names no layer; -2 is usual".to_owned());
        }
        self.layers.iter().map(state).collect()
    }

    fn patches(&self) -> Patches {
        let side = (self.vision.image_size / self.vision.patch_size.max(1)) as u32;
        Patches { side, leading: u32::from(self.select == Select::All) }
    }

    fn needs_newline(&self) -> bool {
        matches!(self.aspect, Aspect::Anyres(_)) && self.merge == Merge::SpatialUnpad
    }

    /// The order of a picture's features; its length is the number of positions that the picture takes in a prompt.
    pub fn order(&self, size: Extent) -> Vec<Place> {
        pack::order(&self.aspect, self.merge, self.patches(), size)
    }

    fn fault(&self) -> Option<String> {
        let VisionConfig { hidden_size, image_size, .. } = self.vision;
        let width = hidden_size * self.layers.len();
        if self.projector.inputs != width {
            let inputs = self.projector.inputs;
            return Some(format!(
                "the tower gives features of {width} numbers, the projector takes {inputs}"
            ));
        }
        match &self.aspect {
            Aspect::Anyres(pinpoints) if pinpoints.tile() as usize != image_size => Some(format!(
                "tiles have {} pixels, and the vision tower's image_size is {image_size}; make crop_size of the image \
                 processor equal to it",
                pinpoints.tile()
            )),
            Aspect::Anyres(_) if self.merge != Merge::Flat && self.select == Select::All => Some(
                "tiles cannot be joined to a map with their class tokens: set vision_feature_select_strategy to \"default\""
                    .to_owned(),
            ),
            _ => None,
        }
    }
}

/// Tower and projector with their weights.
pub struct Features {
    config: FeaturesConfig,
    states: Vec<usize>,
    tower: VisionTower,
    projector: Projector,
    newline: Option<Tensor>,
}

impl Features {
    /// Builds it from three places: the tower's (with or without `vision_model`), the projector's, and the one that holds
    /// `image_newline`, which is only asked for where lines are joined with it. Layers of the tower above the last one that
    /// is looked at are not loaded.
    ///
    /// # Errors
    /// [`ModelError::Unfit`] for a configuration that contradicts itself; what the weights lack is told by
    /// [`crate::tensors::Source::finish`].
    pub fn load(
        config: FeaturesConfig,
        tower: &Weights,
        projector: &Weights,
        newline: &Weights,
    ) -> Result<Self> {
        let unfit = |reason| ModelError::Unfit { label: projector.label().to_owned(), reason };
        let states = config.states().map_err(unfit)?;
        if let Some(reason) = config.fault() {
            return Err(unfit(reason));
        }
        let tower = if tower.has("vision_model.embeddings.class_embedding") {
            tower.pp("vision_model")
        } else {
            tower.clone()
        };
        let highest = states.iter().copied().max().unwrap_or_default();
        let hidden = config.projector.hidden;
        Ok(Self {
            tower: VisionTower::load(&tower, &config.vision, highest)?,
            projector: Projector::load(&config.projector, projector)?,
            newline: config.needs_newline().then(|| newline.get("image_newline", &[hidden])).transpose()?,
            states,
            config,
        })
    }

    /// Its configuration.
    pub const fn config(&self) -> &FeaturesConfig {
        &self.config
    }

    /// Layers of the tower that are loaded.
    pub fn layers(&self) -> usize {
        self.states.iter().copied().max().unwrap_or_default()
    }

    /// The embeddings of one picture, (positions, hidden), in the order of [`FeaturesConfig::order`].
    ///
    /// # Errors
    /// [`ModelError::Input`] for tiles of another number or size than the configuration has them, and failures of the device.
    pub fn forward(&self, picture: &Prepared) -> Result<Tensor> {
        let order = self.config.order(picture.size);
        if picture.tiles.dims().first() != Some(&self.config.aspect.tiles(picture.size)) {
            return Err(ModelError::Input {
                found: format!("{:?}, for a picture of {:?}", picture.tiles.dims(), picture.size),
                expected: "tiles as the image processor of the same configuration makes them",
            });
        }
        let projected = self.projector.forward(&self.selected(&picture.tiles)?)?;
        let (tiles, tokens, hidden) = projected.dims3()?;
        let mut table = projected.reshape((tiles * tokens, hidden))?;
        if let Some(newline) = &self.newline {
            table = Tensor::cat(&[table, newline.reshape((1, hidden))?], 0)?;
        }
        let row = |place: &Place| match *place {
            Place::Token { tile, token } => tile * tokens as u32 + token,
            Place::Newline => (tiles * tokens) as u32,
        };
        let rows: Vec<u32> = order.iter().map(row).collect();
        let rows = Tensor::from_vec(rows, order.len(), table.device())?;
        Ok(table.index_select(&rows, 0)?)
    }

    /// The features of the wanted layers and tokens, (tiles, tokens, width).
    fn selected(&self, tiles: &Tensor) -> Result<Tensor> {
        let tiles = tiles.to_device(self.tower.device())?;
        let found = self.tower.states(&tiles, |number| self.states.contains(&number))?;
        let mut sorted = self.states.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let states = self.states.iter().map(|state| {
            let at = sorted.iter().position(|other| other == state).unwrap_or_default();
            let state = &found[at];
            match self.config.select {
                Select::All => Ok(state.clone()),
                Select::Patches => state.narrow(1, 1, state.dim(1)? - 1),
            }
        });
        Ok(Tensor::cat(&states.collect::<candle_core::Result<Vec<_>>>()?, D::Minus1)?)
    }

    /// The element type that embeddings come in.
    pub fn dtype(&self) -> DType {
        self.tower.dtype()
    }
}

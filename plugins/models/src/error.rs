//! What can go wrong when a model is loaded or run.

use std::path::PathBuf;

/// Result with a [`ModelError`].
pub type Result<T> = std::result::Result<T, ModelError>;

/// A checkpoint or an input that does not fit the model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The checkpoint file cannot be read.
    #[error("cannot read the weights {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file asked for.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Weight files cannot be opened, or are damaged.
    #[error("the weights {label} cannot be loaded: {reason}; is the file complete?")]
    Weights {
        /// The files, as messages name them.
        label: String,
        /// The reader's reason.
        reason: String,
    },
    /// A configuration beside the weights does not describe a model that can be built.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// Files that were read, and whose contents do not go with the model.
    #[error("{label}: {reason}")]
    Unfit {
        /// The files, as messages name them.
        label: String,
        /// What does not fit, and what would.
        reason: String,
    },
    /// A checkpoint's files are missing, damaged, or of another model.
    #[error(transparent)]
    Checkpoint(#[from] adeval_checkpoints::CheckpointError),
    /// The bytes are not a safetensors file.
    #[error("the weights are not a readable safetensors file ({reason}); is the file complete?")]
    NotSafetensors {
        /// The parser's reason.
        reason: String,
    },
    /// The checkpoint holds other tensors than the model.
    #[error(
        "the weights are not those of {model}: missing [{}], unexpected [{}]",
        listed(missing),
        listed(unexpected)
    )]
    Keys {
        /// The model that was to be loaded.
        model: &'static str,
        /// Tensors that the model needs and the checkpoint lacks, sorted.
        missing: Vec<String>,
        /// Tensors of the checkpoint that the model does not know, sorted.
        unexpected: Vec<String>,
    },
    /// A tensor has an element type other than 32-bit float.
    #[error("tensor {name} is {found}, expected F32; convert the checkpoint to float32")]
    Dtype {
        /// Name of the tensor.
        name: String,
        /// Element type found.
        found: String,
    },
    /// A tensor has the wrong shape.
    #[error("tensor {name} has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape found.
        found: Vec<usize>,
        /// Shape that the model needs.
        expected: Vec<usize>,
    },
    /// A tensor holds a value that is not finite, or a batch norm a negative variance.
    #[error("tensor {name} holds {value}, which no trained model does; the checkpoint is damaged")]
    Value {
        /// Name of the tensor.
        name: String,
        /// The value at fault.
        value: f32,
    },
    /// The input of a forward pass has the wrong shape or element type.
    #[error("the input is {found}, expected {expected}")]
    Input {
        /// What was passed.
        found: String,
        /// What the model takes.
        expected: &'static str,
    },
    /// An image cannot be scaled to the model's input size.
    #[error("cannot scale a {width}x{height} image to the input size: {reason}")]
    Image {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Why.
        reason: String,
    },
    /// A run gave numbers that are none.
    #[error("{what} hold NaN or infinity; {mend}")]
    Numerical {
        /// What does.
        what: &'static str,
        /// What may help.
        mend: &'static str,
    },
    /// Whoever watched the run ended it.
    #[error("the run was stopped by its caller")]
    Stopped,
    /// A tensor operation failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// At most eight names and the number of the others, so that a foreign checkpoint gives a readable message.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let head = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{head} and {} more", names.len() - SHOWN) } else { head }
}

//! Feature files: a safetensors file with one tensor, `features` (images x dimensions, float32), and names beside it.

use crate::bench::BenchError;
use crate::store::write_whole;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The tensor's name.
const TENSOR: &str = "features";
/// The key of the names in the file's metadata.
const ABOUT: &str = "adeval";

/// A set of features and what they are of.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureFile {
    /// What the rows are.
    pub about: About,
    /// One row an image.
    pub rows: Vec<Vec<f32>>,
}

/// What the rows of a file are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The encoder's short name.
    pub encoder: String,
    /// Size, resampling and normalisation, in words.
    pub preprocessing: String,
    /// Hash of the embedder, its weights and its parameters: features of another one must not be compared with these.
    pub fingerprint: String,
    /// The image of each row.
    pub images: Vec<String>,
    /// The product of each row.
    pub products: Vec<String>,
}

/// Why a file is not one of features; the message names the file and the mend.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .path.display())]
pub struct FeatureFileError {
    path: PathBuf,
    reason: String,
}

impl FeatureFile {
    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// [`BenchError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), BenchError> {
        let invalid = |e: String| BenchError::write(path)(std::io::Error::other(e));
        let dimension = self.rows.first().map_or(0, Vec::len);
        let bytes: Vec<u8> = self.rows.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![self.rows.len(), dimension], &bytes)
            .map_err(|e| invalid(e.to_string()))?;
        let about = serde_json::to_string(&self.about).map_err(|e| invalid(e.to_string()))?;
        let about = HashMap::from([(ABOUT.to_owned(), about)]);
        let file = serialize([(TENSOR, view)], Some(about)).map_err(|e| invalid(e.to_string()))?;
        write_whole(path, &file)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is none of features, or its parts do not fit together.
    pub fn read(path: &Path) -> Result<Self, FeatureFileError> {
        let wrong = |reason: String| FeatureFileError { path: path.to_owned(), reason };
        let again = "make it again with `adeval eval features`";
        let bytes = std::fs::read(path).map_err(|e| wrong(format!("cannot be read: {e}")))?;
        let damaged =
            |e: safetensors::SafeTensorError| wrong(format!("no whole safetensors file ({e}); {again}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(damaged)?;
        let about = header.metadata().as_ref().and_then(|about| about.get(ABOUT));
        let about = about
            .ok_or_else(|| wrong(format!("it does not say which images and encoder it is of; {again}")))?;
        let about: About = serde_json::from_str(about)
            .map_err(|e| wrong(format!("its description cannot be read ({e}); {again}")))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
        let view =
            tensors.tensor(TENSOR).map_err(|_| wrong(format!("it has no tensor \"{TENSOR}\"; {again}")))?;
        let (shape, dtype) = (view.shape().to_vec(), view.dtype());
        let ([rows, dimension], Dtype::F32) = (shape.as_slice(), dtype) else {
            return Err(wrong(format!(
                "\"{TENSOR}\" is {dtype:?} {shape:?}; it must be F32 [images, dimensions]"
            )));
        };
        for (names, what) in [(&about.images, "images"), (&about.products, "products")] {
            if names.len() != *rows {
                let given = names.len();
                return Err(wrong(format!(
                    "it has {rows} rows of features, but names {given} {what}; {again}"
                )));
            }
        }
        let values: Vec<f32> =
            view.data().as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        let rows = values.chunks_exact((*dimension).max(1)).map(<[f32]>::to_vec).collect();
        Ok(Self { about, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> FeatureFile {
        let names = vec!["a.png".to_owned(), "b.png".to_owned()];
        let about = About {
            encoder: "mean-colour".into(),
            preprocessing: "none".into(),
            fingerprint: "12".into(),
            images: names.clone(),
            products: names,
        };
        FeatureFile { about, rows: vec![vec![1.0, -2.5, f32::MIN_POSITIVE], vec![0.0, 3.0, 4.0]] }
    }

    #[test]
    fn files_come_back_as_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        file().write(&path).unwrap();
        assert_eq!(FeatureFile::read(&path).unwrap(), file());
    }

    #[test]
    fn what_is_no_feature_file_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        let message = || FeatureFile::read(&path).unwrap_err().to_string();
        assert!(message().contains("cannot be read"));
        file().write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert!(message().contains("no whole safetensors file"), "{}", message());
        let mut few = file();
        few.about.products.pop();
        few.write(&path).unwrap();
        assert!(message().contains("names 1 products"), "{}", message());
        let view = TensorView::new(Dtype::U8, vec![1], &[0]).unwrap();
        std::fs::write(&path, serialize([("x", view)], None).unwrap()).unwrap();
        assert!(message().contains("does not say which images"), "{}", message());
    }
}

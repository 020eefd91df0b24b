//! `adeval eval features`: pictures to feature vectors, in a file.

use super::super::exit::{Finish, Stop};
use super::super::{Session, output};
use super::set::{EmbedArgs, Failed, Sets};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const EXAMPLES: &str = "\
The file is a safetensors file with the tensor \"features\" (images x dimensions, float32); images, products and the encoder
stand in its metadata, under \"adeval\". In Python: safetensors.numpy.load_file(\"ours.safetensors\")[\"features\"].

Examples:
  adeval eval features creatives/ --out ours.safetensors
  adeval eval features fixtures/reference/images --out reference.safetensors
  adeval eval fid ours.safetensors reference.safetensors";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct FeaturesArgs {
    /// A folder of pictures; folders in it are read too.
    images: PathBuf,
    /// The file to write.
    #[arg(long, short, value_name = "FILE", default_value = "features.safetensors")]
    out: PathBuf,
    #[command(flatten)]
    embed: EmbedArgs,
}

/// What `adeval eval features --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FeaturesResult {
    /// The file.
    pub file: PathBuf,
    /// The encoder's short name.
    pub encoder: String,
    /// Size, resampling and normalisation, in words.
    pub preprocessing: String,
    /// Length of a vector.
    pub dimension: usize,
    /// Rows of the file.
    pub images: usize,
    /// How many were computed before.
    pub cached: usize,
    /// Pictures without features.
    pub failed: Vec<Failed>,
}

pub fn run(args: &FeaturesArgs, session: Session) -> Result<Finish, Stop> {
    if !args.images.is_dir() {
        return Err(Stop::new(format!("{} is no folder of pictures", args.images.display())));
    }
    let set = Sets::new(&args.embed, session).load(&args.images)?;
    if set.file.rows.is_empty() {
        return Err(Stop::new(format!(
            "none of the pictures in {} could be embedded",
            args.images.display()
        )));
    }
    set.file.write(&args.out)?;
    let result = FeaturesResult {
        file: args.out.clone(),
        encoder: set.file.about.encoder.clone(),
        preprocessing: set.file.about.preprocessing.clone(),
        dimension: set.file.rows[0].len(),
        images: set.file.rows.len(),
        cached: set.cached,
        failed: set.failed,
    };
    if session.json {
        output::print_json(&result)?;
    } else {
        output::print(&page(&result))?;
    }
    Ok(Finish::with_failures(!result.failed.is_empty()))
}

fn page(result: &FeaturesResult) -> String {
    let FeaturesResult { images, dimension, encoder, cached, .. } = result;
    format!(
        "{images} x {dimension} features of {encoder} ({cached} computed before) are in {}\n",
        result.file.display()
    )
}

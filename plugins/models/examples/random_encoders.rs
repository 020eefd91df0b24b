//! Writes a checkpoint with random weights for every component of `vision-embedder`, and the `adeval-check.toml` that names them: to
//! try everything around the networks without their published weights. Their features mean nothing.
//!
//!     cargo run --release -p adeval-models --example random_encoders -- FOLDER
//!     adeval plugin check target/release/libvision_embedder.so --config FOLDER/adeval-check.toml

#[path = "../tests/support/encoders.rs"]
mod encoders;
#[path = "../tests/support/made.rs"]
mod made;
#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write;
use std::path::PathBuf;

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err("name a folder to write to".into());
    };
    std::fs::create_dir_all(&folder)?;
    let folder = folder.canonicalize()?;
    let facts = encoders::Facts::read();
    let mut settings = String::new();
    for (component, case) in
        [("dinov2", "dinov2 with registers"), ("clip-vision", "whole clip"), ("siglip", "siglip")]
    {
        let checkpoint = folder.join(component);
        std::fs::create_dir_all(&checkpoint)?;
        facts.cases[case].write(&checkpoint, str::to_owned);
        writeln!(settings, "[components.{component}]\nparameters = {{ checkpoint = {checkpoint:?} }}\n")?;
    }
    let (inception, lpips) = (folder.join("inception.safetensors"), folder.join("st-lpips.safetensors"));
    made::inception(&inception);
    made::lpips(&lpips);
    writeln!(settings, "[components.inception-v3-fid]\nparameters = {{ weights = {inception:?} }}\n")?;
    writeln!(settings, "[components.lpips]\nparameters = {{ shift_tolerant = true, weights = {lpips:?} }}")?;
    std::fs::write(folder.join("adeval-check.toml"), settings)?;
    println!("encoders with random weights: {}", folder.display());
    Ok(())
}

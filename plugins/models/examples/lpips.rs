//! The ST-LPIPS of pictures of one size, with the weights of PyPI `stlpips-pytorch`.
//!
//!     cargo run --release -p adeval-models --example lpips -- alex_shift_tolerant.pth ONE.png OTHER.png ...

use std::path::Path;

use adeval_models::lpips::{Backbone, Lpips};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, first, others @ ..] = arguments.as_slice() else {
        return Err("name the file of weights, a picture, and what to hold against it".into());
    };
    let backbone = if weights.contains("vgg") { Backbone::Vgg } else { Backbone::Alex };
    let source = Source::open(Path::new(weights), &Device::Cpu, DType::F32)?;
    let distance = Lpips::load_shift_tolerant(backbone, &source)?;
    let picture = |path: &str| -> Result<Tensor, Box<dyn std::error::Error>> {
        Ok(distance.prepared(&image::open(path)?.into_rgb8())?)
    };
    let one = picture(first)?;
    for other in others {
        println!("{:.6}  {other}", distance.distance(&one, &picture(other)?)?.to_vec1::<f32>()?[0]);
    }
    Ok(())
}

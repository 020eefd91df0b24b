//! Writes a checkpoint and a ControlNet of a few hundred kilobytes, with random weights, in the layout of Stable Diffusion 1.5:
//! to try everything around the model without its four gigabytes.
//!
//!     cargo run --release -p adeval-models --example tiny_checkpoint -- FOLDER

#[path = "../tests/support/pipelines.rs"]
mod pipelines;
#[path = "../tests/support/published.rs"]
mod published;
#[path = "../tests/support/mod.rs"]
mod support;

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn main() {
    let Some(folder) = std::env::args_os().nth(1) else {
        println!("name a folder to write to");
        std::process::exit(2);
    };
    let (base, control) = published::published(&pipelines::Facts::read(), folder.as_ref());
    println!("checkpoint:  {}\nControlNet:  {}", base.display(), control.display());
}

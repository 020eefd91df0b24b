//! Writes an Inception-v3 of FID with random weights (91 MiB): to try everything around the network without its published weights.
//! Its features mean nothing.
//!
//!     cargo run --release -p adeval-models --example random_inception -- FILE.safetensors

#[path = "../tests/support/inception.rs"]
mod inception;
#[path = "../tests/support/mod.rs"]
mod support;

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn main() {
    let Some(file) = std::env::args_os().nth(1) else {
        println!("name a file to write to");
        std::process::exit(2);
    };
    inception::write(file.as_ref());
    println!("an Inception-v3 with random weights: {}", std::path::Path::new(&file).display());
}

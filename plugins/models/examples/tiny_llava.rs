//! Writes a LLaVA of a few hundred kilobytes with random weights and both heads of the reward model, in the layout of the original
//! code: to try everything around the model without its fourteen gigabytes.
//!
//!     cargo run --release -p adeval-models --example tiny_llava -- FOLDER

#[path = "../tests/support/llava.rs"]
mod llava;
#[path = "../tests/support/mod.rs"]
mod support;

use llava::{Branch, Layout};

#[expect(clippy::print_stdout, reason = "a program for the terminal")]
fn main() {
    let Some(folder) = std::env::args_os().nth(1) else {
        println!("name a folder to write to");
        std::process::exit(2);
    };
    let heads = ["score.weight", "sku_ctr_linear_fc.0.weight"];
    Branch::read("original").write(folder.as_ref(), Layout::Original, |_| true, &heads);
    println!("LLaVA with both heads: {}", std::path::Path::new(&folder).display());
}

//! Writes the tests' random checkpoint, to try the plugin's conformance without a download:
//!
//! ```sh
//! cargo run --release --workspace --example tiny_gguf -- /tmp/tiny.gguf
//! adeval plugin check target/release/libsmollm_prompt.so --config plugins/smollm-prompt/adeval-check.toml
//! ```

#![allow(missing_docs)]

#[path = "../tests/support/mod.rs"]
mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name the file to write")?;
    Ok(support::write(std::path::Path::new(&path))?)
}

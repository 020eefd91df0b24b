//! A host of contract 1.0: loads a library, and prints what it is or why it was refused.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let path = std::env::args().nth(1).unwrap_or_default();
    match adeval_sdk::abi::load(Path::new(&path)) {
        Ok(library) => {
            println!("contract {}", library.manifest().contract);
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

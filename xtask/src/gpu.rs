//! `cargo xtask gpu-check`: parity and speed on a GPU, in one command.

use crate::cargo;
use crate::cuda::Toolkit;
use crate::parity;
use crate::workspace::Workspace;
use anstream::println;
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Tests that run the models on the device that `ADEVAL_DEVICE` names.
const PARITY_TESTS: [&str; 1] = ["pipelines"];

/// Renders of real size with random weights: what the example `render_speed` is given.
const RENDERS: [&str; 3] = [
    "--device cuda:0 --precision f16 --steps 30 --runs 3",
    "--device cuda:0 --precision f16 --steps 30 --runs 3 --batch 4",
    "--device cuda:0 --precision f32 --steps 30 --runs 2",
];

/// Runs the parity tests and the renders on the first GPU. All are run, so that one failure hides no figure.
///
/// # Errors
/// If there is no GPU, or a part failed.
pub fn run(workspace: &Workspace) -> Result<()> {
    let card = Card::first()?;
    println!("{}, {}, compute capability {}", card.name, card.memory, card.capability);
    let toolkit = Toolkit::find_or_install(workspace)?;
    let mut failed = Vec::new();
    let mut run = |command: &mut Command| {
        if let Err(error) = cargo::run(toolkit.apply(command, &card.capability)) {
            failed.push(format!("{error:#}"));
        }
    };
    let rows = tempfile::tempdir().context("there is no room for the table of errors")?;
    for test in PARITY_TESTS {
        let arguments = format!("test --release --package adeval-models --features cuda --test {test}");
        let mut command = cargo::command(workspace, &arguments);
        run(command.env("ADEVAL_DEVICE", "cuda:0").env(parity::VARIABLE, rows.path()));
    }
    println!("{}", parity::overview(rows.path())?);
    for render in RENDERS {
        let arguments = format!(
            "run --release --package adeval-models --features cuda --example render_speed -- {render}"
        );
        run(&mut cargo::command(workspace, &arguments));
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{} of {} parts failed: {}", failed.len(), PARITY_TESTS.len() + RENDERS.len(), failed.join("; "))
}

/// A GPU, as its driver describes it.
struct Card {
    name: String,
    memory: String,
    /// Without its point: `90`.
    capability: String,
}

impl Card {
    fn first() -> Result<Self> {
        let mut query = Command::new("nvidia-smi");
        query.args(["--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader"]);
        let said = cargo::probe(&mut query).context(
            "no NVIDIA GPU is here: nvidia-smi is missing or failed; `cargo xtask check-cuda` needs none",
        )?;
        Self::read(&said).with_context(|| format!("nvidia-smi said something else than expected: {said}"))
    }

    fn read(said: &str) -> Option<Self> {
        let mut fields = said.lines().next()?.split(", ").map(str::to_owned);
        let (name, memory, capability) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { name, memory, capability: capability.replace('.', "") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_read_from_the_drivers_words() {
        let card = Card::read("NVIDIA H100 80GB HBM3, 81559 MiB, 9.0\nNVIDIA H100, 81559 MiB, 9.0").unwrap();
        assert_eq!((card.name.as_str(), card.capability.as_str()), ("NVIDIA H100 80GB HBM3", "90"));
        assert!(Card::read("").is_none());
        assert!(Card::read("No devices were found").is_none());
    }
}

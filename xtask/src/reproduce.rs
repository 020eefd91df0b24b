//! `cargo xtask reproduce`: the paper's claims (CAIG, arXiv 2502.06823) in **synthetic** markets whose truth is known.
//!
//! For each seed: a market, reward models from its clicks, a policy that learns what suits, and trainings by rewards that differ in one
//! thing each. Everything is done by the commands that people use; this only says which, and puts what they print into one page.

use crate::cargo;
use crate::code;
use crate::workspace::Workspace;
use anstream::eprintln;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// What is reproduced.
#[derive(clap::Args)]
pub struct Args {
    /// Seeds, from 1: of market, split, models and trainings.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    /// Only the first products.
    #[arg(long)]
    limit: Option<usize>,
    /// Seeds that run beside each other, each on its share of the cores; as many as there are cores, if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    jobs: Option<u32>,
    /// Folder of all runs and of the page; what is finished there is not done again.
    #[arg(long, default_value = "reproduction")]
    out: PathBuf,
}

/// A training by rewards that differs from the paper's in one thing.
struct Variant {
    name: &'static str,
    /// What it is, for the page.
    what: &'static str,
    /// Further arguments of `adeval train rl`.
    arguments: &'static [&'static str],
    pretrained: bool,
    judge: Judge,
}

/// Whose preferences are learnt from.
#[derive(Clone, Copy)]
enum Judge {
    /// The trained vision-only model.
    Trained,
    /// The same without a point loss.
    WithoutPointLoss,
}

const DPO: &[&str] = &["--optimizer", "dpo"];
const PCPO: &[&str] = &["--optimizer", "pcpo"];

const VARIANTS: [Variant; 7] = [
    Variant { name: "dpo", what: "DPO alone", arguments: DPO, pretrained: true, judge: Judge::Trained },
    Variant {
        name: "pcpo",
        what: "PCPO as printed",
        arguments: PCPO,
        pretrained: true,
        judge: Judge::Trained,
    },
    Variant {
        name: "pcpo-released",
        what: "PCPO as released: the other side swaps the answer, too",
        arguments: &["--optimizer", "pcpo", "--set", "optimizer.parameters.variant=released"],
        pretrained: true,
        judge: Judge::Trained,
    },
    Variant {
        name: "masking-only",
        what: "PCPO with masked pictures only",
        arguments: &["--optimizer", "pcpo", "--set", "optimizer.parameters.swapping=false"],
        pretrained: true,
        judge: Judge::Trained,
    },
    Variant {
        name: "swapping-only",
        what: "PCPO with swapped texts only",
        arguments: &["--optimizer", "pcpo", "--set", "optimizer.parameters.masking=false"],
        pretrained: true,
        judge: Judge::Trained,
    },
    Variant {
        name: "no-pre-training",
        what: "PCPO from a policy that was taught nothing",
        arguments: PCPO,
        pretrained: false,
        judge: Judge::Trained,
    },
    Variant {
        name: "no-point-loss",
        what: "PCPO by a judge that was trained without a point loss",
        arguments: PCPO,
        pretrained: true,
        judge: Judge::WithoutPointLoss,
    },
];

/// Builds adeval, makes all runs, and writes `report.md` and the curves.
pub fn run(workspace: &Workspace, args: &Args) -> Result<()> {
    cargo::run(&mut code::build(workspace)).context("adeval and its plugins cannot be built")?;
    let started = Instant::now();
    let out = std::path::absolute(&args.out)?;
    fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let jobs = args.jobs.unwrap_or(cores).min(args.seeds);
    let work = Work {
        program: workspace.binary("adeval"),
        root: workspace.root().to_owned(),
        limit: args.limit,
        threads: (cores / jobs).max(1),
        out,
    };
    work.circles(args.seeds, jobs)?;
    let report = work.report(args.seeds, started.elapsed().as_secs_f64() / 60.0)?;
    let path = work.out.join("report.md");
    fs::write(&path, report).with_context(|| format!("{} cannot be written", path.display()))?;
    eprintln!("{}", path.display());
    Ok(())
}

struct Work {
    program: PathBuf,
    root: PathBuf,
    limit: Option<usize>,
    /// Of one command: small models lose by more threads than cores.
    threads: u32,
    out: PathBuf,
}

impl Work {
    /// Everything of all seeds, `jobs` at a time; the first failure is told after those beside it have ended.
    fn circles(&self, seeds: u32, jobs: u32) -> Result<()> {
        let next = AtomicU32::new(1);
        let work = || -> Result<()> {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed > seeds {
                    return Ok(());
                }
                self.circle(seed)?;
            }
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            let mut ended = workers.into_iter().map(|worker| worker.join());
            ended.try_for_each(|outcome| outcome.unwrap_or_else(|_| bail!("a seed's thread panicked")))
        })
    }

    /// Everything of one seed.
    fn circle(&self, seed: u32) -> Result<()> {
        let (market, reward, plain) =
            (self.at(seed, "market"), self.at(seed, "reward"), self.at(seed, "plain"));
        let taught = self.at(seed, "pretrain");
        let number = seed.to_string();
        if !market.join("market.json").exists() {
            let mut command = self.adeval(&["market"]);
            command.args(["--preset", "easy", "--size", "128x128", "--samples", "6", "--seed", &number]);
            command.args(["--prompt-generator", "categorical-prompt", "--background", "scene-background"]);
            if let Some(limit) = self.limit {
                command.args(["--limit", &limit.to_string()]);
            }
            finish(command.arg("--out").arg(&market))?;
        }
        finish(
            self.adeval(&["train", "reward", "--seed", &number, "--market"])
                .arg(&market)
                .arg("--out")
                .arg(&reward),
        )?;
        let mut ablated = self.adeval(&["train", "reward", "--seed", &number, "--model", "vision-reward"]);
        finish(
            ablated.args(["--set", "point_loss=false", "--market"]).arg(&market).arg("--out").arg(&plain),
        )?;
        let mut lessons = self.adeval(&["train", "pretrain", "--seed", &number, "--market"]);
        finish(lessons.arg(&market).arg("--out").arg(&taught))?;
        for variant in &VARIANTS {
            let judge = match variant.judge {
                Judge::Trained => &reward,
                Judge::WithoutPointLoss => &plain,
            };
            let look = format!("easy:{seed}");
            let mut command = self.adeval(&["train", "rl", "--seed", &number, "--market", &look]);
            command.args(["--set", "size=[128,128]"]).args(variant.arguments);
            command.args(["--reward", "vision-reward", "--reward-model"]);
            command.arg(judge.join("models/vision-reward/best"));
            if variant.pretrained {
                command.arg("--prompt-model").arg(taught.join("best"));
            }
            if let Some(limit) = self.limit {
                command.args(["--limit", &limit.to_string()]);
            }
            finish(command.arg("--out").arg(self.at(seed, variant.name)))?;
        }
        Ok(())
    }

    fn at(&self, seed: u32, name: &str) -> PathBuf {
        self.out.join(format!("seed-{seed}")).join(name)
    }

    /// The program, in the workspace, where it finds its recipes.
    fn adeval(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(&self.root).env("RAYON_NUM_THREADS", self.threads.to_string());
        command.arg("--quiet").args(arguments);
        command
    }

    fn report(&self, seeds: u32, minutes: f64) -> Result<String> {
        let mut page = format!(
            "**All clicks are SYNTHETIC.** `cargo xtask reproduce --seeds {seeds}`, {minutes:.0} minutes of this call.\n\n## Trainings by rewards\n\n"
        );
        for variant in &VARIANTS {
            let _ = writeln!(page, "- `{}`: {}", variant.name, variant.what);
        }
        let of = |names: &[&str]| -> Vec<String> {
            let dirs = |name: &str| {
                (1..=seeds).map(|seed| self.at(seed, name).display().to_string()).collect::<Vec<_>>()
            };
            names.iter().map(|name| format!("{name}={}", dirs(name).join(","))).collect()
        };
        for (file, title, names) in [
            ("claims", "Synthetic market: DPO and PCPO", &["dpo", "pcpo"][..]),
            (
                "conditions",
                "Synthetic market: PCPO's conditions",
                &["pcpo", "pcpo-released", "masking-only", "swapping-only"],
            ),
            ("training", "Synthetic market: what goes before", &["pcpo", "no-pre-training", "no-point-loss"]),
        ] {
            for by in ["kl", "epoch"] {
                let mut command = self.adeval(&["train", "compare"]);
                command.args(of(names)).args(["--title", title, "--by", by, "--plot"]);
                let table = output(command.arg(self.out.join(format!("{file}-{by}.svg"))))?;
                if by == "epoch" {
                    let _ = writeln!(page, "\n### {}\n\n```text\n{table}```", names.join(", "));
                }
            }
        }
        let mut command = self.adeval(&["train", "compare"]);
        let table = output(command.args(of(&["reward"])))?;
        let _ = writeln!(page, "\n## Reward models\n\nAll seeds\n\n```text\n{table}```");
        for seed in 1..=seeds {
            let table = self.reward_table(seed)?;
            let _ = writeln!(page, "\nSeed {seed}\n\n```text\n{table}```");
        }
        Ok(page)
    }

    /// A finished training prints its table again.
    fn reward_table(&self, seed: u32) -> Result<String> {
        let mut command = self.adeval(&["train", "reward", "--seed", &seed.to_string(), "--market"]);
        output(command.arg(self.at(seed, "market")).arg("--out").arg(self.at(seed, "reward")))
    }
}

/// Runs a command whose page goes beside what it makes.
fn finish(command: &mut Command) -> Result<()> {
    eprintln!("{}", cargo::name(command));
    let page = output(command)?;
    let out = command.get_args().last().map(Path::new).map(Path::to_owned);
    if let Some(out) = out.filter(|out| out.is_dir()) {
        fs::write(out.join("page.txt"), page)?;
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let ended = command.output().with_context(|| format!("{} cannot be started", cargo::name(command)))?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    anyhow::ensure!(ended.status.success(), "{} failed ({}):\n{said}", cargo::name(command), ended.status);
    Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
}

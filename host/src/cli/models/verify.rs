//! Whether a model is whole.

use crate::cli::exit::{Finish, Stop};
use crate::cli::progress::Report;
use crate::cli::{Session, output};
use adeval_checkpoints::plan::size;
use adeval_checkpoints::verify::{Verification, VerifiedFile, bytes_to_read, verify};
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  adeval models verify stable-diffusion-v1-5/stable-diffusion-v1-5
  adeval models verify ~/checkpoints/dreamshaper.safetensors
  adeval models verify models/sd15 --json | jq '.problems[].problem'

Checked are headers and lengths, shards that an index lists, components that a diffusers directory
lists, every value (no NaN, no infinity), and for files of the hub's cache the SHA-256. Exit code 1
means that something is wrong.";

#[derive(clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::PLACES))]
pub struct VerifyArgs {
    /// A file, a folder, or the id of a model in the hub's cache.
    model: String,
}

pub fn run(args: &VerifyArgs, session: Session) -> Result<Finish, Stop> {
    let path = super::find(&args.model)?;
    let report = Report::new(session.quiet);
    report.stage_bytes("Verify", bytes_to_read(&path));
    let found = verify(&path, &mut |bytes| report.advance_bytes(bytes));
    report.finish();
    let finish = if found.is_sound() { Finish::Done } else { Finish::Refuted };
    if session.json {
        output::print_json(&json!({
            "path": path, "sound": found.is_sound(), "files": found.files, "problems": found.problems,
        }))?;
        return Ok(finish);
    }
    output::print(&text(&path, &found))?;
    Ok(finish)
}

fn text(path: &std::path::Path, found: &Verification) -> String {
    let row = |file: &VerifiedFile| {
        let name = file.path.strip_prefix(path).ok().filter(|name| name.components().next().is_some());
        let wrong = found.problems.iter().filter(|problem| problem.path == file.path).count();
        let verdict = match (wrong, &file.expected_sha256) {
            (0, Some(_)) => "sound, and the hub's".to_owned(),
            (0, None) => "sound".to_owned(),
            (1, _) => "1 problem".to_owned(),
            (several, _) => format!("{several} problems"),
        };
        let name = name.unwrap_or(&file.path).display().to_string();
        [name, file.tensors.to_string(), size(file.bytes), verdict]
    };
    let mut page = String::new();
    if !found.files.is_empty() {
        let head = ["FILE", "TENSORS", "SIZE", "VERDICT"];
        page += &output::table(head, found.files.iter().map(row));
        page.push('\n');
    }
    for problem in &found.problems {
        page += &format!("{}\n  {}\n", problem.problem, problem.mend);
    }
    page += &match found.problems.len() {
        0 => format!("{} is sound", path.display()),
        1 => "1 problem".to_owned(),
        several => format!("{several} problems"),
    };
    page
}

//! Downloads, after showing what is to be downloaded.

use crate::cli::exit::{Finish, Stop};
use crate::cli::progress::Report;
use crate::cli::{Session, output};
use adeval_checkpoints::hub::{Id, Remote, Selection};
use adeval_checkpoints::plan::size;
use adeval_checkpoints::{Hub, Layout};
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  adeval models pull stable-diffusion-v1-5/stable-diffusion-v1-5 --variant fp16 --dry-run
  adeval models pull lllyasviel/control_v11p_sd15_canny
  adeval models pull org/model@v2 --component unet --component vae
  adeval models pull h94/IP-Adapter --component models/ip-adapter_sd15.safetensors

Of each model one spelling of its weights is fetched, safetensors before pickles; safety checkers,
which adeval never loads, are left out unless a --component names them. A download that was cut
off goes on where it stopped.";

#[derive(clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::PLACES))]
pub struct PullArgs {
    /// The model: `org/name`, or `org/name@revision`.
    id: String,
    /// A branch, a tag or a commit [default: main].
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
    /// Only this folder or file of the model; may be repeated.
    #[arg(long = "component", value_name = "NAME")]
    components: Vec<String>,
    /// The variant of weight files, e.g. `fp16`; the plain ones where there is none.
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// Show what would be downloaded, and stop.
    #[arg(long)]
    dry_run: bool,
    /// Use no network: only say whether the model is in the cache.
    #[arg(long)]
    offline: bool,
}

pub fn run(args: &PullArgs, session: Session) -> Result<Finish, Stop> {
    let hub = Hub::from_env().offline(args.offline);
    let mut id: Id = args.id.parse()?;
    if let Some(revision) = &args.revision {
        if id.revision.is_some() {
            return Err(Stop::new(format!("two revisions are named: {} and --revision {revision}", args.id))
                .help("name one"));
        }
        id = format!("{}@{revision}", id.name).parse()?;
    }
    if hub.is_offline()
        && let Some(snapshot) = hub.snapshot(&id)
    {
        return done(&snapshot.path, &json!({ "id": id.name, "commit": snapshot.commit }), session);
    }
    let selection = Selection { components: args.components.clone(), variant: args.variant.clone() };
    let remote = hub.remote(&id, &selection)?;
    if !session.json {
        show(&remote)?;
    }
    if args.dry_run {
        return if session.json { output::print_json(&remote) } else { Ok(Finish::Done) };
    }
    let report = Report::new(session.quiet);
    if remote.missing_bytes() > 0 {
        report.stage_bytes("Download", remote.missing_bytes());
    }
    let path = hub.pull(&remote, &mut |_, bytes| report.advance_bytes(bytes));
    report.finish();
    done(&path?, &json!(remote), session)
}

fn show(remote: &Remote) -> Result<Finish, Stop> {
    let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "?".into(), size);
    let rows = remote.files.iter().map(|file| {
        let state = if file.cached { "in the cache" } else { "to be fetched" };
        [file.name.clone(), bytes(file.bytes), state.to_owned()]
    });
    let license = remote.license.as_deref().unwrap_or("not stated");
    let table = output::table(["FILE", "SIZE", "STATE"], rows);
    output::print(&format!(
        "{} at {} (commit {}), licence: {license}\n\n{table}\n{} of {} to be fetched\n",
        remote.id,
        remote.revision,
        remote.commit.get(..12).unwrap_or(&remote.commit),
        size(remote.missing_bytes()),
        size(remote.files.iter().filter_map(|file| file.bytes).sum())
    ))
}

fn done(path: &std::path::Path, about: &serde_json::Value, session: Session) -> Result<Finish, Stop> {
    // A component alone need not be recognisable: its pipeline's index lists others.
    let what = Layout::recognise(path).ok().map(|layout| layout.describe());
    if session.json {
        let mut value = about.clone();
        value["path"] = json!(path);
        value["what"] = json!(what);
        return output::print_json(&value);
    }
    let what = what.map(|what| format!("\n{what}")).unwrap_or_default();
    output::print(&format!("{}{what}", path.display()))
}

//! What a model is.

use crate::cli::exit::{Finish, Stop};
use crate::cli::{Session, output};
use adeval_checkpoints::layout::{Options, Prediction};
use adeval_checkpoints::plan::{Device, Plan, Precision};
use adeval_checkpoints::{CheckpointError, Layout, Role, TensorInfo, card};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  adeval models info stable-diffusion-v1-5/stable-diffusion-v1-5 --variant fp16
  adeval models info dreamshaper.safetensors --device cuda:0 --dtype f16
  adeval models info control.pth --tensors zero_convs

The table is the plan of loading: what is read, and what the weights take on the device. Tensors
are shown by the names of diffusers, by which adeval's models know them.";

#[derive(clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", super::PLACES))]
pub struct InfoArgs {
    /// A file, a folder, or the id of a model in the hub's cache.
    model: String,
    /// Where it would run: cpu, cuda, cuda:N or metal.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = parse::<Device>)]
    device: Device,
    /// As what: f32, f16 or bf16 [default: f32 on a processor, f16 on a GPU].
    #[arg(long, value_name = "TYPE", value_parser = parse::<Precision>)]
    dtype: Option<Precision>,
    /// The variant of weight files, e.g. `fp16`.
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// List the tensors, or those whose name holds this text.
    #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "")]
    tensors: Option<String>,
}

fn parse<T: std::str::FromStr<Err = CheckpointError>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: CheckpointError| error.mend().to_owned())
}

/// A tensor of a component, by the name of diffusers, and by the file's.
struct Listed {
    component: String,
    info: TensorInfo,
    in_file: String,
}

pub fn run(args: &InfoArgs, session: Session) -> Result<Finish, Stop> {
    let path = super::find(&args.model)?;
    let layout =
        Layout::recognise_with(&path, &Options { variant: args.variant.clone(), ..Options::default() })?;
    let plan = Plan::of(&layout, args.device, args.dtype)?;
    let license = card::license(&folder_of(&path));
    let tensors = match &args.tensors {
        Some(part) => Some(list(&layout, part)?),
        None => None,
    };
    if session.json {
        let mut value =
            json!({ "what": layout.describe(), "license": license, "layout": layout, "plan": plan });
        if let Some(tensors) = &tensors {
            value["tensors"] = tensors.iter().map(tensor_json).collect();
        }
        return output::print_json(&value);
    }
    let mut page = text(&layout, &plan, license.as_deref());
    if let Some(tensors) = tensors {
        let rows = tensors.iter().map(|listed| {
            let shape = format!("{:?}", listed.info.shape);
            [listed.component.clone(), listed.info.name.clone(), listed.info.dtype.to_string(), shape]
        });
        page = page + "\n" + &output::table(["COMPONENT", "TENSOR", "TYPE", "SHAPE"], rows);
    }
    output::print(&page)
}

/// A card lies in the folder, or beside the file.
fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.to_owned() } else { path.parent().map(Path::to_owned).unwrap_or_default() }
}

fn list(layout: &Layout, part: &str) -> Result<Vec<Listed>, Stop> {
    let mut listed = Vec::new();
    for component in layout.components.iter().filter(|component| !component.files.is_empty()) {
        let tensors = component.open()?;
        for name in tensors.names() {
            let in_file = tensors.name_in_file(name).unwrap_or(name);
            if !name.contains(part) && !in_file.contains(part) {
                continue;
            }
            if let Some(info) = tensors.get(name) {
                listed.push(Listed { component: component.name.clone(), info, in_file: in_file.to_owned() });
            }
        }
    }
    Ok(listed)
}

fn tensor_json(listed: &Listed) -> Value {
    json!({
        "component": listed.component,
        "name": listed.info.name,
        "name_in_file": listed.in_file,
        "dtype": listed.info.dtype.to_string(),
        "shape": listed.info.shape,
        "bytes": listed.info.bytes,
    })
}

fn text(layout: &Layout, plan: &Plan, license: Option<&str>) -> String {
    let mut facts = Vec::new();
    if let Some(base) = layout.base {
        let told =
            layout.evidence.as_ref().map(|evidence| format!(" (told by {evidence})")).unwrap_or_default();
        facts.push(("base", format!("{base}{told}")));
    }
    if let Some(class) = &layout.class {
        facts.push(("pipeline", class.clone()));
    }
    if let Some(channels) = layout.unet_channels {
        let meaning = match channels {
            4 => "latents: text to image, image to image, ControlNet-inpaint",
            9 => "latents, mask, masked latents: trained to inpaint",
            8 => "latents and a picture's latents: InstructPix2Pix, which no pipeline here runs",
            _ => "unusual",
        };
        facts.push(("UNet takes", format!("{channels} channels ({meaning})")));
    }
    if let Some(prediction) = layout.prediction {
        let said = match prediction {
            Prediction::Epsilon => "the noise (epsilon)",
            Prediction::V => "velocity (v_prediction)",
            Prediction::Sample => "the picture (sample)",
        };
        facts.push(("predicts", said.into()));
    }
    facts.push(("licence", license.unwrap_or("not stated beside it").into()));
    let without = layout.components.iter().filter(|component| !component.role.has_weights());
    let without: Vec<&str> = without.map(|component| component.name.as_str()).collect();
    if !without.is_empty() {
        facts.push(("also", without.join(", ")));
    }
    let mut page = plan.to_string() + "\n\n";
    for (name, fact) in facts {
        let _ = writeln!(page, "  {name:<10} {fact}");
    }
    for note in &layout.notes {
        let _ = writeln!(page, "  {:<10} {note}", "note");
    }
    if layout.get(Role::SafetyChecker).is_some() {
        let _ = writeln!(page, "  {:<10} the safety checker is not loaded", "note");
    }
    page
}

//! `adeval render`: creatives of one's own products, in one command.

use super::exit::{Finish, Stop};
use super::open::{PluginArgs, parameter};
use super::progress::Report;
use super::{Session, interrupt, output};
use crate::bench::{self, RenderJob, Rendered, Services};
use crate::products::{self, CutOutNetwork, Products};
use crate::suite::{BackgroundStep, Entry, Suite};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

const EXAMPLES: &str = "\
Examples:
  adeval render shoe.png
  adeval render photos/ --background photo-background --samples 4
  adeval render shoe.png --prompt \"on a marble table, soft morning light\"
  adeval render products.json --set prompt.style=luxury --size 768x512 --out spring/";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RenderArgs {
    /// An image of a product (with alpha, or it is cut out), a folder of images, or a `products.json`.
    input: PathBuf,
    /// Folder of the creatives and their sidecars; made when absent.
    #[arg(long, short, value_name = "DIR", default_value = "creatives")]
    out: PathBuf,
    /// The background generator.
    #[arg(long, value_name = "PLUGIN", default_value = "scene-background")]
    background: String,
    /// The prompt generator.
    #[arg(long, value_name = "PLUGIN", default_value = "template-prompt", conflicts_with = "prompt")]
    prompt_generator: String,
    /// Use this prompt for every product, in place of a prompt generator.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// A parameter of one of the two, e.g. `prompt.style=luxury`; may be repeated. `adeval plugin inspect` shows them.
    #[arg(long = "set", short = 'p', value_name = "background.KEY=VALUE|prompt.KEY=VALUE", value_parser = setting)]
    settings: Vec<Setting>,
    /// What the background should not show.
    #[arg(long, value_name = "TEXT", default_value = "")]
    negative_prompt: String,
    /// Width and height of a creative in pixels.
    #[arg(long, value_name = "WxH", default_value = "512x512", value_parser = size)]
    size: [u32; 2],
    /// Seed of all randomness.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Creatives of each product.
    #[arg(long, value_name = "N", default_value_t = 1)]
    samples: u32,
    /// Only the first products.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    plugins: PluginArgs,
}

/// Whose parameter, which, and its value.
#[derive(Debug, Clone, PartialEq)]
struct Setting {
    step: Step,
    key: String,
    value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Prompt,
    Background,
}

/// Reads `background.depth=0.5`.
fn setting(text: &str) -> Result<Setting, String> {
    let shape = "it must look like background.KEY=VALUE or prompt.KEY=VALUE";
    let (name, value) = text.split_once('=').ok_or(shape)?;
    let (step, key) = name.split_once('.').ok_or(shape)?;
    let step = match step {
        "prompt" => Step::Prompt,
        "background" => Step::Background,
        _ => return Err(shape.into()),
    };
    Ok(Setting { step, key: key.into(), value: parameter(value) })
}

/// Reads `512x512`, or one side of a square.
pub fn size(text: &str) -> Result<[u32; 2], String> {
    let (width, height) = text.split_once('x').unwrap_or((text, text));
    let side = |text: &str| text.parse().map_err(|_| "it must look like 512x512".to_owned());
    Ok([side(width)?, side(height)?])
}

impl RenderArgs {
    fn parameters(&self, step: Step) -> Map<String, Value> {
        let mut parameters = Map::new();
        for setting in self.settings.iter().filter(|setting| setting.step == step) {
            insert(&mut parameters, &setting.key, &setting.value);
        }
        parameters
    }

    /// The job as a suite of one entry, checked as any suite is.
    fn suite(&self) -> Result<Suite, Stop> {
        let background = BackgroundStep {
            negative_prompt: self.negative_prompt.clone(),
            ..BackgroundStep::new(&self.background, self.parameters(Step::Background))
        };
        let prompt = crate::suite::PromptStep::new(&self.prompt_generator, self.parameters(Step::Prompt));
        let entry =
            Entry { id: self.background.replace('/', "."), description: String::new(), prompt, background };
        let mut suite = Suite::of_entries("render", &self.input, vec![entry]);
        suite.seed = self.seed;
        suite.size = self.size;
        suite.samples = self.samples;
        suite.check().map_err(|reason| Stop::new(format!("the command line: {reason}")))?;
        Ok(suite)
    }
}

/// Sets a value; dots in the key lead into tables.
fn insert(table: &mut Map<String, Value>, key: &str, value: &Value) {
    let Some((first, rest)) = key.split_once('.') else {
        table.insert(key.into(), value.clone());
        return;
    };
    let inner = table.entry(first).or_insert(Value::Null);
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        insert(inner, rest, value);
    }
}

pub fn run(args: &RenderArgs, session: Session) -> Result<Finish, Stop> {
    let suite = args.suite()?;
    let cancel = interrupt::listen()?;
    let matting = CutOutNetwork::default();
    let Products { good, bad, warnings } = products::load(&args.input, args.limit, &matting)?;
    warnings.iter().for_each(|warning| output::warn(warning));
    bad.iter().for_each(|bad| output::warn(&format!("{}; it is left out", bad.message)));
    let installed = args.plugins.open(cancel)?;
    let report = Report::new(session.quiet);
    let services = Services { plugins: &installed, matting: &matting, progress: &report, cancel };
    let job = RenderJob { suite, products: good, prompt: args.prompt.clone(), out: args.out.clone() };
    let rendered = bench::render(&job, &services)?;
    report.finish();
    let failed = rendered.iter().filter(|one| one.error.is_some()).count();
    if session.json {
        output::print_json(&rendered)?;
    } else {
        output::print(&listing(&rendered, &args.out))?;
    }
    if cancel.load(Ordering::Relaxed) {
        let made = rendered.len() - failed;
        return Err(Stop::interrupted(format!("stopped; {made} creatives are in {}", args.out.display())));
    }
    Ok(Finish::with_failures(failed > 0 || !bad.is_empty()))
}

/// A line for each creative.
fn listing(rendered: &[Rendered], out: &Path) -> String {
    let mut text = String::new();
    for one in rendered {
        match (&one.image, &one.error) {
            (Some(image), _) => {
                let prompt = one.prompt.as_deref().unwrap_or_default();
                text += &format!("{}\n    {prompt}\n", image.display());
            }
            (None, error) => {
                let error = error.as_deref().unwrap_or("no creative");
                output::warn(&format!("product \"{}\": {error}", one.product));
            }
        }
    }
    let made = rendered.iter().filter(|one| one.image.is_some()).count();
    text + &format!("{made} of {} creatives, each with its JSON, are in {}\n", rendered.len(), out.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_json_values_or_text() {
        let read = |text: &str| setting(text).map(|s| (s.step, s.key, s.value));
        assert_eq!(read("prompt.style=luxury"), Ok((Step::Prompt, "style".into(), "luxury".into())));
        assert_eq!(read("background.a.b=0.5"), Ok((Step::Background, "a.b".into(), 0.5.into())));
        assert_eq!(read("prompt.text=a=b"), Ok((Step::Prompt, "text".into(), "a=b".into())));
        assert!(read("style=luxury").is_err() && read("judge.x=1").is_err() && read("prompt.x").is_err());
    }

    #[test]
    fn sizes_are_one_side_or_two() {
        assert_eq!((size("512"), size("768x512")), (Ok([512, 512]), Ok([768, 512])));
        assert!(size("wide").is_err() && size("1x").is_err() && size("-1x5").is_err());
    }
}

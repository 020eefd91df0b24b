//! `adeval eval fid`: how near two sets of pictures are.

use super::super::Session;
use super::super::exit::{Finish, Stop};
use super::set::{EmbedArgs, Failed, Set, Sets};
use super::{source, text};
use adeval_eval::distribution::{
    Infinity, Manifolds, cmmd, frechet_infinity, frechet_title, kernel_title, kid, manifolds,
};
use adeval_eval::{Estimate, EvalError, frechet_estimate};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const EXAMPLES: &str = "\
The Fréchet distance is called FID only with the Inception-v3 weights of 2015 (embedder inception-v3-fid), and FD-ENCODER with
any other encoder. docs/metrics.md has every definition, and when each number misleads.

Examples:
  adeval eval fid creatives/ fixtures/reference/images
  adeval eval fid ours/ theirs/ --group-by name --infinity       # shoe-0.png and shoe-1.png are one product
  adeval eval fid ours/ photos/ --embedder inception-v3-fid -p weights=pt_inception-2015-12-05-6726825d.pth
  adeval eval fid ours.safetensors photos.safetensors --json     # files of `adeval eval features`";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct FidArgs {
    /// What is judged: a folder of pictures, or a file of features.
    sample: PathBuf,
    /// What it should be like: another one.
    reference: PathBuf,
    /// Also extrapolate the Fréchet distance to infinitely many images (Chong and Forsyth 2020).
    #[arg(long)]
    infinity: bool,
    /// Seed of the subsets that the extrapolation draws.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Confidence level of intervals.
    #[arg(long, default_value_t = 0.95)]
    level: f64,
    #[command(flatten)]
    embed: EmbedArgs,
}

/// What `adeval eval fid --json` prints.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FidResult {
    /// The encoder's short name.
    pub encoder: String,
    /// Size, resampling and normalisation, in words.
    pub preprocessing: String,
    /// Length of a vector.
    pub dimension: usize,
    /// The set that is judged.
    pub sample: SetSize,
    /// The set that it should be like.
    pub reference: SetSize,
    /// Confidence level of intervals, which are over another draw of as many products; the reference is held fixed.
    pub level: f64,
    /// What the Fréchet distance is called on this encoder's features.
    pub frechet_name: String,
    /// The Fréchet distance.
    pub frechet: Estimate,
    /// The Fréchet distance of infinitely many images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infinity: Option<Infinity>,
    /// What the kernel distance is called on this encoder's features.
    pub kernel_name: String,
    /// The kernel distance, over all pairs of images.
    pub kernel: Estimate,
    /// CMMD's Gaussian kernel distance, on features of length 1.
    pub cmmd: Estimate,
    /// Balls to the third neighbour: read precision and recall.
    pub neighbours_3: Option<Manifolds>,
    /// Balls to the fifth neighbour: read density and coverage.
    pub neighbours_5: Option<Manifolds>,
    /// What to mind.
    pub notes: Vec<String>,
}

/// How large a set is.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SetSize {
    /// Where it came from.
    pub source: PathBuf,
    /// Its images.
    pub images: usize,
    /// Their products.
    pub products: usize,
    /// Pictures without features.
    pub failed: Vec<Failed>,
}

pub fn run(args: &FidArgs, session: Session) -> Result<Finish, Stop> {
    if !(args.level > 0.0 && args.level < 1.0) {
        return Err(Stop::new(format!("--level is {}; it must lie between 0 and 1, e.g. 0.95", args.level)));
    }
    let sets = Sets::new(&args.embed, session);
    let (sample, reference) = (sets.load(&args.sample)?, sets.load(&args.reference)?);
    agree(&sample, &reference)?;
    let result = compare(args, &sample, &reference)?;
    source::show(&result, page, session)?;
    Ok(Finish::with_failures(!(sample.failed.is_empty() && reference.failed.is_empty())))
}

/// Refuses features of two encoders, or of one with two sets of weights or parameters.
fn agree(a: &Set, b: &Set) -> Result<(), Stop> {
    let (first, second) = (&a.file.about, &b.file.about);
    if first.fingerprint == second.fingerprint {
        return Ok(());
    }
    let of = |set: &Set| {
        format!(
            "{}: {} ({})",
            set.source.display(),
            set.file.about.encoder,
            short(&set.file.about.fingerprint)
        )
    };
    Err(Stop::new(format!("the features are of different encoders: {}; {}", of(a), of(b)))
        .help("compute both with one embedder, its parameters and its weights the same"))
}

/// The first digits of a hash, which tell two apart.
fn short(fingerprint: &str) -> &str {
    fingerprint.get(..8).unwrap_or(fingerprint)
}

fn compare(args: &FidArgs, sample: &Set, reference: &Set) -> Result<FidResult, Stop> {
    let (x, y, clusters, level) = (&sample.file.rows, &reference.file.rows, sample.clusters(), args.level);
    let about = &sample.file.about;
    let balls = |k| match manifolds(x, &clusters, y, k, level) {
        Ok(found) => Ok(Some(found)),
        Err(EvalError::TooFew { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    let frechet = frechet_estimate(x, &clusters, y, level)?;
    let infinity = args.infinity.then(|| frechet_infinity(x, &clusters, y, args.seed, level)).transpose()?;
    let dimension = y.first().map_or(0, Vec::len);
    Ok(FidResult {
        encoder: about.encoder.clone(),
        preprocessing: about.preprocessing.clone(),
        dimension,
        notes: notes(sample, reference, dimension),
        sample: size(sample),
        reference: size(reference),
        level,
        frechet_name: frechet_title(&about.encoder),
        frechet,
        infinity,
        kernel_name: kernel_title(&about.encoder),
        kernel: kid(x, &clusters, y, level)?,
        cmmd: cmmd(&unit(x), &clusters, &unit(y), level)?,
        neighbours_3: balls(3)?,
        neighbours_5: balls(5)?,
    })
}

/// Rows of length 1, as CMMD has them; a row of zeros stays one.
fn unit(rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let normed = |row: &Vec<f32>| {
        let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        row.iter().map(|v| (f64::from(*v) * scale) as f32).collect()
    };
    rows.iter().map(normed).collect()
}

fn size(set: &Set) -> SetSize {
    let mut products = set.clusters();
    products.sort_unstable();
    products.dedup();
    SetSize {
        source: set.source.clone(),
        images: set.file.rows.len(),
        products: products.len(),
        failed: set.failed.clone(),
    }
}

fn notes(sample: &Set, reference: &Set, dimension: usize) -> Vec<String> {
    let mut notes = Vec::new();
    let least = sample.file.rows.len().min(reference.file.rows.len());
    if least < dimension {
        notes.push(format!(
            "{least} images are fewer than the {dimension} features: the Fréchet distance is biased upwards; compare it only at equal numbers of images, or read --infinity"
        ));
    }
    let same = |row: &&Vec<f32>| Some(*row) == sample.file.rows.first();
    if least > 1 && sample.file.rows.iter().all(|row| same(&row)) {
        notes.push("all pictures of the sample have the same features".into());
    }
    notes
}

fn page(result: &FidResult) -> String {
    let FidResult { sample, reference, .. } = result;
    let mut page = format!(
        "{} ({} images of {} products) against {} ({} images)\n{}, {} features: {}\n\n",
        sample.source.display(),
        sample.images,
        sample.products,
        reference.source.display(),
        reference.images,
        result.encoder,
        result.dimension,
        result.preprocessing,
    );
    let of = |manifolds: &Option<Manifolds>, part: fn(&Manifolds) -> Estimate| {
        text::or_dash(manifolds.as_ref().map(part).as_ref(), text::number)
    };
    let mut rows = vec![
        (format!("{} ↓", result.frechet_name), text::number(&result.frechet)),
        (format!("{} ↓", result.kernel_name), text::number(&result.kernel)),
        (format!("CMMD on {} ↓", result.encoder), text::number(&result.cmmd)),
        ("precision (k 3) ↑".into(), of(&result.neighbours_3, |m| m.precision)),
        ("recall (k 3) ↑".into(), of(&result.neighbours_3, |m| m.recall)),
        ("density (k 5) ↑".into(), of(&result.neighbours_5, |m| m.density)),
        ("coverage (k 5) ↑".into(), of(&result.neighbours_5, |m| m.coverage)),
    ];
    if let Some(infinity) = &result.infinity {
        rows.insert(1, (format!("{} at infinity ↓", result.frechet_name), text::number(&infinity.distance)));
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in rows {
        let gap = " ".repeat(width - name.chars().count());
        page += &format!("{name}{gap}  {value}\n");
    }
    page += &format!(
        "\nBrackets are {}% intervals over products; the reference is held fixed.\n",
        100.0 * result.level
    );
    page + &text::notes(&result.notes)
}

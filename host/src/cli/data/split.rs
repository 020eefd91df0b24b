//! `adeval data split`: a table into parts, with a manifest and a look for leaks between them.

use super::leaks::Leaks;
use crate::cli::Session;
use crate::cli::eval::source::{SourceArgs, finish, show};
use crate::cli::exit::{Finish, Stop};
use crate::cli::output;
use crate::near;
use crate::records::split::{Members, Moment, Moments, Rule, Splitter};
use crate::records::{RecordError, RowReport, header};
use crate::store::write_json;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
By product every row of a product lands in one part, by a hash of its name and the seed: the same
in every file with the same products, shares and seed, so that a table of pairs and one of totals
are split alike. By time later rows go to later parts, and rows of one day (or time) stay
together.

Parts are written in the file's format, with split.json beside them: seed, shares, rows, hashes of
all files, and leaks. Leaks are products in several parts and, with --images, pictures of
creatives in different parts that are nearly the same: files of the creative's name, by difference
hashes of 128 bits.

Exit codes: 0 done, 3 done but rows were left out or parts leak.

Examples:
  adeval data split totals.csv --out parts --by product --seed 1
  adeval data split totals.csv --out parts --by product --images creatives
  adeval data split log.parquet --out parts --by time --column time --parts train=0.9,test=0.1
  adeval data split days.csv --out parts --by time --column day --cuts 2026-03-08,2026-03-15";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct SplitArgs {
    /// The table: .csv, .tsv, .jsonl or .parquet.
    file: PathBuf,
    /// The folder to write; it must not hold these parts yet.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What decides the part of a row.
    #[arg(long, value_enum)]
    by: By,
    /// The column of products, or of times.
    #[arg(
        long,
        value_name = "NAME",
        default_value_if("by", "product", "product"),
        required_if_eq("by", "time")
    )]
    column: Option<String>,
    /// Parts with their shares, which add up to 1.
    #[arg(
        long,
        value_name = "NAME=SHARE",
        value_delimiter = ',',
        default_value = "train=0.8,validation=0.1,test=0.1"
    )]
    parts: Vec<String>,
    /// By time: the first moment of each part but the first, in place of shares.
    #[arg(long, value_name = "MOMENT", value_delimiter = ',')]
    cuts: Vec<String>,
    /// By product: seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// A folder with the creatives' pictures, to look for near-duplicates across parts.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Most bits of 128 in which near-duplicates differ.
    #[arg(long, value_name = "BITS", default_value_t = 8)]
    distance: u32,
    #[command(flatten)]
    source: SourceArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// All rows of a product together.
    Product,
    /// Later rows in later parts.
    Time,
}

/// `split.json`, which `adeval data split --json` prints, too.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SplitManifest {
    /// The file that was split.
    pub source: String,
    /// BLAKE3 of it.
    pub source_hash: String,
    /// What decided.
    pub by: By,
    /// By which column.
    pub column: String,
    /// Seed of a split by product.
    pub seed: u64,
    /// What became of the file's rows.
    pub rows: RowReport,
    /// The parts.
    pub parts: Vec<Part>,
    /// What parts share.
    pub leaks: Leaks,
}

/// A part of a split.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// The share that it was to get; absent where moments were given.
    pub share: Option<f64>,
    /// Its first moment, by time; absent for the first part.
    pub from: Option<String>,
    /// Its file, beside the manifest.
    pub file: String,
    /// BLAKE3 of the file.
    pub hash: String,
    /// Its rows.
    pub rows: u64,
    /// Its products.
    pub products: u64,
}

pub fn run(args: &SplitArgs, session: Session) -> Result<Finish, Stop> {
    let (names, shares) = parts(args)?;
    if args.distance >= near::BITS / 2 {
        return Err(Stop::new(format!(
            "--distance is {}; it must be below {}, where unlike pictures are",
            args.distance,
            near::BITS / 2
        )));
    }
    if let Some(folder) = args.images.as_ref().filter(|f| !f.is_dir()) {
        return Err(Stop::new(format!("--images {}: there is no such folder", folder.display())));
    }
    let column = args.column.clone().unwrap_or_else(|| "product".into());
    let mut up_to: Vec<f64> = shares
        .iter()
        .scan(0.0, |sum, s| {
            *sum += s;
            Some(*sum)
        })
        .collect();
    if let Some(last) = up_to.last_mut() {
        *last = 1.0;
    }
    let rule = match args.by {
        By::Product => Rule::Product { seed: args.seed, up_to },
        By::Time => Rule::Time { cuts: cuts(args, &column, &up_to, session)? },
    };
    let ending = ending(&args.file)?;
    let files: Vec<PathBuf> = names.iter().map(|name| args.out.join(format!("{name}.{ending}"))).collect();
    std::fs::create_dir_all(&args.out)
        .map_err(|e| Stop::new(format!("{} cannot be made: {e}", args.out.display())))?;
    let mut splitter = Splitter::new(rule.clone(), &column, files.clone());
    let rows = args.source.read(&args.file, true, &mut splitter, session)?;
    let counts = splitter.finish().map_err(Stop::new)?;
    let members = members(&names, &files, &counts, session)?;
    let leaks = Leaks::of(&members, args.images.as_deref(), args.distance);
    let first = |at: usize| match &rule {
        Rule::Time { cuts } if at > 0 => Some(cuts[at - 1].to_string()),
        _ => None,
    };
    let mut listed = Vec::new();
    for (at, (name, members)) in members.iter().enumerate() {
        listed.push(Part {
            name: name.clone(),
            share: args.cuts.is_empty().then(|| shares[at]),
            from: first(at),
            file: files[at].file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            hash: hash(&files[at])?,
            rows: counts[at],
            products: members.found.len() as u64,
        });
    }
    let manifest = SplitManifest {
        source: args.file.display().to_string(),
        source_hash: hash(&args.file)?,
        by: args.by,
        column,
        seed: args.seed,
        rows,
        parts: listed,
        leaks,
    };
    write_json(&args.out.join("split.json"), &manifest)?;
    show(&manifest, page, session)?;
    Ok(match finish([&manifest.rows]) {
        Finish::Done => Finish::with_failures(manifest.leaks.any()),
        other => other,
    })
}

/// Names and shares of the parts; with cuts, as many parts as those make.
fn parts(args: &SplitArgs) -> Result<(Vec<String>, Vec<f64>), Stop> {
    let mut names = Vec::new();
    let mut shares = Vec::new();
    for part in &args.parts {
        let (name, share) = part.split_once('=').unwrap_or((part, ""));
        let share: f64 = share.parse().ok().filter(|s| *s > 0.0 && *s <= 1.0).ok_or_else(|| {
            Stop::new(format!(
                "--parts {part}: write NAME=SHARE with a share above 0 and at most 1, e.g. test=0.1"
            ))
        })?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(plain) || names.iter().any(|n| n == name) {
            return Err(Stop::new(format!(
                "--parts {part}: each part needs a name of its own, of letters, digits, - and _"
            )));
        }
        names.push(name.to_owned());
        shares.push(share);
    }
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() > 1e-9 || names.len() < 2 {
        return Err(Stop::new(format!(
            "--parts: two parts or more, with shares that add up to 1; these add up to {sum}"
        )));
    }
    if !args.cuts.is_empty() {
        if args.by != By::Time {
            return Err(Stop::new("--cuts are moments, for --by time"));
        }
        if args.cuts.len() + 1 != names.len() {
            let (cuts, parts) = (args.cuts.len(), names.len());
            return Err(Stop::new(format!(
                "{cuts} --cuts make {} parts, and --parts names {parts}",
                cuts + 1
            )));
        }
    }
    Ok((names, shares))
}

fn cuts(args: &SplitArgs, column: &str, up_to: &[f64], session: Session) -> Result<Vec<Moment>, Stop> {
    if args.cuts.is_empty() {
        let mut moments = Moments::new(column);
        args.source.peek(&args.file, &mut moments, session)?;
        let file = args.file.display().to_string();
        return Ok(moments.cuts(up_to).map_err(|message| RecordError::Together { file, message })?);
    }
    let cuts: Vec<Moment> = args.cuts.iter().map(|cut| Moment::of(cut)).collect();
    match cuts.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(Stop::new(format!("--cuts must rise: {} comes before {}", pair[0], pair[1]))),
        None => Ok(cuts),
    }
}

/// The ending of a file's name, with .gz if there is one.
fn ending(file: &Path) -> Result<String, Stop> {
    let name = file.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
    let (stem, gz) = name.strip_suffix(".gz").map_or((name.as_str(), ""), |stem| (stem, ".gz"));
    match stem.rsplit_once('.') {
        Some((_, ending)) => Ok(format!("{ending}{gz}")),
        None => Err(RecordError::Format { file: file.display().to_string() }.into()),
    }
}

/// The products and creatives of each part that has rows and a column of products.
fn members(
    names: &[String],
    files: &[PathBuf],
    counts: &[u64],
    session: Session,
) -> Result<Vec<(String, Members)>, Stop> {
    let source = SourceArgs::strict();
    let mut all = Vec::new();
    for ((name, file), rows) in names.iter().zip(files).zip(counts) {
        let mut members = Members::default();
        if *rows > 0 && header(file)?.iter().any(|column| column == "product") {
            source.read(file, false, &mut members, session)?;
        }
        all.push((name.clone(), members));
    }
    Ok(all)
}

fn hash(file: &Path) -> Result<String, Stop> {
    let wrong = |e: std::io::Error| Stop::new(format!("{} cannot be read: {e}", file.display()));
    let mut hasher = blake3::Hasher::new();
    std::io::copy(&mut File::open(file).map_err(wrong)?, &mut hasher).map_err(wrong)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn page(manifest: &SplitManifest) -> String {
    let by = match manifest.by {
        By::Product => format!("product, seed {}", manifest.seed),
        By::Time => format!("time, column {}", manifest.column),
    };
    let mut page = format!("{}: {} rows split by {by}\n\n", manifest.source, manifest.rows.used);
    let row = |p: &Part| {
        let from = p.from.clone().unwrap_or_else(|| "-".into());
        let share = 100.0 * p.rows as f64 / manifest.rows.used.max(1) as f64;
        [
            p.name.clone(),
            p.rows.to_string(),
            format!("{share:.1}%"),
            p.products.to_string(),
            from,
            p.file.clone(),
        ]
    };
    page +=
        &output::table(["PART", "ROWS", "SHARE", "PRODUCTS", "FROM", "FILE"], manifest.parts.iter().map(row));
    let leaks = &manifest.leaks;
    page += &match leaks.products {
        0 => "\nProducts in several parts: none\n".to_owned(),
        n => format!(
            "\nProducts in several parts: {n}, such as {}\n",
            leaks.first_products.iter().take(3).cloned().collect::<Vec<_>>().join(", ")
        ),
    };
    let Some(pictures) = &leaks.pictures else {
        return page + "Pictures: not compared; --images names their folder\n";
    };
    page += &format!(
        "Pictures nearly the same in different parts: {} pairs of {} pictures (up to {} of 128 bits apart)\n",
        pictures.pairs, pictures.compared, pictures.distance
    );
    if pictures.missing > 0 {
        page += &format!(
            "Creatives without a picture: {}, such as {}\n",
            pictures.missing, pictures.first_missing[0]
        );
    }
    for why in &pictures.unreadable {
        page += &format!("Not compared: {why}\n");
    }
    if !pictures.first_pairs.is_empty() {
        let row = |p: &super::leaks::NearPair| {
            [format!("{}: {}", p.a[0], p.a[1]), format!("{}: {}", p.b[0], p.b[1]), p.bits.to_string()]
        };
        page += &format!(
            "\n{}",
            output::table(["NEARLY THE SAME", "AS", "BITS APART"], pictures.first_pairs.iter().map(row))
        );
    }
    page
}

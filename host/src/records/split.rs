//! A table into parts: by product, so that no product is in two, or by time, so that later rows are kept for the end.

use super::cell::Cell;
use super::error::{Problem, Reason};
use super::layout::{Layout, Shape};
use super::read::{Row, Table};
use super::write::{Field, Kind, Writer};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Every column, whatever it is called.
const SHAPE: Shape = Shape { name: "rows to be split", columns: &[], families: &[""] };

/// A time or a day in the order of its values: numbers by size, before others by alphabet (2026-03-01).
#[derive(Debug, Clone)]
pub enum Moment {
    /// A number.
    Number(f64),
    /// Text.
    Text(Box<str>),
}

impl Moment {
    /// What a value says.
    pub fn of(text: &str) -> Self {
        match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Self::Number(number),
            _ => Self::Text(text.into()),
        }
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Number(_), Self::Text(_)) => std::cmp::Ordering::Less,
            (Self::Text(_), Self::Number(_)) => std::cmp::Ordering::Greater,
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
        }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Which part a row belongs to.
#[derive(Debug, Clone)]
pub enum Rule {
    /// By a hash of the product and the seed: where it falls in [0, 1), against the shares added up.
    Product {
        /// Seed.
        seed: u64,
        /// For each part, the sum of its share and those before.
        up_to: Vec<f64>,
    },
    /// The first moment of each part but the first.
    Time {
        /// Rising.
        cuts: Vec<Moment>,
    },
}

impl Rule {
    fn part(&self, key: &str) -> usize {
        match self {
            Self::Product { seed, up_to } => {
                let mut hasher = blake3::Hasher::new();
                hasher.update(&seed.to_le_bytes()).update(key.as_bytes());
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
                // 53 bits, as many as a number in [0, 1) has.
                let at = (u64::from_le_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64;
                up_to.iter().position(|sum| at < *sum).unwrap_or(up_to.len() - 1)
            }
            Self::Time { cuts } => {
                let moment = Moment::of(key);
                cuts.iter().take_while(|cut| moment >= **cut).count()
            }
        }
    }
}

/// Where the cells of a column are, once a file's columns are known.
fn find(layout: &Layout, name: &str) -> Result<usize, String> {
    layout.family("").find(|(_, n)| *n == name).map(|(slot, _)| slot).ok_or_else(|| {
        let known: Vec<_> = layout.family("").map(|(_, n)| format!("\"{n}\"")).collect();
        format!("there is no column \"{name}\" to split by; there are {}", known.join(", "))
    })
}

/// Counts rows by moment, before a split by time.
#[derive(Debug)]
pub struct Moments {
    column: String,
    slot: usize,
    /// Rows of each moment.
    pub counts: BTreeMap<Moment, u64>,
}

impl Moments {
    /// Of this column.
    pub fn new(column: &str) -> Self {
        Self { column: column.into(), slot: 0, counts: BTreeMap::new() }
    }

    /// The cuts that give parts as near to these shares as whole moments allow.
    ///
    /// # Errors
    /// One sentence when there are fewer moments than parts, or when some are numbers and some are not.
    pub fn cuts(&self, up_to: &[f64]) -> Result<Vec<Moment>, String> {
        let column = &self.column;
        let texts = self.counts.keys().filter(|m| matches!(m, Moment::Text(_))).count();
        if texts > 0 && texts < self.counts.len() {
            return Err(format!(
                "column \"{column}\" has numbers and other texts, which have no order between them; write all in one way"
            ));
        }
        if self.counts.len() < up_to.len() {
            return Err(format!(
                "column \"{column}\" has {} different values, too few for {} parts; rows of one value stay together",
                self.counts.len(),
                up_to.len()
            ));
        }
        let sums: Vec<u64> = self
            .counts
            .values()
            .scan(0, |sum, n| {
                *sum += n;
                Some(*sum)
            })
            .collect();
        let total = sums.last().copied().unwrap_or(0) as f64;
        let (parts, mut from, mut cuts) = (up_to.len(), 1, Vec::new());
        for (part, share) in (1..parts).zip(up_to) {
            // As near to the share as whole moments allow, with one left for each part to come.
            let off = |at: &usize| (sums[at - 1] as f64 - share * total).abs();
            let last = self.counts.len() - (parts - part);
            let at = (from..=last).min_by(|a, b| off(a).total_cmp(&off(b))).unwrap_or(last);
            cuts.extend(self.counts.keys().nth(at).cloned());
            from = at + 1;
        }
        Ok(cuts)
    }
}

impl Table for Moments {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        self.slot = find(layout, &self.column)?;
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        *self.counts.entry(Moment::of(&row.written(self.slot)?)).or_default() += 1;
        Ok(())
    }
}

/// Writes each row to its part.
pub struct Splitter {
    rule: Rule,
    column: String,
    slot: usize,
    files: Vec<PathBuf>,
    writers: Vec<Writer>,
    failed: Option<String>,
}

impl Splitter {
    /// Into these files, which are written when the columns are known.
    pub fn new(rule: Rule, column: &str, files: Vec<PathBuf>) -> Self {
        Self { rule, column: column.into(), slot: 0, files, writers: Vec::new(), failed: None }
    }

    /// Rows of each part.
    ///
    /// # Errors
    /// One sentence when a file cannot be written.
    pub fn finish(self) -> Result<Vec<u64>, String> {
        match self.failed {
            Some(failed) => Err(failed),
            None => self.writers.into_iter().map(Writer::finish).collect(),
        }
    }
}

impl Table for Splitter {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        self.slot = find(layout, &self.column)?;
        let fields = |(slot, name): (usize, &str)| Field::new(name, layout.kind(slot).unwrap_or(Kind::Text));
        let fields: Vec<Field> = layout.family("").map(fields).collect();
        let create = |file: &PathBuf| Writer::create(file, fields.clone());
        self.writers = self.files.iter().map(create).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let part = self.rule.part(&row.written(self.slot)?);
        if self.failed.is_none() {
            self.failed = self.writers[part].row(row.cells).err();
        }
        Ok(())
    }
}

/// The products and creatives of a part, to be compared with those of others.
#[derive(Debug, Default)]
pub struct Members {
    product: Option<usize>,
    creatives: Vec<usize>,
    /// Products, each with its creatives.
    pub found: BTreeMap<Box<str>, std::collections::BTreeSet<Box<str>>>,
}

impl Table for Members {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn begin(&mut self, layout: &Layout) -> Result<(), String> {
        self.product = Some(find(layout, "product")?);
        let creative = |name: &str| ["creative", "left", "right"].contains(&name);
        self.creatives = layout.family("").filter(|(_, n)| creative(n)).map(|(slot, _)| slot).collect();
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<(), Problem> {
        let Some(product) = self.product else { return Err(Problem::new(Reason::Missing, "no product")) };
        let product = row.written(product)?;
        if !self.found.contains_key(&*product) {
            self.found.insert(product.as_ref().into(), std::collections::BTreeSet::new());
        }
        let Some(creatives) = self.found.get_mut(&*product) else { return Ok(()) };
        for &slot in &self.creatives {
            if let Cell::Missing = row.cells[slot] {
                continue;
            }
            let creative = row.written(slot)?;
            if !creatives.contains(&*creative) {
                creatives.insert(creative.as_ref().into());
            }
        }
        Ok(())
    }
}

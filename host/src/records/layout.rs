//! Which column of a file is which of a table.

use super::write::Kind;
use crate::suite::nearest;

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in files.
    pub name: &'static str,
    /// Whether every file must have it.
    pub required: bool,
}

impl Column {
    /// A column that every file has.
    pub const fn required(name: &'static str) -> Self {
        Self { name, required: true }
    }

    /// A column that a file may have.
    pub const fn optional(name: &'static str) -> Self {
        Self { name, required: false }
    }
}

/// The columns of a table.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// What it is a table of.
    pub name: &'static str,
    /// Columns with fixed names. Rows hold their cells in this order.
    pub columns: &'static [Column],
    /// Prefixes of further columns, such as `score_` for one a model. Their cells follow.
    pub families: &'static [&'static str],
}

/// A file's columns in terms of the table's.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// For each column of the file, the cell that it fills.
    pub(super) slots: Vec<Option<usize>>,
    /// Names of cells.
    pub(super) names: Vec<String>,
    /// Whether the file fills it.
    pub(super) present: Vec<bool>,
    /// Columns that the table does not know and that are read past.
    pub(super) unknown: Vec<String>,
    kinds: Vec<Option<Kind>>,
    fixed: usize,
}

impl Layout {
    /// Matches a file's columns; `ignored` are those that the caller does not want, and `past_unknown` lists those that the table
    /// does not know in place of an error.
    ///
    /// # Errors
    /// One sentence that names the column that is missing, unknown or there twice, and the mend.
    pub fn new(
        shape: &Shape,
        header: &[String],
        ignored: &[String],
        past_unknown: bool,
    ) -> Result<Self, String> {
        let mut layout = Self {
            slots: Vec::with_capacity(header.len()),
            names: shape.columns.iter().map(|c| c.name.to_owned()).collect(),
            present: vec![false; shape.columns.len()],
            unknown: Vec::new(),
            kinds: Vec::new(),
            fixed: shape.columns.len(),
        };
        for name in header {
            let name = name.trim();
            let slot = match layout.slot(shape, name, ignored) {
                Err(_) if past_unknown && !layout.names.iter().any(|n| n == name) => {
                    layout.unknown.push(name.to_owned());
                    None
                }
                slot => slot?,
            };
            layout.slots.push(slot);
        }
        if let Some(name) = ignored.iter().find(|i| !header.iter().any(|h| h.trim() == i.as_str())) {
            return Err(format!("there is no column \"{name}\" to ignore; there are {}", listed(header)));
        }
        let missing = shape.columns.iter().zip(&layout.present).find(|(c, there)| c.required && !**there);
        match missing {
            Some((column, _)) => Err(format!(
                "column \"{}\" is missing; there are {}: rename the one that holds it",
                column.name,
                listed(header)
            )),
            None => Ok(layout),
        }
    }

    fn slot(&mut self, shape: &Shape, name: &str, ignored: &[String]) -> Result<Option<usize>, String> {
        if ignored.iter().any(|i| i == name) {
            return Ok(None);
        }
        let family = |name: &str| shape.families.iter().any(|f| name.len() > f.len() && name.starts_with(f));
        let slot = match self.names.iter().position(|n| n == name) {
            Some(slot) => slot,
            None if family(name) => {
                self.names.push(name.to_owned());
                self.present.push(false);
                self.names.len() - 1
            }
            None => return Err(unknown(shape, name)),
        };
        if std::mem::replace(&mut self.present[slot], true) {
            return Err(format!("column \"{name}\" is there twice; remove or rename one"));
        }
        Ok(Some(slot))
    }

    /// What the columns of a typed file hold, in its order.
    pub(super) fn set_kinds(&mut self, kinds: &[Kind]) {
        self.kinds = vec![None; self.names.len()];
        for (slot, kind) in self.slots.iter().zip(kinds) {
            if let Some(slot) = slot {
                self.kinds[*slot] = Some(*kind);
            }
        }
    }

    /// What a cell's column holds, where the file says it.
    pub fn kind(&self, slot: usize) -> Option<Kind> {
        self.kinds.get(slot).copied().flatten()
    }

    /// Whether the file has a fixed column, by its place in the table's shape.
    pub fn has(&self, column: usize) -> bool {
        self.present[column]
    }

    /// Further columns of a family: the cell, and the name without the prefix.
    pub fn family<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
        let further = self.names.iter().enumerate().skip(self.fixed);
        further.filter_map(move |(slot, name)| Some((slot, name.strip_prefix(prefix)?)))
    }
}

fn unknown(shape: &Shape, name: &str) -> String {
    let known = shape.columns.iter().map(|c| c.name);
    let mend = match nearest(name, known.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => {
            let families = shape.families.iter().map(|f| format!("{f}NAME"));
            format!("known: {}", known.map(String::from).chain(families).collect::<Vec<_>>().join(", "))
        }
    };
    format!(
        "unknown column \"{name}\" in a table of {}; {mend} (`--ignore {name}` reads past it)",
        shape.name
    )
}

/// The first columns of a file, for a message.
fn listed(header: &[String]) -> String {
    let shown: Vec<_> = header.iter().take(12).map(|h| format!("\"{h}\"")).collect();
    if header.len() > 12 { format!("{} and more", shown.join(", ")) } else { shown.join(", ") }
}

//! What a bench leaves behind.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of a run.
#[derive(Debug, Clone)]
pub struct RunDir {
    /// Where it is.
    pub path: PathBuf,
}

impl RunDir {
    /// The only run in a folder of runs, if there is one.
    pub fn find_in(runs: &Path) -> Option<Self> {
        let mut all = fs::read_dir(runs).ok()?.flatten();
        let path = all.next()?.path();
        all.next().is_none().then_some(Self { path })
    }

    /// The only run in a folder of runs.
    ///
    /// # Panics
    /// When there is none or more than one.
    #[track_caller]
    pub fn only_in(runs: &Path) -> Self {
        Self::find_in(runs).unwrap_or_else(|| panic!("{} does not hold one run", runs.display()))
    }

    /// The text of a file; empty when it is not there.
    pub fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path.join(file)).unwrap_or_default()
    }

    /// Number of results so far.
    pub fn results(&self) -> usize {
        self.text("records.jsonl").matches('\n').count()
    }

    /// Whether it has a board.
    pub fn is_finished(&self) -> bool {
        self.path.join("result.json").exists()
    }

    /// `result.json`.
    ///
    /// # Panics
    /// When it is not there or no JSON.
    pub fn result(&self) -> Value {
        serde_json::from_str(&self.text("result.json")).expect("a finished run has a result")
    }

    /// The bytes of `result.json` that must repeat: all before the costs and the session.
    ///
    /// # Panics
    /// When it is not there.
    #[track_caller]
    pub fn board_bytes(&self) -> String {
        let text = self.text("result.json");
        let end = text.find("\"cost_columns\"").expect("a result has costs, after its board");
        text[..end].to_owned()
    }

    /// An entry's row of the board.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn row(&self, entry: &str) -> Value {
        let rows = self.result()["board"]["rows"].take();
        let row = rows.as_array().into_iter().flatten().find(|row| row["entry"] == entry);
        row.unwrap_or_else(|| panic!("there is no row {entry}")).clone()
    }

    /// How many of an entry's creatives are on the board, and how many there should be.
    #[track_caller]
    pub fn coverage(&self, entry: &str) -> (u64, u64) {
        let coverage = &self.row(entry)["coverage"];
        let count = |key: &str| coverage[key].as_u64().unwrap_or_default();
        (count("done"), count("planned"))
    }

    /// Messages of an entry's failures, by product.
    #[track_caller]
    pub fn failures(&self, entry: &str) -> Vec<(String, String)> {
        let failures = self.row(entry)["failures"].take();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = failures.as_array().into_iter().flatten();
        all.map(|failure| (text(&failure["product"]), text(&failure["message"]))).collect()
    }

    /// The creatives by the name of their file, which is the hash of their bytes.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn images(&self) -> BTreeMap<String, Vec<u8>> {
        let folders = fs::read_dir(self.path.join("images")).expect("a run has images").flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
        files
            .map(|file| {
                let name = file.file_name().to_string_lossy().into_owned();
                (name, fs::read(file.path()).expect("an image can be read"))
            })
            .collect()
    }

    /// All that the workers printed.
    pub fn logs(&self) -> String {
        let files = fs::read_dir(self.path.join("logs")).into_iter().flatten().flatten();
        files.map(|file| fs::read_to_string(file.path()).unwrap_or_default()).collect()
    }
}

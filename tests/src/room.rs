//! A folder for one test, with products, suites and runs.

use crate::{Program, RunDir, Suite, built, pictures};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder that is removed at its end, and the plugins that the program sees from it.
pub struct Room {
    folder: TempDir,
    plugins: Vec<PathBuf>,
}

impl Room {
    /// A room in which the program sees the misbehaving plugin.
    ///
    /// # Panics
    /// When there is no place for it.
    #[expect(clippy::new_without_default, reason = "a room is a folder, not a value")]
    pub fn new() -> Self {
        Self::with_plugins(&[built::MISBEHAVING])
    }

    /// A room in which the program sees the libraries of these crates.
    ///
    /// # Panics
    /// As [`Room::new`].
    pub fn with_plugins(names: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("adeval-e2e-").tempdir().expect("a folder can be made");
        Self { folder, plugins: names.iter().map(|name| built::library(name)).collect() }
    }

    /// A file or folder of the room.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with its folders.
    ///
    /// # Panics
    /// When it cannot.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder can be made");
        fs::write(&path, bytes).expect("a file can be written");
        path
    }

    /// Writes `products/products.json` with so many small products, `p0`, `p1`, ...
    ///
    /// # Panics
    /// When it cannot.
    pub fn products(&self, count: usize) -> PathBuf {
        let kinds = [("Ceramic mug", "Kitchen"), ("Running shoe", "Shoes"), ("Desk lamp", "Home")];
        let mut records = Vec::new();
        for k in 0..count {
            let (title, category) = kinds[k % kinds.len()];
            self.write(&format!("products/p{k}.png"), pictures::cut_out(k));
            let image = format!("p{k}.png");
            records.push(serde_json::json!({
                "id": format!("p{k}"), "image": image, "title": format!("{title} {k}"),
                "category": [category], "price": 9.5 + k as f64, "currency": "EUR",
            }));
        }
        let list = serde_json::to_vec_pretty(&records).expect("products are JSON");
        self.write("products/products.json", list)
    }

    /// Writes a suite as `NAME.toml`, over `products/products.json`.
    pub fn suite(&self, suite: &Suite) -> PathBuf {
        self.write(&format!("{}.toml", suite.name()), suite.text())
    }

    /// A room with so many products and one suite.
    pub fn with_suite(products: usize, suite: &Suite) -> (Self, PathBuf) {
        let room = Self::new();
        room.products(products);
        let file = room.suite(suite);
        (room, file)
    }

    /// A call of the program, with its arguments between spaces, and more to come.
    pub fn adeval(&self, arguments: &str) -> Program {
        Program::new(self.folder.path(), &self.plugin_path()).args(arguments.split_whitespace())
    }

    /// Where the program looks for plugins.
    pub fn plugin_path(&self) -> OsString {
        std::env::join_paths(&self.plugins).expect("paths of libraries have no colon")
    }

    /// The only run in a folder of runs.
    ///
    /// # Panics
    /// When there is none or more than one.
    #[track_caller]
    pub fn run_in(&self, runs: &str) -> RunDir {
        RunDir::only_in(&self.path(runs))
    }
}

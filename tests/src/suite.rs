//! Suites of small creatives.

use std::fmt::Write;

/// A suite over `products/products.json`, of creatives of 64x64 pixels.
#[derive(Debug, Clone)]
pub struct Suite {
    name: String,
    head: Vec<(String, String)>,
    tables: String,
    entries: String,
    judges: String,
}

impl Suite {
    /// A suite without entries, judged by `brightness`, with the metrics that need no embedder.
    pub fn new(name: &str) -> Self {
        let suite = Self {
            name: name.into(),
            head: Vec::new(),
            tables: "[products]\npath = \"products/products.json\"\n".into(),
            entries: String::new(),
            judges: "[[judge]]\nid = \"eye\"\nplugin = \"brightness\"\n".into(),
        };
        suite
            .set("seed", "7")
            .set("size", "[64, 64]")
            .set("resamples", "200")
            .set("metrics", r#"["win-rate", "predicted-ctr", "product-fidelity"]"#)
    }

    /// Sets a key of the head to a TOML value.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.head.retain(|(known, _)| known != key);
        self.head.push((key.into(), value.into()));
        self
    }

    /// Adds an entry with a plain prompt and this background, whose parameters are a TOML table without its braces.
    #[must_use]
    pub fn entry(self, id: &str, background: &str, parameters: &str) -> Self {
        self.entry_with_prompt(id, "plain-prompt", background, parameters)
    }

    /// Adds an entry.
    #[must_use]
    pub fn entry_with_prompt(mut self, id: &str, prompt: &str, background: &str, parameters: &str) -> Self {
        let _ = writeln!(
            self.entries,
            "[[entry]]\nid = \"{id}\"\nprompt = {{ plugin = \"{prompt}\" }}\n\
             background = {{ plugin = \"{background}\", parameters = {{ {parameters} }} }}"
        );
        self
    }

    /// Sets the only judge.
    #[must_use]
    pub fn judge(mut self, plugin: &str) -> Self {
        self.judges = format!("[[judge]]\nid = \"eye\"\nplugin = \"{plugin}\"\n");
        self
    }

    /// Adds a table, written as TOML.
    #[must_use]
    pub fn table(mut self, toml: &str) -> Self {
        self.tables.push_str(toml);
        self.tables.push('\n');
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text.
    pub fn text(&self) -> String {
        let mut text = format!("name = \"{}\"\n", self.name);
        for (key, value) in &self.head {
            let _ = writeln!(text, "{key} = {value}");
        }
        text + &self.tables + &self.entries + &self.judges
    }
}

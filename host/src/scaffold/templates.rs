//! The templates, and how their blanks are filled.

use adeval_sdk::Kind;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::PathBuf;

/// What a kind has of its own.
struct Kit {
    library: &'static str,
    tests: &'static str,
    /// Three parts with lines `---` between them: what it does, how to use it, where to change it.
    readme: &'static str,
    suite: &'static str,
    pixels: Pixels,
}

/// Where a kind's code names the `image` crate.
#[derive(PartialEq)]
enum Pixels {
    Everywhere,
    InTests,
    Nowhere,
}

macro_rules! kit {
    ($kind:literal, $pixels:expr) => {
        Kit {
            library: include_str!(concat!("templates/", $kind, "/lib.rs")),
            tests: include_str!(concat!("templates/", $kind, "/tests.rs")),
            readme: include_str!(concat!("templates/", $kind, "/README.part.md")),
            suite: include_str!(concat!("templates/", $kind, "/suite.toml")),
            pixels: $pixels,
        }
    };
}

fn kit(kind: Kind) -> Kit {
    use Pixels::{Everywhere, InTests, Nowhere};
    match kind {
        Kind::PromptGenerator => kit!("prompt-generator", InTests),
        Kind::BackgroundGenerator => kit!("background-generator", Everywhere),
        Kind::RewardModel => kit!("reward-model", InTests),
        Kind::RlOptimizer => kit!("rl-optimizer", Nowhere),
        Kind::ImageEmbedder => kit!("image-embedder", InTests),
    }
}

const MANIFEST: &str = include_str!("templates/shared/Cargo.toml.template");
const README: &str = include_str!("templates/shared/README.md");
const CI: &str = include_str!("templates/shared/ci.yml");
const IGNORED: &str = include_str!("templates/shared/gitignore");
const IMAGE: &str = "image = { version = \"0.25.10\", default-features = false }\n";

/// What goes into the blanks of the templates.
pub(super) struct Blanks<'a> {
    pub kind: Kind,
    pub name: &'a str,
    /// Value of the sdk's dependency, in TOML.
    pub sdk: String,
    /// The suite's products, a TOML string.
    pub products: String,
    /// The suite's reference scenes, a TOML string.
    pub reference: String,
}

/// `a` or `an`.
pub(super) fn article(kind: Kind) -> &'static str {
    match kind {
        Kind::PromptGenerator | Kind::BackgroundGenerator | Kind::RewardModel => "a",
        Kind::RlOptimizer | Kind::ImageEmbedder => "an",
    }
}

/// The library's file after a release build, from the crate's folder.
pub(super) fn built_file(name: &str) -> String {
    format!("target/release/{DLL_PREFIX}{}{DLL_SUFFIX}", name.replace('-', "_"))
}

/// All files of a crate: where and what.
pub(super) fn render(blanks: &Blanks<'_>) -> Vec<(PathBuf, String)> {
    let kit = kit(blanks.kind);
    let mut parts = kit.readme.split("---\n");
    let [about, usage, change] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let image_if = |wanted: bool| if wanted { IMAGE } else { "" };
    let tests_need_image = kit.pixels == Pixels::InTests;
    let dev_head = if tests_need_image { "\n[dev-dependencies]\n" } else { "" };
    let fill = |text: &str| {
        text.replace("{{about}}", about.trim_end())
            .replace("{{use}}", usage)
            .replace("{{change}}", change.trim_end())
            .replace("{{dependencies}}", image_if(kit.pixels == Pixels::Everywhere))
            .replace("{{dev_dependencies}}", &format!("{dev_head}{}", image_if(tests_need_image)))
            .replace("{{A kind}}", &format!("A{} {}", &article(blanks.kind)[1..], blanks.kind))
            .replace("{{name}}", blanks.name)
            .replace("{{library}}", &blanks.name.replace('-', "_"))
            .replace("{{file}}", &built_file(blanks.name))
            .replace("{{sdk}}", &blanks.sdk)
            .replace("{{products}}", &blanks.products)
            .replace("{{reference}}", &blanks.reference)
    };
    let files = [
        ("Cargo.toml", MANIFEST),
        ("README.md", README),
        (".gitignore", IGNORED),
        ("src/lib.rs", kit.library),
        ("src/tests.rs", kit.tests),
        (".github/workflows/ci.yml", CI),
        ("suite.toml", kit.suite),
    ];
    files.into_iter().map(|(file, text)| (file.into(), fill(text))).collect()
}

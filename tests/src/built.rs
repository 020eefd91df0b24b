//! What cargo built for the tests: the program, and the plugins' libraries.
//!
//! Cargo leaves the program beside the folder of the tests' own programs, and the plugins, on which the tests depend, in
//! that folder. The program looks for plugins in its own folder, so the tests run it from a folder without any and say
//! themselves which plugins it shall see.

use adeval_sdk::ContractVersion;
use object::{Object, ObjectSection, ObjectSymbol};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The plugins that misbehave or serve as the control.
pub const MISBEHAVING: &str = "misbehaving";
/// The one with a component of the same id.
pub const SECOND: &str = "second";
/// Those that people get.
pub const REAL: [&str; 4] =
    ["template_prompt", "scene_background", "heuristic_reward", "efficientnet_embedder"];

/// The small models that learn.
pub const LEARNING: &str = "learning_reference";
/// The reward models that are compared on one split.
pub const RANKERS: &str = "creative_rankers";
/// The losses that they learn by.
pub const OPTIMIZERS: &str = "preference_optimizers";

/// The program, in a folder without plugins.
///
/// # Panics
/// When it was not built, or cannot be put there.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let built = deps().with_file_name(format!("adeval-under-test{}", std::env::consts::EXE_SUFFIX));
        let folder = deps().with_file_name("e2e");
        fs::create_dir_all(&folder).expect("the folder of the program can be made");
        let name = format!("adeval{}", std::env::consts::EXE_SUFFIX);
        let (place, beside) = (folder.join(&name), folder.join(format!("{name}.{}", std::process::id())));
        // Other tests may be running the file that is there, so it is replaced, not written.
        fs::hard_link(&built, &beside)
            .and_then(|()| fs::rename(&beside, &place))
            .unwrap_or_else(|e| panic!("{} cannot be put to {}: {e}", built.display(), place.display()));
        // A rename of one link over another of the same file leaves both.
        let _ = fs::remove_file(&beside);
        place
    })
}

/// The library of a plugin, by the name of its crate.
///
/// # Panics
/// When it was not built.
pub fn library(name: &str) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let path = deps().join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"));
    assert!(path.is_file(), "{} was not built; is {name} a dev-dependency of the tests?", path.display());
    path
}

/// A plugin whose bytes say that it was built for contract 9.0.
///
/// # Panics
/// When the library does not say for which contract it is.
pub fn of_contract_nine() -> Vec<u8> {
    let mut bytes = fs::read(library(SECOND)).expect("it was built");
    let file = object::File::parse(&*bytes).expect("it is a library");
    let symbol = file.dynamic_symbols().find(|symbol| symbol.name() == Ok("ADEVAL_PLUGIN_CONTRACT"));
    let symbol = symbol.expect("it exports its contract");
    let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
    let section = section.expect("the symbol is in a section");
    let start = section.file_range().expect("the section is in the file").0;
    let at = usize::try_from(start + symbol.address() - section.address()).expect("a place in the file");
    let current = ContractVersion::CURRENT.packed();
    assert_eq!(bytes[at..at + 4], current.to_le_bytes(), "this is where the version is");
    bytes[at..at + 4].copy_from_slice(&(9_u32 << 16).to_le_bytes());
    bytes
}

/// The folder of the tests' programs and of their dependencies.
fn deps() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.parent().expect("a program is in a folder").to_owned()
}

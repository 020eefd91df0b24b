//! Names of plugins: what cargo, Rust and a suite all take.

use super::ScaffoldError;

/// The most letters of a name; a crate registry takes no more.
const LONGEST: usize = 64;

/// Names that Rust keeps for itself, and those of the new crate's own dependencies.
const RESERVED: &str = "\
    abstract adeval adeval-frontier adeval-sdk alloc as async await become box break const continue core crate do dyn \
    else enum extern false final fn for gen if image impl in let loop macro match mod move mut override priv \
    proc-macro pub ref return schemars self serde static std struct super test trait true try type typeof union \
    unsafe unsized use virtual where while yield";

/// Checks the name of a new plugin: kebab-case, at most 64 letters, and no word of Rust or of its dependencies.
///
/// # Errors
/// What is wrong with it, and where one can be guessed, the name that is probably meant.
pub fn check(name: &str) -> Result<(), ScaffoldError> {
    let example = "lower-case words with '-' between them, e.g. dusk-background";
    if name.is_empty() {
        return Err(ScaffoldError::new("the name is empty", format!("a plugin's name is {example}")));
    }
    if !is_kebab(name) {
        let guess = kebab(name);
        let mend = if is_kebab(&guess) && !is_reserved(&guess) {
            format!("a plugin's name is {example}; did you mean \"{guess}\"?")
        } else {
            format!("a plugin's name is {example}")
        };
        return Err(ScaffoldError::new(format!("\"{}\" is no name of a plugin", name.escape_debug()), mend));
    }
    if name.len() > LONGEST {
        let message = format!("the name has {} letters, at most {LONGEST} are allowed", name.len());
        return Err(ScaffoldError::new(message, "choose a shorter one"));
    }
    if is_reserved(name) {
        return Err(ScaffoldError::new(
            format!(
                "\"{name}\" is the name of something else: a word of Rust, or a crate that the plugin uses"
            ),
            format!("add a word, e.g. \"{name}-plugin\""),
        ));
    }
    Ok(())
}

fn is_reserved(name: &str) -> bool {
    RESERVED.split(' ').any(|word| word == name)
}

fn is_kebab(name: &str) -> bool {
    let word =
        |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('-').all(word)
}

/// `DuskSky`, `dusk_sky` and `Dusk Sky` as `dusk-sky`.
fn kebab(name: &str) -> String {
    let mut out = String::new();
    let mut after_small = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_small {
            out.push('-');
        }
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
        after_small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    out.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kebab_case_is_taken() {
        for name in ["dusk", "dusk-background", "v2", "sdxl-1-0", &"a".repeat(LONGEST)] {
            assert!(check(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn other_names_are_refused_with_the_mend() {
        let mend = |name| check(name).unwrap_err().mend;
        for (name, meant) in [
            ("DuskSky", "dusk-sky"),
            ("dusk_sky", "dusk-sky"),
            ("Dusk Sky!", "dusk-sky"),
            ("-dusk-", "dusk"),
            ("dusk--sky", "dusk-sky"),
            ("SDXL", "sdxl"),
        ] {
            assert!(mend(name).contains(&format!("did you mean \"{meant}\"?")), "{name}: {}", mend(name));
        }
        for name in ["", "2fast", "../up", "\u{5d0}", "/", "Type", "a\nb"] {
            assert!(check(name).is_err(), "{name:?}");
        }
        assert!(!mend("Type").contains("did you mean"));
        assert!(mend(&"a".repeat(LONGEST + 1)).contains("shorter"));
    }

    #[test]
    fn words_of_rust_and_dependencies_are_refused() {
        for name in ["type", "self", "std", "serde", "adeval-sdk", "proc-macro"] {
            assert!(check(name).unwrap_err().mend.contains(&format!("\"{name}-plugin\"")), "{name}");
        }
    }
}

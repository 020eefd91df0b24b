//! Which libraries are let in, and what is said of the others.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]
mod common;

use adeval_sdk::prelude::*;
use adeval_sdk::{ContractVersion, abi};
use object::{Object, ObjectSection, ObjectSymbol};
use std::path::{Path, PathBuf};

/// Writes a changed copy of the echo plugin.
fn changed(directory: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let mut bytes = std::fs::read(common::example("echo_plugin")).unwrap();
    change(&mut bytes);
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Makes the library say that it was built for another contract.
fn claim(bytes: &mut [u8], contract: ContractVersion) {
    let file = object::File::parse(&*bytes).unwrap();
    let named = |s: &object::Symbol<'_, '_>| {
        s.name().is_ok_and(|n| n.trim_start_matches('_') == "ADEVAL_PLUGIN_CONTRACT")
    };
    let symbol = file.dynamic_symbols().chain(file.symbols()).find(named).unwrap();
    let section = file.section_by_index(symbol.section_index().unwrap()).unwrap();
    let at = (symbol.address() - section.address() + section.file_range().unwrap().0) as usize;
    let (current, place) = (ContractVersion::CURRENT.packed().to_le_bytes(), at..at + 4);
    assert_eq!(bytes[place.clone()], current);
    bytes[place].copy_from_slice(&contract.packed().to_le_bytes());
}

fn refusal(path: &Path) -> PluginError {
    let error = abi::load(path).err().unwrap();
    assert_eq!(error.kind, ErrorKind::Incompatible, "{error}");
    assert!(error.message.contains(&*path.display().to_string()), "{error}");
    assert!(error.to_string().len() < 400 && !error.to_string().contains('\n'), "{error}");
    error
}

#[test]
fn contracts_that_this_host_does_not_speak_are_refused_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let ContractVersion { major, minor } = ContractVersion::CURRENT;
    let claims = [
        (major, minor + 1, "update adeval"),
        (major + 1, 0, "update adeval"),
        (major - 1, 9, "rebuild the plugin against this sdk"),
    ];
    for (major, minor, mend) in claims {
        let theirs = ContractVersion { major, minor };
        let path = changed(directory.path(), &format!("{theirs}.so"), |bytes| claim(bytes, theirs));
        let error = refusal(&path);
        let wanted =
            format!("was built for contract {theirs}, this host speaks {}", ContractVersion::CURRENT);
        assert!(error.message.ends_with(&wanted), "{error}");
        assert_eq!(error.hint.as_deref(), Some(mend));
    }
}

#[test]
fn each_minor_version_up_to_the_hosts_is_let_in() {
    let directory = tempfile::tempdir().unwrap();
    let ContractVersion { major, minor } = ContractVersion::CURRENT;
    for minor in 0..=minor {
        let theirs = ContractVersion { major, minor };
        let path = changed(directory.path(), &format!("{theirs}.so"), |bytes| claim(bytes, theirs));
        assert_eq!(abi::load(&path).unwrap().manifest().library, "echo-plugin");
    }
}

#[test]
fn two_libraries_in_one_process_stay_two() {
    let directory = tempfile::tempdir().unwrap();
    let other = changed(directory.path(), "other.so", |bytes| {
        let at = bytes.windows(11).position(|w| w == b"echo-plugin").unwrap();
        bytes[at..at + 4].copy_from_slice(b"ohce");
    });
    let echo = abi::load(&common::example("echo_plugin")).unwrap();
    let ohce = abi::load(&other).unwrap();
    assert_eq!(echo.manifest().library, "echo-plugin");
    assert_eq!(ohce.manifest().library, "ohce-plugin");
    let error = ohce.create("nobody", &serde_json::Value::Null, &Environment::default()).err().unwrap();
    assert!(error.message.starts_with("library \"ohce-plugin\""), "{error}");
}

#[test]
fn what_is_no_plugin_is_refused_in_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    refusal(&write("empty.so", b""));
    refusal(&write("text.so", b"not a library at all"));
    refusal(&directory.path().join("absent.so"));
    let nameless = changed(directory.path(), "nameless.so", |bytes| {
        let name = b"ADEVAL_PLUGIN_CONTRACT\0";
        while let Some(at) = bytes.windows(name.len()).position(|w| w == name) {
            bytes[at] = b'X';
        }
    });
    assert!(refusal(&nameless).message.contains("is not an adeval plugin"));
}

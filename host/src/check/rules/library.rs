//! The library itself: it loads, says what it is, and is for this contract.

use super::super::rule::{Finding, Rule, Scope, Verdict, ensure};
use super::super::subject::Subject;
use super::rule;
use adeval_sdk::ContractVersion;
use std::collections::BTreeSet;
use std::time::Duration;

pub static RULES: [Rule; 4] = [
    rule!("library-loads", Basic, Scope::Library, "the file is a plugin that this host can load", loads),
    rule!(
        "contract-version",
        Basic,
        Scope::Library,
        "it was built for a contract that this host speaks",
        version
    ),
    rule!(
        "manifest-complete",
        Basic,
        Scope::Library,
        "names, versions, licences and devices are given",
        manifest
    ),
    rule!(
        "load-is-quick",
        Basic,
        Scope::Library,
        "loading and the manifest take less than two seconds",
        quick
    ),
];

fn loads(subject: &Subject) -> Verdict {
    let manifest = subject.library().manifest();
    Ok(format!("{} {} with {} components", manifest.library, manifest.version, manifest.components.len()))
}

fn version(subject: &Subject) -> Verdict {
    let (theirs, ours) = (subject.library().manifest().contract, ContractVersion::CURRENT);
    ensure!(theirs.major == ours.major, "it is for contract {theirs}, this host speaks {ours}");
    ensure!(theirs.minor <= ours.minor, "it is for contract {theirs}, newer than this host's {ours}");
    Ok(format!("contract {theirs}, host {ours}"))
}

fn manifest(subject: &Subject) -> Verdict {
    let manifest = subject.library().manifest();
    ensure!(!manifest.library.is_empty(), "the library has no name");
    ensure!(!manifest.version.is_empty(), "the library has no version");
    ensure!(!manifest.components.is_empty(), "the library exports no component");
    let mut ids = BTreeSet::new();
    let mut hints = Vec::new();
    for component in &manifest.components {
        let info = &component.info;
        let id = &info.id;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ensure!(!id.is_empty() && id.chars().all(plain), "the id \"{id}\" is not kebab-case");
        ensure!(ids.insert(id.clone()), "two components have the id \"{id}\"");
        ensure!(!info.license.is_empty(), "{id} names no licence");
        ensure!(!info.devices.is_empty(), "{id} names no device that it can use");
        if info.summary.trim().is_empty() {
            hints.push(format!("{id} has no summary"));
        }
    }
    if hints.is_empty() { Ok(String::new()) } else { Err(Finding::Warning(hints.join("; "))) }
}

fn quick(subject: &Subject) -> Verdict {
    let time = subject.elapsed();
    let seconds = time.as_secs_f64();
    ensure!(
        time < Duration::from_secs(2),
        "loading took {seconds:.1} s; load weights in `create`, not before"
    );
    if time > Duration::from_millis(500) {
        return Err(Finding::Warning(format!(
            "loading took {seconds:.1} s; every `adeval plugin list` waits for it"
        )));
    }
    Ok(format!("{:.0} ms", 1000.0 * seconds))
}

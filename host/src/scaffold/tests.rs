//! What can be said of the templates without building them; the end-to-end tests build them.

use super::templates::{Blanks, render};
use super::*;
use crate::suite::Suite;

fn files(kind: Kind) -> Vec<(PathBuf, String)> {
    let blanks = Blanks {
        kind,
        name: "dusk-sky",
        sdk: "{ path = \"../adeval/sdk\" }".into(),
        products: "\"products\"".into(),
        reference: "\"reference\"".into(),
    };
    render(&blanks)
}

fn text(kind: Kind, file: &str) -> Option<String> {
    files(kind).into_iter().find(|(path, _)| path == Path::new(file)).map(|(_, text)| text)
}

#[test]
fn no_blank_stays_open() {
    for kind in Kind::ALL {
        for (path, text) in files(kind) {
            let without_expressions = text.replace("${{", "");
            assert!(!without_expressions.contains("{{"), "{kind}: {}", path.display());
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{kind}: {}", path.display());
        }
    }
}

#[test]
fn manifests_name_the_crate_and_its_sdk() {
    for kind in Kind::ALL {
        let manifest: toml::Table = text(kind, "Cargo.toml").unwrap().parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("dusk-sky"));
        assert_eq!(manifest["dependencies"]["adeval-sdk"]["path"].as_str(), Some("../adeval/sdk"));
    }
}

#[test]
fn suites_are_read_and_use_the_new_component() {
    for kind in Kind::ALL {
        let text = text(kind, "suite.toml").unwrap();
        let suite = Suite::parse(&text, Path::new("suite.toml")).unwrap();
        assert!(suite.text.contains("plugin = \"dusk-sky\""), "{kind}");
    }
}

#[test]
fn an_existing_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine"), "text").unwrap();
    let plugin = NewPlugin {
        kind: Kind::RewardModel,
        name: "dusk".into(),
        directory: folder.path().into(),
        sdk: Sdk::Version("0.1".into()),
    };
    assert!(plugin.create().unwrap_err().message.contains("exists already"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_version_of_a_registry_stands_in_the_manifest() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = NewPlugin {
        kind: Kind::ImageEmbedder,
        name: "dusk".into(),
        directory: folder.path().join("a/b"),
        sdk: Sdk::Version("0.1".into()),
    };
    let created = plugin.create().unwrap();
    let manifest = std::fs::read_to_string(created.directory.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("adeval-sdk = \"0.1\"\n"), "{manifest}");
    assert!(!created.files.contains(&"Cargo.lock".into()));
}

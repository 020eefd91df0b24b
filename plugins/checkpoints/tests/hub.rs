//! The hub's cache, and downloads from a hub on this machine.

mod support;

use adeval_checkpoints::hub::{Id, Selection};
use adeval_checkpoints::{ErrorKind, Hub, Layout, verify};
use std::path::Path;
use support::server::{COMMIT, Server, sha256};
use support::{UNET, VAE, safetensors, write};

fn id(text: &str) -> Id {
    text.parse().expect("an id")
}

/// A hub with nothing of this machine's environment.
fn hub(home: &Path, more: &[(&str, &str)]) -> Hub {
    Hub::from_variables(|name| {
        let found = more.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        found.or_else(|| (name == "HF_HOME").then(|| home.display().to_string()))
    })
}

/// What Python's library leaves after a download of one file.
fn python_cache(cache: &Path, content: &[u8]) {
    let folder = cache.join("models--org--model");
    let sum = sha256(content);
    write(&folder.join("refs/main"), COMMIT);
    write(&folder.join("refs/refs/pr/1"), COMMIT);
    write(&folder.join("blobs").join(&sum), content);
    let snapshot = folder.join("snapshots").join(COMMIT).join("vae");
    std::fs::create_dir_all(&snapshot).expect("a folder");
    let link = snapshot.join("model.safetensors");
    std::os::unix::fs::symlink(format!("../../../blobs/{sum}"), link).expect("a link");
}

#[test]
fn ids_are_read_strictly() {
    assert_eq!(id("org/a-b_c.1@refs/pr/1").revision(), "refs/pr/1");
    assert_eq!((id("gpt2").revision(), id("org/name").to_string().as_str()), ("main", "org/name"));
    for text in
        ["", "a/b/c", "../x", "a/..", "org/name@", "org/na me", "org/name@../../x", "/abs", "a/.hidden"]
    {
        let error = text.parse::<Id>().expect_err(text);
        assert!(error.to_string().contains("org/name@revision"), "{error}");
    }
}

#[test]
fn what_python_downloaded_is_found() {
    let home = tempfile::tempdir().expect("a room");
    let content = safetensors(VAE);
    python_cache(&home.path().join("hub"), &content);
    let hub = hub(home.path(), &[]);
    for revision in ["org/model".to_owned(), "org/model@refs/pr/1".into(), format!("org/model@{COMMIT}")] {
        let snapshot = hub.snapshot(&id(&revision)).unwrap_or_else(|| panic!("{revision} is there"));
        assert_eq!(snapshot.commit, COMMIT);
        assert_eq!(hub.find(&revision).expect("a path"), snapshot.path);
        assert!(Layout::recognise(snapshot.path.join("vae")).is_ok());
    }
    assert_eq!(hub.snapshot(&id("org/model@other")), None);
    let models = hub.list().expect("a list");
    assert_eq!(
        (models.len(), models[0].id.as_str(), models[0].bytes),
        (1, "org/model", content.len() as u64)
    );
    assert_eq!(models[0].commits, [COMMIT]);
    assert_eq!(models[0].revisions.len(), 2);

    let error = hub.find("org/other").expect_err("not there");
    assert!(error.to_string().contains("adeval models pull org/other"), "{error}");
    let error = hub.find("./org/other").expect_err("a path");
    assert!(error.to_string().contains("neither a path"), "{error}");
}

#[test]
fn a_blob_that_is_not_its_name_is_found_out() {
    let home = tempfile::tempdir().expect("a room");
    let content = safetensors(VAE);
    python_cache(&home.path().join("hub"), &content);
    let hub = hub(home.path(), &[]);
    let folder = hub.find("org/model").expect("a path").join("vae");
    let report = verify::verify(&folder, &mut |_| ());
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!(report.files[0].expected_sha256.as_deref(), Some(sha256(&content).as_str()));

    let mut changed = content.clone();
    *changed.last_mut().expect("a byte") ^= 1;
    write(&folder.join("model.safetensors").canonicalize().expect("the blob"), &changed);
    let report = verify::verify(&folder, &mut |_| ());
    assert_eq!(report.problems.len(), 1);
    assert!(report.problems[0].problem.contains(&sha256(&changed)), "{:?}", report.problems);
}

#[test]
fn a_local_folder_goes_before_the_cache() {
    let home = tempfile::tempdir().expect("a room");
    python_cache(&home.path().join("hub"), &safetensors(VAE));
    let local = home.path().join("org/model");
    std::fs::create_dir_all(&local).expect("a folder");
    assert_eq!(hub(home.path(), &[]).find(&local.display().to_string()).expect("the folder"), local);
}

#[test]
fn the_environment_is_pythons() {
    let home = tempfile::tempdir().expect("a room");
    write(&home.path().join("token"), "hf_file\n");
    assert!(hub(home.path(), &[]).has_token());
    assert_eq!(hub(home.path(), &[]).cache(), home.path().join("hub"));
    let other = hub(home.path(), &[("HF_HUB_CACHE", "/elsewhere"), ("HF_HUB_OFFLINE", "true")]);
    assert_eq!(other.cache(), Path::new("/elsewhere"));
    assert!(other.is_offline());
    assert!(!hub(home.path(), &[("HF_HUB_OFFLINE", "0")]).is_offline());
    let plain = Hub::from_variables(|name| (name == "HOME").then(|| "/home/one".to_owned()));
    assert_eq!(plain.cache(), Path::new("/home/one/.cache/huggingface/hub"));
    assert!(!plain.has_token());
    let shown = format!("{:?}", hub(home.path(), &[("HF_TOKEN", "hf_secret")]));
    assert!(!shown.contains("hf_secret"), "{shown}");
}

#[test]
fn a_model_is_pulled_once_and_found_offline() {
    let home = tempfile::tempdir().expect("a room");
    let files = [
        ("model_index.json", br#"{"unet": ["diffusers", "UNet2DConditionModel"]}"#.to_vec()),
        ("README.md", b"---\nlicense: creativeml-openrail-m\n---\n".to_vec()),
        ("unet/config.json", br#"{"in_channels": 4, "cross_attention_dim": 768}"#.to_vec()),
        ("unet/diffusion_pytorch_model.safetensors", safetensors(UNET)),
        ("unet/diffusion_pytorch_model.bin", b"not wanted".to_vec()),
    ];
    let server = Server::start("org/model", &files, Some("hf_test"));
    let online = hub(home.path(), &[("HF_ENDPOINT", &server.endpoint), ("HF_TOKEN", "hf_test")]);
    let remote = online.remote(&id("org/model"), &Selection::default()).expect("the listing");
    assert_eq!((remote.commit.as_str(), remote.license.as_deref()), (COMMIT, Some("creativeml-openrail-m")));
    let names: Vec<&str> = remote.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        ["README.md", "model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"]
    );
    let total: u64 = remote.files.iter().filter_map(|file| file.bytes).sum();
    assert_eq!(remote.missing_bytes(), total);
    assert_eq!(server.downloads(), 0, "a plan fetches nothing");

    let mut told = 0;
    let path = online.pull(&remote, &mut |_, bytes| told += bytes).expect("the files");
    assert_eq!(told, total);
    let weights = path.join("unet/diffusion_pytorch_model.safetensors");
    assert_eq!(std::fs::read(&weights).expect("the weights"), files[3].1);
    assert_eq!(weights.canonicalize().expect("a blob").file_name(), Some(sha256(&files[3].1).as_ref()));
    let layout = Layout::recognise(&path).expect("a pipeline");
    assert_eq!(layout.unet_channels, Some(4));
    assert!(verify::verify(&path, &mut |_| ()).is_sound());

    let before = server.downloads();
    let again = online.remote(&id("org/model"), &Selection::default()).expect("the listing");
    assert!(again.files.iter().all(|file| file.cached));
    online.pull(&again, &mut |_, _| panic!("nothing is missing")).expect("the same files");
    assert_eq!(server.downloads(), before);

    let offline = hub(home.path(), &[("HF_HUB_OFFLINE", "1"), ("HF_ENDPOINT", &server.endpoint)]);
    assert_eq!(offline.find("org/model").expect("the cache"), path);
    let error = offline.remote(&id("org/model"), &Selection::default()).expect_err("no network");
    assert_eq!(error.kind(), ErrorKind::Offline);
    assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
}

#[test]
fn refusals_of_the_hub_say_what_to_do() {
    let home = tempfile::tempdir().expect("a room");
    let server = Server::start("org/model", &[("a.safetensors", safetensors(VAE))], Some("hf_test"));
    let says = |variables: &[(&str, &str)], name: &str, words: &[&str]| {
        let error =
            hub(home.path(), variables).remote(&id(name), &Selection::default()).expect_err("a refusal");
        for word in words {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
    };
    let endpoint = ("HF_ENDPOINT", server.endpoint.as_str());
    says(&[endpoint], "org/model", &["does not show org/model (status 401)", "set HF_TOKEN"]);
    says(&[endpoint, ("HF_TOKEN", "hf_wrong")], "org/model", &["accept the model's licence"]);
    says(&[endpoint, ("HF_TOKEN", "hf_test")], "org/none", &["has no org/none", "check the id"]);
    says(&[endpoint, ("HF_TOKEN", "hf_test")], "org/model@v2", &["has no org/model@v2", "revision"]);
    says(
        &[("HF_ENDPOINT", "http://127.0.0.1:9")],
        "org/model",
        &["cannot be had from http://127.0.0.1:9", "--offline"],
    );
}

#[test]
fn a_file_name_that_climbs_is_not_fetched() {
    let home = tempfile::tempdir().expect("a room");
    let files = [("../../evil.safetensors", safetensors(VAE))];
    let server = Server::start("org/model", &files, None);
    let hub = hub(home.path(), &[("HF_ENDPOINT", &server.endpoint)]);
    let error = hub.remote(&id("org/model"), &Selection::default()).expect_err("an escape");
    assert!(error.to_string().contains("../../evil.safetensors"), "{error}");
}

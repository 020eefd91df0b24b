//! Saves, and what is refused as one.

use super::*;
use crate::ranker::{Ranker, Trained};
use std::path::Path;
use std::sync::Arc;

for_each_model! {
    resuming: training_goes_on_from_a_save_bit_by_bit;
    damaged: what_is_no_save_is_refused_by_name;
}

fn refused<R: Ranker>(model: &mut Trained<R>, directory: &Path, words: &[&str]) {
    let before = (model.weights.clone(), model.optimizer.steps());
    let error = model.load(directory, &cx()).unwrap_err();
    assert!(matches!(error.kind, ErrorKind::BadWeights | ErrorKind::MissingWeights), "{error}");
    for word in words {
        assert!(error.message.contains(word), "\"{word}\" is not in: {error}");
    }
    assert_eq!((model.weights.clone(), model.optimizer.steps()), before);
}

fn training_goes_on_from_a_save_bit_by_bit<R: Ranker>(create: impl Fn() -> Trained<R>) {
    let items = pairs(0..4);
    let [first, second] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let mut straight = create();
    // A save before the first step is one, too.
    straight.save(first.path(), &cx()).unwrap();
    create().load(first.path(), &cx()).unwrap();
    train(&mut straight, &items, 2, 1e-2);
    straight.save(first.path(), &cx()).unwrap();
    train(&mut straight, &items, 2, 1e-2);
    straight.save(second.path(), &cx()).unwrap();

    let mut resumed = create();
    resumed.load(first.path(), &cx()).unwrap();
    train(&mut resumed, &items, 2, 1e-2);
    resumed.save(first.path(), &cx()).unwrap();
    let mut names = 0;
    for entry in std::fs::read_dir(second.path()).unwrap() {
        let name = entry.unwrap().file_name();
        let [a, b] = [&first, &second].map(|folder| std::fs::read(folder.path().join(&name)).unwrap());
        assert!(a == b, "{name:?} differs after resuming");
        names += 1;
    }
    assert_eq!(names, 2);
}

fn what_is_no_save_is_refused_by_name<R: Ranker>(create: impl Fn() -> Trained<R>) {
    let folder = tempfile::tempdir().unwrap();
    let mut model = create();
    refused(&mut model, folder.path(), &[R::ID]);
    train(&mut model, &pairs(0..2), 1, 1e-2);
    model.save(folder.path(), &cx()).unwrap();
    let own = format!("{}.safetensors", R::ID);
    for name in [own.as_str(), "optimizer.safetensors"] {
        let path = folder.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        for keep in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..keep]).unwrap();
            refused(&mut model, folder.path(), &[name]);
        }
        let mut nan = whole.clone();
        let end = nan.len();
        nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&path, &nan).unwrap();
        refused(&mut model, folder.path(), &[name]);
        std::fs::write(&path, &whole).unwrap();
    }
    // The optimizer's state of another moment.
    let later = tempfile::tempdir().unwrap();
    train(&mut model, &pairs(0..2), 1, 1e-2);
    model.save(later.path(), &cx()).unwrap();
    std::fs::copy(later.path().join("optimizer.safetensors"), folder.path().join("optimizer.safetensors"))
        .unwrap();
    refused(&mut model, folder.path(), &["after 2 steps", "after 1"]);
    model.load(later.path(), &cx()).unwrap();
}

#[test]
fn another_components_save_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    vam().save(folder.path(), &cx()).unwrap();
    std::fs::rename(
        folder.path().join("vam-reward.safetensors"),
        folder.path().join("vision-reward.safetensors"),
    )
    .unwrap();
    refused(&mut vision(), folder.path(), &["vam-reward", "vision-reward"]);
}

#[test]
fn another_shape_or_another_encoders_save_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    vision().save(folder.path(), &cx()).unwrap();
    let mut wider: VisionReward = create(VisionParameters { hidden: 48, ..VisionParameters::default() });
    refused(&mut wider, folder.path(), &["hidden.weight", "[32, 1280]", "[48, 1280]"]);
    let mut other = vision();
    let encoder = other.ranker.encoder_mut();
    encoder.name = "Siglip(other)".to_owned();
    encoder.probe = encoder.probe.iter().map(|v| -v).collect::<Arc<[f32]>>();
    refused(&mut other, folder.path(), &["Siglip(other)", "features"]);
    // Roundings of another machine are not another encoder.
    let mut near = vision();
    let encoder = near.ranker.encoder_mut();
    encoder.probe = encoder.probe.iter().map(|v| v * 1.0001).collect();
    near.load(folder.path(), &cx()).unwrap();
}

#[test]
fn the_host_s_weights_are_a_save() {
    let folder = tempfile::tempdir().unwrap();
    let mut trained = vam();
    train(&mut trained, &pairs(0..2), 2, 1e-2);
    trained.save(folder.path(), &cx()).unwrap();
    let environment = Environment { weights: Some(folder.path().to_owned()), ..Environment::default() };
    let parameters = VamParameters { side: 32, ..VamParameters::default() };
    let loaded = VamReward::create(parameters, &environment).unwrap();
    let pair = labelled(5).pair;
    assert_eq!(loaded.compare(&pair, &cx()).unwrap(), trained.compare(&pair, &cx()).unwrap());
}

use super::*;
use crate::bench::tests::toys::{NoMatting, Toys};
use crate::bench::{Services, Silent};
use crate::suite::Suite;
use adeval_sdk::testkit::{Tolerances, Violation};
use std::path::Path;

/// A suite of two products, one judge and an embedder, in a folder of its own.
fn suite(dir: &Path, level: u8) -> Suite {
    let product = |n: u8| {
        let name = format!("p{n}.png");
        image::RgbaImage::from_fn(16, 16, |x, _| image::Rgba([n * 90, 80, 40, if x < 12 { 255 } else { 0 }]))
            .save(dir.join(&name))
            .unwrap();
        serde_json::json!({ "id": format!("p{n}"), "image": name, "title": format!("Product {n}") })
    };
    let list: Vec<_> = (0..3).map(product).collect();
    std::fs::write(dir.join("products.json"), serde_json::to_string(&list).unwrap()).unwrap();
    std::fs::create_dir_all(dir.join("scenes")).unwrap();
    for n in 0..3u8 {
        let scene = image::RgbImage::from_pixel(8, 8, image::Rgb([n * 40, 100, n]));
        scene.save(dir.join(format!("scenes/{n}.png"))).unwrap();
    }
    let text = format!(
        r#"
name = "toy"
size = [64, 48]
resamples = 100
[products]
path = "products.json"
[[entry]]
id = "flat"
prompt = {{ plugin = "words" }}
background = {{ plugin = "flat", parameters = {{ level = {level} }} }}
[[entry]]
id = "light"
prompt = {{ plugin = "words" }}
background = {{ plugin = "flat", parameters = {{ level = 220 }} }}
[[judge]]
id = "bright"
plugin = "bright"
[embedder]
plugin = "mean"
[reference]
path = "scenes"
"#
    );
    Suite::parse(&text, &dir.join("suite.toml")).unwrap()
}

fn taken(dir: &Path, level: u8, run: &str, toys: &Toys) -> Taken {
    let services = Services { plugins: toys, matting: &NoMatting, progress: &Silent, cancel: &toys.cancel };
    take(&suite(dir, level), 2, &dir.join(run), &services).unwrap()
}

fn layers(differences: &[Difference]) -> Vec<(Layer, &str)> {
    differences.iter().map(|d| (d.layer, d.key.as_str())).collect()
}

#[test]
fn what_was_kept_is_found_again_until_a_parameter_changes() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, limits) = (dir.path().join("suite.snapshots"), Tolerances::default());
    assert!(Snapshot::load(&folder).unwrap().is_none());
    let first = taken(dir.path(), 20, "a", &Toys::default());
    assert!(first.failures.is_empty());
    let counts = (first.snapshot.images.len(), first.snapshot.embeddings.len(), first.snapshot.prompts.len());
    assert_eq!(counts, (4, 4, 4), "two entries, the first two of three products");
    first.snapshot.save(&folder).unwrap();
    let mut kept = Snapshot::load(&folder).unwrap().unwrap();
    assert_eq!(kept, first.snapshot);
    assert_eq!(kept.manifest.machine, adeval_sdk::testkit::machine_class());

    let again = taken(dir.path(), 20, "b", &Toys::default()).snapshot;
    assert_eq!(compare(&kept, &again, &limits), []);
    let changed = taken(dir.path(), 60, "c", &Toys::default()).snapshot;
    let mut differences = compare(&kept, &changed, &limits);
    let pixels = [(Layer::Pixels, "flat/p0/0"), (Layer::Pixels, "flat/p1/0")];
    assert_eq!(layers(&differences)[..2], pixels);
    assert!(layers(&differences).contains(&(Layer::Embeddings, "flat/p0/0")));
    assert!(layers(&differences).contains(&(Layer::Metrics, "flat")));
    assert!(!differences.iter().any(|d| d.layer == Layer::Prompts || d.key.starts_with("light/")));

    illustrate(&kept, &changed, &mut differences, &dir.path().join("differences")).unwrap();
    let Change::Pixels { comparison, flip, evidence: Some(file) } = &differences[0].change else {
        panic!("{:?}", differences[0])
    };
    assert!(matches!(
        comparison.violations[..],
        [Violation::WindowShare { .. }, Violation::WindowShift { .. }]
    ));
    assert!(flip.unwrap() > 0.01);
    assert_eq!(image::open(file).unwrap().width(), 3 * 64 + 4 * 8);

    kept.adopt(&changed, &differences[..1]);
    kept.save(&folder).unwrap();
    let kept_after = Snapshot::load(&folder).unwrap().unwrap();
    assert_eq!(layers(&compare(&kept_after, &changed, &limits)), layers(&differences)[1..]);
    kept.adopt(&changed, &differences);
    assert_eq!(compare(&kept, &changed, &limits), []);
}

#[test]
fn one_level_of_grey_is_no_difference_of_pixels() {
    let dir = tempfile::tempdir().unwrap();
    let old = taken(dir.path(), 20, "a", &Toys::default()).snapshot;
    let new = taken(dir.path(), 21, "b", &Toys::default()).snapshot;
    assert_ne!(old.images, new.images);
    let differences = compare(&old, &new, &Tolerances::default());
    assert!(differences.iter().all(|d| d.layer != Layer::Pixels), "{differences:?}");
    let strict = Tolerances::parse("[default.pixels]\nwindow_shift = 0.001", "x").unwrap();
    assert!(compare(&old, &new, &strict).iter().any(|d| d.layer == Layer::Pixels));
}

#[test]
fn what_fails_is_missing_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let old = taken(dir.path(), 20, "a", &Toys::default()).snapshot;
    let crashing = Toys { crash_on: Some("p1".into()), ..Toys::default() };
    let Taken { snapshot, failures } = taken(dir.path(), 20, "b", &crashing);
    assert!(failures.iter().any(|f| f.starts_with("flat/p1/0: background:")), "{failures:?}");
    let differences = compare(&old, &snapshot, &Tolerances::default());
    let missing = |d: &&Difference| d.change == Change::Removed && d.layer == Layer::Pixels;
    let keys: Vec<&str> = differences.iter().filter(missing).map(|d| d.key.as_str()).collect();
    assert_eq!(keys, ["flat/p1/0", "light/p1/0"]);
}

#[test]
fn damage_is_named_and_a_manifest_leads_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("suite.snapshots");
    let snapshot = taken(dir.path(), 20, "a", &Toys::default()).snapshot;
    let reason = || Snapshot::load(&folder).unwrap_err().to_string();
    snapshot.save(&folder).unwrap();
    std::fs::write(folder.join("embeddings.f32"), [0; 4]).unwrap();
    assert!(reason().contains("embeddings.f32: it has 4 bytes, the manifest says 32"), "{}", reason());
    snapshot.save(&folder).unwrap();
    std::fs::remove_file(folder.join("images/flat/p1-0.png")).unwrap();
    assert!(reason().contains("p1-0.png: cannot be read"), "{}", reason());
    let mut strange = snapshot.clone();
    strange.manifest.images.get_mut("flat/p0/0").unwrap().file = "../products.json".into();
    assert!(strange.save(&folder).unwrap_err().to_string().contains("not in the snapshot's folder"));
    snapshot.save(&folder).unwrap();
    assert_eq!(Snapshot::load(&folder).unwrap().unwrap(), snapshot);
}

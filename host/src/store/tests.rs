use super::*;

fn score(key: &str, value: f64) -> Record {
    Record { key: key.into(), item: "i".into(), seconds: Some(0.1), outcome: Outcome::Score(value) }
}

#[test]
fn records_outlive_the_process_and_a_torn_line_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let third = 1.0 / 3.0 * 0.999_999_9;
    let store = Store::open(dir.path()).unwrap();
    store.append(&[score("a", third), score("b", 0.5)]).unwrap();
    let before = store.get("a");
    drop(store);
    let file = dir.path().join("records.jsonl");
    OpenOptions::new().append(true).open(&file).unwrap().write_all(b"{\"key\":\"c\",\"it").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!((store.len(), store.has("c")), (2, false));
    assert_eq!(store.get("a"), before, "a number is the same to the last bit after a resume");
    store.append(&[score("c", 0.25)]).unwrap();
    drop(store);
    assert!(
        std::fs::read_to_string(&file).unwrap().lines().all(|l| serde_json::from_str::<Record>(l).is_ok())
    );
    assert_eq!(Store::open(dir.path()).unwrap().len(), 3);
}

#[test]
fn a_second_process_is_told_to_wait() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).unwrap();
    let message = Store::open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("in use by another adeval process"), "{message}");
    drop(first);
    assert!(Store::open(dir.path()).is_ok());
}

#[test]
fn a_damaged_image_is_forgotten_and_can_be_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let png = encode_png(2, 1, &[1, 2, 3, 4, 5, 6]).unwrap();
    let image = store.put_image(&png).unwrap();
    let placement = adeval_sdk::Placement { left: 0, top: 0, width: 1, height: 1 };
    let outcome = Outcome::Creative { image: image.clone(), placement };
    store.append(&[Record { key: "k".into(), item: "i".into(), seconds: None, outcome }]).unwrap();
    let path = store.image_path(&image);
    drop(store);
    assert!(Store::open(dir.path()).unwrap().has("k"));
    std::fs::write(&path, &png[..png.len() / 2]).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(!store.has("k"));
    store.put_image(&png).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), png);
}

#[test]
fn features_come_back_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.put_features("abcd", &[1.5, -0.1, f32::MIN_POSITIVE]).unwrap();
    assert_eq!(store.features("abcd").unwrap(), [1.5, -0.1, f32::MIN_POSITIVE]);
    assert_eq!(store.features("none"), None);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let message = Store::open(&file.join("run")).unwrap_err().to_string();
    assert!(message.contains("cannot be written") && message.contains("file"), "{message}");
    let full = BenchError::write(&file)(std::io::ErrorKind::StorageFull.into()).to_string();
    assert!(full.contains("the disk is full") && full.contains("is kept"), "{full}");
}

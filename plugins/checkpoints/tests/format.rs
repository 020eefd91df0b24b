//! Files of weights: what torch and safetensors write, and what may be wrong with them.

mod support;

use adeval_checkpoints::format::Format;
use adeval_checkpoints::{DType, ErrorKind, TensorFile};
use serde_json::json;
use std::path::Path;
use support::{golden, raw, safetensors, weights, write};

fn refused(path: &Path, kind: ErrorKind, words: &[&str]) {
    let error = TensorFile::open(path).expect_err("a file that is wrong");
    assert_eq!(error.kind(), kind, "{error}");
    for word in words.iter().chain([&path.file_name().and_then(|n| n.to_str()).expect("a name")]) {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert!(!error.mend().is_empty());
}

#[test]
fn a_file_of_torch_holds_what_torch_put_there() {
    let torch = TensorFile::open(golden("names.ckpt")).expect("torch's file");
    let same = TensorFile::open(golden("names_ckpt.safetensors")).expect("the same as safetensors");
    assert_eq!(torch.tensors().len(), same.tensors().len());
    for info in same.tensors() {
        assert_eq!(torch.get(&info.name), Some(info));
        let (found, expected) = (torch.read(&info.name), same.read(&info.name));
        assert_eq!(found, expected, "{}", info.name);
        assert_eq!(found.expect("bytes").len() as u64, info.bytes);
    }
    let dtype = |name: &str| torch.get(name).map(|info| info.dtype);
    assert_eq!(dtype("half"), Some(DType::F16));
    assert_eq!(dtype("brain"), Some(DType::BF16));
    assert_eq!(torch.metadata().get("global_step").map(String::as_str), Some("3"));
}

#[test]
fn a_file_of_torch_before_1_6_holds_what_torch_put_there() {
    let old = TensorFile::open(golden("names_legacy.ckpt")).expect("torch's file");
    let same = TensorFile::open(golden("names_ckpt.safetensors")).expect("the same as safetensors");
    assert_eq!(old.format(), Format::TorchLegacy);
    assert_eq!(old.tensors().len(), same.tensors().len());
    for info in same.tensors() {
        assert_eq!(old.get(&info.name), Some(info));
        assert_eq!(old.read(&info.name), same.read(&info.name), "{}", info.name);
    }
    assert_eq!(old.metadata().get("global_step").map(String::as_str), Some("3"));
}

#[test]
fn a_file_that_python_2_wrote_is_read() {
    // What torch 0.4 on Python 2 made of OrderedDict([("a", two numbers of a storage on a GPU)]).
    let mut bytes = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.".to_vec();
    bytes.extend(b"\x80\x02}q\x01U\rlittle_endianq\x02\x88s.");
    bytes.extend(b"\x80\x02ccollections\nOrderedDict\nq\x01]q\x02]q\x03(U\x01aq\x04ctorch._utils\n_rebuild_tensor_v2\nq\x05((U\x07storage");
    bytes.extend(b"ctorch\nFloatStorage\nU\x017U\x06cuda:0K\x02NtQK\0K\x02\x85K\x01\x85\x89NtRea\x85R.");
    bytes.extend(b"\x80\x02]U\x017a.");
    bytes.extend(2_u64.to_le_bytes());
    bytes.extend([1.5_f32, -2.0].iter().flat_map(|value| value.to_le_bytes()));
    let room = tempfile::tempdir().expect("a room");
    let path = room.path().join("old.pth");
    write(&path, &bytes);
    let file = TensorFile::open(&path).expect("Python 2's file");
    assert_eq!(file.get("a").map(|info| (info.dtype, info.shape.clone())), Some((DType::F32, vec![2])));
    assert_eq!(*file.read("a").expect("a"), bytes[bytes.len() - 8..]);
    write(&path, &bytes[..bytes.len() - 1]);
    refused(&path, ErrorKind::Truncated, &[&bytes.len().to_string()]);
}

#[test]
fn a_truncated_file_says_how_many_bytes_are_missing() {
    let room = tempfile::tempdir().expect("a room");
    let whole = safetensors(&[("a", &[4, 4]), ("b", &[3])]);
    let length = whole.len();
    let path = room.path().join("cut.safetensors");
    for cut in [length - 1, length - 60, 20, 7, 0] {
        write(&path, &whole[..cut]);
        let expected = if cut >= 8 + 20 { length.to_string() } else { String::new() };
        refused(&path, ErrorKind::Truncated, &["truncated", &expected, &format!("{cut} found")]);
    }
    let torch = std::fs::read(golden("names.ckpt")).expect("the golden");
    let path = room.path().join("cut.ckpt");
    for cut in [torch.len() - 1, torch.len() / 2, 100] {
        write(&path, &torch[..cut]);
        refused(&path, ErrorKind::Truncated, &["truncated", &cut.to_string()]);
    }
}

#[test]
fn no_byte_of_a_files_head_can_be_changed_into_a_panic() {
    let room = tempfile::tempdir().expect("a room");
    for (name, whole) in [
        ("changed.ckpt", std::fs::read(golden("names.ckpt")).expect("the golden")),
        ("changed_legacy.ckpt", std::fs::read(golden("names_legacy.ckpt")).expect("the golden")),
        ("changed.safetensors", safetensors(&[("a", &[4, 4]), ("b", &[3])])),
    ] {
        let path = room.path().join(name);
        for at in (0..whole.len().min(2200)).step_by(5) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            write(&path, bytes);
            if let Ok(file) = TensorFile::open(&path) {
                for info in file.tensors() {
                    assert_eq!(
                        file.read(&info.name).expect("a tensor that is there").len() as u64,
                        info.bytes
                    );
                }
            }
        }
    }
}

#[test]
fn a_header_that_lies_is_found_out() {
    let room = tempfile::tempdir().expect("a room");
    let path = room.path().join("lying.safetensors");
    let entry = |shape: &[usize], offsets: [usize; 2]| json!({ "dtype": "F32", "shape": shape, "data_offsets": offsets });
    for (header, word) in [
        (json!({ "a": entry(&[2], [0, 4]) }), "tensor a: offsets 0 to 4 do not fit F32 of shape [2]"),
        (json!({ "a": entry(&[1], [4, 8]) }), "tensor a starts at byte 4"),
        (json!({ "a": entry(&[usize::MAX, 8], [0, 4]) }), "tensor a"),
        (json!({ "a": { "dtype": "F7", "shape": [1], "data_offsets": [0, 4] } }), "\"F7\""),
        (json!({ "a": entry(&[], [0, 4]) }), "4 bytes follow the last tensor"),
        (json!([1]), "its header"),
    ] {
        let mut bytes = raw(&header);
        bytes.extend([0; 8]);
        write(&path, bytes);
        if header.is_array() {
            refused(&path, ErrorKind::Malformed, &[]);
        } else {
            refused(&path, ErrorKind::Malformed, &[word]);
        }
    }
}

#[test]
fn what_people_have_in_place_of_weights_is_named() {
    let room = tempfile::tempdir().expect("a room");
    let path = room.path().join("model.ckpt");
    for (bytes, words) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"[..],
            ["Git LFS pointer", "git lfs pull"],
        ),
        (b"<!DOCTYPE html><html>", ["a web page", "token"]),
        (b"GGUF\x03\0\0\0", ["GGUF", ".safetensors"]),
        (b"\x80\x02}q\0.", ["before PyTorch 0.1.10", "weights_only=True"]),
    ] {
        write(&path, bytes);
        refused(&path, ErrorKind::Refused, &words);
    }
    write(&path, "hello, these are no weights at all");
    refused(&path, ErrorKind::Malformed, &["neither a safetensors file nor a torch file"]);
    std::fs::remove_file(&path).expect("the file");
    refused(&path, ErrorKind::Io, &["No such file"]);
}

#[test]
fn a_hostile_pickle_is_refused_by_name() {
    use std::io::Write;
    let room = tempfile::tempdir().expect("a room");
    let path = room.path().join("hostile.ckpt");
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).expect("a file"));
    archive.start_file("archive/data.pkl", zip::write::SimpleFileOptions::default()).expect("an entry");
    archive.write_all(b"\x80\x02cposix\nsystem\nX\x05\0\0\0touch\x85R.").expect("its bytes");
    archive.finish().expect("an archive");
    refused(&path, ErrorKind::Refused, &["a call of posix.system", "not executed", ".safetensors"]);
}

#[test]
fn shards_are_one_file_and_missing_ones_are_named() {
    let room = tempfile::tempdir().expect("a room");
    weights(room.path(), "model-00001-of-00002.safetensors", &[("a", &[2])]);
    let second = weights(room.path(), "model-00002-of-00002.safetensors", &[("b", &[3])]);
    let index = room.path().join("model.safetensors.index.json");
    let map = json!({ "weight_map": { "a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors" } });
    write(&index, map.to_string());
    let file = TensorFile::open(&index).expect("both shards");
    assert_eq!(file.tensors().len(), 2);
    assert_eq!(file.read("b").expect("b").len(), 12);
    assert_eq!(file.file_of("b"), Some(second.as_path()));

    std::fs::remove_file(second).expect("the shard");
    refused(&index, ErrorKind::Missing, &["model-00002-of-00002.safetensors"]);
    write(&index, json!({ "weight_map": { "a": "../other.safetensors" } }).to_string());
    refused(&index, ErrorKind::Malformed, &["../other.safetensors", "outside"]);
}

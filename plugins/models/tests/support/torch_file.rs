//! A `.ckpt` as `torch.save` writes it: a zip of one pickle and one entry for each tensor's bytes.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::Write;
use std::path::Path;

use candle_core::{DType, Tensor};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// Writes `{"state_dict": {name: tensor}}` in float16.
pub fn save_half(path: &Path, tensors: &[(String, Tensor)]) {
    let mut pickle = b"\x80\x02}".to_vec();
    text(&mut pickle, "state_dict");
    pickle.extend(b"}(");
    for (number, (name, tensor)) in tensors.iter().enumerate() {
        text(&mut pickle, name);
        rebuilt(&mut pickle, &number.to_string(), tensor.dims());
    }
    pickle.extend(b"us.");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).expect("a file"));
    let mut entry = |name: String, bytes: &[u8]| {
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        zip.start_file(name, stored).and_then(|()| Ok(zip.write_all(bytes)?)).expect("an entry");
    };
    entry("archive/data.pkl".to_owned(), &pickle);
    for (number, (_, tensor)) in tensors.iter().enumerate() {
        let halves =
            tensor.to_dtype(DType::F16).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1::<half::f16>());
        let bytes: Vec<u8> = halves.expect("numbers").iter().flat_map(|h| h.to_le_bytes()).collect();
        entry(format!("archive/data/{number}"), &bytes);
    }
    entry("archive/version".to_owned(), b"3\n");
    zip.finish().expect("a zip");
}

/// `torch._utils._rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())`.
fn rebuilt(pickle: &mut Vec<u8>, key: &str, size: &[usize]) {
    pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    text(pickle, "storage");
    pickle.extend(b"ctorch\nHalfStorage\n");
    text(pickle, key);
    text(pickle, "cpu");
    integer(pickle, size.iter().product());
    pickle.extend(b"tQ");
    integer(pickle, 0);
    let strides: Vec<usize> = (0..size.len()).map(|i| size[i + 1..].iter().product()).collect();
    for tuple in [size, &strides] {
        pickle.push(b'(');
        tuple.iter().for_each(|&n| integer(pickle, n));
        pickle.push(b't');
    }
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
}

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend(u32::try_from(text.len()).expect("a short text").to_le_bytes());
    pickle.extend(text.as_bytes());
}

fn integer(pickle: &mut Vec<u8>, number: usize) {
    pickle.push(b'J');
    pickle.extend(i32::try_from(number).expect("a small number").to_le_bytes());
}

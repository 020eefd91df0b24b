//! Keys of results: a hash of everything that a result depends on.

use adeval_sdk::{Product, encode};
use std::path::Path;

/// The key of a result; parts are hashed with their lengths.
pub fn key(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("adeval result key v1");
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Hash of a product's data and pixels.
pub fn product_hash(product: &Product) -> String {
    let pixels = product.image.hash();
    // An encoded product is a few hundred bytes of named fields; its pixels travel beside them.
    let data = encode(product).map(|message| blake3::hash(&message.body).to_hex().to_string());
    key(&[&data.unwrap_or_default(), &pixels])
}

/// Hash of a weight file, or of all files of a directory.
pub fn weights_hash(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hash_into(path, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn hash_into(path: &Path, hasher: &mut blake3::Hasher) -> std::io::Result<()> {
    if path.is_dir() {
        let mut inside =
            std::fs::read_dir(path)?.map(|e| Ok(e?.path())).collect::<std::io::Result<Vec<_>>>()?;
        inside.sort();
        for file in inside {
            hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hash_into(&file, hasher)?;
        }
        return Ok(());
    }
    std::io::copy(&mut std::fs::File::open(path)?, hasher)?;
    Ok(())
}

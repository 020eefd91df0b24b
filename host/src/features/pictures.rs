//! The pictures of a folder, and which product each shows.

use crate::products::image_files;
use std::path::{Path, PathBuf};

/// What tells the products of pictures apart: pictures of one product are left out together when intervals are made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Grouping {
    /// Each picture is a product of its own.
    #[default]
    File,
    /// Pictures in one folder show one product.
    Folder,
    /// The file's name up to the last `-` or `_`, as in `shoe-0.png` and `shoe-1.png`.
    Name,
}

/// A picture and its product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Where it is.
    pub path: PathBuf,
    /// Its path below the folder, with `/`.
    pub name: String,
    /// Its product.
    pub product: String,
}

/// All PNG, JPEG and WebP files of a folder and the folders in it, by name.
///
/// # Errors
/// When a folder cannot be read.
pub fn pictures(folder: &Path, grouping: Grouping) -> std::io::Result<Vec<Picture>> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    let mut pictures: Vec<Picture> = files.into_iter().map(|path| picture(folder, path, grouping)).collect();
    pictures.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pictures)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    files.extend(image_files(folder)?.into_iter().filter(|path| path.is_file()));
    for inside in std::fs::read_dir(folder)? {
        let inside = inside?;
        // A link to a folder above would never end.
        if inside.file_type()?.is_dir() {
            collect(&inside.path(), files)?;
        }
    }
    Ok(())
}

fn picture(root: &Path, path: PathBuf, grouping: Grouping) -> Picture {
    let parts = path.strip_prefix(root).unwrap_or(&path).components();
    let name = parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/");
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    let product = match grouping {
        Grouping::File => name.clone(),
        Grouping::Folder => folder.to_owned(),
        Grouping::Name => stem.rsplit_once(['-', '_']).map_or(stem, |(first, _)| first).to_owned(),
    };
    Picture { path, name, product }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_files_folders_or_the_first_part_of_names() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("red/deep")).unwrap();
        for file in ["shoe-0.png", "shoe_1.PNG", "red/bag.webp", "red/deep/hat.jpeg", "red/notes.txt"] {
            std::fs::write(dir.path().join(file), b"").unwrap();
        }
        let products = |grouping| {
            let all = pictures(dir.path(), grouping).unwrap();
            all.into_iter().map(|p| (p.name, p.product)).collect::<Vec<_>>()
        };
        let names = ["red/bag.webp", "red/deep/hat.jpeg", "shoe-0.png", "shoe_1.PNG"];
        let with = |products: [&str; 4]| -> Vec<(String, String)> {
            names.iter().zip(products).map(|(n, p)| ((*n).to_owned(), p.to_owned())).collect()
        };
        assert_eq!(products(Grouping::File), with(names));
        assert_eq!(products(Grouping::Folder), with(["red", "red/deep", "", ""]));
        assert_eq!(products(Grouping::Name), with(["red/bag", "red/deep/hat", "shoe", "shoe"]));
        assert!(pictures(&dir.path().join("none"), Grouping::File).is_err());
    }
}

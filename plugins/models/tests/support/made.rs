//! Networks of full size with weights by formula, as files.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use adeval_models::inception::InceptionV3;
use adeval_models::lpips::{Backbone, Lpips};
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};

use crate::support::recipe;

/// Writes an Inception-v3 of FID, a safetensors file of 91 MiB.
pub fn inception(path: &Path) {
    write(path, |source| drop(InceptionV3::load(source).expect("whatever is asked for is there")));
}

/// Writes an ST-LPIPS of AlexNet, a safetensors file of 9 MiB.
pub fn lpips(path: &Path) {
    write(path, |source| {
        drop(Lpips::load_shift_tolerant(Backbone::Alex, source).expect("whatever is asked for is there"));
    });
}

/// All tensors that `load` asks for; heads of LPIPS without their signs.
fn write(path: &Path, load: impl FnOnce(&Source)) {
    let made: Rc<RefCell<HashMap<String, Tensor>>> = Rc::default();
    let make = {
        let made = made.clone();
        move |name: &str, shape: &[usize]| {
            let tensor = recipe::weight(name, shape);
            let tensor = if name.starts_with("lin") { tensor.abs()? } else { tensor };
            made.borrow_mut().insert(name.to_owned(), tensor.clone());
            Ok(tensor)
        }
    };
    load(&Source::from_fn("weights by formula", make, &Device::Cpu, DType::F32));
    candle_core::safetensors::save(&made.borrow(), path).expect("a file");
}

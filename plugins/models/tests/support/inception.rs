//! An Inception-v3 of full size with weights by formula, as a file.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use adeval_models::inception::InceptionV3;
use adeval_models::tensors::Source;
use candle_core::{DType, Device, Tensor};

use crate::support::recipe;

/// Writes all tensors that the network asks for to a safetensors file of 91 MiB.
pub fn write(path: &Path) {
    let made: Rc<RefCell<HashMap<String, Tensor>>> = Rc::default();
    let make = {
        let made = made.clone();
        move |name: &str, shape: &[usize]| {
            let tensor = recipe::weight(name, shape);
            made.borrow_mut().insert(name.to_owned(), tensor.clone());
            Ok(tensor)
        }
    };
    InceptionV3::load(&Source::from_fn("weights by formula", make, &Device::Cpu, DType::F32))
        .expect("whatever is asked for is there");
    candle_core::safetensors::save(&made.borrow(), path).expect("a file");
}

//! What the parity tests share: goldens of the reference implementations, and the table of errors.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

pub mod pictures;
pub mod recipe;

/// The folder of goldens, `fixtures/goldens`.
pub fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/goldens")
}

/// Where the models under test run: what `ADEVAL_DEVICE` names (`cuda:0`), else the processor. Goldens stay on the processor.
pub fn device() -> Device {
    let name = std::env::var("ADEVAL_DEVICE").unwrap_or_default();
    match name.split_once(':').unwrap_or((&name, "0")) {
        ("" | "cpu", _) => Device::Cpu,
        ("cuda", number) => Device::new_cuda(number.parse().expect("a number")).expect("a CUDA device"),
        ("metal", number) => Device::new_metal(number.parse().expect("a number")).expect("a Metal device"),
        _ => panic!("ADEVAL_DEVICE is {name}: it must be cpu, cuda:N or metal"),
    }
}

/// All tensors of one safetensors file below `fixtures/goldens`.
pub fn golden(name: &str) -> HashMap<String, Tensor> {
    let path = goldens().join(name);
    candle_core::safetensors::load(&path, &Device::Cpu).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Names a section of the parity table (`docs/parity.md`) and writes rows to it.
pub struct Parity {
    section: &'static str,
    reference: &'static str,
}

impl Parity {
    /// `section` is the file name of the table's part, `reference` the library and version that made the goldens.
    pub const fn new(section: &'static str, reference: &'static str) -> Self {
        Self { section, reference }
    }

    /// Fails unless the largest error relative to the largest reference value is at most `limit`; notes it either way.
    pub fn relative(&self, case: &str, found: &Tensor, expected: &Tensor, limit: f64) {
        assert_eq!(found.dims(), expected.dims(), "{case}: shape");
        let (found, expected) = (values(found), values(expected));
        assert!(found.iter().all(|v| v.is_finite()), "{case}: a value is not finite");
        let scale = expected.iter().fold(0.0_f64, |m, v| m.max(v.abs())).max(1e-30);
        let worst = found.iter().zip(&expected).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
        self.number(case, "max relative", worst / scale, limit);
    }

    /// Fails unless `value` is at most `limit`; notes it either way. `measure` says what the number is.
    pub fn number(&self, case: &str, measure: &str, value: f64, limit: f64) {
        self.note(case, measure, value, limit);
        assert!(value <= limit, "{case}: {measure} {value:.3e} is above {limit:.1e}");
    }

    /// Fails unless pictures are within the project's limits of the reference's bytes: a mean of 0.5 and at most 3 of 255.
    pub fn pixels(&self, case: &str, found: &[RgbImage], expected: &Tensor) {
        let expected = expected.flatten_all().and_then(|t| t.to_vec1::<u8>()).expect("bytes");
        let found: Vec<u8> = found.iter().flat_map(|picture| picture.as_raw().iter().copied()).collect();
        assert_eq!(found.len(), expected.len(), "{case}");
        let differences = found.iter().zip(&expected).map(|(a, b)| f64::from(a.abs_diff(*b)));
        let (sum, most) = differences.fold((0.0, 0.0_f64), |(sum, most), d| (sum + d, most.max(d)));
        self.number(&format!("{case}: pixels"), "mean of 255", sum / found.len() as f64, 0.5);
        self.number(&format!("{case}: pixels"), "max of 255", most, 3.0);
    }

    /// Appends to the section when `cargo xtask parity` asks for the table.
    fn note(&self, case: &str, measure: &str, value: f64, limit: f64) {
        let Some(folder) = std::env::var_os("ADEVAL_PARITY") else { return };
        let path = Path::new(&folder).join(format!("{}.tsv", self.section));
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the parity folder");
        let row = format!("{}\t{case}\t{measure}\t{value:.1e}\t{limit:e}\n", self.reference);
        file.write_all(row.as_bytes()).expect("the parity folder");
    }
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor
        .to_device(&Device::Cpu)
        .and_then(|t| t.to_dtype(DType::F64))
        .and_then(|t| t.flatten_all())
        .and_then(|t| t.to_vec1())
        .expect("a tensor of numbers")
}

//! What strangers send to the host, one module a door: the fuzz targets run these on inputs that libFuzzer makes, the test
//! `hostile_inputs` on the inputs that are kept in `corpus/`.

pub mod frames;
pub mod images;
pub mod manifests;
pub mod replies;

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| adeval_fuzz::replies::run(data));

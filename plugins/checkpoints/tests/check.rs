//! Plans and verification of whole checkpoints.

mod support;

use adeval_checkpoints::plan::{self, Device, Plan, Precision};
use adeval_checkpoints::verify::{bytes_to_read, verify};
use adeval_checkpoints::{ErrorKind, Layout, card};
use half::{bf16, f16};
use serde_json::json;
use std::path::Path;
use support::{UNET, golden, pipeline, raw, safetensors, weights, write};

fn problems(path: &Path) -> Vec<String> {
    verify(path, &mut |_| ()).problems.into_iter().map(|p| format!("{} / {}", p.problem, p.mend)).collect()
}

#[test]
fn a_sound_directory_has_no_problems() {
    let room = tempfile::tempdir().expect("a room");
    pipeline(room.path());
    let mut read = 0;
    let report = verify(room.path(), &mut |bytes| read += bytes);
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!(report.files.len(), 3);
    assert!(report.files.iter().all(|file| file.sha256.len() == 64 && file.expected_sha256.is_none()));
    let headers: u64 = report.files.iter().map(|file| file.bytes).sum::<u64>() * 2 - read;
    assert!(read <= bytes_to_read(room.path()) && headers < 2000, "{read} of {}", bytes_to_read(room.path()));
}

#[test]
fn every_fault_of_a_directory_is_listed() {
    let room = tempfile::tempdir().expect("a room");
    pipeline(room.path());
    let unet = room.path().join("unet/diffusion_pytorch_model.safetensors");
    let whole = safetensors(UNET);
    write(&unet, &whole[..whole.len() - 5]);
    write(&room.path().join("vae/config.json"), "{");
    std::fs::remove_file(room.path().join("text_encoder/model.safetensors")).expect("the text encoder");
    let index = json!({ "weight_map": { "a": "model-00001-of-00001.safetensors" } });
    write(&room.path().join("text_encoder/model.safetensors.index.json"), index.to_string());
    let found = problems(room.path());
    for words in [
        ["unet/diffusion_pytorch_model.safetensors is truncated", "download it once more"],
        ["vae/config.json: not JSON", "download it once more"],
        ["shards that are not there: model-00001-of-00001.safetensors", "same folder"],
    ] {
        let all = |problem: &&String| words.iter().all(|word| problem.contains(word));
        assert_eq!(found.iter().filter(all).count(), 1, "{words:?}: {found:#?}");
    }
    std::fs::remove_dir_all(room.path().join("vae")).expect("the VAE");
    assert!(problems(room.path()).iter().all(|problem| !problem.contains("vae/config.json")));
    write(&unet, whole);
    weights(room.path(), "text_encoder/model-00001-of-00001.safetensors", &[("a", &[1])]);
    let found = problems(room.path());
    assert!(
        found.len() == 1 && found[0].contains("lists vae (AutoencoderKL), which is not there"),
        "{found:#?}"
    );
}

#[test]
fn a_nan_is_named_with_its_tensor_in_every_type() {
    let room = tempfile::tempdir().expect("a room");
    let cases: [(&str, Vec<u8>, Vec<u8>); 4] = [
        ("F32", f32::NAN.to_le_bytes().into(), f32::NEG_INFINITY.to_le_bytes().into()),
        ("F64", f64::NAN.to_le_bytes().into(), f64::INFINITY.to_le_bytes().into()),
        ("F16", f16::NAN.to_le_bytes().into(), f16::INFINITY.to_le_bytes().into()),
        ("BF16", bf16::NAN.to_le_bytes().into(), bf16::INFINITY.to_le_bytes().into()),
    ];
    for (dtype, nan, infinity) in cases {
        let size = nan.len();
        let offsets = |from: usize, count: usize| json!([from * size, (from + count) * size]);
        let header = json!({
            "conv_in.weight": { "dtype": dtype, "shape": [3], "data_offsets": offsets(0, 3) },
            "up_blocks.0.good": { "dtype": dtype, "shape": [2], "data_offsets": offsets(3, 2) },
            "time_embedding.x": { "dtype": dtype, "shape": [], "data_offsets": offsets(5, 1) },
        });
        let mut bytes = raw(&header);
        for value in [&nan, &infinity, &nan] {
            bytes.extend(value);
        }
        bytes.extend(vec![0; 3 * size]);
        let path = room.path().join("nan.safetensors");
        write(&path, bytes);
        let found = problems(&path);
        let told = "nan.safetensors: tensor conv_in.weight holds 2 NaN and 1 infinite of 3 values";
        assert!(found.len() == 1 && found[0].contains(told), "{dtype}: {found:#?}");
    }
}

#[test]
fn a_plan_counts_what_there_is() {
    let room = tempfile::tempdir().expect("a room");
    pipeline(room.path());
    let layout = Layout::recognise(room.path()).expect("a pipeline");
    let plan = Plan::of(&layout, Device::Cuda(1), None).expect("a plan");
    let names: Vec<(&str, u64)> = plan.components.iter().map(|c| (c.name.as_str(), c.parameters)).collect();
    let unet = 8 * 4 * 9 + 8 * 8 + 8 * 768 + 8;
    assert_eq!(names, [("text_encoder", 16 * 8 + 8), ("unet", unet), ("vae", 16)]);
    assert_eq!((plan.device.as_str(), plan.precision), ("cuda:1", Precision::F16));
    assert_eq!((plan.memory, plan.free_memory), (2 * plan.parameters, None));
    assert_eq!(plan.files.len(), 3);
    let on_disk: u64 = plan.files.iter().map(|file| file.path.metadata().expect("a file").len()).sum();
    assert_eq!(plan.bytes, on_disk);

    let plan = Plan::of(&layout, Device::Cpu, None).expect("a plan");
    assert_eq!(plan.memory, 4 * plan.parameters);
    assert!(!plan.is_too_large());
    let table = plan.to_string();
    for word in [
        "unet/diffusion_pytorch_model.safetensors",
        "F32",
        "3 files",
        "as f32 on cpu",
        "a diffusers directory of Stable Diffusion 1.x",
    ] {
        assert!(table.contains(word), "{word}:\n{table}");
    }
    assert!(table.lines().skip(1).all(|line| line.chars().count() <= 100), "{table}");
}

#[test]
fn devices_and_types_are_named_as_usual() {
    assert_eq!("cuda:3".parse::<Device>(), Ok(Device::Cuda(3)));
    assert_eq!("metal".parse::<Device>(), Ok(Device::Metal));
    let error = "gpu".parse::<Device>().expect_err("no device");
    assert_eq!(
        (error.kind(), error.mend()),
        (ErrorKind::Mismatch, "devices are cpu, cuda, cuda:N and metal")
    );
    assert!("f8".parse::<Precision>().is_err());
    assert_eq!((plan::size(1_717_986_918), plan::count(859_520_964)), ("1.6 GiB".into(), "859.5 M".into()));
}

#[test]
fn the_card_tells_the_licence() {
    let room = tempfile::tempdir().expect("a room");
    assert_eq!(card::license(room.path()), None);
    pipeline(room.path());
    assert_eq!(card::license(room.path()).as_deref(), Some("creativeml-openrail-m"));
    write(&room.path().join("README.md"), "---\nlicense: other\nlicense_name: \"stabilityai\"\n---\n");
    assert_eq!(card::license(room.path()).as_deref(), Some("stabilityai"));
    write(&room.path().join("README.md"), "license: mit\n");
    assert_eq!(card::license(room.path()), None);
}

#[test]
fn a_file_of_torch_is_verified_too() {
    let report = verify(&golden("names.ckpt"), &mut |_| ());
    // Sound, but no model: its tensors are those of a test.
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(report.problems[0].problem.contains("no known model"));
    assert_eq!(report.files[0].tensors, 14);
}

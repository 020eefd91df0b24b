//! Two libraries with a component of one id: each stays what it is, also in one process.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]

use adeval_host::plugin::{Discovery, DiscoveryOptions, Isolation, Loader};
use adeval_sdk::client::BackgroundClient;
use adeval_sdk::prelude::*;
use adeval_sdk::{Kind, abi};
use adeval_tests::{Room, Suite, built};

fn product() -> Product {
    let pixels = image::load_from_memory(&adeval_tests::pictures::cut_out(0)).unwrap().into_rgba8();
    Product::new("p", "Mug", pixels.into())
}

/// The corner of a creative, where no product is.
fn corner(creative: &Creative) -> [u8; 3] {
    creative.image.as_rgb().unwrap().get_pixel(0, 0).0
}

#[test]
fn two_libraries_in_one_process_keep_their_manifests_and_their_code() {
    let [first, second] =
        [built::MISBEHAVING, built::SECOND].map(|name| abi::load(&built::library(name)).unwrap());
    // Loaded again, a library is still itself, not the one that was loaded last.
    let again = abi::load(&built::library(built::MISBEHAVING)).unwrap();
    let names = [&first, &second, &again].map(|library| library.manifest().library.as_str());
    assert_eq!(names, ["misbehaving", "second", "misbehaving"]);
    let corners = [&first, &second, &again].map(|library| {
        let none = serde_json::json!({});
        let endpoint = library.create("well-behaved", &none, &Environment::default()).unwrap();
        let client = BackgroundClient::new(endpoint.into());
        let request =
            BackgroundRequest { width: 32, height: 32, ..BackgroundRequest::new(product(), "table", 0) };
        corner(client.generate(&[request], &CallContext::detached()).unwrap()[0].as_ref().unwrap())
    });
    assert_eq!(corners, [[200, 180, 160], [0, 0, 255], [200, 180, 160]]);
    let missing = second.create("panics", &serde_json::json!({}), &Environment::default()).err().unwrap();
    assert!(missing.message.contains("library \"second\" has no component \"panics\""), "{missing}");
}

#[test]
fn the_loader_tells_them_apart_by_their_full_names() {
    let options = DiscoveryOptions {
        directories: [built::MISBEHAVING, built::SECOND].map(built::library).to_vec(),
        standard_places: false,
        executable: Some(built::program().to_owned()),
        ..DiscoveryOptions::default()
    };
    let catalogue = Discovery::new(options).scan();
    assert!(catalogue.failures().is_empty(), "{:?}", catalogue.failures());
    assert_eq!(catalogue.warnings().len(), 1, "{:?}", catalogue.warnings());
    for isolation in [Isolation::InProcess, Isolation::Worker] {
        let executable = Some(built::program().to_owned());
        let loader = Loader { isolation, executable, ..Loader::default() };
        let opened = ["well-behaved", "misbehaving/well-behaved", "second/well-behaved"].map(|name| {
            let entry = catalogue.find(Kind::BackgroundGenerator, name).unwrap();
            loader.open(entry, &serde_json::json!({}), &Environment::default()).unwrap()
        });
        let corners = opened.map(|plugin| {
            let client = BackgroundClient::new(plugin.endpoint());
            let request =
                BackgroundRequest { width: 32, height: 32, ..BackgroundRequest::new(product(), "x", 0) };
            corner(client.generate(&[request], &CallContext::detached()).unwrap()[0].as_ref().unwrap())
        });
        assert_eq!(corners, [[200, 180, 160], [200, 180, 160], [0, 0, 255]], "{isolation:?}");
    }
}

#[test]
fn a_bench_in_process_ranks_both() {
    let suite = Suite::new("both")
        .entry("first", "misbehaving/well-behaved", "")
        .entry("second", "second/well-behaved", "")
        .judge("brightness");
    let room = Room::with_plugins(&[built::MISBEHAVING, built::SECOND]);
    room.products(2);
    let file = room.suite(&suite);
    let ended = room.adeval("--json bench --in-process").arg(&file).run().done();
    assert!(ended.stderr.contains("\"second/well-behaved\" names the second"), "{ended:?}");
    let rows = ended.json()["board"]["rows"].clone();
    assert_eq!(
        (&rows[0]["entry"], &rows[1]["entry"]),
        (&"first".into(), &"second".into()),
        "the brighter one leads"
    );
    let corners: Vec<[u8; 3]> = room
        .run_in("runs")
        .images()
        .values()
        .map(|png| image::load_from_memory(png).unwrap().into_rgb8().get_pixel(0, 0).0)
        .collect();
    assert_eq!(corners.len(), 4);
    assert_eq!(corners.iter().filter(|corner| **corner == [0, 0, 255]).count(), 2, "{corners:?}");
}

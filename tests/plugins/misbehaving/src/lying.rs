//! Background generators whose answers are not what was asked for.

use crate::component::{Nothing, paint, paint_grey};
use adeval_sdk::endpoint::method;
use adeval_sdk::prelude::*;
use adeval_sdk::{ComponentManifest, Endpoint, Kind, Library, Message, encode};
use serde::Serialize;

pub fn add(library: &mut Library) {
    library.background_generator::<ReturnsAnotherSize>();
    library.background_generator::<ReturnsTooMany>();
    endpoint(library, "lies-about-its-size", "Sends fewer pixels than it says", lie);
    endpoint(library, "answers-nonsense", "Sends bytes that are no answer", nonsense);
}

component!(ReturnsAnotherSize(Nothing), "returns-another-size", "A creative of half the size");

impl BackgroundGenerator for ReturnsAnotherSize {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        let half = |side: u32| (side / 2).max(1);
        let halved =
            BackgroundRequest { width: half(request.width), height: half(request.height), ..request.clone() };
        paint(&halved, [90, 90, 90])
    }
}

component!(ReturnsTooMany(Nothing), "returns-too-many", "One creative more than was asked for");

impl BackgroundGenerator for ReturnsTooMany {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        paint_grey(request)
    }

    fn generate_batch(&self, requests: &[BackgroundRequest], _: &CallContext<'_>) -> Vec<Result<Creative>> {
        requests.iter().chain(requests.first()).map(paint_grey).collect()
    }
}

/// A component that answers every wish for creatives with what `answer` makes: past the sdk, which would notice.
struct Forger(fn() -> Result<Message>);

impl Endpoint for Forger {
    fn call(&self, name: &str, _: Message, _: &CallContext<'_>) -> Result<Message> {
        match name {
            method::BACKGROUND_GENERATE => (self.0)(),
            _ => Err(PluginError::unsupported(format!("a forger has no method \"{name}\""))),
        }
    }
}

fn endpoint(library: &mut Library, id: &str, summary: &str, answer: fn() -> Result<Message>) {
    let manifest = ComponentManifest {
        kind: Kind::BackgroundGenerator,
        info: ComponentInfo::new(id, summary),
        trainable: false,
        parameters: schemars::schema_for!(Nothing).to_value(),
        defaults: Default::default(),
    };
    library.endpoint(manifest, move |_, _, _| Ok(Box::new(Forger(answer))));
}

/// An image as it looks inside a message.
#[derive(Serialize)]
struct Handle {
    width: u32,
    height: u32,
    format: PixelFormat,
    attachment: u32,
}

#[derive(Serialize)]
struct ForgedCreative {
    image: Handle,
    placement: Placement,
}

/// 8192 x 8192 pixels in ten bytes.
fn lie() -> Result<Message> {
    let image = Handle { width: 8192, height: 8192, format: PixelFormat::Rgb8, attachment: 0 };
    let placement = Placement { left: 0, top: 0, width: 10, height: 10 };
    let creatives: [Result<ForgedCreative>; 1] = [Ok(ForgedCreative { image, placement })];
    let mut message = encode(&creatives)?;
    message.attachments.push(vec![0; 10].into());
    Ok(message)
}

fn nonsense() -> Result<Message> {
    Ok(Message { body: b"\xc1 this is no MessagePack".to_vec(), attachments: Vec::new() })
}

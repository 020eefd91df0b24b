//! A library for the sdk's own tests and benches: components that do next to nothing, so that what is measured or
//! seen is the frontier itself.

use adeval_sdk::prelude::*;
use adeval_sdk::{ComponentManifest, Endpoint, Kind, Library, Message, encode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{collections::BTreeMap, thread, time::Duration};

/// Answers messages itself.
#[derive(Default)]
struct Echo {
    drops_badly: AtomicBool,
}

impl Endpoint for Echo {
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message> {
        match method {
            "echo" => Ok(message),
            // Where this side sees each attachment.
            "addresses" => {
                let address = |bytes: &bytes::Bytes| bytes.as_ptr() as u64;
                encode(&message.attachments.iter().map(address).collect::<Vec<_>>())
            }
            "ask" => cx.ask("favourite_colour", message),
            "count_to_four" => {
                for k in 1..=4u8 {
                    cx.progress(f32::from(k) / 4.0, &format!("{k} of 4"));
                }
                Ok(message)
            }
            "until_cancelled" => loop {
                cx.check()?;
                thread::sleep(Duration::from_millis(1));
            },
            "drop_badly" => {
                self.drops_badly.store(true, Ordering::Relaxed);
                Ok(message)
            }
            "panic" => panic!("a bug in the plugin"),
            "panic_with_a_value" => std::panic::panic_any(7),
            _ => Err(PluginError::unsupported(format!("echo has no method \"{method}\""))
                .with_hint("call \"echo\"")),
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // A destructor that fails must not take the host with it.
        assert!(!self.drops_badly.load(Ordering::Relaxed), "a bug in a destructor");
    }
}

#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

/// One picture that is made at its birth.
struct Still(Image);

impl Component for Still {
    type Parameters = Nothing;
    fn info() -> ComponentInfo {
        ComponentInfo::new("still", "The same 512x512 picture every time")
    }
    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        Ok(Self(image::RgbImage::from_pixel(512, 512, image::Rgb([90, 120, 150])).into()))
    }
}

impl BackgroundGenerator for Still {
    fn generate(&self, _: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        let placement = Placement { left: 56, top: 56, width: 400, height: 400 };
        Ok(Creative { image: self.0.clone(), placement })
    }
}

/// One score for everything.
struct Constant;

impl Component for Constant {
    type Parameters = Nothing;
    fn info() -> ComponentInfo {
        ComponentInfo::new("constant", "Indifferent")
    }
    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        Ok(Self)
    }
}

impl RewardModel for Constant {
    fn compare(&self, _: &PairRequest, _: &CallContext<'_>) -> Result<Preference> {
        Ok(Preference { left: 0.5 })
    }
    fn score(&self, _: &ScoreRequest, _: &CallContext<'_>) -> Result<PointScore> {
        Ok(PointScore { ctr: 0.03, parts: BTreeMap::new() })
    }
}

fn library() -> Library {
    let mut library = Library::new("echo-plugin", "1.2.3");
    let echo = ComponentManifest {
        kind: Kind::RewardModel,
        info: ComponentInfo::new("echo", "Gives back what it is given"),
        trainable: false,
        parameters: true.into(),
        defaults: serde_json::Value::Null,
    };
    library.endpoint(echo, |parameters, _, cx| match parameters.as_str() {
        Some("panic") => panic!("no room for an echo"),
        Some("slowly") => loop {
            cx.progress(0.5, "half of the weights");
            cx.check()?;
            thread::sleep(Duration::from_millis(1));
        },
        Some(other) => Err(PluginError::invalid_parameters(format!("echo cannot \"{other}\""))),
        None => Ok(Box::new(Echo::default())),
    });
    library.background_generator::<Still>();
    library.reward_model::<Constant>();
    library
}

export_plugin!(library);

//! `component.warm_up`: the first method that the contract got after 1.0.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]
use adeval_sdk::client::warm_up;
use adeval_sdk::prelude::*;
use adeval_sdk::{Endpoint, FEATURES, Library, WARM_UP};
use std::sync::Mutex;

#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

/// A judge whose device takes four creatives of a megapixel.
struct Large;

/// A judge that has nothing to do before its first call.
struct Small;

static SEEN: Mutex<Vec<WarmUp>> = Mutex::new(Vec::new());

impl Component for Large {
    type Parameters = Nothing;
    fn info() -> ComponentInfo {
        ComponentInfo::new("large", "for a test")
    }
    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        Ok(Self)
    }
    fn warm_up(&self, ahead: &WarmUp, _: &CallContext<'_>) -> Result<()> {
        SEEN.lock().unwrap().push(ahead.clone());
        match ahead.batch {
            Some(5..) => Err(PluginError::new(ErrorKind::OutOfMemory, "four creatives fit")),
            Some(0) => panic!("nothing to come"),
            _ => Ok(()),
        }
    }
}

impl Component for Small {
    type Parameters = Nothing;
    fn info() -> ComponentInfo {
        ComponentInfo::new("small", "for a test")
    }
    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        Ok(Self)
    }
}

macro_rules! judges {
    ($($judge:ty),*) => {$(
        impl RewardModel for $judge {
            fn compare(&self, _: &PairRequest, _: &CallContext<'_>) -> Result<Preference> {
                Ok(Preference { left: 0.5 })
            }
            fn score(&self, _: &ScoreRequest, _: &CallContext<'_>) -> Result<PointScore> {
                Ok(PointScore { ctr: 0.5, parts: [].into() })
            }
        }
    )*};
}
judges!(Large, Small);

fn judge(id: &str) -> Box<dyn Endpoint> {
    let mut library = Library::new("judges", "1.0.0");
    library.reward_model::<Large>();
    library.reward_model::<Small>();
    assert!(library.manifest().has(WARM_UP) && FEATURES.contains(&WARM_UP));
    library.create(id, &serde_json::Value::Null, &Environment::default()).unwrap()
}

#[test]
fn a_component_is_told_what_is_to_come_and_may_refuse_it() {
    let cx = CallContext::detached();
    let fits = WarmUp { batch: Some(4), size: Some((1024, 1024)) };
    warm_up(&*judge("large"), &fits, &cx).unwrap();
    assert!(SEEN.lock().unwrap().contains(&fits));
    let error = warm_up(&*judge("large"), &WarmUp { batch: Some(5), size: None }, &cx).unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::OutOfMemory, "four creatives fit"));
    let error = warm_up(&*judge("large"), &WarmUp { batch: Some(0), size: None }, &cx).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Panicked);
}

#[test]
fn there_is_nothing_to_do_by_default() {
    warm_up(&*judge("small"), &WarmUp::default(), &CallContext::detached()).unwrap();
}

//! What crosses the binary frontier, seen through a real library.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a failing test")]
mod common;

use adeval_sdk::abi::{self, LoadedLibrary};
use adeval_sdk::client::BackgroundClient;
use adeval_sdk::prelude::*;
use adeval_sdk::{CallHost, Endpoint, Message, decode, encode};
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

fn library() -> &'static LoadedLibrary {
    static LIBRARY: OnceLock<LoadedLibrary> = OnceLock::new();
    LIBRARY.get_or_init(|| abi::load(&common::example("echo_plugin")).unwrap())
}

fn create(component: &str, parameters: serde_json::Value) -> Result<Box<dyn Endpoint>> {
    library().create(component, &parameters, &Environment::default())
}

fn echo() -> Box<dyn Endpoint> {
    create("echo", serde_json::Value::Null).unwrap()
}

fn call(endpoint: &dyn Endpoint, method: &str) -> Result<Message> {
    endpoint.call(method, Message::default(), &CallContext::detached())
}

/// Writes down what a plugin does with its host, and cancels at the first progress when it should.
#[derive(Default)]
struct Watch {
    seen: Mutex<Vec<(f32, String)>>,
    cancel: AtomicBool,
    cancel_at_progress: bool,
}

impl CallHost for Watch {
    fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
    fn progress(&self, fraction: f32, note: &str) {
        self.seen.lock().unwrap().push((fraction, note.to_owned()));
        self.cancel.fetch_or(self.cancel_at_progress, Ordering::Relaxed);
    }
    fn ask(&self, question: &str, message: Message) -> Result<Message> {
        assert_eq!(question, "favourite_colour");
        encode(&format!("{} is blue", decode::<String>(message)?))
    }
}

#[test]
fn pixels_stay_where_they_are_in_both_directions() {
    let pixels = Bytes::from(vec![7; 512 * 512 * 4]);
    let message = || Message { body: vec![1, 2], attachments: vec![pixels.clone(), pixels.slice(64..)] };
    let there = echo().call("addresses", message(), &CallContext::detached()).unwrap();
    let here = [pixels.as_ptr() as u64, pixels.as_ptr() as u64 + 64];
    assert_eq!(decode::<Vec<u64>>(there).unwrap(), here);

    let back = echo().call("echo", message(), &CallContext::detached()).unwrap();
    assert_eq!(back.body, [1, 2]);
    assert_eq!(back.attachments, message().attachments);
    assert_eq!(back.attachments.iter().map(|a| a.as_ptr() as u64).collect::<Vec<_>>(), here);
}

#[test]
fn a_plugins_own_pixels_reach_the_host_in_place_and_outlive_it() {
    let still = BackgroundClient::new(create("still", serde_json::json!({})).unwrap().into());
    let product = Product::new("p", "t", image::RgbaImage::new(2, 2).into());
    let request = [BackgroundRequest::new(product, "a table", 1)];
    let generate = || still.generate(&request, &CallContext::detached()).unwrap().remove(0).unwrap().image;
    let (first, second) = (generate(), generate());
    // The component holds one picture, so two calls give one address.
    assert_eq!(first.bytes().as_ptr(), second.bytes().as_ptr());
    drop(still);
    assert!(first.bytes().chunks(3).all(|pixel| pixel == [90, 120, 150]));
}

#[test]
fn a_plugin_sees_that_it_is_cancelled() {
    let watch = Watch::default();
    let error = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let cx = CallContext::new(&watch);
            echo().call("until_cancelled", Message::default(), &cx).unwrap_err()
        });
        std::thread::sleep(Duration::from_millis(20));
        assert!(!running.is_finished());
        watch.cancel.store(true, Ordering::Relaxed);
        running.join().unwrap()
    });
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[test]
fn progress_reaches_the_host_in_order() {
    let watch = Watch::default();
    echo().call("count_to_four", Message::default(), &CallContext::new(&watch)).unwrap();
    let seen = watch.seen.into_inner().unwrap();
    let wanted = [(0.25, "1 of 4"), (0.5, "2 of 4"), (0.75, "3 of 4"), (1.0, "4 of 4")];
    assert_eq!(seen, wanted.map(|(fraction, note)| (fraction, note.to_owned())));
}

#[test]
fn loading_shows_progress_and_can_be_cancelled() {
    let watch = Watch { cancel_at_progress: true, ..Watch::default() };
    let (slowly, environment) = (serde_json::json!("slowly"), Environment::default());
    let outcome = library().create_watched("echo", &slowly, &environment, &CallContext::new(&watch));
    assert_eq!(outcome.err().map(|e| e.kind), Some(ErrorKind::Cancelled));
    assert_eq!(watch.seen.into_inner().unwrap()[0], (0.5, "half of the weights".to_owned()));
}

#[test]
fn a_plugin_can_ask_and_a_host_need_not_answer() {
    let ask = |cx: &CallContext<'_>| echo().call("ask", encode("mine").unwrap(), cx);
    let watch = Watch::default();
    let answer = ask(&CallContext::new(&watch)).unwrap();
    assert_eq!(decode::<String>(answer).unwrap(), "mine is blue");
    let error = ask(&CallContext::detached()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert!(error.message.contains("favourite_colour"), "{error}");
}

#[test]
fn errors_keep_their_class_message_and_mend() {
    let error = call(&*echo(), "shout").unwrap_err();
    let wanted = PluginError::unsupported("echo has no method \"shout\"").with_hint("call \"echo\"");
    assert_eq!(error, wanted);
    let error = create("echo", serde_json::json!("whisper")).err().unwrap();
    assert_eq!(error, PluginError::invalid_parameters("echo cannot \"whisper\""));
}

#[test]
fn panics_become_typed_errors_wherever_they_happen() {
    let echo = echo();
    let panicked = |error: PluginError, text: &str| {
        assert_eq!(error.kind, ErrorKind::Panicked, "{error}");
        assert!(error.message.contains(text), "{error}");
    };
    panicked(call(&*echo, "panic").unwrap_err(), "panic: a bug in the plugin");
    panicked(call(&*echo, "panic_with_a_value").unwrap_err(), "no message");
    assert!(call(&*echo, "echo").is_ok(), "the component still answers");
    panicked(create("echo", serde_json::json!("panic")).err().unwrap(), "create: no room for an echo");
    let error = abi::load(&common::example("panicking_plugin")).err().unwrap();
    panicked(error, "manifest: the table of components is broken");
}

#[test]
fn a_panic_in_a_destructor_costs_nothing() {
    let doomed = echo();
    call(&*doomed, "drop_badly").unwrap();
    drop(doomed);
    assert!(call(&*echo(), "echo").is_ok());
}

#[test]
fn an_unknown_component_is_named_with_its_neighbours() {
    let error = create("ecko", serde_json::Value::Null).err().unwrap();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.message.contains("\"ecko\"") && error.message.contains("echo, still, constant"), "{error}");
}

#[test]
fn one_component_serves_many_threads() {
    let echo: Arc<dyn Endpoint> = echo().into();
    std::thread::scope(|scope| {
        for k in 0..8u8 {
            let echo = Arc::clone(&echo);
            scope.spawn(move || {
                for _ in 0..100 {
                    let message = Message { body: vec![k], attachments: vec![Bytes::from(vec![k; 99])] };
                    let back = echo.call("echo", message, &CallContext::detached()).unwrap();
                    assert_eq!((back.body, &back.attachments[0][..]), (vec![k], &[k; 99][..]));
                }
            });
        }
    });
}

#[test]
fn an_invalid_request_of_a_batch_costs_only_its_own_result() {
    let still = BackgroundClient::new(create("still", serde_json::Value::Null).unwrap().into());
    let request =
        || BackgroundRequest::new(Product::new("p", "t", image::RgbaImage::new(2, 2).into()), "a table", 1);
    let requests = [
        request(),
        BackgroundRequest { width: 0, ..request() },
        BackgroundRequest { guidance: Some(f64::NAN), ..request() },
        BackgroundRequest { steps: Some(0), ..request() },
        request(),
    ];
    let results = still.generate(&requests, &CallContext::detached()).unwrap();
    let kinds: Vec<_> = results.iter().map(|r| r.as_ref().err().map(|e| e.kind)).collect();
    let refused = Some(ErrorKind::InvalidRequest);
    assert_eq!(kinds, [None, refused, refused, refused, None]);
    assert!(results[2].as_ref().unwrap_err().message.contains("guidance NaN"));
}

//! Both sides of the frontier in one program, without a library between them: what crosses is the same, and Miri, which loads
//! no libraries, can interpret it.

use super::super::export::{Exported, root_module};
use super::*;
use crate::{CallHost, ComponentInfo, ComponentManifest, Kind, Library, decode, encode};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Echoes that have been dropped; only [`a_component_is_dropped_once_and_its_bad_end_is_kept_inside`] drops any.
static DROPPED: AtomicUsize = AtomicUsize::new(0);

struct Echo {
    counted: bool,
}

impl Endpoint for Echo {
    fn call(&self, method: &str, message: Message, cx: &CallContext<'_>) -> Result<Message> {
        match method {
            "echo" => Ok(message),
            "own" => {
                Ok(Message { body: Vec::new(), attachments: vec![Bytes::from(vec![7; 100]).slice(10..)] })
            }
            "ask" => {
                cx.progress(0.5, "asking");
                cx.check()?;
                cx.ask("colour", message)
            }
            "panic" => panic!("a bug"),
            _ => Err(PluginError::unsupported(method.to_owned()).with_hint("call echo")),
        }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if self.counted {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            panic!("a bug in a destructor");
        }
    }
}

fn exported() -> Library {
    let mut library = Library::new("inside", "1.2.3");
    let manifest = ComponentManifest {
        kind: Kind::RewardModel,
        info: ComponentInfo::new("echo", "Gives back what it is given"),
        trainable: false,
        parameters: true.into(),
        defaults: Value::Null,
    };
    library.endpoint(manifest, |parameters, _, _| match parameters.as_str() {
        Some("panic") => panic!("no room"),
        Some("no") => Err(PluginError::invalid_parameters("no echo")),
        word => Ok(Box::new(Echo { counted: word == Some("counted") })),
    });
    library
}

/// The library of this very program, taken in as one from a file is.
fn library() -> LoadedLibrary {
    static EXPORTED: Exported = Exported::new(exported);
    LoadedLibrary::of(root_module(&EXPORTED), &|reason| PluginError::violation(reason.to_owned())).unwrap()
}

fn create(parameters: Value) -> Result<Box<dyn Endpoint>> {
    library().create("echo", &parameters, &Environment::default())
}

fn echo() -> Box<dyn Endpoint> {
    create(Value::Null).unwrap()
}

/// A host that answers, and writes down what it was told.
#[derive(Default)]
struct Host {
    heard: Mutex<Vec<String>>,
    cancelled: bool,
}

impl CallHost for Host {
    fn cancelled(&self) -> bool {
        self.cancelled
    }
    fn progress(&self, fraction: f32, note: &str) {
        self.heard.lock().unwrap().push(format!("{fraction} {note}"));
    }
    fn ask(&self, question: &str, message: Message) -> Result<Message> {
        let of: String = decode(message)?;
        encode(&format!("the {question} of {of} is blue"))
    }
}

#[test]
fn the_manifest_crosses_whole() {
    let library = library();
    let manifest = library.manifest();
    assert_eq!((manifest.library.as_str(), manifest.version.as_str()), ("inside", "1.2.3"));
    assert_eq!(manifest.components[0].info.id, "echo");
}

#[test]
fn buffers_cross_in_place_in_both_directions() {
    let bytes = Bytes::from((0..=255).collect::<Vec<u8>>());
    let sent =
        Message { body: vec![1, 2], attachments: vec![bytes.clone(), bytes.slice(16..32), Bytes::new()] };
    let back = echo().call("echo", sent.clone(), &CallContext::detached()).unwrap();
    assert_eq!((&back.body, &back.attachments), (&sent.body, &sent.attachments));
    let place = |bytes: &Bytes| bytes.as_ptr();
    assert_eq!(
        back.attachments[..2].iter().map(place).collect::<Vec<_>>(),
        [bytes.as_ptr(), bytes[16..].as_ptr()]
    );
}

#[test]
fn a_components_own_buffer_outlives_it_also_on_another_thread() {
    let echo = echo();
    let mut reply = echo.call("own", Message::default(), &CallContext::detached()).unwrap();
    drop(echo);
    let own = reply.attachments.remove(0);
    let part = own.slice(80..);
    let sum = std::thread::spawn(move || own.iter().map(|&b| u32::from(b)).sum::<u32>()).join().unwrap();
    assert_eq!((sum, &part[..]), (7 * 90, &[7; 10][..]));
}

#[test]
fn a_lent_host_is_asked_told_and_may_cancel() {
    let host = Host::default();
    let asked = echo().call("ask", encode("a mug").unwrap(), &CallContext::new(&host)).unwrap();
    assert_eq!(decode::<String>(asked).unwrap(), "the colour of a mug is blue");
    assert_eq!(host.heard.into_inner().unwrap(), ["0.5 asking"]);
    let host = Host { cancelled: true, ..Host::default() };
    let error = echo().call("ask", Message::default(), &CallContext::new(&host)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Cancelled);
}

#[test]
fn errors_and_panics_cross_as_values() {
    let call = |method: &str| echo().call(method, Message::default(), &CallContext::detached()).unwrap_err();
    assert_eq!(call("shout"), PluginError::unsupported("shout").with_hint("call echo"));
    assert_eq!(call("panic").kind, ErrorKind::Panicked);
    let made = |word: &str| create(word.into()).err().unwrap();
    assert_eq!(made("no"), PluginError::invalid_parameters("no echo"));
    assert_eq!(made("panic").kind, ErrorKind::Panicked);
}

#[test]
fn a_component_is_dropped_once_and_its_bad_end_is_kept_inside() {
    drop(create("counted".into()).unwrap());
    assert_eq!(DROPPED.load(Ordering::Relaxed), 1);
}

#[test]
fn one_component_answers_several_threads() {
    let echo = echo();
    std::thread::scope(|scope| {
        for k in 0..4_u8 {
            let echo = &*echo;
            scope.spawn(move || {
                for _ in 0..5 {
                    let sent = Message { body: vec![k], attachments: vec![Bytes::from(vec![k; 9])] };
                    let back = echo.call("echo", sent, &CallContext::detached()).unwrap();
                    assert_eq!((back.body, &back.attachments[0][..]), (vec![k], &[k; 9][..]));
                }
            });
        }
    });
}

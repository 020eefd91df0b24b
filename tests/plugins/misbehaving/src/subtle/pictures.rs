//! Background generators whose pictures depend on what they should not, or not on what they should.

use crate::component::{Nothing, paint};
use adeval_sdk::Library;
use adeval_sdk::prelude::*;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

pub fn add(library: &mut Library) {
    library.background_generator::<IgnoresTheSeed>();
    library.background_generator::<KeepsState>();
    library.background_generator::<Leaks>();
    library.background_generator::<UnsteadyInThreads>();
    library.background_generator::<LooksAtItsNeighbours>();
    library.background_generator::<Unstoppable>();
    library.background_generator::<TakesAnyParameter>();
}

component!(IgnoresTheSeed(Nothing), "ignores-the-seed", "One picture for every seed");

impl BackgroundGenerator for IgnoresTheSeed {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        paint(&BackgroundRequest { seed: 0, ..request.clone() }, [100, 100, 100])
    }
}

struct KeepsState(AtomicU8);

impl Component for KeepsState {
    type Parameters = Nothing;
    fn info() -> ComponentInfo {
        ComponentInfo::new("keeps-state", "A little brighter with each call")
    }
    fn create(_: Nothing, _: &Environment) -> Result<Self> {
        Ok(Self(AtomicU8::new(0)))
    }
}

impl BackgroundGenerator for KeepsState {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        let calls = self.0.fetch_add(1, Ordering::Relaxed);
        paint(request, [100, 100, calls])
    }
}

component!(Leaks(Nothing), "leaks", "Loses 128 KiB with each call");

impl BackgroundGenerator for Leaks {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        // Hidden from the compiler, which may leave out an allocation that nobody looks at.
        std::mem::forget(std::hint::black_box(vec![1_u8; 128 << 10]));
        paint(request, [100, 100, 100])
    }
}

component!(
    UnsteadyInThreads(Nothing),
    "unsteady-in-threads",
    "Another picture while another call is at work"
);

impl BackgroundGenerator for UnsteadyInThreads {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        static AT_WORK: AtomicUsize = AtomicUsize::new(0);
        AT_WORK.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(5));
        let together = AT_WORK.load(Ordering::SeqCst) > 1;
        let creative = paint(request, [100, 100, if together { 200 } else { 100 }]);
        AT_WORK.fetch_sub(1, Ordering::SeqCst);
        creative
    }
}

component!(LooksAtItsNeighbours(Nothing), "looks-at-its-neighbours", "The place in the batch shows");

impl BackgroundGenerator for LooksAtItsNeighbours {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        paint(request, [100, 100, 0])
    }
    fn generate_batch(&self, requests: &[BackgroundRequest], _: &CallContext<'_>) -> Vec<Result<Creative>> {
        requests.iter().zip(0_u8..).map(|(request, at)| paint(request, [100, 100, at])).collect()
    }
}

component!(Unstoppable(Nothing), "unstoppable", "Does not look whether its call is cancelled");

impl BackgroundGenerator for Unstoppable {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        sleep(Duration::from_millis(20));
        paint(request, [100, 100, 100])
    }
    fn generate_batch(&self, requests: &[BackgroundRequest], cx: &CallContext<'_>) -> Vec<Result<Creative>> {
        requests.iter().map(|request| self.generate(request, cx)).collect()
    }
}

/// Parameters that do not mind unknown names.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct Careless {
    /// Blue of the background.
    blue: u8,
}

component!(TakesAnyParameter(Careless), "takes-any-parameter", "Does not mind misspelt parameters");

impl BackgroundGenerator for TakesAnyParameter {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        paint(request, [100, 100, self.0.blue])
    }
}

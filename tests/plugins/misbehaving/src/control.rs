//! Background generators that give creatives: quietly, noisily, slowly, or not for every product.

use crate::component::{Nothing, paint, paint_grey};
use adeval_sdk::Library;
use adeval_sdk::prelude::*;
use std::io::Write;
use std::process::abort;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub fn add(library: &mut Library) {
    library.background_generator::<WellBehaved>();
    library.background_generator::<Prints>();
    library.background_generator::<Shouts>();
    library.background_generator::<Sleeps>();
    library.background_generator::<FailsForOne>();
    library.background_generator::<DiesForOne>();
    library.background_generator::<DiesAfter>();
}

/// A colour.
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Colour {
    /// Red of the background.
    red: u8,
    /// Green of the background.
    green: u8,
    /// Blue of the background.
    blue: u8,
}

impl Default for Colour {
    fn default() -> Self {
        Self { red: 200, green: 180, blue: 160 }
    }
}

/// A time.
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Pace {
    /// Milliseconds a creative.
    #[schemars(range(min = 1, max = 60_000))]
    milliseconds: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { milliseconds: 20 }
    }
}

/// The id of a product.
#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Which {
    /// Id of the product.
    product: String,
}

/// A number of calls.
#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Patience {
    /// Creatives that a process makes before it dies.
    creatives: u32,
}

component!(WellBehaved(Colour), "well-behaved", "One colour behind the product");

impl BackgroundGenerator for WellBehaved {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        paint(request, [self.0.red, self.0.green, self.0.blue])
    }
}

component!(Prints(Nothing), "prints", "Prints a line to stdout for each creative");

impl BackgroundGenerator for Prints {
    #[expect(clippy::print_stdout, reason = "that is the misbehaviour")]
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        println!("painting {}", request.product.id);
        paint_grey(request)
    }
}

component!(Shouts(Nothing), "shouts", "Writes 10 MB to stderr for each creative");

impl BackgroundGenerator for Shouts {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        let line = [b"all work and no play makes the log a long one ".repeat(2), vec![b'\n']].concat();
        let lines = line.repeat(10_000_000 / line.len());
        let mut stderr = std::io::stderr().lock();
        stderr.write_all(&lines)?;
        writeln!(stderr, "the end of the noise about {}", request.product.id)?;
        paint_grey(request)
    }
}

component!(Sleeps(Pace), "sleeps", "Takes its time, and stops when it is asked to");

impl BackgroundGenerator for Sleeps {
    fn generate(&self, request: &BackgroundRequest, cx: &CallContext<'_>) -> Result<Creative> {
        let (started, pace) = (Instant::now(), Duration::from_millis(self.0.milliseconds));
        while started.elapsed() < pace {
            cx.check()?;
            sleep(Duration::from_millis(5).min(pace));
        }
        paint_grey(request)
    }
}

component!(FailsForOne(Which), "fails-for-one", "Answers one product with an error");

impl BackgroundGenerator for FailsForOne {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        if request.product.id == self.0.product {
            return Err(PluginError::invalid_request(format!("\"{}\" is not to my taste", self.0.product)));
        }
        paint_grey(request)
    }
}

component!(DiesForOne(Which), "dies-for-one", "Aborts when it meets one product");

impl BackgroundGenerator for DiesForOne {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        if request.product.id == self.0.product {
            eprintln!("the last words about {}", self.0.product);
            abort();
        }
        paint_grey(request)
    }
}

/// Made creatives, and how many there may be.
struct DiesAfter {
    patience: Patience,
    made: AtomicU32,
}

impl Component for DiesAfter {
    type Parameters = Patience;
    fn info() -> ComponentInfo {
        ComponentInfo::new("dies-after", "Aborts after some creatives, in each process anew")
    }
    fn create(patience: Patience, _: &Environment) -> Result<Self> {
        Ok(Self { patience, made: AtomicU32::new(0) })
    }
}

impl BackgroundGenerator for DiesAfter {
    fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
        if self.made.fetch_add(1, Ordering::Relaxed) >= self.patience.creatives {
            abort();
        }
        paint_grey(request)
    }
}

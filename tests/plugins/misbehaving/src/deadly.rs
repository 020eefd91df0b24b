//! Background generators that end or block their process, or refuse to be made.

use crate::component::{Nothing, paint_grey};
use adeval_sdk::Library;
use adeval_sdk::prelude::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::hint::black_box;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// What `allocates-without-end` may take on top of what its process has: enough to be noticed, too little to harm.
const ROOM: u64 = 256 << 20;

pub fn add(library: &mut Library) {
    library.background_generator::<Panics>();
    library.background_generator::<PanicsInCreate>();
    library.background_generator::<RefusesToStart>();
    library.background_generator::<Aborts>();
    library.background_generator::<Segfaults>();
    library.background_generator::<OverflowsItsStack>();
    library.background_generator::<Hangs>();
    library.background_generator::<HangsInCreate>();
    library.background_generator::<LeavesAChild>();
    library.background_generator::<FaintsAtTallOnes>();
    library.background_generator::<Exits>();
    library.background_generator::<AllocatesWithoutEnd>();
}

/// A background generator whose `generate` never answers.
macro_rules! deadly {
    ($name:ident, $id:literal, $summary:literal, $act:expr) => {
        component!($name(Nothing), $id, $summary);

        impl BackgroundGenerator for $name {
            fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
                let act: fn(&BackgroundRequest) = $act;
                act(request);
                paint_grey(request)
            }
        }
    };
}

deadly!(Panics, "panics", "Panics for each creative", |request| {
    panic!("no idea what to do with \"{}\"", request.product.id)
});
deadly!(Aborts, "aborts", "Aborts its process", |_| std::process::abort());
deadly!(Segfaults, "segfaults", "Writes to an address that is not its own", |_| {
    let nowhere = std::ptr::without_provenance_mut::<u8>(8);
    // SAFETY: none; nothing is ever mapped there, and the fault is what the test asks for.
    unsafe { nowhere.write_volatile(1) }
});
deadly!(OverflowsItsStack, "overflows-its-stack", "Recurses without end", |_| {
    black_box(deeper(black_box(0)));
});
deadly!(Hangs, "hangs", "Never answers, and does not stop when it is asked to", |_| loop {
    sleep(Duration::from_secs(1));
});
deadly!(LeavesAChild, "leaves-a-child", "Starts another program and waits for it", |_| {
    if let Ok(mut child) = Command::new("sleep").arg("600").spawn() {
        eprintln!("child {}", child.id());
        // Whatever way it ends: nobody is there any more.
        let _ = child.wait();
    }
});
deadly!(
    FaintsAtTallOnes,
    "faints-at-tall-ones",
    "Panics for creatives that are three times as high as wide",
    |request| {
        assert!(request.height < 3 * request.width, "{} pixels are too high for me", request.height);
    }
);
deadly!(Exits, "exits", "Ends its process with exit code 0, as if all were well", |_| std::process::exit(0));
deadly!(
    AllocatesWithoutEnd,
    "allocates-without-end",
    "Allocates until its process has no memory left",
    |_| {
        bound_memory();
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            hoard.push(black_box(vec![1; 16 << 20]));
        }
    }
);

/// Some levels deeper than any stack.
fn deeper(level: u64) -> u64 {
    let ballast = black_box([level; 128]);
    if level == u64::MAX { 0 } else { black_box(deeper(level + 1)) + ballast[(level % 128) as usize] }
}

/// Limits this process's address space to [`ROOM`] above what it has, or ends it if that cannot be done.
fn bound_memory() {
    let limits = Rlimit { current: address_space().map(|bytes| bytes + ROOM), ..getrlimit(Resource::As) };
    if limits.current.is_none() || setrlimit(Resource::As, limits).is_err() {
        eprintln!("the memory cannot be bounded here");
        std::process::abort();
    }
}

/// The size of this process's address space in bytes.
fn address_space() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    kib.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// A component that never comes to life.
macro_rules! unborn {
    ($name:ident, $id:literal, $summary:literal, $create:expr) => {
        struct $name;

        impl Component for $name {
            type Parameters = Nothing;
            fn info() -> ComponentInfo {
                ComponentInfo::new($id, $summary)
            }
            fn create(_: Nothing, _: &Environment) -> Result<Self> {
                let create: fn() -> Result<Self> = $create;
                create()
            }
        }

        impl BackgroundGenerator for $name {
            fn generate(&self, request: &BackgroundRequest, _: &CallContext<'_>) -> Result<Creative> {
                paint_grey(request)
            }
        }
    };
}

unborn!(PanicsInCreate, "panics-in-create", "Panics when it is made", || panic!("not made for this world"));
unborn!(RefusesToStart, "refuses-to-start", "Says that its weights are missing", || {
    let message = "the weights \"nowhere.safetensors\" are not there";
    Err(PluginError::new(ErrorKind::MissingWeights, message).with_hint("there are none to be had"))
});
unborn!(HangsInCreate, "hangs-in-create", "Is never ready", || loop {
    sleep(Duration::from_secs(1));
});

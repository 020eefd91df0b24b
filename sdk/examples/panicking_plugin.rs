//! A library that fails before it can say what it is; for the sdk's own tests.

use adeval_sdk::{Library, export_plugin};

fn library() -> Library {
    panic!("the table of components is broken")
}

export_plugin!(library);

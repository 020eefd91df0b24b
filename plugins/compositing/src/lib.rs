//! What a background plugin needs to put a cut-out product into a scene, on plain buffers.
//!
//! The order of work is: make a [`Canvas`] (linear light) with the scene, let a [`Silhouette`] of the placed product
//! darken it ([`shadow`]) and mirror itself in it ([`reflect`]), [`finish`] it to 8 bits, and paste the product with its
//! own alpha last. Nothing here ever touches the product's own pixels.
//!
//! Everything is a pure function of its arguments: rows may be computed by several threads, but no sum crosses a row,
//! so the bytes do not depend on the number of threads.
//!
//! ```
//! use adeval_compositing::{Canvas, Finish, Light, ShadowSpec, Silhouette, finish, ground};
//! let product = image::RgbaImage::from_pixel(20, 30, image::Rgba([200, 40, 40, 255]));
//! let mut canvas = Canvas::filled(64, 64, [0.6, 0.6, 0.6]);
//! let silhouette = Silhouette::new(&product, (22, 20), (64, 64));
//! let light = Light::from_words("soft window light from the left");
//! ground(&mut canvas, &silhouette, &product, &ShadowSpec::under(&light), None);
//! let scene = finish(&canvas, &Finish::default());
//! assert_eq!(scene.dimensions(), (64, 64));
//! ```

pub mod blur;
mod canvas;
pub mod color;
mod finish;
mod light;
pub mod noise;
mod reflection;
mod shadow;
mod silhouette;

pub use canvas::{Canvas, Plane};
pub use finish::{Finish, finish, linear_gradient, vignette};
pub use light::Light;
pub use reflection::{Reflection, reflect};
pub use shadow::{ShadowSpec, cast_shadow, contact_shadow, ground, shadow};
pub use silhouette::Silhouette;

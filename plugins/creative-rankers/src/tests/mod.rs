//! The three components through the traits, as the host's shim calls them, and their networks in `f64`.

mod gradients;
mod judging;
mod saves;
mod training;

use crate::{Cg4CtrParameters, Cg4CtrReward, VamParameters, VamReward, VisionParameters, VisionReward};
use adeval_sdk::prelude::*;
use image::{Rgb, RgbImage};

fn cx() -> CallContext<'static> {
    CallContext::detached()
}

fn product(number: u64) -> Product {
    let titles = ["Red leather handbag", "Steel water bottle", "Running shoes, white", "Oak desk lamp"];
    let at = number as usize % titles.len();
    let image = Image::from(image::RgbaImage::from_pixel(8, 8, image::Rgba([200, 40, 40, 255])));
    let mut product = Product::new(format!("product-{number}"), titles[at], image);
    product.category = vec!["Home".to_owned(), ["Bags", "Bottles", "Shoes", "Lamps"][at].to_owned()];
    product
}

/// A synthetic creative: a background of the given lightness with some texture, and a block on it.
fn creative(seed: u64, light: u8) -> Image {
    let hash = |x: u32, y: u32| (u64::from(x / 8) * 31 + u64::from(y / 8) * 17 + seed * 13) % 40;
    let block = [(seed * 37 % 200) as u8, (seed * 91 % 200) as u8, (seed * 53 % 200) as u8];
    RgbImage::from_fn(96, 96, |x, y| {
        let inside = (32..64).contains(&x) && (36..80).contains(&y);
        let ground = light.saturating_add(hash(x, y) as u8);
        Rgb(if inside { block } else { [ground, ground, ground.saturating_sub(10)] })
    })
    .into()
}

/// The toy task: the lighter background is better, and clicked more often.
fn labelled(number: u64) -> LabelledPair {
    let (a, b) = (30 + (number * 29 % 50) as u8, 130 + (number * 41 % 60) as u8);
    let left_wins = number.is_multiple_of(2);
    let (left, right) = if left_wins { (b, a) } else { (a, b) };
    let pair = PairRequest {
        product: product(number),
        left: creative(2 * number, left),
        right: creative(2 * number + 1, right),
    };
    let ctr = if left_wins { (0.06, 0.02) } else { (0.02, 0.06) };
    LabelledPair { pair, left: f64::from(u8::from(left_wins)), ctr: Some(ctr) }
}

fn pairs(numbers: std::ops::Range<u64>) -> Vec<LabelledPair> {
    numbers.map(labelled).collect()
}

fn swapped(pair: &PairRequest) -> PairRequest {
    PairRequest { product: pair.product.clone(), left: pair.right.clone(), right: pair.left.clone() }
}

fn create<C: Component>(parameters: C::Parameters) -> C {
    C::create(parameters, &Environment::default()).unwrap()
}

fn vision() -> VisionReward {
    create(VisionParameters { hidden: 32, ..VisionParameters::default() })
}

fn vam() -> VamReward {
    create(VamParameters { side: 32, ..VamParameters::default() })
}

fn cg4ctr() -> Cg4CtrReward {
    create(Cg4CtrParameters { width: 16, buckets: 256, ..Cg4CtrParameters::default() })
}

fn train(model: &mut impl TrainableRewardModel, pairs: &[LabelledPair], steps: usize, rate: f64) -> Vec<f64> {
    let step = |number: usize| {
        let options = GradientOptions { seed: number as u64, ..GradientOptions::default() };
        let report = model.accumulate_gradient(pairs, &options, &cx()).unwrap();
        model.step(&TrainingOptions::new(rate), &cx()).unwrap();
        report.loss.unwrap()
    };
    (0..steps).map(step).collect()
}

/// The same test for each of the three.
macro_rules! for_each_model {
    ($($name:ident: $test:ident;)*) => {$(
        mod $name {
            #[test]
            fn vision() {
                super::$test(super::vision);
            }
            #[test]
            fn vam() {
                super::$test(super::vam);
            }
            #[test]
            fn cg4ctr() {
                super::$test(super::cg4ctr);
            }
        }
    )*};
}
use for_each_model;

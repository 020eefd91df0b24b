//! The filters of FLIP. Each is a Gaussian, a derivative of one, or a sum of two, and so separable.

use std::f64::consts::PI;

/// Half the distance from peak to trough of the eye's edge detector is its standard deviation, in degrees.
const PEAK_TO_TROUGH: f64 = 0.082;

/// A Gaussian of a contrast sensitivity function: amplitude, and width in the frequency domain.
type Gaussian = (f64, f64);
const ACHROMATIC: &[Gaussian] = &[(1.0, 0.0047)];
const RED_GREEN: &[Gaussian] = &[(1.0, 0.0053)];
const BLUE_YELLOW: &[Gaussian] = &[(34.1, 0.04), (13.5, 0.025)];
/// The widest of them, which sets the radius of all.
const WIDEST: f64 = 0.04;

/// Weights of offsets `-radius ..= radius`.
pub type Kernel = Vec<f64>;

/// Values of an image's pixels, rows from the top. Outside, the border repeats.
pub struct Plane {
    width: usize,
    height: usize,
    values: Vec<f64>,
}

impl Plane {
    pub fn new(width: usize, height: usize, values: Vec<f64>) -> Self {
        Self { width, height, values }
    }

    /// Correlation with the outer product of two kernels: `x` along rows, `y` along columns.
    pub fn convolve(&self, x: &Kernel, y: &Kernel) -> Vec<f64> {
        let along = |values: &[f64], kernel: &Kernel, length: usize, stride: usize| {
            let radius = (kernel.len() / 2) as isize;
            let sum = |at: usize| {
                let here = (at / stride % length) as isize;
                let start = at as isize - here * stride as isize;
                let sample = |(offset, weight): (isize, &f64)| {
                    let inside = (here + offset).clamp(0, length as isize - 1);
                    weight * values[(start + inside * stride as isize) as usize]
                };
                (-radius..=radius).zip(kernel).map(sample).sum()
            };
            (0..values.len()).map(sum).collect::<Vec<f64>>()
        };
        let rows = along(&self.values, x, self.width, 1);
        along(&rows, y, self.height, self.width)
    }
}

/// A sum of Gaussians.
pub struct Blur(Vec<Kernel>);

impl Blur {
    pub fn apply(&self, plane: &Plane) -> Vec<f64> {
        let mut sum = vec![0.0; plane.values.len()];
        for kernel in &self.0 {
            // Both passes use one kernel, so each carries the root of the Gaussian's weight.
            sum.iter_mut().zip(plane.convolve(kernel, kernel)).for_each(|(sum, value)| *sum += value);
        }
        sum
    }
}

/// The eye's contrast sensitivity as filters of Y, Cx and Cz.
pub fn contrast_sensitivity(pixels_per_degree: f64) -> [Blur; 3] {
    let radius = (3.0 * (WIDEST / (2.0 * PI * PI)).sqrt() * pixels_per_degree).ceil() as i32;
    [ACHROMATIC, RED_GREEN, BLUE_YELLOW].map(|gaussians| {
        let kernels: Vec<Kernel> = gaussians
            .iter()
            .map(|(amplitude, width)| {
                let root = (amplitude * (PI / width).sqrt()).sqrt();
                let degrees = |x: i32| f64::from(x) / pixels_per_degree;
                (-radius..=radius).map(|x| root * (-(PI * degrees(x)).powi(2) / width).exp()).collect()
            })
            .collect();
        let total: f64 = kernels.iter().map(|k| k.iter().sum::<f64>().powi(2)).sum();
        Blur(kernels.into_iter().map(|k| k.iter().map(|w| w / total.sqrt()).collect()).collect())
    })
}

/// A first derivative along one direction, and the Gaussian across it.
pub fn edge_detector(pixels_per_degree: f64) -> (Kernel, Kernel) {
    detector(pixels_per_degree, |x, _| -x)
}

/// A second derivative along one direction, and the Gaussian across it.
pub fn point_detector(pixels_per_degree: f64) -> (Kernel, Kernel) {
    detector(pixels_per_degree, |x, deviation| (x / deviation).powi(2) - 1.0)
}

/// Positive and negative weights each sum to one.
fn detector(pixels_per_degree: f64, shape: impl Fn(f64, f64) -> f64) -> (Kernel, Kernel) {
    let deviation = 0.5 * PEAK_TO_TROUGH * pixels_per_degree;
    let radius = (3.0 * deviation).ceil() as i32;
    let gaussian: Kernel =
        (-radius..=radius).map(|x| (-(f64::from(x) / deviation).powi(2) / 2.0).exp()).collect();
    let weights = (-radius..=radius).zip(&gaussian).map(|(x, g)| shape(f64::from(x), deviation) * g);
    let weights: Kernel = weights.collect();
    let total = |sign: f64| weights.iter().filter(|w| *w * sign > 0.0).sum::<f64>().abs();
    let (positive, negative) = (total(1.0), total(-1.0));
    let along = weights.iter().map(|w| if *w > 0.0 { w / positive } else { w / negative }).collect();
    let across: f64 = gaussian.iter().sum();
    (along, gaussian.iter().map(|g| g / across).collect())
}

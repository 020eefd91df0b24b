//! Adam (Kingma and Ba, 2015) with its usual moments; it makes a step's length independent of the scale of a loss, so that
//! optimizers are compared by direction and not by the size of their rewards.

const DECAY: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

pub struct Adam {
    learning_rate: f64,
    step: i32,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Adam {
    pub fn new(learning_rate: f64, parameters: usize) -> Self {
        Self { learning_rate, step: 0, mean: vec![0.0; parameters], square: vec![0.0; parameters] }
    }

    /// One step down the gradient.
    pub fn step(&mut self, parameters: &mut [f64], gradient: &[f64]) {
        self.step += 1;
        let [unbias_mean, unbias_square] = DECAY.map(|decay| 1.0 - decay.powi(self.step));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((parameter, g), (mean, square)) in parameters.iter_mut().zip(gradient).zip(moments) {
            *mean = DECAY[0] * *mean + (1.0 - DECAY[0]) * g;
            *square = DECAY[1] * *square + (1.0 - DECAY[1]) * g * g;
            let direction = (*mean / unbias_mean) / ((*square / unbias_square).sqrt() + EPSILON);
            *parameter -= self.learning_rate * direction;
        }
    }
}

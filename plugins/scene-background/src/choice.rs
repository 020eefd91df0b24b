//! Choices that a prompt leaves open, drawn so that each depends on its own name only: naming the surface in a prompt
//! does not change which light is drawn.

/// A source of independent, named streams of random numbers.
#[derive(Debug, Clone, Copy)]
pub struct Dice {
    seed: u64,
}

impl Dice {
    /// Streams under a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream of one name.
    pub fn stream(self, name: &str) -> Stream {
        let mut state = self.seed ^ 0x9e37_79b9_7f4a_7c15;
        for byte in name.bytes() {
            state = mix(state ^ u64::from(byte)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        }
        Stream { state }
    }

    /// A 32-bit seed for noise.
    pub fn noise(self, name: &str) -> u32 {
        (self.stream(name).next() >> 32) as u32
    }
}

/// A stream of random numbers (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Stream {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number in 0..1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / 16_777_216.0
    }

    /// A number in `low..high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Whether an event of this probability happens.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f32 {
        if self.chance(0.5) { -1.0 } else { 1.0 }
    }

    /// One of the items, each as likely; `items` must not be empty.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[((self.unit() * items.len() as f32) as usize).min(items.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_and_even() {
        let dice = Dice::new(7);
        assert_ne!(dice.noise("a"), dice.noise("b"));
        assert_ne!(dice.noise("a"), Dice::new(8).noise("a"));
        let mut stream = dice.stream("mean");
        let mean = (0..4000).map(|_| stream.unit()).sum::<f32>() / 4000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
    }
}

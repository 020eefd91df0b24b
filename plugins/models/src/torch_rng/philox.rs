//! Philox4x32-10 and the draws of `torch.Generator("cuda")`.
//!
//! Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011). Each thread of the card has its own
//! subsequence (the high half of the counter is the thread's number, the low half the position), and each call of the
//! generator starts all threads at one position and moves that on.

use std::f64::consts::TAU;

const BLOCK_THREADS: usize = 256;
/// Words per position, and values per thread and round.
const WORDS: usize = 4;

/// Ten rounds of Philox on four words: counter (least significant word first) and key to random bits.
pub fn philox4x32_10(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
        }
        let [low0, high0] = halves(u64::from(counter[0]) * 0xd251_1f53);
        let [low1, high1] = halves(u64::from(counter[2]) * 0xcd9e_8d57);
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
    }
    counter
}

fn halves(x: u64) -> [u32; 2] {
    [(x & 0xffff_ffff) as u32, (x >> 32) as u32]
}

/// What PyTorch's split of a draw into threads depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// Streaming multiprocessors: 108 for an A100, 132 for an H100 SXM, 128 for an RTX 4090.
    pub multiprocessors: usize,
    /// Threads that one of them holds at a time: 2048 for data-centre cards, 1536 for consumer ones since Ampere.
    pub threads: usize,
}

impl Default for Card {
    /// An A100.
    fn default() -> Self {
        Self { multiprocessors: 108, threads: 2048 }
    }
}

/// `torch.Generator("cuda")`.
#[derive(Clone, Debug)]
pub struct CudaGenerator {
    seed: u64,
    /// Position of the stream, in words; always a multiple of four.
    offset: u64,
    card: Card,
}

impl CudaGenerator {
    /// A generator with `manual_seed(seed)` on a given card.
    pub fn on(seed: u64, card: Card) -> Self {
        Self { seed, offset: 0, card }
    }

    /// Starts the stream of `seed`.
    pub fn manual_seed(&mut self, seed: u64) {
        *self = Self::on(seed, self.card);
    }

    /// Position in the stream, in 32-bit words (PyTorch's `philox_offset`).
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// `torch.randn(n, device="cuda")`: standard normal values.
    pub fn randn_f32(&mut self, out: &mut [f32]) {
        self.draw(out, |words, lane| {
            let (sine, cosine) = box_muller(words[lane / 2 * 2], words[lane / 2 * 2 + 1]);
            if lane % 2 == 0 { sine } else { cosine }
        });
    }

    /// `torch.rand(n, device="cuda")`: uniform values in `[0, 1)`.
    pub fn rand_f32(&mut self, out: &mut [f32]) {
        self.draw(out, |words, lane| {
            let value = unit(words[lane]);
            // cuRAND's values lie in (0, 1]; PyTorch turns the upper bound into the lower one.
            if value == 1.0 { 0.0 } else { value }
        });
    }

    fn draw(&mut self, out: &mut [f32], value: impl Fn([u32; 4], usize) -> f32) {
        if out.is_empty() {
            return;
        }
        let blocks = out.len().div_ceil(BLOCK_THREADS);
        let resident = self.card.multiprocessors * (self.card.threads / BLOCK_THREADS);
        let threads = BLOCK_THREADS * blocks.min(resident).max(1);
        let per_round = threads * WORDS;
        for (index, slot) in out.iter_mut().enumerate() {
            let lane = (index / threads) % WORDS;
            let words = self.words((index % threads) as u64, (index / per_round) as u64);
            *slot = value(words, lane);
        }
        self.offset += ((out.len() - 1) / per_round + 1) as u64 * WORDS as u64;
    }

    fn words(&self, thread: u64, round: u64) -> [u32; 4] {
        let [c0, c1] = halves(self.offset / WORDS as u64 + round);
        let [c2, c3] = halves(thread);
        philox4x32_10([c0, c1, c2, c3], halves(self.seed))
    }
}

/// cuRAND's uniform value of `(0, 1]`, rounded to f32 where the card rounds.
fn unit(word: u32) -> f32 {
    const STEP: f32 = 1.0 / 4_294_967_296.0;
    (word as f32).mul_add(STEP, STEP / 2.0)
}

/// cuRAND's pair of normal values (sine part first). The functions are exact here and approximate on the card.
fn box_muller(x: u32, y: u32) -> (f32, f32) {
    const STEP: f32 = (TAU / 4_294_967_296.0) as f32;
    let angle = (y as f32).mul_add(STEP, STEP / 2.0);
    let radius = (-2.0 * f64::from(unit(x)).ln()).sqrt();
    let (sine, cosine) = f64::from(angle).sin_cos();
    ((radius * sine) as f32, (radius * cosine) as f32)
}

#[cfg(test)]
mod tests {
    use super::{Card, CudaGenerator, philox4x32_10};

    #[test]
    fn known_answers_of_random123() {
        // kat_vectors of Random123, "philox4x32 10".
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(philox4x32_10(counter, key), expected);
        }
    }

    #[test]
    fn the_card_matters_only_beyond_its_threads() {
        let small = Card { multiprocessors: 1, threads: 512 };
        let draw = |card, count| {
            let mut values = vec![0.0; count];
            CudaGenerator::on(3, card).randn_f32(&mut values);
            values
        };
        assert_eq!(draw(small, 512), draw(Card::default(), 512));
        let (few, many) = (draw(small, 600), draw(Card::default(), 600));
        assert_eq!(few[..512], many[..512]);
        assert_ne!(few[512..], many[512..]);
    }
}

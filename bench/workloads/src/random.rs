/// Marsaglia's xorshift with a final multiplication: cheap enough not to be what is measured, and
/// the same numbers on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number in `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A number in `low..=high`, small ones as likely as large ones at every scale: what sizes of
    /// allocations look like.
    pub fn size(&mut self, low: usize, high: usize) -> usize {
        let octaves = (high / low).ilog2() as usize;
        let low = low << self.below(octaves + 1);
        (low + self.below(low)).min(high)
    }
}

//! CPU work that cannot be shortened: what calibrated tasks consist of.

/// The CPU kernel: a chain of multiplications, each of which needs the one before it (Knuth's MMIX generator), so that
/// neither compiler nor processor can shorten it.
#[must_use]
pub(crate) fn spin(iterations: u64, start: u64) -> u64 {
    let mut state = start;
    for _ in 0..iterations {
        state =
            std::hint::black_box(state).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    }
    state
}

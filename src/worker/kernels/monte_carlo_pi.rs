//! Random points in the unit square.

use super::Numbers;

/// How many of `samples` points lie within the quarter circle. Integer arithmetic: the same on every machine.
#[inline(never)]
pub(super) fn hits(samples: u64, numbers: &mut Numbers) -> u64 {
    const ONE: u64 = 1 << 31;
    (0..samples)
        .filter(|_| {
            let bits = numbers.next();
            let (x, y) = (bits >> 33, bits & (ONE - 1));
            x * x + y * y < ONE * ONE
        })
        .count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_hits_is_a_quarter_of_pi() {
        let samples = 200_000;
        let pi = 4.0 * hits(samples, &mut Numbers(3)) as f64 / samples as f64;
        // Standard deviation of the estimate: 4 * sqrt(p (1 - p) / n) = 0.0037.
        assert!((pi - std::f64::consts::PI).abs() < 0.015, "{pi}");
    }
}

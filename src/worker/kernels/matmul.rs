//! Product of two square integer matrices.

use super::{Numbers, room};
use crate::worker::work_error::WorkError;

/// Wrapping sum of the elements of the product of two n x n matrices.
#[inline(never)]
pub(super) fn element_sum(n: u32, numbers: &mut Numbers) -> Result<u64, WorkError> {
    let size = u64::from(n) * u64::from(n);
    let mut fill = || {
        let mut matrix = room(size)?;
        matrix.extend((0..size).map(|_| numbers.next()));
        Ok(matrix)
    };
    let (left, right) = (fill()?, fill()?);
    Ok(multiply(n as usize, &left, &right)?.into_iter().fold(0, u64::wrapping_add))
}

fn multiply(n: usize, left: &[u64], right: &[u64]) -> Result<Vec<u64>, WorkError> {
    let mut product = room(left.len() as u64)?;
    product.resize(left.len(), 0u64);
    if n == 0 {
        return Ok(product);
    }
    // Row by row over the right matrix, so that memory is read in order.
    for (row, out) in left.chunks_exact(n).zip(product.chunks_exact_mut(n)) {
        for (factor, line) in row.iter().zip(right.chunks_exact(n)) {
            for (sum, value) in out.iter_mut().zip(line) {
                *sum = sum.wrapping_add(factor.wrapping_mul(*value));
            }
        }
    }
    Ok(product)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_small_product_by_hand() {
        assert_eq!(super::multiply(2, &[1, 2, 3, 4], &[5, 6, 7, 8]).unwrap(), [19, 22, 43, 50]);
        assert!(super::multiply(0, &[], &[]).unwrap().is_empty());
    }
}

//! Product of two square integer matrices.

use super::Numbers;

/// Wrapping sum of the elements of the product of two n x n matrices.
pub(super) fn element_sum(n: u32, numbers: &mut Numbers) -> u64 {
    let n = n as usize;
    let mut fill = || (0..n * n).map(|_| numbers.next()).collect::<Vec<u64>>();
    let (left, right) = (fill(), fill());
    multiply(n, &left, &right).into_iter().fold(0, u64::wrapping_add)
}

fn multiply(n: usize, left: &[u64], right: &[u64]) -> Vec<u64> {
    let mut product = vec![0u64; n * n];
    if n == 0 {
        return product;
    }
    // Row by row over the right matrix, so that memory is read in order.
    for (row, out) in left.chunks_exact(n).zip(product.chunks_exact_mut(n)) {
        for (factor, line) in row.iter().zip(right.chunks_exact(n)) {
            for (sum, value) in out.iter_mut().zip(line) {
                *sum = sum.wrapping_add(factor.wrapping_mul(*value));
            }
        }
    }
    product
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_small_product_by_hand() {
        assert_eq!(super::multiply(2, &[1, 2, 3, 4], &[5, 6, 7, 8]), [19, 22, 43, 50]);
        assert!(super::multiply(0, &[], &[]).is_empty());
    }
}

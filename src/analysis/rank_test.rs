//! Wilcoxon's signed-rank test: whether paired measurements differ, without believing that they are normal.

use std::cmp::Ordering;

use statrs::distribution::{ContinuousCDF as _, Normal};

/// Pairs from which on it can say anything at the 5 % level: the smallest p of six is 2 / 2^6 = 0.031, of five 0.063.
pub(crate) const LEAST: usize = 6;
/// Pairs up to which the distribution is computed exactly; the normal one is as good from there on.
const EXACT: usize = 60;

/// Two-sided p of paired differences (as of logarithms) around 0; `None` below six that are not 0.
///
/// Differences of 0 are left out and equal ones share their ranks; the distribution of the sum of positive ranks is
/// counted over all signs (Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1, 1945).
#[must_use]
pub(crate) fn signed_rank(differences: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = differences.iter().copied().filter(|one| *one != 0.0 && one.is_finite()).collect();
    if sorted.len() < LEAST {
        return None;
    }
    sorted.sort_by(|a, b| a.abs().partial_cmp(&b.abs()).unwrap_or(Ordering::Equal));
    // Twice the rank: whole numbers where ranks are shared too.
    let mut ranks: Vec<usize> = Vec::with_capacity(sorted.len());
    for group in sorted.chunk_by(|a, b| a.abs() == b.abs()) {
        let first = ranks.len() + 1;
        ranks.extend(std::iter::repeat_n(2 * first + group.len() - 1, group.len()));
    }
    let positive = sorted.iter().zip(&ranks).filter(|(one, _)| **one > 0.0).map(|(_, rank)| rank).sum();
    let p = if ranks.len() <= EXACT { exact(&ranks, positive) } else { normal(&ranks, positive)? };
    Some(p.min(1.0))
}

fn exact(ranks: &[usize], positive: usize) -> f64 {
    let whole: usize = ranks.iter().sum();
    let mut chance = vec![0.0; whole + 1];
    chance[0] = 1.0;
    let mut reached = 0;
    for rank in ranks {
        for sum in (0..=reached).rev() {
            let half = chance[sum] / 2.0;
            chance[sum] = half;
            chance[sum + rank] += half;
        }
        reached += rank;
    }
    let smaller = positive.min(whole - positive);
    2.0 * chance[..=smaller].iter().sum::<f64>()
}

fn normal(ranks: &[usize], positive: usize) -> Option<f64> {
    let whole: f64 = ranks.iter().map(|rank| *rank as f64).sum();
    let variance = ranks.iter().map(|rank| (*rank as f64).powi(2)).sum::<f64>() / 4.0;
    let distance = ((positive as f64 - whole / 2.0).abs() - 1.0).max(0.0) / variance.sqrt();
    Normal::new(0.0, 1.0).ok().map(|normal| 2.0 * normal.sf(distance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_as_printed_in_tables() {
        let six = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(signed_rank(&six), Some(2.0 / 64.0));
        assert_eq!(signed_rank(&six.map(|one| -one)), Some(2.0 / 64.0));
        assert_eq!(signed_rank(&six[..5]), None);
        // W = 8 of ten: the table's two-sided 5 % point; 25 of 1024 sign patterns have a sum of at most 8.
        let ten = [1.0, 2.0, -3.0, 4.0, -5.0, 6.0, 7.0, 8.0, 9.0, 10.0];
        assert!((signed_rank(&ten).expect("a p") - 50.0 / 1024.0).abs() < 1e-12);
    }

    #[test]
    fn equal_differences_share_their_ranks_and_zeros_are_left_out() {
        // All alike: every sign pattern with at most no negative one, both ways.
        assert_eq!(signed_rank(&[0.5; 6]), Some(2.0 / 64.0));
        assert_eq!(signed_rank(&[0.0, 0.5, 0.5, 0.5, 0.5, 0.5]), None);
        assert_eq!(signed_rank(&[0.5, -0.5, 0.5, -0.5, 0.5, -0.5]), Some(1.0));
    }

    #[test]
    fn many_pairs_go_on_where_the_exact_count_ends() {
        let values = |n: usize| -> Vec<f64> {
            (1..=n)
                .map(|i| if i % 3 == 0 { -(i as f64) } else { i as f64 } * if i % 2 == 0 { 1.0 } else { 1.01 })
                .collect()
        };
        let sorted = values(60);
        let ranks: Vec<usize> = (1..=60).map(|rank| 2 * rank).collect();
        let positive = {
            let mut by_size = sorted;
            by_size.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
            by_size.iter().zip(&ranks).filter(|(one, _)| **one > 0.0).map(|(_, rank)| rank).sum()
        };
        let (exact, approximate) = (exact(&ranks, positive), normal(&ranks, positive).expect("a p"));
        assert!((exact - approximate).abs() < 2e-3, "{exact} {approximate}");
        assert!(signed_rank(&values(61)).is_some_and(|p| p < 0.05));
    }
}

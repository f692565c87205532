//! Several questions at once: the chance that any answer is wrong is kept, not that of each.

/// Corrects p-values for being looked at together: whichever of the questions have no difference behind them, the chance
/// that the smallest of their corrected values is at most α is at most α (Holm, A simple sequentially rejective multiple
/// test procedure, Scandinavian Journal of Statistics 6, 1979). A question without an answer yet (`None`) counts too.
#[must_use]
pub(crate) fn holm(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = (0..).zip(values).filter_map(|(place, p)| Some((place, (*p)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut corrected = vec![None; values.len()];
    let mut least = 0.0_f64;
    for (before, (place, p)) in order.into_iter().enumerate() {
        least = least.max((p * (values.len() - before) as f64).min(1.0));
        if let Some(corrected) = corrected.get_mut(place) {
            *corrected = Some(least);
        }
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_textbooks() {
        // 0.01 * 4, 0.005 ... : sorted 0.005 * 4 = 0.02, 0.01 * 3 = 0.03, 0.03 * 2 = 0.06, 0.04 * 1 -> 0.06.
        let found = holm(&[Some(0.01), Some(0.04), Some(0.03), Some(0.005)]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(found.iter().zip(expected).all(|(found, wanted)| (found.unwrap() - wanted).abs() < 1e-12), "{found:?}");
    }

    #[test]
    fn questions_without_an_answer_count() {
        assert_eq!(holm(&[Some(0.02), None]), [Some(0.04), None]);
        assert_eq!(holm(&[Some(0.02)]), [Some(0.02)]);
        assert_eq!(holm(&[Some(0.9), Some(0.8)]), [Some(1.0), Some(1.0)]);
        assert!(holm(&[]).is_empty());
    }
}

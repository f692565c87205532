//! In which order the counts of an arm were tried, and why each of them.

use super::Point;

/// A count that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// Worker count.
    pub(crate) workers: u32,
    /// Why it was tried then.
    pub(crate) why: String,
}

/// The counts in the order of their first counted runs.
#[must_use]
pub(crate) fn trail(points: &[Point]) -> Vec<Stop> {
    let first = |point: &Point| point.figures.iter().map(|figure| figure.round).min();
    let mut order: Vec<(u32, &Point)> = points.iter().filter_map(|point| Some((first(point)?, point))).collect();
    order.sort_by_key(|(round, point)| (*round, point.workers));
    let why = |place: usize, point: &Point| {
        let earlier = || order.iter().take(place).map(|(_, point)| *point);
        let below = earlier().filter(|other| other.workers < point.workers).max_by_key(|other| other.workers);
        let above = earlier().filter(|other| other.workers > point.workers).min_by_key(|other| other.workers);
        match (below, above) {
            (None, None) => "where it begins".to_owned(),
            (Some(below), Some(above)) => format!("between {} and {}", below.workers, above.workers),
            (None, Some(above)) => format!("fewer than {}", above.workers),
            (Some(below), None) => {
                let before = earlier().filter(|other| other.workers < below.workers).max_by_key(|other| other.workers);
                let gain = before.and_then(|before| Some((before.workers, below.mean()? / before.mean()? - 1.0)));
                match gain {
                    Some((before, gain)) => {
                        format!("more: {} gained {:+.0} % over {before}", below.workers, gain * 100.0)
                    }
                    None => format!("more than {}", below.workers),
                }
            }
        }
    };
    let stop = |(place, (_, point)): (usize, &(u32, &Point))| Stop { workers: point.workers, why: why(place, point) };
    order.iter().enumerate().map(stop).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::statistics::estimate;
    use crate::analysis::verdict::RunFigure;

    #[test]
    fn counts_stand_in_the_order_in_which_they_were_tried_with_their_reasons() {
        let point = |workers: u32, rate: f64, rounds: &[u32]| {
            let figures = rounds.iter().map(|round| RunFigure {
                throughput: rate,
                complete: true,
                round: *round,
                suspect: false,
            });
            Point { figures: figures.collect(), rate: estimate(&[rate]), ..Point::of(workers, &[], 0) }
        };
        let points = [
            point(1, 10.0, &[1]),
            point(2, 20.0, &[2, 6]),
            point(3, 21.0, &[5]),
            point(4, 21.0, &[3, 4]),
            point(9, 1.0, &[]),
        ];
        let found: Vec<(u32, String)> = trail(&points).into_iter().map(|stop| (stop.workers, stop.why)).collect();
        let wanted =
            [(1, "where it begins"), (2, "more than 1"), (4, "more: 2 gained +100 % over 1"), (3, "between 2 and 4")];
        assert_eq!(found, wanted.map(|(workers, why)| (workers, why.to_owned())));
        assert_eq!(trail(&[]), []);
    }
}

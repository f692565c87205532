//! Where something changes along an axis: between two values on whose sides it was seen clearly.
//!
//! Values are above 0 and lie on a logarithmic axis. Steps of four until both sides are known, then the gap is halved until it is
//! narrow enough. A value that does not tell its side lies close to the change: the halves beside it are narrowed then, and
//! what stays is how uncertain the place is.

/// How far apart values lie while one side is not known.
const STEP: f64 = 4.0;

/// On which side of the change a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The change is at a higher value.
    Below,
    /// It is at a lower value.
    Above,
    /// Measurements do not tell.
    Unclear,
}

/// What is known of the place of a change.
#[derive(Clone, Debug)]
pub(crate) struct Bracket {
    within: (f64, f64),
    narrow: f64,
    below: Option<f64>,
    above: Option<f64>,
    unclear: Vec<f64>,
}

impl Bracket {
    /// Looks for it within these ends, until they lie no farther apart than this factor.
    pub(crate) fn new(within: (f64, f64), narrow: f64) -> Self {
        Self { within, narrow, below: None, above: None, unclear: Vec::new() }
    }

    /// Adds what was seen at a value. The nearest value on each side counts; what contradicts it does not tell.
    pub(crate) fn add(&mut self, value: f64, side: Side) {
        match side {
            Side::Below => self.below = Some(self.below.map_or(value, |below| below.max(value))),
            Side::Above => self.above = Some(self.above.map_or(value, |above| above.min(value))),
            Side::Unclear => self.unclear.push(value),
        }
    }

    /// The nearest values on both sides; `None` where it lies beyond the end.
    pub(crate) fn ends(&self) -> (Option<f64>, Option<f64>) {
        (self.below, self.above)
    }

    /// The value that is worth a look; `None` once nothing more can be told.
    pub(crate) fn next(&self, first: f64) -> Option<f64> {
        let (least, most) = self.within;
        let unclear = |wanted: fn(f64, f64) -> f64| self.unclear.iter().copied().reduce(wanted);
        match (self.below, self.above) {
            (None, None) if self.unclear.is_empty() => Some(first.clamp(least, most)),
            // Both sides lie beyond what does not tell.
            (None, _) => {
                let from = self.above.into_iter().chain(unclear(f64::min)).fold(f64::INFINITY, f64::min);
                (from > least).then(|| (from / STEP).max(least))
            }
            (Some(below), None) => {
                let from = unclear(f64::max).map_or(below, |unclear| unclear.max(below));
                (from < most).then(|| (from * STEP).min(most))
            }
            (Some(below), Some(above)) => {
                let mut stops: Vec<f64> =
                    self.unclear.iter().copied().filter(|value| below < *value && *value < above).collect();
                stops.sort_by(f64::total_cmp);
                // Within what does not tell nothing else will.
                let gaps = match (stops.first(), stops.last()) {
                    (Some(first), Some(last)) => vec![(below, *first), (*last, above)],
                    _ => vec![(below, above)],
                };
                let widest = gaps.into_iter().max_by(|one, other| (one.1 / one.0).total_cmp(&(other.1 / other.0)))?;
                (widest.1 / widest.0 > self.narrow).then(|| (widest.0 * widest.1).sqrt())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks for a change; what lies within a factor of it does not tell.
    fn search(change: f64, unclear: f64) -> (usize, (Option<f64>, Option<f64>)) {
        let mut bracket = Bracket::new((0.001, 100.0), 1.2);
        for looks in 0..40 {
            let Some(value) = bracket.next(1.0) else { return (looks, bracket.ends()) };
            let side = match value / change {
                ratio if ratio < 1.0 / unclear => Side::Below,
                ratio if ratio > unclear => Side::Above,
                _ => Side::Unclear,
            };
            bracket.add(value, side);
        }
        panic!("it does not end");
    }

    #[test]
    fn the_change_lies_between_the_ends_wherever_it_is() {
        for exponent in -60..=40 {
            let change = 10_f64.powf(f64::from(exponent) / 23.0);
            for unclear in [1.0, 1.1, 1.5] {
                let (looks, (below, above)) = search(change, unclear);
                let (below, above) = (below.expect("a lower end"), above.expect("an upper end"));
                assert!(below <= change && change <= above, "{change}: {below} {above}");
                assert!(above / below < 1.25 * unclear * unclear * 1.25, "{change} within {unclear}: {below} {above}");
                assert!(looks <= 14, "{looks} looks for {change} within {unclear}");
            }
        }
    }

    #[test]
    fn beyond_the_ends_one_side_is_not_known() {
        assert_eq!(search(1e-9, 1.0).1, (None, Some(0.001)));
        assert_eq!(search(1e9, 1.0).1, (Some(100.0), None));
    }
}

//! Which arms are on the screen where there are more than it has panes: the one that runs and the baseline always are. Pure.

use crate::session::view::{ArmView, SessionView};

/// The arms that the panes show at first: in file order when there are two, otherwise the baseline and the first one of
/// another kind (pool beside process says more than pool beside pool), or the first other one.
#[must_use]
pub(crate) fn first_pair(view: &SessionView) -> [usize; 2] {
    if view.arms.len() <= 2 {
        return [0, 1];
    }
    let left = view.baseline.min(view.arms.len() - 1);
    let kind = view.arms.get(left).map(|arm| arm.spec.kind);
    let other_kind = view.arms.iter().position(|arm| Some(arm.spec.kind) != kind);
    [left, other_kind.unwrap_or(usize::from(left == 0))]
}

/// The arm after `current` that the other pane does not show.
#[must_use]
pub(crate) fn next(view: &SessionView, current: usize, other: usize) -> usize {
    let arms = view.arms.len().max(1);
    (1..=arms).map(|step| (current + step) % arms).find(|arm| *arm != other).unwrap_or(current)
}

/// What the panes show from now on: the arm that runs, beside the baseline. A pane in which the user has chosen an arm
/// (`kept`) keeps it. Where all run at once, none is more wanted than another.
#[must_use]
pub(crate) fn follow(view: &SessionView, pair: [usize; 2], kept: Option<usize>) -> [usize; 2] {
    let mut running = (0..).zip(&view.arms).filter(|(_, arm)| arm.live).map(|(arm, _)| arm);
    let (Some(live), None) = (running.next(), running.next()) else { return pair };
    if view.arms.len() < 3 {
        return pair;
    }
    let shows = |pane: usize, arm: usize| pair.get(pane) == Some(&arm);
    let mut next = pair;
    // The pane that is not the live one's.
    let other = match kept {
        Some(kept) if shows(kept, live) => 1 - kept.min(1),
        Some(kept) => kept.min(1),
        None if live == view.baseline => usize::from(shows(0, live)),
        None if shows(0, view.baseline) || shows(1, live) => 0,
        None if shows(1, view.baseline) || shows(0, live) => 1,
        None => 0,
    };
    for (pane, arm) in (0..).zip(&mut next) {
        if pane != other {
            *arm = live;
        } else if kept.is_none() && live != view.baseline {
            *arm = view.baseline;
        }
    }
    next
}

/// The arms that have a bar, in file order: those in the panes, the one that runs and the baseline, then as many of the
/// others as there is room for. Their number stays the same, so that nothing below them moves.
#[must_use]
pub(crate) fn with_bars(view: &SessionView, panes: &[usize], most: usize) -> Vec<usize> {
    let live = (0..).zip(&view.arms).filter(|(_, arm)| arm.live).map(|(arm, _)| arm);
    let wanted = panes.iter().copied().chain(live).chain([view.baseline]).chain(0..view.arms.len());
    let mut bars: Vec<usize> = Vec::new();
    for arm in wanted.filter(|arm| *arm < view.arms.len()) {
        if bars.len() < most.max(panes.len()) && !bars.contains(&arm) {
            bars.push(arm);
        }
    }
    if bars.len() > panes.len() {
        bars.sort_unstable();
    }
    bars
}

/// The arm whose run keys act on: the chosen one if it runs, or else the first that does.
#[must_use]
pub(crate) fn live(view: &SessionView, chosen: Option<usize>) -> Option<(usize, &ArmView)> {
    let mut live = chosen.into_iter().chain(0..view.arms.len()).filter_map(|arm| Some((arm, view.arms.get(arm)?)));
    live.find(|(_, arm)| arm.live)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::view::Mode;
    use crate::tui::fixture;

    #[test]
    fn what_runs_and_the_baseline_are_on_screen_whatever_was_there() {
        for (live, baseline) in (0..5).flat_map(|live| (0..5).map(move |baseline| (live, baseline))) {
            let view = fixture::five_arms(live, baseline);
            for (left, right) in (0..5).flat_map(|left| (0..5).map(move |right| (left, right))) {
                if left == right {
                    continue;
                }
                let pair = follow(&view, [left, right], None);
                let what = format!("{live} runs, {baseline}: {left} {right} -> {pair:?}");
                assert!(pair.contains(&live) && pair.contains(&baseline) && pair[0] != pair[1], "{what}");
                assert_eq!(follow(&view, pair, None), pair, "{what}: nothing moves without need");
                for kept in [0, 1] {
                    let pair = follow(&view, [left, right], Some(kept));
                    assert!(pair.contains(&live) && pair[0] != pair[1], "{what}, {kept} kept: {pair:?}");
                    assert_eq!(pair[kept], [left, right][kept], "{what}");
                    let bars = with_bars(&view, &pair, 3);
                    assert!(bars.contains(&live) && bars.contains(&baseline) && bars.len() == 3, "{bars:?}");
                }
            }
        }
    }

    #[test]
    fn at_first_the_baseline_is_beside_an_engine_of_another_kind() {
        let view = fixture::three_arms();
        assert_eq!(first_pair(&view), [0, 2]);
        assert_eq!([next(&view, 1, 0), next(&view, 2, 0)], [2, 1]);
    }

    #[test]
    fn two_arms_and_arms_that_run_at_once_stay_where_they_are() {
        assert_eq!(follow(&fixture::running(), [1, 0], None), [1, 0]);
        let mut view = fixture::five_arms(3, 0);
        view.arms[4].live = true;
        view.mode = Mode::Together;
        assert_eq!(follow(&view, [1, 2], None), [1, 2]);
        assert_eq!(with_bars(&fixture::running(), &[1, 0], 3), [1, 0], "as the panes are");
    }
}

//! Which columns the list of unsuccessful attempts has: as many as leave room to read why.

use crate::session::view::SessionView;
use crate::tui::failures::{FailureColumn, List};
use crate::tui::{model, text};

/// Columns of the screen before the first: the marker.
pub(crate) const MARKER: u16 = 2;

/// A column as it is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) of: FailureColumn,
    /// Columns of the screen that it takes.
    pub(crate) width: u16,
    /// Whether its text stands at the right.
    pub(crate) right: bool,
}

/// These are always there.
const ALWAYS: [FailureColumn; 3] = [FailureColumn::Task, FailureColumn::Outcome, FailureColumn::Engine];
/// Of these, what is left out last comes first.
const BY_USE: [FailureColumn; 8] = [
    FailureColumn::Class,
    FailureColumn::Run,
    FailureColumn::Try,
    FailureColumn::Work,
    FailureColumn::Ended,
    FailureColumn::Worker,
    FailureColumn::Wait,
    FailureColumn::Start,
];

/// The columns for a screen of a width, in the order of the screen. What all attempts have in common is no column; what
/// they are sorted by is one. The reason has two fifths of the width before the other columns have anything.
pub(crate) fn fitting(view: &SessionView, list: &List<'_>, sorted_by: FailureColumn, width: u16) -> Vec<Shown> {
    let why = (width * 2 / 5).clamp(10, 60);
    let rest = BY_USE.into_iter().filter(|column| *column != sorted_by && tells_apart(view, list, *column));
    let mut used = MARKER + 1;
    let mut chosen: Vec<Shown> = Vec::new();
    for column in ALWAYS.into_iter().chain([sorted_by]).chain(rest) {
        let wide = width_of(view, list, column, width);
        let fits = ALWAYS.contains(&column) || used + wide + 1 + why <= width;
        if fits && chosen.iter().all(|shown| shown.of != column) {
            used += wide + 1;
            chosen.push(Shown { of: column, width: wide, right: is_number(column) });
        }
    }
    FailureColumn::ALL.iter().filter_map(|column| chosen.iter().find(|shown| shown.of == *column).copied()).collect()
}

fn tells_apart(view: &SessionView, list: &List<'_>, column: FailureColumn) -> bool {
    match column {
        FailureColumn::Class => view.workload.classes.len() > 1,
        FailureColumn::Try => list.shown.iter().any(|failure| failure.report.attempts_allowed > 1),
        FailureColumn::Run => list.shown.windows(2).any(|pair| matches!(pair, [a, b] if a.run != b.run)),
        _ => true,
    }
}

fn is_number(column: FailureColumn) -> bool {
    !matches!(column, FailureColumn::Task | FailureColumn::Engine | FailureColumn::Class | FailureColumn::Outcome)
}

fn width_of(view: &SessionView, list: &List<'_>, column: FailureColumn, width: u16) -> u16 {
    let names = if width >= 120 { 16 } else { 11 };
    let digits = |value: u64| value.checked_ilog10().unwrap_or(0) as usize + 1;
    let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
    let reports = || list.shown.iter().map(|failure| failure.report);
    let wide = match column {
        FailureColumn::Task => widest(&mut reports().map(|report| digits(report.index) + 1)),
        FailureColumn::Engine => widest(&mut view.arms.iter().map(|arm| text::width(&model::name(arm)) + 2)).min(names),
        FailureColumn::Class => {
            widest(&mut view.workload.classes.iter().map(|class| text::width(&text::clean(&class.name)))).min(names)
        }
        FailureColumn::Run => widest(
            &mut list.shown.iter().map(|failure| digits(failure.run.round.into()) + usize::from(failure.run.warmup)),
        ),
        FailureColumn::Outcome => 7,
        FailureColumn::Try => widest(
            &mut reports()
                .map(|report| digits(report.attempt.number().into()) + 1 + digits(report.attempts_allowed.into())),
        ),
        FailureColumn::Worker => 6,
        FailureColumn::Wait | FailureColumn::Start | FailureColumn::Work => 8,
        FailureColumn::Ended => widest(&mut reports().map(|report| digits(report.ended.elapsed().as_secs()) + 4)),
    };
    u16::try_from(wide.max(column.title().len())).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::failures::Sort;
    use crate::tui::filter::Filter;
    use crate::tui::fixture;

    #[test]
    fn there_is_room_for_the_reason_at_every_width() {
        let view = fixture::failures_of_three_runs();
        for by in FailureColumn::ALL {
            let list = Filter::default().list(&view, Sort { by, inverted: false }, None);
            for width in 40..220 {
                let shown = fitting(&view, &list, by, width);
                let used = MARKER + 1 + shown.iter().map(|column| column.width + 1).sum::<u16>();
                let least = if width < 60 { 8 } else { width * 2 / 5 };
                assert!(used + least.min(60) <= width, "{by:?} {width}: {used}");
                assert!(width < 60 || shown.iter().any(|column| column.of == by), "{by:?} {width}");
            }
        }
    }

    #[test]
    fn what_all_have_in_common_is_no_column() {
        let view = fixture::with_failures();
        let list = Filter::default().list(&view, Sort::default(), None);
        let shown: Vec<FailureColumn> =
            fitting(&view, &list, FailureColumn::Ended, 200).iter().map(|column| column.of).collect();
        assert!(!shown.contains(&FailureColumn::Class) && !shown.contains(&FailureColumn::Run), "{shown:?}");
        assert!(shown.contains(&FailureColumn::Try) && shown.contains(&FailureColumn::Start));
    }
}

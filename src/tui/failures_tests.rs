//! Which attempts are listed, in which order, and which one is looked at whatever happens meanwhile.

use super::*;
use crate::tui::filter::Filter;
use crate::tui::fixture;

fn tasks(list: &[FailedAttempt<'_>]) -> Vec<(u32, u64)> {
    list.iter().map(|failure| (failure.run.serial, failure.report.index)).collect()
}

fn list<'a>(view: &'a SessionView, sort: Sort, kept: Option<&'a Kept>) -> List<'a> {
    Filter::default().list(view, sort, kept)
}

#[test]
fn failures_of_earlier_runs_are_listed_behind_those_of_later_ones_and_none_twice() {
    let view = fixture::failures_of_three_runs();
    let known = all(&view);
    let expected =
        [(6, 41), (6, 17), (5, 5), (4, 41), (4, 202), (3, 41), (3, 202), (2, 41), (2, 201), (1, 41), (1, 201)];
    assert_eq!(tasks(&known), expected);
    assert_eq!(count(&view), known.len());
    // The end of the run is still on screen when it is counted.
    let mut over = view.clone();
    let latest = std::sync::Arc::clone(over.arms[1].latest().unwrap());
    std::sync::Arc::make_mut(&mut over.arms[1].finished).push(latest, 3, &[]);
    assert_eq!(tasks(&all(&over)), expected);
    assert_eq!((count(&over), unsuccessful(&over)), (known.len(), unsuccessful(&view)));
}

#[test]
fn the_same_task_in_another_run_is_another_attempt() {
    let view = fixture::failures_of_three_runs();
    let known = all(&view);
    let of_41: Vec<_> = known.iter().filter(|failure| failure.report.index == 41).collect();
    assert_eq!(of_41.len(), 5);
    for (number, one) in of_41.iter().enumerate() {
        for (other_number, other) in of_41.iter().enumerate() {
            assert_eq!(one.is(other), number == other_number);
        }
    }
}

#[test]
fn an_attempt_that_is_looked_at_stays_where_it_is_and_what_it_is() {
    let view = fixture::failures_of_three_runs();
    let kept = all(&view)[1].keep();
    assert_eq!(kept.failure().report.index, 17);
    let before = list(&view, Sort::default(), Some(&kept));
    assert_eq!((before.place, before.stands, before.gone), (1, true, false));
    // Another run begins, 17 is the first of its run and stays known.
    let later = fixture::next_run(&view, 1000, 3);
    let after = list(&later, Sort::default(), Some(&kept));
    assert_eq!((after.place, after.stands, after.gone), (3, true, false));
    assert_eq!(after.chosen.unwrap().report.index, 17);
    // 41 of the same run does not.
    let kept = all(&view)[0].keep();
    let after = list(&later, Sort::default(), Some(&kept));
    assert!(after.gone && !after.stands);
    let chosen = after.chosen.unwrap();
    assert_eq!((chosen.report.index, chosen.run.serial, chosen.report), (41, 6, kept.failure().report));
    assert_eq!(after.place, 3, "where it would stand");
}

#[test]
fn every_column_sorts_both_ways() {
    let view = fixture::failures_of_three_runs();
    let first = |by, inverted| tasks(&list(&view, Sort { by, inverted }, None).shown)[0];
    assert_eq!(first(FailureColumn::Task, false), (5, 5));
    assert_eq!(first(FailureColumn::Task, true), (4, 202), "of equals the newest");
    assert_eq!(first(FailureColumn::Engine, false), (5, 5));
    assert_eq!(first(FailureColumn::Run, false), (1, 41));
    assert_eq!(first(FailureColumn::Outcome, false), (6, 17), "FAILED before LOST and TIMEOUT");
    assert_eq!(first(FailureColumn::Ended, false), (6, 41));
    assert_eq!(first(FailureColumn::Ended, true), (1, 201));
    let mut sort = Sort::default();
    assert_eq!(sort.words(), "ended ▾");
    sort.inverted = true;
    assert_eq!(sort.words(), "ended ▴");
    assert_eq!(sort.moved(1), sort, "there is none further to the right");
    sort = sort.moved(-1);
    assert_eq!((sort.by, sort.inverted), (FailureColumn::Work, false));
    assert_eq!(sort.moved(-100).words(), "task ▴");
}

#[test]
fn a_choice_that_the_filter_hides_gives_way_to_the_nearest() {
    let view = fixture::failures_of_three_runs();
    let kept = all(&view)[1].keep();
    let filter = Filter::new("status:timeout");
    let list = filter.list(&view, Sort::default(), Some(&kept));
    assert!(list.stands && !list.gone);
    assert_eq!((list.shown.len(), list.total), (5, 11));
    assert_eq!(list.chosen.map(|failure| failure.run.serial), Some(4));
    let list = Filter::new("#999").list(&view, Sort::default(), Some(&kept));
    assert!(!list.stands && list.chosen.is_none() && list.shown.is_empty());
}

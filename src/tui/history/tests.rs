//! What is asked of the history, what an answer changes, and what keys do with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::archive::{Archive, Past, Told, Unread, Wish};
use super::choice::{Choice, Done};
use super::reader::{Answer, Reader};
use crate::report::history::Listed;
use crate::tui::fixture::past::{self, A, B};
use crate::tui::keys::Action;

/// `count` sessions, the newest of them `newest`.
fn sessions(newest: i64, count: i64) -> Vec<Listed> {
    let line = &past::lines()[0];
    (0..count).map(|below| Listed { id: newest - below, ..line.clone() }).collect()
}

/// Asks and is answered until nothing is missing; what was asked.
fn read(past: &mut Past, choice: &Choice, newest: i64) -> Vec<Wish> {
    let mut asked = Vec::new();
    while let Some(wish) = choice.wish(past) {
        past.asked = Some(wish.clone());
        let Wish::Page { before, most } = wish else { panic!("{wish:?}") };
        assert_eq!(choice.wish(past), None, "one after the other");
        let top = before.map_or(newest, |before| before - 1);
        let count = i64::from(most).min(top);
        past.take(&wish, Ok(past::page(sessions(top, count), count < i64::from(most))));
        asked.push(wish);
        assert!(asked.len() < 100);
    }
    asked
}

#[test]
fn no_more_is_read_than_is_looked_at() {
    let (mut past, mut choice) = (Past::default(), Choice::default());
    let page = |before, most| Wish::Page { before, most };
    assert_eq!(
        read(&mut past, &choice, 5000),
        [page(None, 100), page(Some(4901), 100)],
        "a page is there before it is needed"
    );
    choice.step(&past, 50);
    assert_eq!(read(&mut past, &choice, 5000), []);
    choice.step(&past, 80);
    assert_eq!(read(&mut past, &choice, 5000), [page(Some(4801), 100)]);
    // What was stored meanwhile is on top, and what was looked at is looked at.
    let looked_at = choice.line(&past).unwrap().id;
    past.stale();
    assert_eq!(read(&mut past, &choice, 5002)[0], page(None, 300));
    assert_eq!((choice.line(&past).unwrap().id, past.lines[0].id), (looked_at, 5002));
    // To the end means all of it.
    choice.step(&past, isize::MAX / 2);
    read(&mut past, &choice, 5002);
    assert!(past.is_whole && past.lines.len() == 5002);
    assert_eq!(choice.line(&past).unwrap().id, 1);
    choice.step(&past, isize::MIN / 2);
    assert_eq!(choice.line(&past).unwrap().id, 5002);
}

#[test]
fn a_filter_looks_at_everything() {
    let (mut past, mut choice) = (Past::default(), Choice::default());
    choice.filter.insert("#3");
    read(&mut past, &choice, 300);
    assert!(past.is_whole);
    let shown: Vec<i64> = choice.shown(&past).iter().map(|line| line.id).collect();
    assert_eq!(shown, [3]);
    let past = past::past();
    for (typed, ids) in [
        ("io", &[10, 8, 7][..]),
        ("engine:process", &[12]),
        ("engine:thread", &[8]),
        ("cpu POOL", &[12, 11]),
        ("suspended", &[11]),
        ("workload:cpu verb:comp", &[12, 12, 11]),
        ("工作", &[9]),
        ("9f3c01 #", &[12, 12, 11, 10, 9, 8, 7]),
        ("nothing-like-it", &[]),
    ] {
        let mut choice = Choice::default();
        choice.filter.insert(typed);
        let shown: Vec<i64> = choice.shown(&past).iter().map(|line| line.id).collect();
        assert_eq!(shown, ids, "{typed}");
    }
}

#[test]
fn two_lines_are_compared_and_never_one_with_itself() {
    let (mut past, mut choice) = (past::past(), Choice::default());
    assert_eq!(choice.act(&past, Action::SetA), Done::Yes);
    assert!(matches!(choice.act(&past, Action::SetB), Done::Said(_)));
    choice.step(&past, 2);
    assert_eq!(choice.act(&past, Action::SetB), Done::Yes);
    assert_eq!(choice.pair(), Some((A, B)));
    assert_eq!(choice.wish(&past), Some(Wish::Compare(A, B)));
    past.take(&Wish::Compare(B, A), Ok(Told::Compared(past::compared(&[]))));
    assert_eq!(choice.wish(&past), Some(Wish::Compare(A, B)), "that was another one");
    past.take(&Wish::Compare(A, B), Err("session 11 is not there any more".to_owned()));
    assert_eq!(choice.wish(&past), None, "it is not asked for ever");
    // Once more takes it back.
    assert_eq!(choice.act(&past, Action::SetB), Done::Yes);
    assert_eq!((choice.sides, choice.wish(&past)), ([Some(A), None], None));
    // A session of this dashboard goes on: its comparison is made anew.
    let mut past = past::with_comparison(&[]);
    choice.sides = [Some(A), Some(B)];
    assert_eq!(choice.wish(&past), None);
    past.take(&Wish::Page { before: None, most: 100 }, Ok(past::page(past::lines(), true)));
    assert_eq!(choice.wish(&past), Some(Wish::Compare(A, B)));
}

#[test]
fn what_cannot_be_read_is_said_and_tried_again_only_when_something_was_stored() {
    let (mut past, choice) = (Past::default(), Choice::default());
    let wish = choice.wish(&past).unwrap();
    past.asked = Some(wish.clone());
    past.waits("the history is in use".to_owned());
    assert_eq!(choice.wish(&past), None, "it is asked already");
    past.take(&wish, Err("there is no history yet".to_owned()));
    assert_eq!((past.failed.as_deref(), past.waiting.as_deref()), (Some("there is no history yet"), None));
    assert_eq!(choice.wish(&past), None);
    past.stale();
    assert_eq!(choice.wish(&past), Some(Wish::Page { before: None, most: 100 }));
    past.take(&Wish::Page { before: None, most: 100 }, Ok(past::page(past::lines(), true)));
    assert_eq!((past.failed.as_deref(), past.lines.len()), (None, 7));
}

#[test]
fn a_history_that_somebody_else_has_is_asked_until_it_is_free() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let archive: Archive = Arc::new(move |wish: &Wish| match counted.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Err(Unread::Busy("somebody has it".to_owned())),
        2 => Ok(Told::Written(format!("{wish:?}"))),
        _ => Err(Unread::Failed("gone".to_owned())),
    });
    let mut reader = Reader::start(archive).unwrap();
    reader.ask(Wish::Open(1));
    reader.ask(Wish::Open(2));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut next = || {
        let told = async { tokio::time::timeout(Duration::from_secs(10), reader.told()).await };
        runtime.block_on(told).unwrap().unwrap()
    };
    for _ in 0..2 {
        assert!(matches!(next(), (Wish::Open(1), Answer::Waiting(why)) if why == "somebody has it"));
    }
    assert!(matches!(next(), (Wish::Open(1), Answer::Told(Ok(Told::Written(words)))) if words == "Open(1)"));
    assert!(matches!(next(), (Wish::Open(2), Answer::Told(Err(why))) if why == "gone"));
}

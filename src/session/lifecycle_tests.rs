use super::*;
use crate::engine::error::EngineError;

/// What can happen to a run that ends, or to a comparison meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Finished,
    Stopped,
    Broken,
}

fn first() -> Arc<SessionError> {
    Arc::new(SessionError::Broke { arm: "pool".to_owned(), source: EngineError::initializer(1, "no licence") })
}

fn apply(lifecycle: &mut Lifecycle, end: End) {
    match end {
        End::Finished => {}
        End::Stopped => lifecycle.stopped = true,
        End::Broken => {
            lifecycle.broken.get_or_insert(first());
            lifecycle.in_vain = true;
        }
    }
}

#[test]
fn in_whatever_order_runs_end_the_comparison_ends_the_same_and_not_before_the_last() {
    let ends = [End::Finished, End::Stopped, End::Broken];
    for number in 0..27 {
        let [a, b, c] = [number / 9, number / 3 % 3, number % 3].map(|end| ends[end]);
        let mut lifecycle = Lifecycle { begun: true, ..Lifecycle::default() };
        for (count, end) in [a, b, c].into_iter().enumerate() {
            apply(&mut lifecycle, end);
            let phase = lifecycle.phase(count < 2);
            if count < 2 {
                let wanted = if lifecycle.may_go_on() { SessionPhase::Running } else { SessionPhase::Stopping };
                assert_eq!(phase, wanted, "{a:?} {b:?} {c:?} after {count}");
            } else {
                let wanted = match [a, b, c] {
                    all if all.contains(&End::Broken) => SessionPhase::Broken(first()),
                    all if all.contains(&End::Stopped) => SessionPhase::Stopped,
                    _ => SessionPhase::Finished,
                };
                assert_eq!(phase, wanted, "{a:?} {b:?} {c:?}");
            }
        }
    }
}

#[test]
fn arms_that_run_in_turn_go_on_without_one_that_broke_and_the_end_says_so() {
    let lifecycle = Lifecycle { begun: true, broken: Some(first()), ..Lifecycle::default() };
    assert!(lifecycle.may_go_on());
    assert_eq!(lifecycle.phase(true), SessionPhase::Running);
    assert_eq!(lifecycle.phase(false), SessionPhase::Broken(first()));
}

#[test]
fn a_pause_ends_with_what_was_paused_and_a_stop_is_shown_over_it() {
    let mut lifecycle = Lifecycle { begun: true, paused: true, ..Lifecycle::default() };
    assert_eq!(lifecycle.phase(true), SessionPhase::Paused);
    lifecycle.stops = 1;
    assert_eq!(lifecycle.phase(true), SessionPhase::Stopping);
    assert_eq!(lifecycle.phase(false), SessionPhase::Stopped);
    assert_eq!(Lifecycle::default().phase(false), SessionPhase::Ready);
}

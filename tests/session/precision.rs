//! As many rounds as it takes: the results decide, and budgets do.

use poolscope::analysis::inference::Looks;
use poolscope::analysis::precision::{Precision, PrecisionEnd};
use poolscope::session::view::SessionView;

use super::*;

fn compared(measure: &str) -> Arc<SessionView> {
    let text = WORKLOAD.replace("count: 40", "count: 10").replace("warmup: 0, repeats: 3", measure);
    let mut session = open_with(&text, env!("CARGO_BIN_EXE_poolscope"));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "a verdict while it runs", |view| {
        let running = view.phase != SessionPhase::Finished;
        assert!(!running || view.looks == Looks::AfterEach, "somebody may look after every run");
        view.phase == SessionPhase::Finished
    })
}

fn precision(view: &SessionView) -> Precision {
    view.precision.unwrap()
}

#[test]
fn rounds_are_made_until_the_interval_is_narrow_enough() {
    let view = compared("warmup: 1, repeats: 4, precision: 50%, max_repeats: 40");
    let found = precision(&view);
    assert_eq!(found.end, Some(PrecisionEnd::Reached), "{found:?}");
    assert!(found.reached.is_some_and(|reached| reached <= 0.5) && found.rounds >= 4, "{found:?}");
    assert_eq!(counted(&view), [found.rounds as usize; 2], "every round is whole, and no more were made");
    assert_eq!(view.looks, Looks::AfterEach, "what decided when to stop was looked at after every round");
    assert!(view.verdicts.iter().all(|verdict| verdict.always_valid));
    assert_eq!(view.position.to_string(), format!("run {0}/{0}", found.rounds));
}

#[test]
fn budgets_end_what_cannot_become_precise() {
    let view = compared("warmup: 0, precision: 0.01%, max_repeats: 4");
    let found = precision(&view);
    assert_eq!((found.end, found.rounds, counted(&view)), (Some(PrecisionEnd::MaxRepeats), 4, vec![4, 4]), "{found:?}");
    let view = compared("warmup: 0, precision: 0.01%, max_time: 500ms");
    let found = precision(&view);
    assert_eq!(found.end, Some(PrecisionEnd::MaxTime), "{found:?}");
    assert!((1..50).contains(&found.rounds) && counted(&view) == [found.rounds as usize; 2], "{found:?}");
}

#[test]
fn what_was_planned_is_looked_at_once_and_what_is_added_is_not() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "it is finished", |view| {
        assert!(
            view.phase == SessionPhase::Finished || view.verdicts.iter().all(|one| one.always_valid || one.pairs == 0)
        );
        view.phase == SessionPhase::Finished
    });
    assert!(view.verdicts.iter().all(|verdict| !verdict.always_valid && verdict.pairs == 3), "{:?}", view.verdicts);
    // Whoever goes on because of what came out has looked before.
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "it runs again", |view| view.phase == SessionPhase::Running);
    let view = finish(&mut session);
    assert!(view.verdicts.iter().all(|verdict| verdict.always_valid && verdict.pairs == 6), "{:?}", view.verdicts);
}

//! What a worker does wrong because it is told to. Drawn like everything else: the same task fails in every engine.

use std::io::Write as _;
use std::time::Duration;

use crate::os::pages::Pages;
use crate::os::{early, signals};
use crate::worker::protocol::TaskRun;
use crate::workload::model::{BadResult, Fault, FaultKind, Trigger};
use crate::workload::random::{Purpose, unit};

/// Has the faults of one task happen (it is the first of `task`); may never return. Says what its result is to be
/// instead of what it should be, if something.
pub(super) fn strike(faults: &[Fault], seed: u64, task: &TaskRun) -> Option<BadResult> {
    let mut result = None;
    for (fault, number) in faults.iter().zip(0u64..) {
        if !hits(fault, fault.draw.unwrap_or(number), seed, task) {
            continue;
        }
        match fault.kind {
            FaultKind::Crash(signal) => {
                say(task, "crash");
                early::end_by_signal(signal);
            }
            FaultKind::Exit(code) => {
                say(task, "exit");
                early::leave(code.into());
            }
            FaultKind::Hang => loop {
                std::thread::sleep(Duration::from_secs(3600));
            },
            FaultKind::Leak(bytes) => leak(bytes),
            FaultKind::IgnoreSigterm => signals::ignore_termination(),
            FaultKind::BadResult(bad) => result = Some(bad),
        }
    }
    result
}

/// Its last words, so that nobody looks for a mistake.
fn say(task: &TaskRun, what: &str) {
    let _ = writeln!(std::io::stderr(), "a fault that was asked for: {what} in task {}", task.first);
}

fn hits(fault: &Fault, number: u64, seed: u64, task: &TaskRun) -> bool {
    fault.class.is_none_or(|class| class == task.class)
        && match fault.at {
            Trigger::Rate(rate) => {
                unit(seed, Purpose::Fault, task.first, u64::from(task.attempt.number()) << 16 | number) < rate
            }
            Trigger::Index(index) => index == task.first,
        }
}

fn leak(bytes: u64) {
    let pages = usize::try_from(bytes).map_err(|_| std::io::ErrorKind::OutOfMemory.into()).and_then(Pages::map);
    match pages {
        Ok(mut pages) => {
            pages.touch(1);
            std::mem::forget(pages);
        }
        // There is nothing left to leak.
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "a fault that was asked for: {bytes} bytes cannot be leaked: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::Attempt;

    fn hit(fault: &Fault, task: u64, attempt: u32) -> bool {
        let attempt = Attempt::new(attempt).unwrap();
        hits(fault, 0, 1, &TaskRun { first: task, count: 1, class: 3, attempt, begin_by: 0 })
    }

    #[test]
    fn a_rate_is_met_and_each_attempt_is_drawn_anew() {
        let fault = Fault { kind: FaultKind::Hang, at: Trigger::Rate(0.25), class: None, draw: None };
        let hits: Vec<u64> = (0..10_000).filter(|task| hit(&fault, *task, 1)).collect();
        assert!((2_300..2_700).contains(&hits.len()), "{}", hits.len());
        let again = hits.iter().filter(|task| hit(&fault, **task, 2)).count();
        assert!((500..750).contains(&again), "{again} of {}", hits.len());
        assert_eq!((0..10_000).filter(|task| hit(&fault, *task, 1)).count(), hits.len(), "the same every time");
    }

    #[test]
    fn one_task_is_hit_in_every_attempt_and_only_in_its_class() {
        let fault = |class| Fault { kind: FaultKind::Hang, at: Trigger::Index(7), class, draw: None };
        assert!(hit(&fault(None), 7, 1) && hit(&fault(Some(3)), 7, 9));
        assert!(!hit(&fault(None), 8, 1) && !hit(&fault(Some(2)), 7, 1));
    }
}

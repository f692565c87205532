//! What a worker does wrong because it is told to. Drawn like everything else: the same task fails in every engine.

use std::io::Write as _;
use std::time::Duration;

use crate::os::board::OwnLine;
use crate::os::pages::Pages;
use crate::os::{early, signals};
use crate::worker::protocol::TaskRun;
use crate::workload::model::{BadResult, Fault, FaultKind, Trigger, timed_order};
use crate::workload::random::{Purpose, unit};

/// Has the faults of one task happen (it is the first of `task`); may never return. Says what its result is to be
/// instead of what it should be, if something.
pub(super) fn strike(faults: &[Fault], seed: u64, task: &TaskRun, line: &OwnLine) -> Option<BadResult> {
    let mut result = None;
    let open = line.open_orders();
    for kind in ordered(faults, open, task, line) {
        strike_with(kind, task, line, &mut result);
    }
    for (fault, number) in faults.iter().zip(0u64..) {
        if hits(fault, fault.draw.unwrap_or(number), seed, task) {
            strike_with(fault.kind, task, line, &mut result);
        }
    }
    result
}

/// The faults that are ordered for the task that begins next, be it on request or because their time has come, as far as
/// this lane is the first to take the order.
fn ordered(faults: &[Fault], open: u64, task: &TaskRun, line: &OwnLine) -> Vec<FaultKind> {
    if open == 0 {
        return Vec::new();
    }
    let is_open = |order: u8| open >> order & 1 == 1;
    let mut kinds: Vec<FaultKind> = Vec::new();
    let on_request = FaultKind::ON_REQUEST.into_iter().zip(0u8..);
    kinds.extend(on_request.filter(|(_, order)| is_open(*order) && line.take_order(*order)).map(|(kind, _)| kind));
    let timed = faults.iter().filter(|fault| matches!(fault.at, Trigger::Time(_)));
    for (place, fault) in timed.enumerate() {
        let of_it = fault.class.is_none_or(|class| class == task.class);
        if let Some(order) = timed_order(place).filter(|order| of_it && is_open(*order))
            && line.take_order(order)
        {
            kinds.push(fault.kind);
        }
    }
    // What ends the worker comes last, so that nothing that was taken is left out.
    kinds.sort_by_key(|kind| matches!(kind, FaultKind::Crash(_) | FaultKind::Exit(_) | FaultKind::Hang));
    kinds
}

fn strike_with(kind: FaultKind, task: &TaskRun, line: &OwnLine, result: &mut Option<BadResult>) {
    if ends_worker(kind) {
        line.strike();
    }
    match kind {
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
        FaultKind::BadResult(bad) => *result = Some(bad),
    }
}

/// Whether the worker comes to its end by it, so that its end has this cause.
fn ends_worker(kind: FaultKind) -> bool {
    match kind {
        FaultKind::Crash(_) | FaultKind::Exit(_) | FaultKind::Hang => true,
        FaultKind::BadResult(bad) => bad != BadResult::Wrong,
        FaultKind::Leak(_) | FaultKind::IgnoreSigterm => false,
    }
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
            // That is ordered when its time has come.
            Trigger::Time(_) => false,
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

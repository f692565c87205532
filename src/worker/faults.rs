//! What a worker does wrong because it is told to. Drawn like everything else: the same task fails in every engine.

use std::io::Write as _;
use std::time::Duration;

use crate::os::board::OwnLine;
use crate::os::pages::Pages;
use crate::os::{early, signals};
use crate::worker::protocol::TaskRun;
use crate::workload::model::{BadResult, ClassId, Fault, FaultKind, Trigger, timed_order};
use crate::workload::random::{Purpose, unit};

/// Whether tasks of this class have to be looked at one by one, because faults are drawn or counted out for them.
pub(super) fn are_drawn_for(faults: &[Fault], class: ClassId) -> bool {
    faults.iter().any(|fault| is_for(fault, class) && !matches!(fault.at, Trigger::Time(_)))
}

/// The orders that a task of this class takes: all that come on request, and the timed ones that are for it.
pub(super) fn orders_for(faults: &[Fault], class: ClassId) -> u64 {
    let on_request = FaultKind::ON_REQUEST.iter().filter_map(|kind| kind.order());
    let timed = timed(faults).filter(|(fault, _)| is_for(fault, class)).filter_map(|(_, order)| order);
    on_request.chain(timed).fold(0, |orders, order| orders | 1 << order)
}

/// The faults with a time, and the orders by which they happen.
fn timed(faults: &[Fault]) -> impl Iterator<Item = (&Fault, Option<u8>)> {
    let timed = faults.iter().filter(|fault| matches!(fault.at, Trigger::Time(_)));
    timed.enumerate().map(|(place, fault)| (fault, timed_order(place)))
}

fn is_for(fault: &Fault, class: ClassId) -> bool {
    fault.class.is_none_or(|of| of == class)
}

/// Has the faults of one task happen (it is the first of `task`, and takes these orders); may never return. Says what its
/// result is to be instead of what it should be, if something.
pub(super) fn strike(faults: &[Fault], orders: u64, seed: u64, task: &TaskRun, line: &OwnLine) -> Option<BadResult> {
    let mut result = None;
    for kind in ordered(faults, line.open_orders() & orders, line) {
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
fn ordered(faults: &[Fault], open: u64, line: &OwnLine) -> Vec<FaultKind> {
    if open == 0 {
        return Vec::new();
    }
    let is_open = |order: u8| open >> order & 1 == 1;
    let mut kinds: Vec<FaultKind> = Vec::new();
    let on_request = FaultKind::ON_REQUEST.into_iter().zip(0u8..);
    kinds.extend(on_request.filter(|(_, order)| is_open(*order) && line.take_order(*order)).map(|(kind, _)| kind));
    let theirs = timed(faults).filter(|(_, order)| order.is_some_and(|order| is_open(order) && line.take_order(order)));
    kinds.extend(theirs.map(|(fault, _)| fault.kind));
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
    is_for(fault, task.class)
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
    fn an_order_makes_only_those_tasks_slow_that_it_is_for() {
        let fault = |at, class| Fault { kind: FaultKind::Hang, at, class, draw: None };
        let at = |seconds| Trigger::Time(Duration::from_secs(seconds));
        // The second and the fourth have a time, and with it an order.
        let faults = [
            fault(Trigger::Index(5), Some(9)),
            fault(at(1), Some(3)),
            fault(Trigger::Rate(0.5), Some(8)),
            fault(at(2), None),
        ];
        let on_request = 0b11_1111;
        assert_eq!(orders_for(&faults, 3), on_request | 0b1100_0000);
        assert_eq!(orders_for(&faults, 4), on_request | 0b1000_0000, "the first one is for another class");
        assert_eq!(orders_for(&[], 4), on_request);
        assert_eq!([3, 4, 8, 9].map(|class| are_drawn_for(&faults, class)), [false, false, true, true]);
    }

    #[test]
    fn one_task_is_hit_in_every_attempt_and_only_in_its_class() {
        let fault = |class| Fault { kind: FaultKind::Hang, at: Trigger::Index(7), class, draw: None };
        assert!(hit(&fault(None), 7, 1) && hit(&fault(Some(3)), 7, 9));
        assert!(!hit(&fault(None), 8, 1) && !hit(&fault(Some(2)), 7, 1));
    }
}

use proptest::prelude::*;

use super::*;
use crate::engine::event::{Moment, Record};
use crate::engine::outcome::{Cause, Exit};
use crate::metrics::fixtures::attempt;
use crate::workload::model::Attempt;

const MS: u64 = 1_000_000;

fn batch(class: ClassId, slot: u32, records: &[Record]) -> Batch<'_> {
    let (arrival, sent) = (Moment::ZERO, Moment(MS));
    Batch { slot: Slot(slot), class, attempt: Attempt::FIRST, arrival, sent, free_since: Moment::ZERO, records }
}

fn record(start: u64, service: u64) -> Record {
    Record { index: start, start: Moment(start), service, after: 0, value: 1 }
}

fn succeed(classes: &mut Classes, class: ClassId, slot: u32, count: u64) {
    let records: Vec<Record> = (1..=count).map(|task| record(task * 10 * MS, 5 * MS)).collect();
    classes.batch(&batch(class, slot, &records), &mut ResultsHash::default());
}

fn worker(slot: u32, epoch: u32) -> WorkerId {
    WorkerId { slot: Slot(slot), epoch }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What is known of the CPU time of each class: milliseconds of so many tasks.
fn cpu(classes: &mut Classes) -> Vec<Option<(u64, u64)>> {
    let each = classes.figures(false);
    each.iter().map(|class| class.cpu.map(|cpu| (cpu.time.as_millis() as u64, cpu.tasks))).collect()
}

proptest! {
    #[test]
    fn all_classes_together_are_what_one_class_would_be(
        batches in prop::collection::vec((0..40u16, prop::collection::vec((1..10_000_000_000u64, 0..5_000_000_000_000u64), 1..6)), 1..30),
        looks in any::<bool>(),
    ) {
        let [mut one, mut many] = [1, 40].map(|count| Classes::new(count, CpuSource::Reports));
        let [mut hash, mut other_hash] = [ResultsHash::default(), ResultsHash::default()];
        for (class, tasks) in &batches {
            let records: Vec<Record> = tasks.iter().map(|(start, service)| record(*start, *service)).collect();
            let sums = one.batch(&batch(0, 0, &records), &mut hash);
            prop_assert_eq!(many.batch(&batch(*class, 0, &records), &mut other_hash), sums);
            if looks {
                prop_assert_eq!(many.summary(), one.summary());
            }
        }
        prop_assert_eq!(many.distributions(), one.distributions());
        prop_assert_eq!((many.waits(), many.waited()), (one.waits(), one.waited()));
        prop_assert_eq!((many.sojourns(), many.sojourned()), (one.sojourns(), one.sojourned()));
        prop_assert_eq!(hash.value(), other_hash.value());
        prop_assert!(many.figures(false).iter().all(|class| class.whole.is_none()));
        for (place, figures) in many.figures(true).iter().enumerate() {
            let whole = figures.whole.as_ref().unwrap();
            let own = batches.iter().filter(|(class, _)| usize::from(*class).min(MOST - 1) == place);
            let count = own.map(|(_, tasks)| tasks.len() as u64).sum::<u64>();
            prop_assert_eq!(figures.tasks.succeeded, count);
            prop_assert_eq!((figures.latency.wait.count, whole.wait.count()), (count, count));
            prop_assert_eq!(figures.latency.service, whole.service.summary());
        }
    }
}

#[test]
fn one_class_has_no_figures_of_its_own_and_nothing_is_kept_for_them() {
    let mut one = Classes::new(1, CpuSource::Reports);
    succeed(&mut one, 0, 7, 3);
    one.told(worker(7, 1).lane(0), ms(5));
    assert!(one.figures(true).is_empty());
    assert!(one.lanes.is_empty() && one.whole.is_none());
    assert_eq!(one.summary().service.count, 3);
}

#[test]
fn the_last_of_many_classes_is_all_from_there_on() {
    let mut many = Classes::new(1000, CpuSource::Nobody);
    (0..1000).for_each(|class| succeed(&mut many, class, 0, 1));
    let figures = many.figures(false);
    assert_eq!(figures.len(), MOST, "bounded");
    assert!(figures[..MOST - 1].iter().all(|class| (class.classes, class.tasks.succeeded) == (1, 1)));
    let last = &figures[MOST - 1];
    assert_eq!((usize::from(last.class), last.classes, last.tasks.succeeded), (MOST - 1, 985, 985));
    let mut few = Classes::new(MOST, CpuSource::Nobody);
    assert!(few.figures(false).iter().all(|class| class.classes == 1), "as many as there may be are all told apart");
    // A class that nobody spoke of is counted, not lost.
    succeed(&mut few, ClassId::MAX, 0, 1);
    assert_eq!(few.figures(false)[MOST - 1].tasks.succeeded, 1);
}

#[test]
fn outcomes_are_counted_by_class() {
    let mut classes = Classes::new(2, CpuSource::Nobody);
    let report = |class, outcome, retried| AttemptReport { class, outcome, retried, ..attempt(1) };
    for (class, outcome, retried) in [
        (0, Outcome::Failed, false),
        (1, Outcome::Failed, true),
        (1, Outcome::Lost, false),
        (1, Outcome::TimedOut, false),
        (1, Outcome::Cancelled, false),
        (1, Outcome::Dropped, false),
    ] {
        classes.attempt(&report(class, outcome, retried));
    }
    classes.expired(0, 40);
    succeed(&mut classes, 1, 0, 2);
    let counts: Vec<ClassCounts> = classes.figures(false).iter().map(|class| class.tasks).collect();
    let first = ClassCounts { failed: 1, timed_out: 40, ..ClassCounts::default() };
    assert_eq!(counts, [first, ClassCounts { succeeded: 2, timed_out: 1, lost: 1, retries: 1, failed: 0 }]);
    // What never began has no times.
    classes.attempt(&AttemptReport { slot: None, ..report(0, Outcome::Failed, false) });
    assert_eq!(classes.figures(false)[0].latency.service.count, 1);
}

#[test]
fn what_a_worker_has_used_is_of_the_class_that_it_reports_with_it() {
    let mut classes = Classes::new(2, CpuSource::Reports);
    let lane = worker(0, 1).lane(0);
    classes.started(Slot(0));
    succeed(&mut classes, 0, 0, 1);
    classes.told(lane, ms(300));
    assert_eq!(cpu(&mut classes), [None, None], "its start is in that");
    succeed(&mut classes, 0, 0, 1);
    succeed(&mut classes, 0, 0, 2);
    classes.told(lane, ms(330));
    succeed(&mut classes, 1, 0, 1);
    classes.told(lane, ms(331));
    assert_eq!(cpu(&mut classes), [Some((30, 3)), Some((1, 1))]);
    succeed(&mut classes, 1, 0, 5);
    succeed(&mut classes, 0, 0, 5);
    classes.told(lane, ms(900));
    assert_eq!(cpu(&mut classes), [Some((30, 3)), Some((1, 1))], "nobody can tell whose");
    let failed = AttemptReport { class: 1, slot: Some(Slot(0)), ..attempt(1) };
    classes.attempt(&failed);
    classes.told(lane, ms(909));
    assert_eq!(cpu(&mut classes)[1], Some((10, 2)), "what failed has used some too");
    // Another worker in that place begins anew, and late words of the one before it are no base for it.
    succeed(&mut classes, 1, 0, 1);
    classes.started(Slot(0));
    let next = worker(0, 2).lane(0);
    classes.told(next, ms(40));
    succeed(&mut classes, 0, 0, 1);
    classes.told(next, ms(47));
    assert_eq!(cpu(&mut classes), [Some((37, 4)), Some((10, 2))]);
    classes.exited(worker(0, 2), ms(500));
    assert_eq!(cpu(&mut classes), [Some((37, 4)), Some((10, 2))], "its end is no task's");
}

#[test]
fn what_a_process_has_used_is_of_the_class_of_its_task() {
    let mut classes = Classes::new(2, CpuSource::Ends);
    let lost = AttemptReport {
        class: 1,
        slot: Some(Slot(0)),
        outcome: Outcome::Lost,
        cause: Cause::WorkerDied { exit: Exit::Signal(9), by_user: false, out_of_memory: false },
        ..attempt(2)
    };
    for (epoch, class, used) in [(1, 0, 20), (2, 0, 22), (3, 1, 5)] {
        classes.started(Slot(0));
        if epoch == 3 {
            classes.attempt(&lost);
        } else {
            succeed(&mut classes, class, 0, 1);
        }
        classes.told(worker(0, epoch).lane(0), ms(1));
        classes.exited(worker(0, epoch), ms(used));
    }
    // One that ended without a task.
    classes.started(Slot(0));
    classes.exited(worker(0, 4), ms(90));
    assert_eq!(cpu(&mut classes), [Some((42, 2)), Some((5, 1))]);
    assert_eq!(classes.figures(false)[0].cpu.expect("told").mean(), ms(21));
}

#[test]
fn wrong_numbers_of_slots_take_no_memory() {
    let mut classes = Classes::new(2, CpuSource::Reports);
    succeed(&mut classes, 0, u32::MAX, 1);
    classes.told(worker(u32::MAX, 1).lane(0), ms(1));
    assert!(classes.lanes.is_empty());
}

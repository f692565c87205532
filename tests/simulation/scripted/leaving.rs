//! Workers that leave, are stopped, or are in a task whose caller has given up: who has their tasks then.

use super::*;

fn ended(exit: Exit, task: Option<InTask>) -> Box<Ended> {
    let tasks = task.map(|task| (0, task)).into_iter().collect();
    Box::new(Ended { tasks, ..super::ended(exit, 0) })
}

fn in_task(index: u64) -> InTask {
    InTask { index, started: Moment(0), ended: None }
}

#[test]
fn what_a_ghost_was_dealt_is_for_others_and_it_is_dealt_nothing_more() {
    let classes = vec![ClassRules { on_timeout: OnTimeout::Abandon, ..rules(Some(100), None) }];
    for policy in [Policy::Reuse, Policy::OneTask] {
        let plan = Script::plan(policy, 2, Chunk::Fixed(1), classes.clone(), None);
        let plan = Settings { dealt: Some(1), ..plan };
        let mut script = Script::with(plan, Stream { known: true, total: 8, classes: 1, run: 8 });
        // The first task is the first lane's, which is in it for ever; the second lane does what it is given at once.
        let (mut running, mut done) = (Vec::new(), Vec::new());
        while script.told.over.is_none() && done.len() < 7 {
            let mut effects = script.effects();
            if effects.is_empty() {
                effects = script.wake();
                assert!(script.now <= 200 * MS, "{policy:?}: it waits for a ghost, with {done:?} done");
            }
            for effect in effects {
                match effect {
                    Effect::Start { worker, task, .. } => {
                        running.extend(task.map(|ticket| (worker.lane(0), ticket.first)));
                        script.feed(Input::Started { worker, pid: 1 });
                        script.feed(Input::Hello { worker });
                    }
                    Effect::Send { lane, tickets } => {
                        let all = tickets.iter().flat_map(|ticket| ticket.first..ticket.first + ticket.count);
                        running.extend(all.map(|index| (lane, index)));
                    }
                    Effect::Probe { lane } => {
                        let first = running.iter().find(|(of, _)| *of == lane);
                        script.feed(Input::Progress { lane, task: first.map(|(_, index)| in_task(*index)) });
                    }
                    _ => {}
                }
            }
            for (lane, index) in running.extract_if(.., |(_, index)| *index > 0).collect::<Vec<_>>() {
                done.push(index);
                let record = Record { index, start: Moment(script.now), service: 0, after: 0, value: 0 };
                script.feed(Input::Done { lane, records: &[record] });
                if policy == Policy::OneTask {
                    script.feed(Input::Exited { worker: lane.worker, ended: ended(Exit::Code(0), None) });
                }
            }
        }
        let counts = script.dispatcher.counts();
        assert_eq!((counts.succeeded, counts.timed_out, counts.finished()), (7, 1, 8), "{policy:?}");
    }
}

#[test]
fn who_survives_the_stop_of_a_run_is_asked_to_leave_after_its_task() {
    let stream = Stream { known: true, total: 3, classes: 1, run: 3 };
    for (command, expected) in [
        (Command::Stop, vec![Effect::Retire { worker: id(0) }, Effect::Stop { worker: id(0), how: Stop::Terminate }]),
        (Command::Kill, vec![Effect::Stop { worker: id(0), how: Stop::Kill }]),
    ] {
        let mut script = Script::new(Policy::Reuse, 1, Chunk::Fixed(3), vec![rules(None, None)], stream);
        script.ready(0);
        script.feed(Input::Control(command));
        assert_eq!(script.effects(), expected, "{command:?}");
    }
}

#[test]
fn a_worker_that_is_asked_to_leave_and_ends_in_its_task_has_lost_it_whatever_its_exit_code() {
    for (exit, retries) in [(Exit::Code(0), 0), (Exit::Code(7), 0), (Exit::Code(0), 1)] {
        let mut class = rules(None, None);
        class.retries.max = retries;
        let plan = Script::plan(Policy::Reuse, 2, Chunk::Fixed(1), vec![class], None);
        let mut script = Script::with(plan, Stream { known: true, total: 9, classes: 1, run: 9 });
        script.ready(0);
        script.ready(1);
        script.feed(Input::Control(Command::Resize(std::num::NonZeroU32::MIN)));
        assert_eq!(script.effects(), [Effect::Retire { worker: id(1) }]);
        script.feed(Input::Exited { worker: id(1), ended: ended(exit, Some(in_task(1))) });
        assert_eq!(script.told.attempts.get(&1), Some(&1), "{exit:?}");
        let counts = script.dispatcher.counts();
        assert_eq!((counts.lost, counts.retries), (u64::from(retries == 0), u64::from(retries)), "{exit:?}");
    }
    // In between two tasks it has left as it should, and what it had not begun is for others.
    let plan = Script::plan(Policy::Reuse, 2, Chunk::Fixed(1), vec![rules(None, None)], None);
    let mut script = Script::with(plan, Stream { known: true, total: 9, classes: 1, run: 9 });
    script.ready(0);
    script.ready(1);
    script.feed(Input::Control(Command::Resize(std::num::NonZeroU32::MIN)));
    script.feed(Input::Exited { worker: id(1), ended: ended(Exit::Code(0), None) });
    assert_eq!((script.told.attempts.len(), script.dispatcher.counts().queued), (0, 8));
}

#[test]
fn a_place_in_the_queue_is_taken_until_its_task_leaves_it_whoever_waits_for_that() {
    let hasty = ClassRules { on_timeout: OnTimeout::Abandon, wait_timeout: Some(millis(50)), ..rules(None, None) };
    let caller = SharedCaller::default();
    caller.with(|caller| (caller.ready, caller.total) = (40, Some(40)));
    let admission = Admission::Submitted { submitter: Box::new(caller), capacity: None };
    let submitting = Submitting { queue_capacity: Some(2), ..Submitting::default() };
    let plan = Script::plan(Policy::Reuse, 1, Chunk::Fixed(1), vec![hasty], None);
    let mut script = Script::with(
        Settings { admission, submitting, ..plan },
        Stream { known: true, total: 40, classes: 1, run: 40 },
    );
    assert_eq!(firsts(&script.ready(0)), [0]);
    let submitted = |script: &Script| script.dispatcher.counts().submitted;
    assert_eq!(submitted(&script), 3, "one is in work, and two wait");
    while script.dispatcher.counts().wait_timed_out < 3 {
        script.until_stop(script.now + 1, |_| Some(in_task(0)));
    }
    assert!(script.now <= 51 * MS, "nobody waits any more");
    assert_eq!(submitted(&script), 3, "and there is no room");
    script.done(0, 0, 500 * MS);
    assert_eq!(submitted(&script), 4);
}

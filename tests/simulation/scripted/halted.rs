//! Runs that are ended before their last task because enough have ended: whether anything was cut off.

use std::num::NonZeroU64;

use poolscope::workload::model::{Halt, HaltLimit, HaltWhen, HaltWhy};

use super::*;

/// How a run ends that the first outcome halts, where tasks come at these times.
fn over(policy: Policy, when: HaltWhen, admission: Admission, stream: Stream) -> (Script, RunState) {
    let limit = HaltLimit::Count(NonZeroU64::MIN);
    let plan = Script::plan(policy, 1, Chunk::Fixed(1), vec![rules(None, None)], None);
    let halt = Some(Halt { when, why: HaltWhy::Done, limit });
    let mut script = Script::with(Settings { admission, halt, ..plan }, stream);
    script.ready(0);
    script.now = MS;
    script.done(0, 0, MS);
    script.feed(Input::Exited { worker: id(0), ended: Box::new(ended(Exit::Code(0), MS)) });
    let over = script.effects().into_iter().find_map(|effect| match effect {
        Effect::Over(state) => Some(state),
        _ => None,
    });
    let state = over.unwrap_or_else(|| panic!("it goes on: {:?}", script.dispatcher.state()));
    (script, state)
}

fn at_times(times: &[u64]) -> Admission {
    let times: Vec<Moment> = times.iter().map(|at| Moment(at * MS)).collect();
    Admission::Open { times: Box::new(times.into_iter()), max_in_flight: None, on_full: OnFull::Block }
}

#[test]
fn a_run_that_is_halted_before_all_have_come_has_not_finished() {
    for policy in [Policy::Reuse, Policy::OneTask] {
        for when in [HaltWhen::Now, HaltWhen::Soon] {
            let stream = |total| Stream { known: true, total, classes: 1, run: 1 };
            let (script, state) = over(policy, when, at_times(&[0, 5_000]), stream(2));
            assert_eq!(state, RunState::Stopped, "{policy:?} {when:?}: one is still to come");
            assert_eq!((script.dispatcher.counts().submitted, script.dispatcher.counts().succeeded), (1, 1));
            let (_, state) = over(policy, when, at_times(&[0]), stream(1));
            assert_eq!(state, RunState::Finished, "{policy:?} {when:?}: that was all");
            // Whoever submits may have more to come, or may not know; or it is known that there is none.
            for (later, total, state) in [
                (1, None, RunState::Stopped),
                (1, Some(2), RunState::Stopped),
                (1, Some(1), RunState::Finished),
                (0, Some(1), RunState::Finished),
            ] {
                let caller = SharedCaller::default();
                caller.with(|caller| (caller.ready, caller.later, caller.total) = (1, later, total));
                let admission = Admission::Submitted { submitter: Box::new(caller), capacity: None };
                let stream = Stream { known: false, ..stream(2) };
                let (_, found) = over(policy, when, admission, stream);
                assert_eq!(found, state, "{policy:?} {when:?}: {later} later, {total:?} in all");
            }
        }
    }
}

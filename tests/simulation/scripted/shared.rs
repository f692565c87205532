//! Lanes that share a worker.

use super::*;

#[test]
fn what_the_other_lanes_of_a_silent_worker_were_in_is_lost_with_its_cause() {
    let mut rules = rules(None, None);
    rules.retries.max = 0;
    let stream = Stream { known: true, total: 2, classes: 1, run: 2 };
    let mut script = Script::new(Policy::OneWorker, 2, Chunk::One, vec![rules], stream);
    assert_eq!(script.ready(0).len(), 2);
    let busy = InTask { index: 0, started: Moment(0), ended: None };
    let mut ended = false;
    while !ended {
        assert!(script.now < 60_000 * MS, "it is silent for ever");
        let mut effects = script.wake();
        while let Some(effect) = effects.pop() {
            match effect {
                // One lane is in its task, and of the other one nothing is heard.
                Effect::Probe { lane } => {
                    let task = (lane.number == 0).then_some(busy);
                    script.feed(Input::Progress { lane, task });
                    effects.extend(script.effects());
                }
                Effect::Stop { .. } => ended = true,
                _ => {}
            }
        }
    }
    let ended = Ended { tasks: vec![(0, busy)], ..super::ended(Exit::Signal(9), script.now) };
    script.feed(Input::Exited { worker: id(0), ended: Box::new(ended) });
    let counts = script.dispatcher.counts();
    assert_eq!((counts.lost, counts.queued + counts.running), (1, 1), "what was not begun is given out again");
    assert_eq!(script.told.attempts.len(), 1, "{:?}", script.told.attempts);
}

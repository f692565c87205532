//! Workers killed on request and by timeouts: each costs its task and nothing else, and what it cost stays known.

use std::time::{Duration, Instant};

use poolscope::engine::event::{EndReason, Slot, WorkerState};
use poolscope::engine::outcome::Outcome;
use poolscope::metrics::snapshot::{Cost, Kill, Replaced};
use poolscope::session::conductor::Session;
use poolscope::session::view::{Mode, SessionCommand, SessionPhase, SessionView};

use crate::{counted, finish, open_with, send, until};

/// 24 naps of 150 ms for three workers: over a second for each run.
fn naps(more: &str) -> Session {
    let text = format!(
        "version: 1\nname: naps\nseed: 1\n\
         tasks: [{{ name: nap, kind: sleep, count: 24, service_time: {{ dist: constant, value: 150ms }}{more} }}]\n\
         engines: [{{ kind: pool, workers: 3 }}, {{ kind: process, workers: 3 }}]\n\
         measure: {{ warmup: 0, repeats: 2 }}\n"
    );
    open_with(&text, env!("CARGO_BIN_EXE_poolscope"))
}

fn at_work(view: &SessionView, arm: usize) -> bool {
    let busy = |row: &&poolscope::metrics::snapshot::WorkerRow| row.task.is_some();
    view.arms[arm].live && view.arms[arm].latest().is_some_and(|run| run.workers.iter().filter(busy).count() == 3)
}

fn kill(session: &Session, arm: usize, slot: Option<Slot>) {
    send(session, SessionCommand::KillWorker { arm, slot });
}

fn settled(kill: &Kill) -> bool {
    kill.replaced != Replaced::Open && kill.cost != Cost::Open
}

#[test]
fn a_worker_killed_on_request_costs_its_task_and_nothing_else() {
    for arm in 0..2 {
        let mut session = naps("");
        let began = Instant::now();
        send(&session, SessionCommand::Run(Mode::Interleaved));
        let before = until(&mut session, "three are at work", |view| at_work(view, arm));
        let asked = Instant::now();
        kill(&session, arm, None);
        let view = until(&mut session, "what it cost is known", |view| {
            view.kills.requested.last().is_some_and(|record| settled(&record.kill))
        });
        let (took, in_all) = (asked.elapsed(), began.elapsed());
        let record = view.kills.requested[0].clone();
        assert_eq!((record.arm, record.workers, record.kill.reason), (arm, 3, EndReason::Request));
        // The moment lies between what was seen before and after, the costs within the time that we waited ourselves.
        let (earlier, later) = (before.arms[arm].latest().unwrap().at, view.arms[arm].latest().unwrap().at);
        assert!((earlier..=later).contains(&record.kill.at), "{earlier:?} {record:?} {later:?}");
        assert!(
            record.since_start >= record.kill.at.elapsed() && record.since_start <= in_all,
            "{record:?} {in_all:?}"
        );
        let Replaced::After(replaced) = record.kill.replaced else { panic!("{record:?}") };
        assert!(!replaced.is_zero() && replaced <= took, "{replaced:?} of {took:?}");
        let Cost::Attempt { index, outcome: Outcome::Lost, retried: false, ran: Some(ran), .. } = record.kill.cost
        else {
            panic!("{record:?}")
        };
        let service = view.arms[arm].latest().unwrap().latency.service.max;
        assert!(!ran.is_zero() && ran < service + took, "{ran:?} of {service:?}");
        assert!((1..=2).contains(&record.kill.others) && record.kill.others_ended == 0, "{record:?}");
        let view = finish(&mut session);
        let kills = &view.kills.requested;
        assert_eq!((kills.len(), &kills[0].kill), (1, &record.kill), "it stays when its run and others are over");
        let untouched = counted(&view).iter().sum::<usize>();
        assert_eq!(untouched, 3, "the run with the kill is not averaged");
        // The kill was in the first run of its arm: what the second one shows is whole.
        assert_eq!(view.arms[arm].counts().succeeded, 24);
        assert!(index < 24);
    }
}

#[test]
fn exactly_one_task_is_lost_or_tried_again() {
    for arm in 0..2 {
        for (more, lost) in [("", 1), (", retries: { max: 1, on: [crash] }", 0)] {
            let mut session = naps(more);
            send(&session, SessionCommand::Run(Mode::Interleaved));
            until(&mut session, "three are at work", |view| at_work(view, arm));
            kill(&session, arm, None);
            let view = until(&mut session, "the run is over", |view| {
                !view.kills.requested.is_empty() && view.arms[arm].latest().is_some_and(|run| run.state.is_over())
            });
            let counts = view.arms[arm].counts();
            assert_eq!((counts.lost, counts.retries, counts.succeeded), (lost, 1 - lost, 24 - lost), "{counts:?}");
            assert_eq!((counts.failed, counts.timed_out, counts.cancelled), (0, 0, 0), "{counts:?}");
            let kill = &view.kills.requested[0].kill;
            assert!(matches!(kill.cost, Cost::Attempt { retried, .. } if retried == (lost == 0)), "{kill:?}");
            let last = view.arms[arm].latest().unwrap();
            let started = if arm == 0 { 4 } else { 24 + u64::from(lost == 0) };
            assert_eq!((last.worker_starts, last.failures.len()), (started, 1), "nobody else was replaced");
            assert_eq!(last.failures[0].pid, kill.pid);
        }
    }
}

#[test]
fn a_kill_waits_for_the_arms_turn_and_can_be_taken_back() {
    let mut session = naps("");
    kill(&session, 1, None);
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "the pool is at work", |view| at_work(view, 0));
    assert!(view.kills.waiting.is_empty(), "nothing ran that it could have waited for");
    for waiting in [vec![1], vec![], vec![1]] {
        kill(&session, 1, None);
        until(&mut session, "it is seen", |view| view.kills.waiting == waiting);
    }
    let view = until(&mut session, "it happened", |view| !view.kills.requested.is_empty());
    assert!(view.arms[1].live && view.kills.waiting.is_empty());
    let view = finish(&mut session);
    assert_eq!(view.kills.requested.iter().map(|record| (record.arm, record.run)).collect::<Vec<_>>(), [(1, 2)]);
    assert_eq!(counted(&view), [2, 1]);
    kill(&session, 0, None);
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "the pool is at work", |view| at_work(view, 0));
    kill(&session, 1, None);
    send(&session, SessionCommand::Stop);
    let view = until(&mut session, "it is stopped", |view| view.phase == SessionPhase::Stopped);
    assert_eq!((view.kills.waiting.len(), view.kills.requested.len()), (0, 1), "whoever stops wants nothing more");
}

#[test]
fn an_idle_worker_that_was_chosen_costs_nothing() {
    let text = "version: 1\nname: t\nseed: 1\n\
                tasks: [{ name: long, kind: sleep, count: 1, service_time: { dist: constant, value: 3s } },\n\
                        { name: short, kind: sleep, count: 2, service_time: { dist: constant, value: 10ms } }]\n\
                engines: [{ kind: pool, workers: 3 }]\nmeasure: { warmup: 0, repeats: 1 }\n";
    let mut session = open_with(text, env!("CARGO_BIN_EXE_poolscope"));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let idle = |view: &SessionView| {
        let run = view.arms[0].latest()?;
        run.workers.iter().find(|row| run.counts.succeeded == 2 && row.state == WorkerState::Idle).map(|row| row.slot)
    };
    let view = until(&mut session, "one is idle", |view| idle(view).is_some());
    kill(&session, 0, idle(&view));
    let view = finish(&mut session);
    let kill = &view.kills.requested[0].kill;
    assert_eq!((kill.cost, kill.replaced, kill.others), (Cost::Nothing, Replaced::Never, 1), "{kill:?}");
    assert_eq!((view.arms[0].counts().succeeded, view.arms[0].counts().lost), (3, 0));
}

#[test]
fn a_timeout_is_told_like_a_kill() {
    let text = "version: 1\nname: t\nseed: 1\n\
                tasks: [{ name: hang, kind: sleep, count: 1, timeout: 400ms, service_time: { dist: constant, value: 1h } },\n\
                        { name: nap, kind: sleep, count: 20, service_time: { dist: constant, value: 50ms } }]\n\
                engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]\n\
                measure: { warmup: 0, repeats: 2 }\n";
    let mut session = open_with(text, env!("CARGO_BIN_EXE_poolscope"));
    let began = Instant::now();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = finish(&mut session);
    assert!(view.kills.requested.is_empty());
    let told: Vec<_> = view.kills.timeouts.iter().map(|record| (record.arm, record.run)).collect();
    assert_eq!(told, [(0, 1), (1, 2), (0, 3), (1, 4)]);
    for record in view.kills.timeouts.iter() {
        let limit = Duration::from_millis(400);
        assert_eq!(record.kill.reason, EndReason::Timeout { limit });
        let Cost::Attempt { index: 0, outcome: Outcome::TimedOut, ran: Some(ran), .. } = record.kill.cost else {
            panic!("{record:?}")
        };
        let run = view.arms[record.arm].finished[usize::from(record.run > 2)].wall();
        assert!(ran >= limit && ran < run, "{ran:?} of {run:?}");
        let Replaced::After(replaced) = record.kill.replaced else { panic!("{record:?}") };
        assert!(!replaced.is_zero() && (record.kill.at + replaced).elapsed() < run, "{replaced:?} of {run:?}");
        assert_eq!((record.kill.others, record.kill.others_ended), (1, 0), "{record:?}");
        assert!(record.since_start < began.elapsed());
    }
    assert!(view.arms.iter().all(|arm| arm.finished.iter().all(|run| run.counts.succeeded == 20)));
}

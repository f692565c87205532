//! C1 to C11: the lives of processes, from their starts to what their ends are told as.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::{RunState, Slot};
use poolscope::engine::outcome::{Cause, Exit};
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::Recycling;
use rustix::process::Signal;

use crate::engines::Engine;
use crate::harness::{children, on_time};
use crate::support::{Control, NOOP, Running, Story, kill, lives, patiently, program, rules, shell, sleep};

const FOREVER: u64 = 600_000;

/// Waits until so many tasks are being worked on; the pids of those who do.
pub(crate) fn at_work(running: &Running, count: usize) -> Vec<u32> {
    let busy = |story: &Story| -> Vec<u32> {
        story.slots.iter().filter(|slot| slot.task.is_some()).filter_map(|slot| slot.pid).collect()
    };
    busy(&running.until("they are at work", |story| busy(story).len() == count))
}

/// A child of ours from its start on, in no list after it was joined; no exit code before its end, and 0 after it.
pub(crate) fn a_worker_is_a_child_from_its_start_to_its_end(engine: &Engine) {
    let running = engine.of(1).tasks(1, sleep(400), rules()).start();
    let pid = at_work(&running, 1)[0];
    assert!(lives(pid) && children().iter().any(|child| child.0 == pid));
    assert_eq!(running.story().exits, [], "it has no exit code yet");
    let story = running.finish();
    assert_eq!(story.exits.iter().map(|exit| (exit.1, exit.2)).collect::<Vec<_>>(), [(pid, Exit::Code(0))]);
    assert!(!children().iter().any(|child| child.0 == pid), "it was joined");
}

/// -15 after SIGTERM, -9 after SIGKILL, and a join right afterwards waits for nothing else.
pub(crate) fn terminate_and_kill_have_their_signals(engine: &Engine) {
    for (command, code) in [(Command::Stop, -libc::SIGTERM), (Command::Kill, -libc::SIGKILL)] {
        patiently(Duration::from_millis(250), |limit| {
            // Who takes SIGTERM as what it is does not use its grace period.
            let patient = ClassRules { grace_period: Duration::from_secs(300), ..rules() };
            let running = engine.of(2).tasks(2, sleep(FOREVER), patient).start();
            at_work(&running, 2);
            let begin = Instant::now();
            running.command(command);
            let story = running.finish();
            let codes: Vec<_> = story.exits.iter().map(|exit| exit.2.exitcode()).collect();
            assert_eq!(codes, [Some(code); 2], "{command:?}");
            assert_eq!((story.state, story.counts.cancelled), (Some(RunState::Stopped), 2));
            begin.elapsed() <= limit
        });
    }
}

/// Not before it happens, and no later than a timer of this test is late plus 20 ms.
pub(crate) fn an_end_is_told_when_it_happens(engine: &Engine) {
    on_time(|| {
        let running = engine.of(1).tasks(1, sleep(FOREVER), rules()).start();
        let pid = at_work(&running, 1)[0];
        let control = Control::start();
        let later = running.story().at + Duration::from_millis(300);
        let story = running.until("time has passed", |story| story.at >= later);
        assert_eq!(story.exits, []);
        let killed = Instant::now();
        kill(pid, Signal::KILL);
        running.until("its end is told", |story| !story.exits.is_empty());
        let (took, allowance) = (killed.elapsed(), control.allowance());
        let story = running.finish();
        assert_eq!((story.exits[0].2, story.counts.lost), (Exit::Signal(libc::SIGKILL), 1));
        took <= allowance
    });
}

/// A hundred short processes all end with 0.
pub(crate) fn a_hundred_come_and_go(engine: &Engine) {
    let mut setting = engine.of(4);
    if engine.keeps_workers() {
        setting.chunk = Chunk::Fixed(1);
        setting.recycling = Recycling { max_tasks: NonZeroU64::new(1), max_rss_bytes: None };
    }
    let story = setting.tasks(100, NOOP, rules()).start().finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 100), "{:?}", story.notes);
    // Whoever has a place that found nothing left comes on top.
    assert!((100..=104).contains(&story.started.len()), "{}", story.started.len());
    assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "{:?}", story.exits);
}

/// A hundred that are killed right after their start all report the signal.
pub(crate) fn a_hundred_are_killed_right_after_their_start(engine: &Engine) {
    let running = engine.of(100).tasks(100, sleep(FOREVER), rules()).start();
    running.until("all are started", |story| story.started.len() == 100);
    running.command(Command::Kill);
    let story = running.finish();
    let codes: Vec<_> = story.exits.iter().map(|exit| exit.2).collect();
    assert_eq!(codes, [Exit::Signal(libc::SIGKILL); 100]);
}

/// A tree of depth two, visited in the order of its joins.
pub(crate) fn programs_of_programs_are_waited_for(engine: &Engine) {
    let tree =
        shell("for a in 1 2; do sh -c 'for b in 1 2; do sh -c \"echo $0.$1\" $0 $b; done; echo $0' $a; done; exit 7");
    let story = engine.of(2).tasks(2, tree, rules()).start().finish();
    assert_eq!(story.counts.failed, 2, "{:?}", story.attempts);
    assert!(story.attempts.iter().all(|report| report.cause == Cause::Exited { exit: Exit::Code(7) }));
    let wanted = "1.\n1.\n1\n2.\n2.\n2\n";
    assert!(story.attempts.iter().all(|report| report.stdout_tail == wanted), "{:?}", story.attempts);
}

/// The last of eight has as many open as the first.
pub(crate) fn descriptors_do_not_grow_with_the_number_of_siblings(engine: &Engine) {
    let open = |workers: u32| -> Vec<usize> {
        let running = engine.of(workers).tasks(workers.into(), sleep(FOREVER), rules()).start();
        let pids = at_work(&running, workers as usize);
        let counts = pids.iter().map(|pid| std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count());
        let counts = counts.collect();
        running.command(Command::Kill);
        running.finish();
        counts
    };
    let alone = open(1)[0];
    assert_eq!(open(8), [alone; 8]);
}

/// A code is that code, a signal that signal, and an error is 1 with its message on standard error.
pub(crate) fn every_way_to_exit_is_told_as_it_was(engine: &Engine) {
    let story = engine
        .of(2)
        .tasks(1, shell("exit 0"), rules())
        .tasks(1, shell("exit 3"), rules())
        .tasks(1, shell("echo what went wrong >&2; exit 1"), rules())
        .tasks(1, shell("kill -USR1 $$"), rules())
        .tasks(1, program(&["/no/such/program"]), rules())
        .start()
        .finish();
    assert_eq!((story.counts.succeeded, story.counts.failed), (1, 4), "{:?}", story.attempts);
    let of = |class| story.attempts.iter().find(|report| report.class == class).unwrap();
    for (class, code) in [(1, 3), (2, 1), (3, -libc::SIGUSR1)] {
        let Cause::Exited { exit } = of(class).cause else { panic!("{:?}", of(class)) };
        assert_eq!(exit.exitcode(), Some(code));
    }
    assert_eq!(of(2).stderr_tail, "what went wrong\n");
    assert!(matches!(of(4).cause, Cause::NotStarted { .. }), "{:?}", of(4));
}

/// Killed by SIGINT or by SIGKILL, it is started again by the next start, and nothing is lost.
pub(crate) fn a_killed_fork_server_is_started_again(engine: &Engine) {
    for signal in [Signal::INT, Signal::KILL] {
        let running = engine.of(2).tasks(100, sleep(10), rules()).start();
        let story = running.until("it works", |story| !story.records.is_empty());
        kill(story.fork_servers[0].0, signal);
        running.until("its end is told", |story| !story.fork_server_exits.is_empty());
        // A pool starts nobody by itself.
        running.command(Command::KillWorker(Some(Slot(0))));
        let story = running.finish();
        let counts = story.counts;
        assert_eq!(counts.succeeded + counts.lost, 100, "{:?}", story.notes);
        assert!(counts.lost <= 1 && story.fork_servers.len() == 2, "{counts:?}, {:?}", story.fork_servers);
        assert_eq!(story.fork_server_exits[0].0, Exit::Signal(signal.as_raw()));
    }
}

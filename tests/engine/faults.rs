//! Workers die, hang, ignore signals and talk too much; every task still has one outcome and nobody is left behind.

use std::time::{Duration, Instant};

use poolscope::engine::control::{Capabilities, Command};
use poolscope::engine::error::EngineError;
use poolscope::engine::event::{RunState, WorkerState};
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::Retries;
use rustix::process::Signal;

use crate::support::{Story, both, eventually, every, every_with_programs, kill, lives, program, rules, shell, sleep};

fn retrying(max: u32) -> ClassRules {
    ClassRules { retries: Retries { max, ..rules().retries }, ..rules() }
}

/// The pid of a worker that is busy with a task.
fn busy_pid(story: &Story) -> Option<u32> {
    story.slots.iter().find(|slot| slot.state == WorkerState::Busy && slot.task.is_some()).and_then(|slot| slot.pid)
}

#[test]
fn a_killed_worker_costs_only_its_task() {
    for setting in every(2) {
        let running = setting.tasks(1, sleep(600_000), rules()).tasks(40, sleep(5), rules()).start();
        let story = running.until("the long task runs", |story| {
            story.slots.iter().any(|slot| slot.task.is_some_and(|task| task.0 == 0))
        });
        let victim = story.slots.iter().find(|slot| slot.task.is_some_and(|task| task.0 == 0)).unwrap().pid.unwrap();
        kill(victim, Signal::KILL);
        let story = running.finish();
        assert_eq!((story.counts.succeeded, story.counts.lost), (40, 1));
        let report = &story.attempts[0];
        assert_eq!((report.index, report.outcome, report.pid), (0, Outcome::Lost, Some(victim)));
        assert!(
            matches!(report.cause, Cause::WorkerDied { exit: Exit::Signal(libc::SIGKILL), by_user: false, .. }),
            "{report:?}"
        );
        story.nobody_is_left();
    }
}

#[test]
fn several_workers_killed_at_once_and_their_tasks_tried_again() {
    for setting in every(4) {
        let running = setting.tasks(60, sleep(20), retrying(50)).start();
        for _ in 0..5 {
            let story = running.until("workers are busy", |story| {
                let busy = story.slots.iter().filter(|slot| slot.state == WorkerState::Busy);
                busy.count() >= 2 || story.state.is_some_and(RunState::is_over)
            });
            for slot in story.slots.iter().filter_map(|slot| slot.pid).take(3) {
                let pid = rustix::process::Pid::from_raw(slot as i32).unwrap();
                // One that has just left by itself is no victim.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
            running.until("time has passed", |later| later.at > story.at || later.state.is_some_and(RunState::is_over));
        }
        let story = running.finish();
        assert_eq!(story.counts.succeeded, 60, "{:?}", story.counts);
        assert!(story.attempts.iter().any(|report| report.outcome == Outcome::Lost), "somebody was killed at work");
        story.nobody_is_left();
    }
}

#[test]
fn a_timeout_ends_only_its_task_and_the_worker_is_replaced() {
    let limit = Duration::from_millis(250);
    let limited = ClassRules { timeout: Some(limit), ..rules() };
    for setting in every(2) {
        let reuse = setting.policy == poolscope::engine::dispatcher::Policy::Reuse;
        let replaced = |story: &Story| story.started.iter().filter(|start| start.2).count();
        let running = setting.tasks(2, sleep(600_000), limited).tasks(1_000_000, sleep(2), limited).start();
        // There is work for a second one however late it comes.
        drop(running.wait("each was replaced, and others go on", |story| {
            story.attempts.len() >= 2 && story.succeeded >= 20 && (!reuse || replaced(story) >= 2)
        }));
        running.command(Command::Stop);
        let story = running.finish();
        let counts = story.counts;
        assert_eq!((counts.timed_out, counts.failed, counts.lost), (2, 0, 0), "{:?}", story.attempts);
        assert_eq!((counts.succeeded + counts.cancelled, story.state), (1_000_000, Some(RunState::Stopped)));
        let timed_out: Vec<_> = story.attempts.iter().filter(|report| report.outcome == Outcome::TimedOut).collect();
        assert_eq!(
            timed_out.iter().map(|report| report.index).collect::<std::collections::BTreeSet<_>>(),
            [0, 1].into()
        );
        for report in timed_out {
            assert_eq!(report.cause, Cause::Timeout { limit });
            assert_eq!(report.exit, Some(Exit::Signal(libc::SIGTERM)));
            assert!(report.service.unwrap() >= limit, "{report:?}");
            assert!(!report.killed);
        }
        if reuse {
            assert_eq!(replaced(&story), 2, "each was replaced");
        }
        story.nobody_is_left();
    }
}

#[test]
fn a_program_that_ignores_sigterm_is_killed_after_its_grace_period() {
    let limited =
        ClassRules { timeout: Some(Duration::from_millis(200)), grace_period: Duration::from_millis(100), ..rules() };
    for setting in every_with_programs(1) {
        let stubborn = shell("trap '' TERM; echo started >&2; while :; do sleep 0.05; done");
        let story = setting.tasks(1, stubborn, limited).start().finish();
        assert_eq!(story.counts.timed_out, 1);
        let report = &story.attempts[0];
        assert!(report.killed, "{report:?}");
        assert_eq!(report.exit, Some(Exit::Signal(libc::SIGKILL)));
        assert!(report.service.unwrap() >= Duration::from_millis(300), "{report:?}");
        story.nobody_is_left();
    }
}

#[test]
fn timeouts_are_tried_again_as_often_as_allowed() {
    let limited = ClassRules { timeout: Some(Duration::from_millis(30)), ..retrying(2) };
    for setting in every(1) {
        let story = setting.tasks(1, sleep(600_000), limited).start().finish();
        assert_eq!((story.counts.timed_out, story.counts.retries), (1, 2));
        let attempts: Vec<(u32, bool)> = story.attempts.iter().map(|a| (a.attempt.number(), a.retried)).collect();
        assert_eq!(attempts, [(1, true), (2, true), (3, false)]);
    }
}

#[test]
fn a_failing_program_says_why() {
    for setting in every_with_programs(2) {
        let story = setting
            .tasks(3, shell("echo out; echo it is broken >&2; exit 7"), rules())
            .tasks(1, program(&["/no/such/program"]), retrying(5))
            .tasks(1, shell("kill -SEGV $$"), rules())
            .start()
            .finish();
        assert_eq!(story.counts.failed, 5, "{:?}", story.attempts);
        for report in story.attempts.iter().filter(|report| report.class == 0) {
            assert_eq!(report.cause, Cause::Exited { exit: Exit::Code(7) });
            assert_eq!((report.stdout_tail.as_str(), report.stderr_tail.as_str()), ("out\n", "it is broken\n"));
        }
        let missing: Vec<_> = story.attempts.iter().filter(|report| report.class == 1).collect();
        assert_eq!(missing.len(), 1, "a program that is not there is not looked for again");
        assert!(matches!(&missing[0].cause, Cause::NotStarted { message } if message.contains("No such file")));
        let crashed = story.attempts.iter().find(|report| report.class == 2).unwrap();
        assert_eq!(crashed.cause, Cause::Exited { exit: Exit::Signal(libc::SIGSEGV) });
    }
}

#[test]
fn a_hundred_thousand_lines_of_output_are_bounded_and_block_nobody() {
    for setting in every_with_programs(2) {
        let chatty =
            shell("i=0; while [ $i -lt 100000 ]; do echo \"line $i\"; i=$((i+1)); done; echo last >&2; exit 1");
        let story = setting.tasks(2, chatty, rules()).start().finish();
        assert_eq!(story.counts.failed, 2);
        for report in &story.attempts {
            assert!(report.stdout_tail.starts_with("line 0\n") && report.stdout_tail.ends_with("line 99999\n"));
            assert!(report.stdout_tail.len() < 32 * 1024 && report.output_omitted_bytes > 1_000_000);
            assert_eq!(report.stderr_tail, "last\n");
        }
    }
}

#[test]
fn grandchildren_that_keep_the_pipe_open_are_ended_and_not_waited_for() {
    for setting in every_with_programs(2) {
        let marks = tempfile::tempdir().unwrap();
        let path = marks.path().display();
        // One stays in the group, the other leaves it and becomes a daemon.
        let script = format!(
            "sleep 600 & echo $! > {path}/a.{{index}}; \
             setsid sh -c 'echo $$ > {path}/b.{{index}}; exec sleep 600' & \
             while [ ! -s {path}/b.{{index}} ]; do sleep 0.01; done; exit 0"
        );
        let begin = Instant::now();
        let story = setting.tasks(3, shell(&script), rules()).start().finish();
        assert_eq!(story.counts.succeeded, 3, "{:?}", story.attempts);
        assert!(begin.elapsed() < Duration::from_secs(30), "nobody waits for a daemon");
        for entry in std::fs::read_dir(marks.path()).unwrap() {
            let entry = entry.unwrap();
            let pid: u32 = std::fs::read_to_string(entry.path()).unwrap().trim().parse().unwrap();
            eventually(&format!("{:?} is gone", entry.file_name()), || !lives(pid));
        }
        story.nobody_is_left();
    }
}

#[test]
fn resizing_loses_nothing_and_concurrency_follows() {
    for setting in every(2) {
        let running = setting.tasks(2_000, sleep(3), rules()).start();
        let resize = |workers: u32| running.command(Command::Resize(std::num::NonZeroU32::new(workers).unwrap()));
        let busy = |story: &Story| story.slots.iter().filter(|slot| slot.pid.is_some()).count();
        for workers in [6, 1, 4] {
            resize(workers);
            let asked = running.story().at;
            let story = running.until("concurrency follows", |story| {
                story.at > asked && busy(story) == workers as usize || story.state.is_some_and(RunState::is_over)
            });
            assert!(!story.state.is_some_and(RunState::is_over), "the run was over before it was resized");
            assert!(story.at.since(asked) < Duration::from_secs(1), "{workers}: {:?}", story.at.since(asked));
        }
        let story = running.finish();
        assert_eq!(story.counts.succeeded, 2_000);
        story.nobody_is_left();
    }
}

#[test]
fn what_an_engine_cannot_do_is_refused_with_a_word_and_changes_nothing() {
    for mut setting in both(2) {
        setting.capabilities = Capabilities::LEAST;
        let running = setting.tasks(60, sleep(10), rules()).start();
        running.until("some are done", |story| story.succeeded > 2);
        let four = std::num::NonZeroU32::new(4).unwrap();
        for command in [Command::Resize(four), Command::Pause, Command::KillWorker(None)] {
            running.command(command);
            let words = Capabilities::LEAST.check(command).unwrap_err().to_string();
            let story = running.until("it is refused", |story| story.notes.contains(&words));
            assert!(story.slots.len() == 2 && story.state == Some(RunState::Running));
        }
        assert_eq!(running.finish().counts.succeeded, 60);
    }
}

#[test]
fn pause_gives_out_nothing_and_resume_goes_on() {
    for setting in every(2) {
        let running = setting.tasks(400, sleep(5), rules()).start();
        running.until("some are done", |story| story.succeeded > 10);
        running.command(Command::Pause);
        let paused = running
            .until("what ran is finished", |story| story.state == Some(RunState::Paused) && story.counts.running == 0);
        let later = running.until("time has passed", |story| story.at.since(paused.at) > Duration::from_millis(300));
        assert_eq!(later.counts.succeeded, paused.counts.succeeded, "nothing is given out");
        running.command(Command::Resume);
        let story = running.finish();
        assert_eq!(story.counts.succeeded, 400);
    }
}

#[test]
fn stop_cancels_what_waits_and_ends_what_runs() {
    for setting in every(2) {
        let running = setting.tasks(10_000, sleep(60_000), rules()).start();
        running.until("tasks run", |story| story.counts.running == 2 && busy_pid(story).is_some());
        let begin = Instant::now();
        running.command(Command::Stop);
        let story = running.finish();
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert_eq!(story.state, Some(RunState::Stopped));
        assert_eq!((story.counts.cancelled, story.counts.succeeded), (10_000, 0));
        story.nobody_is_left();
    }
}

#[test]
fn suspended_time_is_no_time() {
    for setting in every(1) {
        let limited = ClassRules { timeout: Some(Duration::from_millis(600)), ..rules() };
        let running = setting.tasks(1, sleep(300), limited).start();
        let story = running.until("the task runs", |story| busy_pid(story).is_some());
        let pid = busy_pid(&story).unwrap();
        running.command(Command::Suspend);
        eventually("the worker is stopped", || {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default().contains(") T")
        });
        let stopped = running.until("it is suspended", |story| story.state == Some(RunState::Suspended));
        // Longer than the timeout: it must not fire.
        std::thread::sleep(Duration::from_millis(900));
        assert_eq!(running.story().at, stopped.at, "the run clock stands still");
        running.command(Command::Unsuspend);
        let story = running.finish();
        assert_eq!(story.counts.succeeded, 1, "{:?}", story.attempts);
        assert!(story.suspended >= Duration::from_millis(900));
        assert!(story.at < poolscope::engine::event::Moment(900_000_000), "{:?}", story.at);
    }
}

#[test]
fn a_dropped_run_leaves_nobody_behind() {
    for setting in every_with_programs(3) {
        let running = setting.tasks(100, shell("sleep 600"), rules()).start();
        let story = running.until("programs run", |story| story.counts.running == 3);
        drop(running);
        for (_, pid, _) in story.started {
            assert!(!lives(pid), "{pid}");
        }
    }
}

/// A worker program that is a shell script.
fn script(text: &str) -> tempfile::TempPath {
    use std::os::unix::fs::PermissionsExt as _;
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn workers_that_talk_nonsense_or_die_at_once_break_the_engine_instead_of_spinning() {
    // Noise on the control socket; a frame that is longer than any; a death before the first word.
    for text in [
        "printf 'nonsense, not frames' >&3; exec sleep 600",
        "printf '\\377\\377\\377\\177xxxx' >&3; exec sleep 600",
        "exit 9",
    ] {
        let program = script(text);
        for mut setting in every(2) {
            setting.worker_program = program.as_os_str().to_owned();
            let begin = Instant::now();
            let story = setting.tasks(1_000, sleep(1), rules()).start().finish();
            assert_eq!(story.state, Some(RunState::Broken), "{text}");
            assert!(story.started.len() < 30, "{text}: {} workers were started", story.started.len());
            assert!(story.notes.iter().any(|note| note.contains("in a row")), "{text}: {:?}", story.notes);
            assert!(begin.elapsed() < Duration::from_secs(20));
            let counts = story.counts;
            assert_eq!(counts.submitted, counts.finished(), "{counts:?}");
            story.nobody_is_left();
        }
    }
}

#[test]
fn a_worker_program_that_does_not_exist_breaks_the_engine_with_its_name() {
    for mut setting in every(2) {
        setting.worker_program = "/no/such/worker".into();
        let story = setting.tasks(10, sleep(1), rules()).start().finish();
        assert_eq!((story.state, story.counts.cancelled), (Some(RunState::Broken), 10));
        let error = story.error.as_deref();
        let Some(EngineError::NotStarted(error)) = error else { panic!("{error:?}") };
        assert_eq!(error.source.kind(), std::io::ErrorKind::NotFound, "the system's own error is kept");
        assert!(story.notes.iter().any(|note| note.contains("No such file")), "{:?}", story.notes);
    }
}

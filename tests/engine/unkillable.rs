//! A worker that SIGKILL does not end: it is said so, counted and shown, and the run goes on without it.
//!
//! A tracer that asked for it stops a process on its way out (`PTRACE_O_TRACEEXIT`, ptrace(2)), a killed one too: it is
//! there until the tracer lets it go.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::event::{RunState, Slot, WorkerState};

use rustix::process::Signal;

use crate::support::{Running, Setting, Story, both, eventually, kill, lives, process, rules, sleep};

/// The tracer is a process of its own: its own stopped tracees would look to this one like children that have ended.
const TRACER: &str = "
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
SEIZE, TRACEEXIT = 0x4206, 0x40
done = libc.ptrace(SEIZE, int(sys.argv[1]), None, TRACEEXIT)
print('kept' if done == 0 else os.strerror(ctypes.get_errno()), flush=True)
sys.stdin.read()
";

/// Keeps a process from ending while this lives.
struct Kept {
    tracer: Child,
    pid: u32,
}

impl Kept {
    fn new(pid: u32) -> Self {
        let mut tracer = std::process::Command::new("python3");
        tracer.args(["-c", TRACER, &pid.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut tracer = tracer.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(tracer.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "kept\n", "a process has to be traced for this test");
        Self { tracer, pid }
    }

    /// Lets it go.
    fn release(&mut self) {
        drop(self.tracer.stdin.take());
        self.tracer.wait().unwrap();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ended = self.tracer.kill();
        let _reaped = self.tracer.wait();
        let pid = libc::pid_t::try_from(self.pid).unwrap();
        // SAFETY: plain system calls on a number. If the run has given it up, nobody else reaps it.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
    }
}

fn busy(story: &Story) -> Option<(Slot, u32)> {
    // The first task lasts until its worker is killed, however long it takes to keep that.
    story
        .slots
        .iter()
        .find(|slot| slot.task.is_some_and(|task| task.0 == 0))
        .and_then(|slot| Some((slot.slot, slot.pid?)))
}

fn is_unkillable(story: &Story, pid: u32) -> bool {
    story.slots.iter().any(|slot| slot.pid == Some(pid) && slot.state == WorkerState::Unkillable)
}

/// A run in which a worker was killed and stays.
fn killed(running: &Running) -> (Kept, u32) {
    let story = running.until("a task runs", |story| busy(story).is_some());
    let (slot, pid) = busy(&story).unwrap();
    let kept = Kept::new(pid);
    running.command(Command::KillWorker(Some(slot)));
    (kept, pid)
}

#[test]
fn it_is_shown_and_counted_and_the_run_goes_on_without_it() {
    for setting in both(2) {
        let policy = setting.policy;
        let running = setting.tasks(1, sleep(60_000), rules()).tasks(300, sleep(40), rules()).start();
        let (kept, pid) = killed(&running);
        let story = running.until("it is shown", |story| is_unkillable(story, pid));
        assert_eq!(story.unkillable, [pid], "{policy:?}");
        let told = story.notes.iter().find(|note| note.contains("UNKILLABLE")).unwrap().clone();
        assert!(told.contains(&format!("pid {pid}")), "{told}");
        // Others have worked meanwhile.
        assert!(story.succeeded > 10, "{policy:?}: {}", story.succeeded);
        let story = running.finish();
        assert_eq!(story.state, Some(RunState::Finished));
        assert_eq!(
            (story.counts.succeeded, story.counts.lost),
            (300, 1),
            "{policy:?}: {:?} {:?}",
            story.counts,
            story.attempts
        );
        assert_eq!(story.unkillable, [pid], "it is counted once");
        let left = story.notes.iter().filter(|note| note.contains("left behind")).count();
        assert_eq!(
            left,
            1,
            "{:?} {:?} {:?}",
            story.notes,
            story.exits.iter().filter(|e| e.1 == pid).collect::<Vec<_>>(),
            story.at
        );
        assert!(lives(pid), "the test is about one that stays");
        drop(kept);
        eventually("it is gone", || !lives(pid));
    }
}

#[test]
fn a_stop_is_not_held_up_by_it() {
    for setting in both(2) {
        let running = setting.tasks(10, sleep(60_000), rules()).start();
        let (kept, pid) = killed(&running);
        running.command(Command::Stop);
        let story = running.finish();
        assert_eq!((story.state, story.counts.finished()), (Some(RunState::Stopped), 10));
        assert_eq!(story.unkillable, [pid]);
        // Shorter than the time after which it is shown where the run goes on.
        assert!(story.at.elapsed() < Duration::from_secs(60));
        drop(kept);
    }
}

#[test]
fn one_that_goes_a_moment_later_is_none() {
    for setting in both(1) {
        let running = setting.tasks(1, sleep(60_000), rules()).tasks(4, sleep(100), rules()).start();
        let (mut kept, _) = killed(&running);
        // Well before it would be told.
        std::thread::sleep(Duration::from_millis(200));
        kept.release();
        let story = running.finish();
        assert_eq!(story.unkillable, Vec::<u32>::new());
        assert!(story.notes.iter().all(|note| !note.contains("UNKILLABLE")), "{:?}", story.notes);
        assert_eq!(story.counts.finished(), 5);
        story.nobody_is_left();
    }
}

#[test]
fn a_fork_server_that_does_not_go_is_left_behind_and_another_one_takes_its_place() {
    let setting = Setting { fork_server: true, start_timeout: Duration::from_secs(1), ..process(2) };
    let running = setting.tasks(100, sleep(60), rules()).start();
    let story = running.until("it works", |story| !story.records.is_empty());
    let pid = story.fork_servers[0].0;
    // However long it takes to keep it, there is work for another one.
    running.command(Command::Pause);
    let kept = Kept::new(pid);
    kill(pid, Signal::STOP);
    running.command(Command::Resume);
    let story = running.finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 100), "{:?}", story.notes);
    assert_eq!(story.fork_servers.len(), 2, "{:?}", story.notes);
    let told = format!("the fork server (pid {pid}) is UNKILLABLE");
    assert_eq!(story.notes.iter().filter(|note| note.starts_with(&told)).count(), 1, "{:?}", story.notes);
    assert!(lives(pid), "the test is about one that stays");
    drop(kept);
    eventually("it is gone", || !lives(pid));
}
